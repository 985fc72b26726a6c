"""Hosts' modules as doubles, and the folders that a host puts on its Python path."""

import os
import sys
from collections.abc import Callable, Iterator
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
HOSTS_OWN = ("nuke", "nukescripts", "hou", "pdg", "vfxgan_client", "vfxgan_nuke", "vfxgan_houdini")


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
