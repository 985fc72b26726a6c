"""`vfxgan export` as a whole: which files, which of them stay, what the gate lets through, what a dry run says."""

import json
import os
import re
import signal

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from vfxgan.export.onnxruntime_cpu import CpuSession
from vfxgan.modelfile import read_model
from vfxgan.trainer.networks import build_generator
from vfxgan.trainer.networks.checkpoint import Checkpoint, save_checkpoint
from vfxgan.trainer.recipes.dcgan import DcganOptions, DcganRecipe
from vfxgan.trainer.recipes.pix2pix import Pix2PixOptions, Pix2PixRecipe
from vfxgan.trainer.recipes.srgan import SrganOptions, SrganRecipe

RECIPES = {
    "deep-unet": lambda: Pix2PixRecipe(Pix2PixOptions(data="x", target="y", depth=7, width=2)),
    "dcgan": lambda: DcganRecipe(DcganOptions(data="x", size=32, z_size=8, channels=(16, 8, 8))),
    "unet": lambda: Pix2PixRecipe(Pix2PixOptions(data="x", target="y", depth=5, width=8)),
    "resnet": lambda: Pix2PixRecipe(
        Pix2PixOptions(data="x", target="y", generator="resnet", norm="instance", blocks=6, width=4)
    ),
    "srresnet": lambda: SrganRecipe(SrganOptions(data="x", scale=2, width=8, blocks=1)),
    "rrdb": lambda: SrganRecipe(SrganOptions(data="x", scale=4, generator="rrdb", width=8, blocks=1)),
}


def checkpoint_of(family, folder):
    """A checkpoint with random weights whose batch norms have seen something."""
    recipe = RECIPES[family]()
    torch.manual_seed(7)
    generator = recipe.networks()["generator"]
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
    path = folder / "ckpt.pt"
    save_checkpoint(path, Checkpoint(recipe.spec(3), {}, 3, generator.state_dict(), {}, {}))
    return path


@pytest.fixture(params=[family for family in RECIPES if family != "deep-unet"])
def checkpoint(request, tmp_path):
    return checkpoint_of(request.param, tmp_path)


@pytest.fixture
def upscaler(tmp_path):
    return checkpoint_of("srresnet", tmp_path)


def test_one_command_writes_both_precisions_of_every_family(checkpoint, cli, tmp_path):
    done = cli("export", checkpoint, "--precision", "fp32", "--precision", "fp16")
    assert done.code == 0, done.err
    full, half = read_model(tmp_path / "ckpt.onnx"), read_model(tmp_path / "ckpt.fp16.onnx")
    assert (full.spec.precision, half.spec.precision) == ("fp32", "fp16")
    assert (full.spec.parity.allowed_max_abs_error, full.spec.parity.allowed_psnr_db) == (
        pytest.approx(2e-5 * (full.spec.value_range[1] - full.spec.value_range[0])),
        None,
    )
    assert half.spec.parity.allowed_psnr_db == 55
    assert half.spec.parity.psnr_db >= 55
    assert half.spec.ranges.inputs > 16
    assert half.spec.ranges.largest < 32768
    graph = onnx.load(tmp_path / "ckpt.fp16.onnx").graph
    assert {graph.input[0].type.tensor_type.elem_type, graph.output[0].type.tensor_type.elem_type} == {1}
    assert done.out.count("parity over") == 2


def test_fp16_alone_writes_one_file_of_the_name_given(upscaler, cli, tmp_path):
    assert cli("export", upscaler, "--precision", "fp16", "--out", tmp_path / "half.onnx").code == 0
    assert sorted(path.name for path in tmp_path.glob("*.onnx")) == ["half.onnx"]
    assert read_model(tmp_path / "half.onnx").spec.precision == "fp16"


def test_opset_17_comes_with_ir_8_for_every_family(checkpoint, cli, tmp_path):
    done = cli("export", checkpoint, "--opset", "17", "--precision", "fp32", "--precision", "fp16")
    assert done.code == 0, done.err
    for name in ("ckpt.onnx", "ckpt.fp16.onnx"):
        model = onnx.load(tmp_path / name)
        assert (model.ir_version, [(entry.domain, entry.version) for entry in model.opset_import]) == (8, [("", 17)])


@pytest.mark.parametrize("family", ["dcgan", "unet"])
def test_a_dynamic_batch_gives_each_frame_as_alone(family, cli, tmp_path):
    checkpoint = checkpoint_of(family, tmp_path)
    assert cli("export", checkpoint, "--dynamic", "both" if family == "unet" else "batch").code == 0
    model = read_model(tmp_path / "ckpt.onnx")
    assert model.inputs[0].shape[0] == "batch"
    stream = np.random.RandomState(0)
    x = stream.uniform(-1, 1, (3, 8) if family == "dcgan" else (3, 3, 64, 32)).astype(np.float32)
    session = CpuSession(model.read())
    together = session.run(x)[0]
    np.testing.assert_allclose(together, np.concatenate([session.run(x[i : i + 1])[0] for i in range(3)]), atol=1e-6)


def test_a_tile_makes_the_graph_of_an_image_model_static(upscaler, cli, tmp_path):
    assert cli("export", upscaler, "--dynamic", "none", "--tile", "48x64").code == 0
    model = read_model(tmp_path / "ckpt.onnx")
    assert (model.inputs[0].shape, model.outputs[0].shape) == ((1, 3, 48, 64), (1, 3, 96, 128))


def test_the_same_export_again_keeps_the_file(upscaler, cli, tmp_path):
    assert cli("export", upscaler).code == 0
    before = (tmp_path / "ckpt.onnx").stat()
    again = cli("export", upscaler)
    assert again.code == 0
    assert "kept, it is the same" in again.out
    assert (tmp_path / "ckpt.onnx").stat().st_mtime_ns == before.st_mtime_ns


def test_another_model_of_that_name_stays(upscaler, cli, tmp_path):
    assert cli("export", upscaler).code == 0
    before = (tmp_path / "ckpt.onnx").read_bytes()
    body = torch.load(upscaler, weights_only=True)
    body["average"]["conv_last.bias"] += 0.25
    torch.save(body, upscaler)
    done = cli("export", upscaler)
    assert done.code == 2
    assert "exists and is another model; give --overwrite" in done.line
    assert (tmp_path / "ckpt.onnx").read_bytes() == before


def test_an_exported_file_is_a_source_too(upscaler, cli, tmp_path):
    """FP16 from the ONNX on another machine is, to the byte of its graph, FP16 from the checkpoint."""
    assert cli("export", upscaler, "--precision", "fp32", "--precision", "fp16").code == 0
    (tmp_path / "farm").mkdir()
    assert cli("export", tmp_path / "ckpt.onnx", "--precision", "fp16", "--out", tmp_path / "farm" / "b.onnx").code == 0
    one, other = (onnx.load(path) for path in (tmp_path / "ckpt.fp16.onnx", tmp_path / "farm" / "b.onnx"))
    for model in (one, other):
        del model.metadata_props[:]
    assert one == other


def test_tiling_is_measured_and_stored(upscaler, cli, tmp_path):
    assert cli("export", upscaler).code == 0
    tiling = read_model(tmp_path / "ckpt.onnx").spec.tiling
    assert tiling.mode == "tiles"
    assert 0 < tiling.overlap_px <= tiling.receptive_field_px
    assert 0 <= tiling.overlap_error <= 1e-3


@pytest.mark.parametrize("family", ["deep-unet", "resnet"])
def test_image_wide_nets_say_that_they_cannot_be_tiled(family, cli, tmp_path):
    assert cli("export", checkpoint_of(family, tmp_path)).code == 0
    assert read_model(tmp_path / "ckpt.onnx").spec.tiling.mode == "whole"


def test_looser_limits_need_a_flag_and_are_stored(upscaler, cli, tmp_path):
    assert cli("export", upscaler, "--precision", "fp16", "--tolerance", "0.02", "--min-psnr", "40").code == 0
    parity = read_model(tmp_path / "ckpt.fp16.onnx").spec.parity
    assert (parity.allowed_max_abs_error, parity.allowed_psnr_db) == (0.02, 40)


def test_a_failed_gate_shows_the_worst_picture_and_writes_no_model(upscaler, cli, tmp_path):
    done = cli("export", upscaler, "--precision", "fp16", "--min-psnr", "200")
    assert done.code == 1
    found = re.search(r"see (\S+) \(network, file, difference at full scale\)", done.line)
    assert found is not None, done.line
    assert (tmp_path / "ckpt.fp16.parity.png").stat().st_size > 1000
    assert not (tmp_path / "ckpt.fp16.onnx").exists()


def test_real_plates_take_the_place_of_made_pictures(upscaler, cli, tmp_path):
    oiio = pytest.importorskip("OpenImageIO")
    for number in range(2):
        pixels = np.abs(np.random.RandomState(number).randn(90, 70, 3) * 2).astype(np.float16)
        target = oiio.ImageOutput.create("openexr")
        assert target.open(str(tmp_path / f"plate.{number}.exr"), oiio.ImageSpec(70, 90, 3, "half"))
        assert target.write_image(pixels)
        assert target.close()
    done = cli("export", upscaler, "--plates", tmp_path)
    assert done.code == 0, done.err
    parity = read_model(tmp_path / "ckpt.onnx").spec.parity
    assert (parity.inputs, parity.seeds) == ("plates", 4)
    assert "parity over 4 plates" in done.out


def test_a_dry_run_prints_every_file_and_writes_none(upscaler, cli, tmp_path):
    done = cli(
        "export",
        upscaler,
        "--precision",
        "fp32",
        "--precision",
        "fp16",
        "--torchscript",
        "--houdini",
        "64x96",
        "--dry-run",
    )
    assert done.code == 0, done.err
    for name in ("ckpt.onnx", "ckpt.fp16.onnx", "ckpt.torchscript.pt", "ckpt.nk", "ckpt.houdini.onnx"):
        assert f"would write {tmp_path / name}" in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt.pt"]


def test_without_a_gpu_the_onnx_files_stay_and_one_line_says_what_is_missing(upscaler, cli, tmp_path):
    done = cli("export", upscaler, "--trt", "--tile", "64x64")
    assert done.code == 1
    assert (tmp_path / "ckpt.onnx").exists()
    assert (tmp_path / "ckpt.fp16.onnx").exists()
    assert not list(tmp_path.glob("*.plan*"))
    assert "NVIDIA" in done.line
    assert "pip install" in done.line or "install it" in done.line
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ((), 2, "no source"),
        (("ckpt.pt", "--out", "x.pt"), 2, "--out x.pt: must end in .onnx"),
        (("ckpt.pt", "--out", "nowhere/x.onnx"), 2, "there is no folder nowhere; make it first"),
        (("ckpt.pt", "--batch", "4"), 2, "--batch: of an engine; give --trt as well"),
        (("ckpt.pt", "--workspace", "64", "--version-compat"), 2, "--workspace, --version-compat: of an engine"),
        (("ckpt.pt", "--trt", "--tile", "64"), 2, "--tile '64': give HxW in pixels"),
        (("ckpt.pt", "--trt", "--profile", "64x64,128x128"), 2, "give three sizes, MIN,OPT,MAX"),
        (("ckpt.pt", "--trt", "--profile", "64x64,32x32,128x128"), 2, "are not in order"),
        (("ckpt.pt", "--dynamic", "none"), 2, "give the one size of the input as well: --tile HxW"),
        (("ckpt.pt", "--houdini", "0x10"), 2, "--houdini '0x10': give HxW in pixels"),
        (("ckpt.pt", "--interval", "0.5"), 2, "takes pictures, not latents"),
        (("ckpt.pt", "--plates", "nowhere"), 2, "--plates nowhere: no EXR there"),
        (("ckpt.pt", "--range", "0..255"), 2, "--range '0..255': give -1..1 or 0..1"),
        (("ckpt.pt", "--opset", "9"), 2, "--opset 9"),
        (("ckpt.pt", "--tolerance", "-1"), 2, "--tolerance"),
    ],
)
def test_a_wrong_option_is_one_line(upscaler, cli, tmp_path, monkeypatch, arguments, code, reason):
    monkeypatch.chdir(tmp_path)
    done = cli("export", *arguments)
    assert done.code == code, done.err
    assert reason in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt.pt"]


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--torchscript", "--torchscript: dcgan-32 is a generator"),
        ("--tile=64x64", "leave out --tile"),
        ("--plates=.", "plates are for translators and upscalers"),
    ],
)
def test_what_a_generator_cannot_serve_is_said(cli, tmp_path, option, reason):
    (tmp_path / "a.exr").write_bytes(b"")
    done = cli("export", checkpoint_of("dcgan", tmp_path), option)
    assert done.code == 2, done.err
    assert reason in done.line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said_before_the_work(upscaler, cli, tmp_path):
    tmp_path.chmod(0o500)
    done = cli("export", upscaler)
    tmp_path.chmod(0o700)
    assert done.code == 2
    assert "cannot be written to" in done.line


def test_a_folder_that_cannot_be_written_to_is_said_before_the_work(upscaler, cli, tmp_path, monkeypatch):
    """As root, too: the folder is on /proc, where nobody can make a file."""
    done = cli("export", upscaler, "--out", "/proc/self/x.onnx")
    assert done.code == 2
    assert "/proc/self: cannot be written to" in done.line
    assert "tracing" not in done.err


def test_the_network_is_compared_unfolded(upscaler, cli, tmp_path):
    """What is in the file is what the trainer's network gives, on an input that the gate never saw."""
    assert cli("export", upscaler).code == 0
    model = read_model(tmp_path / "ckpt.onnx")
    network = build_generator(model.spec).eval()
    network.load_state_dict(torch.load(upscaler, weights_only=True)["average"])
    x = np.random.RandomState(3).uniform(0, 1, (1, 3, 37, 51)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(CpuSession(model.read()).run(x)[0], expected, atol=2e-5)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_an_interrupted_export_leaves_nothing(upscaler, start, tmp_path, number, code):
    process = start("export", upscaler)
    assert any("tracing" in line for line in iter(process.stderr.readline, ""))
    process.send_signal(number)
    assert process.wait(timeout=60) == code
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt.pt"]


def test_what_would_overflow_in_half_stays_fp32_in_the_file(upscaler, cli, tmp_path):
    """A network whose inner values pass 65,504 and come back: a CPU shows nothing of it, so the audit has to."""
    body = torch.load(upscaler, weights_only=True)
    body["average"]["body.0.conv1.weight"] *= 1e6
    body["average"]["body.0.conv2.weight"] /= 1e6
    torch.save(body, upscaler)
    assert cli("export", upscaler, "--precision", "fp16").code == 0
    ranges = read_model(tmp_path / "ckpt.fp16.onnx").spec.ranges
    assert ranges.largest > 65504
    assert ranges.kept_fp32
    graph = onnx.load(tmp_path / "ckpt.fp16.onnx").graph
    constants = {tensor.name: tensor.data_type for tensor in graph.initializer}
    kept = [node for node in graph.node if node.name in ranges.kept_fp32 and node.op_type == "Conv"]
    assert len(kept) >= 2
    assert all(constants[node.input[1]] == onnx.TensorProto.FLOAT for node in kept)
    assert onnx.TensorProto.FLOAT16 in constants.values()


def test_the_gate_sees_the_pixels_of_the_plates(upscaler, cli, tmp_path, monkeypatch):
    """A plate whose brightest window alone makes the network give Inf."""
    body = torch.load(upscaler, weights_only=True)
    body["average"]["conv_first.weight"] *= 1e30
    body["average"]["body.0.conv1.weight"] *= 1e30
    torch.save(body, upscaler)
    oiio = pytest.importorskip("OpenImageIO")
    for name, light in (("black", 0.0), ("bright", 8.0)):
        target = oiio.ImageOutput.create("openexr")
        assert target.open(str(tmp_path / f"{name}.exr"), oiio.ImageSpec(32, 32, 3, "half"))
        assert target.write_image(np.full((32, 32, 3), light, np.float16))
        assert target.close()
    done = cli("export", upscaler, "--plates", tmp_path / "bright.exr")
    assert done.code == 1
    assert "NaN or Inf at bright.exr, middle" in done.line


def test_the_evidence_is_network_file_and_difference(upscaler, cli, tmp_path):
    assert cli("export", upscaler, "--precision", "fp16", "--min-psnr", "200").code == 1
    oiio = pytest.importorskip("OpenImageIO")
    pixels = oiio.ImageBuf(str(tmp_path / "ckpt.fp16.parity.png")).get_pixels(oiio.UINT8)
    ours, theirs, difference = np.split(pixels, 3, axis=1)
    assert np.abs(ours.astype(int) - theirs).max() <= 2
    assert ours.std() > 10
    assert difference.max() == 255


@pytest.mark.parametrize("option", [("--torchscript",), ("--houdini", "24x32")])
def test_a_failed_gate_of_a_host_file_has_its_picture_too(upscaler, cli, tmp_path, option):
    done = cli("export", upscaler, *option, "--tolerance", "1e-9")
    assert done.code == 1
    assert re.search(r"see \S+\.parity\.png", done.line)
    assert len(list(tmp_path.glob("*.parity.png"))) == 1


def test_ones_own_onnx_stays_as_it_is_whatever_is_made_from_it(upscaler, cli, tmp_path):
    assert cli("export", upscaler).code == 0
    before = (tmp_path / "ckpt.onnx").read_bytes()
    assert cli("export", tmp_path / "ckpt.onnx", "--overwrite").code == 0
    assert (tmp_path / "ckpt.onnx").read_bytes() == before
    assert cli("export", tmp_path / "ckpt.onnx", "--out", tmp_path / "copy.onnx").code == 0
    assert read_model(tmp_path / "copy.onnx").spec.parity == read_model(tmp_path / "ckpt.onnx").spec.parity


def test_two_files_of_one_name_are_refused(upscaler, cli, tmp_path):
    done = cli("export", upscaler, "--precision", "fp32", "--precision", "fp16", "--out", tmp_path / "x.fp16.onnx")
    assert done.code == 2
    assert "is the name that the FP16 file gets" in done.line
    assert not list(tmp_path.glob("*.onnx"))


@pytest.mark.parametrize("option", [("--torchscript",), ("--houdini", "24x32")])
def test_files_for_hosts_need_the_checkpoint(upscaler, cli, tmp_path, option):
    assert cli("export", upscaler).code == 0
    done = cli("export", tmp_path / "ckpt.onnx", *option)
    assert done.code == 2
    assert "need the checkpoint" in done.line


def test_rows_for_houdini_can_start_at_the_top(upscaler, cli, tmp_path):
    body = torch.load(upscaler, weights_only=True)
    body["average"]["conv_last.weight"] *= 300  # as it begins, the network is nearly its bilinear skip: no up or down
    torch.save(body, upscaler)
    for option, name in (((), "up"), (("--top-down",), "down")):
        assert cli("export", upscaler, "--houdini", "24x32", "--out", tmp_path / f"{name}.onnx", *option).code == 0
    x = np.random.RandomState(0).uniform(0, 1, (1, 3, 24, 32)).astype(np.float32)
    up, down = (CpuSession((tmp_path / f"{name}.houdini.onnx").read_bytes()) for name in ("up", "down"))
    turned = np.ascontiguousarray(x[:, :, ::-1])
    np.testing.assert_allclose(up.run(turned)[0][:, :, ::-1], down.run(x)[0], atol=1e-5)
    assert np.abs(up.run(x)[0] - down.run(x)[0]).max() > 1e-3


def test_the_same_files_for_hosts_are_kept_and_others_stay(upscaler, cli, tmp_path):
    command = ("export", upscaler, "--torchscript", "--houdini", "24x32")
    assert cli(*command).code == 0
    again = cli(*command)
    assert again.code == 0, again.err
    assert again.out.count("kept, it is the same") == 4
    (tmp_path / "ckpt.nk").write_text("# mine")
    done = cli(*command)
    assert done.code == 2
    assert "ckpt.nk exists and is another file" in done.line
    assert (tmp_path / "ckpt.nk").read_text() == "# mine"


def test_what_is_printed_of_a_kept_file_is_what_it_holds(upscaler, cli):
    assert cli("export", upscaler, "--tolerance", "0.5").code == 0
    assert "(allowed 0.5)" in cli("export", upscaler).out


def test_programs_get_a_line_for_each_file(upscaler, cli, tmp_path):
    done = cli("export", upscaler, "--precision", "fp32", "--precision", "fp16", "--progress", "json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["event"] for line in lines] == ["started", "progress", "progress", "finished"]
    assert [line["path"] for line in lines[1:3]] == [str(tmp_path / name) for name in ("ckpt.onnx", "ckpt.fp16.onnx")]
    assert lines[2]["parity"]["allowed_psnr_db"] == 55


def test_a_file_for_houdini_is_no_source(upscaler, cli, tmp_path):
    assert cli("export", upscaler, "--houdini", "24x32").code == 0
    done = cli("export", tmp_path / "ckpt.houdini.onnx", "--out", tmp_path / "z.onnx")
    assert done.code == 1
    assert "is made for houdini, with colour inside" in done.line
    assert not (tmp_path / "z.onnx").exists()


def test_a_graph_that_draws_random_numbers_is_refused(upscaler, cli, tmp_path):
    assert cli("export", upscaler).code == 0
    model = onnx.load(tmp_path / "ckpt.onnx")
    last = model.graph.node[-1]
    last.output[0] = "clean"
    model.graph.node.extend(
        [
            onnx.helper.make_node("RandomNormalLike", ["clean"], ["noise"], "grain"),
            onnx.helper.make_node("Add", ["clean", "noise"], ["picture"], "sum"),
        ]
    )
    onnx.save(model, tmp_path / "grainy.onnx")
    done = cli("export", tmp_path / "grainy.onnx", "--out", tmp_path / "z.onnx")
    assert done.code == 1
    assert "draws random numbers (RandomNormalLike 'grain')" in done.line
