"""The client runs the real command under every Python that Nuke and Houdini bring."""

import subprocess
from pathlib import Path

import pytest
from hosts import Told, kinds, last_event, run_host
from interpreters import HOSTS_PYTHONS, interpreter

HERE = Path(__file__).parent
PLUGINS = HERE.parents[1] / "plugins"


@pytest.fixture(params=HOSTS_PYTHONS)
def python(request: pytest.FixtureRequest) -> str:
    return interpreter(request.param)


def test_a_question_a_failure_and_a_render_are_told_by_typed_events(python: str, tmp_path: Path) -> None:
    fails = ["render", "elements", "--seeds", "9-x", "--out", "####.exr"]
    renders = ["render", "elements", "--seeds", "4-6", "--out", "o/####.exr"]
    told = run_host(python, ask=["models", "--json"], before=[fails], arguments=renders, folder=str(tmp_path))
    answer, *rest = told
    assert [model["name"] for model in answer.answer][:1] == ["elements"]
    assert sorted(kinds(rest[:3])) == ["End", "Failed", "Pid"]
    failure = last_event(rest[:3])
    assert failure.code == 2
    assert "--seeds '9-x' is not a range of seeds" in failure.reason
    assert "\n" not in failure.reason
    _check_render(rest[3:], tmp_path)


def _check_render(told: list[Told], folder: Path) -> None:
    assert last_event(told).facts == {"done": 3, "total": 3}
    assert [(each.label, each.total) for each in told if each.kind == "Started"] == [("render", 3)]
    frames = {each.number: each for each in told if each.kind == "FrameDone"}
    assert {number: frame.seed for number, frame in frames.items()} == {4: 4, 5: 5, 6: 6}
    assert {frame.path for frame in frames.values()} == {str(path) for path in (folder / "o").iterdir()}
    progress = [each for each in told if each.kind == "Progress"]
    assert [each.done for each in progress] == [1, 2, 3]
    assert progress[-1].fps > 0
    assert progress[-1].eta_s == 0
    foreign = {"numpy", "vfxgan", "OpenImageIO", "site", "ctypes"} & set(told[-1].modules)
    assert foreign == set(), "the host's process loads the standard library and the client"


def test_a_run_is_cancelled_and_what_is_done_is_whole(python: str, tmp_path: Path) -> None:
    arguments = ["render", "elements", "--seeds", "0-3999", "--out", "o/####.exr"]
    told = run_host(python, arguments=arguments, folder=str(tmp_path), cancel_after=1)
    end = last_event(told)
    assert end.kind == "Cancelled"
    assert 1 <= end.done < 4000
    names = sorted(path.name for path in (tmp_path / "o").iterdir())
    assert len(names) == end.done
    assert all(name[0].isdigit() for name in names), "no unfinished file is left"


def test_every_module_of_the_plugins_can_be_imported(python: str) -> None:
    folders = [str(PLUGINS / name) for name in ("client", "nuke", "houdini/python")]
    command = [python, "-I", "-S", str(HERE / "importer.py"), *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"vfxgan_client.run", "vfxgan_nuke.entries", "vfxgan_houdini.tops"} <= set(done.stdout.split())
