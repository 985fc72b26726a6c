"""Work items of a Python Processor, generated and cooked by the double of PDG; what renders is the real command."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from interpreters import interpreter

TAG = "file/image"
PLUGIN = Path(__file__).parents[3] / "plugins" / "houdini"
HOUDINIS_PYTHONS = ("3.10", "3.11", "3.13")  # of 20.0, of 20.5 and 21, of 22


@pytest.fixture
def node(houdini: Any) -> Any:
    """The pdg.Node of the processor that the shelf tool makes."""
    from double.pdg import Node

    from vfxgan_houdini.topnet import make_network

    return Node(make_network(1001, 1006, "$HIP/o/####.exr", ""))


def set_parms(node: Any, **values: object) -> None:
    for name, value in values.items():
        node._top.parm(f"vfxgan_{name}").set(value)


class TestNetwork:
    def test_it_is_set_to_the_scene(self, houdini: Any) -> None:
        from vfxgan_houdini import shelf

        shelf.make_top_network()
        (node,) = houdini.selected
        parms = {name: parm._value for name, parm in node._parms.items()}
        assert node._path() == "/tasks/vfxgan/vfxgan"
        assert (parms["vfxgan_seeds"], parms["vfxgan_first_frame"], parms["vfxgan_chunk"]) == ("0-5", "1001", 10)
        assert parms["vfxgan_out"] == "$HIP/render/vfxgan/elements.####.exr"
        assert houdini.said == ["/tasks/vfxgan/vfxgan is made: choose seeds or an input sequence there, then cook it."]

    def test_pdg_takes_no_file_for_done_by_its_name_alone(self, node: Any) -> None:
        assert node._top.parm("pdg_cachemode").eval() == "write_files"

    def test_a_houdini_without_the_node_type_says_so(self, houdini: Any) -> None:
        from vfxgan_houdini import shelf

        del houdini.parms["pythonprocessor"]
        shelf.make_top_network()
        assert houdini.said == ["no TOP network could be made (Invalid node type name: pythonprocessor)"]

    def test_a_node_of_another_make_is_named(self, node: Any) -> None:
        from vfxgan_client import ClientError

        del node._top._parms["vfxgan_seeds"]
        with pytest.raises(ClientError, match="has no parameter vfxgan_seeds; make the node with the shelf tool"):
            node._generate()


class TestWorkItems:
    def test_seeds_become_work_items_with_their_files(self, node: Any, folder: Path, cli: Any) -> None:
        set_parms(node, out="$HIP/o/fire.$F4.exr", chunk=4)
        items = node._generate()
        files = [f"{folder}/o/fire.{number}.exr" for number in range(1001, 1007)]
        assert [item._expected for item in items] == [
            [(file, TAG) for file in files[:4]],
            [(file, TAG) for file in files[4:]],
        ]
        assert [item._attributes["vfxgan_frames"] for item in items] == ["1001-1004", "1005-1006"]
        assert [(item._attributes["vfxgan_first"], item._attributes["vfxgan_last"]) for item in items] == [
            (1001, 1004),
            (1005, 1006),
        ]
        assert not (folder / "o").exists(), "generating renders nothing"
        for item in items:
            node._cook(item)
        assert [item._outputs for item in items] == [item._expected for item in items]
        assert all(Path(file).is_file() for file in files)
        assert items[0]._percents[-1] == 100
        assert re.match(r"4 of 4 frames", items[0]._states[-1])
        cli("render", "--seeds", "0-5", "--start-frame", 1001, "--out", folder / "one run" / "fire.####.exr")
        assert all(Path(file).read_bytes() == (folder / "one run" / Path(file).name).read_bytes() for file in files)

    def test_an_input_sequence_becomes_work_items(self, node: Any, folder: Path, cli: Any) -> None:
        cli("render", "--seeds", "0-2", "--start-frame", 1001, "--out", folder / "in" / "p.####.exr")
        set_parms(node, seeds="", first_frame="", out="$HIP/up/p.####.exr", model="upscaler", chunk=2)
        node._top.parm("vfxgan_in").set("$HIP/in/p.$F4.exr")
        items = node._generate()
        assert [item._attributes["vfxgan_frames"] for item in items] == ["1001-1002", "1003"]
        node._cook(items[1])
        assert items[1]._outputs == [(f"{folder}/up/p.1003.exr", TAG)]
        assert [path.name for path in (folder / "up").iterdir()] == ["p.1003.exr"]

    def test_frames_of_plates_that_are_still_to_come_are_planned(self, node: Any, folder: Path, cli: Any) -> None:
        cli("render", "--seeds", "0", "--start-frame", 1001, "--out", folder / "in" / "p.####.exr")
        set_parms(node, seeds="", first_frame="", frames="1001-1003", out="$HIP/up/####.exr", model="upscaler")
        node._top.parm("vfxgan_in").set("$HIP/in/p.####.exr")
        (item,) = node._generate()
        assert [path for path, _ in item._expected] == [f"{folder}/up/{number}.exr" for number in (1001, 1002, 1003)]

    @pytest.mark.parametrize("what", ["the cook", "the work item"])
    def test_a_cancel_stops_it_and_leaves_whole_frames(
        self, node: Any, folder: Path, started: Any, is_alive: Any, what: str
    ) -> None:
        from vfxgan_houdini.tops import Stopped

        set_parms(node, seeds="0-9999", out="$HIP/o/####.exr", chunk=10000)
        (item,) = node._generate()
        if what == "the cook":
            node.context.cancels = lambda: bool(item._percents)
        else:
            item._cancels = lambda: bool(item._percents)
        with pytest.raises(Stopped, match="the next cook goes on"):
            node._cook(item)
        (pid,) = started()
        assert not is_alive(pid)
        made = list((folder / "o").iterdir())
        assert 0 < len(made) < 10000
        assert item._outputs == []
        assert all(re.fullmatch(r"\d{4,}\.exr", path.name) for path in made), "no temporary is left"

    def test_a_cancel_ends_the_question_for_the_frames(self, node: Any, silent: Any, is_alive: Any) -> None:
        from vfxgan_client import Withdrawn

        pid = silent("render")
        node.context.cancels = lambda: pid() > 0
        with pytest.raises(Withdrawn):
            node._generate()
        assert not is_alive(pid())

    def test_what_is_wrong_is_said_when_it_generates(self, node: Any) -> None:
        from vfxgan_client import ClientError

        set_parms(node, seeds="")
        with pytest.raises(ClientError, match="no seeds and no plates"):
            node._generate()
        set_parms(node, seeds="0-3", chunk=0)
        with pytest.raises(ClientError, match="0 frames per work item is too few; give 1 or more"):
            node._generate()

    def test_a_failure_has_vfxgans_own_line(self, node: Any, folder: Path) -> None:
        from vfxgan_client import ClientError

        set_parms(node, out="$HIP/o/####.exr", seeds="0-1", first_frame="")
        (item,) = node._generate()
        (folder / "o").mkdir()
        (folder / "o" / "0001.exr").write_bytes(b"somebody's work")
        with pytest.raises(ClientError, match=r"other work is in the way: .*0001\.exr"):
            node._cook(item)
        assert item._outputs == []


class TestOnAFarm:
    """Command lines for a scheduler of PDG's: cut into words as it cuts them, and started without a shell."""

    @pytest.fixture
    def words(self, node: Any, folder: Path) -> list[str]:
        place = folder / "o 'dd' \"é\" ;"
        place.mkdir()
        set_parms(node, out=f"{place}/####.exr", seeds="0-2", first_frame="", chunk=3, farm=1)
        (item,) = node._generate()
        assert item._cook_type.name == "OutOfProcess"
        words = shlex.split(item._command)
        assert words[0] == "__PDG_PYTHON__"
        return [sys.executable, *words[1:]]

    def test_the_command_renders_and_gives_pdg_its_files(self, words: list[str], folder: Path, tmp_path: Path) -> None:
        scripts = tmp_path / "scripts"
        scripts.mkdir()
        (scripts / "pdgcmd.py").write_text(
            "def addOutputFile(path, result_data_tag=''):\n    print('OUTPUT', result_data_tag, path)\n", "utf-8"
        )
        # What Houdini leaves in the environment of its jobs must not reach vfxgan.
        poison = tmp_path / "poison"
        poison.mkdir()
        (poison / "numpy.py").write_text("raise ImportError('the numpy of the host')\n", "utf-8")
        environment = {
            **os.environ,
            "PDG_RESULT_SERVER": "localhost:1",
            "PDG_SCRIPTDIR": str(scripts),
            "PYTHONPATH": str(poison),
        }
        done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        files = sorted(path for path in folder.glob("o *") for path in path.iterdir())
        assert [path.name for path in files] == ["0000.exr", "0001.exr", "0002.exr"]
        assert [line for line in done.stdout.splitlines() if line.startswith("OUTPUT")] == [
            f"OUTPUT {TAG} {file}" for file in files
        ]
        assert "3 of 3 frames" in done.stdout

    def test_a_failure_is_one_line_and_an_exit_code(self, words: list[str], folder: Path) -> None:
        (next(folder.glob("o *")) / "0001.exr").write_bytes(b"somebody's work")
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert done.stderr.startswith("vfxgan: other work is in the way")
        assert len(done.stderr.splitlines()) == 1

    def test_sigterm_stops_it_with_whole_frames(self, words: list[str], folder: Path, cli: Any) -> None:
        more = [word.replace("=0-2", "=0-9999") for word in words]
        process = subprocess.Popen(more, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert "frames" in process.stdout.readline()
        process.terminate()
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (
            130,
            "vfxgan: stopped; finished frames are whole, the same again renders the rest\n",
        )
        place = next(folder.glob("o *"))
        assert 0 < len(list(place.iterdir())) < 10000
        assert cli("verify", place).code == 0

    @pytest.mark.parametrize("version", HOUDINIS_PYTHONS)
    def test_it_runs_under_the_pythons_of_houdini_without_hou_or_pdg(
        self, words: list[str], folder: Path, version: str
    ) -> None:
        spy = "import runpy, sys; del sys.argv[0]; sys.modules.update(hou=None, pdg=None); "
        spy += "runpy.run_path(sys.argv[0], run_name='__main__')"
        started = [interpreter(version), "-c", spy, *words[1:]]
        done = subprocess.run(started, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(list(next(folder.glob("o *")).iterdir())) == 3


def test_every_file_is_read_by_python_3_9() -> None:
    files = list((PLUGIN / "python").rglob("*.py"))
    assert len(files) > 10
    for file in files:
        ast.parse(file.read_text(encoding="utf-8"), filename=str(file), feature_version=(3, 9))


def test_nothing_is_used_that_houdini_20_0_has_not() -> None:
    """But in annotations, which are not evaluated: hou.OpNode and its like came with 20.5."""
    newer = {"OpNode", "OpNodeType", "CopNode", "Cop2Node", "ApexNode", "copNodeTypeCategory"}
    found = []
    for file in sorted((PLUGIN / "python").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            for name in ("annotation", "returns"):
                if getattr(node, name, None) is not None:
                    setattr(node, name, None)
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        found += [f"{file.name}: hou.{name}" for name in sorted(names & newer)]
    assert found == []


class TestPackageFile:
    def test_its_paths_lead_to_the_plug_in(self) -> None:
        """As Houdini fills them in: HOUDINI_PACKAGE_PATH is the file's folder."""
        file = PLUGIN / "package" / "vfxgan.json"
        package = json.loads(file.read_text(encoding="utf-8"))
        variables = {"HOUDINI_PACKAGE_PATH": str(file.parent)}

        def filled(text: str) -> Path:
            return Path(re.sub(r"\$(\w+)", lambda found: variables[found.group(1)], text)).resolve()

        variables["VFXGAN_HOUDINI"] = str(filled(package["env"][0]["VFXGAN_HOUDINI"]))
        assert filled(package["hpath"]) == PLUGIN
        assert (PLUGIN / "toolbar" / "vfxgan.shelf").is_file()
        python = package["env"][1]["PYTHONPATH"]
        assert python["method"] == "prepend"
        folders = [filled(value) for value in python["value"]]
        assert (folders[0] / "vfxgan_houdini" / "shelf.py").is_file()
        assert (folders[1] / "vfxgan_client" / "__init__.py").is_file()
