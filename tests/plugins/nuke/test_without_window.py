"""What runs on a farm, and at every start of Nuke: init.py, and the functions for `nuke -t`."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from interpreters import HOSTS_PYTHONS, interpreter

WITHOUT_WINDOW = ("colourspaces", "errors", "orders", "rendering", "sequences", "at_hand", "farm")


def run_python(python: str, program: str, *words: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    """As a host's own Python: nothing of this environment's packages."""
    command = [python, "-I", "-S", "-c", program, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


@pytest.mark.parametrize("version", HOSTS_PYTHONS)
def test_init_needs_nothing_and_starts_nothing(version: str, installed: Path) -> None:
    program = """
import json, runpy, sys
before = set(sys.modules)
for _ in range(2):
    runpy.run_path(sys.argv[1])
loaded = sorted({name.split(".")[0] for name in set(sys.modules) - before})
print(json.dumps([loaded, [path for path in sys.path if path.startswith(sys.argv[2])]]))
"""
    done = run_python(interpreter(version), program, installed / "init.py", installed.parent)
    assert done.stderr == ""
    loaded, paths = json.loads(done.stdout)
    assert not set(loaded) & {"nuke", "subprocess", "vfxgan_nuke", "vfxgan_client", "PySide2", "PySide6", "threading"}
    assert paths == [str(installed), str(installed.parent / "client")]


@pytest.mark.parametrize("version", HOSTS_PYTHONS)
def test_every_module_loads_under_each_python_of_a_host(version: str, installed: Path) -> None:
    program = """
import importlib, pathlib, runpy, sys, types
runpy.run_path(sys.argv[1])
sys.modules["nuke"] = types.ModuleType("nuke")
names = sorted(path.stem for path in (pathlib.Path(sys.argv[1]).parent / "vfxgan_nuke").glob("*.py"))
for name in names:
    importlib.import_module(f"vfxgan_nuke.{name}")
print(len(names), [name for name in ("numpy", "vfxgan", "PySide2", "PySide6", "nukescripts") if name in sys.modules])
"""
    done = run_python(interpreter(version), program, installed / "init.py")
    assert done.stderr == ""
    assert done.stdout == f"{len(list((installed / 'vfxgan_nuke').glob('*.py')))} []\n"


@pytest.mark.parametrize(
    "version", [HOSTS_PYTHONS[0], HOSTS_PYTHONS[-1]]
)  # what is between is the client's, and tested
def test_a_farm_script_renders_without_nuke_s_window_under_the_pythons_of_hosts(
    version: str, installed: Path, tiny: Path, command: Path, tmp_path: Path
) -> None:
    program = f"""
import runpy, sys
runpy.run_path(sys.argv[1])
{"".join(f"import vfxgan_nuke.{name}{chr(10)}" for name in WITHOUT_WINDOW)}
from vfxgan_nuke import farm
rendered = farm.generate(sys.argv[2], seeds="3-4", out=sys.argv[3], start_frame=-1)
print([rendered.first, rendered.last, rendered.colourspace, sorted(m for m in sys.modules if m.startswith("nuke"))])
"""
    out = tmp_path / "été 'x'" / "fire.%04d.exr"
    done = run_python(interpreter(version), program, installed / "init.py", tiny, out, VFXGAN_COMMAND=str(command))
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[-1] == "[-1, 0, 'lin_rec709', []]"
    assert {line.split(" (")[1] for line in lines[1:3]} == {"1 of 2)", "2 of 2)"}
    assert {line.split(" (")[0] for line in lines[1:3]} == {"Frame -1", "Frame 0"}
    assert sorted(frame.name for frame in out.parent.iterdir()) == ["fire.-001.exr", "fire.0000.exr"]


def test_a_farm_script_makes_a_read_in_a_script_without_a_window(
    nuke: Callable[..., Any], command: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host = nuke(gui=False)
    from vfxgan_nuke import farm

    rendered = farm.generate(str(tiny), seeds="0-1", out="fire.%04d.exr", colourspace="ACEScg")
    read = farm.make_read(rendered, "Fire")
    assert host.nodes == [read]
    assert [read._knobs[name]._value for name in ("name", "first", "last", "colorspace")] == [
        "Fire",
        0,
        1,
        "ACES - ACEScg",
    ]
    assert read._knobs["file"]._value == f"{tmp_path}/fire.%04d.exr"
    assert "(2 of 2)" in capsys.readouterr().out


def test_process_sends_plates_through_a_model(
    nuke: Callable[..., Any], artist: Any, twice: Path, plate: Path, folder: Path
) -> None:
    from vfxgan_nuke import farm

    rendered = farm.process(str(twice), plates=str(plate), out=str(folder / "up.%04d.exr"), frames="1002-1003")
    assert (rendered.first, rendered.last, rendered.colourspace) == (1002, 1003, "lin_rec709_scene")
    assert farm.make_read(rendered)._knobs["colorspace"]._value == "lin_rec709"  # type: ignore[attr-defined]


def test_a_farm_script_fails_aloud(
    nuke: Callable[..., Any], command: Path, tiny: Path, make_model: Any, tmp_path: Path, plate: Path, twice: Path
) -> None:
    from vfxgan_nuke import farm
    from vfxgan_nuke.errors import Refusal, RenderFailed

    out = str(tmp_path / "fire.%04d.exr")
    with pytest.raises(Refusal, match="seeds 'fire' is no range"):
        farm.generate(str(tiny), seeds="fire", out=out)
    with pytest.raises(RenderFailed, match="no such model file"):
        farm.generate(str(tmp_path / "lost.onnx"), seeds="0", out=out)
    shaky = make_model(tmp_path / "shaky.onnx", not_a_number_below=-0.07)
    with pytest.raises(RenderFailed, match=r"frame 1 failed .*, 1 in all; the others are whole in ") as failed:
        farm.generate(str(shaky), seeds="0-3", out=out)
    assert failed.value.code == 3
    assert (tmp_path / "fire.0003.exr").exists()
    with pytest.raises(Refusal, match="is the plate itself"):
        farm.process(str(twice), plates=str(plate), out=str(plate), frames="1001")


def test_there_is_no_command(artist: Any, entries: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VFXGAN_COMMAND", str(tmp_path / "gone"))
    entries.generate()
    said = artist.wait_for_word()
    assert said == (
        f"vfxgan: $VFXGAN_COMMAND names {tmp_path}/gone as the vfxgan command, and there is no such file; correct it"
    )
    monkeypatch.delenv("VFXGAN_COMMAND")
    monkeypatch.setenv("PATH", str(tmp_path))
    entries.browse()
    assert artist.wait_for_word(2).startswith("vfxgan: there is no vfxgan command on PATH; install it")
    assert artist.panels == []


def test_the_command_is_too_old(artist: Any, entries: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("a script cannot stand in for a program on Windows")
    old = tmp_path / "vfxgan"
    old.write_text(f"#!{sys.executable}\nprint('vfxgan 0.0.9')\n")
    old.chmod(0o755)
    monkeypatch.setenv("VFXGAN_COMMAND", str(old))
    entries.generate()
    assert artist.wait_for_word().startswith(f"vfxgan: {old} is vfxgan 0.0.9, and this plug-in needs 0.1.0 or newer; ")
