"""Sequences of plates with holes, handles, plates that are not there, and plates unlike their neighbours."""

import contextlib
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.images import Picture, read_picture, write_picture

RGB = ("R", "G", "B")


@pytest.fixture
def model(image_model: Any, tmp_path: Path) -> Path:
    return image_model(tmp_path / "m.onnx", scale=2)


def write(path: Path, seed: int, height: int = 6, width: int = 8, channels: tuple[str, ...] = RGB) -> None:
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.RandomState(seed).uniform(0, 1, (height, width, len(channels))).astype(np.float16)
    write_picture(path, Picture(pixels, channels))


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """1001 … 1010 without 1004, 1007 and 1008."""
    for number in (1001, 1002, 1003, 1005, 1006, 1009, 1010):
        write(tmp_path / "plate" / f"shot.{number}.exr", number)
    return tmp_path / "plate" / "shot.####.exr"


def numbers(folder: str = "up") -> list[int]:
    return sorted(int(path.stem) for path in Path(folder).glob("*.exr"))


def render(cli: Any, model: Path, shot: Path, *options: object) -> Any:
    return cli("render", model, "--in", shot, "--out", "up/####.exr", *options)


def test_holes_are_said_in_one_line(cli: Any, model: Path, shot: Path) -> None:
    result = render(cli, model, shot)
    assert result.code == 0, result
    assert "frames 1004,1007-1008 are absent, and no frames of theirs are made" in result.err
    assert numbers() == [1001, 1002, 1003, 1005, 1006, 1009, 1010]
    assert "frames 1004,1007-1008 are absent" in render(cli, model, shot, "--dry-run").out


def test_plates_on_twos_have_no_holes(cli: Any, model: Path, tmp_path: Path) -> None:
    for number in (1001, 1003, 1005):
        write(tmp_path / "plate" / f"{number}.exr", number)
    result = render(cli, model, tmp_path / "plate" / "####.exr")
    assert result.code == 0
    assert "absent" not in result.err


def test_missing_frames_of_a_range_fail_unless_they_may_be_skipped(cli: Any, model: Path, shot: Path) -> None:
    result = render(cli, model, shot, "--frames", "1002-1008x2")
    assert result.code == 3
    assert "2 of 4 plates (1004,1008) are absent, and fail; --skip-missing leaves them out" in result.err
    assert "2 of 4 frames failed: 1004, 1008; the others are done" in result.line
    assert numbers() == [1002, 1006]
    planned = render(cli, model, shot, "--frames", "1004-1006", "--dry-run")
    assert planned.code == 0, planned
    assert "1 of 3 plates (1004) are absent, and fail" in planned.out
    assert "bit_depth  plate" in planned.out
    assert "to do      2" in planned.out
    result = render(cli, model, shot, "--frames", "1001-1005", "--skip-missing")
    assert result.code == 0, result
    assert "1 of 5 plates (1004) are skipped" in result.err
    assert numbers() == [1001, 1002, 1003, 1005, 1006]


@pytest.mark.parametrize("option", [(), ("--dry-run",)])
def test_a_chunk_that_lies_in_a_hole_is_no_failure(cli: Any, model: Path, shot: Path, option: tuple[str, ...]) -> None:
    result = render(cli, model, shot, "--frames", "1007", "--skip-missing", *option)
    assert (result.code, result.out) == (0, "")
    assert result.err == f"nothing to render: {shot}: 1 of 1 plates (1007) are skipped\n"
    assert not Path("up").exists()
    if not option:
        named = render(cli, model, shot, "--frames", "1007-1008")
        assert named.code == 3
        assert "2 of 2 frames failed: 1007, 1008; none is done" in named.line


def test_where_there_are_no_plates_at_all_the_path_is_wrong(cli: Any, model: Path, shot: Path) -> None:
    result = render(cli, model, shot.with_name("shoot.####.exr"), "--frames", "1001-1003", "--skip-missing")
    assert result.code == 2
    assert "--frames 1001-1003: none of these plates is there" in result.line


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        (("--part", "9"), "has no part '9'; it has 0"),
        (("--view", "middle"), "has no view 'middle'; it names no views"),
        (("--layer", "nope"), "has no layer 'nope' with colour; it has R, G, B"),
    ],
)
def test_a_picture_that_no_plate_has_is_one_line(
    cli: Any, model: Path, shot: Path, option: tuple[str, str], reason: str
) -> None:
    shot.with_name("shot.1001.exr").write_bytes(b"")  # which plate is first, is decided by those that can be read
    result = render(cli, model, shot, *option)
    assert result.code == 2
    assert result.err == f"vfxgan: {' '.join(option)}: {shot.with_name('shot.1002.exr')}: {reason}\n"
    assert not Path("up").exists()


def test_a_picture_that_later_plates_lack_fails_those_by_name(cli: Any, model: Path, shot: Path) -> None:
    for number in (1001, 1002, 1003, 1005, 1006):
        write(shot.with_name(f"shot.{number}.exr"), number, channels=("d.R", "d.G", "d.B"))
    result = render(cli, model, shot, "--layer", "d")
    assert result.code == 3
    assert "2 of 7 frames failed: 1009, 1010; the others are done" in result.line
    assert f"frame 1009: {shot.with_name('shot.1009.exr')}: has no layer 'd'" in result.err


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_file_of_bytes_is_named_and_not_waited_for(start: Any, model: Path, shot: Path, kind: str) -> None:
    odd = shot.with_name("shot.1002.exr")
    odd.unlink()
    if kind == "pipe":
        os.mkfifo(odd)
    elif kind == "socket":
        with contextlib.chdir(odd.parent), socket.socket(socket.AF_UNIX) as server:
            server.bind(odd.name)
    else:
        odd.symlink_to("/dev/zero")
    process = start("render", model, "--in", shot, "--out", "up/####.exr")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert f"frame 1002: {odd}: is a {kind}, no image file; check the path" in err
    assert "1 of 7 frames failed: 1002; the others are done" in err


def test_handles_reach_as_far_as_there_are_plates(cli: Any, model: Path, shot: Path) -> None:
    result = render(cli, model, shot, "--frames", "1003-1006", "--handles", "3", "--skip-missing")
    assert result.code == 0, result
    assert numbers() == [1001, 1002, 1003, 1005, 1006, 1009]
    assert result.err.count("--handles 3 is cut short: frames 1000,1007-1008 are absent") == 1
    assert "cut short" not in render(cli, model, shot, "--frames", "1002", "--handles", "1", "--out", "h/#.exr").err
    result = render(cli, model, shot, "--handles", "3")
    assert "--handles 3 adds nothing: all plates are rendered" in result.err


def test_frames_do_not_depend_on_handles(cli: Any, model: Path, shot: Path) -> None:
    assert render(cli, model, shot, "--frames", "1002,1005").code == 0
    before = {path.name: path.read_bytes() for path in Path("up").iterdir()}
    assert "5 frames in" in render(cli, model, shot, "--frames", "1002-1003", "--handles", "3", "--overwrite").line
    assert {name: (Path("up") / name).read_bytes() for name in before} == before


def test_a_plate_of_another_size_or_other_channels_is_its_own_frame(cli: Any, model: Path, shot: Path) -> None:
    write(shot.with_name("shot.1002.exr"), 2, height=10, width=4)
    write(shot.with_name("shot.1003.exr"), 3, channels=(*RGB, "A"))
    write(shot.with_name("shot.1005.exr"), 5, channels=("Y",))
    write(shot.with_name("shot.1006.exr"), 6, channels=("u", "v"))
    result = render(cli, model, shot)
    assert result.code == 3
    assert f"frame 1006: {shot.with_name('shot.1006.exr')}: has u, v; give RGB" in result.err
    made = {number: read_picture(Path(f"up/{number}.exr")) for number in numbers()}
    assert made[1001].pixels.shape == (12, 16, 3)
    assert made[1002].pixels.shape == (20, 8, 3)
    assert made[1003].channels == (*RGB, "A")
    assert made[1005].channels == RGB
    assert sorted(made) == [1001, 1002, 1003, 1005, 1009, 1010]
    assert cli("verify", "up").code == 0


def test_plates_that_cannot_be_read_are_named_and_the_rest_is_done(cli: Any, model: Path, shot: Path) -> None:
    shot.with_name("shot.1002.exr").write_bytes(b"")
    whole = shot.with_name("shot.1003.exr").read_bytes()
    shot.with_name("shot.1003.exr").write_bytes(whole[:-30])
    shot.with_name("shot.1005.exr").write_bytes(whole[:100])
    shot.with_name("shot.1006.exr").unlink()
    shot.with_name("shot.1006.exr").mkdir()
    result = render(cli, model, shot)
    assert result.code == 3
    assert "4 of 7 frames failed: 1002, 1003, 1005, 1006" in result.line
    for number, reason in ((1002, "is empty"), (1003, "cut short or damaged"), (1005, "cannot be read as an image")):
        assert f"frame {number}: {shot.with_name(f'shot.{number}.exr')}: {reason}" in result.err
    assert "frame 1006: " in result.err
    assert numbers() == [1001, 1009, 1010]


@pytest.mark.parametrize("change", ["time", "size", "replaced"])
def test_a_plate_that_is_being_written_is_named(
    cli: Any, model: Path, shot: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    from vfxgan.render import plates

    victim = shot.with_name("shot.1005.exr")
    read = plates.read_image

    def meanwhile(image: Any, *arguments: Any) -> Any:
        """Somebody writes while we read."""
        found = read(image, *arguments)
        if image.path == victim and change == "time":
            os.utime(victim, ns=(1, 1))
        elif image.path == victim and change == "size":
            facts = victim.stat()
            victim.write_bytes(victim.read_bytes() + b"more")
            os.utime(victim, ns=(facts.st_atime_ns, facts.st_mtime_ns))  # within one tick of the disk's clock
        elif image.path == victim:
            write(victim.with_name("new.exr"), 77)
            victim.with_name("new.exr").replace(victim)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(plates, "read_image", meanwhile)
        result = render(cli, model, shot)
    assert result.code == 3
    assert f"frame 1005: {victim}: changed while it was read; run the same command again when it is whole" in result.err
    assert 1005 not in numbers()
    assert render(cli, model, shot).code == 0
    assert "7 frames" in cli("verify", "up").out


@pytest.mark.parametrize("moment", ["when it is looked at", "when it is read"])
def test_a_plate_that_still_grows_is_named(
    cli: Any, model: Path, shot: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    from vfxgan.render import plates

    victim = shot.with_name("shot.1005.exr")
    write(victim, 5, height=64, width=64)
    whole = victim.read_bytes()
    victim.write_bytes(whole[: len(whole) // 2])
    look, read = plates.file_digest, plates.read_image

    def grow() -> None:
        victim.write_bytes(whole[: victim.stat().st_size + len(whole) // 8])

    def looks(path: Path) -> str:
        found = look(path)
        if path == victim and moment == "when it is looked at":
            grow()
        return found

    def reads(image: Any, *arguments: Any) -> Any:
        if image.path == victim and moment == "when it is read":
            grow()
        return read(image, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(plates, "file_digest", looks)
        patched.setattr(plates, "read_image", reads)
        result = render(cli, model, shot)
    assert result.code == 3
    assert f"frame 1005: {victim}: changed while it was read; run the same command again when it is whole" in result.err
    assert 1005 not in numbers()
    victim.write_bytes(whole)
    assert render(cli, model, shot).code == 0


def test_what_holds_for_the_whole_run_is_said_once(cli: Any, model: Path, shot: Path) -> None:
    for number in (1001, 1002, 1003):
        write(shot.with_name(f"shot.{number}.exr"), number, channels=(*RGB, "Z", "mask"))
    result = render(cli, model, shot, "--threads", 2)
    assert result.err.count("2 other channels stay behind (Z, mask)") == 1
    assert result.err.count("taken as linear Rec.709") == 1
