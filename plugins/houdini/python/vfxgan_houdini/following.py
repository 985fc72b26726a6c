"""Runs vfxgan in the background and brings its events to the thread that waits: a host's calls are made from there."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from typing import Union

from vfxgan_client import Cancelled, ClientError, Command, Event, Failed, Finished, Progress, Run

LOOK_EVERY_S = 0.1
SOME_FRAMES_FAILED = 3  # exit code
Last = Union[Failed, Cancelled, Finished]


class SomeFramesFailed(ClientError):
    """The others are whole."""


def follow(
    command: Command, arguments: Sequence[str], folder: str, see: Callable[[Event], None], look: Callable[[], None]
) -> Finished:
    """Run to the end.

    Args:
        see: called with every event, in this thread.
        look: called at least every tenth of a second, in this thread. What it raises stops the run: frames in flight
            are finished, and it is raised from here.
    Raises:
        SomeFramesFailed: the run came to its end, and not every frame is there.
        ClientError: it could not start, it failed (its own line), or it was stopped by somebody else.
    """
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    run = Run(command, arguments, events.put, folder)
    run.start()
    try:
        last = _to_the_end(events, see, look)
    except BaseException:
        run.cancel()
        run.wait()
        raise
    if isinstance(last, Finished):
        return last
    if isinstance(last, Failed):
        raise (SomeFramesFailed if last.code == SOME_FRAMES_FAILED else ClientError)(last.reason)
    raise ClientError(f"vfxgan was stopped after {last.done} of {last.total} frames; the same again goes on")


def _to_the_end(events: queue.SimpleQueue[Event], see: Callable[[Event], None], look: Callable[[], None]) -> Last:
    while True:
        look()
        try:
            event = events.get(timeout=LOOK_EVERY_S)
        except queue.Empty:
            continue
        see(event)
        if isinstance(event, (Failed, Cancelled, Finished)):
            return event


def pace(progress: Progress) -> str:
    """For people: `12 of 50 frames, 4.2 a second, 9 s left`."""
    words = [f"{progress.done} of {progress.total} frames"]
    if progress.fps >= 1:
        words.append(f"{progress.fps:.1f} a second")
    elif progress.fps > 0:
        words.append(f"{1 / progress.fps:.1f} s each")
    if progress.eta_s is not None and progress.done < progress.total:
        words.append(f"{progress.eta_s:.0f} s left")
    return ", ".join(words)
