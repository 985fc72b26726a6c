"""One run of the vfxgan command, in the background of a host."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from vfxgan_client.command import Command
from vfxgan_client.environment import run_environment
from vfxgan_client.errors import ClientError
from vfxgan_client.events import (
    Cancelled,
    Event,
    Failed,
    Finished,
    Last,
    Outcome,
    Progress,
    Started,
    parse_line,
)
from vfxgan_client.processes import ask_to_stop, close_stdin, end_now, hold_stdin, killed_by, quiet_start
from vfxgan_client.streams import LastLines, lines_of

INTERRUPTED = 130
LINES_AHEAD = 1000  # of a host that is slower than the command: then the command waits
LOOK_EVERY_S = 0.25
PIPES_CLOSE_WITHIN_S = 1.0  # of the end of the process; else somebody else holds them


class Run:
    """Starts `vfxgan …` and tells of it by events, until it ends.

    The command ends when this process does, however it does: it watches a pipe whose other end is held here.
    """

    def __init__(
        self,
        command: Command,
        arguments: Sequence[str],
        on_event: Callable[[Event], None],
        folder: str | None = None,
        grace_s: float = 10.0,
    ) -> None:
        """Prepare it; nothing is started.

        Args:
            arguments: of the command line, each as it is: no shell reads them. `--progress json` is added.
            on_event: called from the run's own thread, never from two at a time; the last event is Failed, Cancelled
                or Finished, exactly once. What it raises is printed once, and stops nothing.
            folder: where it runs. None: this process's.
            grace_s: after `cancel`, for the frames in flight; then it is killed, and they are not written.
        """
        self._words = [command.program, *_with_progress(arguments)]
        self._on_event = on_event
        self._folder = Path(folder or os.curdir).absolute()
        self._grace_s = grace_s
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._follow, name="vfxgan", daemon=True)
        self._lines: queue.Queue[bytes | None] = queue.Queue(LINES_AHEAD)
        self._errors = LastLines()
        self._outcome: Outcome | None = None
        self._done = self._total = 0
        self._is_begun = self._was_cancelled = self._has_reported = False
        self._killer: threading.Timer | None = None
        self._last: Last | None = None
        self._ended = threading.Event()

    def start(self) -> None:
        """Start it, and return.

        Raises:
            ClientError: it cannot be started; then there are no events.
        """
        if self._process is not None:
            raise ClientError("this run was started before; make another one")
        if not self._folder.is_dir():
            raise ClientError(f"{self._folder} is no folder, and vfxgan was to run there")
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                self._words,
                cwd=self._folder,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env=run_environment(os.environ),
                **quiet_start(),
            )
        except (OSError, ValueError) as error:
            raise ClientError(f"{self._words[0]} cannot be started ({error})") from error
        hold_stdin(self._process)
        self._thread.start()

    def cancel(self) -> None:
        """Ask it to stop, and return: the frames in flight are finished, and the last event is Cancelled.

        After the grace it is killed. Nothing where it was not started or has ended.
        """
        if self._process is None or self._ended.is_set() or self._was_cancelled:
            return
        self._was_cancelled = True
        self._killer = threading.Timer(self._grace_s, end_now, [self._process])
        self._killer.daemon = True
        self._killer.start()
        ask_to_stop(self._process)

    def wait(self, timeout_s: float | None = None) -> Last | None:
        """The last event; None where it did not end in time. Not for `on_event`, in which it would wait for itself."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("Run.wait() was called from its own on_event; the last event comes there anyway")
        self._ended.wait(timeout_s)
        return self._last

    @property
    def is_running(self) -> bool:
        """From `start` to the last event."""
        return self._process is not None and not self._ended.is_set()

    @property
    def pid(self) -> int | None:
        """Of the process, for a log; None before `start`."""
        return None if self._process is None else self._process.pid

    @property
    def last_lines(self) -> list[str]:
        """The last lines of its stderr, for a log."""
        return self._errors.lines

    def _follow(self) -> None:
        """Body of the run's own thread."""
        process = self._process
        assert process is not None
        try:
            self._last = self._watch(process)
        except Exception as error:  # noqa: BLE001 - a fault in here must not leave a host waiting for ever
            traceback.print_exc()
            end_now(process)
            self._last = Failed(f"the client failed ({error!r}); vfxgan was ended", 1, self._done, self._total)
        if self._killer is not None:
            self._killer.cancel()
        close_stdin(process)
        self._tell(self._last)
        self._ended.set()

    def _watch(self, process: subprocess.Popen[bytes]) -> Last:
        """Until it has ended."""
        assert process.stdout is not None
        assert process.stderr is not None
        errors = threading.Thread(target=self._errors.read, args=[process.stderr], name="vfxgan-errors", daemon=True)
        lines = threading.Thread(target=self._read, args=[process.stdout], name="vfxgan-lines", daemon=True)
        errors.start()
        lines.start()
        self._listen(process)
        code = process.wait()
        errors.join(PIPES_CLOSE_WITHIN_S)
        return self._end(code)

    def _read(self, stream: IO[bytes]) -> None:
        """Body of a thread. None in the queue: there are no more lines."""
        with stream:
            for line in lines_of(stream):
                self._lines.put(b'{"event": "warning", "message": "a line was too long"}' if line is None else line)
        self._lines.put(None)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Until there are no more lines, or the process has ended and whoever else has its pipe says nothing."""
        quiet_s = 0.0
        while quiet_s < PIPES_CLOSE_WITHIN_S:
            try:
                line = self._lines.get(timeout=LOOK_EVERY_S)
            except queue.Empty:
                quiet_s = 0.0 if process.poll() is None else quiet_s + LOOK_EVERY_S
                continue
            if line is None:
                return
            for event in parse_line(line, str(self._folder)):
                self._take(event)

    def _take(self, event: Event | Outcome) -> None:
        if isinstance(event, Outcome):
            self._outcome, self._is_begun = event, False
            self._done, self._total = max(self._done, event.done), max(self._total, event.total)
            return
        if isinstance(event, Started):
            self._done, self._total, self._is_begun = 0, event.total, True
        elif isinstance(event, Progress):
            self._done, self._total = event.done, event.total
        self._tell(event)

    def _tell(self, event: Event) -> None:
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001 - the host's code; its error is the host's to see, and the run goes on
            if not self._has_reported:
                self._has_reported = True
                traceback.print_exc()

    def _end(self, code: int) -> Last:
        """How it ended: by its exit code, since a line may be missing or of a part of the work."""
        told_why = self._outcome is not None and self._outcome.reason is not None
        if code == 0 and (self._is_begun or told_why):  # a host that ignores SIGCHLD has no exit codes
            code = INTERRUPTED if self._was_cancelled else 1
        if code == 0:
            return Finished(self._done, self._total)
        if code == INTERRUPTED or (self._was_cancelled and code not in (1, 2, 3)):
            return Cancelled(self._done, self._total)
        return Failed(self._reason(code), code, self._done, self._total)

    def _reason(self, code: int) -> str:
        told = self._outcome.reason if self._outcome is not None else None
        if told:
            return told
        if code < 0:
            return f"vfxgan was killed by {killed_by(code)}; frames that are done are whole, and the same run goes on"
        return self._errors.reason or f"vfxgan ended with exit code {code}, and said nothing"


def _with_progress(arguments: Sequence[str]) -> list[str]:
    """Before a `--`, after which nothing is an option."""
    words = list(arguments)
    place = words.index("--") if "--" in words else len(words)
    return [*words[:place], "--progress", "json", *words[place:]]
