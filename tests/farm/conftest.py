"""What farm tests share: the `vfxgan` command on PATH, as it is on a node, and farms' own commands."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """`vfxgan`, and what is installed beside it, are found by PATH."""
    folder = Path(sys.executable).parent
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), os.environ["PATH"]]))
    if shutil.which("vfxgan") is None:
        pytest.skip(f"there is no vfxgan command in {folder}: the package is not installed")


@pytest.fixture
def openjd(on_path: None) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run Open Job Description's own command; stderr is in stdout."""
    if shutil.which("openjd") is None:
        pytest.skip("openjd-cli is of the dev extra")

    def call(*words: object) -> "subprocess.CompletedProcess[str]":
        line = ["openjd", *map(str, words)]
        return subprocess.run(line, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    return call
