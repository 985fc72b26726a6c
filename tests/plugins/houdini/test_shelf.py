"""The shelf's buttons, pressed in the double of Houdini; what renders is the real `vfxgan` command."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vfxgan.images import read_header, read_picture
from vfxgan.recipe import read_stamp

PLUGIN = Path(__file__).parents[3] / "plugins" / "houdini"


def frames_in(folder: Path) -> dict[int | None, str]:
    """Seed → file name."""
    stamps = {path.name: read_stamp(read_header(path)) for path in sorted(folder.glob("*.exr"))}
    return {stamp.recipe.seed: name for name, stamp in stamps.items() if stamp is not None}


class TestShelfFile:
    def test_it_is_a_shelf_of_its_tools(self) -> None:
        root = ElementTree.parse(PLUGIN / "toolbar" / "vfxgan.shelf").getroot()
        assert root.tag == "shelfDocument"
        members = [member.get("name") for member in root.findall("toolshelf/memberTool")]
        assert members == [tool.get("name") for tool in root.findall("tool")]
        assert len(members) == len(set(members)) == 4

    def test_its_code_calls_functions_that_exist(self, shelf: ModuleType) -> None:
        root = ElementTree.parse(PLUGIN / "toolbar" / "vfxgan.shelf").getroot()
        called = []
        for script in root.findall("tool/script"):
            assert script.get("scriptType") == "python"
            code = script.text or ""
            compile(code, "tool", "exec")
            called += re.findall(r"shelf\.(\w+)\(\)", code)
        assert sorted(called) == ["browse_seeds", "generate_elements", "make_top_network", "process_sequence"]
        assert all(callable(getattr(shelf, name)) for name in called)


class TestGenerateElements:
    def test_seeds_become_frames_and_a_file_cop(self, shelf: ModuleType, houdini: Any, folder: Path) -> None:
        houdini.chosen = [(0,)]
        houdini.texts = ["0-2|1001|lin_rec709|$HIP/o/fire.$F4.exr|"]
        shelf.generate_elements()
        assert frames_in(folder / "o") == {0: "fire.1001.exr", 1: "fire.1002.exr", 2: "fire.1003.exr"}
        node = houdini.selected[0]
        assert node._path() == "/obj/vfxgan_tiny/tiny"
        assert node._parms["filename"]._value == f"{folder}/o/fire.$F4.exr"
        assert houdini.said == [f"3 frames, 1001 to 1003: {folder}/o/fire.####.exr\nin /obj/vfxgan_tiny/tiny"]
        (operation,) = [each for each in houdini.operations if each._name == "Rendering"]
        assert operation._fractions[0] == 0.0
        assert operation._fractions[-1] > 0
        assert any(re.match(r"\d of 3 frames", note) for note in operation._notes)

    def test_the_scene_and_the_project_fill_the_dialog(
        self, shelf: ModuleType, houdini: Any, folder: Path, recording: Any
    ) -> None:
        lines = ['colorspace = "ACEScg"', "[output]", 'pattern = "els/{shot}/{model}/{version}/{model}.####.exr"']
        (folder.parent / "vfxgan.toml").write_text("\n".join(lines), encoding="utf-8")
        houdini.environment["SHOT"] = "sh010"
        houdini.chosen, houdini.button = [(0,)], 1
        shelf.generate_elements()
        (dialog,) = recording.of("ui.readMultiInput")
        asked = dict(zip(dialog.args[1], dialog.kwargs["initial_contents"], strict=True))
        assert asked["Seeds"] == "0-5"
        assert asked["First frame (empty: seed 7 goes to frame 7)"] == "1001"
        assert asked["Colour space"] == "ACEScg"
        assert asked["Output"] == f"{folder.parent}/els/sh010/tiny/v001/tiny.####.exr"
        assert houdini.said == ["vfxgan: nothing was started"]

    def test_what_the_project_lacks_stands_above_the_fields(
        self, shelf: ModuleType, houdini: Any, folder: Path, recording: Any
    ) -> None:
        (folder / "vfxgan.toml").write_text('[output]\npattern = "{shot}/####.exr"\n', encoding="utf-8")
        houdini.chosen, houdini.button = [(0,)], 1
        shelf.generate_elements()
        (dialog,) = recording.of("ui.readMultiInput")
        assert "shot" in dialog.args[0].splitlines()[1]
        assert "$HIP/render/vfxgan/elements.####.exr" in dialog.kwargs["initial_contents"]

    def test_escape_stops_it_and_leaves_whole_frames(
        self, shelf: ModuleType, houdini: Any, folder: Path, cli: Any, started: Any, is_alive: Any
    ) -> None:
        houdini.chosen, houdini.texts = [(0,)], ["0-9999|1001||$HIP/o/####.exr|"]
        houdini.escape = lambda operation: operation._name == "Rendering" and any(folder.glob("o/[!.]*.exr"))
        shelf.generate_elements()
        (pid,) = started()
        assert not is_alive(pid)
        made = sorted((folder / "o").iterdir())
        assert houdini.said == ["vfxgan: stopped; finished frames are whole, the same again renders the rest"]
        assert 0 < len(made) < 10000
        assert all(re.fullmatch(r"\d{4,}\.exr", path.name) for path in made), "no temporary is left"
        assert cli("verify", folder / "o").code == 0
        assert sorted((folder / "o").iterdir()) == made, "nothing was rendered meanwhile"

    @pytest.mark.parametrize("question", ["models", "project", "render"])
    def test_escape_ends_a_question(
        self, shelf: ModuleType, houdini: Any, silent: Any, is_alive: Any, question: str
    ) -> None:
        pid = silent(question)
        houdini.chosen, houdini.texts = [(0,)], ["0|1001||$HIP/o/####.exr|"]
        houdini.escape = lambda operation: pid() > 0
        shelf.generate_elements()
        assert houdini.said == ["vfxgan: stopped; finished frames are whole, the same again renders the rest"]
        assert not is_alive(pid())

    def test_frames_that_failed_are_named_and_the_others_are_loaded(
        self, shelf: ModuleType, houdini: Any, folder: Path, make_model: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = make_model(folder / "shaky.onnx", not_a_number_below=-0.07)  # of seeds 0 to 3, seed 1 alone
        monkeypatch.setenv("VFXGAN_MODEL", str(model))
        houdini.chosen, houdini.texts = [(0,)], ["0-3|1001||$HIP/o/####.exr|"]
        shelf.generate_elements()
        assert houdini.said[0].splitlines()[0] == f"3 of 4 frames, 1001 to 1004: {folder}/o/####.exr"
        assert houdini.said[0].splitlines()[1].startswith("1 failed: frame 1002 (seed 1): the network gave NaN")
        assert houdini.selected[0]._parms["filename"]._value == f"{folder}/o/$F4.exr"

    def test_where_every_frame_failed_there_is_nothing_to_load(
        self, shelf: ModuleType, houdini: Any, folder: Path, make_model: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = make_model(folder / "shaky.onnx", not_a_number_below=-0.07)
        monkeypatch.setenv("VFXGAN_MODEL", str(model))
        houdini.chosen, houdini.texts = [(0,)], ["1|1001||$HIP/o/####.exr|"]
        shelf.generate_elements()
        assert houdini.said == ["1 of 1 frame failed: 1001; none is done"]
        assert houdini.selected == []

    @pytest.mark.parametrize("content", [None, b"junk"])
    def test_a_broken_model_of_the_project_is_told_and_no_other_takes_its_place(
        self, shelf: ModuleType, houdini: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
    ) -> None:
        monkeypatch.delenv("VFXGAN_MODEL")
        (folder / "vfxgan.toml").write_text('model = "hero.onnx"\n', encoding="utf-8")
        if content is not None:
            (folder / "hero.onnx").write_bytes(content)
        shelf.generate_elements()
        assert houdini.lists == []
        assert "hero.onnx" in houdini.said[0]
        assert houdini.said[0].startswith("vfxgan.toml: ")

    def test_what_vfxgan_has_against_it_is_said_before_the_start(
        self, shelf: ModuleType, houdini: Any, folder: Path
    ) -> None:
        houdini.chosen, houdini.texts = [(0,)], ["5-1x0|1001||$HIP/o/####.exr|"]
        shelf.generate_elements()
        assert houdini.said == ["--seeds '5-1x0' is not a range of seeds; write 0-499, 0-499x2 or 1,5,9"]
        assert "Rendering" not in [operation._name for operation in houdini.operations]
        assert not (folder / "o").exists()

    def test_odd_paths_are_only_paths(self, shelf: ModuleType, houdini: Any, folder: Path) -> None:
        houdini.environment["JOB"] = f"{folder}/a 'job' \"été\"; touch hacked &"
        houdini.chosen, houdini.texts = [(0,)], ["0|||$JOB/../o 1/####.exr|"]
        shelf.generate_elements()
        assert frames_in(folder / "o 1") == {0: "0000.exr"}
        assert not list(folder.rglob("hacked"))

    def test_a_houdini_without_the_node_still_says_where_the_frames_are(
        self, shelf: ModuleType, houdini: Any, folder: Path
    ) -> None:
        del houdini.parms["copnet"]
        houdini.chosen, houdini.texts = [(0,)], ["0|||$HIP/o/####.exr|"]
        shelf.generate_elements()
        assert (folder / "o" / "0000.exr").is_file()
        assert houdini.said == [
            f"frame 0: {folder}/o/####.exr\n"
            f"no File COP could be made (Invalid node type name: copnet); load {folder}/o/$F4.exr by hand"
        ]


class TestFileCop:
    def test_before_copernicus_the_node_goes_to_img(self, houdini: Any) -> None:
        from vfxgan_houdini import cops

        houdini.version = (20, 0, 506)
        node: Any = cops.load("/s/####.exr", "it's fire")
        assert (node._path(), node._parms["filename1"]._value) == ("/img/vfxgan_it_s_fire/it_s_fire", "/s/$F4.exr")

    @pytest.mark.parametrize("path", ["/s/$odd/####.exr", "/s/`ls`.####.exr"])
    def test_a_path_that_it_would_take_for_a_variable_is_named(self, houdini: Any, path: str) -> None:
        from vfxgan_client import ClientError
        from vfxgan_houdini import cops

        with pytest.raises(ClientError, match=r"a File COP would take its \$ or ` for a variable; load the frames by"):
            cops.load(path, "fire")
        assert houdini.selected == []

    def test_a_parameter_that_this_version_lacks_is_named(self, houdini: Any) -> None:
        from vfxgan_client import ClientError
        from vfxgan_houdini import cops

        del houdini.parms["file"]["filename"]
        with pytest.raises(ClientError, match=r"no parameter 'filename' in this Houdini; set it to '/s/[$]F4.exr' by"):
            cops.load("/s/####.exr", "fire")


class TestFaults:
    def test_no_vfxgan(self, shelf: ModuleType, houdini: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("VFXGAN_COMMAND")
        monkeypatch.setenv("PATH", "")
        shelf.generate_elements()
        assert houdini.said[0].startswith("there is no vfxgan command on PATH")

    def test_a_scene_that_was_never_saved(self, shelf: ModuleType, houdini: Any) -> None:
        houdini.hip = "/nowhere/untitled.hip"
        shelf.process_sequence()
        assert houdini.said == ["$HIP is '/nowhere', which is no folder; save the scene first"]

    @pytest.mark.parametrize("name", ["generate_elements", "process_sequence", "browse_seeds"])
    def test_a_closed_list_starts_nothing(self, shelf: ModuleType, houdini: Any, name: str) -> None:
        houdini.chosen = [()]
        getattr(shelf, name)()
        assert houdini.said == ["vfxgan: nothing was started"]


class TestProcessSequence:
    @pytest.fixture
    def plates(self, folder: Path, cli: Any) -> Path:
        assert cli("render", "--seeds", "0-1", "--start-frame", 1001, "--out", folder / "in" / "p.####.exr").code == 0
        return folder / "in"

    def test_an_input_sequence_is_upscaled(
        self, shelf: ModuleType, houdini: Any, folder: Path, plates: Path, recording: Any
    ) -> None:
        houdini.chosen = [(0,)]
        houdini.texts = ["$HIP/in/p.$F4.exr", "$HIP/in/p.$F4.exr||||$HIP/up/p.####.exr|--mix 0.5"]
        shelf.process_sequence()
        assert sorted(path.name for path in (folder / "up").iterdir()) == ["p.1001.exr", "p.1002.exr"]
        assert read_picture(folder / "up" / "p.1001.exr").pixels.shape[1] == 64
        (dialog,) = recording.of("ui.selectFile")
        assert dialog.kwargs["collapse_sequences"] is True
        assert houdini.lists[0][0].startswith("upscaler  (upscaler, x2, RGB)")

    def test_a_selected_file_cop_is_the_input(
        self, shelf: ModuleType, houdini: Any, plates: Path, recording: Any
    ) -> None:
        from vfxgan_houdini import cops

        cops.load(f"{plates}/p.####.exr", "plate")
        houdini.chosen, houdini.button = [(0,)], 1
        shelf.process_sequence()
        assert recording.of("ui.selectFile") == []
        assert recording.of("ui.readMultiInput")[0].kwargs["initial_contents"][0] == f"{plates}/p.$F4.exr"

    def test_a_plate_that_is_missing_is_named(
        self, shelf: ModuleType, houdini: Any, folder: Path, plates: Path
    ) -> None:
        houdini.chosen = [(0,)]
        houdini.texts = ["$HIP/in/p.$F4.exr", "$HIP/in/p.$F4.exr|1001-1003|||$HIP/up/p.####.exr|"]
        shelf.process_sequence()
        assert "1003" in houdini.said[-1]
        assert sorted(path.name for path in (folder / "up").iterdir()) == ["p.1001.exr", "p.1002.exr"]


class TestBrowseSeeds:
    @pytest.fixture
    def viewer(self, houdini: Any, folder: Path) -> Path:
        """A stand-in for MPlay that keeps what it is given."""
        program = folder / "hfs" / "bin" / "mplay"
        program.parent.mkdir(parents=True)
        program.write_text('#!/bin/sh\ncp "$1" "$0.shown"\n', encoding="utf-8")
        program.chmod(0o755)
        houdini.environment["HFS"] = str(folder / "hfs")
        return program.with_name("mplay.shown")

    def test_picks_are_rendered_and_what_was_for_looking_is_gone(
        self, shelf: ModuleType, houdini: Any, folder: Path, viewer: Path, recording: Any
    ) -> None:
        houdini.chosen = [(0,), (1, 3)]
        houdini.texts = ["5-8", "6,8|||$HIP/o/####.exr|"]
        shelf.browse_seeds()
        assert houdini.lists[1] == ("seed 5", "seed 6", "seed 7", "seed 8")
        assert recording.of("ui.readMultiInput")[1].kwargs["initial_contents"][0] == "6,8"
        assert frames_in(folder / "o") == {6: "0006.exr", 8: "0008.exr"}
        assert not list(folder.glob("vfxgan-browse-*"))

    def test_without_the_viewer_it_says_so(self, shelf: ModuleType, houdini: Any, folder: Path) -> None:
        houdini.environment["HFS"] = str(folder / "nowhere")
        houdini.chosen, houdini.texts = [(0,)], ["5-6"]
        shelf.browse_seeds()
        assert "the contact sheet cannot be shown" in houdini.said[-1]
        assert not list(folder.glob("vfxgan-browse-*"))
