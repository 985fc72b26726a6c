"""A command that a host started ends with that host, and leaves whole frames only."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hosts import ENDS_WITHIN_S, descendants, lines_of, opened_when_read, start_host, wait_for_end, waits_for_others

from vfxgan import parent

pytestmark = waits_for_others


@pytest.mark.parametrize("devices", [[], ["--devices", "cpu,cpu"]], ids=["one process", "a process each"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_the_command_ends_when_the_host_is_killed(
    cli: Callable[..., Any], tmp_path: Path, devices: list[str], number: signal.Signals
) -> None:
    arguments = ["render", "elements", "--seeds", "0-3999", "--out", "o/####.exr", *devices]
    with start_host(sys.executable, arguments=arguments, folder=str(tmp_path)) as host:
        told = lines_of(host)
        pid = next(each for each in told if each.kind == "Pid").pid
        next(each for each in told if each.kind == "FrameDone")
        processes = [pid, *descendants(pid)]
        assert len(processes) == (3 if devices else 1)
        assert os.getsid(pid) != os.getsid(host.pid), "a Ctrl-C in the host's terminal comes to the host alone"
        host.send_signal(number)
    assert host.returncode == -number
    for process in processes:
        wait_for_end(process)
    names = [path.name for path in (tmp_path / "o").iterdir()]
    assert 0 < len(names) < 4000
    assert all(name[0].isdigit() for name in names), "no unfinished file is left"
    assert cli("verify", "o", "--progress", "none").code == 0


def test_the_command_ends_though_the_host_died_before_it_was_up(tmp_path: Path) -> None:
    arguments = ["render", "elements", "--seeds", "0-3999", "--out", "o/####.exr"]
    with start_host(sys.executable, arguments=arguments, folder=str(tmp_path)) as host:
        pid = next(each for each in lines_of(host) if each.kind == "Pid").pid
        host.kill()
    wait_for_end(pid)
    assert not list(tmp_path.rglob("*.exr"))


@pytest.mark.parametrize("name", ["ask", "arguments"])
def test_a_command_that_says_nothing_ends_with_its_host_too(tmp_path: Path, name: str) -> None:
    """It breaks no pipe by writing: nothing but the end of its stdin can tell it."""
    fifo = tmp_path / "slow.onnx"
    os.mkfifo(fifo)  # it waits there for whoever writes
    words = {"ask": ["inspect", "--json", str(fifo)], "arguments": ["export", str(fifo), "--out", "x.onnx"]}
    job = {"arguments": [], name: words[name], "folder": str(tmp_path)}
    with start_host(sys.executable, **job) as host, opened_when_read(fifo, host):  # until the command has opened it
        (pid,) = descendants(host.pid)
        host.kill()
        wait_for_end(pid, parent.GRACE_S / 2)  # by an interrupt: without one it would end after the grace
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slow.onnx"]


def test_a_process_that_the_host_forked_does_not_keep_the_command_alive(tmp_path: Path) -> None:
    fifo = tmp_path / "slow.onnx"
    os.mkfifo(fifo)
    job = {"arguments": ["export", str(fifo), "--out", "x.onnx"], "folder": str(tmp_path), "forks": True}
    with start_host(sys.executable, **job) as host, opened_when_read(fifo, host):
        told = lines_of(host)
        pids = {each.kind: each.pid for each in (next(told), next(told))}
        host.kill()
        try:
            wait_for_end(pids["Pid"], parent.GRACE_S / 2)
        finally:
            os.kill(pids["Forked"], signal.SIGKILL)


STUCK = """
import signal, sys
from vfxgan import parent
parent.GRACE_S = 0.2
{before}
parent.stop_with_stdin()
{after}
"""


def started_with_pipe(before: str, after: str) -> "subprocess.Popen[bytes]":
    pipe = subprocess.PIPE
    environment = {**os.environ, "VFXGAN_STOP_WITH_STDIN": "1"}
    code = STUCK.format(before=before, after=after)
    process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


def test_a_command_that_hears_no_interrupt_is_ended_after_a_grace() -> None:
    deaf = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}); print('up', flush=True); signal.pause()"
    with started_with_pipe("", deaf) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(ENDS_WITHIN_S) == 130


def test_signals_that_a_host_blocked_are_heard_again() -> None:
    blocked = (
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}); signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    )
    with started_with_pipe(blocked, "print('up', flush=True); signal.pause()") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDS_WITHIN_S) == -signal.SIGTERM


def test_what_the_command_starts_does_not_watch_its_own_stdin() -> None:
    ask = "import os; print('up', flush=True); print(os.environ.get('VFXGAN_STOP_WITH_STDIN'), flush=True)"
    with started_with_pipe("", ask) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"None\n"


def test_a_command_in_a_terminal_or_a_script_does_not_watch_stdin(start: Callable[..., Any], tmp_path: Path) -> None:
    process = start("render", "elements", "--seeds", "0-1", "--out", "o/####.exr", stdin=subprocess.DEVNULL)
    assert process.wait(60) == 0
    assert len(list((tmp_path / "o").iterdir())) == 2


@pytest.mark.parametrize("command", ["inspect", "export"])
def test_a_farms_cancel_ends_a_command_that_renders_nothing(
    start: Callable[..., Any], cli: Callable[..., Any], tmp_path: Path, command: str
) -> None:
    """With the system's own way: at once, and what it writes appears whole or not at all."""
    fifo = tmp_path / "slow.onnx"
    os.mkfifo(fifo)  # it waits there for whoever writes
    process = start("export", str(fifo), "--out", "x.onnx") if command == "export" else start("inspect", str(fifo))
    with opened_when_read(fifo, process):  # until the command has opened it
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slow.onnx"]


def test_a_host_that_quits_after_a_cancel_does_not_cut_the_frames_in_flight(tmp_path: Path) -> None:
    arguments = ["render", "elements", "--seeds", "0-3999", "--out", "o/####.exr"]
    with start_host(sys.executable, arguments=arguments, folder=str(tmp_path), cancel_after=1) as host:
        told = lines_of(host)
        pid = next(each for each in told if each.kind == "Pid").pid
        next(each for each in told if each.kind == "FrameDone")
        host.kill()
    wait_for_end(pid)
    assert all(path.name[0].isdigit() for path in (tmp_path / "o").iterdir()), "no unfinished file is left"
