"""Work beside Nuke's window: a thread with a progress bar of Nuke's own, and its end in Nuke's main thread.

What Nuke's documentation allows: a thread of ours may make and update a ProgressTask; nodes, knobs and messages belong
to the main thread, which `executeInMainThread` reaches and returns at once.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import TypeVar

import nuke

from vfxgan_client import ClientError, Progress
from vfxgan_nuke.errors import Refusal, RenderCancelled, RenderFailed
from vfxgan_nuke.rendering import Shown

T = TypeVar("T")
EXPECTED = (ClientError, Refusal, RenderFailed, RenderCancelled)


def in_background(
    title: str, work: Callable[[Shown], T], then: Callable[[T], None], refused: Callable[[Exception], None]
) -> threading.Thread:
    """Start it, and return at once.

    Args:
        work: in a thread of its own; must touch no node and no knob.
        then: in the main thread, with what `work` gave.
        refused: in the main thread, with what stopped it.
    """
    thread = threading.Thread(target=_body, args=(title, work, then, refused), name="vfxgan-work", daemon=True)
    thread.start()
    return thread


def _body(
    title: str, work: Callable[[Shown], T], then: Callable[[T], None], refused: Callable[[Exception], None]
) -> None:
    shown = TaskShown(title)
    try:
        try:
            result = work(shown)
        finally:
            shown.close()  # before anything else is shown; an error would hold on to it by its traceback
    except EXPECTED as error:
        nuke.executeInMainThread(refused, (error,))
    except Exception as error:  # noqa: BLE001 - a fault of ours must be seen too, not end with a thread
        traceback.print_exc()
        nuke.executeInMainThread(refused, (RenderFailed(f"the plug-in failed ({error!r}); see Nuke's terminal", 1),))
    else:
        nuke.executeInMainThread(then, (result,))


class TaskShown:
    """A bar of Nuke's with its Cancel button. Used by one thread only."""

    def __init__(self, title: str) -> None:
        self._task = nuke.ProgressTask(title)

    def close(self) -> None:
        """Nuke takes the bar away when nobody holds the task any more; nothing may be shown after."""
        del self._task

    def tell(self, message: str) -> None:
        self._task.setMessage(message)

    def advance(self, progress: Progress, frame: int | None) -> None:
        left = "" if progress.eta_s is None else f", {progress.eta_s:.0f} s left"
        self._task.setMessage(f"{progress.done} of {progress.total} frames, {progress.fps:.2g} a second{left}")
        self._task.setProgress(100 * progress.done // max(progress.total, 1))

    def is_cancelled(self) -> bool:
        return bool(self._task.isCancelled())
