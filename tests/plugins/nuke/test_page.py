"""docs/nuke.md."""

from pathlib import Path
from typing import Any


def test_the_page_s_commands_work(page: Any, tmp_path: Path) -> None:
    printed = page("nuke.md").run(tmp_path, shorter={"30-49": "30-33"})
    assert "nuke.pluginAddPath(" in printed
    assert '"frames": 4' in printed
    assert "(2 of 2)" in printed
    assert sorted(path.name for path in (tmp_path / "elements_v001").iterdir()) == [
        "elements.1001.exr",
        "elements.1002.exr",
    ]
