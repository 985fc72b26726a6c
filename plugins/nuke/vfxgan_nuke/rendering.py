"""Runs an order and waits for it: for a farm's script, and for a thread beside Nuke's window."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vfxgan_client import (
    Cancelled,
    ClientError,
    Command,
    Event,
    Failed,
    Finished,
    FrameDone,
    FrameFailed,
    Progress,
    Run,
    Started,
    Waiting,
    Warned,
    ask,
)
from vfxgan_nuke.colourspaces import LINEAR_REC709
from vfxgan_nuke.errors import RenderCancelled, RenderFailed
from vfxgan_nuke.orders import Elements, Plates

SOME_FRAMES_FAILED = 3  # exit code
LOOK_EVERY_S = 0.2  # at the artist's wish to stop, while no frame is finished


class Shown(Protocol):
    """Where a person sees how far it is."""

    def tell(self, message: str) -> None:
        """What is being done."""

    def advance(self, progress: Progress, frame: int | None) -> None:
        """How far it is, and which frame was finished last."""

    def is_cancelled(self) -> bool:
        """Does the person want it to stop?"""


@dataclass
class Rendered:
    """What a render left.

    Attributes:
        out: the sequence, as ordered.
        paths: of the frames that are whole, by number; of the last view, where there are several.
        failed: lines, by number.
        warnings: lines for the artist.
        colourspace: that the frames are in, by vfxgan's name; "" until it was asked for.
    """

    out: str
    paths: dict[int, str] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    colourspace: str = ""

    @property
    def first(self) -> int:
        return min(self.paths)

    @property
    def last(self) -> int:
        return max(self.paths)

    @property
    def lines(self) -> list[str]:
        """What the artist should know of it: nothing if all went well."""
        failed = [line for _, line in sorted(self.failed.items())]
        return [*failed, *(line for line in self.warnings if line not in failed)]  # of what failed it warns, too


def render(command: Command, order: Elements | Plates, folder: str | None, shown: Shown) -> Rendered:
    """Run the order to its end.

    Raises:
        RenderFailed: no frame came, or the command could not go on; the frames before are whole.
        RenderCancelled, Withdrawn: `shown` said so.
        ClientError: it could not be started.
    """
    rendered = Rendered(order.out)
    last = _follow(command, ["render", *order.arguments()], folder, shown, rendered)
    if isinstance(last, Cancelled):
        raise RenderCancelled(f"stopped after {last.done} of {last.total} frames, which are whole in {order.out}")
    if isinstance(last, Failed) and (last.code != SOME_FRAMES_FAILED or not rendered.paths):
        raise RenderFailed(last.reason, last.code)
    rendered.colourspace = _colourspace(command, order, rendered, folder, shown)
    return rendered


def _follow(
    command: Command, arguments: Sequence[str], folder: str | None, shown: Shown, rendered: Rendered
) -> Cancelled | Failed | Finished:
    """All of `shown` is used from this thread, as Nuke's ProgressTask wants it."""
    heard: queue.Queue[Event] = queue.Queue()
    run = Run(command, arguments, heard.put, folder)
    run.start()
    while True:
        if shown.is_cancelled():
            run.cancel()
        try:
            event = heard.get(timeout=LOOK_EVERY_S)
        except queue.Empty:
            continue
        if isinstance(event, (Cancelled, Failed, Finished)):
            return event
        _take(event, shown, rendered)


def _take(event: Event, shown: Shown, rendered: Rendered) -> None:
    if isinstance(event, FrameDone):
        rendered.paths[event.number] = event.path
    elif isinstance(event, FrameFailed):
        rendered.failed[event.number] = event.line
    elif isinstance(event, Warned):
        rendered.warnings.append(event.message)
    elif isinstance(event, Waiting):
        shown.tell(event.note)
    elif isinstance(event, Started):
        shown.tell(f"0 of {event.total} frames")
    elif isinstance(event, Progress):
        shown.advance(event, next(reversed(rendered.paths), None))


def _colourspace(
    command: Command, order: Elements | Plates, rendered: Rendered, folder: str | None, shown: Shown
) -> str:
    """As ordered, else what a frame itself says, since the project's settings and the command's defaults are in it."""
    if isinstance(order, Elements) and order.colourspace is not None:
        return order.colourspace
    frame = rendered.paths[rendered.first]
    facts = ask(command, ["inspect", "--json", frame], folder=folder, is_cancelled=shown.is_cancelled)
    recipe = facts.get("recipe")
    if recipe is None:
        raise ClientError(f"{frame} carries no recipe of vfxgan; look at it: vfxgan inspect")
    space: str = recipe["options"]["colorspace"]
    if space != "plate":
        return space
    named = order.in_colourspace if isinstance(order, Plates) else None
    return named or facts.get("colorspace") or LINEAR_REC709  # what vfxgan takes of a plate that says nothing
