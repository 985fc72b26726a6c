"""Dead-leaves pictures: what the upscaler's training relies on."""

import numpy as np
import pytest

from vfxgan.images import read_picture
from vfxgan.trainer.leaves import leaves

SAMPLE = [leaves(3, index, 96) for index in range(16)]


def test_light_is_scene_linear_and_some_of_it_exceeds_one():
    for picture in SAMPLE:
        assert picture.shape == (96, 96, 3)
        assert picture.dtype == np.float32
        assert np.isfinite(picture).all()
        assert picture.min() >= 0
        assert picture.max() <= 64
    assert sum(picture.max() > 2 for picture in SAMPLE) >= 4
    assert 0.05 < np.median([np.median(picture) for picture in SAMPLE]) < 0.6


def test_pictures_differ_in_what_they_hold_and_how_bright_they_are():
    assert len({picture.tobytes() for picture in SAMPLE}) == len(SAMPLE)
    medians = [float(np.median(picture)) for picture in SAMPLE]
    assert max(medians) > 2 * min(medians)


def test_colours_vary_within_a_picture():
    ratios = [np.log((p[..., 0] + 1e-3) / (p[..., 2] + 1e-3)).std() for p in SAMPLE]
    assert np.median(ratios) > 0.1


def test_their_power_spectrum_falls_by_a_power_as_that_of_photographs_does():
    """About 1/f² over many photographs, between 1/f and 1/f³⁺ for one: Field 1987; van der Schaaf 1996."""
    power = np.zeros((96, 96))
    window = np.hanning(96)[:, None] * np.hanning(96)[None]
    for picture in SAMPLE:
        field = np.log(picture.mean(2) + 0.01)
        power += np.abs(np.fft.fft2((field - field.mean()) * window)) ** 2
    cycles = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.fftfreq(96)[None])
    ring = (cycles > 0.04) & (cycles < 0.25)
    slope, _ = np.polyfit(np.log(cycles[ring]), np.log(power[ring]), 1)
    assert -3.5 < slope < -1.2


def test_a_light_does_not_ring():
    """No pixel is black just because a light is near: the lens has no negative taps."""
    bright = [picture for picture in SAMPLE if picture.max() > 8]
    assert bright
    for picture in bright:
        y, x, channel = np.unravel_index(int(picture.argmax()), picture.shape)
        around = picture[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2, channel]
        assert (around > 0).all()


@pytest.mark.parametrize("processes", [1, 2])
def test_the_same_seed_gives_the_same_files_in_any_number_of_processes(cli, tmp_path, processes):
    arguments = ("--count", 18, "--size", 32, "--seed", 7, "--processes", processes, "--progress", "none")
    assert cli("dataset", "leaves", "--out", tmp_path / "a", *arguments).code == 0
    for index in range(18):
        picture = read_picture(tmp_path / "a" / f"{index:06d}.exr")
        assert picture.channels == ("R", "G", "B")
        assert picture.pixels.dtype == np.float16
        np.testing.assert_array_equal(picture.pixels, leaves(7, index, 32).astype(np.float16))


def test_a_rerun_makes_only_what_is_missing_and_the_same_bytes(cli, tmp_path):
    arguments = ("dataset", "leaves", "--out", tmp_path, "--count", 3, "--size", 32, "--progress", "none")
    assert cli(*arguments).code == 0
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.exr")}
    (tmp_path / "000001.exr").unlink()
    assert cli(*arguments).code == 0
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.exr")} == before


def test_a_folder_of_other_pictures_is_refused(cli, tmp_path):
    arguments = ("--out", tmp_path, "--count", 1, "--size", 32, "--progress", "none")
    assert cli("dataset", "leaves", *arguments, "--seed", 1).code == 0
    other = cli("dataset", "leaves", *arguments, "--seed", 2)
    assert other.code == 2
    assert "holds other leaves (vfxgan leaves: seed 1, size 32)" in other.line
    other = cli("dataset", "elements", *arguments, "--seed", 1)
    assert other.code == 2
    assert "EXR files that are not from this command" in other.line


@pytest.mark.parametrize(
    ("option", "value", "line"),
    [("--size", 16, "--size 16 is outside 32 … 1024"), ("--count", 0, "--count 0 is outside 1 … 999999")],
)
def test_impossible_sizes_and_counts_get_one_line(cli, tmp_path, option, value, line):
    told = cli("dataset", "leaves", "--out", tmp_path / "d", option, value, "--progress", "none")
    assert told.code == 2
    assert line in told.line
    assert not (tmp_path / "d").exists()
