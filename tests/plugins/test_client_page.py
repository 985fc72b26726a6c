"""docs/client.md."""

import re
from pathlib import Path
from typing import Any

from interpreters import interpreter


def test_the_page_s_script_renders_under_the_oldest_python_of_a_host(page: Any, tmp_path: Path) -> None:
    (script,) = re.findall(r"^```python\n(.*?)^```", page("client.md").text, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "render.py").write_text(script, encoding="utf-8")
    printed = page("client.md").run(tmp_path, {"python3 ": f"{interpreter('3.9')} "})
    frames = sorted((tmp_path / "shot010").iterdir())
    assert len(frames) == 4
    assert all(f"{number} {path}\n" in printed for number, path in enumerate(frames))


def test_the_page_names_all_that_the_package_offers(page: Any, host_paths: list[Path]) -> None:
    import vfxgan_client

    text = page("client.md").text
    own = {"Command", "Event", "clean_environment"}  # a type to annotate with, or for a program that starts others
    assert [name for name in vfxgan_client.__all__ if f"`{name}" not in text and name not in own] == []
