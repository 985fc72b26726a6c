"""Plates through image models: light, alpha, windows and metadata come back as a compositor expects."""

from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.recipe import read_stamp

RGB, RGBA = ("R", "G", "B"), ("R", "G", "B", "A")


def plate(path: Path, pixels: np.ndarray, channels: tuple[str, ...] | None = None, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, Picture(pixels, channels or RGBA[: pixels.shape[2]], **options))
    return path


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).uniform(0.1, 0.9, (height, width, channels)).astype(np.float16)


def rendered(cli: Any, model: object, source: object, out: str, *options: object) -> Picture:
    result = cli("render", model, "--in", source, "--out", out, *options)
    assert result.code == 0, result
    return read_picture(Path(out))


def test_an_identity_gives_every_finite_half_back(cli: Any, image_model: Any, tmp_path: Path) -> None:
    codes = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = codes[np.isfinite(codes)].reshape(-1, 64)
    source = plate(tmp_path / "halves.exr", np.repeat(halves[..., None], 3, axis=2))
    for value_range in ((0.0, 1.0), (-1.0, 1.0)):
        # The network is given 0 … 1 scaled to its range, and an identity gives just that back.
        model = image_model(tmp_path / "identity.onnx", value_range=value_range)
        made = rendered(cli, model, source, "o.exr", "--overwrite").pixels[..., 0]
        assert made.dtype == np.float16
        ordered = [np.where(v < 0, -1, 1) * (v.view(np.int16) & 0x7FFF).astype(int) for v in (made, halves)]
        assert np.abs(ordered[0] - ordered[1]).max() <= 1


@pytest.mark.parametrize("light", [400.0, 1.0, 0.18, 0.0, -0.5])
def test_a_flat_highlight_comes_back_through_an_upscaler(cli: Any, tmp_path: Path, light: float) -> None:
    source = plate(tmp_path / "flat.exr", np.full((24, 32, 3), light, np.float32))
    made = rendered(cli, "upscaler", source, "o.exr").pixels
    assert made.shape == (48, 64, 3)
    assert made.dtype == np.float32
    if abs(light) > 1:
        np.testing.assert_allclose(made, light, rtol=0.01)
    else:
        np.testing.assert_allclose(made, light, atol=0.01)


def test_a_flat_highlight_comes_back_through_a_translator_that_ends_in_tanh(
    cli: Any, image_model: Any, tmp_path: Path
) -> None:
    model = image_model(tmp_path / "tanh.onnx", "tanh", value_range=(-1.0, 1.0))
    source = plate(tmp_path / "flat.exr", np.full((8, 8, 3), 400, np.float16))
    np.testing.assert_allclose(rendered(cli, model, source, "o.exr").pixels.astype(float), 400, rtol=0.01)


def test_flat_areas_and_highlights_are_exact_where_the_network_is(cli: Any, image_model: Any, tmp_path: Path) -> None:
    model = image_model(tmp_path / "large.onnx", scale=2, encoding={"peak": 16.0})
    light = np.full((12, 10, 3), 0.5, np.float32)
    light[:, 5:] = 400
    light[6:, :] = -0.25
    made = rendered(cli, model, plate(tmp_path / "a.exr", light), "o.exr").pixels
    for rows, columns, value in ((slice(0, 9), slice(0, 9), 0.5), (slice(0, 9), slice(12, 20), 400)):
        np.testing.assert_allclose(made[rows, columns], value, rtol=3e-6)
    np.testing.assert_allclose(made[14:], -0.25, rtol=3e-6)
    assert made.max() < 400.01  # no ring at the edge
    assert made.min() > -0.2501


def test_a_network_of_the_extended_encoding_takes_highlights_itself(cli: Any, image_model: Any, tmp_path: Path) -> None:
    source = plate(tmp_path / "a.exr", np.full((8, 8, 3), 30, np.float32))
    held = image_model(tmp_path / "a.onnx", "tanh", value_range=(-1.0, 1.0))
    whole = image_model(tmp_path / "b.onnx", "tanh", value_range=(-1.0, 1.0), encoding={"extended": True})
    assert rendered(cli, held, source, "a.exr.exr").pixels.mean() == pytest.approx(30, rel=0.01)
    assert rendered(cli, whole, source, "b.exr.exr").pixels.max() < 1.01


def test_windows_scale_and_move_with_the_pixels(cli: Any, image_model: Any, tmp_path: Path) -> None:
    model = image_model(tmp_path / "large.onnx", scale=2)
    for place, (origin, display) in enumerate(
        [((-3, 5), (0, 0, 40, 30)), ((0, 0), (-1, -1, 12, 10)), ((7, 8), (30, 20, 4, 4))]
    ):
        source = plate(tmp_path / f"{place}.exr", noise(8, 10), origin=origin, display=display)
        made = rendered(cli, model, source, f"o{place}.exr")
        x, y = origin
        assert made.origin == (2 * x, 2 * y)
        assert made.display == tuple(2 * side for side in display)
        assert made.pixels.shape == (16, 20, 3)
        # min·s … (max + 1)·s − 1
        assert made.origin[0] + made.pixels.shape[1] - 1 == (x + 9 + 1) * 2 - 1
        assert cli("verify", f"o{place}.exr").code == 0


def test_a_moved_window_is_not_the_frame_that_was_rendered(cli: Any, image_model: Any, tmp_path: Path) -> None:
    source = plate(tmp_path / "a.exr", noise(8, 10), origin=(4, 4), display=(0, 0, 40, 30))
    made = rendered(cli, image_model(tmp_path / "m.onnx"), source, "o.exr")
    header = {name: value for name, value in made.attributes.items() if name.startswith("vfxgan")}
    write_picture(Path("o.exr"), Picture(made.pixels, RGB, header, origin=(5, 4), display=made.display))
    assert "not those that were rendered" in cli("verify", "o.exr").err


def test_an_edge_in_alpha_shows_no_fringe_over_any_background(cli: Any, image_model: Any, tmp_path: Path) -> None:
    y, x = np.mgrid[:40, :40]
    alpha = np.clip(14.5 - np.hypot(y - 19.5, x - 19.5), 0, 1).astype(np.float32)[..., None]
    colour = np.array([0.8, 0.4, 0.1], np.float32)
    source = plate(tmp_path / "disc.exr", np.concatenate([colour * alpha, alpha], 2))
    model = image_model(tmp_path / "large.onnx", scale=2)
    for made in (rendered(cli, model, source, "a.exr"), rendered(cli, "upscaler", source, "b.exr")):
        light, matte = made.pixels[..., :3], made.pixels[..., 3:]
        assert 0 <= matte.min() <= matte.max() <= 1
        for background in (0.0, 1.0):
            over = light + background * (1 - matte)
            np.testing.assert_allclose(over, colour * matte + background * (1 - matte), atol=0.02)
        assert not light[matte[..., 0] == 0].any()


def test_light_without_alpha_survives(cli: Any, image_model: Any, tmp_path: Path) -> None:
    pixels = np.zeros((20, 30, 4), np.float32)
    pixels[:, :10] = (0.3, 0.6, 5.0, 0.0)  # emission
    pixels[:, 20:] = (0.2, 0.2, 0.2, 0.5)
    made = rendered(cli, image_model(tmp_path / "m.onnx", scale=2), plate(tmp_path / "a.exr", pixels), "o.exr").pixels
    np.testing.assert_allclose(made[:, :18], np.broadcast_to([0.3, 0.6, 5.0, 0.0], (40, 18, 4)), rtol=1e-4)
    np.testing.assert_allclose(made[:, 42:], np.broadcast_to([0.2, 0.2, 0.2, 0.5], (40, 18, 4)), rtol=1e-4)
    assert not made[:, 22:38].any()


@pytest.mark.parametrize("options", [(), ("--mix", 0)])
def test_a_glow_over_little_alpha_neither_sparkles_nor_leaks(
    cli: Any, tmp_path: Path, options: tuple[Any, ...]
) -> None:
    # Light of 1 over an alpha of 0.001, beside a matte; noise of a generator's alpha; a lamp with its glow.
    glow = np.zeros((24, 40, 4), np.float32)
    glow[:, :20] = (1, 1, 1, 0.001)
    glow[:, 20:] = (0.2, 0.2, 0.2, 1)
    speck = np.zeros((24, 40, 4), np.float32)
    speck[:, 16:] = (0.02, 0.01, 0.005, 0.107)
    speck[4:20, 12:16] = (0.009, 0.004, 0.001, 1e-6)
    y, x = np.mgrid[:24, :40]
    distance = np.hypot(y - 11.5, x - 19.5)
    lamp = np.repeat((3.8 * np.exp(-distance / 4))[..., None], 4, 2).astype(np.float32)
    lamp[..., 3] = np.where(distance < 4, 1, np.where(distance < 9, 0.002, 0))
    for place, pixels in enumerate((glow, speck, lamp)):
        made = rendered(cli, "upscaler", plate(tmp_path / f"{place}.exr", pixels), f"o{place}.exr", *options).pixels
        assert made[..., :3].max() < 1.35 * pixels[..., :3].max(), place
        # Where the plate is smooth the frame is as well: no dotted rims.
        reduced = made[..., :3].reshape(24, 2, 40, 2, 3).mean((1, 3))
        assert np.abs(reduced - pixels[..., :3]).max() < 0.35 * pixels[..., :3].max(), place


def test_an_alpha_that_is_empty_everywhere_means_nothing(cli: Any, image_model: Any, tmp_path: Path) -> None:
    colour = noise(12, 12)
    colour[4:8, 4:8] = 0
    model = image_model(tmp_path / "m.onnx")
    source = plate(tmp_path / "a.exr", np.concatenate([colour, np.zeros((12, 12, 1), np.float16)], 2))
    made = rendered(cli, model, source, "o.exr").pixels
    np.testing.assert_array_equal(made[..., :3], colour)
    assert not made[..., 3].any()


def test_metadata_is_carried_and_what_describes_storage_is_not(cli: Any, image_model: Any, tmp_path: Path) -> None:
    attributes = {"smpte:TimeCode": (18356486, 0), "cameraLabel": "A", "isoSpeed": 800.0, "PixelAspectRatio": 2.0}
    attributes |= {"worldToCamera": tuple(float(n) for n in range(16)), "vfxgan:recipe": "{}", "compression": "piz"}
    types = {"smpte:TimeCode": oiio.TypeTimeCode, "worldToCamera": oiio.TypeMatrix}
    source = plate(tmp_path / "a.exr", noise(8, 8), attributes=attributes, types=types)
    made = rendered(cli, image_model(tmp_path / "m.onnx"), source, "o.exr").attributes
    for name in ("smpte:TimeCode", "cameraLabel", "isoSpeed", "PixelAspectRatio", "worldToCamera"):
        assert made[name] == read_picture(source).attributes[name]
    assert made["compression"] == "zips"
    assert read_stamp(made) is not None


def test_a_plate_is_read_and_written_in_the_space_that_it_names(cli: Any, image_model: Any, tmp_path: Path) -> None:
    model, pixels = image_model(tmp_path / "m.onnx"), noise(8, 8)
    source = plate(tmp_path / "a.exr", pixels, attributes={"colorInteropID": "lin_ap1_scene"})
    result = cli("render", model, "--in", source, "--out", "o.exr")
    assert "linear Rec.709" not in result.err
    made = read_picture(Path("o.exr"))
    np.testing.assert_allclose(made.pixels.astype(float), pixels.astype(float), rtol=2e-3)
    assert made.attributes["colorInteropID"] == "lin_ap1_scene"
    rec709 = rendered(cli, model, source, "p.exr", "--colorspace", "lin_rec709", "--bit-depth", "float")
    assert rec709.attributes["colorInteropID"] == "lin_rec709_scene"
    ours = rendered(cli, model, plate(tmp_path / "b.exr", rec709.pixels), "q.exr", "--colorspace", "ACEScg")
    np.testing.assert_allclose(ours.pixels, pixels.astype(float), rtol=2e-3)
    primaries = {"chromaticities": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)}
    named = rendered(cli, model, plate(tmp_path / "c.exr", pixels, attributes=primaries), "r.exr", "--colorspace",
                     "lin_rec709", "--bit-depth", "float")  # fmt: skip
    np.testing.assert_array_equal(named.pixels, rec709.pixels)


def test_grey_and_other_channel_counts_go_in_as_in_training(cli: Any, image_model: Any, tmp_path: Path) -> None:
    grey = noise(8, 8, 1)
    rgb = image_model(tmp_path / "rgb.onnx")
    made = rendered(cli, rgb, plate(tmp_path / "y.exr", grey, ("Y",)), "a.exr")
    np.testing.assert_array_equal(made.pixels, np.repeat(grey, 3, 2))
    assert made.channels == RGB
    colour = noise(8, 8)
    one = image_model(tmp_path / "one.onnx", channels=1, channels_out=3)
    result = cli("render", one, "--in", plate(tmp_path / "c.exr", colour), "--out", "b.exr")
    assert "does not take RGB: light outside 0 … 1 is cut off before it" in result.err
    luminance = colour.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    np.testing.assert_allclose(read_picture(Path("b.exr")).pixels[..., 1].astype(float), luminance, rtol=2e-3)
    four = image_model(tmp_path / "four.onnx", channels=4)
    element = np.concatenate([colour * np.float16(0.25), np.full((8, 8, 1), 0.5, np.float16)], 2)
    made = rendered(cli, four, plate(tmp_path / "d.exr", element), "c.exr.exr")
    np.testing.assert_allclose(made.pixels.astype(float), element.astype(float), rtol=2e-3)
    own_alpha = image_model(tmp_path / "own.onnx", channels_out=4)
    for model, reason in ((one, "does not make RGB of RGB"), (own_alpha, "makes its own")):
        result = cli("render", model, "--in", tmp_path / "d.exr", "--out", "e.exr", "--overwrite")
        assert "the plates' alpha is not carried" in result.err
        assert reason in result.err


def test_a_model_of_a_size_multiple_or_a_static_size_is_padded_for(cli: Any, image_model: Any, tmp_path: Path) -> None:
    source = plate(tmp_path / "a.exr", noise(9, 14))
    expected = read_picture(source).pixels
    multiple = image_model(tmp_path / "four.onnx", "blocks", input={"kind": "image", "channels": 3, "size_multiple": 4})
    np.testing.assert_array_equal(rendered(cli, multiple, source, "a.exr.exr").pixels, expected)
    static = image_model(tmp_path / "static.onnx", size=(12, 16))
    np.testing.assert_array_equal(rendered(cli, static, source, "b.exr").pixels, expected)
    small = image_model(tmp_path / "small.onnx", size=(8, 16))
    result = cli("render", small, "--in", source, "--out", "c.exr")
    assert result.code == 3
    assert "9 px are more than the 8 of the model's static size, and 'tiny identity' sees the whole" in result.err


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_bytes_do_not_depend_on_threads_order_or_neighbours(
    cli: Any, image_model: Any, tmp_path: Path, frames_of: Any, runtime: str
) -> None:
    pytest.importorskip(runtime, reason=f"{runtime} is not installed")
    model = image_model(tmp_path / "m.onnx", scale=2, encoding={"peak": 4.0})
    for number in range(1, 12):  # eleven sizes, so that OpenVINO drops some and compiles them again
        plate(tmp_path / "p" / f"{number:04d}.exr", noise(10 + 20 * number, 12, seed=number))
    for folder, options in (("a", ("--threads", 1)), ("b", ("--threads", 4, "--frames", "11-1"))):
        out = tmp_path / folder / "####.exr"
        result = cli("render", model, "--in", tmp_path / "p" / "####.exr", "--out", out, "--runtime", runtime, *options)
        assert result.code == 0, result
    assert len(frames_of(tmp_path / "a")) == 11
    assert frames_of(tmp_path / "a") == frames_of(tmp_path / "b")


def test_the_beachballs_windows_move_as_in_the_plates(cli: Any, image_model: Any, plates: Path) -> None:
    model = image_model(Path("m.onnx"), scale=2)
    result = cli("render", model, "--in", plates / "beachball" / "singlepart.####.exr", "--frames", "1,3", "--out",
                 "o/####.exr")  # fmt: skip
    assert result.code == 0, result
    assert "12 other channels stay behind (Z, disparityL.x" in result.err
    for number in (1, 3):
        source = read_picture(plates / "beachball" / f"singlepart.000{number}.exr")
        made = read_picture(Path(f"o/000{number}.exr"))
        assert made.origin == tuple(2 * side for side in source.origin)
        assert made.display == (0, 0, 4096, 3112)
        assert made.channels == (*RGBA, *(f"left.{letter}" for letter in RGBA))


def test_a_photograph_comes_back_through_the_built_in_upscaler(cli: Any, plates: Path, tmp_path: Path) -> None:
    whole = read_picture(plates / "photos" / "Desk.exr").pixels
    source = plate(tmp_path / "crop.exr", whole[360:440, 380:480])
    made = rendered(cli, "upscaler", source, "o.exr").pixels.astype(np.float64)
    reduced = made.reshape(80, 2, 100, 2, 4).mean((1, 3))
    bright = read_picture(source).pixels[..., :3].astype(np.float64)
    assert bright.max() > 100
    # The mean of what stands for a pixel is that pixel, but for what bilinear and the network smooth at an edge.
    assert np.median(np.abs(reduced[..., :3] / np.maximum(bright, 0.01) - 1)) < 0.05
    np.testing.assert_array_equal(made[..., 3], 1)
