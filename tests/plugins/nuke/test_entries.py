"""Menus, panels, background renders and the Reads they make, with the real command behind Nuke's double."""

import os
import runpy
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

MENU = Path(__file__).parents[3] / "plugins" / "nuke" / "menu.py"
LABELS = ["Generate elements from seeds…", "Process selected Read…", "Browse seeds…"]


def knobs_of(read: Any, *names: str) -> list[Any]:
    return [read._knobs[name]._value for name in names]


def test_the_menu_bar_and_the_nodes_toolbar_have_the_three_entries_once(nuke: Callable[..., Any]) -> None:
    host = nuke()
    for _ in range(2):  # a studio may have two ways to it
        runpy.run_path(str(MENU))
    for name in ("Nuke", "Nodes"):
        assert [item._name for item in host.menus[name]._find("Vfxgan")._items.values()] == LABELS


def test_a_start_of_nuke_loads_nothing_but_its_menus(installed: Path) -> None:
    program = """
import pkgutil, runpy, sys  # runpy loads pkgutil
sys.path.append(sys.argv[1])
from double.nuke import HOST, nuke_module
sys.modules["nuke"] = nuke_module(True)
before = set(sys.modules)
for name in ("init.py", "menu.py"):
    runpy.run_path(sys.argv[2] + "/" + name)
print(HOST.menus["Nuke"]._find("Vfxgan").name(), sorted(set(sys.modules) - before))
"""
    doubles = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program, doubles, installed], capture_output=True, text=True, timeout=60
    )
    assert (done.stderr, done.stdout) == ("", "Vfxgan []\n")


def test_a_menu_entry_starts_what_it_says(artist: Any, recording: Any) -> None:
    runpy.run_path(str(MENU))
    for count, label in enumerate((LABELS[0], LABELS[2]), 1):
        artist.will_cancel()
        artist.host.menus["Nuke"]._find(f"Vfxgan/{label}").invoke()
        artist.wait_for(lambda count=count: len(artist.titles) == count)
    artist.host.menus["Nodes"]._find(f"Vfxgan/{LABELS[1]}").invoke()
    assert artist.titles == ["Generate elements from seeds", "Browse seeds"]
    assert artist.host.said == ["vfxgan: no Reads are selected; select the one whose frames are to be processed"]
    assert not recording.of("nuke.nodes.Read") or not artist.reads


def test_the_panel_comes_with_the_models_the_range_and_the_space_of_the_script(
    artist: Any, entries: ModuleType
) -> None:
    artist.host.is_modified = False
    artist.will_cancel()
    entries.generate()
    artist.wait_for(lambda: bool(artist.panels))
    shown = artist.panels[0]
    assert not artist.host.is_modified, "a panel that was cancelled leaves the script as it was"
    assert (artist.host.nodes, artist.host.undo_is_off) == ([], 0)
    assert shown["model"] == "tiny (32x32)"
    assert (shown["seeds"], shown["range"]) == ("0-3", "1001-1004")
    assert (shown["colourspace"], shown["bit_depth"]) == ("lin_rec709", "half")
    assert shown["out"] == f"{artist.folder}/vfxgan/tiny_v001/tiny.%04d.exr"


def test_seeds_become_frames_and_a_read_with_its_knobs_set(
    artist: Any, entries: ModuleType, select: Callable[..., Any], seed_of: Callable[[str], int]
) -> None:
    select("Grade", place=(300, 200))
    artist.will_answer(seeds="7, 3,5", range="1001")
    entries.generate()
    read = artist.wait_for_read()
    assert knobs_of(read, "first", "last", "origfirst", "origlast", "origset") == [1001, 1003, 1001, 1003, True]
    assert knobs_of(read, "colorspace", "raw", "premultiplied", "frame") == ["lin_rec709", False, False, ""]
    assert read._knobs["file"]._value == artist.panels[0]["out"]
    assert (read._place[0] > 380, read._place[1]) == (True, 200), "it stands to the right of the selected node"
    assert [seed_of(read._knobs["file"]._value % number) for number in (1001, 1002, 1003)] == [7, 3, 5]
    assert artist.host.said == []


def test_an_acescg_script_gets_acescg_frames_and_a_read_that_says_so(artist: Any, entries: ModuleType) -> None:
    artist.host.root._knobs["workingSpaceLUT"]._set("ACES - ACEScg")
    artist.will_answer(seeds="1", range="1001")
    entries.generate()
    read = artist.wait_for_read()
    assert artist.panels[0]["colourspace"] == "ACEScg"
    assert read._knobs["colorspace"]._value == "ACES - ACEScg"


def test_a_walk_fills_the_range_of_the_script(artist: Any, entries: ModuleType) -> None:
    artist.will_answer(seeds="0,5", layout="a smooth walk through them, over the range")
    entries.generate()
    read = artist.wait_for_read()
    assert knobs_of(read, "first", "last") == [1001, 1004]


@pytest.mark.parametrize(("written", "first"), [("-3--1", -3), ("1001 - 1003", 1001), ("1001", 1001), ("-7", -7)])
def test_seeds_begin_at_the_first_frame_of_a_range_of_as_many(
    artist: Any, entries: ModuleType, written: str, first: int
) -> None:
    from vfxgan_nuke.sequences import first_of_range

    assert first_of_range(written, "9,4-5") == first


def test_the_start_returns_while_the_render_goes_on(
    artist: Any, entries: ModuleType, stand_in: Callable[..., Path], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    both_ends = os.open(gate, os.O_RDWR)  # opening it waits for nobody
    stand_in(
        f"print(json.dumps(dict(event='started', label='render', total=1)), flush=True)\n"
        f"open({str(gate)!r}).readline()\n"
        "sys.exit('vfxgan: it was let go')"
    )
    artist.will_answer(seeds="1", range="1001")
    entries.generate()
    assert threading.current_thread() is threading.main_thread()
    artist.wait_for(lambda: any(task._message == "0 of 1 frames" for task in artist.host.tasks))
    assert artist.host.said == []  # this thread is free, the render waits
    os.write(both_ends, b"go\n")
    os.close(both_ends)
    assert artist.wait_for_word() == "vfxgan: it was let go"


def test_nodes_and_messages_are_made_in_the_main_thread_only(artist: Any, entries: ModuleType, recording: Any) -> None:
    artist.will_answer(seeds="1,2", range="1001")
    entries.generate()
    artist.wait_for_read()
    beside = {call.name for call in recording.calls if not call.in_main_thread}
    allowed = {"nuke.executeInMainThread", "nuke.ProgressTask"}
    assert beside == allowed | {f"ProgressTask.{name}" for name in ("setProgress", "setMessage", "isCancelled")}


def test_cancel_in_the_bar_ends_the_render_without_a_word_and_without_a_read(
    artist: Any, entries: ModuleType, folder: Path
) -> None:
    artist.will_answer(seeds="0-9999", layout="seed number = frame number, whatever the range")
    entries.generate()
    artist.wait_for(lambda: any(task._percent or "of 10000" in task._message for task in artist.host.tasks))
    task = artist.host.tasks[-1]
    artist.wait_for(lambda: task._message.startswith(tuple("123456789")))
    artist.cancel()
    assert (artist.reads, artist.host.said) == ([], [])
    frames = list((folder / "vfxgan" / "tiny_v001").iterdir())
    assert frames
    assert not [frame for frame in frames if frame.name.startswith(".")], "no unfinished file is left"


@pytest.mark.parametrize("question", ["models", "project"])
def test_cancel_while_vfxgan_is_asked_shows_no_panel(
    artist: Any, entries: ModuleType, silent: Any, is_alive: Any, question: str
) -> None:
    pid = silent(question)
    entries.generate()
    artist.wait_for(lambda: pid() > 0)
    artist.cancel()
    assert (artist.panels, artist.host.said) == ([], [])
    assert not is_alive(pid())


@pytest.mark.parametrize(
    ("model", "problem"),
    [('"lost.onnx"', "no such model file"), ('"junk.onnx"', "junk.onnx"), ("3", "model")],
)
def test_a_broken_model_of_the_project_is_told_and_no_other_takes_its_place(
    artist: Any, entries: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, model: str, problem: str
) -> None:
    monkeypatch.delenv("VFXGAN_MODEL")
    (folder / "junk.onnx").write_bytes(b"junk")
    (folder / "vfxgan.toml").write_text(f"model = {model}\n", encoding="utf-8")
    entries.generate()
    said = artist.wait_for_word()
    assert problem in said
    assert "vfxgan.toml" in said
    assert artist.panels == []


def test_a_broken_model_of_the_environment_is_told_and_no_other_takes_its_place(
    artist: Any, entries: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VFXGAN_MODEL", str(folder / "lost.onnx"))
    entries.browse()
    said = artist.wait_for_word()
    assert said.startswith("vfxgan: $VFXGAN_MODEL: ")
    assert str(folder / "lost.onnx") in said
    assert artist.panels == []


def test_no_bar_is_left_standing(artist: Any, entries: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = []
    artist.answers.append(lambda knobs: bool(behind.append(artist.host.bars)))
    entries.generate()
    artist.wait_for(lambda: bool(behind))
    monkeypatch.setenv("VFXGAN_COMMAND", f"{artist.folder}/gone")
    entries.generate()
    artist.wait_for_word()
    assert len(artist.host.tasks) == 2
    assert (behind, artist.host.bars_behind, artist.host.bars) == ([0], [0], 0)


def test_a_failed_render_shows_its_reason_in_one_line(artist: Any, entries: ModuleType, folder: Path) -> None:
    (folder / "taken").write_text("a file")
    artist.will_answer(seeds="1", range="1001", out=f"{folder}/taken/fire.%04d.exr")
    artist.will_cancel()
    entries.generate()
    assert artist.wait_for_word() == (
        f"vfxgan: output folder {folder}/taken: {folder}/taken is a file; choose another folder"
    )
    assert artist.reads == []


def test_frames_that_failed_are_named_and_the_others_are_read(
    artist: Any, entries: ModuleType, make_model: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(folder / "shaky.onnx", not_a_number_below=-0.07)  # of seeds 0 to 3, seed 1 alone
    monkeypatch.setenv("VFXGAN_MODEL", str(model))
    artist.will_answer(seeds="0-3")
    entries.generate()
    artist.wait_for(lambda: bool(artist.reads) and bool(artist.host.said))
    assert len(artist.reads) == 1
    assert artist.host.said == [
        "vfxgan:\nframe 1002 (seed 1): the network gave NaN or infinity; this seed or --z-interval is out of its reach"
    ]


def test_what_the_command_refuses_brings_the_panel_back_as_it_was(
    artist: Any, entries: ModuleType, folder: Path, cli: Any, tiny: Path
) -> None:
    out = f"{folder}/fire.%04d.exr"
    assert cli("render", tiny, "--seeds", "9", "--start-frame", "1001", "--out", out).code == 0
    artist.will_answer(seeds="4", range="1001-1001", out=out)
    artist.will_cancel()
    entries.generate()
    artist.wait_for(lambda: len(artist.panels) == 2)
    assert "1001" in artist.host.said[0]
    assert "--overwrite" in artist.host.said[0]
    assert "\n" not in artist.host.said[0]
    assert (artist.panels[1]["seeds"], artist.panels[1]["out"]) == ("4", out)


WRONG = [
    ({"seeds": "5-1x0"}, "seeds '5-1x0': a step of 0 has no end; write 0-99, 0-99x2 or 7,205,31"),
    ({"seeds": "fire"}, "seeds 'fire' is no range; write 0-99, 0-99x2 or 7,205,31"),
    ({"seeds": "4294967296"}, "seeds 4294967296: 4294967296 is outside 0 … 4294967295"),
    (
        {"seeds": "@none.txt"},
        "seeds @none.txt: there is no such file; write 0-99, 7,205,31 or @ and a file of seeds",
    ),
    *(
        ({"range": text}, f"range '{text}': seeds go to one frame after another; write 1001-1100, or 1001, the first")
        for text in ("soon", "", "1001-1003x2", "1001,1002", "1001-1002-1003")
    ),
    (
        {"range": "1001-1004", "seeds": "0-4"},
        "range 1001-1004 and seeds 0-4: 4 frames and 5 seeds; write the range as 1001-1005, or as 1001, the first "
        "frame",
    ),
    (
        {"range": "1004-1001", "seeds": "0-8x2,3"},
        "range 1004-1001 and seeds 0-8x2,3: 0 frames and 6 seeds; write the range as 1004-1009, or as 1004, the first "
        "frame",
    ),
    (
        {"range": "soon", "layout": "a smooth walk through them, over the range"},
        "frames 'soon' is no range; write 1001-1100, 1001-1100x2 or 1001,1005",
    ),
    ({"out": ""}, "there is no output; name a sequence, such as /shots/010/elements/fire.%04d.exr"),
    (
        {"out": "fire.%04d.exr"},
        "output fire.%04d.exr: give the whole path; Nuke's own folder is no place for frames",
    ),
    (
        {"out": "/x/fire.exr"},
        "output /x/fire.exr names one file, and there are several frames; write /x/fire.%04d.exr",
    ),
    (
        {"out": "/x/fire.%04d.jpg"},
        "output /x/fire.%04d.jpg: vfxgan writes .exr and .png; end the name with one of them",
    ),
    (
        {"out": "/x/[a]/fire.%04d.exr"},
        'output /x/[a]/fire.%04d.exr: Nuke takes [ ] $ \\ " in a file name for an expression; choose another name',
    ),
]


def test_a_wrong_answer_is_refused_in_one_line_and_kept_in_the_panel(artist: Any, entries: ModuleType) -> None:
    right = {"seeds": "0-1", "range": "1001-1002", "out": f"{artist.folder}/fire.%04d.exr"}
    for answer, _ in WRONG:
        artist.will_answer(**{**right, **answer})
    artist.will_cancel()
    entries.generate()
    artist.wait_for(lambda: len(artist.panels) == len(WRONG) + 1)
    assert artist.host.said == [f"vfxgan: {line}" for _, line in WRONG]
    for (answer, _), panel in zip(WRONG, artist.panels[1:], strict=True):
        assert {name: panel[name] for name in answer} == answer
    assert artist.reads == []


def test_a_script_without_colorspaces_of_ours_stops_with_the_list(artist: Any, entries: ModuleType) -> None:
    from double import nuke as double

    double.COLORSPACES[:] = ["Film", "Log"]
    entries.generate()
    said = artist.wait_for_word()
    assert said == (
        "vfxgan: none of the spaces that vfxgan writes (lin_rec709, ACEScg, ACES2065-1, lin_rec2020, lin_p3d65) is a "
        "colorspace of this script's Reads, which are: Film, Log"
    )
    assert artist.panels == []


def test_a_png_in_a_script_without_srgb_is_refused_before_it_is_rendered(artist: Any, entries: ModuleType) -> None:
    from double import nuke as double

    double.COLORSPACES[:] = ["lin_rec709", "Output - sRGB"]
    artist.will_answer(seeds="1", range="1001", out=f"{artist.folder}/fire.%04d.png")
    artist.will_cancel()
    entries.generate()
    assert artist.wait_for_word() == (
        "vfxgan: no colorspace of the Read is sRGB; this script's colour management offers: lin_rec709, Output - sRGB"
    )


def test_a_png_is_srgb_and_its_read_says_so(artist: Any, entries: ModuleType) -> None:
    artist.will_answer(seeds="1", range="1001", out=f"{artist.folder}/fire.%04d.png")
    entries.generate()
    read = artist.wait_for_read()
    assert knobs_of(read, "colorspace", "premultiplied") == ["Utility - sRGB - Texture", False]


def test_the_model_that_is_chosen_names_the_output(artist: Any, entries: ModuleType, folder: Path) -> None:
    artist.will_answer(model="elements (128x128)", seeds="3", range="1001")
    entries.generate()
    read = artist.wait_for_read()
    assert read._knobs["file"]._value == f"{folder}/vfxgan/elements_v001/elements.%04d.exr"


def test_a_project_file_names_output_and_colourspace(artist: Any, entries: ModuleType, folder: Path) -> None:
    (folder.parent / "vfxgan.toml").write_text(
        'colorspace = "ACEScg"\n[output]\npattern = "renders/{shot}/{version}/{shot}_{model}_{version}.####.exr"\n',
        encoding="utf-8",
    )
    artist.will_answer(seeds="3", range="1001")
    entries.generate()
    read = artist.wait_for_read()
    assert read._knobs["file"]._value == f"{folder.parent}/renders/sh010/v001/sh010_tiny_v001.%04d.exr"
    assert read._knobs["colorspace"]._value == "ACES - ACEScg"


def test_a_project_that_wants_a_shot_leaves_the_output_to_the_artist_of_another_script(
    artist: Any, entries: ModuleType, folder: Path
) -> None:
    (folder / "vfxgan.toml").write_text('[output]\npattern = "r/{shot}/{shot}.####.exr"\n', encoding="utf-8")
    artist.host.root._knobs["name"]._set(str(folder / "wild idea.nk"))
    artist.will_cancel()
    entries.generate()
    artist.wait_for(lambda: bool(artist.panels))
    assert artist.panels[0]["out"] == ""


def test_a_wrong_project_file_is_told_with_its_line(artist: Any, entries: ModuleType, folder: Path) -> None:
    (folder / "vfxgan.toml").write_text('colourspace = "ACEScg"\n', encoding="utf-8")
    entries.generate()
    assert artist.wait_for_word() == (
        f"vfxgan: {folder}/vfxgan.toml:1: unknown key 'colourspace'; did you mean colorspace?"
    )
    assert artist.panels == []


def test_questions_end_where_asking_nukes_bar_raises(
    artist: Any, entries: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vfxgan_nuke import at_hand

    flags: list[Callable[[], bool]] = []

    def silent(command: Any, words: Any, folder: Any, timeout_s: float, is_cancelled: Callable[[], bool]) -> None:
        flags.append(is_cancelled)
        until = time.monotonic() + 20
        while not is_cancelled() and time.monotonic() < until:
            threading.Event().wait(0.01)

    def gone() -> bool:
        raise RuntimeError("the bar is gone")

    monkeypatch.setattr(at_hand, "ask", silent)
    before = time.monotonic()
    with pytest.raises(RuntimeError, match="the bar is gone"):
        at_hand.look_up(["generator"], "", None, gone)
    assert [flag() for flag in flags] == [True, True]
    assert time.monotonic() - before < 15
