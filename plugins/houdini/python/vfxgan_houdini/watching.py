"""A render that Houdini waits for: its dialog shows how far it is, and Escape stops it."""

from __future__ import annotations

from collections.abc import Sequence

import hou

from vfxgan_client import Command, Event, FrameFailed, Progress, Waiting, Warned
from vfxgan_houdini.following import follow, pace


def watch(command: Command, arguments: Sequence[str], folder: str, title: str) -> list[str]:
    """Run to the end; what an artist should know of it afterwards, a line each.

    Raises:
        hou.OperationInterrupted: Escape. Frames that were in flight are finished; the same render goes on.
        ClientError: it failed, in its own words.
    """
    with hou.InterruptableOperation("Rendering", title, open_interrupt_dialog=True) as operation:
        shown = _Shown(operation)
        follow(command, arguments, folder, shown.see, shown.look)
    return shown.notes


class _Shown:
    """What the dialog says. Its calls are also where Houdini looks whether Escape was pressed."""

    def __init__(self, operation: hou.InterruptableOperation) -> None:
        self.operation = operation
        self.fraction, self.status = 0.0, "starting"
        self.notes: list[str] = []

    def see(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.fraction, self.status = event.done / max(event.total, 1), pace(event)
        elif isinstance(event, Waiting):
            self.status = event.note
        elif isinstance(event, Warned):
            self.notes.append(event.message)
        elif isinstance(event, FrameFailed):
            self.notes.append(f"frame {event.number}: {event.reason}")

    def look(self) -> None:
        self.operation.updateLongProgress(self.fraction, self.status)
        self.operation.updateProgress(self.fraction)
