"""What a folder of a job's files remembers: of which job they are, and that they are as we wrote them."""

import hashlib
import json
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from vfxgan.errors import TargetError, UsageError
from vfxgan.whole_files import write_whole

FILE = "vfxgan-job.json"
FORMAT = "vfxgan job"
MAX_BYTES = 1 << 20
PIECE = 1 << 20


@dataclass(frozen=True)
class Written:
    """A job whose files were written to a folder.

    Attributes:
        name: of the job.
        out: pattern of its frames, as the nodes name it.
        files: SHA-256 of each as it was written, by its name; those of other engines, too.
    """

    name: str
    out: str
    files: dict[str, str]


def read_written(folder: Path) -> Written | None:
    """None: there is no record, it cannot be read, or it is none of ours."""
    path = folder / FILE
    try:
        if not _is_plain(path) or path.stat().st_size > MAX_BYTES:
            return None
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.keys() != {"format", "name", "out", "files"} or found["format"] != FORMAT:
        return None
    name, out, files = found["name"], found["out"], found["files"]
    if not isinstance(name, str) or not isinstance(out, str) or not isinstance(files, dict):
        return None
    return Written(name, out, files) if all(isinstance(digest, str) for digest in files.values()) else None


def remember(folder: Path, name: str, out: str, pattern: re.Pattern[str]) -> None:
    """After `refuse_strangers`, and after an engine wrote: the files of its names are ours.

    Raises:
        WriteError: the record cannot be written.
    """
    before = read_written(folder)
    ours = {path.name: _digest(path) for path in _named(folder, pattern)}
    if ours:
        files = (before.files if before else {}) | ours
        record = {"format": FORMAT, "name": name, "out": out, "files": files}
        write_whole(folder / FILE, (json.dumps(record, indent=1) + "\n").encode())


def refuse_strangers(folder: Path, pattern: re.Pattern[str]) -> None:
    """Before an engine writes.

    Args:
        pattern: of the names that the engine replaces or removes.
    Raises:
        UsageError: one of them is somebody's own, or was changed since we wrote it.
        TargetError: the folder or a file cannot be read.
    """
    written = read_written(folder)
    files = written.files if written else {}
    try:
        for path in _named(folder, pattern):
            if not (_is_plain(path) and files.get(path.name) == _digest(path)):
                raise UsageError(_refusal(path))
        if written is None and _is_there(folder / FILE):
            raise UsageError(_refusal(folder / FILE))
    except OSError as error:
        raise TargetError(
            f"{error.filename or folder}: cannot be read ({error.strerror}); give another folder with --job"
        ) from error


def _refusal(path: Path) -> str:
    return (
        f"{path}: is not as vfxgan submit wrote it, and would be lost; move it away, or give another folder with --job"
    )


def _named(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name)) if folder.is_dir() else []


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _is_plain(path: Path) -> bool:
    """No link: what we write is none, and what a link leads to may have no end."""
    return stat.S_ISREG(path.lstat().st_mode)


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            found.update(piece)
    return found.hexdigest()
