"""Which model a command takes when none is named, and `vfxgan models`."""

import json
from pathlib import Path
from typing import Any

import pytest


def test_the_environment_names_the_model(cli: Any, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFXGAN_MODEL", str(tiny))
    assert cli("render", "--seeds", "0", "--out", "a.exr").code == 0


def test_settings_above_the_working_folder_name_the_model(
    cli: Any, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.onnx").write_bytes(tiny.read_bytes())
    (tmp_path / "vfxgan.toml").write_text('model = "m.onnx"\n')
    (tmp_path / "shots" / "a").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "shots" / "a")
    assert cli("render", "--seeds", "0", "--out", "a.exr").code == 0


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("model = ", "cannot be read"),
        ("modell = 'a'", "unknown key 'modell'"),
        ("model = 3", "model is 3, not text"),
        ("model = 'gone.onnx'", "no such model file"),
    ],
)
def test_bad_settings_are_named(cli: Any, tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "vfxgan.toml").write_text(text)
    result = cli("render", "--seeds", "0", "--out", "a.exr")
    assert result.code in (1, 2)
    assert "vfxgan.toml" in result.line
    assert part in result.line


def test_models_lists_the_default(cli: Any, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFXGAN_MODEL", str(tiny))
    found = json.loads(cli("models", "--json").out)
    (mine,) = [item for item in found if item["path"] == str(tiny)]
    assert mine["default"] is True
    assert (mine["name"], mine["kind"], mine["size"], mine["channels"]) == ("tiny", "generator", [32, 32], 4)
    assert "* tiny" in cli("models").out


def test_models_says_what_is_wrong_with_one(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFXGAN_MODEL", "gone.onnx")
    assert "gone.onnx (from $VFXGAN_MODEL): no such model file" in cli("models").out


def test_doctor_runs_the_default_render(cli: Any, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFXGAN_MODEL", str(tiny))
    result = cli("doctor")
    assert result.code == 0, result
    assert "the default, ran the model" in result.out


def test_doctor_fails_where_the_default_render_would(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFXGAN_MODEL", "gone.onnx")
    result = cli("doctor")
    assert result.code == 1
    assert "MISSING" in result.out
    assert "cannot run: model" in result.line
