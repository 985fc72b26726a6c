"""Hidden files beside a target, and which of them nobody writes any more.

A process that is killed leaves its temporary behind. The next run must not take it from a process that lives, on this
host or on another, so each is locked while it is written, and its name tells whose locks can be seen.
docs/decisions/0010-temporaries.md
"""

import contextlib
import hashlib
import os
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":  # there are no such locks there: age alone decides
    import fcntl

ABANDONED_AFTER_S = 24 * 3600
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
TRIES = 8
_NAME = re.compile(r"\.(?:.*\.)?(?P<kernel>[0-9a-f]{8})-[0-9a-f]{16}\.tmp(?:\.[A-Za-z0-9]{1,8})?")


def kernel_id() -> str:
    """Eight hexadecimal digits: the same for all processes that see each other's locks, containers included.

    Where the kernel says nothing of itself, nobody's: a random one.
    """
    try:
        return hashlib.sha256(BOOT_ID.read_bytes()).hexdigest()[:8]
    except OSError:
        return secrets.token_hex(4)


_KERNEL = kernel_id()


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """An empty file beside a target, with its extension, which is ours until the block ends and gone after it.

    Raises:
        OSError: it cannot be made.
    """
    temporary, descriptor = _create(path)
    try:
        yield temporary
    finally:
        with contextlib.suppress(OSError):  # it is in its place by now, or its folder was taken away
            temporary.unlink()
        os.close(descriptor)  # and thus unlocked


def remove_abandoned(folder: Path, probe: Path) -> int:
    """Remove the temporaries in a folder that no living process can be writing.

    Args:
        probe: a file just made in that folder: its time is the file server's, whatever the clocks here say.
    Returns:
        How many were removed. What cannot be judged or removed stays.
    """
    now, removed = probe.stat().st_mtime, 0
    with os.scandir(folder) as entries:
        found = [
            (Path(entry.path), match)
            for entry in entries
            if (match := _NAME.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False)
        ]
    for path, match in found:
        if path != probe and _is_abandoned(path, match["kernel"] == _KERNEL, now):
            with contextlib.suppress(OSError):
                path.unlink()
                removed += 1
    return removed


def _create(path: Path) -> tuple[Path, int]:
    for _ in range(TRIES):
        temporary = path.with_name(f".{path.stem}.{_KERNEL}-{secrets.token_hex(8)}.tmp{path.suffix}")
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        try:
            if _lock(descriptor, temporary):
                return temporary, descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise OSError(f"{path.parent}: another process removes temporaries while they are made")


def _lock(descriptor: int, temporary: Path) -> bool:
    """False where somebody, who took it for abandoned, came between its making and its locking."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: those who clean up cannot lock either
        return True
    try:
        return temporary.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _is_abandoned(path: Path, is_of_this_kernel: bool, now: float) -> bool:
    """Nobody holds it, and either we would see the lock of whoever did, or it is older than any frame takes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        locks_work = _is_unlocked(descriptor)
        if locks_work is False:
            return False
        is_old = now - os.fstat(descriptor).st_mtime > ABANDONED_AFTER_S
        return is_old or (is_of_this_kernel and locks_work is True)
    finally:
        os.close(descriptor)


def _is_unlocked(descriptor: int) -> bool | None:
    """None where there are no locks to tell by."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: NFS gives no other to those who only read
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
