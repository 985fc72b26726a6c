"""Tiles give what no tiles give: for real networks, for windows that move, and on any number of threads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.recipe import read_stamp

RGB = ("R", "G", "B")


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Edges, texture, grain, and a few highlights and negatives."""
    y, x = np.mgrid[:height, :width]
    light = 0.3 + 0.2 * np.sin(x / 9 + y / 23)[..., None] * np.array([1, 0.8, 0.6])
    light[(x // 17 + y // 13) % 3 == 0] *= 3
    light += np.random.RandomState(seed).normal(0, 0.02, light.shape)
    light[height // 3 : height // 3 + 5, width // 2 : width // 2 + 4] = 60
    return light.astype(np.float32)


def plate(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, Picture(pixels, RGB, **options))
    return path


def rendered(cli: Any, model: object, source: object, out: str, *options: object) -> Picture:
    result = cli("render", model, "--in", source, "--out", out, *options)
    assert result.code == 0, result
    return read_picture(Path(out))


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Real architectures, narrow, with the receptive fields and overlaps that export measures."""
    torch = pytest.importorskip("torch", reason="the train extra makes the networks")
    from vfxgan.export.fold import fold_batch_norms
    from vfxgan.export.onnx_file import to_onnx, with_spec, write_onnx
    from vfxgan.export.parity import run_torch
    from vfxgan.export.tiling import measure_tiling
    from vfxgan.spec import ImageInput, ModelSpec
    from vfxgan.trainer.networks.resnet_translator import ResnetTranslator
    from vfxgan.trainer.networks.rrdb import RRDBNet
    from vfxgan.trainer.networks.srresnet import SRResNet
    from vfxgan.trainer.networks.unet import UnetGenerator

    torch.manual_seed(3)
    cases = {
        "srresnet": (SRResNet(2, width=8, blocks=4), 2, 1, (0.0, 1.0)),
        "rrdb23": (RRDBNet(4, width=2, growth=1), 4, 1, (0.0, 1.0)),
        "folded": (RRDBNet(2, width=8, growth=4, blocks=2), 2, 2, (0.0, 1.0)),
        "unet": (UnetGenerator(depth=3, width=4, dropout=False), 1, 8, (-1.0, 1.0)),
        "instance": (ResnetTranslator(width=4, blocks=2, norm="instance", dropout=False), 1, 4, (-1.0, 1.0)),
    }
    made = {}
    for name, (network, scale, multiple, value_range) in cases.items():
        network.eval()
        if name != "instance":
            _stir(network, torch)
        spec = ModelSpec(
            name=name, kind="upscaler" if scale > 1 else "translator", architecture="srresnet", scale=scale,
            input=ImageInput(channels=3, size_multiple=multiple), value_range=value_range, channels_out=3,
        )  # fmt: skip
        spec = spec.model_copy(update={"tiling": measure_tiling(run_torch(network), spec, network)})
        made[name] = tmp_path_factory.mktemp("networks") / f"{name}.onnx"
        write_onnx(with_spec(to_onnx(fold_batch_norms(network), spec), spec), made[name])
    return made


def _stir(network: Any, torch: Any) -> None:
    """Of a fresh network, most of a receptive field carries nothing at all."""
    with torch.no_grad():
        for weight in network.parameters():
            weight *= 1.25


def untiled(path: Path, pixels: np.ndarray, margin: int) -> np.ndarray:
    """The reference: the plate extended by repeating its edge, run whole, cropped. [sH, sW, 3] light."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from vfxgan.modelfile import read_model
    from vfxgan.render.translate import enlarge, network_to_light, plate_to_network

    model = read_model(path)
    spec = model.spec
    session = onnxruntime.InferenceSession(model.read(), providers=["CPUExecutionProvider"])
    light = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    x, residual = plate_to_network(light, spec)
    multiple = spec.input.size_multiple
    before = -(-margin // multiple) * multiple
    after = [before + -side % multiple for side in light.shape[1:]]
    padded = np.pad(x, ((0, 0), (0, 0), (before, after[0]), (before, after[1])), mode="edge")
    (y,) = session.run(None, {session.get_inputs()[0].name: padded})
    crop = slice(before * spec.scale, (before + light.shape[1]) * spec.scale)
    crop_x = slice(before * spec.scale, (before + light.shape[2]) * spec.scale)
    large = None if residual is None else enlarge(residual, spec.scale)
    return np.moveaxis(network_to_light(y[0, :, crop, crop_x], large, spec), 0, -1)


def encoded_difference(made: np.ndarray, reference: np.ndarray) -> float:
    """In the network's unit range, where overlaps are measured."""
    from vfxgan.colour import encode

    return float(np.abs(encode(made) - encode(reference.astype(np.float32))).max())


def spec_of(path: Path) -> Any:
    from vfxgan.modelfile import read_model

    return read_model(path).spec


@pytest.mark.parametrize("name", ["srresnet", "folded", "unet"])
def test_measured_tiles_stay_within_a_thousandth_of_the_untiled_picture(
    cli: Any, networks: dict[str, Path], tmp_path: Path, name: str
) -> None:
    pixels, spec = scene(123, 210), spec_of(networks[name])
    tile = 4 * max(spec.tiling.overlap_px + 2, 16)
    made = rendered(cli, networks[name], plate(tmp_path / "a.exr", pixels), "o.exr", "--tile", tile).pixels
    reference = untiled(networks[name], pixels, spec.tiling.overlap_px)
    assert made.shape == reference.shape
    difference = encoded_difference(made, reference)
    assert 0 < difference <= 1e-3  # several tiles, or nothing would differ


@pytest.mark.parametrize("name", ["srresnet", "folded", "unet", "rrdb23"])
def test_exact_tiles_equal_the_untiled_picture(cli: Any, networks: dict[str, Path], tmp_path: Path, name: str) -> None:
    spec = spec_of(networks[name])
    radius = spec.tiling.receptive_field_px
    assert name != "rrdb23" or radius == 349
    pixels = scene(8, 90) if name == "rrdb23" else scene(123, 210)
    multiple = spec.input.size_multiple
    tile = 2 * (-(-radius // multiple) * multiple) + 64
    result = cli("render", networks[name], "--in", plate(tmp_path / "a.exr", pixels), "--out", "o.exr", "--tile", tile,
                 "--tile-exact")  # fmt: skip
    assert result.code == 0, result
    made = read_picture(Path("o.exr"))
    assert encoded_difference(made.pixels, untiled(networks[name], pixels, radius)) <= 1e-5
    options = read_stamp(made.attributes).recipe.options
    assert (options["tile"], options["tile_mode"]) == (tile, "exact")


def test_without_tiles_the_picture_is_the_reference_itself(cli: Any, networks: dict[str, Path], tmp_path: Path) -> None:
    pixels, spec = scene(61, 83), spec_of(networks["srresnet"])
    made = rendered(cli, networks["srresnet"], plate(tmp_path / "a.exr", pixels), "o.exr", "--tile", 0)
    assert encoded_difference(made.pixels, untiled(networks["srresnet"], pixels, spec.tiling.overlap_px)) <= 2e-6
    assert read_stamp(made.attributes).recipe.options["tile"] == 0


def test_tiles_that_differ_are_blended_into_each_other(cli: Any, image_model: Any, tmp_path: Path) -> None:
    # Every tile adds half of its own mean, so that neighbours differ by a known step.
    model = image_model(tmp_path / "mean.onnx", "mean")
    x = np.broadcast_to(np.linspace(0.05, 0.2, 320)[None, :, None], (40, 320, 3)).astype(np.float32)
    made = rendered(cli, model, plate(tmp_path / "a.exr", x), "o.exr", "--tile", 128, "--tile-anyway")
    from vfxgan.colour import encode

    added = encode(made.pixels[20, :, 1]) - encode(x[20, :, 1])
    steps = np.abs(np.diff(added))
    assert np.ptp(added) > 0.03
    assert steps.max() < np.ptp(added) / 20  # a cut would be a third of it


def test_the_grid_stands_still_while_the_data_window_moves(cli: Any, networks: dict[str, Path], tmp_path: Path) -> None:
    whole, display = scene(160, 200), (0, 0, 200, 160)
    frames = []
    for place, (x, y) in enumerate([(0, 0), (7, 3), (31, 29), (64, 50)]):
        part = whole[y : y + 100, x : x + 120]
        source = plate(tmp_path / f"{place}.exr", part, origin=(x, y), display=display)
        made = rendered(cli, networks["unet"], source, f"o{place}.exr", "--tile", 64)
        canvas = np.full((160, 200, 3), np.nan)
        canvas[y : y + 100, x : x + 120] = made.pixels
        frames.append(canvas)
    # Away from the windows' own edges the same scene gives the same pixels, wherever its window begins. A U-Net would
    # show it at once: it works in cells of 8 px, and so do the tiles.
    inside = (slice(90, 94), slice(104, 112))
    for frame in frames[1:]:
        assert not np.isnan(frame[inside]).any()
        np.testing.assert_allclose(frame[inside], frames[0][inside], atol=2e-4)


def test_windows_beyond_the_display_window_are_made_as_well(
    cli: Any, networks: dict[str, Path], tmp_path: Path
) -> None:
    pixels = scene(90, 130)
    source = plate(tmp_path / "a.exr", pixels, origin=(-37, -21), display=(0, 0, 64, 48))
    made = rendered(cli, networks["srresnet"], source, "o.exr", "--tile", 40)
    assert made.origin == (-74, -42)
    reference = untiled(networks["srresnet"], pixels, spec_of(networks["srresnet"]).tiling.overlap_px)
    assert encoded_difference(made.pixels, reference) <= 1e-3


def test_image_wide_statistics_are_not_tiled_unless_asked_for(
    cli: Any, networks: dict[str, Path], tmp_path: Path
) -> None:
    source = plate(tmp_path / "a.exr", scene(70, 110))
    result = cli("render", networks["instance"], "--in", source, "--out", "o.exr", "--tile", 64)
    assert result.code == 2
    assert "sees the whole picture at once" in result.err
    assert "--tile-anyway" in result.err
    whole = rendered(cli, networks["instance"], source, "o.exr")
    assert read_stamp(whole.attributes).recipe.options["tile"] == 0
    tiled = rendered(cli, networks["instance"], source, "p.exr", "--tile", 64, "--tile-anyway")
    assert read_stamp(tiled.attributes).recipe.options["tile_mode"] == "anyway"
    assert np.abs(tiled.pixels - whole.pixels).max() > 1e-3  # they truly differ: that is why
    exact = cli("render", networks["instance"], "--in", source, "--out", "q.exr", "--tile-exact")
    assert exact.code == 2
    assert "no overlap is enough" in exact.err


def test_image_wide_statistics_are_those_of_the_display_window(
    cli: Any, networks: dict[str, Path], tmp_path: Path
) -> None:
    # The same element in two windows of its own, the rest of the display window black: one look, one size.
    display, canvas = (0, 0, 96, 80), np.zeros((80, 96, 3), np.float32)
    canvas[30:50, 30:60] = scene(20, 30)
    frames = []
    for place, (x, y, width, height) in enumerate([(8, 8, 80, 60), (20, 16, 60, 48)]):
        part = canvas[y : y + height, x : x + width]
        source = plate(tmp_path / f"{place}.exr", part, origin=(x, y), display=display)
        made = rendered(cli, networks["instance"], source, f"o{place}.exr").pixels
        frames.append(made[30 - y : 50 - y, 30 - x : 60 - x])
    np.testing.assert_allclose(frames[0], frames[1], atol=1e-5)


def test_the_tile_follows_from_the_model_and_the_options_alone(
    cli: Any, networks: dict[str, Path], tmp_path: Path
) -> None:
    recorded = []
    for place, size in enumerate([(40, 50), (300, 20)]):
        made = rendered(cli, networks["srresnet"], plate(tmp_path / f"{place}.exr", scene(*size)), f"o{place}.exr")
        options = read_stamp(made.attributes).recipe.options
        recorded.append((options["tile"], options["tile_mode"]))
    assert recorded == [(512, "measured")] * 2
    dry = cli("render", networks["srresnet"], "--in", tmp_path / "0.exr", "--out", "x.exr", "--dry-run", "--tile", 96)
    assert "tile       96" in dry.out


@pytest.mark.parametrize(
    ("name", "options", "parts"),
    [
        ("srresnet", ("--tile", 4), ["--tile 4", "overlap", "the least is --tile"]),
        ("folded", ("--tile", 63), ["takes multiples of 2 px", "give 64"]),
        ("srresnet", ("--tile", -1), ["outside 0 … 16384"]),
        ("srresnet", ("--tile", 64, "--tile-exact", "--tile-anyway"), ["exclude each other"]),
    ],
)
def test_tiles_that_cannot_be_are_one_line(
    cli: Any, networks: dict[str, Path], tmp_path: Path, name: str, options: tuple[object, ...], parts: list[str]
) -> None:
    source = plate(tmp_path / "a.exr", scene(20, 20))
    result = cli("render", networks[name], "--in", source, "--out", "o.exr", *options)
    assert result.code == 2
    assert all(part in result.err for part in parts), result.err
    assert not Path("o.exr").exists()


def test_one_frame_comes_out_the_same_on_any_number_of_threads(
    cli: Any, networks: dict[str, Path], tmp_path: Path
) -> None:
    source = plate(tmp_path / "a.exr", scene(150, 190))
    files = []
    for threads in (1, 2, 5):
        rendered(cli, networks["srresnet"], source, f"o{threads}.exr", "--tile", 48, "--threads", threads)
        files.append(Path(f"o{threads}.exr").read_bytes())
    assert files[0] == files[1] == files[2]


def test_tiles_come_back_from_a_recipe(cli: Any, networks: dict[str, Path], tmp_path: Path) -> None:
    source = plate(tmp_path / "a.exr", scene(90, 100))
    for number, options in enumerate([("--tile", 64), ("--tile", 0), ("--tile", 96, "--tile-exact"), ()]):
        out = tmp_path / "made" / f"{number:04d}.exr"
        out.parent.mkdir(exist_ok=True)
        assert cli("render", networks["srresnet"], "--in", source, "--out", out, *options).code == 0
    result = cli("verify", tmp_path / "made", "--rerender", 4, "--model", networks["srresnet"], "--in", source)
    assert result.code == 0, result
    assert "4 of them rendered again" in result.out


def test_memory_that_does_not_suffice_stops_with_the_tile_to_try(
    cli: Any, networks: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vfxgan.errors import RuntimeFailure
    from vfxgan.render.runtimes.onnxruntime_session import OnnxRuntimeSession

    def full(self: object, x: np.ndarray) -> np.ndarray:
        raise RuntimeFailure("onnxruntime failed (std::bad_alloc)")

    for number in range(3):
        plate(tmp_path / "p" / f"{number}.exr", scene(200, 200))
    monkeypatch.setattr(OnnxRuntimeSession, "infer", full)
    result = cli("render", networks["srresnet"], "--in", tmp_path / "p" / "#.exr", "--out", "o/#.exr", "--tile", 128)
    assert result.code == 1
    assert "not enough memory for 128×128 px at a time" in result.err
    assert "--tile 64" in result.err
    assert "0 of 3 frames are done" in result.err
