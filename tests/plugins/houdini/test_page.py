"""The pages' commands."""

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("name", "last_line"), [("houdini.md", "6 frames are whole"), ("blender.md", "shot.png: 5 frames, 392x306")]
)
def test_the_pages_commands_work(page: Any, tmp_path: Path, name: str, last_line: str) -> None:
    assert page(name).run(tmp_path).splitlines()[-1] == last_line
