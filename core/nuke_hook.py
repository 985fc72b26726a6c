"""Nuke's hook: one line at the end of `init.py` in its folder, which Nuke runs at every start.

https://learn.foundry.com/nuke/content/comp_environment/configuring_nuke/loading_gizmos_plugins_scripts.html
The line ends with a mark, and with what was done to the file beside it, so that its removal restores every byte.
"""

import ast
import os
import re
import warnings
from pathlib import Path

from vfxgan.errors import TargetError
from vfxgan.hooks import VARIABLE, Change, Place, existing, followed, read

MARK = "# written by: vfxgan plugins install"
NEW_FILE, ENDED_LINE = ", with this file", ", after the end of a line"
_OURS = re.compile(rb"^[^\n]*" + re.escape(MARK.encode()) + rb"(?P<also>[^\r\n]*)(?:\r?\n|$)", re.MULTILINE)


def install(into: Path | None, place: Place) -> list[Change]:
    """Add or correct the line. Raises TargetError: the file cannot be read, or would not run."""
    path = _init(into)
    if path.parent == Path(place.plugin).resolve():
        raise TargetError(f"{path.parent} is the plug-in itself; name your own folder by --into, as ~/.nuke")
    before = read(path)
    found = _ours(path, before)
    line = _line(place)
    if found is not None:
        assert before is not None
        end = b"\r\n" if found.group().endswith(b"\r\n") else b"\n"
        data = before[: found.start()] + line.encode() + found["also"] + end + before[found.end() :]
        said = "nothing to do, the line stands there" if data == before else "the line is corrected"
        return [Change(path, f"{path}: {said}: {line}", before, data)]
    data = _appended(before, line)
    _check(path, before, data)
    said = "a new file of one line" if before is None else "one more line, at the end"
    return [Change(path, f"{path}: {said}: {line}", before, data)]


def uninstall(into: Path | None) -> list[Change]:
    """Take the line out again; the file too, where it came with it and holds nothing else."""
    path = _init(into)
    before = read(path)
    found = _ours(path, before)
    if found is None or before is None:
        return [Change(path, f"{path}: nothing to do, there is no line of vfxgan", before, before)]
    also = found["also"].decode()
    head, tail = before[: found.start()], before[found.end() :]
    if also == ENDED_LINE and not tail:
        head = head.removesuffix(b"\r\n" if found.group().endswith(b"\r\n") else b"\n")  # as it was added
    left = head + tail
    if not left and also == NEW_FILE:
        return [
            Change(path, f"{path}: removed, since nothing else was in it", before, None, None if into else _default())
        ]
    return [Change(path, f"{path}: the line of vfxgan is removed", before, left)]


def _init(into: Path | None) -> Path:
    return followed((existing(into) if into else _default()) / "init.py")


def _default() -> Path:
    """On Windows, Nuke looks at HOME before the user's profile."""
    return Path(os.environ.get("HOME") or Path.home()) / ".nuke"


def _line(place: Place) -> str:
    """Of several hooks in one session the first one's command holds, as its plug-in does; a parent's never does."""
    first = f"vars(nuke).setdefault('vfxgan_command', {place.command!r})"
    return f"import nuke, os; os.environ[{VARIABLE!r}] = {first}; nuke.pluginAddPath({place.plugin!r})  {MARK}"


def _ours(path: Path, data: bytes | None) -> "re.Match[bytes] | None":
    found = list(_OURS.finditer(data or b""))
    if len(found) > 1:
        raise TargetError(f"{path} has {len(found)} lines of vfxgan; remove all of them but one")
    return found[0] if found else None


def _appended(before: bytes | None, line: str) -> bytes:
    if before is None:
        return f"{line}{NEW_FILE}\n".encode()
    end = "\r\n" if b"\r\n" in before else "\n"
    if before and not before.endswith(b"\n"):
        return before + f"{end}{line}{ENDED_LINE}{end}".encode()
    return before + f"{line}{end}".encode()


def _check(path: Path, before: bytes | None, data: bytes) -> None:
    """A file that ends in the middle of a statement is no Python either: the line always stands by itself."""
    for text in (before or b"", data):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(text)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            raise TargetError(
                f"{path} is no Python that runs ({error.args[0]}, line {line}); correct it first: Nuke stops there"
            ) from error
