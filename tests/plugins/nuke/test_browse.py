"""A sheet of seeds as a Read with a field for picks, and the picks at full precision."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def sheet(artist: Any, entries: ModuleType) -> Any:
    """Of six seeds."""
    artist.will_answer(seeds="0-5", cell="64")
    entries.browse()
    return artist.wait_for_read()


def test_a_sheet_of_seeds_becomes_a_read_with_picks(artist: Any, sheet: Any, cli: Any, folder: Path) -> None:
    assert artist.panels[0]["sheet"] == f"{folder}/vfxgan/tiny_seeds_v001.png"
    assert sheet._knobs["file"]._value == artist.panels[0]["sheet"]
    assert [sheet._knobs[name]._value for name in ("first", "last")] == [1, 1]
    assert sheet._knobs["colorspace"]._value == "Utility - sRGB - Texture"
    assert sheet._knobs["vfxgan_picks"]._value == ""
    frames = sorted(path.name for path in (folder / "vfxgan" / "tiny_seeds_v001").iterdir())
    assert frames == [f"{seed:06d}.png" for seed in range(6)]
    assert json.loads(cli("inspect", sheet._knobs["file"]._value, "--json").out)["frame"]


def test_picks_are_rendered_at_full_precision_in_their_order_from_the_first_frame(
    artist: Any, sheet: Any, cli: Any, seed_of: Any
) -> None:
    sheet._place = [200, 80]
    sheet._knobs["vfxgan_picks"].setValue("4, 1 ")
    artist.will_answer(colourspace="ACEScg")
    artist.host.press(sheet, "vfxgan_render")
    picks = artist.wait_for_read(2)
    shown = artist.panels[1]
    assert (shown["seeds"], shown["bit_depth"], shown["range"]) == ("4,1", "float", "1001-1002")
    file = picks._knobs["file"]._value
    assert [seed_of(file % number) for number in (1001, 1002)] == [4, 1]
    assert '"bit_depth": "float"' in cli("inspect", file % 1001, "--json").out
    assert picks._knobs["colorspace"]._value == "ACES - ACEScg"
    assert (picks._place[0] > 200, picks._place[1]) == (True, 80), "beside the sheet"


def test_cancel_while_the_sheet_is_made_makes_no_read(
    artist: Any, entries: ModuleType, silent: Any, is_alive: Any
) -> None:
    pid = silent("contact-sheet")
    artist.will_answer(seeds="0-1", cell="64")
    entries.browse()
    artist.wait_for(lambda: pid() > 0)
    artist.cancel()
    assert (artist.reads, artist.host.said) == ([], [])
    assert not is_alive(pid())


@pytest.mark.parametrize(
    ("picks", "line"),
    [
        ("", "there are no picks; write the numbers of the pictures that you want, such as 7,205,31"),
        ("the red one", "seeds 'the,red,one' is no range; write 0-99, 0-99x2 or 7,205,31"),
    ],
)
def test_picks_that_are_none_are_refused(artist: Any, entries: ModuleType, picks: str, line: str) -> None:
    import nuke

    sheet = artist.host.add_node("Read")
    for name, value in (("vfxgan_model", "tiny"), ("vfxgan_picks", picks)):
        knob = nuke.String_Knob(name, name)
        knob.setValue(value)
        sheet.addKnob(knob)
    entries.render_picks(sheet)
    assert artist.host.said == [f"vfxgan: {line}"]


def test_the_next_sheet_is_a_new_one_and_an_old_one_is_refused(artist: Any, entries: ModuleType, folder: Path) -> None:
    (folder / "vfxgan" / "tiny_seeds_v001").mkdir(parents=True)
    artist.will_answer(sheet=f"{folder}/vfxgan/tiny_seeds_v001.png")
    artist.will_answer(sheet=f"{folder}/vfxgan/tiny_seeds_v001.exr")
    artist.will_cancel()
    entries.browse()
    artist.wait_for(lambda: len(artist.panels) == 3)
    old = f"{folder}/vfxgan/tiny_seeds_v001"
    assert artist.panels[0]["sheet"] == f"{folder}/vfxgan/tiny_seeds_v002.png"
    assert artist.host.said == [
        f"vfxgan: sheet {old}.png: there is a folder of that name, for the frames of another; name a new one",
        f"vfxgan: sheet {old}.exr: a contact sheet is a .png; name one",
    ]


def test_a_script_that_was_never_saved_has_no_place_and_the_artist_names_one(
    artist: Any, entries: ModuleType, tmp_path: Path
) -> None:
    artist.host.root._knobs["name"]._set("")
    artist.will_answer(seeds="0-1")
    artist.will_answer(seeds="0-1", sheet=f"{tmp_path}/look.png")
    entries.browse()
    artist.wait_for(lambda: bool(artist.reads))
    assert artist.host.said == ["vfxgan: sheet without a name: a contact sheet is a .png; name one"]
    assert (tmp_path / "look" / "000001.png").exists()
