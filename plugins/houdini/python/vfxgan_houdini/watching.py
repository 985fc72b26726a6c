"""A render that Houdini waits for: its dialog shows how far it is, and Escape stops it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import hou

from vfxgan_client import Command, Event, FrameDone, FrameFailed, Progress, Waiting, Warned
from vfxgan_houdini.following import SomeFramesFailed, follow, pace


@dataclass
class Watched:
    """What an artist should know of a render that came to its end.

    Attributes:
        done: frames that are whole.
        failed: by number, why others are not; of one view, where there are several.
        notes: lines.
    """

    done: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        """Each once: a frame that failed is warned of, too."""
        if line not in self.notes:
            self.notes.append(line)


def watch(command: Command, arguments: Sequence[str], folder: str, title: str) -> Watched:
    """Run to the end.

    Raises:
        hou.OperationInterrupted: Escape. Frames that were in flight are finished; the same render goes on.
        ClientError: it failed, in its own words, or every frame did.
    """
    with hou.InterruptableOperation("Rendering", title, open_interrupt_dialog=True) as operation:
        shown = _Shown(operation)
        try:
            follow(command, arguments, folder, shown.see, shown.look)
        except SomeFramesFailed:
            if not shown.watched.done:
                raise
    return shown.watched


class _Shown:
    """What the dialog says. Its calls are also where Houdini looks whether Escape was pressed."""

    def __init__(self, operation: hou.InterruptableOperation) -> None:
        self.operation = operation
        self.fraction, self.status = 0.0, "starting"
        self.watched = Watched()

    def see(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.fraction, self.status = event.done / max(event.total, 1), pace(event)
        elif isinstance(event, Waiting):
            self.status = event.note
        elif isinstance(event, Warned):
            self.watched.note(event.message)
        elif isinstance(event, FrameDone):
            self.watched.done += 1
        elif isinstance(event, FrameFailed):
            self.watched.failed[event.number] = event.line
            self.watched.note(event.line)

    def look(self) -> None:
        self.operation.updateLongProgress(self.fraction, self.status)
        self.operation.updateProgress(self.fraction)
