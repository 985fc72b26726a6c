"""What the open Nuke script says. For the main thread only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import nuke

from vfxgan_nuke.colourspaces import space_of
from vfxgan_nuke.errors import Refusal
from vfxgan_nuke.sequences import PLATES, is_sequence, nuke_name

MOVIES = (".mov", ".mp4", ".m4v", ".mxf", ".avi", ".r3d", ".ari", ".arx", ".braw")


@dataclass(frozen=True)
class Script:
    """The open script.

    Attributes:
        path: "" while it was not saved.
        lines: of the colorspace knob of a Read in it.
        working_space: by vfxgan's name; None where it says nothing.
        beside: full name of the selected node, "" for none.
    """

    path: str
    first: int
    last: int
    lines: tuple[str, ...]
    working_space: str | None
    beside: str

    @property
    def folder(self) -> str | None:
        return str(Path(self.path).parent) if self.path else None


@dataclass(frozen=True)
class Plate:
    """A Read's pictures.

    Attributes:
        node: its full name.
        file: without expressions, in Nuke's notation.
        colourspace: that its files are in, by vfxgan's name; None: as they say themselves.
        lines: of its colorspace knob.
    """

    node: str
    file: str
    first: int
    last: int
    colourspace: str | None
    lines: tuple[str, ...]

    @property
    def frames(self) -> str:
        """Of the files; "" for a single one."""
        return f"{self.first}-{self.last}" if is_sequence(self.file) else ""


def read_script() -> Script:
    """The open script, and the node beside which the artist works."""
    root = nuke.root()
    selected = nuke.selectedNodes()
    lines = _colourspace_lines(next((node for node in selected if node.Class() == "Read"), None))
    working = root.knob("workingSpaceLUT")
    return Script(
        path=str(root["name"].value() or ""),
        first=int(root["first_frame"].value()),
        last=int(root["last_frame"].value()),
        lines=lines,
        working_space=space_of(str(working.value()), lines) if working is not None else None,
        beside=selected[0].fullName() if selected else "",
    )


def selected_plate(script: Script) -> Plate:
    """The one Read that is selected.

    Raises:
        Refusal: there is none or are several, or vfxgan cannot take what it reads.
    """
    reads = [node for node in nuke.selectedNodes() if node.Class() == "Read"]
    if len(reads) != 1:
        raise Refusal(f"{len(reads) or 'no'} Reads are selected; select the one whose frames are to be processed")
    read = reads[0]
    file = _file_of(read)
    return Plate(
        node=read.fullName(),
        file=file,
        first=int(read["first"].value()),
        last=int(read["last"].value()),
        colourspace=_space_of(read, script),
        lines=script.lines,
    )


def _file_of(read: nuke.Node) -> str:
    proxy = read.knob("proxy")
    if nuke.root().proxy() and proxy is not None and proxy.value():
        raise Refusal(f"{read.name()} has proxy files and proxy mode is on; switch it off, so that it gives its plates")
    file = nuke.filename(read)  # expressions and variables are replaced, frame numbers are not
    if not file:
        raise Refusal(f"{read.name()} reads no file; choose one")
    suffix = Path(file).suffix.lower()
    if suffix in MOVIES:
        raise Refusal(f"{read.name()} reads a movie ({suffix}); vfxgan takes frames: write it to EXR first")
    if suffix not in PLATES:
        known = ", ".join(PLATES)
        raise Refusal(f"{read.name()} reads {suffix or 'a file without extension'}; vfxgan takes {known}")
    if "%v" in file:
        raise Refusal(f"{read.name()} reads views by their first letter (%v); vfxgan takes %V, their names")
    if not Path(file).is_absolute():
        raise Refusal(f"{read.name()} reads {file}, which is no whole path; give it one, so that it is found elsewhere")
    return nuke_name(file)


def _space_of(read: nuke.Node, script: Script) -> str | None:
    """A raw Read converts nothing: its files are taken to be in the working space."""
    raw = read.knob("raw")
    if raw is not None and raw.value():
        return script.working_space
    return space_of(str(read["colorspace"].value()), script.lines)


def _colourspace_lines(read: nuke.Node | None) -> tuple[str, ...]:
    if read is not None:
        return lines_of(read)
    with _probe() as probe:
        return lines_of(probe)


def lines_of(read: nuke.Node) -> tuple[str, ...]:
    """The list of its colorspace knob."""
    return tuple(cast("nuke.Enumeration_Knob", read["colorspace"]).values())


@contextmanager
def _probe() -> Iterator[nuke.Node]:
    """A Read that is gone again, unknown to Undo and to a save: the list of colorspaces is a Read's own."""
    was_modified = nuke.modified()
    nuke.Undo.disable()
    try:
        read = nuke.nodes.Read()
        try:
            yield read
        finally:
            nuke.delete(read)
    finally:
        nuke.Undo.enable()
        nuke.modified(was_modified)
