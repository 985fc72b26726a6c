"""The panel's farm: the project file names it, and `vfxgan submit` does it."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def farm(folder: Path) -> str:
    """OpenJD, whose job is a file that anybody can look at; as the panel calls it."""
    (folder / "vfxgan.toml").write_text('[farm]\nto = "openjd"\nchunk = 2\n', encoding="utf-8")
    return "farm (openjd)"


def test_without_a_farm_in_the_project_there_is_only_this_machine(artist: Any, entries: ModuleType) -> None:
    artist.will_cancel()
    entries.generate()
    artist.wait_for(lambda: bool(artist.panels))
    assert artist.panels[0]["place"] == "this machine"


def test_elements_go_to_the_farm_as_a_job_beside_the_script(
    artist: Any, entries: ModuleType, farm: str, folder: Path, tiny: Path
) -> None:
    artist.will_answer(seeds="7,3,5", range="1001", place=farm)
    entries.generate()
    said = artist.wait_for_word().splitlines()
    out = artist.panels[0]["out"]
    assert said[:2] == ["vfxgan:", "to the farm (openjd):"]
    assert said[-1] == f"its frames: {out}"
    template = folder / next(line for line in said if line.endswith("template.json"))
    text = template.read_text(encoding="utf-8")
    assert json.loads(text)["parameterDefinitions"][0]["default"] == "1001-1003"
    assert all(json.dumps(word)[1:-1] in text for word in (out, "7,3,5", str(tiny)))
    assert artist.reads == [], "there are no frames yet"


def test_plates_go_to_the_farm(
    artist: Any, entries: ModuleType, farm: str, twice: Path, select: Any, plate: Path
) -> None:
    select("Read", file=str(plate), first=1001, last=1004, colorspace="lin_rec709")
    artist.will_answer(place=farm)
    entries.process()
    assert artist.wait_for_word().splitlines()[1] == "to the farm (openjd):"


def test_what_the_farm_refuses_brings_the_panel_back(artist: Any, entries: ModuleType, farm: str, folder: Path) -> None:
    (folder / "picks.txt").write_text("7 31 7")
    artist.will_answer(seeds=f"@{folder}/picks.txt", range="1001", place=farm)
    artist.will_cancel()
    entries.generate()
    artist.wait_for(lambda: len(artist.panels) == 2)
    assert artist.host.said == [f"vfxgan: --seeds @{folder}/picks.txt: seed 7 is listed twice; list each once"]
    assert (artist.panels[1]["seeds"], artist.panels[1]["place"]) == (f"@{folder}/picks.txt", farm)


def test_cancel_of_a_submission_says_that_the_farm_may_have_it(
    artist: Any, entries: ModuleType, farm: str, silent: Any, is_alive: Any
) -> None:
    pid = silent("submit")
    artist.will_answer(place=farm)
    entries.generate()
    artist.wait_for(lambda: pid() > 0)
    artist.cancel()
    assert artist.host.said == [
        "vfxgan: the submission was cancelled; look at the farm (openjd), which may have the job already"
    ]
    assert not is_alive(pid())
    assert len(artist.panels) == 1
