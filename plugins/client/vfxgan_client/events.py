"""What a running command says, line by line, as typed events.

The lines are those of `--progress json`; docs/commands.md describes them. One of a frame gives two events, of the
frame and of the whole. How a run ended is not taken from its lines alone: see run.py.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

MADE = ("rendered", "kept")  # states of a frame that is whole on disk


@dataclass(frozen=True)
class Started:
    """The work begins, of `total` steps; before it, the model was loaded and the target looked at."""

    label: str
    total: int


@dataclass(frozen=True)
class FrameDone:
    """A frame is whole on disk.

    Attributes:
        path: absolute.
        state: `rendered`, or `kept` where it was there before.
        seed: None for frames made from plates.
    """

    path: str
    number: int
    state: str
    seed: float | None = None


@dataclass(frozen=True)
class FrameFailed:
    """A frame could not be made; the others go on. `path`: absolute."""

    path: str
    number: int
    reason: str

    @property
    def line(self) -> str:
        """For people: the reason, which begins with the frame's number."""
        named = re.match(rf"frame {self.number}(?!\d)", self.reason)
        return self.reason if named else f"frame {self.number}: {self.reason}"


@dataclass(frozen=True)
class Progress:
    """How far it is. fps: frames/s; eta_s: None while there is nothing to go by."""

    done: int
    total: int
    fps: float
    eta_s: float | None = None


@dataclass(frozen=True)
class Waiting:
    """Nothing was finished for a while; what goes on."""

    note: str


@dataclass(frozen=True)
class Warned:
    """Something a person should know; the work goes on."""

    message: str


@dataclass(frozen=True)
class Failed:
    """The last event: it did not come to its end.

    Attributes:
        reason: one line.
        code: the exit code: 1 failed, 2 bad usage, 3 some frames failed; negative: killed by that signal.
    """

    reason: str
    code: int
    done: int
    total: int


@dataclass(frozen=True)
class Cancelled:
    """The last event: it was interrupted; frames that are done are whole, and the same run goes on with the rest."""

    done: int
    total: int


@dataclass(frozen=True)
class Finished:
    """The last event: all is done."""

    done: int
    total: int


Event = Union[
    Started, FrameDone, FrameFailed, Progress, Waiting, Warned, Failed, Cancelled, Finished
]  # Python 3.9 has no `|` of types at run time
Last = Union[Failed, Cancelled, Finished]


@dataclass(frozen=True)
class Outcome:
    """What a line says of the end of one piece of work. A command may have several; its exit code decides.

    Attributes:
        reason: None where the piece was finished.
    """

    done: int
    total: int
    reason: str | None = None


def parse_line(line: bytes, folder: str) -> list[Event | Outcome]:
    """Read one line of stdout.

    Args:
        line: without its end; may be cut short, or no JSON at all: a library's own print.
        folder: where the command runs; paths in its lines are relative to it.
    Returns:
        Its events, in order; an empty list for what is no event, or one of a newer vfxgan.
    """
    try:
        told = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return []
    if not isinstance(told, dict):
        return []
    try:
        return _events(told, folder)
    except (KeyError, TypeError, ValueError, OverflowError):  # an event of that name, but not as we know it
        return []


def _events(told: dict[str, Any], folder: str) -> list[Event | Outcome]:
    kind = told.get("event")
    if kind == "started":
        return [Started(str(told["label"]), int(told["total"]))]
    if kind == "progress":
        return [*_of_frame(told, folder), _progress(told)]
    if kind == "waiting":
        return [Waiting(str(told["note"]))]
    if kind == "warning":
        return [Warned(str(told["message"]))]
    if kind == "finished":
        return [Outcome(int(told["done"]), int(told["total"]))]
    if kind == "failed":
        return [Outcome(int(told["done"]), int(told["total"]), _one_line(told["reason"]))]
    return []


def _progress(told: dict[str, Any]) -> Progress:
    eta_s = told.get("eta_s")
    return Progress(int(told["done"]), int(told["total"]), float(told["fps"]), None if eta_s is None else float(eta_s))


def _of_frame(told: dict[str, Any], folder: str) -> list[Event | Outcome]:
    """Steps of `export` or `verify` are of no frame that was made."""
    if "path" not in told or "frame" not in told:
        return []
    path, number, state = str(Path(folder, str(told["path"]))), int(told["frame"]), told.get("state")
    if state in MADE:
        return [FrameDone(path, number, str(state), told.get("seed"))]
    if state == "failed":
        return [FrameFailed(path, number, _one_line(told.get("reason", "")))]
    return []


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
