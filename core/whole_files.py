"""Files that appear whole or not at all."""

import os
from collections.abc import Iterable
from pathlib import Path

from vfxgan.errors import TargetError, WriteError
from vfxgan.temporaries import remove_abandoned, temporary_beside


def write_whole(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write beside the target under a hidden name, then replace. Nothing is left behind by an error or a Ctrl-C.

    Args:
        data: whole, or in pieces, of which one at a time need exist.

    Raises:
        WriteError: full disk, no right to write, no such folder.
    """
    try:
        with temporary_beside(path) as temporary:
            with temporary.open("wb") as file:
                file.writelines((data,) if isinstance(data, bytes) else data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
    except OSError as error:
        raise WriteError(f"{path}: cannot be written ({error.strerror or error}); check space and folder") from error


def check_writable(folder: Path) -> int:
    """Make the folder if need be, and try it; what killed runs left unfinished there is removed.

    Returns:
        How many files that were.
    Raises:
        TargetError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary_beside(folder / "probe") as probe:
            return remove_abandoned(folder, probe)
    except OSError as error:
        raise TargetError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder or change its permissions"
        ) from error
