"""docs/project.md: its commands run, its example is a file, its tables are the code's."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vfxgan.project import find_project, look_for_project
from vfxgan.project_example import example
from vfxgan.project_keys import KEYS, TOKENS


@pytest.fixture
def text(page: Callable[[str], Any]) -> str:
    return str(page("project.md").text)


def test_the_commands_of_the_page_run(page: Callable[[str], Any], tmp_path: Path) -> None:
    printed = page("project.md").run(tmp_path)
    (shown,) = re.findall(r"^```text\n(.*?)^```", page("project.md").text, flags=re.MULTILINE | re.DOTALL)
    assert shown.replace("/show/", f"{tmp_path}/") in printed
    assert "to go on with it later: --version v002" in printed
    assert sorted(path.name for path in (tmp_path / "renders" / "sh010").iterdir()) == ["v001", "v002"]
    assert len(list((tmp_path / "renders" / "sh010" / "v001" / "elements").glob("*.exr"))) == 8


def test_the_example_is_a_whole_file_without_a_problem(text: str, tmp_path: Path) -> None:
    (found,) = re.findall(r"^```toml\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert found == example(active=True)
    (tmp_path / "vfxgan.toml").write_text(found, encoding="utf-8")
    project = find_project()
    assert project.settings is not None
    assert set(project.settings.values) == {key.name for key in KEYS}
    assert project.target(None, 2, None, "fire").endswith("/sequences/renders/sh010/v002/fire/sh010_fire_v002.####.exr")
    assert project.path_map.local(r"p:\show\a") == "/mnt/show/a"


def test_the_table_has_every_key_as_it_is(text: str) -> None:
    rows = [
        f"| `{key.name}` | {key.takes} | {'' if key.default is None else f'`{key.default}`'} | {key.about} |"
        for key in KEYS
    ]
    assert [row for row in rows if row not in text.splitlines()] == []
    named = re.findall(r"^\| `([a-z_.]+)` \|", text, flags=re.MULTILINE)
    assert named == [*(key.name for key in KEYS), "paths"]
    assert re.findall(r"^\| `\{(\w+)\}` \|", text, flags=re.MULTILINE) == list(TOKENS)


def test_a_new_file_changes_nothing_and_replaces_nothing(cli: Any, tmp_path: Path) -> None:
    assert cli("project", "--init").out == f"{tmp_path / 'vfxgan.toml'}\n"
    project = look_for_project()
    assert project.settings is not None
    assert (dict(project.settings.values), project.settings.rows, project.settings.problems) == ({}, (), ())
    (tmp_path / "vfxgan.toml").write_text("threads = 2\n")
    result = cli("project", "--init")
    assert result.code == 2
    assert "vfxgan.toml is there already, and stays as it is" in result.line
    assert find_project().threads == 2


def test_each_line_of_a_new_file_becomes_a_setting_without_its_mark(tmp_path: Path) -> None:
    lines = example(active=False).splitlines()
    assert "\n".join(re.sub(r"^# (?=[a-z_]+ = |\[\[)", "", line) for line in lines) + "\n" == example(active=True)
