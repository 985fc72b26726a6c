"""Pictures of any size, brought to one."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vfxgan.colour import decode, encode, encoded_peak
from vfxgan.errors import DataError
from vfxgan.trainer.data.augment import Augment, choose_place
from vfxgan.trainer.data.samples import sample_rng
from vfxgan.trainer.data.single import open_pictures


def open_set(folder, store, **changes):
    known = {"size": 16, "channels": 3, "peak": 1.0, "augment": Augment()}
    return open_pictures(folder, store=store(), **{**known, **changes})


def test_a_picture_of_the_size_goes_through_untouched(tmp_path, store, save, noise):
    pixels = noise(16, 16, 4)
    save(tmp_path / "in" / "a.exr", pixels)
    sample = open_set(tmp_path / "in", store, channels=4)[5, 1]["real"]
    wanted = pixels.astype(np.float32)
    wanted[..., :3] = encode(wanted[..., :3])
    assert (sample.dtype, sample.shape) == (np.float32, (4, 16, 16))
    assert sample == pytest.approx(wanted.transpose(2, 0, 1) * 2 - 1, abs=6e-4)


def test_small_pictures_are_upscaled_and_counted(tmp_path, store, save, noise):
    for number, side in enumerate((5, 16, 15, 40)):
        save(tmp_path / "in" / f"{number}.exr", noise(side, side + 3, 3, number))
    samples = open_set(tmp_path / "in", store)
    assert samples.notes == ["2 of 4 pictures are smaller than 16 px and were upscaled"]
    assert {samples.cache.size(index) for index in range(4)} == {(16, 26), (16, 19), (16, 17)}


def test_a_large_picture_is_reduced_by_the_antialiased_filter(tmp_path, store, save, noise):
    codes = (noise(64, 64) * np.float16(255)).astype(np.uint8)
    save(tmp_path / "in" / "a.png", codes)
    sample = open_set(tmp_path / "in", store)[0, 0]["real"]
    signal = torch.from_numpy(codes.transpose(2, 0, 1).astype(np.float32) / 255)[None]
    wanted = torch.nn.functional.interpolate(signal, (16, 16), mode="bicubic", antialias=True).clamp(0, 1)[0]
    assert (sample + 1) / 2 == pytest.approx(wanted.numpy(), abs=1e-3)


def test_crops_fall_anywhere_and_in_the_centre_if_asked(tmp_path, store, save):
    columns = np.broadcast_to(np.arange(64, dtype=np.uint8)[None, :, None], (16, 64, 3))
    save(tmp_path / "in" / "a.png", columns)
    lefts = {round((open_[0, 0, 0] + 1) * 127.5) for open_ in drawn(open_set(tmp_path / "in", store), 200)}
    assert min(lefts) < 4
    assert max(lefts) > 44
    centred = open_set(tmp_path / "in", store, augment=Augment(crop=False))
    assert {round((picture[0, 0, 0] + 1) * 127.5) for picture in drawn(centred, 5)} == {24}


def drawn(samples, count):
    return [samples[0, slot]["real"] for slot in range(count)]


def test_flips_and_turns_give_all_eight_orientations_and_nothing_else(tmp_path, store, save, noise):
    save(tmp_path / "in" / "a.exr", noise(16, 16))
    base = open_set(tmp_path / "in", store)[0, 0]["real"]
    wanted = {np.rot90(each, k, (1, 2)).tobytes() for each in (base, base[:, :, ::-1]) for k in range(4)}
    every = open_set(tmp_path / "in", store, augment=Augment(flip=True, vertical=True, turns=True))
    assert {picture.tobytes() for picture in drawn(every, 100)} == wanted
    flipped = open_set(tmp_path / "in", store, augment=Augment(flip=True))
    assert {picture.tobytes() for picture in drawn(flipped, 30)} == {base.tobytes(), base[:, :, ::-1].tobytes()}


def test_exposure_multiplies_light_and_leaves_alpha(tmp_path, store, save):
    save(tmp_path / "in" / "a.exr", np.full((16, 16, 4), [0.25, 0.25, 0.25, 0.5], np.float16))
    samples = open_set(tmp_path / "in", store, channels=4, peak=4.0, augment=Augment(exposure_stops=1.0))
    seen = np.stack(drawn(samples, 200))[:, :, 0, 0]
    light = decode((seen[:, :3] + 1) / 2 * np.float32(encoded_peak(4.0)))
    assert seen[:, 3] == pytest.approx(np.zeros(200), abs=1e-3)
    assert np.ptp(light, axis=1).max() < 1e-3
    assert 0.124 < light.min() < 0.14
    assert 0.45 < light.max() < 0.502


def test_colour_changes_channels_apart(tmp_path, store, save):
    save(tmp_path / "in" / "a.exr", np.full((16, 16, 3), 0.25, np.float16))
    seen = np.stack(drawn(open_set(tmp_path / "in", store, augment=Augment(colour=0.1)), 20))[:, :, 0, 0]
    assert 0.01 < np.ptp(seen, axis=1).mean() < 0.2


def test_scale_enlarges_up_to_its_bound_without_losing_resolution(tmp_path, store, save):
    columns = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (64, 64, 3))
    save(tmp_path / "in" / "a.png", columns)
    samples = open_set(tmp_path / "in", store, augment=Augment(scale=(1.0, 2.0)))
    assert samples.cache.size(0) == (32, 32)
    spans = [np.ptp(picture[0, 8]) for picture in drawn(samples, 60)]
    assert 0.9 < min(spans) < 1.1
    assert 1.7 < max(spans) <= 2


def test_what_was_clipped_is_said(tmp_path, store, save):
    save(tmp_path / "in" / "a.exr", np.full((16, 16, 3), 20, np.float16))
    save(tmp_path / "in" / "b.exr", np.full((16, 16, 3), -0.1, np.float16))
    notes = open_set(tmp_path / "in", store, peak=16.0).notes
    assert notes == ["light above --peak 16 in 1 picture, clipped there", "negative light in 1 picture, clipped at 0"]


def test_an_empty_and_a_missing_folder_are_named(tmp_path, store):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: holds no picture \(\.exr, "):
        open_set(tmp_path / "empty", store)
    with pytest.raises(DataError, match=r"--data .*none: no such folder; check the path, or make one with"):
        open_set(tmp_path / "none", store)


def test_validation_pictures_are_the_same_each_time_and_not_augmented(tmp_path, store, save, noise):
    for number in range(4):
        save(tmp_path / "in" / f"{number}.exr", noise(16, 24, 3, number))
    plain = open_set(tmp_path / "in", store, held_out=2).validation(5)
    rich = Augment(flip=True, vertical=True, turns=True, exposure_stops=2.0, colour=1.0)
    augmented = open_set(tmp_path / "in", store, held_out=2, augment=rich).validation(2)
    assert len(plain) == len(augmented) == 2
    for one, other in zip(plain, augmented, strict=True):
        assert np.array_equal(one["real"], other["real"])
        assert one["real"].shape == (3, 16, 16)


@given(
    st.tuples(st.integers(8, 90), st.integers(8, 90)),
    st.tuples(st.integers(4, 8), st.integers(4, 8)),
    st.floats(0.3, 1.5),
    st.integers(0, 2**32),
)
def test_a_place_is_always_inside_its_picture(picture, crop, low, slot):
    augment = Augment(True, True, True, (low, low * 1.7), 1.0, 0.5)
    place = choose_place(picture, crop, augment, sample_rng(0, 1, slot))
    assert 0 <= place.top <= picture[0] - place.height
    assert 0 <= place.left <= picture[1] - place.width
    assert place.height >= 1
    assert place.width >= 1
    cut = place.cut(np.zeros((2, *picture), np.float16), crop)
    assert cut.shape == (2, *crop)
