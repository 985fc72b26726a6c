"""`vfxgan export`: one file, folded, described, and compared with the network."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from vfxgan.cli.main import run
from vfxgan.errors import ModelError
from vfxgan.export.fold import fold_batch_norms
from vfxgan.export.onnxruntime_cpu import CpuSession
from vfxgan.export.pieces import pieces
from vfxgan.latents import latent
from vfxgan.spec import METADATA_KEY, SPEC_VERSION, parse_spec
from vfxgan.trainer.networks import build_generator
from vfxgan.trainer.networks.checkpoint import Checkpoint, save_checkpoint
from vfxgan.trainer.recipes.dcgan import DcganOptions, DcganRecipe

SHAPES = {
    "transpose": {"channels": (16, 8, 8), "upsample": "transpose"},
    "bilinear": {"channels": (16, 8, 8, 8), "upsample": "bilinear", "noise_to": 16, "border_px": 3},
    "progressive": {"channels": (16, 8, 8, 8), "progressive": True, "grow_every": 1, "noise_to": 16, "border_px": 3},
}


@pytest.fixture(params=SHAPES)
def checkpoint(request, tmp_path):
    """A checkpoint whose batch norms have seen something, so that a wrong fold shows."""
    recipe = DcganRecipe(DcganOptions(data="x", size=32, z_size=8, **SHAPES[request.param]))
    torch.manual_seed(4)
    generator = recipe.networks()["generator"]
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.2, 3)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -1, 1)
        elif isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.zeros_(module.bias)  # a progressive network's heads begin nearly empty, which would hide errors
    path = tmp_path / "ckpt.pt"
    save_checkpoint(path, Checkpoint(recipe.spec(3), {}, 3, generator.state_dict(), {}, {}))
    return path


def test_the_file_describes_itself_and_holds_its_weights(checkpoint, capfd):
    assert run(["export", str(checkpoint), "--name", "toy", "--interval", "0.7", "--licence", "CC0-1.0"]) == 0
    model = onnx.load(checkpoint.with_suffix(".onnx"))
    (text,) = [entry.value for entry in model.metadata_props if entry.key == METADATA_KEY]
    spec = parse_spec(text, "toy")
    assert (spec.name, spec.input.interval, spec.provenance.licence) == ("toy", 0.7, "CC0-1.0")
    assert spec.parity.max_abs_error <= 4e-5
    assert not any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer)
    assert [axis.dim_value for axis in model.graph.output[0].type.tensor_type.shape.dim] == [1, 4, 32, 32]
    printed = capfd.readouterr().out
    assert "parity over 16 seeds" in printed
    assert "max abs error" in printed
    assert "PSNR" in printed


def test_no_batch_normalization_is_left_in_the_graph(checkpoint):
    assert run(["export", str(checkpoint)]) == 0
    kinds = {node.op_type for node in onnx.load(checkpoint.with_suffix(".onnx")).graph.node}
    assert "BatchNormalization" not in kinds
    assert kinds & {"Conv", "ConvTranspose"}


def test_the_file_gives_what_the_unfolded_network_gives(checkpoint):
    assert run(["export", str(checkpoint)]) == 0
    body = torch.load(checkpoint, weights_only=True)
    spec = parse_spec(body["spec"], "x")
    network = build_generator(spec).eval()
    network.load_state_dict(body["average"])
    z = latent(1234, spec.input)
    with torch.no_grad():
        expected = network(torch.from_numpy(z)).numpy()
    (found,) = CpuSession(checkpoint.with_suffix(".onnx").read_bytes()).run(z)
    np.testing.assert_allclose(found, expected, atol=4e-5)
    assert found.std() > 0.05


def test_the_same_checkpoint_gives_the_same_bytes_without_paths(checkpoint, tmp_path):
    for name in ("a.onnx", "b.onnx"):
        assert run(["export", str(checkpoint), "--out", str(tmp_path / name)]) == 0
    first = (tmp_path / "a.onnx").read_bytes()
    assert first == (tmp_path / "b.onnx").read_bytes()
    assert b".py" not in first
    assert str(tmp_path).encode() not in first


def test_a_difference_above_the_tolerance_stops_the_export_and_writes_nothing(checkpoint, capfd):
    assert run(["export", str(checkpoint), "--tolerance", "1e-12"]) == 1
    line = capfd.readouterr().err
    assert "differs from the network by" in line
    assert "--tolerance" in line
    assert not checkpoint.with_suffix(".onnx").exists()


def test_nan_in_the_weights_stops_the_export(checkpoint, capfd):
    body = torch.load(checkpoint, weights_only=True)
    body["average"]["project.weight"][0] = float("nan")
    torch.save(body, checkpoint)
    assert run(["export", str(checkpoint)]) == 1
    assert "NaN or Inf at seed 0" in capfd.readouterr().err


def test_an_existing_file_is_kept_unless_told_otherwise(checkpoint, capfd):
    target = checkpoint.with_suffix(".onnx")
    target.write_bytes(b"precious")
    assert run(["export", str(checkpoint)]) == 2
    assert "exists; give --overwrite" in capfd.readouterr().err
    assert target.read_bytes() == b"precious"
    assert run(["export", str(checkpoint), "--overwrite"]) == 0
    assert target.read_bytes() != b"precious"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such checkpoint"),
        (b"", "not a PyTorch checkpoint, or cut short"),
        (b"hello", "not a PyTorch checkpoint, or cut short"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not a PyTorch checkpoint, or cut short"),
        ("half", "not a PyTorch checkpoint, or cut short"),
        ("foreign", "unknown architecture; nearest: pytorch/examples DCGAN"),
        ("newer", "made by a newer vfxgan (spec version 99"),
        ("misfit", "its weights do not fit its spec"),
    ],
)
def test_a_checkpoint_that_cannot_be_used_gets_one_line(checkpoint, capfd, content, reason):
    if content is None:
        checkpoint.unlink()
    elif isinstance(content, bytes):
        checkpoint.write_bytes(content)
    elif content == "half":
        checkpoint.write_bytes(checkpoint.read_bytes()[: checkpoint.stat().st_size // 2])
    elif content == "foreign":
        torch.save({"main.0.weight": torch.zeros(1)}, checkpoint)
    else:
        body = torch.load(checkpoint, weights_only=True)
        body["spec"] = body["spec"].replace(
            f'"spec_version":{SPEC_VERSION}', f'"spec_version":{99 if content == "newer" else SPEC_VERSION}'
        )
        if content == "misfit":
            body["average"].pop("project.weight")
        torch.save(body, checkpoint)
    assert run(["export", str(checkpoint)]) == 1
    captured = capfd.readouterr().err
    assert reason in captured
    assert captured.count("\n") == 1
    assert not checkpoint.with_suffix(".onnx").exists()


def test_a_batch_norm_nobody_offers_to_fold_is_an_error():
    with pytest.raises(ModelError, match="cannot be folded"):
        fold_batch_norms(nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)))


def test_folding_leaves_the_network_as_it_was(checkpoint):
    body = torch.load(checkpoint, weights_only=True)
    network = build_generator(parse_spec(body["spec"], "x")).eval()
    network.load_state_dict(body["average"])
    folded = fold_batch_norms(network)
    assert all(torch.equal(tensor, body["average"][name]) for name, tensor in network.state_dict().items())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())


def test_a_file_written_in_pieces_is_the_model(checkpoint):
    assert run(["export", str(checkpoint)]) == 0
    model = onnx.load(checkpoint.with_suffix(".onnx"))
    assert b"".join(pieces(model)) == checkpoint.with_suffix(".onnx").read_bytes()
    assert onnx.load_model_from_string(b"".join(pieces(model))) == model
    assert len(model.graph.initializer) > 3
