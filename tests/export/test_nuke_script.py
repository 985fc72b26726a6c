"""The Nuke script beside a TorchScript, read by Tcl itself: that is the language it is written in."""

import pytest

from vfxgan.errors import TargetError
from vfxgan.export.nuke_script import nuke_script, write_nuke_script
from vfxgan.spec import Encoding, ImageInput, ModelSpec

tkinter = pytest.importorskip("tkinter", reason="this Python was built without Tcl")


def spec_of(**fields) -> ModelSpec:
    usual = {
        "name": "plate x2",
        "kind": "upscaler",
        "architecture": "srresnet",
        "input": ImageInput(channels=3),
        "scale": 2,
        "channels_out": 3,
    }
    return ModelSpec.model_validate(usual | fields)


def read(script: str) -> dict[str, list[list[str]]]:
    """The nodes of a script by class, each as the lines of its knobs, evaluated as Nuke evaluates them on loading."""
    tcl = tkinter.Tcl()
    nodes: dict[str, list[list[str]]] = {}

    def node(kind: str, body: str) -> str:
        lines: list[list[str]] = []
        tcl.createcommand("unknown", lambda *words: lines.append(list(words)) or "")
        tcl.eval(body)
        nodes[kind] = lines
        return ""

    for kind in ("StickyNote", "CatFileCreator", "Inference"):
        tcl.createcommand(kind, lambda body, kind=kind: node(kind, body))
    tcl.createcommand("version", lambda *words: "")
    tcl.eval(script)
    return nodes


def used(value: str, folder: str) -> str:
    """A file knob as Nuke evaluates it when the file is opened."""
    tcl = tkinter.Tcl()
    calls = []
    tcl.createcommand("python", lambda code: calls.append(code) or folder)
    path = tcl.call("subst", value)
    assert calls == ["nuke.script_directory()"]
    return str(path)


def test_both_nodes_find_their_files_beside_the_script():
    nodes = read(nuke_script(spec_of(), "m.nuke.pt", "m.cat"))
    creator, inference = (dict(line[:2] for line in nodes[kind]) for kind in ("CatFileCreator", "Inference"))
    assert used(creator["torchScriptFile"], "/show/comp") == "/show/comp/m.nuke.pt"
    assert used(creator["catFile"], "/show/comp") == "/show/comp/m.cat"
    assert used(inference["modelFile"], "/show/comp") == "/show/comp/m.cat"
    assert (creator["channelsIn"], creator["channelsOut"]) == ("rgba.red, rgba.green, rgba.blue",) * 2
    assert (creator["outputScale"], creator["modelId"]) == ("2", "plate_x2")


@pytest.mark.parametrize("name", ["a b.pt", "a[exit].pt", "a$HOME.pt", 'a"b.pt', "a{b.pt", "a\\b.pt", "a}b];c.pt"])
def test_a_name_is_taken_letter_by_letter_though_tcl_reads_it_twice(name):
    creator = dict(line[:2] for line in read(nuke_script(spec_of(name=name), name, "m.cat"))["CatFileCreator"])
    assert used(creator["torchScriptFile"], "/show") == f"/show/{name}"


@pytest.mark.parametrize("name", ["a%04d.pt", "a####.pt", "a\nb.pt"])
def test_a_name_that_nuke_would_put_frame_numbers_into_is_refused(name):
    with pytest.raises(TargetError, match="Nuke takes % and # in a path for frame numbers"):
        nuke_script(spec_of(), name, "m.cat")


def test_knobs_have_the_names_of_the_attributes_and_their_values():
    lines = read(nuke_script(spec_of(), "m.pt", "m.cat"))["CatFileCreator"]
    added = [tkinter.Tcl().splitlist(line[1]) for line in lines if line[0] == "addUserKnob"]
    assert [words[:2] for words in added] == [("20", "User"), ("7", "exposure"), ("7", "blend"), ("6", "highlights")]
    values = {line[0]: line[1] for line in lines}
    assert (values["exposure"], values["blend"], values["highlights"]) == ("0", "1", "true")


@pytest.mark.parametrize("fields", [{"encoding": Encoding(extended=True)}, {"input": ImageInput(channels=1)}])
def test_a_knob_that_would_do_nothing_is_left_out(fields):
    assert "highlights" not in nuke_script(spec_of(**fields), "m.pt", "m.cat")


def test_a_matte_comes_from_alpha_and_rgba_goes_to_all_four():
    spec = spec_of(input=ImageInput(channels=1), channels_out=4)
    creator = dict(line[:2] for line in read(nuke_script(spec, "m.pt", "m.cat"))["CatFileCreator"])
    assert creator["channelsIn"] == "rgba.alpha"
    assert creator["channelsOut"] == "rgba.red, rgba.green, rgba.blue, rgba.alpha"


def test_it_names_no_folder_of_this_machine(tmp_path):
    write_nuke_script(tmp_path / "m.nk", spec_of(), tmp_path / "m.nuke.pt")
    text = (tmp_path / "m.nk").read_text()
    assert str(tmp_path) not in text
    assert "m.nuke.pt" in text
    with pytest.raises(TargetError, match="must be in the folder of"):
        write_nuke_script(tmp_path / "m.nk", spec_of(), tmp_path / "elsewhere" / "m.nuke.pt")
