"""ONNX for Houdini: one size, opset 17, IR 8, rows from the bottom, scene-linear on both sides."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from vfxgan.colour import decode, encode, encoded_peak
from vfxgan.errors import ModelError, ParityError, UsageError
from vfxgan.export.houdini import houdini_model
from vfxgan.export.onnx_file import to_onnx, write_onnx
from vfxgan.export.onnxruntime_cpu import CpuSession
from vfxgan.export.parity import Limits
from vfxgan.export.scene_linear import scene_linear
from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.modelfile import read_model
from vfxgan.spec import Encoding, ImageInput, LatentInput, ModelSpec, Tiling
from vfxgan.trainer.networks import build_generator

PHOTO = Path(__file__).resolve().parents[2].parent / "shared" / "plates" / "photos" / "Desk.exr"

KINDS = {
    "upscaler": {
        "kind": "upscaler",
        "architecture": "srresnet",
        "arguments": {"scale": 2, "width": 8, "blocks": 1},
        "input": ImageInput(channels=3),
        "scale": 2,
        "value_range": (0, 1),
        "encoding": Encoding(peak=16),
        "channels_out": 3,
        "tiling": Tiling(mode="tiles", overlap_px=5),
    },
    "matte-to-element": {
        "kind": "translator",
        "architecture": "pix2pix-unet",
        "arguments": {"channels_in": 1, "channels_out": 4, "depth": 3, "width": 8},
        "input": ImageInput(channels=1, size_multiple=8),
        "encoding": Encoding(peak=16, toe=0.02),
        "channels_out": 4,
    },
    # the exporter's newer half has no reflection padding at opset 17
    "plate-to-plate": {
        "kind": "translator",
        "architecture": "pix2pix-resnet",
        "arguments": {"blocks": 1, "width": 8, "norm": "instance"},
        "input": ImageInput(channels=3, size_multiple=4),
        "channels_out": 3,
    },
}


def model_of(kind: str, **fields) -> tuple[nn.Module, ModelSpec]:
    spec = ModelSpec.model_validate({"name": kind, **KINDS[kind], **fields})
    torch.manual_seed(5)
    network = build_generator(spec).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and spec.architecture.startswith("pix2pix"):
                module.weight *= 3
    return network, spec


def light_of(spec: ModelSpec, height: int, width: int) -> np.ndarray:
    stream = np.random.RandomState(0)
    return decode(stream.uniform(-0.3, 1.4, (1, spec.input.channels, height, width)).astype(np.float32) * 2)


def signal(light: np.ndarray, spec: ModelSpec) -> np.ndarray:
    encoded = np.array(light, np.float32)
    encoded[:, :3] = encode(encoded[:, :3]) / np.float32(encoded_peak(spec.encoding.peak))
    return encoded


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file of each kind for layers of 37×45 (height × width), written once."""
    folder = tmp_path_factory.mktemp("houdini")
    written = {kind: folder / f"{kind}.houdini.onnx" for kind in KINDS}
    for kind, path in written.items():
        write_onnx(houdini_model(*model_of(kind), 37, 45)[0], path)
    return written


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_is_what_houdini_reads(files, kind):
    _, spec = model_of(kind)
    model = onnx.load(files[kind])
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert model.ir_version == 8
    ((image,), (picture,)) = model.graph.input, model.graph.output
    assert (image.name, picture.name) == ("image", "picture")
    shapes = [[axis.dim_value for axis in part.type.tensor_type.shape.dim] for part in (image, picture)]
    assert shapes == [[1, spec.input.channels, 37, 45], [1, spec.channels_out, 37 * spec.scale, 45 * spec.scale]]
    assert {part.type.tensor_type.elem_type for part in (image, picture)} == {onnx.TensorProto.FLOAT}
    assert not any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer)
    # nothing of the layer's size is written down in it
    weights = sum(parameter.numel() for parameter in model_of(kind)[0].parameters())
    assert sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer) < weights + 500


@pytest.mark.parametrize("kind", KINDS)
def test_rows_start_at_the_bottom_and_the_picture_is_that_of_the_module(files, kind):
    network, spec = model_of(kind)
    light = light_of(spec, 37, 45)
    found = CpuSession(files[kind].read_bytes()).run(np.ascontiguousarray(light[:, :, ::-1]))[0][:, :, ::-1]
    with torch.no_grad():
        expected = scene_linear(network, spec)(torch.from_numpy(light)).numpy()
    np.testing.assert_allclose(signal(found, spec), signal(expected, spec), atol=2e-5)
    assert signal(found, spec).std() > 0.01


def test_rows_from_the_top_are_an_option():
    network, spec = model_of("upscaler")
    light = light_of(spec, 16, 24)
    model, _ = houdini_model(network, spec, 16, 24, bottom_up=False)
    found = CpuSession(model.SerializeToString()).run(light)[0]
    with torch.no_grad():
        expected = scene_linear(network, spec)(torch.from_numpy(light)).numpy()
    np.testing.assert_allclose(signal(found, spec), signal(expected, spec), atol=2e-5)


@pytest.mark.parametrize("kind", ["upscaler", "plate-to-plate"])
def test_a_large_layer_is_judged_by_the_same_graph_at_a_smaller_size(kind):
    network, spec = model_of(kind)
    model, parity = houdini_model(network, spec, 513, 518)
    assert parity.max_abs_error <= 4e-5
    light = light_of(spec, 513, 518)
    found = CpuSession(model.SerializeToString()).run(np.ascontiguousarray(light[:, :, ::-1]))[0][:, :, ::-1]
    with torch.no_grad():
        expected = scene_linear(network, spec)(torch.from_numpy(light)).numpy()
    np.testing.assert_allclose(signal(found, spec), signal(expected, spec), atol=4e-5)


def test_nan_and_infinity_do_not_come_out_again(files):
    _, spec = model_of("upscaler")
    light = light_of(spec, 37, 45)
    light[0, :, 3, 3:6] = [np.nan, np.inf, -np.inf]
    assert np.isfinite(CpuSession(files["upscaler"].read_bytes()).run(light)[0]).all()


def test_inspect_reads_it_and_a_render_refuses_to_convert_colour_twice(files, cli, tmp_path):
    told = cli("inspect", files["upscaler"])
    assert told.code == 0
    assert "houdini" in told.out
    _write_exr(tmp_path / "plate.exr", np.full((37, 45, 3), 0.18, np.float16))
    refused = cli("render", files["upscaler"], "--in", tmp_path / "plate.exr", "--out", tmp_path / "up.exr")
    assert refused.code == 1
    assert "was made for 'houdini' and converts colour itself" in refused.line
    assert "without --houdini" in refused.line
    assert not (tmp_path / "up.exr").exists()


def test_the_spec_holds_the_parity_of_this_file(files):
    model = read_model(files["upscaler"], any_target=True)
    assert model.target == "houdini"
    assert model.spec.parity.max_abs_error <= 2e-5
    assert model.spec.parity.runtime.startswith("onnxruntime ")


@pytest.mark.parametrize("size", [(0, 16), (16, 20000)])
def test_a_size_that_cannot_be_is_refused(size):
    with pytest.raises(UsageError, match=r"--houdini .*: sides are 1 … 16384"):
        houdini_model(*model_of("upscaler"), *size)


def test_a_generator_is_refused_with_the_reason():
    spec = ModelSpec(
        name="fire",
        kind="generator",
        architecture="dcgan",
        input=LatentInput(size=8, interval=1),
        size=(32, 32),
        channels_out=4,
    )
    with pytest.raises(ModelError, match=r"fire: is a generator, .* take pictures, not seeds"):
        houdini_model(nn.Identity(), spec, 32, 32)


def test_a_difference_above_the_limit_stops_it():
    with pytest.raises(ParityError, match="differs from the network"):
        houdini_model(*model_of("upscaler"), 16, 16, limits=Limits(1e-12))


@pytest.mark.skipif(not PHOTO.exists(), reason=f"the shared plates are not at {PHOTO.parent}")
def test_a_real_plate_comes_out_as_from_vfxgan_render(files, cli, tmp_path):
    network, spec = model_of("upscaler")
    write_onnx(to_onnx(network, spec), tmp_path / "m.onnx")
    photo = read_picture(PHOTO)
    places = [photo.channels.index(name) for name in "RGB"]
    row, column = np.unravel_index(int(photo.pixels[..., places].max(axis=2).argmax()), photo.pixels.shape[:2])
    top, left = min(max(row - 18, 0), photo.pixels.shape[0] - 37), min(max(column - 22, 0), photo.pixels.shape[1] - 45)
    crop = photo.pixels[top : top + 37, left : left + 45, places]
    _write_exr(tmp_path / "plate.exr", crop)
    rendered = cli(
        "render", tmp_path / "m.onnx", "--in", tmp_path / "plate.exr", "--out", tmp_path / "up.exr",
        "--bit-depth", "float", "--in-colorspace", "lin_rec709",
    )  # fmt: skip
    assert rendered.code == 0, rendered.err
    expected = read_picture(tmp_path / "up.exr").pixels.transpose(2, 0, 1)[None]
    light = np.ascontiguousarray(crop.astype(np.float32).transpose(2, 0, 1)[None, :, ::-1])
    found = CpuSession(files["upscaler"].read_bytes()).run(light)[0][:, :, ::-1]
    assert found.max() > spec.encoding.peak  # it has highlights beyond the range
    np.testing.assert_allclose(signal(found, spec), signal(expected, spec), atol=2e-5)


def _write_exr(path: Path, pixels: np.ndarray) -> None:
    write_picture(path, Picture(np.ascontiguousarray(pixels), ("R", "G", "B"), {}))
