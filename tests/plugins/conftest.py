"""Hosts' modules as doubles, and the folders that a host puts on its Python path."""

import os
import shlex
import signal
import stat
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # `double`, for the tests here and below

from double import hou as hou_double
from double import nuke as nuke_double
from double.pdg import pdg_module
from double.recording import RECORDING, Recording
from double.unstubbed import nukescripts_module

PLUGINS = Path(__file__).parents[2] / "plugins"
HOST_PATHS = [PLUGINS / "client", PLUGINS / "nuke", PLUGINS / "houdini" / "python"]
LIMIT_S = 300.0  # of one test
HOSTS_OWN = ("nuke", "nukescripts", "hou", "pdg", "vfxgan_client", "vfxgan_nuke", "vfxgan_houdini")


@pytest.fixture(autouse=True)
def _time_limit() -> Iterator[None]:
    """What goes wrong with threads and processes fails, and hangs nothing. Where there are no alarms, it may."""
    if sys.platform == "win32":
        yield
        return

    def end(number: int, frame: object) -> None:
        raise TimeoutError(f"the test is not done after {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S, 10)  # and again, where what it waits for is waited for at its end
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def host_paths(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The plug-ins as a host imports them, afresh for this test."""
    for path in HOST_PATHS:
        monkeypatch.syspath_prepend(str(path))
    _forget()
    yield HOST_PATHS
    _forget()


@pytest.fixture
def recording() -> Recording:
    """The calls of this test."""
    RECORDING.calls.clear()
    return RECORDING


@pytest.fixture
def nuke(host_paths: list[Path], recording: Recording, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Start a session of the double of Nuke: `host = nuke(gui=True)`. `import nuke` finds it."""

    def start(gui: bool = True) -> nuke_double.Host:
        monkeypatch.setitem(sys.modules, "nuke", nuke_double.nuke_module(gui))
        monkeypatch.setitem(sys.modules, "nukescripts", nukescripts_module())
        return nuke_double.HOST

    return start


@pytest.fixture
def hou(host_paths: list[Path], recording: Recording, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Start a session of the double of Houdini: `host = hou(gui=True)`. `import hou` finds it."""

    def start(gui: bool = True) -> hou_double.Host:
        monkeypatch.setitem(sys.modules, "hou", hou_double.hou_module(gui))
        monkeypatch.setitem(sys.modules, "pdg", pdg_module())
        return hou_double.HOST

    return start


@pytest.fixture(scope="session")
def versions() -> dict[str, str]:
    """What commands said of their versions."""
    return {}


@pytest.fixture
def command(host_paths: list[Path], versions: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command of this installation, as a studio names it; its version is asked for once in all of these tests."""
    from vfxgan_client import command as finding

    asked = finding._version_line

    def version_line(path: str, variables: Mapping[str, str]) -> str:
        if path != str(program):
            return asked(path, variables)
        if path not in versions:
            versions[path] = asked(path, variables)
        return versions[path]

    monkeypatch.setattr(finding, "_version_line", version_line)
    program = Path(sysconfig.get_path("scripts")) / ("vfxgan.exe" if sys.platform == "win32" else "vfxgan")
    assert program.exists(), f"{program} is not there: install the project (make test)"
    monkeypatch.setenv("VFXGAN_COMMAND", str(program))
    return program


@pytest.fixture
def stand_in(command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put a script of Python in the place of `vfxgan render`, for what the real one cannot be made to do.

    Whatever else is asked goes to the real command. After a minute it is ended, so that nothing waits for it for ever.
    """
    if sys.platform == "win32":
        pytest.skip("a script cannot stand in for a program on Windows")
    real = str(command)

    def put(body: str, instead_of: str = "render") -> Path:
        program = tmp_path / "stand-in" / "vfxgan"
        program.parent.mkdir(exist_ok=True)
        others = f"if sys.argv[1] != {instead_of!r}:\n    os.execv({real!r}, [{real!r}, *sys.argv[1:]])\n"
        others += "signal.alarm(60)\n"
        program.write_text(f"#!{sys.executable}\nimport json, os, signal, sys\n{others}{body}", encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("VFXGAN_COMMAND", str(program))
        return program

    return put


@pytest.fixture
def silent(stand_in: Callable[..., Path], tmp_path: Path) -> Callable[[str], Callable[[], int]]:
    """Put something that never answers in the place of a `vfxgan` command; a call gives its pid, 0 before its start."""

    def put(instead_of: str) -> Callable[[], int]:
        told = tmp_path / "pid"
        stand_in(f"open({str(told)!r}, 'w').write(f'{{os.getpid()}}\\n')\nsys.stdin.read()", instead_of)
        return lambda: int(told.read_text().strip() or 0) if told.exists() else 0

    return put


@pytest.fixture
def started(command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    """The pids of all renders that were started in this test, but for dry runs."""
    if sys.platform == "win32":
        pytest.skip("a script cannot stand in for a program on Windows")
    told, program = tmp_path / "started", tmp_path / "wrapper" / "vfxgan"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$$ $*" >>{shlex.quote(str(told))}\nexec {shlex.quote(str(command))} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("VFXGAN_COMMAND", str(program))

    def read() -> list[int]:
        lines = told.read_text(encoding="utf-8").splitlines()
        return [int(line.split()[0]) for line in lines if line.split()[1] == "render" and "--dry-run" not in line]

    return read


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    """Is there a process of that pid? One that ended, and for which nobody has waited, counts too."""

    def look(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True

    return look


def _forget() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in HOSTS_OWN]:
        del sys.modules[name]
