"""How the command is started and ended on each system.

Written for Linux, macOS and Windows. The Windows branch was tested by its parts with recorded calls, and not run there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import weakref
from typing import IO, Any

_HELD: weakref.WeakSet[IO[bytes]] = weakref.WeakSet()


def quiet_start() -> dict[str, Any]:
    """Options of Popen, for a child in a group of its own that opens no window.

    A group, so that a Ctrl-C in the terminal that the host was started from comes to the host alone, and so that all
    of it can be ended.
    """
    if sys.platform == "win32":
        window = subprocess.STARTUPINFO()
        window.dwFlags |= subprocess.STARTF_USESHOWWINDOW
        window.wShowWindow = subprocess.SW_HIDE
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP, "startupinfo": window}
    return {"start_new_session": True}


def hold_stdin(process: subprocess.Popen[bytes]) -> None:
    """For this process alone: one that the host forks would keep the pipe open after the host's end."""
    if process.stdin is not None:
        _HELD.add(process.stdin)


def _let_go() -> None:
    """In a process that was forked."""
    for pipe in list(_HELD):
        with contextlib.suppress(OSError):
            pipe.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_let_go)


def ask_to_stop(process: subprocess.Popen[bytes]) -> None:
    """It finishes the frames in flight and ends. Nothing where it has ended."""
    if sys.platform == "win32":
        with contextlib.suppress(OSError):  # a host without a console has none to send it through
            process.send_signal(signal.CTRL_BREAK_EVENT)
        close_stdin(process)  # which says the same
        return
    _signal_group(process, signal.SIGTERM)


def end_now(process: subprocess.Popen[bytes]) -> None:
    """End it and all of its group at once. Nothing where it has ended."""
    if sys.platform == "win32":
        process.kill()  # vfxgan.exe holds the Python that it starts in a job object, which ends with it
        return
    _signal_group(process, signal.SIGKILL)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To all of it: the program may be a studio's wrapper, which waits for vfxgan and passes no signal on."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended; on macOS, as a zombie
        os.killpg(process.pid, number)


def close_stdin(process: subprocess.Popen[bytes]) -> None:
    """What the command takes as the end of the host."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):  # the other end is gone
            process.stdin.close()


def killed_by(code: int) -> str:
    """The name of the signal of a negative exit code."""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
