"""Starts the driver as a host would stand, and reads what it says."""

import contextlib
import errno
import json
import os
import select
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

DRIVER = Path(__file__).with_name("driver.py")
CLIENT = Path(__file__).parents[2] / "plugins" / "client"
VFXGAN = Path(sysconfig.get_path("scripts")) / "vfxgan"
ENDS_WITHIN_S = 30.0

waits_for_others = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="waits for processes that are no children: Linux"
)


@dataclass(frozen=True)
class Told:
    """One line of the driver."""

    kind: str
    facts: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        return self.facts[name]


def start_host(
    python: str, environment: dict[str, str] | None = None, program: object = VFXGAN, **job: Any
) -> "subprocess.Popen[bytes]":
    """A process that runs the client; `environment` is added to this one's."""
    job = {"program": None if program is None else str(program), **job}
    command = [python, "-I", "-S", str(DRIVER), str(CLIENT), json.dumps(job)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **(environment or {})})


def lines_of(host: "subprocess.Popen[bytes]") -> Iterator[Told]:
    """What it says, as it says it."""
    assert host.stdout is not None
    for line in host.stdout:
        facts = json.loads(line)
        yield Told(facts.pop("kind"), facts)


def run_host(python: str = sys.executable, environment: dict[str, str] | None = None, **job: Any) -> list[Told]:
    """All that it says, to its end."""
    with start_host(python, environment, **job) as host:
        told = list(lines_of(host))
    assert host.returncode == 0
    return told


def kinds(told: list[Told]) -> list[str]:
    return [each.kind for each in told]


def last_event(told: list[Told]) -> Told:
    """Exactly one of Failed, Cancelled and Finished, and nothing but the driver's own line after it."""
    ends = [each for each in told if each.kind in ("Failed", "Cancelled", "Finished")]
    assert len(ends) == 1
    assert kinds(told)[-2:] == [ends[0].kind, "End"]
    assert told[-1].same
    assert not told[-1].running
    return ends[0]


def wait_for_end(pid: int, within_s: float = ENDS_WITHIN_S) -> None:
    """Of a process that is not ours; fails if it lives on."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([descriptor], [], [], within_s)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        assert ended, f"process {pid} outlived its host"
    finally:
        os.close(descriptor)


def descendants(pid: int) -> list[int]:
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]
    return children + [inner for child in children for inner in descendants(child)]


def opened_when_read(fifo: Path, process: "subprocess.Popen[bytes]") -> IO[bytes]:
    """The other end of a pipe that a command waits at; fails where `process`, which has to do with it, ends before."""
    while True:
        try:
            return os.fdopen(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK), "wb")
        except OSError as error:
            if error.errno != errno.ENXIO:  # nobody reads yet
                raise
        with contextlib.suppress(subprocess.TimeoutExpired):
            pytest.fail(f"ended with {process.wait(0.05)} before {fifo} was read")
