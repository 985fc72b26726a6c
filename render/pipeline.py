"""Many frames over the cores. Each worker makes whole frames, so memory holds one a worker, however many there are.

A worker without a frame, at the end of a sequence or where memory allows only a few at a time, helps with the others'.
"""

import queue
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from vfxgan.errors import Interrupted, OutOfMemory, VfxganError, WriteError
from vfxgan.interrupts import in_main_thread, interrupts_call
from vfxgan.progress import Progress
from vfxgan.render.plan import Frame
from vfxgan.render.shared_tasks import Part, SharedTasks

Outcome = Literal["rendered", "kept"]


@dataclass(frozen=True)
class Made:
    """What became of one frame.

    Attributes:
        notes: sentences that hold for the whole run, each said once.
        mended: what was wrong with the one that stood in its place; "" for nothing.
        signed: a frame stood there, whole but unsigned, and was made again to be signed.
    """

    outcome: Outcome
    clipped: int = 0
    repaired: int = 0
    notes: tuple[str, ...] = ()
    mended: str = ""
    signed: bool = False


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
    mended: int = 0
    signed: int = 0  # made again for it alone
    notes: set[str] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)  # by frame number
    failures: int = 0  # of files: a frame may have one for each view

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
        self.mended += bool(made.mended)
        self.signed += made.signed

    def new_notes(self, made: Made) -> list[str]:
        """What has not been said yet."""
        fresh = [note for note in made.notes if note not in self.notes]
        self.notes.update(fresh)
        return fresh


@dataclass(frozen=True)
class _Event:
    """From a worker to the thread that shows progress; no frame in it means that the worker has ended."""

    frame: Frame | None
    facts: dict[str, Any]
    warnings: tuple[str, ...] = ()


_INTERRUPT = _Event(None, {})  # from a signal; taken in turn, so that no event of a worker is lost by it


class _Crew:
    """Threads that take frames in order, `batch` at a time, until there are none or somebody says stop."""

    def __init__(self, frames: Sequence[Frame], work: Work, batch: int, at_once: int, tasks: SharedTasks) -> None:
        self._frames, self._work, self._batch = frames, work, batch
        self._at_once, self._tasks = at_once, tasks
        self._next = self._taken = 0
        self._lock = threading.Lock()
        self.stop = threading.Event()
        self.events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self.tally = Tally()
        self.fatal: BaseException | None = None

    def run(self) -> None:
        """Body of one thread."""
        try:
            while (job := self._take()) is not None:
                if isinstance(job, Part):
                    job.run()
                else:
                    self._make_all(job)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, which raises it
            self._give_up(error)
        finally:
            self.events.put(_Event(None, {}))

    def _take(self) -> Sequence[Frame] | Part[object] | None:
        """Frames of one's own, or else a part of somebody's; None when there will be no more."""
        with self._tasks.changed:
            while not self.stop.is_set():
                if self._next < len(self._frames) and self._taken < self._at_once:
                    first, self._next = self._next, self._next + self._batch
                    self._taken += 1
                    return self._frames[first : first + self._batch]
                if (part := self._tasks.claim_any()) is not None:
                    return part
                if not self._taken and self._next >= len(self._frames):
                    break
                self._tasks.changed.wait()
            return None

    def _make_all(self, frames: Sequence[Frame]) -> None:
        try:
            for frame in frames:
                if self.stop.is_set():
                    return
                self._make(frame)
        finally:
            with self._tasks.changed:
                self._taken -= 1
                self._tasks.changed.notify_all()

    def _make(self, frame: Frame) -> None:
        facts: dict[str, Any] = dict(frame.facts)
        try:
            made = self._work(frame)
        except (WriteError, OutOfMemory):
            raise  # a disk that is full for one frame is full for all, and so is memory
        except MemoryError as error:
            raise OutOfMemory(f"frame {frame.number}: not enough memory ({error}); give fewer --threads") from error
        except VfxganError as error:
            named = "" if frame.source in str(error) else f" ({frame.source})"
            reason = f"frame {frame.name}{named}: {error}"
            with self._lock:
                self.tally.failed[frame.number] = reason
                self.tally.failures += 1
            self.events.put(_Event(frame, {**facts, "state": "failed", "reason": reason}, (reason,)))
            return
        with self._lock:
            self.tally.add(made)
            notes = self.tally.new_notes(made)
        warnings = [f"frame {frame.name}: {made.mended}"] if made.mended else []
        self.events.put(_Event(frame, {**facts, "state": made.outcome}, (*warnings, *notes)))

    def _give_up(self, error: BaseException) -> None:
        with self._lock:
            self.fatal = self.fatal or error
        self.end()

    def interrupt(self) -> None:
        """Called by a signal."""
        self.events.put(_INTERRUPT)

    def end(self) -> None:
        """Take no more frames; those in flight are finished by the threads that have them."""
        self.stop.set()
        with self._tasks.changed:
            self._tasks.changed.notify_all()


@dataclass(frozen=True)
class Pace:
    """How the cores are used; changes no pixel.

    Attributes:
        threads: that work at a time.
        batch: how many frames a worker takes at a time.
        at_once: workers that have frames of their own; the others help them. Memory grows with it.
    """

    threads: int
    batch: int
    at_once: int


def make_frames(frames: Sequence[Frame], work: Work, pace: Pace, tasks: SharedTasks, progress: Progress) -> Tally:
    """Run `work` on every frame, and tell `progress` of each.

    Args:
        tasks: where `work` lays parts of frames open.
    Returns:
        The tally, with the reasons of frames that failed; the others are done.
    Raises:
        WriteError, OutOfMemory: the disk is full or gone, or memory is; says how many frames are done.
        Interrupted: Ctrl-C or SIGTERM; says how many frames are done.
    """
    crew = _Crew(frames, work, pace.batch, pace.at_once, tasks)
    workers = [threading.Thread(target=crew.run, name=f"frames-{n}") for n in range(pace.threads)]
    with interrupts_call(crew.interrupt):
        try:
            for worker in workers:
                worker.start()
            _show(crew, len(workers), progress)
        except KeyboardInterrupt as error:
            _wind_down(crew, workers)
            _show_rest(crew, progress)
            raise Interrupted(
                f"interrupted: {crew.tally.done} of {len(frames)} frames are done and whole; the same command goes on",
                crew.tally.done,
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
        if event is _INTERRUPT:
            raise KeyboardInterrupt
        if event.frame is None:
            workers -= 1
        else:
            _show_one(event, progress)


def _show_one(event: _Event, progress: Progress) -> None:
    for warning in event.warnings:
        progress.warn(warning)
    progress.advance(**event.facts)


def _show_rest(crew: _Crew, progress: Progress) -> None:
    """Frames that were finished after an interrupt: whoever counts is told of each."""
    while not crew.events.empty():
        event = crew.events.get()
        if event.frame is not None:
            _show_one(event, progress)


def _wind_down(crew: _Crew, workers: Sequence[threading.Thread]) -> None:
    """Let the frames in flight finish; a second Ctrl-C does not cut them."""
    crew.end()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main_thread() else None
    for worker in workers:
        if worker.ident is not None:
            worker.join()
    if before is not None:
        signal.signal(signal.SIGINT, before)


def _raise_fatal(crew: _Crew, total: int) -> None:
    if isinstance(crew.fatal, WriteError | OutOfMemory):
        raise type(crew.fatal)(
            f"{crew.fatal}; stopped: {crew.tally.done} of {total} frames are done and whole, the same command goes on"
        ) from crew.fatal
    if crew.fatal is not None:
        raise crew.fatal
