"""The first process of a render on several devices: it starts one for each, and shows them as one."""

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Any

from vfxgan.errors import Interrupted, RuntimeFailure, UsageError, VfxganError
from vfxgan.interrupts import in_main_thread, interrupts_call
from vfxgan.progress import Progress, say
from vfxgan.render.device_child import tally_of
from vfxgan.render.devices import Device, split_frames, split_threads
from vfxgan.render.pipeline import Tally
from vfxgan.render.request import Job
from vfxgan.render.run import frames_failed
from vfxgan.render.runtimes.fingerprint import Fingerprint

COUNTERS = ("event", "done", "total", "fps", "eta_s")  # of one process; the display has its own
OWN = "vfxgan: "  # how the command line starts the line of an error
INTERRUPTED, BAD_USAGE, SOME_FAILED = 130, 2, 3


@dataclass
class _Child:
    device: Device
    process: "subprocess.Popen[str]"
    fingerprint: Fingerprint | None = None
    tally: Tally | None = None
    code: int | None = None
    last_line: str = ""
    states: dict[str, str] = field(default_factory=dict)  # by a frame's path
    stopped_at: int | None = None

    @property
    def done(self) -> int:
        """Frames that are whole."""
        if self.stopped_at is not None:
            return self.stopped_at
        return sum(state != "failed" for state in self.states.values())

    @property
    def reason(self) -> str:
        """Why it ended as it did."""
        if self.code is not None and self.code < 0:
            return f"device {self.device}: its process was killed by {signal.Signals(-self.code).name}"
        return f"device {self.device}: {self.last_line or f'its process ended with {self.code}'}"


@dataclass(frozen=True)
class _Said:
    """What a child said, or that it ended: then there is no event and no line."""

    child: _Child
    event: dict[str, Any] | None = None
    line: str | None = None


@dataclass
class Crew:
    """Processes that have all opened their runtime and looked at their targets, and wait."""

    job: Job
    children: list[_Child]
    said: "queue.SimpleQueue[_Said | None]"  # None from a signal; taken in turn, so that nothing is lost by it
    failed: list[int] = field(default_factory=list)  # frame numbers
    heard: set[str] = field(default_factory=set)

    def render(self, progress: Progress) -> Tally:
        """Let them go, and wait for the last one.

        Raises:
            Interrupted: Ctrl-C or SIGTERM, here or there; all have finished the frames that they had begun.
            RuntimeFailure: a process failed or was killed; the others made theirs.
            FramesFailed: some frames failed, each was named.
        """
        for child in self.children:
            _write(child, "go\n")
        try:
            with interrupts_call(self._interrupt):
                self._listen(progress)
        except KeyboardInterrupt:
            self._stop(progress)
            raise Interrupted(self._so_far("interrupted: ")) from None
        return self._outcome()

    def wait_until_ready(self) -> None:
        """Raises whatever the first one that cannot start says, or UsageError where their devices are unlike."""
        try:
            with interrupts_call(self._interrupt):
                while any(child.fingerprint is None for child in self.children):
                    said = self._hear_next()
                    self._take(said, None)
                    if said.child.code is not None:
                        raise _error_of(said.child)
        except KeyboardInterrupt as error:
            raise Interrupted("interrupted before the start; the same command starts again") from error
        first, *others = self.children
        for other in others:
            assert first.fingerprint is not None
            assert other.fingerprint is not None
            unlike = [key for key, value in first.fingerprint.items() if other.fingerprint.get(key) != value]
            if unlike and not self.job.consent.mix_runtimes:
                named = ", ".join(f"{key} {other.fingerprint.get(key)}, not {first.fingerprint[key]}" for key in unlike)
                raise UsageError(
                    f"device {other.device} is unlike device {first.device}: {named}; their frames would differ: "
                    "leave one out, or allow it with --mix-runtimes"
                )

    def _listen(self, progress: Progress) -> None:
        while any(child.code is None for child in self.children):
            self._take(self._hear_next(), progress)

    def _hear_next(self) -> _Said:
        said = self.said.get()
        if said is None:
            raise KeyboardInterrupt
        return said

    def _interrupt(self) -> None:
        """Called by a signal."""
        self.said.put(None)

    def _take(self, said: _Said, progress: Progress | None) -> None:
        child, event = said.child, said.event
        if event is None and said.line is None:
            child.code = child.process.wait()
        elif said.line is not None:
            self._hear(child, said.line)
        elif event is not None and event["event"] == "ready":
            child.fingerprint = event["fingerprint"]
        elif event is not None and event["event"] == "tally":
            child.tally = tally_of(event)
        elif event is not None and event["event"] == "stopped":
            child.stopped_at = event["done"]
        elif event is not None and event["event"] == "warning" and progress is not None:
            if event["message"] not in self.heard:
                self.heard.add(event["message"])
                progress.warn(event["message"])
        elif event is not None and event["event"] == "progress" and progress is not None:
            child.states[event["path"]] = event["state"]
            self.failed += [event["frame"]] if event["state"] == "failed" else []
            progress.advance(**{key: value for key, value in event.items() if key not in COUNTERS})

    def _hear(self, child: _Child, line: str) -> None:
        """Of stderr. What all say is shown once; the line of an error is kept for the end."""
        if line.startswith(OWN):
            child.last_line = line.removeprefix(OWN)
        elif line not in self.heard:
            self.heard.add(line)
            say(line)

    def _stop(self, progress: Progress | None) -> None:
        """The frames in flight are finished; a second Ctrl-C does not cut them."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main_thread() else None
        try:
            for child in self.children:
                _close(child)
            while any(child.code is None for child in self.children):
                said = self.said.get()
                if said is not None:
                    self._take(said, progress)
        finally:
            if before is not None:
                signal.signal(signal.SIGINT, before)

    def _outcome(self) -> Tally:
        codes = [child.code for child in self.children]
        if INTERRUPTED in codes:
            raise Interrupted(self._so_far("a process was interrupted: "))
        broken = [child for child in self.children if child.code not in (0, SOME_FAILED)]
        if broken:
            reasons = "; ".join(child.reason.partition("; stopped: ")[0] for child in broken)
            raise RuntimeFailure(self._so_far(f"{reasons}; "))
        if self.failed:
            raise frames_failed(self.failed, len(self.failed), len(self.job.frames))
        return _sum([child.tally for child in self.children if child.tally is not None])

    def _so_far(self, start: str) -> str:
        done = sum(child.done for child in self.children)
        return f"{start}{done} of {len(self.job.frames)} frames are done and whole; the same command goes on"


@contextmanager
def device_crew(job: Job, arguments: Sequence[str]) -> Iterator[Crew]:
    """Start a process for each device; inside, all are ready, and none has written anything.

    Args:
        arguments: of the command line that the job was resolved from.
    Raises:
        VfxganError: what keeps one of them from starting; then none does.
    """
    said: queue.SimpleQueue[_Said | None] = queue.SimpleQueue()
    runs = split_frames(job.frames, len(job.devices))
    threads = split_threads(job.threads, len(runs))
    crew = Crew(job, [], said)
    try:
        for device, frames, count in zip(job.devices, runs, threads, strict=False):
            share = {"frames": [str(frame.path) for frame in frames], "threads": count, "processes": len(runs)}
            crew.children.append(_start(device, share, arguments, said))
        crew.wait_until_ready()
        yield crew
    finally:
        crew._stop(None)


def _start(
    device: Device, share: dict[str, Any], arguments: Sequence[str], said: "queue.SimpleQueue[_Said | None]"
) -> _Child:
    place = list(arguments).index("render") + 1
    command = [sys.executable, "-m", "vfxgan.cli.main", *arguments[:place], "--as-device", str(device)]
    # In a group of its own: a terminal's Ctrl-C comes here alone, and is passed on by closing stdin, once.
    own_group: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [*command, *arguments[place:]], stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8", **own_group
    )
    child = _Child(device, process)
    threading.Thread(target=_read, args=(child, said), name=f"device-{device}", daemon=True).start()
    _write(child, json.dumps(share) + "\n")
    return child


def _read(child: _Child, said: "queue.SimpleQueue[_Said | None]") -> None:
    """Body of a thread: all that a process says, then that it ended."""
    errors = threading.Thread(target=_read_errors, args=(child, said), daemon=True)
    errors.start()
    for line in _lines(child.process.stdout):
        try:
            event = json.loads(line)
        except ValueError:
            said.put(_Said(child, line=line))
            continue
        said.put(_Said(child, event=event))
    errors.join()
    said.put(_Said(child))


def _read_errors(child: _Child, said: "queue.SimpleQueue[_Said | None]") -> None:
    for line in _lines(child.process.stderr):
        said.put(_Said(child, line=line))


def _lines(stream: IO[str] | None) -> Iterator[str]:
    assert stream is not None
    with stream:
        for line in stream:
            yield line.rstrip("\n")


def _write(child: _Child, text: str) -> None:
    """A process that is gone is found out by what it says last."""
    assert child.process.stdin is not None
    with suppress(BrokenPipeError):
        child.process.stdin.write(text)
        child.process.stdin.flush()


def _close(child: _Child) -> None:
    assert child.process.stdin is not None
    with suppress(BrokenPipeError):
        child.process.stdin.close()


def _error_of(child: _Child) -> VfxganError:
    """Of a process that ended before the start."""
    if child.code == BAD_USAGE:
        return UsageError(child.last_line or child.reason)
    return Interrupted("interrupted before the start") if child.code == INTERRUPTED else RuntimeFailure(child.reason)


def _sum(tallies: Sequence[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        for name in (
            "rendered",
            "kept",
            "clipped_values",
            "clipped_frames",
            "repaired_pixels",
            "repaired_frames",
            "mended",
            "signed",
        ):
            setattr(total, name, getattr(total, name) + getattr(tally, name))
        total.notes |= tally.notes
    return total
