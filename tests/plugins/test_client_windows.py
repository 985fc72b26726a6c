"""The client's branch for Windows, by its parts: none of it was run on Windows.

The system's name and the names that only Windows' Python has are put in place; what is started is the real command.
"""

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hosts import VFXGAN

CTRL_BREAK, NEW_GROUP, USES_SHOW_WINDOW, HIDDEN = 1, 0x200, 1, 0


class StartupInfo:
    def __init__(self) -> None:
        self.dwFlags = 0
        self.wShowWindow = -1


class RecordedPopen(subprocess.Popen):  # type: ignore[type-arg]
    """Starts it here; what only Windows knows is recorded. A console can be missing, as in a host with windows only."""

    has_console = True
    flags: dict[str, Any]
    sent: list[int]

    def __init__(self, words: list[str], **options: Any) -> None:
        names = ("creationflags", "startupinfo")
        type(self).flags = {name: options.pop(name) for name in names}
        type(self).sent = []
        super().__init__(words, **options)

    def send_signal(self, sig: int) -> None:
        self.sent.append(sig)
        if sig == CTRL_BREAK and not self.has_console:
            raise OSError(6, "The handle is invalid")
        super().send_signal(signal.SIGTERM if sig == CTRL_BREAK else sig)


@pytest.fixture
def windows(host_paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> Any:
    import vfxgan_client
    from vfxgan_client import environment, processes

    for module in (environment, processes):
        monkeypatch.setattr(module, "sys", SimpleNamespace(platform="win32", executable=r"C:\Nuke15\Nuke15.exe"))
    names = {"STARTUPINFO": StartupInfo, "CREATE_NEW_PROCESS_GROUP": NEW_GROUP, "SW_HIDE": HIDDEN}
    for name, value in {**names, "STARTF_USESHOWWINDOW": USES_SHOW_WINDOW}.items():
        monkeypatch.setattr(subprocess, name, value, raising=False)
    monkeypatch.setattr(signal, "CTRL_BREAK_EVENT", CTRL_BREAK, raising=False)
    monkeypatch.setattr(subprocess, "Popen", RecordedPopen)
    monkeypatch.delattr("os.killpg")  # there is none, and no group is signalled
    monkeypatch.setattr(RecordedPopen, "has_console", True)
    return vfxgan_client


def cancelled(client: Any, program: Path, arguments: list[str], grace_s: float = 10.0) -> Any:
    def on_event(event: Any) -> None:
        if isinstance(event, client.FrameDone):
            run.cancel()

    run = client.Run(client.Command(str(program), "0.1.0"), arguments, on_event, grace_s=grace_s)
    run.start()
    return run.wait()


MANY = ["render", "elements", "--seeds", "0-3999", "--out", "o/####.exr"]


@pytest.mark.parametrize("has_console", [True, False])
def test_a_cancel_is_a_ctrl_break_and_the_end_of_stdin(
    windows: Any, monkeypatch: pytest.MonkeyPatch, has_console: bool
) -> None:
    monkeypatch.setattr(RecordedPopen, "has_console", has_console)
    last = cancelled(windows, VFXGAN, MANY)
    assert isinstance(last, windows.Cancelled)
    assert last.done == len(list(Path("o").iterdir()))
    assert RecordedPopen.sent == [CTRL_BREAK]
    assert RecordedPopen.flags["creationflags"] == NEW_GROUP
    info = RecordedPopen.flags["startupinfo"]
    assert (info.dwFlags, info.wShowWindow) == (USES_SHOW_WINDOW, HIDDEN)


def test_one_that_does_not_stop_is_killed(windows: Any, tmp_path: Path) -> None:
    program = tmp_path / "deaf"
    line = '{"event": "progress", "done": 1, "total": 2, "fps": 1, "frame": 1, "path": "a", "state": "rendered"}'
    code = (
        f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint({line!r}, flush=True)\nsignal.pause()\n"
    )
    program.write_text(f"#!{sys.executable}\n{code}", encoding="utf-8")
    program.chmod(0o755)
    assert cancelled(windows, program, [], grace_s=0.2) == windows.Cancelled(1, 2)
    assert RecordedPopen.sent == [CTRL_BREAK, signal.SIGKILL]  # Popen.kill(), which is TerminateProcess there


def test_the_hosts_own_folders_leave_path(windows: Any) -> None:
    host = {
        "Path": r"C:\Nuke15;C:\nuke15\plugins\;C:\Nuke15b;C:\Windows\System32;",
        "PythonPath": r"C:\Nuke15\lib",
        "OCIO": r"C:\config.ocio",
    }
    cleaned = windows.clean_environment(host)
    assert cleaned["Path"] == r"C:\Nuke15b;C:\Windows\System32"
    assert cleaned["OCIO"] == r"C:\config.ocio"
    assert "PythonPath" not in cleaned, "names know no case there"


PARENT = """
import os, signal, sys, time, types
sys.platform, signal.SIGBREAK = "win32", signal.SIGUSR1
peeked, answers = [], iter([1, 1, 0])
sys.modules["msvcrt"] = types.SimpleNamespace(get_osfhandle=lambda descriptor: 99)
import ctypes
peek = lambda pipe, *rest: peeked.append(pipe.value) or next(answers)
ctypes.windll = types.SimpleNamespace(kernel32=types.SimpleNamespace(PeekNamedPipe=peek))
from vfxgan import interrupts, parent
parent.LOOK_EVERY_S = 0.01
try:
    with interrupts.sigterm_interrupts():
        parent.stop_with_stdin()
        while True:
            time.sleep(0.01)
except KeyboardInterrupt:
    print(peeked)
"""


def test_the_command_sees_the_end_of_its_pipe_without_a_read_that_waits() -> None:
    environment = {"VFXGAN_STOP_WITH_STDIN": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PARENT], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[99, 99, 99]\n"
