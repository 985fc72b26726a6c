"""TorchScript for Nuke: scene-linear on both sides, whatever the host casts, and a file that says what it is."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from vfxgan.colour import decode, encode, encoded_peak
from vfxgan.errors import ModelError, ParityError, WriteError
from vfxgan.export.onnx_file import to_onnx, write_onnx
from vfxgan.export.parity import Limits
from vfxgan.export.scene_linear import scene_linear, split_activation
from vfxgan.export.torchscript import script, write_torchscript
from vfxgan.images import read_picture
from vfxgan.margin import margin_px
from vfxgan.render.translate import enlarge, network_to_light, plate_to_network
from vfxgan.spec import Encoding, ImageInput, LatentInput, ModelSpec, Tiling
from vfxgan.torchscript_metadata import MAX_SPEC_BYTES, SPEC_ENTRY, is_torchscript, read_torchscript_spec
from vfxgan.trainer.networks import build_generator

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT.parent / "shared" / "plates" / "photos" / "Desk.exr"
OLD_TORCH = "VFXGAN_TORCH112"  # path to a Python 3.10 with torch 1.12.1: Nuke 14's

UPSCALER = {
    "kind": "upscaler",
    "architecture": "srresnet",
    "arguments": {"scale": 2, "width": 8, "blocks": 1},
    "input": ImageInput(channels=3),
    "scale": 2,
    "value_range": (0, 1),
    "encoding": Encoding(peak=16),
    "channels_out": 3,
    "tiling": Tiling(mode="tiles", overlap_px=5),
}
KINDS = {
    "upscaler": UPSCALER,
    "matte-to-element": {
        "kind": "translator",
        "architecture": "pix2pix-unet",
        "arguments": {"channels_in": 1, "channels_out": 4, "depth": 3, "width": 8},
        "input": ImageInput(channels=1, size_multiple=8),
        "encoding": Encoding(peak=16, toe=0.02),
        "channels_out": 4,
    },
    "plate-to-plate": {
        "kind": "translator",
        "architecture": "pix2pix-resnet",
        "arguments": {"blocks": 1, "width": 8, "norm": "instance"},
        "input": ImageInput(channels=3, size_multiple=4),
        "channels_out": 3,
    },
    "element-to-element": {
        "kind": "translator",
        "architecture": "pix2pix-resnet",
        "arguments": {"channels_in": 4, "channels_out": 4, "blocks": 1, "width": 8},
        "input": ImageInput(channels=4, size_multiple=4),
        "encoding": Encoding(peak=4),
        "channels_out": 4,
    },
    "extended": {
        **UPSCALER,
        "architecture": "rrdb",
        "arguments": {"scale": 2, "width": 8, "blocks": 1, "growth": 4},
        "input": ImageInput(channels=3, size_multiple=2),
        "encoding": Encoding(extended=True),
        "tiling": Tiling(mode="tiles", overlap_px=3),
    },
}


def model_of(kind: str, **fields) -> tuple[nn.Module, ModelSpec]:
    """A network whose output is no constant, with batch norms that have seen something."""
    spec = ModelSpec.model_validate({"name": kind, **KINDS[kind], **fields})
    torch.manual_seed(5)
    network = build_generator(spec).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-1, 1)
                module.running_var.uniform_(0.2, 3)
            elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and spec.architecture.startswith("pix2pix"):
                module.weight *= 3
    return network, spec


def light_of(spec: ModelSpec, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Scene-linear light, some of it below 0 and above the peak."""
    stream = np.random.RandomState(seed)
    light = decode(stream.uniform(-0.3, 1.4, (1, spec.input.channels, height, width)).astype(np.float32) * 2)
    light[:, 3:] = stream.uniform(-0.1, 1.1, light[:, 3:].shape)
    return light


def as_rendered(network: nn.Module, spec: ModelSpec, light: np.ndarray) -> np.ndarray:
    """What a render makes of a plate: its own maths, around the untouched network."""
    x, residual = plate_to_network(light[0], spec)
    margin, multiple = margin_px(spec), spec.input.size_multiple
    height, width = light.shape[2:]
    more = [(margin, -(-(side + 2 * margin) // multiple) * multiple - side - margin) for side in (height, width)]
    with torch.no_grad():
        y = network(torch.from_numpy(np.pad(x, ((0, 0), (0, 0), *more), mode="edge"))).numpy()
    s = spec.scale
    y = y[:, :, margin * s : (margin + height) * s, margin * s : (margin + width) * s]
    large = None if residual is None else enlarge(residual, s)
    return network_to_light(y[0], large, spec)[None]


def signal(light: np.ndarray, spec: ModelSpec) -> np.ndarray:
    """As shares of the network's range, where every brightness counts alike."""
    encoded = np.array(light, np.float32)
    encoded[:, :3] = encode(encoded[:, :3]) / np.float32(encoded_peak(spec.encoding.peak))
    return encoded


def run(module: nn.Module, light: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return module(torch.from_numpy(light)).numpy()


def load(path: Path) -> torch.jit.ScriptModule:
    return torch.jit.load(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file of each kind, written once."""
    folder = tmp_path_factory.mktemp("nuke")
    written = {kind: folder / f"{kind}.nuke.pt" for kind in KINDS}
    for kind, path in written.items():
        write_torchscript(*model_of(kind), path)
    return written


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(32, 48), (37, 29), (9, 64)])
def test_the_file_gives_the_light_that_a_render_gives(files, kind, size):
    network, spec = model_of(kind)
    light = light_of(spec, *size)
    expected, found = as_rendered(network, spec, light), run(load(files[kind]), light)
    assert found.shape == (1, spec.channels_out, size[0] * spec.scale, size[1] * spec.scale)
    np.testing.assert_allclose(signal(found, spec), signal(expected, spec), atol=2e-5)
    assert signal(found, spec).std() > 0.01


def test_flat_highlights_and_negatives_pass_any_network_exactly(tmp_path):
    network, spec = model_of("upscaler")
    with torch.no_grad():
        for parameter in network.conv_last.parameters():
            parameter.zero_()  # what is left is the bilinear skip
    write_torchscript(network, spec, tmp_path / "m.pt")
    light = np.full((1, 3, 24, 32), 0.18, np.float32)
    light[:, :, 4:20, 4:12] = 400
    light[:, :, 4:20, 20:28] = -0.5
    found = run(load(tmp_path / "m.pt"), light)
    np.testing.assert_allclose(found[:, :, 20:28, 12:20], 400, rtol=2e-5)
    np.testing.assert_allclose(found[:, :, 20:28, 44:52], -0.5, rtol=2e-5)
    assert found.max() <= 400.01
    assert found.min() >= -0.51


def test_nan_and_infinity_do_not_come_out_again(files):
    _, spec = model_of("upscaler")
    light = light_of(spec, 24, 24)
    clean = light.copy()
    light[0, 0, 5, 5], light[0, 1, 6, 6], light[0, 2, 7, 7] = np.nan, np.inf, -np.inf
    clean[0, 0, 5, 5], clean[0, 1, 6, 6], clean[0, 2, 7, 7] = 0, 65504, -65504
    found = run(load(files["upscaler"]), light)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, run(load(files["upscaler"]), clean))


@pytest.mark.parametrize("kind", ["upscaler", "matte-to-element", "element-to-element"])
def test_a_host_that_casts_the_module_to_half_gets_half_and_nearly_the_same_picture(files, kind):
    _, spec = model_of(kind)
    light = light_of(spec, 32, 40).astype(np.float16)
    exact = run(load(files[kind]), light.astype(np.float32))
    found = run(load(files[kind]).half(), light)
    assert found.dtype == np.float16
    assert np.abs(signal(found.astype(np.float32), spec) - signal(exact, spec)).max() < 4e-3


def test_shadows_survive_half_because_tanh_and_colour_stay_in_float32():
    """A tanh near −1 in half moves in steps that are a tenth of such light."""
    network, spec = model_of("plate-to-plate", encoding=Encoding(peak=16))
    last = network.model[-2]
    with torch.no_grad():
        last.weight *= 0.02
        last.bias.fill_(-3.0)
    light = light_of(spec, 32, 32)
    exact = run(scene_linear(network, spec), light)
    assert 0 < np.median(exact) < 2e-3

    def worst(picture: np.ndarray) -> float:
        return float((np.abs(picture.astype(np.float32) - exact) / np.abs(exact))[exact > 1e-4].max())

    dark = np.clip(light, 0, 1).astype(np.float16)
    exact = run(scene_linear(network, spec), dark.astype(np.float32))
    ours = worst(run(script(scene_linear(network, spec), spec).half(), dark))
    with torch.no_grad():
        unit = (encode(dark.astype(np.float32)) / encoded_peak(16)) * 2 - 1
        all_half = network.half()(torch.from_numpy(unit).half()).float().numpy()
    theirs = worst(decode((all_half + 1) / 2 * np.float32(encoded_peak(16))))
    assert theirs > 0.03
    assert ours < 0.01


def test_the_module_makes_no_tensor_on_a_device_of_its_own():
    network, spec = model_of("matte-to-element")
    module = scene_linear(network, spec).to("meta")
    assert module(torch.zeros(1, 1, 20, 30, device="meta")).shape == (1, 4, 20, 30)


def test_blend_exposure_and_highlights_are_attributes_that_a_host_sets(files):
    network, spec = model_of("upscaler")
    light = light_of(spec, 24, 24)
    module = load(files["upscaler"])
    module.blend = 0.0
    np.testing.assert_allclose(run(module, light), enlarge(light[0], 2)[None], rtol=1e-5, atol=1e-6)
    module.blend, module.exposure = 1.0, 2.0
    brighter = as_rendered(network, spec, light * 4) / 4
    np.testing.assert_allclose(signal(run(module, light), spec), signal(brighter, spec), atol=2e-5)
    module.exposure, module.highlights = 0.0, 0
    cut = as_rendered(network, spec, np.clip(light, 0, spec.encoding.peak))
    np.testing.assert_allclose(signal(run(module, light), spec), signal(cut, spec), atol=2e-5)


def test_exposure_is_not_in_alpha(files):
    _, spec = model_of("element-to-element")
    module, light = load(files["element-to-element"]), light_of(spec, 16, 16)
    module.blend, module.exposure = 0.0, 3.0
    np.testing.assert_allclose(run(module, light), light, rtol=1e-5)


def test_the_same_network_gives_the_same_bytes_without_paths_of_this_machine(files, tmp_path):
    network, spec = model_of("upscaler")
    write_torchscript(network, spec, tmp_path / "again.pt")
    body = files["upscaler"].read_bytes()
    assert body == (tmp_path / "again.pt").read_bytes()
    for path in (ROOT, Path(sys.prefix), Path(torch.__file__).parent, tmp_path):
        assert str(path).encode() not in body
    names = zipfile.ZipFile(io.BytesIO(body)).namelist()
    assert not [name for name in names if "debug" in name or name.endswith("serialization_id")]
    assert list(tmp_path.iterdir()) == [tmp_path / "again.pt"]


def test_the_spec_with_its_parity_is_read_without_torch(files):
    spec = read_torchscript_spec(files["upscaler"])
    assert (spec.name, spec.scale, spec.encoding.peak) == ("upscaler", 2, 16)
    assert spec.parity.max_abs_error <= 2e-5
    assert spec.parity.runtime.startswith("torchscript 2.")
    extra = {"vfxgan.json": ""}
    torch.jit.load(files["upscaler"], _extra_files=extra)
    assert json.loads(extra["vfxgan.json"])["name"] == "upscaler"
    code = "import sys, vfxgan.torchscript_metadata; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_inspect_prints_what_the_file_says(files, cli):
    told = cli("inspect", files["upscaler"], "--json")
    assert told.code == 0
    facts = json.loads(told.out)
    assert (facts["made_for"], facts["spec"]["name"]) == ("nuke", "upscaler")


def test_a_generator_is_refused_with_the_reason(tmp_path):
    spec = ModelSpec(
        name="fire",
        kind="generator",
        architecture="dcgan",
        input=LatentInput(size=8, interval=1),
        size=(32, 32),
        channels_out=4,
    )
    with pytest.raises(ModelError, match=r"fire: is a generator, and the nodes of Nuke .* vfxgan render"):
        write_torchscript(nn.Identity(), spec, tmp_path / "m.pt")


def test_channels_without_a_colour_rule_are_refused(tmp_path):
    _, spec = model_of("plate-to-plate", input=ImageInput(channels=6, size_multiple=4))
    with pytest.raises(ModelError, match="takes 6 channels, and only grey"):
        write_torchscript(nn.Identity(), spec, tmp_path / "m.pt")


def test_an_activation_that_is_not_the_last_thing_is_refused():
    _, spec = model_of("plate-to-plate")
    network = nn.Sequential(nn.Conv2d(3, 3, 3, 1, 1), nn.Tanh(), nn.Conv2d(3, 3, 1))
    with pytest.raises(ModelError, match="its tanh is not the last thing"):
        split_activation(network, spec)


def test_a_difference_above_the_limit_writes_nothing(tmp_path):
    with pytest.raises(ParityError, match=r"upscaler: the file, run by torchscript .* differs from the network"):
        write_torchscript(*model_of("upscaler"), tmp_path / "m.pt", limits=Limits(1e-12))
    assert list(tmp_path.iterdir()) == []


def test_nan_in_the_weights_stops_it(tmp_path):
    network, spec = model_of("upscaler")
    with torch.no_grad():
        network.conv_last.bias[0] = float("nan")
    with pytest.raises(ParityError, match="the network gives NaN or Inf"):
        write_torchscript(network, spec, tmp_path / "m.pt")


def test_a_size_that_went_into_the_trace_as_a_number_is_found():
    class Sized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x) * float(x.shape[3])

    _, spec = model_of("plate-to-plate")
    with pytest.raises(ModelError, match="its forward turns a size into a number"):
        script(scene_linear(Sized(), spec), spec)


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(WriteError, match="cannot be written"):
        write_torchscript(*model_of("upscaler"), tmp_path / "none" / "m.pt")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("missing", "cannot be read"),
        ("empty", "is no TorchScript that vfxgan export wrote, or is cut short"),
        ("half", "is no TorchScript that vfxgan export wrote, or is cut short"),
        ("no spec", "holds no vfxgan spec"),
        ("huge directory", "its list of contents is stated as 4095 MiB; not read"),
        ("huge spec", "long; not read"),
        ("packed", "is packed or"),
        ("bad sum", "its vfxgan spec is damaged"),
        ("not json", "its vfxgan spec is not JSON"),
        ("newer", "made by a newer vfxgan"),
    ],
)
def test_a_hostile_file_gets_one_line_and_no_memory(files, tmp_path, damage, reason):
    body, path = files["upscaler"].read_bytes(), tmp_path / "m.pt"
    if damage != "missing":
        path.write_bytes(_damaged(body, damage))
    with pytest.raises(ModelError, match=reason) as caught:
        read_torchscript_spec(path)
    assert "\n" not in str(caught.value)
    assert is_torchscript(path) == (damage in ("huge spec", "packed", "bad sum", "not json", "newer"))


def _damaged(body: bytes, damage: str) -> bytes:
    if damage in ("empty", "half"):
        return body[: len(body) // 2] if damage == "half" else b""
    if damage == "huge directory":
        return body[:-10] + b"\xff\xff\xff\xff" + body[-6:]
    if damage == "bad sum":
        place = body.index(b'{"architecture"')
        return body[:place] + b"#" + body[place + 1 :]
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            if entry.filename != SPEC_ENTRY:
                new.writestr(entry, old.read(entry))
        texts = {
            "huge spec": b" " * (MAX_SPEC_BYTES + 1),
            "packed": b" " * 100,
            "not json": b"not json",
            "newer": b'{"spec_version": 99}',
        }
        if damage in texts:
            packing = zipfile.ZIP_DEFLATED if damage == "packed" else zipfile.ZIP_STORED
            new.writestr(SPEC_ENTRY, texts[damage], packing)
    return out.getvalue()


@pytest.mark.skipif(not PHOTO.exists(), reason=f"the shared plates are not at {PHOTO.parent}")
def test_a_real_plate_comes_out_as_from_vfxgan_render(files, tmp_path, cli):
    network, spec = model_of("upscaler")
    write_onnx(to_onnx(network, spec), tmp_path / "m.onnx")
    picture = read_picture(PHOTO)
    places = [picture.channels.index(name) for name in "RGB"]
    peak = np.unravel_index(int(picture.pixels[..., places].max(axis=2).argmax()), picture.pixels.shape[:2])
    top, left = (
        int(min(max(place - 60, 0), side - 121)) for place, side in zip(peak, picture.pixels.shape, strict=False)
    )
    crop = picture.pixels[top : top + 121, left : left + 119, places]
    _write_exr(tmp_path / "plate.exr", crop)
    rendered = cli(
        "render", tmp_path / "m.onnx", "--in", tmp_path / "plate.exr", "--out", tmp_path / "up.exr",
        "--bit-depth", "float", "--in-colorspace", "lin_rec709",
    )  # fmt: skip
    assert rendered.code == 0, rendered.err
    expected = read_picture(tmp_path / "up.exr").pixels.transpose(2, 0, 1)[None]
    found = run(load(files["upscaler"]), np.ascontiguousarray(crop.astype(np.float32).transpose(2, 0, 1)[None]))
    assert found.max() > spec.encoding.peak  # it has highlights beyond the range
    np.testing.assert_allclose(signal(found, spec), signal(expected, spec), atol=2e-5)


def _write_exr(path: Path, pixels: np.ndarray) -> None:
    from vfxgan.images import Picture, write_picture

    write_picture(path, Picture(np.ascontiguousarray(pixels), ("R", "G", "B"), {}))


@pytest.mark.skipif(OLD_TORCH not in os.environ, reason=f"set {OLD_TORCH} to a Python that has torch 1.12.1 (Nuke 14)")
@pytest.mark.parametrize("kind", KINDS)
def test_the_torch_of_nuke_14_reads_the_file_and_gives_the_same(files, tmp_path, kind):
    _, spec = model_of(kind)
    light = light_of(spec, 37, 29)
    np.save(tmp_path / "light.npy", light)
    code = (
        "import sys, numpy, torch; m = torch.jit.load(sys.argv[1]); x = torch.from_numpy(numpy.load(sys.argv[2]))\n"
        "with torch.no_grad(): numpy.save(sys.argv[3], m(x).numpy()); print(torch.__version__)"
    )
    command = [os.environ[OLD_TORCH], "-c", code, files[kind], tmp_path / "light.npy", tmp_path / "found.npy"]
    told = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("1.12.1")
    found, expected = np.load(tmp_path / "found.npy"), run(load(files[kind]), light)
    np.testing.assert_allclose(signal(found, spec), signal(expected, spec), atol=2e-5)
