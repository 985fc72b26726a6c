"""Running a command again: whole frames stay, broken ones are made again, and `--like` makes one again from itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.recipe import RECIPE_KEY


@pytest.fixture
def five(cli: Any, tiny: Path, tmp_path: Path) -> Path:
    assert cli("render", tiny, "--seeds", "0-4", "--out", tmp_path / "o" / "####.exr").code == 0
    return tmp_path / "o"


def again(cli: Any, tiny: Path, folder: Path, *options: object) -> Any:
    return cli("render", tiny, "--seeds", "0-4", "--out", folder / "####.exr", *options)


def test_a_second_run_touches_nothing(cli: Any, tiny: Path, five: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in five.iterdir()}
    result = again(cli, tiny, five)
    assert "0 rendered, 5 were done before" in result.line
    assert {path: path.stat().st_mtime_ns for path in five.iterdir()} == before


@pytest.mark.parametrize("keep", [0, 3, 40, 700, -1])
def test_a_truncated_frame_is_made_again(cli: Any, tiny: Path, five: Path, keep: int) -> None:
    frame = five / "0002.exr"
    whole = frame.read_bytes()
    frame.write_bytes(whole[:keep])
    assert "1 rendered, 4 were done before" in again(cli, tiny, five).line
    assert frame.read_bytes() == whole


def test_a_frame_with_other_pixels_under_our_recipe_is_made_again(cli: Any, tiny: Path, five: Path) -> None:
    frame = five / "0002.exr"
    whole, picture = frame.read_bytes(), read_picture(frame)
    pixels = picture.pixels.copy()
    pixels[5, 5, 0] += np.float16(0.25)
    header = {key: value for key, value in picture.attributes.items() if key.startswith("vfxgan")}
    write_picture(frame, Picture(pixels, picture.channels, header))
    assert "not those that were rendered" in cli("verify", frame).err
    result = again(cli, tiny, five)
    assert "1 rendered, 4 were done before; 1 was broken and made again" in result.line
    assert "o/0002.exr was broken (its pixels are not those that were rendered), and was made again" in result.err
    assert frame.read_bytes() == whole


def _by_another_machine(frame: Path) -> None:
    """The same pixels, with a recipe and digests as another version of the runtime would leave them."""
    from vfxgan.recipe import Recipe, read_stamp, stamp_attributes

    picture = read_picture(frame)
    stamp = read_stamp(picture.attributes)
    assert stamp is not None
    recipe = Recipe(
        stamp.recipe.model,
        stamp.recipe.seed,
        stamp.recipe.options,
        {**stamp.recipe.fingerprint, "runtime": "onnxruntime 0.9"},
    )
    header = {**picture.attributes, **stamp_attributes(recipe, stamp.pixels)}
    kept = ("vfxgan:", "Iptc4xmpExt:", "xmp", "compression")
    keep = {key: value for key, value in header.items() if key.startswith(kept)}
    write_picture(frame, Picture(picture.pixels, picture.channels, keep))


def test_frames_of_another_machine_are_kept_only_when_asked(cli: Any, tiny: Path, five: Path) -> None:
    frame = five / "0001.exr"
    whole = frame.read_bytes()
    _by_another_machine(frame)
    theirs = frame.read_bytes()
    result = again(cli, tiny, five)
    assert result.code == 2
    assert "runtime onnxruntime 0.9, not onnxruntime" in result.line
    assert "--mix-runtimes keeps them" in result.line
    assert again(cli, tiny, five, "--mix-runtimes").code == 0
    assert frame.read_bytes() == theirs
    assert again(cli, tiny, five, "--overwrite").code == 0
    assert frame.read_bytes() == whole


def test_verify_reports_psnr_for_frames_of_another_machine(cli: Any, tiny: Path, five: Path) -> None:
    _by_another_machine(five / "0001.exr")
    result = cli("verify", five, "--rerender", "5", "--model", tiny)
    assert result.code == 0, result
    assert "0001.exr: PSNR inf dB here (runtime onnxruntime" in result.err
    assert (
        "5 frames are whole, 5 of them rendered again: 4 to the same bytes, 1 not, which passes: made on" in result.out
    )


def test_a_dry_run_tells_a_program_every_frame(cli: Any, tiny: Path, tmp_path: Path) -> None:
    cli("render", tiny, "--seeds", "7", "--out", "s/####.exr")
    result = cli("render", tiny, "--seeds", "7,5", "--out", "s/####.exr", "--dry-run", "--progress", "json")
    planned = json.loads(result.out)
    assert planned["event"] == "planned"
    assert planned["frames"] == [
        {"frame": 7, "seed": 7, "path": "s/0007.exr", "state": "done"},
        {"frame": 5, "seed": 5, "path": "s/0005.exr", "state": "missing"},
    ]
    assert (planned["total"], planned["to_do"], planned["model"]["name"]) == (2, 1, "tiny")
    assert len(list((tmp_path / "s").iterdir())) == 1


def test_dry_run_writes_nothing(cli: Any, tiny: Path, tmp_path: Path) -> None:
    result = cli("render", tiny, "--seeds", "0-99", "--out", tmp_path / "o" / "####.exr", "--dry-run")
    assert result.code == 0
    assert "to do      100" in result.out
    assert not (tmp_path / "o").exists()


def test_json_progress_names_each_frame(cli: Any, tiny: Path, tmp_path: Path) -> None:
    result = cli("render", tiny, "--seeds", "5-7", "--out", tmp_path / "####.exr", "--progress", "json")
    events = [json.loads(line) for line in result.out.splitlines()]
    assert [event["event"] for event in events] == ["started", *["progress"] * 3, "finished"]
    assert {(event["seed"], event["frame"]) for event in events[1:4]} == {(5, 5), (6, 6), (7, 7)}
    assert {Path(event["path"]).name for event in events[1:4]} == {"0005.exr", "0006.exr", "0007.exr"}


def test_openjd_progress_ends_at_a_hundred(cli: Any, tiny: Path, tmp_path: Path) -> None:
    result = cli("render", tiny, "--seeds", "0-3", "--out", tmp_path / "####.exr", "--progress", "openjd")
    assert "openjd_progress: 100.0" in result.out


def test_like_makes_a_frame_again(cli: Any, tiny: Path, tmp_path: Path) -> None:
    options = ("--compression", "piz", "--z-interval", "0.3", "--colorspace", "ACEScg")
    assert cli("render", tiny, "--seeds", "9", "--out", "a.exr", *options).code == 0
    assert cli("render", tiny, "--like", "a.exr", "--out", "b.exr").code == 0
    assert Path("a.exr").read_bytes() == Path("b.exr").read_bytes()


def test_like_refuses_what_contradicts_it(cli: Any, tiny: Path, make_model: Any, tmp_path: Path) -> None:
    assert cli("render", tiny, "--seeds", "9", "--out", "a.exr").code == 0
    result = cli("render", tiny, "--like", "a.exr", "--in", "p.exr", "--compression", "piz", "--out", "b.exr")
    assert result.code == 2
    assert "--in p.exr but the frame is of seed 9; --compression piz but the frame has zips" in result.line
    other = make_model(tmp_path / "other.onnx", seed=1)
    result = cli("render", other, "--like", "a.exr", "--out", "b.exr")
    assert result.code == 1
    assert "needs the model with SHA-256" in result.line
    assert "write .exr" in cli("render", tiny, "--like", "a.exr", "--out", "b.png").line
    assert not Path("b.exr").exists()


def test_like_needs_a_recipe(cli: Any, tiny: Path) -> None:
    write_picture(Path("plain.exr"), Picture(np.zeros((4, 4, 3), np.float16), ("R", "G", "B"), {RECIPE_KEY: "{"}))
    result = cli("render", tiny, "--like", "plain.exr", "--out", "b.exr")
    assert result.code == 2
    assert "plain.exr: holds no vfxgan recipe" in result.line
