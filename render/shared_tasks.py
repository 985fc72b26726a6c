"""Parts of a frame that threads without a frame of their own may take over: tiles, mostly.

The thread that owns a frame lays parts open, does them itself in order, and finds those done that somebody else took
meanwhile. So all cores are busy with one frame as well as with many, and nobody waits while there is work.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Part(Generic[T]):
    """One piece of work; whoever claims it runs it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._done = threading.Event()
        self.claimed = False

    def run(self) -> None:
        """Do it, and keep the result or the error for the owner."""
        try:
            self._result.append(self._work())
        except BaseException as error:  # noqa: BLE001 - raised in the owner's thread
            self._error = error
        finally:
            self._done.set()

    def take(self) -> T:
        """The result, waited for; raises what the work raised."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result.pop()


class SharedTasks:
    """Where parts lie open.

    Attributes:
        threads: that there are; a frame's owner lays so many parts open at a time.
        changed: told when a part is laid open; also the lock of it all. Threads that wait for parts wait here.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self.changed = threading.Condition()
        self._open: deque[Part[object]] = deque()

    def in_order(self, works: Iterable[Callable[[], T]], most: int | None = None) -> Iterator[T]:
        """Results in order, each as soon as it is there. Parts may run on other threads, and some of them early.

        Args:
            most: parts in memory at a time; None: one a thread.

        Raises:
            What a part raised, at its place.
        """
        source, waiting = iter(works), deque[Part[T]]()
        ahead = min(self.threads, most or self.threads)
        try:
            while True:
                while len(waiting) < ahead and (work := next(source, None)) is not None:
                    waiting.append(self._lay_open(work))
                if not waiting:
                    return
                part = waiting.popleft()
                if self._claim(part):
                    part.run()
                else:
                    self._do_one_of(waiting)
                yield part.take()
        finally:
            for part in waiting:
                self._claim(part)  # an error or a stop: nobody needs to begin with it

    def claim_any(self) -> Part[object] | None:
        """The oldest part that nobody has, claimed; call it with `changed` held."""
        while self._open:
            part = self._open.popleft()
            if not part.claimed:
                part.claimed = True
                return part
        return None

    def _lay_open(self, work: Callable[[], T]) -> Part[T]:
        part = Part(work)
        with self.changed:
            self._open.append(part)  # type: ignore[arg-type]
            self.changed.notify()
        return part

    def _claim(self, part: Part[T]) -> bool:
        with self.changed:
            mine, part.claimed = not part.claimed, True
            if mine:
                self._open.remove(part)  # type: ignore[arg-type]
            return mine

    def _do_one_of(self, parts: Iterable[Part[T]]) -> None:
        """Instead of waiting for a part that another thread has."""
        for part in parts:
            if self._claim(part):
                part.run()
                return
