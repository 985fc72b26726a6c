"""Grain: measured as it was made, put back as strong and as large, in the same place whatever is rendered around it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.render.grain import NO_GRAIN, Grain, measure_grain
from vfxgan.render.grain_field import grainy, white

SIZE = (560, 800)


def blurred(fields: np.ndarray, size: float) -> np.ndarray:
    """A periodic Gaussian blur, by Fourier: independent of the one that is tested."""
    if size == 0:
        return fields
    down, across = np.fft.fftfreq(fields.shape[-2])[:, None], np.fft.rfftfreq(fields.shape[-1])
    transfer = np.exp(-2 * (np.pi * size) ** 2 * (down**2 + across**2))
    made = np.fft.irfft2(np.fft.rfft2(fields) * transfer, s=fields.shape[-2:])
    return made / made.std(axis=(-2, -1), keepdims=True)


def deviation(light: Any) -> Any:
    return 0.002 + 0.02 * np.sqrt(light)


def shot(size: float = 0.7, correlation: float = 0.3, *, seed: int = 0, height: int = 0, width: int = 0) -> np.ndarray:
    """[3, H, W]: smooth shades from 0.05 to 1.5 with grain of a known strength, size and correlation."""
    height, width = height or SIZE[0], width or SIZE[1]
    y, x = np.mgrid[:height, :width]
    shade = 0.05 + 1.2 * (x / width) ** 2 + 0.25 * (y / height)
    stream = np.random.RandomState(seed)
    fields = np.sqrt(correlation) * stream.randn(1, height, width)
    fields = blurred(fields + np.sqrt(1 - correlation) * stream.randn(3, height, width), size)
    return (shade + deviation(shade) * fields).astype(np.float32)


def reader(light: np.ndarray) -> Callable[[slice, slice], np.ndarray]:
    return lambda rows, columns: light[:, rows, columns]


def measured(light: np.ndarray) -> Grain:
    return measure_grain(reader(light), *light.shape[1:])


@pytest.mark.parametrize(("size", "correlation"), [(0.0, 0.0), (0.5, 1.0), (0.7, 0.3), (1.0, 0.6), (1.5, 0.0)])
def test_grain_is_measured_as_it_was_made(size: float, correlation: float) -> None:
    grain = measured(shot(size, correlation))
    assert grain.levels.shape[1] >= 4
    np.testing.assert_allclose(grain.deviations, deviation(grain.levels), rtol=0.15)
    assert abs(np.mean(grain.deviations / deviation(grain.levels)) - 1) < 0.06
    assert grain.size_px == pytest.approx(size, abs=0.3 if size == 0 else 0.15)
    np.testing.assert_allclose(
        grain.correlations, np.full((3, 3), correlation) + np.eye(3) * (1 - correlation), atol=0.1
    )


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_grain_comes_back_as_strong_and_as_large_in_the_scene(scale: int) -> None:
    grain = measured(shot(1.0, 0.5)).scaled(scale, 1.0)
    flat = np.full((3, 400, 500), 0.4, np.float32)
    made = grain.add(flat.copy(), 7, 0, 0) - flat
    np.testing.assert_allclose(made.std(axis=(1, 2)), deviation(0.4), rtol=0.1)
    assert np.abs(made.mean(axis=(1, 2))).max() < 0.1 * deviation(0.4)
    assert np.corrcoef(made[0].ravel(), made[1].ravel())[0, 1] == pytest.approx(0.5, abs=0.1)
    # Seen from as far, it is the plate's: the means over what was one pixel correlate as pixels did.
    seen = made.reshape(3, 400 // scale, scale, 500 // scale, scale).mean(axis=(2, 4))
    neighbours = np.corrcoef(seen[1, :, 1:].ravel(), seen[1, :, :-1].ravel())[0, 1]
    assert neighbours == pytest.approx(np.exp(-1 / 4), abs=0.1)
    assert seen.std() == pytest.approx(deviation(0.4), rel=0.2)


def test_an_amount_is_a_share_of_the_grain() -> None:
    grain, flat = measured(shot()), np.full((3, 64, 64), 0.4, np.float32)
    whole, half = (grain.scaled(2, amount).add(flat.copy(), 1, 0, 0) - flat for amount in (1.0, 0.5))
    np.testing.assert_allclose(half, whole / 2, atol=1e-6)


def test_black_stays_black_where_the_plates_blacks_are_clean() -> None:
    grain = measured(shot()).scaled(2, 1.0)
    black = np.zeros((3, 50, 50), np.float32)
    assert not grain.add(black, 1, 0, 0).any()
    dark = np.random.RandomState(0).normal(0, 0.004, (3, 300, 400)).astype(np.float32)
    noisy = measured(dark).scaled(1, 1.0).add(np.zeros((3, 300, 400), np.float32), 1, 0, 0)
    assert noisy.std() == pytest.approx(0.004, rel=0.1)
    assert abs(noisy.mean()) < 1e-4


def test_a_clean_picture_has_no_grain() -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    shade = (0.2 + 0.001 * x + 0.05 * np.sin(y / 60)).astype(np.float16).astype(np.float32)
    assert measured(np.stack([shade, shade * 0.5, shade * 0 + 0.3])).is_none
    assert measured(np.zeros((3, 100, 100), np.float32)).is_none
    assert measured(shot()[:, :15]).is_none  # too little to tell
    light = np.ones((3, 4, 4), np.float32)
    np.testing.assert_array_equal(NO_GRAIN.scaled(2, 1.0).add(light.copy(), 1, 0, 0), light)


def test_texture_is_not_taken_for_grain() -> None:
    light = shot(0.5)
    textured = light * np.random.RandomState(1).uniform(0.3, 1.7, light.shape[1:])
    textured = np.where(np.arange(SIZE[1]) % 200 < 120, textured, light).astype(np.float32)  # two fifths are flat
    grain = measured(textured)
    np.testing.assert_allclose(grain.deviations, deviation(grain.levels), rtol=0.3)
    all_over = light * np.random.RandomState(1).uniform(0.3, 1.7, light.shape[1:])
    assert measured(all_over.astype(np.float32)).is_none


def test_what_is_measured_does_not_depend_on_how_large_the_plate_is_in_memory() -> None:
    largest = 0

    def read(rows: slice, columns: slice) -> np.ndarray:
        nonlocal largest
        height, width = rows.stop - rows.start, columns.stop - columns.start
        largest = max(largest, height * width)
        return np.random.RandomState(rows.start * 7919 + columns.start).normal(0.5, 0.01, (3, height, width))

    grain = measure_grain(read, 4320, 7680)
    assert largest <= 32 * 32
    np.testing.assert_allclose(grain.deviations, 0.01, rtol=0.1)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**31), st.integers(-9000, 9000), st.integers(-9000, 9000), st.sampled_from([0.0, 0.6, 2.3]),
    st.integers(0, 30), st.integers(0, 20),
)  # fmt: skip
def test_a_region_is_a_part_of_every_larger_one(
    number: int, x: int, y: int, size: float, right: int, down: int
) -> None:
    whole = grainy(number, 1, x, y, 40, 50, size)
    part = grainy(number, 1, x + right, y + down, 20, 20, size)
    np.testing.assert_array_equal(whole[down : down + 20, right : right + 20], part)


def test_the_numbers_are_independent_and_always_the_same() -> None:
    fields = [white(number, channel, 0, 0, 300, 300) for number in (1, 2) for channel in (0, 1)]
    for place, field in enumerate(fields):
        assert abs(field.mean()) < 0.02
        assert field.std() == pytest.approx(1, abs=0.02)
        for other in fields[:place]:
            assert abs(np.corrcoef(field.ravel(), other.ravel())[0, 1]) < 0.02
    for shifted in (fields[0][1:, :], fields[0][:, 1:], fields[0][7:, 3:]):
        same = fields[0][: shifted.shape[0], : shifted.shape[1]]
        assert abs(np.corrcoef(same.ravel(), shifted.ravel())[0, 1]) < 0.02
    # Integers made these: they may change with no machine and no version.
    np.testing.assert_allclose(white(1001, 0, -3, 5, 1, 4)[0], PINNED, atol=1e-6)


PINNED = [0.8705976, -1.7830058, -1.1190566, -0.7614194]


def written(path: Path, light: np.ndarray, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.moveaxis(light, 0, -1)
    write_picture(path, Picture(np.ascontiguousarray(pixels), ("R", "G", "B", "A")[: pixels.shape[2]], **options))
    return path


def rendered(cli: Any, model: Path, source: object, out: str, *options: object) -> np.ndarray:
    result = cli("render", model, "--in", source, "--out", out, "--overwrite", *options)
    assert result.code == 0, result
    return read_picture(Path(out)).pixels if "#" not in out else np.empty(0)


@pytest.mark.parametrize("model", ["upscaler", "identity", "smooth"])
def test_a_frame_has_the_grain_of_its_plate_whatever_the_network_left(
    cli: Any, image_model: Any, tmp_path: Path, model: str
) -> None:
    light = shot(0.6, height=160, width=320)
    source, wanted = written(tmp_path / "a.0007.exr", light), measured(light)
    path: Any = model
    if model != "upscaler":
        path = image_model(tmp_path / "m.onnx", model, scale=2)
    strength = {}
    for options in ((), ("--regrain", 1), ("--regrain", 2)):
        made = measured(np.moveaxis(rendered(cli, path, source, "o.exr", *options), -1, 0).astype(np.float32))
        strength[options] = np.mean(made.deviations / deviation(made.levels)) if not made.is_none else 0.0
    plate = np.mean(wanted.deviations / deviation(wanted.levels))
    assert strength[()] < (0.3 if model == "smooth" else 0.95) * plate
    assert strength["--regrain", 1] == pytest.approx(plate, rel=0.12)
    assert strength["--regrain", 2] == pytest.approx(2 * plate, rel=0.15)


def test_grain_that_the_network_left_is_not_taken_away(cli: Any, image_model: Any, tmp_path: Path) -> None:
    source = written(tmp_path / "a.exr", shot(height=100, width=130))
    model = image_model(tmp_path / "same.onnx")
    plain = rendered(cli, model, source, "plain.exr")
    for amount in (0.5, 0.99):
        np.testing.assert_array_equal(rendered(cli, model, source, "b.exr", "--regrain", amount), plain)
    result = cli("render", model, "--in", source, "--out", "c.exr", "--regrain", 0.9)
    assert "the network keeps the grain of some plates: none is missing, so none is put back on them" in result.err
    assert "no grain was found" not in result.err


@pytest.mark.parametrize("options", [(), ("--mix", 0.5, "--encoding", "acescct")])
def test_grain_does_not_depend_on_tiles_or_threads(
    cli: Any, image_model: Any, tmp_path: Path, frames_of: Any, options: tuple[object, ...]
) -> None:
    tiling = {"mode": "tiles", "overlap_px": 2, "overlap_error": 0.0, "receptive_field_px": 2}
    model = image_model(tmp_path / "large.onnx", scale=2, tiling=tiling)
    light = shot(height=90, width=150)
    for number in (1, 2, 3):
        written(tmp_path / "p" / f"{number:04d}.exr", light.astype(np.float16))
    made = []
    for folder, how in (("a", ("--threads", 1)), ("b", ("--threads", 3))):
        rendered(cli, model, tmp_path / "p" / "####.exr", f"{folder}/####.exr", "--regrain", 1, *how, *options)
        made.append(frames_of(tmp_path / folder))
    assert made[0] == made[1]
    assert len({name: read_picture(tmp_path / "a" / name).pixels.tobytes() for name in made[0]}) == 3
    frames = [read_picture(tmp_path / "a" / name).pixels for name in sorted(made[0])]
    assert not np.array_equal(frames[0], frames[1])  # the same plate, another frame: other grain
    rendered(cli, model, tmp_path / "p" / "####.exr", "c/####.exr", "--regrain", 1, "--tile", 64, *options)
    for frame, name in zip(frames, sorted(made[0]), strict=True):
        tiled = read_picture(tmp_path / "c" / name).pixels
        np.testing.assert_allclose(tiled.astype(float), frame.astype(float), rtol=2e-3, atol=1e-5)


def test_a_moving_window_does_not_move_the_grain(cli: Any, image_model: Any, tmp_path: Path) -> None:
    model = image_model(tmp_path / "large.onnx", scale=2)
    light, display = shot(height=120, width=200), (0, 0, 200, 120)
    inside = light[:, 10:110, 20:180]
    moved = written(tmp_path / "b.0005.exr", inside, origin=(20, 10), display=display)
    whole = written(tmp_path / "a.0005.exr", light, display=display)
    grains = []
    for source in (whole, moved):
        grains.append(rendered(cli, model, source, "o.exr", "--regrain", 1) - rendered(cli, model, source, "o.exr"))
    there, here = grains[0][24:-24, 44:-44], grains[1][4:-4, 4:-4]
    assert there.shape == here.shape
    assert np.corrcoef(there.ravel(), here.ravel())[0, 1] > 0.97  # the measured strength may differ, the pattern not


def test_grain_is_made_again_byte_for_byte(cli: Any, image_model: Any, tmp_path: Path) -> None:
    model = image_model(tmp_path / "large.onnx", scale=2)
    source = written(tmp_path / "p" / "0004.exr", shot(height=64, width=96).astype(np.float16))
    rendered(cli, model, source, "o/####.exr", "--regrain", 0.8, "--mix", 0.25, "--encoding", "srgb")
    checked = cli("verify", "o/####.exr", "--rerender", 1, "--model", model, "--in", source)
    assert checked.code == 0, checked
    first = Path("o/0004.exr").read_bytes()
    again = cli("render", model, "--in", source, "--out", "again/####.exr", "--like", "o/0004.exr")
    assert again.code == 0, again
    assert Path("again/0004.exr").read_bytes() == first


def test_the_number_that_grain_is_keyed_by_is_in_the_recipe(cli: Any, image_model: Any, tmp_path: Path) -> None:
    model = image_model(tmp_path / "large.onnx", scale=2)
    pixels = shot(height=64, width=96).astype(np.float16)
    for number in (6, 7):
        written(tmp_path / "p" / f"{number:04d}.exr", pixels)  # held: the same bytes
    rendered(cli, model, tmp_path / "p" / "0007.exr", "x.exr", "--regrain", 2)
    checked = cli("verify", "x.exr", "--rerender", 1, "--model", model, "--in", tmp_path / "p" / "####.exr")
    assert checked.code == 0, checked
    # Renamed, plate and frame: the grain is no longer that of its number, and nobody takes it for done.
    rendered(cli, model, tmp_path / "p" / "####.exr", "o/####.exr", "--regrain", 2)
    (tmp_path / "p" / "0007.exr").rename(tmp_path / "p" / "0107.exr")
    Path("o/0007.exr").rename("o/0107.exr")
    again = cli("render", model, "--in", tmp_path / "p" / "####.exr", "--out", "o/####.exr", "--regrain", 2)
    assert again.code == 2
    assert "its grain is of frame 7, not 107" in again.err
    checked = cli("verify", "o/0107.exr", "--rerender", 1, "--model", model, "--in", tmp_path / "p" / "####.exr")
    assert checked.code == 0, checked


def test_what_alpha_does_not_cover_stays_empty_and_a_clean_plate_as_it_is(
    cli: Any, image_model: Any, tmp_path: Path
) -> None:
    model = image_model(tmp_path / "large.onnx", scale=2)
    alpha = np.zeros((1, 128, 192), np.float32)
    alpha[:, 32:96, 32:160] = 1
    element = np.concatenate([shot(height=128, width=192) * alpha, alpha])
    source = written(tmp_path / "element.exr", element)
    made = rendered(cli, model, source, "a.exr", "--regrain", 1)
    assert not made[made[..., 3] == 0].any()
    plain = rendered(cli, model, source, "b.exr")
    np.testing.assert_array_equal(made[..., 3], plain[..., 3])
    covered = plain[..., 3] == 1
    assert (made - plain)[covered].std() > 0.003
    clean = written(tmp_path / "clean.exr", np.full((3, 64, 96), 0.4, np.float32))
    result = cli("render", model, "--in", clean, "--out", "c.exr", "--regrain", 1)
    assert "no grain was found" in result.err
    np.testing.assert_array_equal(read_picture(Path("c.exr")).pixels, rendered(cli, model, clean, "d.exr"))


@pytest.mark.parametrize("frame", [1, 2, 3, 4])
def test_a_rendered_shot_has_no_grain(plates: Path, frame: int) -> None:
    pixels = read_picture(plates / "beachball" / f"singlepart.000{frame}.exr").pixels[..., :3]
    assert measured(np.moveaxis(pixels.astype(np.float32), -1, 0)).is_none


def test_a_photograph_has_little(plates: Path) -> None:
    pixels = read_picture(plates / "photos" / "Carrots.exr").pixels[..., :3]
    grain = measured(np.moveaxis(pixels.astype(np.float32), -1, 0))
    share = grain.deviations / np.maximum(grain.levels, 0.05)
    assert 0.002 < share.mean() < 0.02


def test_a_grey_plate_stays_grey(cli: Any, image_model: Any, tmp_path: Path) -> None:
    grey = shot(0.6, 1.0, height=100, width=160)[:1]
    write_picture(tmp_path / "grey.exr", Picture(np.ascontiguousarray(np.moveaxis(grey, 0, -1)), ("Y",)))
    model = image_model(tmp_path / "large.onnx", scale=2)
    made = rendered(cli, model, tmp_path / "grey.exr", "o.exr", "--regrain", 2)
    assert not np.array_equal(made, rendered(cli, model, tmp_path / "grey.exr", "p.exr"))
    np.testing.assert_array_equal(made, np.repeat(made[..., :1], 3, axis=2))


def test_a_model_of_one_size_gets_its_trial_in_that_size(cli: Any, image_model: Any, tmp_path: Path) -> None:
    model = image_model(tmp_path / "static.onnx", size=(72, 100))
    source = written(tmp_path / "a.exr", shot(height=70, width=96))
    made = rendered(cli, model, source, "o.exr", "--regrain", 2) - rendered(cli, model, source, "p.exr")
    assert made.std() > 0.005
