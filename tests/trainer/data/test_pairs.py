"""Pairs: matching, cropping as one, and light that stays in step."""

import numpy as np
import pytest

from vfxgan.errors import DataError
from vfxgan.trainer.data.augment import Augment
from vfxgan.trainer.data.pairs import open_pairs


@pytest.fixture
def folders(tmp_path, save):
    """Two folders; the target's codes are the source's plus 100."""

    def make(names, others, size=(20, 24)):
        for number, name in enumerate(names):
            save(tmp_path / "a" / name, coded(size, number))
        for number, name in enumerate(others):
            save(tmp_path / "b" / name, coded(size, number) + np.uint8(100))
        return tmp_path / "a", tmp_path / "b"

    return make


def coded(size, number):
    """Every pixel of a picture has its own code below 100."""
    height, width = size
    plane = (np.arange(height)[:, None] * 3 + np.arange(width)[None] * 2 + number) % 100
    return np.repeat(plane[..., None], 3, axis=2).astype(np.uint8)


def open_set(folders, store, **changes):
    known = {"crop": 16, "channels": (3, 3), "peak": 1.0, "augment": Augment(), "store": store()}
    return open_pairs(*folders, **{**known, **changes})


def codes(picture):
    return np.rint((picture + 1) * 127.5)


@pytest.mark.parametrize(
    ("names", "others"),
    [
        (["x.png", "y.png"], ["x.png", "y.png"]),
        (["x.png", "y.png"], ["x.tif", "y.tif"]),
        (["plate_v2.0099.png", "plate_v2.0100.png"], ["matte.99.png", "matte.100.png"]),
        (["beauty.0001_left.png", "same.png"], ["matte_1.png", "same.tif"]),
    ],
)
def test_pairs_match_by_name_then_by_frame_number(folders, store, names, others):
    samples = open_set(folders(names, others), store, augment=Augment(flip=True, vertical=True, turns=True))
    assert len(samples) == 2
    for slot in range(30):
        sample = samples[0, slot]
        assert sample["source"].shape == sample["target"].shape == (3, 16, 16)
        assert np.array_equal(codes(sample["target"]), codes(sample["source"]) + 100)


def test_scale_keeps_pairs_in_step(folders, store):
    samples = open_set(folders(["a.1.png"], ["b.1.png"]), store, augment=Augment(scale=(1.0, 1.4)))
    for slot in range(20):
        sample = samples[0, slot]
        assert sample["target"] - sample["source"] == pytest.approx(np.full((3, 16, 16), 200 / 255), abs=0.01)


def test_all_that_does_not_match_is_listed_in_one_message(folders, store, save):
    pair = folders(["a.1.png", "a.2.png", "a.3.png", "lonely.png"], ["b.1.png", "b.2.png", "b.5.png"])
    save(pair[1] / "b.2.png", coded((20, 30), 0))
    with pytest.raises(DataError) as raised:
        open_set(pair, store)
    message = str(raised.value)
    assert "4 do not match in name or size" in message
    assert "a.2.png is 24×20 but b.2.png is 30×20" in message
    for name, other in (("a.3.png", "b"), ("lonely.png", "b"), ("b.5.png", "a")):
        assert f"{name} has no partner in {pair[0].parent / other}" in message
    assert "\n" not in message


def test_frame_numbers_that_fit_several_are_named(folders, store):
    with pytest.raises(DataError, match=r"left\.7\.png right\.7\.png m\.7\.png share the frame number 7"):
        open_set(folders(["left.7.png", "right.7.png"], ["m.7.png"]), store)


def test_a_long_list_of_misfits_is_cut_and_counted(folders, store):
    with pytest.raises(DataError, match=r"30 do not match .* and 20 more; "):
        open_set(folders([f"a.{n}.png" for n in range(15)], [f"b.{n}.png" for n in range(20, 35)]), store)


def test_the_halves_of_one_picture_are_a_pair(tmp_path, store, save):
    left = coded((20, 24), 0)
    save(tmp_path / "ab" / "a.png", np.concatenate([left, left + np.uint8(100)], axis=1))
    samples = open_set((tmp_path / "ab", None), store, channels=(3, 1))
    sample = samples[0, 0]
    assert (sample["source"].shape, sample["target"].shape) == ((3, 16, 16), (1, 16, 16))
    assert np.abs(codes(sample["target"][0]) - codes(sample["source"][0]) - 100).max() <= 1


def test_side_by_side_pictures_of_odd_width_are_listed(tmp_path, store, save):
    for name, width in (("a.png", 40), ("b.png", 41), ("c.png", 43)):
        save(tmp_path / "ab" / name, coded((20, width), 0))
    with pytest.raises(DataError, match=r"2 side-by-side .* of odd width: b\.png \(41×20\), c\.png \(43×20\); trim"):
        open_set((tmp_path / "ab", None), store)


def test_whole_pictures_need_one_size(folders, store, save):
    pair = folders(["a.1.png", "a.2.png"], ["b.1.png", "b.2.png"])
    sample = open_set(pair, store, crop=None, augment=Augment(turns=True))[0, 0]
    assert sample["source"].shape == (3, 20, 24)
    for folder, name in zip(pair, "ab", strict=True):
        save(folder / f"{name}.2.png", coded((20, 30), 0))
    with pytest.raises(DataError, match=r"the pictures differ in size \(24×20, 30×20\); give --crop"):
        open_set(pair, store, crop=None)


def test_small_pairs_are_upscaled_together_and_counted(folders, store):
    samples = open_set(folders(["a.1.png"], ["b.1.png"], size=(8, 12)), store)
    assert samples.notes == ["1 of 1 pairs are smaller than 16 px and were upscaled"]
    sample = samples[0, 0]
    assert sample["target"] - sample["source"] == pytest.approx(np.full((3, 16, 16), 200 / 255), abs=0.06)


def lights(samples):
    drawn = [samples[0, slot] for slot in range(40)]
    return [{round(float(sample[name].max()), 3) for sample in drawn} for name in ("source", "target")]


def test_light_is_varied_in_both_sides_alike(tmp_path, store, save):
    for folder in "ab":
        save(tmp_path / folder / "0001.exr", np.full((16, 16, 3), 0.2, np.float16))
    samples = open_set((tmp_path / "a", tmp_path / "b"), store, augment=Augment(exposure_stops=1.0, colour=0.2))
    assert len(lights(samples)[0]) > 20
    for slot in range(10):
        assert np.array_equal(samples[1, slot]["source"], samples[1, slot]["target"])


@pytest.mark.parametrize(("swapped", "varied"), [(False, True), (True, False)])
def test_a_matte_keeps_its_values_and_nothing_is_relit_that_is_made_from_one(tmp_path, store, save, swapped, varied):
    save(tmp_path / "a" / "0001.exr", np.full((16, 16, 3), 0.2, np.float16))
    save(tmp_path / "b" / "0001.exr", np.full((16, 16, 1), 0.5, np.float16))
    pair = (tmp_path / "a", tmp_path / "b")
    for channels in ((3, 3), (3, 1)):
        augment = Augment(exposure_stops=1.0)
        plate, matte = lights(open_set(pair, store, channels=channels, augment=augment, swapped=swapped))
        assert (len(plate) > 20) == varied
        assert len(matte) == 1


def test_validation_gives_whole_pairs(folders, store):
    samples = open_set(folders(["a.1.png", "a.2.png"], ["b.1.png", "b.2.png"]), store, held_out=1)
    (pair,) = samples.validation(4)
    assert pair["source"].shape == (3, 20, 24)
    assert np.array_equal(codes(pair["target"]), codes(pair["source"]) + 100)


def test_moving_data_windows_of_real_plates_make_pairs_with_their_alpha(plates, store, tmp_path):
    for number in (1, 3):
        (tmp_path / f"{number}.exr").symlink_to(plates / "beachball" / f"singlepart.{number:04}.exr")
    augment = Augment(flip=True)
    samples = open_pairs(
        tmp_path, tmp_path, crop=256, channels=(3, 4), peak=16.0, augment=augment, store=store(), held_out=1
    )
    assert len(samples) == 1
    (whole,) = samples.validation(1)
    assert whole["source"].shape == (3, 1556, 2048)
    assert np.array_equal(whole["source"], whole["target"][:3])
    assert 0.05 < (whole["target"][3] > 0).mean() < 0.5


def test_a_target_folder_is_named_by_its_option(folders, store, tmp_path):
    pair = folders(["a.1.png"], [])
    with pytest.raises(DataError, match=r"--target .*b: no such folder; check the path"):
        open_set(pair, store)
