"""High-resolution pictures and their degraded selves."""

import numpy as np
import pytest
import torch

from vfxgan.errors import DataError
from vfxgan.images import read_picture
from vfxgan.trainer.data.augment import Augment
from vfxgan.trainer.data.degraded import degrade_bicubic, open_degraded
from vfxgan.trainer.data.jpeg import jpeg_round_trip
from vfxgan.trainer.data.real import blurred, degrade_real


def open_set(folder, store, **changes):
    known = {"scale": 2, "crop": 32, "degradation": "bicubic", "peak": 1.0, "augment": Augment()}
    return open_degraded(folder, store=store(), **{**known, **changes})


@pytest.fixture
def folder(tmp_path, save, noise):
    save(tmp_path / "in" / "a.png", (noise(90, 120) * np.float16(255)).astype(np.uint8))
    return tmp_path / "in"


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_torchs_antialiased_one(scale):
    high = torch.rand(2, 3, 24, 36, generator=torch.Generator().manual_seed(1))
    wanted = torch.nn.functional.interpolate(high, scale_factor=1 / scale, mode="bicubic", antialias=True)
    assert torch.allclose(degrade_bicubic(high, scale), wanted.clamp(0, 1), atol=1e-6)


def test_bicubic_is_imresizes_kernel():
    """Along one axis: Keys' cubic with a = −0.5, widened by the scale, its weights summing to 1."""
    scale, row = 2, torch.rand(1, 1, 1, 40, generator=torch.Generator().manual_seed(2))
    high = row.expand(1, 1, 40, 40)
    x = torch.arange(40).float()
    centre = (7 + 0.5) * scale - 0.5
    t = ((x - centre) / scale).abs()
    near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    weights = torch.where(t <= 1, near, torch.where(t < 2, far, torch.zeros(())))
    wanted = (row[0, 0, 0] * weights).sum() / weights.sum()
    assert degrade_bicubic(high, scale)[0, 0, 10, 7].item() == pytest.approx(wanted.clamp(0, 1).item(), abs=1e-5)


def test_a_side_that_is_no_multiple_of_the_scale_is_refused():
    with pytest.raises(ValueError, match="30×31 is no multiple of the scale 4"):
        degrade_bicubic(torch.zeros(1, 3, 31, 30), 4)


@pytest.mark.parametrize("scale", [2, 4])
def test_a_crop_is_degraded_as_the_whole_picture_would_be(folder, store, scale):
    samples = open_set(folder, store, scale=scale)
    whole = samples.cache.picture(0).astype(np.float32)
    seen = 0
    for slot in range(20):
        sample = samples[0, slot]
        assert (sample["low"].dtype, sample["high"].dtype) == (np.float32, np.float32)
        assert (sample["low"].shape, sample["high"].shape) == ((3, 32 // scale, 32 // scale), (3, 32, 32))
        top, left = place_of(sample["high"], whole)
        aligned = whole[:, top % scale :, left % scale :]
        aligned = aligned[:, : aligned.shape[1] // scale * scale, : aligned.shape[2] // scale * scale]
        low = degrade_bicubic(torch.from_numpy(aligned)[None], scale)[0].numpy()
        y, x, side = top // scale, left // scale, 32 // scale
        assert sample["low"] == pytest.approx(low[:, y : y + side, x : x + side], abs=1e-5)
        seen += (top % scale, left % scale) != (0, 0)
    assert seen > 5


def place_of(crop, whole):
    windows = np.lib.stride_tricks.sliding_window_view(whole[0], crop.shape[1:])
    ((top, left),) = np.argwhere((windows == crop[0]).all(axis=(2, 3)))
    return int(top), int(left)


def test_pictures_smaller_than_the_crop_are_left_out_and_counted(folder, store, save, noise):
    save(folder / "small.exr", noise(31, 200))
    save(folder / "fits.exr", noise(32, 32))
    samples = open_set(folder, store)
    assert samples.notes == ["1 of 3 pictures are smaller than the crop of 32 px and are not used"]
    assert len(samples) == 2
    assert {samples[0, slot]["high"].shape for slot in range(20)} == {(3, 32, 32)}


def test_only_small_pictures_are_an_error_that_names_the_crop(folder, store):
    with pytest.raises(DataError, match=r"the only picture is smaller than the crop of 96 px; give a smaller --crop"):
        open_set(folder, store, crop=96)


def test_a_crop_that_is_no_multiple_of_the_scale_is_refused(folder, store):
    with pytest.raises(DataError, match="a crop of 34 px is no multiple of --scale 4; give 32"):
        open_set(folder, store, crop=34, scale=4)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_real_degradation_varies_stays_in_range_and_repeats(folder, store, scale):
    samples = open_set(folder, store, degradation="real", crop=36, scale=scale)
    lows = [samples[0, slot]["low"] for slot in range(30)]
    side = 36 // scale
    assert {low.shape for low in lows} == {(3, side, side)}
    assert all(low.dtype == np.float32 and low.min() >= 0 and low.max() <= 1 for low in lows)
    assert len({low.tobytes() for low in lows}) == 30
    assert all(np.array_equal(samples[0, slot]["low"], lows[slot]) for slot in (29, 0, 15))


def test_real_degradation_keeps_the_picture_in_place():
    """Whatever kernel, size and filter: an edge stays where it is, within a pixel."""
    high = np.zeros((3, 96, 96), np.float32)
    high[:, :, 48:] = 0.8
    edges = []
    for seed in range(40):
        low = degrade_real(high, 4, 2, np.random.default_rng(seed))
        assert low.shape == (3, 20, 20)
        profile = low.mean(axis=(0, 1))
        edges.append(20 - profile.sum() / 0.8)
    assert np.median(edges) == pytest.approx(10, abs=0.3)


def test_blur_is_a_gaussian_of_that_covariance():
    picture = np.zeros((1, 61, 61), np.float32)
    picture[0, 30, 30] = 1
    covariance = np.array([[4.0, 1.5], [1.5, 9.0]])
    result = blurred(picture, covariance)[0].astype(np.float64)
    y, x = np.mgrid[-30:31, -30:31]
    measured = [(result * a * b).sum() / result.sum() for a, b in ((y, y), (y, x), (x, x))]
    assert result.sum() == pytest.approx(1, abs=1e-3)
    assert measured == pytest.approx([4.0, 1.5, 9.0], rel=0.03)


@pytest.mark.parametrize("quality", [30, 60, 95])
def test_jpeg_differs_from_a_real_encoder_far_less_than_that_from_the_picture(tmp_path, save, quality):
    rng = np.random.default_rng(3)
    coarse = torch.from_numpy(rng.random((1, 3, 10, 13)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, (75, 101), mode="bicubic").clamp(0, 1)[0].numpy()
    codes = np.rint((0.8 * smooth + 0.1 * rng.random((3, 75, 101))) * 255).astype(np.uint8)
    path = save(tmp_path / "a.jpg", codes.transpose(1, 2, 0), Compression=f"jpeg:{quality}")
    real = read_picture(path).pixels.transpose(2, 0, 1).astype(np.float32)
    ours = jpeg_round_trip(codes.astype(np.float32) / 255, quality) * 255
    assert ours.shape == (3, 75, 101)
    assert np.abs(ours - real).mean() < 0.25 * np.abs(real - codes).mean() + 0.5
