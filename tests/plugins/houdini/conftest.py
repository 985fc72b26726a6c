"""A session of Houdini's double that has a scene saved, and the real `vfxgan` command."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HIP_FOLDER = "a 'shot' – été $1"  # a space, quotes, a dollar and letters beyond ASCII


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """$HIP."""
    folder = tmp_path / "shot"
    folder.mkdir()
    return folder


@pytest.fixture
def houdini(hou: Callable[..., Any], command: Path, folder: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A session with a scene of frames 1001 to 1006, and a tiny generator as the default model."""
    monkeypatch.setenv("VFXGAN_MODEL", str(tiny))
    host = hou()
    host.hip, host.span = f"{folder}/shot.hip", (1001.0, 1006.0)
    host.environment |= {"HOUDINI_TEMP_DIR": str(folder)}
    return host


@pytest.fixture
def shelf(houdini: Any) -> ModuleType:
    """vfxgan_houdini.shelf, imported in that session."""
    from vfxgan_houdini import shelf

    return shelf
