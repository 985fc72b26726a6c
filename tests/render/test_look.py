"""Plates through image models as a user renders them: --encoding, --mix, highlights, every half, floats of any size."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.recipe import read_stamp
from vfxgan.render.lanczos import lanczos

ENCODINGS = (None, "linear", "srgb", "acescct")


def written(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    write_picture(path, Picture(pixels, ("R", "G", "B", "A")[: pixels.shape[2]], **options))
    return path


def rendered(cli: Any, model: object, source: object, *options: object) -> Picture:
    given = [option for option in options if option is not None]
    result = cli("render", model, "--in", source, "--out", "o.exr", "--overwrite", *given)
    assert result.code == 0, result
    return read_picture(Path("o.exr"))


def asked(encoding: str | None) -> tuple[str, ...]:
    return () if encoding is None else ("--encoding", encoding)


def ordered(halves: np.ndarray) -> np.ndarray:
    """Halves as integers that count them in order."""
    bits = (halves.view(np.int16) & 0x7FFF).astype(int)
    return np.where(np.signbit(halves), -bits, bits)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("value_range", "peak"), [((0.0, 1.0), 1.0), ((-1.0, 1.0), 16.0), ((-1.0, 1.0), 1.0)])
def test_an_identity_gives_all_half_values_back(
    cli: Any, image_model: Any, plates: Path, encoding: str | None, value_range: Any, peak: float
) -> None:
    source = plates / "range" / "AllHalfValues.exr"
    model = image_model(Path("m.onnx"), value_range=value_range, encoding={"peak": peak})
    made = rendered(cli, model, source, "--bad-pixels", "zero", *asked(encoding)).pixels
    wanted = read_picture(source).pixels
    finite = np.isfinite(wanted)
    assert made.dtype == np.float16
    assert finite.sum() == 3 * 63488
    # Half an ulp around a half is that half itself.
    np.testing.assert_array_equal(ordered(made)[finite], ordered(wanted)[finite])
    assert not made[~finite].any()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("tile", [None, 32])
def test_a_flat_highlight_comes_back_through_the_built_in_upscaler(cli: Any, encoding: str | None, tile: Any) -> None:
    source = written(Path("flat.exr"), np.full((40, 48, 3), 400, np.float32))
    options = () if tile is None else ("--tile", tile)
    made = rendered(cli, "upscaler", source, *asked(encoding), *options).pixels
    # ACEScct spreads 17.5 stops over the network's range: its own error of 0.0011 there is 1.4 % of light.
    np.testing.assert_allclose(made, 400, rtol=0.015 if encoding == "acescct" else 0.01)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("peak", [1.0, 16.0])
def test_a_flat_highlight_comes_back_through_a_tanh(
    cli: Any, image_model: Any, encoding: str | None, peak: float
) -> None:
    source = written(Path("flat.exr"), np.full((8, 8, 3), 400, np.float16))
    # At 1 it gives 0.9993: what such a network misses at its end is a share of the light, the larger the more stops
    # its range spans.
    model = image_model(Path("m.onnx"), "tanh", gain=4.0, value_range=(-1.0, 1.0), encoding={"peak": peak})
    made = rendered(cli, model, source, *asked(encoding)).pixels
    np.testing.assert_allclose(made.astype(float), 400, rtol=0.01)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_negatives_and_highlights_keep_their_edges(cli: Any, image_model: Any, encoding: str | None) -> None:
    light = np.full((12, 16, 3), 0.5, np.float32)
    light[:, 8:] = 400
    light[6:, :8] = -0.25
    made = rendered(cli, image_model(Path("m.onnx"), scale=2), written(Path("a.exr"), light), *asked(encoding)).pixels
    np.testing.assert_allclose(made[:8, :12], 0.5, rtol=1e-5)
    np.testing.assert_allclose(made[:, 20:], 400, rtol=1e-5)
    np.testing.assert_allclose(made[16:, :12], -0.25, rtol=1e-5)
    assert made.max() < 400.01
    assert made.min() > -0.2501


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_floats_of_any_size_stay_finite(cli: Any, image_model: Any, plates: Path, encoding: str | None) -> None:
    source = plates / "range" / "WideFloatRange.exr"
    wanted = read_picture(source).pixels
    crop = written(Path("crop.exr"), np.repeat(wanted[::9, ::9], 3, axis=2))
    for scale in (1, 2):
        model = image_model(Path("m.onnx"), scale=scale)
        for options in ((), ("--mix", 0.5), ("--regrain", 1)):
            made = rendered(cli, model, crop, *asked(encoding), *options).pixels
            assert made.dtype == np.float32
            assert np.isfinite(made).all()
    made = rendered(cli, image_model(Path("m.onnx")), crop, *asked(encoding)).pixels
    expected = read_picture(crop).pixels
    usual = np.abs(expected) < 1e30
    assert usual.any()
    np.testing.assert_allclose(made[usual], expected[usual], rtol=4e-5, atol=2e-9)


def test_an_encoding_is_recorded_and_made_again(cli: Any, image_model: Any) -> None:
    model = image_model(Path("m.onnx"), "tanh", scale=2, value_range=(-1.0, 1.0))
    light = np.random.RandomState(0).gamma(0.5, 2, (20, 24, 3)).astype(np.float16)
    source = written(Path("p.0001.exr"), light)
    made = {}
    for encoding in ENCODINGS:
        picture = rendered(cli, model, source, *asked(encoding), "--mix", 0.75)
        stamp = read_stamp(picture.attributes)
        assert stamp is not None
        recorded = json.loads(stamp.recipe.to_json())["options"]
        assert recorded.get("encoding") == encoding
        assert recorded["mix"] == 0.75
        made[encoding] = picture.pixels.tobytes()
        before = Path("o.exr").read_bytes()
        checked = cli("verify", "o.exr", "--rerender", 1, "--model", model, "--in", source)
        assert checked.code == 0, checked
        again = cli("render", model, "--in", source, "--out", "again.exr", "--overwrite", "--like", "o.exr")
        assert again.code == 0, again
        assert Path("again.exr").read_bytes() == before
    assert made[None] == made["srgb"]  # the model's own is that, with a peak of 1
    assert len(set(made.values())) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--encoding", "rec1886"), "--encoding 'rec1886' is unknown; use linear, srgb, acescct"),
        (("--mix", "1.5"), "--mix 1.5 is outside 0 … 1 of the network's picture"),
        (("--regrain", "-1"), "--regrain -1.0 is outside 0 … 4 of the plate's grain"),
    ],
)
def test_values_that_mean_nothing_are_refused(cli: Any, options: tuple[str, ...], message: str) -> None:
    source = written(Path("a.exr"), np.zeros((8, 8, 3), np.float16))
    result = cli("render", "upscaler", "--in", source, "--out", "o.exr", *options)
    assert result.code == 2
    assert message in result.line


def test_the_look_of_plates_is_not_for_seeds(cli: Any) -> None:
    for option, value in (("--encoding", "srgb"), ("--mix", "0.5"), ("--regrain", "1.0")):
        result = cli("render", "elements", "--seeds", "1", "--out", "o.####.exr", option, value)
        assert result.code == 2
        assert f"{option} {value} is for plates (--in)" in result.line.replace("'", "")


def test_a_mix_is_the_share_of_the_networks_picture(cli: Any, image_model: Any) -> None:
    model = image_model(Path("m.onnx"), "tanh", scale=3, value_range=(-1.0, 1.0))
    light = np.random.RandomState(0).gamma(0.5, 2, (14, 18, 3)).astype(np.float32)
    source = written(Path("a.exr"), light)
    network = rendered(cli, model, source).pixels
    np.testing.assert_array_equal(rendered(cli, model, source, "--mix", 1).pixels, network)
    plate = rendered(cli, model, source, "--mix", 0).pixels
    expected = np.moveaxis(lanczos(np.ascontiguousarray(np.moveaxis(light, -1, 0)), 3), 0, -1)
    np.testing.assert_array_equal(plate, expected)
    half = rendered(cli, model, source, "--mix", 0.25).pixels
    np.testing.assert_allclose(half, 0.25 * network + 0.75 * plate, rtol=1e-5, atol=1e-6)


def test_a_mix_has_the_same_matte_and_no_fringe(cli: Any, image_model: Any) -> None:
    y, x = np.mgrid[:40, :40]
    alpha = np.clip(14.5 - np.hypot(y - 19.5, x - 19.5), 0, 1).astype(np.float32)[..., None]
    colour = np.array([0.8, 0.4, 0.1], np.float32)
    source = written(Path("disc.exr"), np.concatenate([colour * alpha, alpha], 2))
    model = image_model(Path("m.onnx"), scale=2)
    whole = rendered(cli, model, source).pixels
    for share in (0, 0.5):
        made = rendered(cli, model, source, "--mix", share).pixels
        np.testing.assert_array_equal(made[..., 3], whole[..., 3])
        np.testing.assert_allclose(made[..., :3], colour * made[..., 3:], atol=2e-4)


def test_a_translator_is_dialled_back_to_the_plate_itself(cli: Any, image_model: Any) -> None:
    model = image_model(Path("m.onnx"), "tanh", value_range=(-1.0, 1.0))
    light = np.random.RandomState(0).gamma(0.5, 2, (10, 12, 4)).astype(np.float32)
    light[..., 3] = 1
    source = written(Path("a.exr"), light)
    np.testing.assert_array_equal(rendered(cli, model, source, "--mix", 0).pixels, light)


def test_a_highlight_of_400_leaves_no_ring_in_a_mix(cli: Any) -> None:
    light = np.full((24, 24, 3), 0.02, np.float32)
    light[8:16, 8:16] = 400
    source = written(Path("a.exr"), light)
    plate = rendered(cli, "upscaler", source, "--mix", 0).pixels
    assert plate.min() == np.float32(0.02)
    assert plate.max() == 400
    network = rendered(cli, "upscaler", source).pixels
    half = rendered(cli, "upscaler", source, "--mix", 0.5).pixels
    assert half.max() <= (network.max() + 400) / 2
    assert half.min() >= (network.min() + 0.02) / 2 - 1e-6


@pytest.mark.parametrize("scale", [1, 2])
def test_a_mix_of_a_tall_plate_is_that_of_the_whole_picture(
    cli: Any, image_model: Any, tmp_path: Path, scale: int
) -> None:
    pixels = np.random.RandomState(8).uniform(0, 2, (150, 12, 3)).astype(np.float32)
    source, model = written(tmp_path / "a.exr", pixels), image_model(tmp_path / "m.onnx", "smooth", scale=scale)
    network = rendered(cli, model, source).pixels
    plate = np.moveaxis(lanczos(np.moveaxis(pixels, -1, 0).copy(), scale), 0, -1)
    made = rendered(cli, model, source, "--mix", 0.25).pixels
    np.testing.assert_allclose(made, 0.25 * network + 0.75 * plate, rtol=1e-5, atol=1e-6)
