"""Alpha beside the network on real plates: edges without fringes, empty alpha, emission; NaN and Inf counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.images import Picture, read_picture, write_picture

RGBA = ("R", "G", "B", "A")


def written(path: Path, pixels: np.ndarray) -> Path:
    write_picture(path, Picture(np.ascontiguousarray(pixels), RGBA[: pixels.shape[2]]))
    return path


def rendered(cli: Any, model: object, source: object, *options: object) -> np.ndarray:
    result = cli("render", model, "--in", source, "--out", "o.exr", "--overwrite", *options)
    assert result.code == 0, result
    return read_picture(Path("o.exr")).pixels.astype(np.float64)


def over(pixels: np.ndarray, background: float) -> np.ndarray:
    return pixels[..., :3] + background * (1 - pixels[..., 3:])


def reduced(pixels: np.ndarray) -> np.ndarray:
    height, width, channels = pixels.shape
    return pixels.reshape(height // 2, 2, width // 2, 2, channels).mean((1, 3))


@pytest.mark.parametrize(("y", "x"), [(0, 300), (300, 0), (700, 700)])
@pytest.mark.parametrize("options", [(), ("--mix", 0.5), ("--encoding", "acescct"), ("--tile", 40)])
def test_the_beachballs_edge_shows_no_fringe_over_any_background(
    cli: Any, plates: Path, y: int, x: int, options: tuple[object, ...]
) -> None:
    whole = read_picture(plates / "beachball" / "singlepart.0001.exr").pixels[..., :4]
    crop = whole[y : y + 64, x : x + 64]
    alpha = crop[..., 3].astype(np.float64)
    assert ((alpha > 0.01) & (alpha < 0.99)).mean() > 0.5  # blurred by motion: all edge
    made = rendered(cli, "upscaler", written(Path("crop.exr"), crop), *options)
    low = crop.astype(np.float64)
    errors = [reduced(over(made, background)) - over(low, background) for background in (0.0, 1.0)]
    for error in errors:
        assert np.abs(error).max() < 0.03
    # A fringe is what shows over one background and not over the other.
    assert np.abs(errors[1] - errors[0]).max() < 0.01
    assert 0 <= made[..., 3].min() <= made[..., 3].max() <= 1
    assert not made[made[..., 3] == 0].any()
    # No colour that the neighbourhood does not have: divided by alpha, it stays in the ball's range.
    solid = made[..., 3] > 0.05
    brightest = (low[..., :3] / np.maximum(low[..., 3:], 1e-3)).max()
    assert (made[..., :3][solid] / made[..., 3:][solid]).max() < brightest * 1.05


def test_an_alpha_of_carrots_that_is_empty_everywhere_takes_nothing_away(cli: Any, plates: Path) -> None:
    source = plates / "photos" / "Carrots.exr"
    crop = read_picture(source).pixels[100:164, 260:340]
    assert not crop[..., 3].any()
    made = rendered(cli, "upscaler", written(Path("crop.exr"), crop))
    opaque = rendered(cli, "upscaler", written(Path("rgb.exr"), crop[..., :3]))
    np.testing.assert_array_equal(made[..., :3], opaque)
    assert not made[..., 3].any()
    difference = np.abs(reduced(made)[..., :3] - crop[..., :3].astype(np.float64))
    assert np.median(difference) < 0.002
    again = rendered(cli, "upscaler", Path("crop.exr"), "--mix", 0.5, "--regrain", 1)
    assert not again[..., 3].any()
    assert np.median(np.abs(reduced(again)[..., :3] - crop[..., :3].astype(np.float64))) < 0.003


def test_carrots_come_through_whole(cli: Any, image_model: Any, plates: Path) -> None:
    source = plates / "photos" / "Carrots.exr"
    made = rendered(cli, image_model(Path("m.onnx")), source, "--mix", 0.5)
    np.testing.assert_array_equal(made, read_picture(source).pixels)


@pytest.mark.parametrize("options", [(), ("--mix", 0.5), ("--regrain", 1), ("--encoding", "linear")])
def test_emission_survives_beside_what_alpha_covers(
    cli: Any, image_model: Any, tmp_path: Path, options: tuple[object, ...]
) -> None:
    pixels = np.zeros((32, 64, 4), np.float32)
    pixels[:, :20] = (0.3, 0.6, 5.0, 0.0)  # a flame: light, no matte
    pixels[:, 40:] = (0.2, 0.2, 0.2, 0.5)
    made = rendered(cli, image_model(tmp_path / "m.onnx", scale=2), written(tmp_path / "a.exr", pixels), *options)
    np.testing.assert_allclose(made[:, :36], np.broadcast_to([0.3, 0.6, 5.0, 0.0], (64, 36, 4)), rtol=1e-4)
    np.testing.assert_allclose(made[:, 84:], np.broadcast_to([0.2, 0.2, 0.2, 0.5], (64, 44, 4)), rtol=1e-4)
    assert not made[:, 44:76].any()


def test_bad_pixels_of_a_real_plate_stop_it_or_are_counted(cli: Any, image_model: Any, plates: Path) -> None:
    source, model = plates / "range" / "BrightRingsNanInf.exr", image_model(Path("m.onnx"))
    stopped = cli("render", model, "--in", source, "--out", "o.exr")
    assert stopped.code == 3
    assert "12 pixels hold NaN or Inf, the first at x " in stopped.err
    assert not Path("o.exr").exists()
    wanted = read_picture(source).pixels
    finite = np.isfinite(wanted).all(axis=2)
    for choice, said in (("zero", "0"), ("clamp", "the nearest finite value, NaN to 0")):
        result = cli("render", model, "--in", source, "--out", "o.exr", "--overwrite", "--bad-pixels", choice)
        assert result.code == 0, result
        assert f"12 pixels of NaN or Inf in 1 plate were set to {said}" in result.err
        made = read_picture(Path("o.exr")).pixels
        np.testing.assert_array_equal(made[finite], wanted[finite])
        assert np.isfinite(made).all()
        if choice == "clamp":
            infinite = np.isposinf(wanted)
            assert infinite.any()
            assert (made[infinite] == np.finfo(np.float16).max).all()


@pytest.mark.parametrize("options", [(), ("--encoding", "linear"), ("--mix", 0.5, "--encoding", "acescct")])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_no_light_however_large_over_no_alpha_however_small_becomes_nan(
    cli: Any, image_model: Any, options: tuple[object, ...]
) -> None:
    stream = np.random.RandomState(0)
    light = 10.0 ** stream.uniform(-30, 38, (24, 40, 3)) * stream.choice([-1, 0, 1], (24, 40, 3))
    alpha = stream.choice([0, 1e-30, 1e-3, 0.5, 1], (24, 40, 1))
    source = written(Path("a.exr"), np.concatenate([light, alpha], 2).astype(np.float32))
    assert np.isfinite(rendered(cli, image_model(Path("m.onnx"), scale=2), source, *options)).all()


@pytest.mark.parametrize("lying", [False, True])
def test_where_emission_meets_coverage_the_light_itself_is_enlarged(
    cli: Any, image_model: Any, tmp_path: Path, lying: bool
) -> None:
    pixels = np.zeros((100, 100, 4), np.float32)
    pixels[:64] = emission = np.array([0.3, 0.6, 5.0, 0.0], np.float32)
    pixels[64:] = covered = np.array([0.2, 0.1, 0.2, 0.5], np.float32)
    write_picture(tmp_path / "a.exr", Picture(pixels.swapaxes(0, 1) if lying else pixels, ("R", "G", "B", "A")))
    model = image_model(tmp_path / "m.onnx", scale=2)
    result = cli("render", model, "--in", tmp_path / "a.exr", "--out", "o.exr")
    assert result.code == 0, result
    made = read_picture(Path("o.exr")).pixels
    made = made.swapaxes(0, 1) if lying else made
    for row, share in ((120, 0.0), (126, 0.0), (127, 0.25), (128, 0.75), (129, 1.0), (140, 1.0)):
        wanted = emission + (covered - emission) * np.float32(share)
        np.testing.assert_allclose(made[row], np.broadcast_to(wanted, (200, 4)), rtol=1e-3, err_msg=f"row {row}")
