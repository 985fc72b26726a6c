"""`--frames` with `--seeds`: a farm renders a shot in pieces, and the pieces are the shot."""

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("start", [(), ("--start-frame", "1001")])
def test_the_union_of_chunks_is_the_whole(cli: Any, tiny: Path, frames_of: Any, start: tuple[str, ...]) -> None:
    Path("picks.txt").write_text("7 2 9 4 5 3\n")
    shot = ("render", tiny, "--seeds", "@picks.txt", *start, "--progress", "none")
    assert cli(*shot, "--out", "whole/####.exr").code == 0
    for chunk in ("1001-1002", "1003,1005-1006", "openjd:1004-1004") if start else ("2-4", "5,6-7", "openjd:8-9"):
        result = cli(*shot, "--out", "chunks/####.exr", "--frames", chunk)
        assert result.code == 0, result
    assert len(frames_of(Path("whole"))) == 6
    assert frames_of(Path("whole")) == frames_of(Path("chunks"))


def test_one_frame_of_many_seeds_may_go_to_a_file_without_a_number(cli: Any, tiny: Path) -> None:
    result = cli("render", tiny, "--seeds", "0-99", "--frames", "31", "--out", "one.exr", "--progress", "json")
    assert result.code == 0, result
    assert '"seed": 31' in result.out
    assert "names one file" in cli("render", tiny, "--seeds", "0-99", "--frames", "31-32", "--out", "one.exr").line


@pytest.mark.parametrize("option", [(), ("--dry-run",), ("--devices", "cpu,cpu")])
def test_a_chunk_that_lies_in_a_hole_is_no_failure(cli: Any, tiny: Path, option: tuple[str, ...]) -> None:
    result = cli("render", tiny, "--seeds", "0-4,20-24", "--frames", "5-9", "--out", "a/####.exr", *option)
    assert (result.code, result.out) == (0, "")
    assert result.err == "nothing to render: no seed goes to frame 5-9\n"
    assert not Path("a").exists()


def test_a_chunk_half_in_a_hole_makes_the_other_half(cli: Any, tiny: Path, frames_of: Any) -> None:
    result = cli("render", tiny, "--seeds", "0-4,20-24", "--frames", "3-6", "--out", "a/####.exr")
    assert result.code == 0
    assert "warning: no seed goes to frame 5-6" in result.err
    assert list(frames_of(Path("a"))) == ["0003.exr", "0004.exr"]


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ("900-909", "--frames 900-909: no seed goes to frame 900-909; seeds go to 0-4,20-24"),
        ("20-25", "--frames 20-25: no seed goes to frame 25; seeds go to 0-4,20-24"),
        ("a", "--frames 'a' is not a range of frames"),
        ("openjd:0-4:0", "--frames 'openjd:0-4:0' is not a range of frames"),
        ("openjd:4-0:2", "--frames 'openjd:4-0:2' is not a range of frames"),
        ("openjd:0-4x2", "--frames 'openjd:0-4x2' is not a range of frames"),
        ("openjd:", "--frames 'openjd:' is not a range of frames"),
        ("", "--frames '' is not a range of whole frames"),
    ],
)
def test_what_no_seed_goes_to_is_one_line(cli: Any, tiny: Path, frames: str, reason: str) -> None:
    result = cli("render", tiny, "--seeds", "0-4,20-24", "--frames", frames, "--out", "a/####.exr")
    assert result.code == 2
    assert reason in result.line
    assert not Path("a").exists()


def test_a_farms_chunk_that_goes_beyond_a_walk_makes_what_is_of_it(cli: Any, tiny: Path, frames_of: Any) -> None:
    walk = ("render", tiny, "--walk", "1-4", "--keys", "0,5", "--out", "a/####.exr", "--frames")
    result = cli(*walk, "openjd:3-9")
    assert result.code == 0, result
    assert "warning: frame 5-9 is outside the walk 1-4" in result.err
    assert list(frames_of(Path("a"))) == ["0003.exr", "0004.exr"]
    for outside in ("openjd:5-9", "3-9"):  # altogether, or by a person
        result = cli(*walk, outside)
        assert result.code == 2
        assert "frame 5 is outside the walk 1-4" in result.line
    assert cli(*walk, "openjd:3-9", "--loop", "--overwrite").code == 0
    assert len(frames_of(Path("a"))) == 7  # a loop has no outside
