"""docs/reproducibility.md: its commands run as they stand, and what it says of frames that are equal holds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vfxgan.recipe import PIXEL_REVISION


def test_the_page_runs_from_a_render_to_the_proof(page: Callable[[str], Any], tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the page compares two runtimes")
    reproducibility = page("reproducibility.md")
    printed = reproducibility.run(tmp_path)
    assert "8 frames are whole, 3 of them rendered again: to the same bytes" in reproducibility.text
    assert "8 frames are whole, 3 of them rendered again: to the same bytes" in printed
    assert json.loads((tmp_path / "archive" / "shot010.json").read_text(encoding="utf-8"))["ok"] is True
    assert all((tmp_path / "archive" / name).stat().st_size for name in ("machine.txt", "installed.txt", "models.json"))


def test_the_page_speaks_of_this_pixel_revision(page: Callable[[str], Any]) -> None:
    assert f"Revision {PIXEL_REVISION} (this one)" in page("reproducibility.md").text
