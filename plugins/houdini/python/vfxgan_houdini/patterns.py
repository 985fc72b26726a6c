"""File patterns of Houdini (`$F4`) and of vfxgan (`####`), and frame numbers as `--frames` takes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

# $F, $F4, ${F4}; not $FF, $FPS, $FSTART or somebody's $F4_take, which are other variables.
_HOUDINI_FRAME = re.compile(r"\$\{F(\d*)\}|\$F(\d*)(?!\w)")
_OURS = (re.compile(r"#+"), re.compile(r"%0?(\d*)d"), re.compile(r"@+"))


def hashed(pattern: str) -> str:
    """`$F4` becomes `####`, before Houdini puts the current frame in its place."""
    return _HOUDINI_FRAME.sub(lambda found: "#" * int(found.group(1) or found.group(2) or 1), pattern)


def for_houdini(pattern: str) -> str:
    """`####`, `%04d` or `@@@@` in the file's name becomes `$F4`; anything else stays."""
    path = Path(pattern)
    name = path.name
    for notation in _OURS:
        found = list(notation.finditer(name))
        if found:
            last = found[-1]
            name = f"{name[: last.start()]}{_variable(last)}{name[last.end() :]}"
            break
    return path.with_name(name).as_posix()


def _variable(found: re.Match[str]) -> str:
    digits = int(found.group(1) or 1) if found.re.groups else len(found.group())
    return "$F" if digits == 1 else f"$F{digits}"


def notation(numbers: Iterable[int]) -> str:
    """Frame numbers in few words, for `--frames`: `0-4,7`."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ",".join("-".join(map(str, run)) for run in runs)
