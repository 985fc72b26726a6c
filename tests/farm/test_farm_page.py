"""docs/farm.md: its commands run as they stand, in their order."""

import json
from pathlib import Path
from typing import Any

import pytest


def test_the_commands_of_the_page_run(page: Any, openjd: Any, tmp_path: Path) -> None:
    printed = page("farm.md").run(tmp_path)
    assert "40 frames are whole" in printed
    assert json.loads(Path("renders/smoke.json").read_text())["ok"] is True
    assert {path.parent.name for path in Path("farm").rglob("template.json")} == {"smoke", "fire", "sh010", "sh020"}


@pytest.mark.parametrize("option", ["--chunk", "--target-seconds", "--cores", "--gpus", "--priority", "--retries"])
def test_the_page_has_the_options_of_submit(page: Any, option: str) -> None:
    assert f"`{option}" in page("farm.md").text
