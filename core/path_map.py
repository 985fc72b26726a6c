"""One folder, many names: `/mnt/show` on Linux is `P:\\show` on Windows. Texts only, nothing is looked up on disk."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from vfxgan.errors import UsageError

LINUX, WINDOWS, MACOS = "linux", "windows", "macos"
SYSTEMS = (LINUX, WINDOWS, MACOS)
# `\\?\P:\…` and `\\?\UNC\server\…` are how Windows writes paths that are long.
_EXTENDED = re.compile(r"^[\\/]{2}\?[\\/](?:UNC[\\/](?P<unc>.*)|(?P<drive>[A-Za-z]:.*))", re.DOTALL | re.IGNORECASE)
_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\[^\\/]")


def this_system() -> str:
    """`linux`, `windows` or `macos`; another system counts as Linux."""
    return {"win32": WINDOWS, "darwin": MACOS}.get(sys.platform, LINUX)


@dataclass(frozen=True)
class Roots:
    """One row of the map: a folder as each system names it; None where it does not see it."""

    linux: str | None = None
    windows: str | None = None
    macos: str | None = None

    def on(self, system: str) -> str | None:
        """The folder's name there."""
        return {LINUX: self.linux, WINDOWS: self.windows, MACOS: self.macos}[system]


@dataclass(frozen=True)
class PathMap:
    """The rows of `[[paths]]`.

    Attributes:
        rows: of several that fit, the one with the longest root holds, and of two as long, the first.
        here: the system that `local` means.
    """

    rows: tuple[Roots, ...] = ()
    here: str = ""

    def local(self, text: str) -> str:
        """The path as this system names it; unchanged where no row knows it."""
        return self.to(self.here or this_system(), text)

    def to(self, system: str, text: str) -> str:
        """The path as another system names it; unchanged where no row knows it, or where it is that system's already.

        Args:
            system: linux, windows or macos.
            text: a path or a pattern such as `P:/show/sh010/####.exr`.
        """
        best = max(self._fits(system, text), key=lambda fit: fit.rank, default=None)
        if best is None or best.root is None:
            return text
        return _joined(system, best.root, best.rest)

    def unmapped(self, text: str) -> str:
        """What is wrong with a path that is to be used here: "" or that it is a Windows path without a row."""
        if (self.here or this_system()) == WINDOWS or not looks_like_windows(self.local(text)):
            return ""
        return "is a Windows path that no row of [[paths]] in vfxgan.toml maps; add one, or give the local path"

    def _fits(self, system: str, text: str) -> "Iterator[_Fit]":
        for place, row in enumerate(self.rows):
            target = row.on(system)
            for side in SYSTEMS:
                root = row.on(side)
                if target is None or root is None:
                    continue
                rest = _below(side, root, text)
                if rest is not None:
                    is_own = side == system
                    yield _Fit((len(_parts(side, root)), is_own, -place), None if is_own else target, rest)


@dataclass(frozen=True)
class _Fit:
    """A root that a path lies below; root: the same on the system that is asked for, None where it is that already."""

    rank: tuple[int, bool, int]
    root: str | None
    rest: list[str]


def looks_like_windows(text: str) -> bool:
    """Whether it starts as a path does on Windows alone: `P:\\`, `P:/`, `\\\\server`."""
    return _OF_WINDOWS.match(text) is not None


def as_written(text: str) -> str:
    """A path in a message: in quotes, its backslashes as they are, and nothing in it that moves the cursor."""
    return repr(text).replace("\\\\", "\\")


def check_root(system: str, text: str) -> str:
    """What is wrong with a side of a row, or ""."""
    if system == WINDOWS:
        whole = looks_like_windows(text) or re.fullmatch(r"[A-Za-z]:|//[^/\\]+[\\/].*", text)
        return "" if whole else r"is no whole path of Windows: write P:\show or \\server\share"
    return "" if text.startswith("/") else "is no whole path: write /mnt/show"


def localised(path_map: PathMap, option: str, text: str) -> str:
    """A path of the command line as this system names it.

    Raises:
        UsageError: it is a Windows path, and nobody said where that is here.
    """
    problem = path_map.unmapped(text)
    if problem:
        raise UsageError(f"{option} {as_written(text)} {problem}")
    return path_map.local(text)


def _below(system: str, root: str, text: str) -> list[str] | None:
    """The words of a path below a root; None where it is not below it, or climbs out of it."""
    first, words = _parts(system, root), _parts(system, text)
    start = [word.lower() for word in words[: len(first)]] if system == WINDOWS else words[: len(first)]
    if not words or start != ([word.lower() for word in first] if system == WINDOWS else first):
        return None
    rest, depth = words[len(first) :], 0
    for word in rest:
        depth += {"..": -1, ".": 0}.get(word, 1)
        if depth < 0:
            return None
    return rest


def _parts(system: str, text: str) -> list[str]:
    """The words of a whole path; the first says from where: `/`, `P:`, `\\\\`. Nothing of any other path."""
    if system != WINDOWS:
        return ["/", *(word for word in text.split("/") if word)] if text.startswith("/") else []
    told = _EXTENDED.match(text)
    if told is not None:
        text = told["drive"] or rf"\\{told['unc']}"
    words = [word for word in re.split(r"[\\/]+", text) if word]
    if re.match(r"[\\/]{2}[^\\/]", text):
        return ["\\\\", *words]
    return words if words and re.fullmatch(r"[A-Za-z]:", words[0]) and not text.startswith(("/", "\\")) else []


def _joined(system: str, root: str, rest: list[str]) -> str:
    if system == WINDOWS:
        slash = "/" if "\\" not in root and "/" in root else "\\"
        return root.rstrip("\\/") + slash + slash.join(rest)
    return root.rstrip("/") + "/" + "/".join(rest) if rest or root.strip("/") == "" else root.rstrip("/")
