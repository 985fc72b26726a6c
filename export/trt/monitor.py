"""A build that takes minutes: what it is at, how long it has been at it, and how it is stopped.

The build runs in a thread of its own (TensorRT lets Python's lock go meanwhile), so that this one can show the time and
take a Ctrl-C. TensorRT calls the monitor from threads of its own choice, so that it only notes down: this one draws.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from vfxgan.errors import Interrupted
from vfxgan.interrupts import sigterm_interrupts
from vfxgan.progress import Progress, ProgressStyle, progress, say

T = TypeVar("T")

LABEL = "building the engine"
LOOK_EVERY_S = 0.2


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class Phases:
    """What TensorRT says of its phases: a tree of counted steps. Any thread may call any of it.

    Attributes:
        cancelled: the answer to TensorRT's next question is that it shall stop.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, _Phase] = {}
        self._percent = 0
        self.cancelled = threading.Event()

    def start(self, name: str, parent: str | None, steps: int) -> None:
        with self._lock:
            self._open[name] = _Phase(parent, max(int(steps), 1))

    def step(self, name: str, step: int) -> bool:
        """A step, counted from 0, is done. False: stop the build."""
        with self._lock:
            if name in self._open:
                self._open[name].done = int(step) + 1
        return not self.cancelled.is_set()

    def finish(self, name: str) -> None:
        with self._lock:
            self._open.pop(name, None)

    def percent(self) -> int:
        """Of the whole build, 0 … 99, never less than before: TensorRT does not say beforehand what is to come."""
        with self._lock:
            root = next((name for name, phase in self._open.items() if phase.parent is None), None)
            share = self._share(root) if root else 0.0
            self._percent = max(self._percent, min(int(100 * share), 99))
            return self._percent

    def _share(self, name: str) -> float:
        """Steps that are done, and of the one in hand what its own phases have done."""
        phase = self._open[name]
        inner = max((self._share(child) for child, other in self._open.items() if other.parent == name), default=0.0)
        return min((min(phase.done, phase.steps) + inner) / phase.steps, 1.0)

    def innermost(self) -> str:
        """The name of the phase that was entered last; "" outside of all."""
        with self._lock:
            return next(reversed(self._open), "")


def make_monitor(trt: Any, phases: Phases) -> Any:
    """A `tensorrt.IProgressMonitor` (10.0 or newer) that notes down in `phases`."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # known only once tensorrt is imported
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return phases.step(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            phases.finish(phase_name)

    return Monitor()


def run_build(build: Callable[[], T], phases: Phases | None, style: ProgressStyle) -> T:
    """Run a build and show it.

    Args:
        phases: None: TensorRT 8.6, which says nothing of itself; the time is shown instead, and it cannot be stopped.
    Returns:
        What `build` returned.
    Raises:
        Interrupted: Ctrl-C or SIGTERM. What `build` raised, too.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []
    ended = threading.Event()  # Thread.join takes a thread for ended when a Ctrl-C interrupts it (Python 3.11)

    def work() -> None:
        try:
            outcome.append(build())
        except BaseException as error:  # noqa: BLE001  # handed over to the caller's thread
            failure.append(error)
        finally:
            ended.set()

    thread = threading.Thread(target=work, name="tensorrt build", daemon=True)
    total = 100 if phases else 1
    with sigterm_interrupts(), progress(style, LABEL, total, every_s=1.0) as bar:
        display = _Display(bar, phases, time.monotonic())
        try:
            thread.start()
            while not ended.wait(LOOK_EVERY_S):
                display.show(phases.percent() if phases else 0)
            if not failure:
                display.show(total)
        except KeyboardInterrupt as error:
            _stop(ended, phases)
            raise Interrupted(f"interrupted after {display.elapsed_s:.0f} s; no engine was written") from error
        if failure:
            raise failure[0]
    return outcome[0]


@dataclass
class _Display:
    """A progress bar of parts that are not counted one by one."""

    bar: Progress
    phases: Phases | None
    started: float
    shown: int = 0

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    def show(self, done: int) -> None:
        phase = self.phases.innermost() if self.phases else ""
        note = ", ".join(filter(None, (f"{self.elapsed_s:.0f} s", phase)))
        facts: dict[str, Any] = {"note": note, "phase": phase, "elapsed_s": round(self.elapsed_s, 1)}
        if done <= self.shown:
            self.bar.tell(**facts)
        while self.shown < done:
            self.shown += 1
            self.bar.advance(**facts)


def _stop(ended: threading.Event, phases: Phases | None) -> None:
    """TensorRT ends at its next step; 8.6 cannot be asked, its thread ends with the process."""
    if phases is None:
        return
    phases.cancelled.set()
    say("stopping at TensorRT's next step; Ctrl-C again does not wait for it")
    with contextlib.suppress(KeyboardInterrupt):
        ended.wait()
