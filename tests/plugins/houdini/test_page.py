"""The pages' commands."""

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("name", "line"), [("houdini.md", "6 frames are whole"), ("blender.md", "shot.png: 5 frames, 392x306")]
)
def test_the_pages_commands_work(page: Any, tmp_path: Path, name: str, line: str) -> None:
    assert line in page(name).run(tmp_path).splitlines()
