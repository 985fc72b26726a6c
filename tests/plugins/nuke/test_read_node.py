"""The Read that is made: where it stands, and what it takes."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def made(artist: Any) -> Any:
    """Make the Read of a sequence that somebody rendered."""
    from vfxgan_nuke.read_node import make_read
    from vfxgan_nuke.rendering import Rendered

    def make(out: str = "/shots/fire.####.exr", colourspace: str = "ACEScg", **places: str) -> Any:
        return make_read(Rendered(out, {1001: "", 1005: ""}, colourspace=colourspace), **places)

    return make


def test_it_steps_aside_of_nodes_that_are_there(artist: Any, made: Any) -> None:
    plate = artist.host.add_node("Read", name="Plate")
    plate._place = [100, 40]
    reads = [made(beside="Plate") for _ in range(3)]
    places = [read._place for read in reads]
    assert [y for _, y in places] == [40, 40, 40]
    gaps = [right[0] - left[0] for left, right in zip([plate._place, *places], places, strict=False)]
    assert min(gaps) >= 80, "no two nodes overlap"


def test_without_a_neighbour_it_is_in_the_middle_of_what_is_seen(made: Any) -> None:
    assert made()._place == [1000, 500]
    assert made(beside="Gone")._place[1] == 500


def test_the_name_of_the_file_is_in_nuke_s_notation(made: Any) -> None:
    assert made()._knobs["file"]._value == "/shots/fire.%04d.exr"
    assert made("/shots/me@home.%06d.exr")._knobs["file"]._value == "/shots/me@home.%06d.exr"
    assert made("/shots/fire.$F4.exr")._knobs["file"]._value == "/shots/fire.%04d.exr"
    assert made("/shots/fire.@@@.exr")._knobs["file"]._value == "/shots/fire.%03d.exr"


def test_an_older_read_without_a_knob_is_set_as_far_as_it_goes(artist: Any, made: Any, monkeypatch: Any) -> None:
    from double import nuke as double

    knobs_of = double._knobs_of
    monkeypatch.setattr(
        double, "_knobs_of", lambda kind, name: [knob for knob in knobs_of(kind, name) if knob._name != "origset"]
    )
    assert made()._knobs["last"]._value == 1005


def test_it_is_not_there_when_its_colorspace_cannot_be_set(artist: Any, made: Any) -> None:
    from vfxgan_nuke.errors import Refusal

    with pytest.raises(
        Refusal, match=r"no colorspace of the Read is lin_rec2020; .* offers: scene_linear, ACES - ACEScg"
    ):
        made(colourspace="lin_rec2020")
    assert artist.reads == []


def test_a_render_that_is_killed_says_so(artist: Any, entries: ModuleType, stand_in: Any) -> None:
    stand_in("os.kill(os.getpid(), signal.SIGKILL)")
    artist.will_answer(seeds="1", range="1001")
    entries.generate()
    assert artist.wait_for_word().startswith("vfxgan: vfxgan was killed by SIGKILL; ")
    assert artist.reads == []


def test_a_fault_of_the_plug_in_itself_is_told_too(
    artist: Any, entries: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(entries, "render", lambda *words: 1 / 0)
    artist.will_answer(seeds="1", range="1001")
    entries.generate()
    said = artist.wait_for_word()
    assert said == "vfxgan: the plug-in failed (ZeroDivisionError('division by zero')); see Nuke's terminal"
    assert "Traceback" in capsys.readouterr().err


def test_the_shot_is_in_the_name_of_the_script(artist: Any) -> None:
    from vfxgan_nuke.sequences import beside_script, shot_of

    names = {
        "sh010_comp_v003.nk": "sh010",
        "ABC_0120-comp-v12_wip.nk": "ABC_0120",
        "sq01_sh010.nk": "sq01_sh010",
        "sh010.precomp.v2.nk": "sh010",
        "": "",
    }
    assert {name: shot_of(name and f"/shots/{name}") for name in names} == names
    assert beside_script("", "fire") == ""
    (artist.folder / "vfxgan" / "fire_v001").mkdir(parents=True)
    expected = Path(artist.folder) / "vfxgan" / "fire_v002" / "fire.%04d.exr"
    assert beside_script(f"{artist.folder}/x.nk", "fire") == expected.as_posix()
