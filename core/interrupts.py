"""Ctrl-C and a farm's SIGTERM, which libraries and threads tend to lose."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator

if sys.platform == "win32":
    CANCEL = signal.SIGBREAK  # there, SIGTERM never comes from outside
else:
    CANCEL = signal.SIGTERM


def in_main_thread() -> bool:
    """Only the main thread may set what a signal does."""
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """A farm's cancel is a SIGTERM (on Windows a CTRL_BREAK); inside, it raises KeyboardInterrupt as Ctrl-C does.

    Nothing in other threads than the main one.
    """
    if not in_main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        signal.signal(CANCEL, signal.SIG_IGN)  # a second one does not cut what the first lets finish
        raise KeyboardInterrupt

    before = signal.signal(CANCEL, interrupt)
    try:
        yield
    finally:
        signal.signal(CANCEL, before)


@contextlib.contextmanager
def interrupts_call(tell: Callable[[], None]) -> Iterator[None]:
    """Inside, Ctrl-C and a farm's cancel call this instead, and raise nothing: no work of the main thread is cut.

    Args:
        tell: runs between any two steps of the main thread; may put something in a queue.SimpleQueue.
    """
    if not in_main_thread():
        yield
        return

    def handle(number: int, frame: object) -> None:
        tell()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, CANCEL)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def raise_if_interrupt(error: BaseException) -> None:
    """Raise KeyboardInterrupt if a library made this error of one: many do while they are imported."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        inner = inner.__cause__ or inner.__context__
