"""Files that appear whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from vfxgan.errors import TargetError, WriteError


def write_whole(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write beside the target under a hidden name, then replace. Nothing is left behind by an error or a Ctrl-C.

    Args:
        data: whole, or in pieces, of which one at a time need exist.

    Raises:
        WriteError: full disk, no right to write, no such folder.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.writelines((data,) if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise WriteError(f"{path}: cannot be written ({error.strerror or error}); check space and folder") from error
    finally:
        with contextlib.suppress(OSError):  # the folder itself may be missing; the error above says so
            temporary.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Make the folder if need be, and try it.

    Raises:
        TargetError: it cannot be made or written to.
    """
    probe = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        probe.unlink()
    except OSError as error:
        raise TargetError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder or change its permissions"
        ) from error
