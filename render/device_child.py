"""One process of several that share a render (`--devices`): what it is told on stdin, and what it says on stdout.

In: a line of JSON (the paths of its frames, its threads, how many processes there are), then `go`, then nothing until
the render ends. When stdin is closed, because the first process was interrupted or is no more, it stops as for Ctrl-C:
frames in flight are finished.
Out, beside the lines of `--progress json`: `ready` with its fingerprint, before anything is written, and at the end
`tally`, or `stopped`.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from vfxgan.errors import ImageError, Interrupted, UsageError
from vfxgan.render.pipeline import Tally
from vfxgan.render.request import Job
from vfxgan.render.runtimes.fingerprint import Fingerprint


@dataclass(frozen=True)
class Share:
    """What one process has to make."""

    paths: frozenset[str]
    threads: int
    processes: int

    def of(self, job: Job) -> Job:
        """The job with these frames only.

        Raises:
            ImageError: a plate was removed since the first process looked.
        """
        frames = tuple(frame for frame in job.frames if str(frame.path) in self.paths)
        gone = sorted(self.paths - {str(frame.path) for frame in frames})
        if gone:
            raise ImageError(f"the plates of {', '.join(gone[:3])} are not there any more; run the same command again")
        return replace(job, frames=frames, threads=self.threads, processes=self.processes)


def read_share() -> Share:
    """The first line on stdin. Raises UsageError: this process was not started by another one's `--devices`."""
    line = sys.stdin.buffer.readline()
    try:
        told = json.loads(line)
        return Share(frozenset(told["frames"]), told["threads"], told["processes"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError("--as-device is for vfxgan's own use; give --devices") from error


def wait_for_go(fingerprint: Fingerprint) -> None:
    """Say that all is well so far, and wait for the others. Raises Interrupted if it is not to go on."""
    _say({"event": "ready", "fingerprint": dict(fingerprint)})
    if sys.stdin.buffer.readline() != b"go\n":
        raise Interrupted("interrupted before the start")
    threading.Thread(target=_interrupt_at_the_end_of_stdin, name="stdin", daemon=True).start()


def _interrupt_at_the_end_of_stdin() -> None:
    while os.read(0, 1):  # not through sys.stdin: a daemon thread inside it keeps Python from shutting down
        pass
    if hasattr(signal, "pthread_kill"):
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)  # a signal to that thread, which wakes it where it waits
    else:
        signal.raise_signal(signal.SIGINT)


def tell(tally: Tally) -> None:
    """The figures of the last line, for the first process to add up."""
    _say({"event": "tally", **asdict(replace(tally, notes=set())), "notes": sorted(tally.notes)})


@contextmanager
def telling_of_interrupts() -> Iterator[None]:
    """Frames in flight are finished after an interrupt, and shown to nobody: say how many are done in the end."""
    try:
        yield
    except Interrupted as error:
        if error.done is not None:
            _say({"event": "stopped", "done": error.done})
        raise


def tally_of(event: Mapping[str, Any]) -> Tally:
    """What `tell` said. JSON's keys are texts."""
    facts = {name: value for name, value in event.items() if name != "event"}
    failed = {int(number): reason for number, reason in facts.pop("failed").items()}
    return Tally(**{**facts, "notes": set(facts["notes"]), "failed": failed})


def _say(event: Mapping[str, Any]) -> None:
    print(json.dumps(event), flush=True)
