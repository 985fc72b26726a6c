"""What a killed run leaves beside its frames is told from what a living one is writing."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vfxgan import temporaries
from vfxgan.errors import TakenError, TargetError
from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.temporaries import ABANDONED_AFTER_S, temporary_beside
from vfxgan.whole_files import check_writable

PICTURE = Picture(np.ones((4, 4, 3), np.float16), ("R", "G", "B"))
OTHER_KERNEL = "0" * 8

HOLD = """
import sys
from pathlib import Path
from vfxgan.temporaries import temporary_beside
with temporary_beside(Path(sys.argv[1])) as temporary:
    print(temporary.name, flush=True)
    sys.stdin.read()
"""


def _writer(target: Path) -> "subprocess.Popen[str]":
    """A process that is in the middle of writing beside the target; and it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def _age(path: Path, seconds: float) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_the_temporary_of_a_living_process_stays_however_old(tmp_path: Path) -> None:
    with _writer(tmp_path / "0001.exr") as process:
        (temporary,) = tmp_path.iterdir()
        _age(temporary, 3 * ABANDONED_AFTER_S)
        assert check_writable(tmp_path) == 0
        assert list(tmp_path.iterdir()) == [temporary]
        process.communicate()
    assert list(tmp_path.iterdir()) == []


def test_the_temporary_of_a_killed_process_goes_at_once(tmp_path: Path) -> None:
    with _writer(tmp_path / "0001.exr") as process:
        process.kill()
        process.communicate()
    (temporary,) = tmp_path.iterdir()
    assert temporary.name.startswith(".0001.")
    assert temporary.name.endswith(".tmp.exr")
    assert check_writable(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_of_another_host_goes_after_a_day(tmp_path: Path) -> None:
    theirs = tmp_path / f".0001.{OTHER_KERNEL}-{'a' * 16}.tmp.exr"
    theirs.write_bytes(b"half a frame")
    assert check_writable(tmp_path) == 0
    _age(theirs, ABANDONED_AFTER_S - 60)
    assert check_writable(tmp_path) == 0
    _age(theirs, 120)
    assert check_writable(tmp_path) == 1
    assert not theirs.exists()


@pytest.mark.parametrize(
    "name",
    [
        "0001.exr",
        ".0001.exr",
        ".nfs0000000000000001",
        f".0001.{OTHER_KERNEL}.tmp.exr",
        f"0001.{OTHER_KERNEL}-{'a' * 16}.tmp.exr",
        f".0001.{OTHER_KERNEL}-{'a' * 16}.tmp.exr.bak.gz",
        f".0001.{OTHER_KERNEL}-{'g' * 16}.tmp.exr",
    ],
)
def test_other_peoples_files_stay_however_old(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    _age(tmp_path / name, 400 * ABANDONED_AFTER_S)
    assert check_writable(tmp_path) == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_link_and_a_pipe_of_such_a_name_stay(tmp_path: Path) -> None:
    (tmp_path / "frame.exr").write_bytes(b"")
    (tmp_path / f".a.{OTHER_KERNEL}-{'a' * 16}.tmp.exr").symlink_to(tmp_path / "frame.exr")
    os.mkfifo(tmp_path / f".b.{OTHER_KERNEL}-{'b' * 16}.tmp.exr")
    assert check_writable(tmp_path) == 0
    assert len(list(tmp_path.iterdir())) == 3


def test_where_there_are_no_locks_age_alone_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(descriptor: int, operation: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(temporaries.fcntl, "flock", unsupported)
    write_picture(tmp_path / "0001.exr", PICTURE)
    left = tmp_path / f".0002.{temporaries.kernel_id()}-{'a' * 16}.tmp.exr"
    left.write_bytes(b"")
    assert check_writable(tmp_path) == 0
    _age(left, ABANDONED_AFTER_S + 60)
    assert check_writable(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["0001.exr"]


def test_a_temporary_that_was_taken_for_abandoned_at_birth_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    births: list[Path] = []
    real = os.open

    def opened(path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = real(path, flags, mode)
        births.append(Path(path))
        if len(births) == 1:
            Path(path).unlink()  # by another process, between making and locking
        return descriptor

    monkeypatch.setattr(temporaries.os, "open", opened)
    with temporary_beside(tmp_path / "0001.exr") as temporary:
        assert temporary.exists()
        assert len(births) == 2
    assert list(tmp_path.iterdir()) == []


def test_the_name_says_nothing_of_the_host(tmp_path: Path) -> None:
    with temporary_beside(tmp_path / "0001.exr") as temporary:
        assert os.uname().nodename not in temporary.name


def test_a_frame_that_appeared_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "0001.exr"
    write_picture(target, PICTURE, may_replace=False)
    before = target.read_bytes()
    other = Picture(PICTURE.pixels * 2, PICTURE.channels)
    with pytest.raises(TakenError, match=r"0001\.exr: appeared while this frame was made; it was left alone"):
        write_picture(target, other, may_replace=False)
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["0001.exr"]
    write_picture(target, other)
    assert read_picture(target).pixels.max() == 2


def test_nor_is_it_where_there_are_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", unsupported)
    write_picture(tmp_path / "0001.exr", PICTURE, may_replace=False)
    with pytest.raises(TakenError):
        write_picture(tmp_path / "0001.exr", PICTURE, may_replace=False)
    assert [path.name for path in tmp_path.iterdir()] == ["0001.exr"]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match="file/below: cannot be written to"):
        check_writable(tmp_path / "file" / "below")
