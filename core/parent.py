"""A command that a host program started ends with that program, however it ends.

The host holds the other end of this process's stdin and writes nothing. When it dies, or closes it, the pipe ends: that
is noticed here on every system, also after a SIGKILL. docs/decisions/0014-hosts.md says why it is done so.
"""

import os
import signal
import sys
import threading
import time

from vfxgan.interrupts import CANCEL

VARIABLE = "VFXGAN_STOP_WITH_STDIN"
GRACE_S = 30.0  # for the frames in flight; nobody waits for them any more
LOOK_EVERY_S = 0.5


def stop_with_stdin() -> None:
    """Watch stdin if the environment asks for it. Processes that this one starts are not to watch theirs."""
    if os.environ.pop(VARIABLE, "") != "1":
        return
    _hear_signals()
    threading.Thread(target=_watch, args=(GRACE_S,), name="parent", daemon=True).start()


def _hear_signals() -> None:
    """A host's thread may have blocked or ignored the signals that it is to stop this process with."""
    if sys.platform == "win32":
        return
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _watch(grace_s: float) -> None:
    """Body of a thread."""
    _wait_for_the_end()
    _interrupt()
    time.sleep(grace_s)
    os._exit(130)  # the main thread is in a library that does not come back


def _wait_for_the_end() -> None:
    if sys.platform == "win32":
        _poll()
        return
    while os.read(0, 1):  # not through sys.stdin: a daemon thread inside it keeps Python from shutting down
        pass


def _poll() -> None:
    """On Windows: there, a read that waits in one thread blocks libraries that look at stdin while they load."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        pipe = ctypes.c_void_p(msvcrt.get_osfhandle(0))
        while ctypes.windll.kernel32.PeekNamedPipe(pipe, None, 0, None, None, None):
            time.sleep(LOOK_EVERY_S)


def _interrupt() -> None:
    """As a farm's cancel: a render finishes the frames in flight, whatever else runs ends at once."""
    if sys.platform == "win32":
        signal.raise_signal(CANCEL)
        return
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, CANCEL)  # to that thread, which wakes it where it waits
