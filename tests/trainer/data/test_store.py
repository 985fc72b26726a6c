"""Decoded pictures on disk: made once, shared, bounded, and honest about what was left out."""

import hashlib
import pickle
import resource
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from vfxgan.errors import DataError
from vfxgan.trainer.data.augment import Augment
from vfxgan.trainer.data.decoding import Decoded, Reading, decode_picture
from vfxgan.trainer.data.degraded import open_degraded
from vfxgan.trainer.data.filling import SPARE_BYTES, Item, Order
from vfxgan.trainer.data.pairs import open_pairs
from vfxgan.trainer.data.single import open_pictures
from vfxgan.trainer.data.store import Store
from vfxgan.trainer.options import RunOptions


def open_small(folder, store, **changes):
    return open_pictures(
        folder, **{"size": 8, "channels": 3, "peak": 1.0, "augment": Augment(), "store": store} | changes
    )


@pytest.fixture
def pictures(tmp_path, save, noise):
    for number in range(6):
        save(tmp_path / "in" / f"{number:03}.exr", noise(8, 8, 3, number))
    return tmp_path / "in"


def left_in(store):
    return {path.name: path.stat().st_mtime_ns for path in store.folder.iterdir() if path.name != ".lock"}


def test_a_second_run_opens_what_the_first_one_decoded(pictures, store):
    first = open_small(pictures, store())
    before = left_in(store())
    second = open_small(pictures, store())
    assert left_in(store()) == before
    assert len(before) == 2
    assert first == second
    assert np.array_equal(first[4, 2]["real"], second[4, 2]["real"])


@pytest.mark.parametrize(
    "change", [{"channels": 4}, {"peak": 4.0}, {"size": 12}, {"store": {"bad_pixels": "clamp"}}], ids=str
)
def test_what_changes_the_numbers_makes_another_cache(pictures, store, change):
    open_small(pictures, store())
    changed = store(**change["store"]) if "store" in change else store()
    open_small(pictures, changed, **{key: value for key, value in change.items() if key != "store"})
    assert len(left_in(store())) == 4


def test_a_damaged_cache_is_made_again(pictures, store):
    first = open_small(pictures, store())
    wanted = first[0, 0]["real"]
    index = first.cache.path.with_suffix(".json")
    for damage in (index.unlink, lambda: index.write_text("{"), lambda: first.cache.path.write_bytes(b"short")):
        damage()
        assert np.array_equal(open_small(pictures, store())[0, 0]["real"], wanted)


def test_the_digest_is_of_names_and_bytes(pictures, store, save, noise, tmp_path):
    first = open_small(pictures, store()).digest
    save(pictures / "005.exr", noise(8, 8, 3, 77))
    second = open_small(pictures, store()).digest
    (pictures / "005.exr").rename(pictures / "006.exr")
    third = open_small(pictures, store()).digest
    assert len({first, second, third}) == 3
    assert {len(first), len(second), len(third)} == {64}


def test_a_run_removes_its_own_outdated_cache_and_a_shared_folder_keeps_it(pictures, store, save, noise):
    for own, wanted in ((False, 4), (True, 2)):
        where = store(folder=store().folder / str(own), own=own)
        open_small(pictures, where)
        (where.folder / "killed.part").touch()
        save(pictures / "000.exr", noise(8, 8, 3, 50 + own))
        open_small(pictures, where)
        kept = left_in(where)
        assert len([name for name in kept if not name.endswith(".part")]) == wanted
        assert ("killed.part" in kept) != own


def test_the_cache_of_another_folder_stays(pictures, store, save, noise, tmp_path):
    save(tmp_path / "other" / "a.exr", noise(8, 8))
    one = open_small(pictures, store(own=True))
    open_small(tmp_path / "other", store(own=True))
    assert one.cache.path.exists()


def test_processes_that_start_together_decode_once(tmp_path, store):
    decoded, together = [], threading.Barrier(2)
    items = [Item(f"{n}.exr", (tmp_path / f"{n}.exr",), 4, 4) for n in range(20)]
    order = Order("in", "0" * 64, 3, 4, 1.0, {}, (), len(items))

    def decode(item):
        decoded.append(item.name)
        return Decoded(np.zeros((3, 4, 4), np.float16))

    def fill():
        together.wait()
        store().fill(items, decode, order)

    threads = [threading.Thread(target=fill) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(decoded) == sorted(item.name for item in items)


def test_above_the_limit_a_window_of_each_picture_is_kept_and_said(tmp_path, store, save, noise):
    for number in range(4):
        save(tmp_path / "in" / f"{number}.exr", noise(64, 96, 3, number))
    whole_bytes = 4 * 64 * 96 * 3 * 2
    half = store(limit_gib=whole_bytes / 2 / 2**30)
    samples = open_degraded(
        tmp_path / "in", scale=2, crop=32, degradation="bicubic", peak=1.0, augment=Augment(), store=half
    )
    (note,) = samples.notes
    assert "a window of at most 55×55 px is used" in note
    assert samples.cache.path.stat().st_size <= whole_bytes / 2
    sides = {(entry.height, entry.width) for entry in samples.cache.entries}
    assert sides == {(55, 55)}
    corners = {(entry.top, entry.left) for entry in samples.cache.entries}
    assert len(corners) > 1
    entry = samples.cache.entries[1]
    kept = samples.cache.picture(1).astype(np.float32)
    full = decode_picture(tmp_path / "in" / entry.name, Reading(3, 1.0, "zero")).signal
    assert np.array_equal(kept, full[:, entry.top : entry.top + 55, entry.left : entry.left + 55])
    assert samples[0, 0]["high"].shape == (3, 32, 32)


def test_a_limit_below_the_crops_is_refused_with_what_is_needed(pictures, store):
    with pytest.raises(DataError, match=r"--cache-gib 1e-07: it holds not even 8×8 px of each of the 6 pictures of"):
        open_small(pictures, store(limit_gib=1e-7))


def test_a_full_disk_gives_one_line_and_leaves_nothing(pictures, store):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(DataError, match=r"decoded pictures cannot be stored \(File too large\); free some space"):
            open_small(pictures, store())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left_in(store()) == {}
    assert len(open_small(pictures, store())) == 6


def many(folder, save, count):
    for number in range(count):
        save(folder / f"{number:03}.png", np.full((8, 8, 3), number, np.uint8))
    return folder


@pytest.mark.parametrize("damage", ["header", "pixels"])
def test_one_corrupt_file_in_a_hundred_is_named_and_skipped(tmp_path, store, save, noise, capfd, damage):
    folder = many(tmp_path / "in", save, 99)
    victim = save(folder / "victim.exr", noise(40, 40))
    victim.write_bytes(victim.read_bytes()[: 2000 if damage == "pixels" else 10])
    samples = open_small(folder, store(), held_out=2)
    assert len(samples) == 97
    assert "victim.exr" in capfd.readouterr().err
    assert any("1 of 100 files cannot be used and were skipped" in note for note in samples.notes)
    assert all("victim" not in entry.name for entry in samples.cache.entries)
    again = open_small(folder, store(), held_out=2)
    assert again.notes == samples.notes


def test_more_than_one_in_a_hundred_stops_and_lists_them(tmp_path, store, save, capfd):
    folder = many(tmp_path / "in", save, 97)
    for name in ("a.exr", "b.png", "c.jpg"):
        (folder / name).write_text("no picture")
    with pytest.raises(DataError, match=r"3 of 100 files cannot be used, more than 1%") as raised:
        open_small(folder, store())
    assert all(name in str(raised.value) for name in ("a.exr", "b.png", "c.jpg"))
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""
    assert not store().folder.exists()


def test_long_lists_are_cut_and_counted(tmp_path, store):
    (tmp_path / "in").mkdir()
    for number in range(25):
        (tmp_path / "in" / f"{number:02}.png").write_text("no picture")
    with pytest.raises(DataError, match=r"09\.png.* and 15 more$"):
        open_small(tmp_path / "in", store())


def test_bad_pixels_are_counted_and_named(tmp_path, store, save):
    for number, bad in enumerate((0, 5, 2)):
        pixels = np.full((8, 8, 3), 0.5, np.float16)
        pixels.reshape(64, 3)[:bad] = np.nan
        save(tmp_path / "in" / f"{number}.exr", pixels)
    wanted = "7 NaN or Inf pixels in 2 pictures, made 0: 1.exr (5), 2.exr (2)"
    assert open_small(tmp_path / "in", store()).notes == [wanted]
    clamped = open_small(tmp_path / "in", store(bad_pixels="clamp")).notes
    assert clamped == [wanted.replace("made 0", "clamped (NaN made 0)")]
    with pytest.raises(
        DataError, match=r"--bad-pixels error: 2 pictures of .* 1\.exr \(5\), 2\.exr \(2\); repair them"
    ):
        open_small(tmp_path / "in", store(bad_pixels="error"))


def test_held_out_pictures_are_never_drawn_and_new_files_move_few(tmp_path, store, save):
    folder = many(tmp_path / "in", save, 30)
    samples = open_small(folder, store(), held_out=6)
    drawn = {float(samples[iteration, slot]["real"][0, 0, 0]) for iteration in range(60) for slot in range(4)}
    kept = {float(sample["real"][0, 0, 0]) for sample in samples.validation(6)}
    assert (len(drawn), len(kept)) == (24, 6)
    assert not drawn & kept
    names = {samples.cache.entries[index].name for index in samples.held_out}
    save(folder / "new.png", np.zeros((8, 8, 3), np.uint8))
    grown = open_small(folder, store(), held_out=6)
    assert len(names & {grown.cache.entries[index].name for index in grown.held_out}) >= 5


def test_holding_out_all_pictures_is_refused(pictures, store):
    with pytest.raises(DataError, match=r"6 usable pictures, of which 6 are to be held out; add more"):
        open_small(pictures, store(), held_out=6)


def test_subfolders_and_hidden_files_are_not_entered(pictures, store, save, noise):
    save(pictures / "sub.exr" / "a.exr", noise(8, 8))
    save(pictures / ".hidden.exr", noise(8, 8))
    assert len(open_small(pictures, store())) == 6


def test_a_store_lies_in_the_run_unless_a_folder_is_given(tmp_path):
    own = Store.of(RunOptions(data="in", seed=4), tmp_path, "none")
    assert (own.folder, own.own, own.limit_gib, own.seed) == (tmp_path / "cache", True, 32.0, 4)
    shared = Store.of(RunOptions(data="in", cache=str(tmp_path / "c")), tmp_path, "none")
    assert (shared.folder, shared.own) == (tmp_path / "c", False)


READ_ELSEWHERE = """
import hashlib, pickle, sys
for samples in pickle.load(open(sys.argv[1], "rb")):
    for place in ((7, 3), (0, 0)):
        for name, array in sorted(samples[place].items()):
            print(name, array.dtype, array.shape, hashlib.sha256(array.tobytes()).hexdigest())
"""


def test_a_sample_is_the_same_in_any_process_and_order(tmp_path, store, save, noise):
    for number in range(5):
        save(tmp_path / "in" / f"{number}.exr", noise(60, 50, 3, number))
    folder, common = tmp_path / "in", {"peak": 4.0, "store": store()}
    rich = Augment(True, True, True, (0.8, 1.3), 1.0, 0.2)
    crops = {"scale": 2, "crop": 32, "augment": rich}
    sets = [
        open_pictures(folder, size=24, channels=4, augment=rich, **common),
        open_pairs(folder, folder, crop=32, channels=(3, 1), augment=rich, **common),
        open_pairs(folder, None, crop=16, channels=(3, 3), augment=rich, **common),
        open_degraded(folder, degradation="bicubic", **crops, **common),
        open_degraded(folder, degradation="real", **crops, **common),
    ]
    travelling = tmp_path / "sets.pickle"
    travelling.write_bytes(pickle.dumps(sets))
    assert travelling.stat().st_size < 8000
    here = [
        f"{name} {array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"
        for samples in sets
        for place in ((7, 3), (0, 0))
        for name, array in sorted(samples[place].items())
    ]
    there = subprocess.run(
        [sys.executable, "-c", READ_ELSEWHERE, travelling], capture_output=True, text=True, check=True
    )
    assert there.stdout.splitlines() == here
    assert {line.split()[1] for line in here} == {"float32"}
    assert len(set(here)) == len(here)


def test_a_disk_with_less_space_than_the_limit_decides_for_later_runs_too(tmp_path, store, save, noise, monkeypatch):
    for number in range(4):
        save(tmp_path / "in" / f"{number}.exr", noise(64, 96, 3, number))

    def open_set():
        return open_degraded(
            tmp_path / "in", scale=2, crop=32, degradation="bicubic", peak=1.0, augment=Augment(), store=store()
        )

    def leave(free):
        usage = shutil.disk_usage(tmp_path)._replace(free=SPARE_BYTES + free)
        monkeypatch.setattr("vfxgan.trainer.data.filling.shutil.disk_usage", lambda _folder: usage)

    leave(1000)
    with pytest.raises(DataError, match="the free space on its disk holds not even 32×32 px of each of the 4 pictures"):
        open_set()
    leave(4 * 40 * 40 * 3 * 2)
    first = open_set()
    assert {(entry.height, entry.width) for entry in first.cache.entries} == {(40, 40)}
    assert "a window of at most 40×40 px is used" in first.notes[0]
    leave(0)
    assert open_set() == first


def test_the_command_shows_what_was_counted(tmp_path, save, cli):
    pixels = np.full((32, 32, 4), 20, np.float16)
    pixels[0, :3] = np.nan
    for number in range(3):
        save(tmp_path / "in" / f"{number}.exr", pixels if number else pixels[:16, :16])
    small = ["--channels", "8,8,8", "--discriminator-channels", "8,8,8", "--z-size", "4", "--batch", "2"]
    machine = ["--threads", "1", "--workers", "0", "--accelerator", "cpu", "--progress", "none"]
    run = ["train", "dcgan", "--data", tmp_path / "in", "--out", tmp_path / "run", "--size", "32", "--iterations", "1"]
    result = cli(*run, *small, *machine)
    assert result.code == 0, result.err
    assert "data: 9 NaN or Inf pixels in 3 pictures, made 0: 0.exr (3), 1.exr (3), 2.exr (3)\n" in result.err
    assert "data: light above --peak 16 in 3 pictures, clipped there\n" in result.err
    assert "data: 1 of 3 pictures are smaller than 32 px and were upscaled\n" in result.err
    assert (tmp_path / "run" / "cache").is_dir()
    refused = cli(*[part if part != tmp_path / "run" else tmp_path / "other" for part in run], *small, *machine,
                  "--bad-pixels", "error")  # fmt: skip
    assert refused.code == 1
    assert refused.line.endswith("repair them, or give --bad-pixels zero or clamp")
    assert "--bad-pixels error: 3 pictures of" in refused.line
    assert not (tmp_path / "other").exists()


def test_the_command_lists_all_pairs_that_do_not_match(tmp_path, save, cli, noise):
    for name in ("a.1.exr", "a.2.exr", "a.3.exr"):
        save(tmp_path / "a" / name, noise(16, 16))
    for name in ("b.1.exr", "b.4.exr"):
        save(tmp_path / "b" / name, noise(16, 20))
    result = cli("train", "pix2pix", "--data", "a", "--target", "b", "--out", "run", "--depth", "4", "--crop", "16",
                 "--discriminator-layers", "1", "--progress", "none", "--accelerator", "cpu")  # fmt: skip
    assert result.code == 1
    assert result.err.count("\n") == 1
    for part in ("a.1.exr is 16×16 but b.1.exr is 20×16", "a.2.exr has no partner in b", "a.3.exr has no partner in b",
                 "b.4.exr has no partner in a", "4 do not match in name or size"):  # fmt: skip
        assert part in result.line
