"""`render --like FRAME` with other seeds or frames: those, with that frame's model and options."""

from pathlib import Path
from typing import Any

OPTIONS = ("--compression", "piz", "--z-interval", "0.3", "--bit-depth", "float")


def done(result: Any) -> Any:
    assert result.code == 0, result
    return result


def test_other_seeds_are_rendered_with_the_frames_options(cli: Any, tiny: Path, tmp_path: Path, frames_of: Any) -> None:
    done(cli("render", tiny, "--seeds", "5-9", "--start-frame", "101", "--out", "a/####.exr", *OPTIONS))
    like = ("render", "--model", tiny, "--like", "a/0103.exr", "--out", "b/####.exr")
    done(cli(*like, "--seeds", "5-9", "--start-frame", "101", "--frames", "101,103-105"))
    whole = frames_of(tmp_path / "a")
    assert frames_of(tmp_path / "b") == {name: data for name, data in whole.items() if name != "0102.exr"}
    done(cli(*like, "--seeds", "7"))
    assert Path("b/0007.exr").read_bytes() == whole["0103.exr"]


def test_other_plates_are_rendered_with_the_frames_options_and_without_a_false_warning(
    cli: Any, tiny: Path, tmp_path: Path, frames_of: Any
) -> None:
    done(cli("render", tiny, "--seeds", "1-5", "--out", "p/####.exr"))
    up = ("--in", "p/####.exr", "--mix", "0.5", "--temporal", "1", "--bit-depth", "float")
    done(cli("render", "upscaler", *up, "--out", "a/####.exr"))
    result = done(cli("render", "--like", "a/0002.exr", "--in", "p/####.exr", "--frames", "4-5", "--out", "b/####.exr"))
    assert "bytes may differ" not in result.err
    whole = frames_of(tmp_path / "a")
    assert frames_of(tmp_path / "b") == {name: whole[name] for name in ("0004.exr", "0005.exr")}


def test_what_contradicts_the_frame_is_refused(cli: Any, tiny: Path) -> None:
    done(cli("render", tiny, "--walk", "1-3", "--keys", "0,5", "--out", "w/####.exr"))
    refused = cli("render", "--model", tiny, "--like", "w/0002.exr", "--seeds", "3", "--out", "b/####.exr")
    assert refused.code == 2
    assert "--seeds 3 but the frame is of frame 2 of a walk" in refused.line
    done(cli("render", tiny, "--seeds", "1", "--out", "a.exr", "--compression", "piz"))
    refused = cli("render", tiny, "--like", "a.exr", "--seeds", "3", "--compression", "zip", "--out", "b.exr")
    assert "--compression zip but the frame has piz" in refused.line
