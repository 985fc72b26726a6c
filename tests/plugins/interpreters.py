"""The Pythons that hosts bring, as far as this machine has them."""

import functools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOSTS_PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")  # Nuke 14 to 16, Houdini 20 to 22


@functools.cache
def interpreter(version: str) -> str:
    """The path of a Python of that version that starts; else the test is skipped."""
    here = ".".join(map(str, sys.version_info[:2]))
    candidates = [sys.executable] if version == here else []
    candidates += [found for found in [shutil.which(f"python{version}")] if found]
    candidates += map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))
    for candidate in candidates:
        asked = [candidate, "-I", "-S", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        if subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() == version:
            return candidate
    pytest.skip(f"there is no Python {version} on this machine, neither on PATH nor of pyenv")
