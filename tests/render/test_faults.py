"""Disks fill up, files vanish, rights are lost, and two renders want one folder: what is whole stays whole."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.recipe import read_stamp

PLATES = 60  # more than a render gets through before it can be stopped
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24  # linux/capability.h, linux/prctl.h


@pytest.fixture
def model(image_model: Any, tmp_path: Path) -> Path:
    return image_model(tmp_path / "m.onnx", scale=2)


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """Sixty plates of noise."""
    return make_shot(tmp_path / "plate")


def make_shot(folder: Path, size: tuple[int, int] = (24, 32), count: int = PLATES) -> Path:
    folder.mkdir()
    for number in range(1, count + 1):
        pixels = np.random.RandomState(number).rand(*size, 3).astype(np.float16)
        write_picture(folder / f"{number:04d}.exr", Picture(pixels, ("R", "G", "B")))
    return folder / "####.exr"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=200k", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def mount(*arguments: object) -> None:
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.decode().strip()}")


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.fixture
def paused(start: Any) -> Callable[..., "subprocess.Popen[str]"]:
    """A render on one thread, stopped after a few frames; the caller lets it go on."""

    def begin(*arguments: object, events: int = 3, **options: Any) -> "subprocess.Popen[str]":
        command = ("render", *arguments, "--threads", "1", "--progress", "json")
        process: subprocess.Popen[str] = start(*command, **options)
        assert process.stdout is not None
        for _ in range(events):
            event = json.loads(process.stdout.readline())
            assert event["event"] in ("started", "progress", "warning")
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        return process

    return begin


def go_on(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """The exit code, and what it said: its events, then its errors."""
    process.send_signal(signal.SIGCONT)
    events, errors = process.communicate()
    return process.returncode, events + errors


def last_line(errors: str) -> str:
    return errors.strip().splitlines()[-1]


@pytest.mark.tmpfs
def test_a_disk_that_fills_up_keeps_the_frames_that_fit_and_the_same_command_goes_on(
    cli: Any, model: Path, shot: Path, small_disk: Path, tmp_path: Path, frames_of: Any
) -> None:
    assert cli("render", model, "--in", shot, "--out", tmp_path / "whole" / "####.exr").code == 0
    whole = frames_of(tmp_path / "whole")
    command = ("render", model, "--in", shot, "--out", small_disk / "####.exr", "--progress", "none")
    result = cli(*command)
    assert result.code == 1
    kept = frames_of(small_disk)
    assert f"{len(kept)} of {PLATES} frames are done and whole, the same command goes on" in result.line
    assert 0 < len(kept) < PLATES
    assert kept == {name: whole[name] for name in kept}
    mount("-o", "remount,size=4m", small_disk)
    assert cli(*command).code == 0
    assert frames_of(small_disk) == whole


@pytest.mark.tmpfs
@pytest.mark.parametrize("name", ["p.png", "p.mp4"])
def test_a_disk_too_full_for_the_preview_does_not_fail_the_frames(
    cli: Any, image_model: Any, tmp_path: Path, small_disk: Path, name: str
) -> None:
    pytest.importorskip("av", reason="films need the review extra")
    shot = make_shot(tmp_path / "plate", (240, 320), 6)
    model = image_model(tmp_path / "m.onnx")
    command = ("render", model, "--in", shot, "--out", "up/####.exr", "--preview", small_disk / name)
    command += ("--preview-view", "Un-tone-mapped")
    result = cli(*command, "--progress", "none")
    assert result.code == 1
    assert f"{name}: cannot be written" in result.line or f"{name}: came out incomplete" in result.line
    assert "the frames are done, the same command tries the preview again" in result.line
    assert len(list(Path("up").iterdir())) == 6
    assert list(small_disk.iterdir()) == []
    mount("-o", "remount,size=64m", small_disk)
    assert cli(*command).code == 0
    assert [path.name for path in small_disk.iterdir()] == [name]


def test_plates_that_vanish_in_mid_run_fail_by_name(paused: Any, model: Path, shot: Path) -> None:
    process = paused(model, "--in", shot, "--out", "up/####.exr")
    for number in (56, 57):
        shot.with_name(f"{number:04d}.exr").unlink()
    code, errors = go_on(process)
    assert code == 3
    assert f"{shot.with_name('0056.exr')}: no such file" in errors
    assert "2 of 60 frames failed: 56, 57; the others are done" in last_line(errors)
    assert len(list(Path("up").iterdir())) == PLATES - 2


def test_a_plate_that_is_replaced_in_mid_run_gives_a_frame_of_the_new_one(
    paused: Any, cli: Any, model: Path, shot: Path
) -> None:
    process = paused(model, "--in", shot, "--out", "up/####.exr")
    shutil.copy(shot.with_name("0001.exr"), shot.with_name("0056.exr"))
    assert go_on(process)[0] == 0
    assert Path("up/0056.exr").read_bytes() == Path("up/0001.exr").read_bytes()
    assert "0 rendered, 60 were done before" in cli("render", model, "--in", shot, "--out", "up/####.exr").line


def test_a_folder_that_vanishes_in_mid_run_ends_it_in_one_line(paused: Any, cli: Any, model: Path, shot: Path) -> None:
    process = paused(model, "--in", shot, "--out", "up/####.exr")
    shutil.rmtree("up")
    code, errors = go_on(process)
    assert code == 1
    assert "cannot be written (" in last_line(errors)  # and why, by the system or by OpenImageIO
    assert "of 60 frames are done" in last_line(errors)
    assert cli("render", model, "--in", shot, "--out", "up/####.exr").code == 0
    assert cli("verify", "up", "--progress", "none").code == 0
    assert len(list(Path("up").iterdir())) == PLATES


def test_a_frame_that_vanishes_in_mid_run_is_made_by_the_next(paused: Any, cli: Any, model: Path, shot: Path) -> None:
    process = paused(model, "--in", shot, "--out", "up/####.exr")
    before = Path("up/0001.exr").read_bytes()
    Path("up/0001.exr").unlink()
    assert go_on(process)[0] == 0
    assert "1 rendered, 59 were done before" in cli("render", model, "--in", shot, "--out", "up/####.exr").line
    assert Path("up/0001.exr").read_bytes() == before


@pytest.mark.tmpfs
def test_a_folder_that_becomes_read_only_in_mid_run_ends_it_in_one_line(
    paused: Any, cli: Any, model: Path, shot: Path, small_disk: Path
) -> None:
    mount("-o", "remount,size=4m", small_disk)
    process = paused(model, "--in", shot, "--out", small_disk / "####.exr")
    while hidden(small_disk):  # a file that is open for writing would keep it from becoming read-only
        go_on_until_next_frame(process)
    mount("-o", "remount,ro", small_disk)
    code, errors = go_on(process)
    assert code == 1
    assert "cannot be written (Read-only file system); check space and permissions" in last_line(errors)
    mount("-o", "remount,rw", small_disk)
    assert cli("verify", small_disk, "--progress", "none").code == 0
    assert hidden(small_disk) == []


def go_on_until_next_frame(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    process.send_signal(signal.SIGCONT)
    process.stdout.readline()
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)


def without_rights() -> None:
    """Take from root what lets it pass all permissions; run in the child, before the command."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        if os.geteuid() == 0 and libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "cannot give up rights")


@pytest.fixture
def powerless(start: Any, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run `vfxgan …` as a user whom permissions stop: exit code, and what it said."""
    sealed = tmp_path / "sealed"
    sealed.touch(mode=0)
    probe = [sys.executable, "-c", f"open({str(sealed)!r})"]
    done = subprocess.run(probe, preexec_fn=without_rights, capture_output=True, text=True, check=False)
    if "PermissionError" not in done.stderr:
        pytest.skip("nothing is forbidden to this user")

    def call(*arguments: object) -> tuple[int, str]:
        process = start(*arguments, preexec_fn=without_rights)
        _, errors = process.communicate()
        return process.returncode, errors

    return call


def test_a_plate_that_may_not_be_read_fails_by_name(powerless: Any, model: Path, shot: Path) -> None:
    shot.with_name("0007.exr").chmod(0)
    code, errors = powerless("render", model, "--in", shot, "--out", "up/####.exr")
    assert code == 3, errors
    assert f"frame 7: {shot.with_name('0007.exr')}: cannot be read" in errors
    assert "1 of 60 frames failed: 7; the others are done" in last_line(errors)


def test_a_folder_that_may_not_be_written_to_is_named_before_the_start(powerless: Any, model: Path, shot: Path) -> None:
    Path("up").mkdir(mode=0o555)
    code, errors = powerless("render", model, "--in", shot, "--out", "up/####.exr")
    assert code == 2, errors
    said = "up: cannot be written to (Permission denied); choose another folder or change its permissions"
    assert last_line(errors) == f"vfxgan: {said}"


def test_rights_that_are_lost_in_mid_run_end_it_in_one_line(
    paused: Any, powerless: Any, cli: Any, model: Path, shot: Path
) -> None:
    process = paused(model, "--in", shot, "--out", "up/####.exr", preexec_fn=without_rights)
    Path("up").chmod(0o555)
    code, errors = go_on(process)
    Path("up").chmod(0o755)
    assert code == 1
    assert "cannot be written (Permission denied); check space and permissions" in last_line(errors)
    assert cli("render", model, "--in", shot, "--out", "up/####.exr").code == 0
    assert len(list(Path("up").iterdir())) == PLATES


def test_pixels_that_were_changed_under_our_recipe_are_made_again(cli: Any, model: Path, shot: Path) -> None:
    command = ("render", model, "--in", shot, "--out", "up/####.exr")
    assert cli(*command).code == 0
    frame = Path("up/0004.exr")
    whole, picture = frame.read_bytes(), read_picture(frame)
    pixels = picture.pixels.copy()
    pixels[3, 5, 1] += np.float16(0.5)
    header = {name: value for name, value in picture.attributes.items() if name.startswith("vfxgan")}
    write_picture(frame, Picture(pixels, picture.channels, header))
    assert "1 rendered, 59 were done before" in cli(*command).line
    assert frame.read_bytes() == whole


def test_frames_of_other_options_are_listed_and_left_alone(cli: Any, model: Path, shot: Path, frames_of: Any) -> None:
    command = ("render", model, "--in", shot, "--out", "up/####.exr")
    assert cli(*command, "--frames", "5-8").code == 0
    before = frames_of(Path("up"))
    result = cli(*command, "--bit-depth", "float")
    assert result.code == 2
    assert "up/0005.exr (bit_depth plate, not float)" in result.line
    assert "and 1 more; write elsewhere, or replace it with --overwrite" in result.line
    assert frames_of(Path("up")) == before
    result = cli(*command, "--bit-depth", "float", "--overwrite")
    assert result.code == 0
    assert "60 frames in up/####.exr" in result.line
    assert all(read_picture(path).pixels.dtype == np.float32 for path in Path("up").iterdir())


def test_the_same_render_twice_at_once_gives_each_frame_once(
    start: Any, cli: Any, model: Path, shot: Path, frames_of: Any
) -> None:
    command = ("render", model, "--in", shot, "--threads", "1")
    assert cli(*command, "--out", "whole/####.exr").code == 0
    both = [start(*command, "--out", "up/####.exr") for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    for errors in said:
        assert "60 frames in up/####.exr" in last_line(errors)
    assert frames_of(Path("up")) == frames_of(Path("whole"))


def test_a_second_render_leaves_the_temporaries_of_the_first_alone(
    paused: Any, cli: Any, model: Path, shot: Path, frames_of: Any
) -> None:
    first = paused(model, "--in", shot, "--out", "up/####.exr")
    before = hidden(Path("up"))
    result = cli("render", model, "--in", shot, "--out", "up/####.exr")
    assert result.code == 0
    assert " done before" in result.line
    assert hidden(Path("up")) == before
    whole = {name: data for name, data in frames_of(Path("up")).items() if not name.startswith(".")}
    code, errors = go_on(first)
    assert code == 0, errors
    assert " done before" in last_line(errors)  # it found the frames of the second
    assert frames_of(Path("up")) == whole


def test_renders_of_two_models_do_not_replace_each_others_frames(
    paused: Any, cli: Any, model: Path, image_model: Any, shot: Path, tmp_path: Path, frames_of: Any
) -> None:
    other = image_model(tmp_path / "other.onnx", "tanh", scale=2)
    first = paused(model, "--in", shot, "--out", "up/####.exr", events=1)
    # It has looked at the folder and found it empty. What it made since is cleared away, so that the second may start.
    for path in Path("up").glob("[0-9]*.exr") if Path("up").is_dir() else ():
        path.unlink()
    assert cli("render", other, "--in", shot, "--out", "up/####.exr").code == 0
    theirs = {name: data for name, data in frames_of(Path("up")).items() if not name.startswith(".")}
    assert len(theirs) == PLATES
    code, errors = go_on(first)
    assert code == 3
    assert "it was left alone" in errors
    assert frames_of(Path("up")) == theirs
    result = cli("render", model, "--in", shot, "--out", "up/####.exr")
    assert result.code == 2
    assert "up/0001.exr (model " in result.line


def test_a_frame_that_another_render_finishes_first_is_kept(
    cli: Any, model: Path, shot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at a place and the putting there."""
    from vfxgan.render import plates

    assert cli("render", model, "--in", shot, "--out", "theirs/####.exr", "--frames", "1-2").code == 0
    real = plates.write_stamped

    def late(path: Path, *rest: Any, **more: Any) -> None:
        if path.name == "0001.exr":
            shutil.copy("theirs/0001.exr", path)
        if path.name == "0002.exr":
            shutil.copy("theirs/0001.exr", path)  # of another plate: somebody's work
        real(path, *rest, **more)

    monkeypatch.setattr(plates, "write_stamped", late)
    result = cli("render", model, "--in", shot, "--out", "up/####.exr", "--frames", "1-3", "--threads", "1")
    assert result.code == 3
    assert "frame 2" in result.err
    assert "up/0002.exr: appeared while this frame was made; it was left alone" in result.err
    assert "1 of 3 frames failed: 2" in result.line
    stamp = read_stamp(read_picture(Path("up/0002.exr")).attributes)
    first = read_stamp(read_picture(Path("up/0001.exr")).attributes)
    assert stamp == first
    assert hidden(Path("up")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name on disk is text")
def test_a_path_that_is_no_text_is_one_line(cli: Any, shot: Path) -> None:
    folder = Path(os.fsdecode(b"f\xffb"))
    made = cli("render", "elements", "--seeds", "0", "--out", folder / "a.####.exr")
    assert made.code == 2
    assert "the path is no UTF-8 text, which image files need; rename it" in made.line
    assert not folder.exists()
    assert cli("contact-sheet", shot.parent, "--to", folder / "a.png").code == 1
    shutil.copytree(shot.parent, folder, dirs_exist_ok=True)
    for words in (("verify", folder), ("inspect", next(folder.glob("*.exr")))):
        read = cli(*words)
        assert read.code == 1
        assert "the path is no UTF-8 text" in read.err
