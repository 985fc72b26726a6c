"""Many frames over the cores. Each worker makes whole frames, so memory holds one a worker, however many there are."""

import queue
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from vfxgan.errors import Interrupted, VfxganError, WriteError
from vfxgan.interrupts import in_main_thread, sigterm_interrupts
from vfxgan.progress import Progress
from vfxgan.render.plan import Frame

Outcome = Literal["rendered", "kept"]


@dataclass(frozen=True)
class Made:
    """What became of one frame."""

    outcome: Outcome
    clipped: int = 0
    repaired: int = 0
    notes: tuple[str, ...] = ()


Work = Callable[[Frame], Made]


@dataclass
class Tally:
    """What became of all frames so far."""

    rendered: int = 0
    kept: int = 0
    clipped_values: int = 0
    clipped_frames: int = 0
    repaired_pixels: int = 0
    repaired_frames: int = 0
    notes: set[str] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)  # by frame number

    @property
    def done(self) -> int:
        return self.rendered + self.kept

    def add(self, made: Made) -> None:
        self.rendered += made.outcome == "rendered"
        self.kept += made.outcome == "kept"
        self.clipped_values += made.clipped
        self.clipped_frames += made.clipped > 0
        self.repaired_pixels += made.repaired
        self.repaired_frames += made.repaired > 0

    def new_notes(self, made: Made) -> str:
        """What has not been said yet."""
        fresh = [note for note in made.notes if note not in self.notes]
        self.notes.update(fresh)
        return "; ".join(fresh)


@dataclass(frozen=True)
class _Event:
    """From a worker to the thread that shows progress; no frame in it means that the worker has ended."""

    frame: Frame | None
    facts: dict[str, Any]
    warning: str = ""


class _Crew:
    """Threads that take frames in order, `batch` at a time, until there are none or somebody says stop."""

    def __init__(self, frames: Sequence[Frame], work: Work, batch: int) -> None:
        self._frames, self._work, self._batch = frames, work, batch
        self._next = 0
        self._lock = threading.Lock()
        self.stop = threading.Event()
        self.events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self.tally = Tally()
        self.fatal: BaseException | None = None

    def run(self) -> None:
        """Body of one thread."""
        try:
            while batch := self._take():
                for frame in batch:
                    if self.stop.is_set():
                        return
                    self._make(frame)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, which raises it
            self._give_up(error)
        finally:
            self.events.put(_Event(None, {}))

    def _take(self) -> Sequence[Frame]:
        with self._lock:
            first, self._next = self._next, self._next + self._batch
        return [] if self.stop.is_set() else self._frames[first : first + self._batch]

    def _make(self, frame: Frame) -> None:
        facts: dict[str, Any] = dict(frame.facts)
        try:
            made = self._work(frame)
        except WriteError:
            raise  # a disk that is full for one frame is full for all
        except VfxganError as error:
            named = "" if frame.source in str(error) else f" ({frame.source})"
            reason = f"frame {frame.number}{named}: {error}"
            with self._lock:
                self.tally.failed[frame.number] = reason
            self.events.put(_Event(frame, {**facts, "state": "failed"}, reason))
            return
        with self._lock:
            self.tally.add(made)
            notes = self.tally.new_notes(made)
        self.events.put(_Event(frame, {**facts, "state": made.outcome}, notes))

    def _give_up(self, error: BaseException) -> None:
        with self._lock:
            self.fatal = self.fatal or error
        self.stop.set()


def make_frames(frames: Sequence[Frame], work: Work, *, threads: int, batch: int, progress: Progress) -> Tally:
    """Run `work` on every frame, and tell `progress` of each.

    Args:
        batch: how many frames a worker takes at a time; decides nothing but the order of work.
    Returns:
        The tally, with the reasons of frames that failed; the others are done.
    Raises:
        WriteError: the disk is full or gone; says how many frames are done.
        Interrupted: Ctrl-C or SIGTERM; says how many frames are done.
    """
    crew = _Crew(frames, work, batch)
    workers = [threading.Thread(target=crew.run, name=f"frames-{n}") for n in range(min(threads, len(frames)))]
    with sigterm_interrupts():
        try:
            for worker in workers:
                worker.start()
            _show(crew, len(workers), progress)
        except KeyboardInterrupt as error:
            _wind_down(crew, workers)
            raise Interrupted(
                f"interrupted: {crew.tally.done} of {len(frames)} frames are done and whole; the same command goes on"
            ) from error
        except BaseException:
            _wind_down(crew, workers)
            raise
    for worker in workers:
        worker.join()
    _raise_fatal(crew, len(frames))
    return crew.tally


def _show(crew: _Crew, workers: int, progress: Progress) -> None:
    while workers:
        event = crew.events.get()
        if event.frame is None:
            workers -= 1
            continue
        if event.warning:
            progress.warn(event.warning)
        progress.advance(**event.facts)


def _wind_down(crew: _Crew, workers: Sequence[threading.Thread]) -> None:
    """Let the frames in flight finish; a second Ctrl-C does not cut them."""
    crew.stop.set()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main_thread() else None
    for worker in workers:
        if worker.ident is not None:
            worker.join()
    if before is not None:
        signal.signal(signal.SIGINT, before)


def _raise_fatal(crew: _Crew, total: int) -> None:
    if isinstance(crew.fatal, WriteError):
        raise WriteError(
            f"{crew.fatal}; stopped: {crew.tally.done} of {total} frames are done and whole, the same command goes on"
        ) from crew.fatal
    if crew.fatal is not None:
        raise crew.fatal
