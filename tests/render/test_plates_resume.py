"""A sequence of plates again: what is done stays, what changed is named, and each wrong input is one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.recipe import read_stamp

OUT = "up/####.exr"


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    for number in (1001, 1002, 1004):
        _write(tmp_path / "plate" / f"shot.{number}.exr", seed=number)
    return tmp_path / "plate" / "shot.####.exr"


def _write(path: Path, seed: int = 0, **changes: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.RandomState(seed).uniform(0, 1, (8, 10, 3)).astype(np.float16)
    for (y, x), value in changes.get("pixels", {}).items():
        pixels[y, x] = value
    write_picture(path, Picture(pixels, ("R", "G", "B")))


@pytest.fixture
def model(image_model: Any, tmp_path: Path) -> Path:
    return image_model(tmp_path / "m.onnx", scale=2)


def render(cli: Any, model: Path, shot: Path, *options: object) -> Any:
    return cli("render", model, "--in", shot, "--out", OUT, *options)


def test_plates_on_disk_are_rendered_under_their_numbers_and_kept_the_next_time(
    cli: Any, model: Path, shot: Path
) -> None:
    assert render(cli, model, shot).code == 0
    frames = {path: path.stat().st_mtime_ns for path in Path("up").iterdir()}
    assert sorted(path.name for path in frames) == ["1001.exr", "1002.exr", "1004.exr"]
    result = render(cli, model, shot)
    assert "0 rendered, 3 were done before" in result.line
    assert {path: path.stat().st_mtime_ns for path in Path("up").iterdir()} == frames


def test_a_recipe_holds_the_plates_hash_and_no_path(cli: Any, model: Path, shot: Path, tmp_path: Path) -> None:
    import hashlib

    assert render(cli, model, shot).code == 0
    stamp = read_stamp(read_picture(Path("up/1001.exr")).attributes)
    assert stamp is not None
    plate = shot.with_name("shot.1001.exr").read_bytes()
    assert stamp.recipe.plate == hashlib.sha256(plate).hexdigest()
    assert stamp.recipe.seed is None
    assert str(tmp_path).encode() not in Path("up/1001.exr").read_bytes()
    assert stamp.recipe.plate in cli("inspect", "up/1001.exr").out


def test_a_broken_frame_is_made_again(cli: Any, model: Path, shot: Path) -> None:
    assert render(cli, model, shot).code == 0
    whole = Path("up/1002.exr").read_bytes()
    Path("up/1002.exr").write_bytes(whole[:-40])
    result = render(cli, model, shot)
    assert "1 rendered, 2 were done before; 1 was broken and made again" in result.line
    assert "warning: frame 1002: up/1002.exr was broken (cut short" in result.err
    assert Path("up/1002.exr").read_bytes() == whole


def test_a_plate_that_changed_is_named_and_its_frame_left_alone(cli: Any, model: Path, shot: Path) -> None:
    assert render(cli, model, shot).code == 0
    before = Path("up/1002.exr").read_bytes()
    _write(shot.with_name("shot.1002.exr"), seed=5)
    result = render(cli, model, shot)
    assert result.code == 2
    assert "up/1002.exr (made from a plate of other bytes" in result.line
    assert f"{shot.with_name('shot.1002.exr')} changed since" in result.line
    assert "replace it with --overwrite, which keeps frames that are done" in result.line
    assert Path("up/1002.exr").read_bytes() == before
    assert "1 rendered, 2 were done before" in render(cli, model, shot, "--overwrite").line


def test_frames_of_seeds_and_of_plates_do_not_replace_each_other(cli: Any, tiny: Path, model: Path, shot: Path) -> None:
    assert cli("render", tiny, "--seeds", "1001", "--out", OUT).code == 0
    result = render(cli, model, shot)
    assert result.code == 2
    assert "up/1001.exr" in result.line


def test_missing_plates_fail_by_name_and_the_rest_is_rendered(cli: Any, model: Path, shot: Path) -> None:
    result = render(cli, model, shot, "--frames", "1001-1004")
    assert result.code == 3
    assert "1 of 4 frames failed: 1003; the others are done" in result.line
    assert "frame 1003: " in result.err
    assert "shot.1003.exr: no such file" in result.err
    assert len(list(Path("up").iterdir())) == 3


def test_a_truncated_plate_fails_by_name_and_the_rest_is_rendered(cli: Any, model: Path, shot: Path) -> None:
    bad = shot.with_name("shot.1002.exr")
    bad.write_bytes(bad.read_bytes()[:-60])
    result = render(cli, model, shot)
    assert result.code == 3
    assert f"frame 1002: {bad}: cut short or damaged" in result.err
    assert sorted(path.name for path in Path("up").iterdir()) == ["1001.exr", "1004.exr"]


def test_bad_pixels_are_counted_and_repaired_only_when_asked(cli: Any, model: Path, shot: Path) -> None:
    _write(shot.with_name("shot.1002.exr"), pixels={(3, 4): (np.nan, 0, 0), (5, 6): (np.inf, 0, -np.inf)})
    result = render(cli, model, shot)
    assert result.code == 3
    assert "2 pixels hold NaN or Inf, the first at x 4, y 3; repair the plate, or give --bad-pixels" in result.err
    for choice, largest in (("zero", 1.0), ("clamp", 65504)):
        result = render(cli, model, shot, "--bad-pixels", choice, "--overwrite")
        assert "2 pixels of NaN or Inf in 1 plate were set to" in result.line
        made = read_picture(Path("up/1002.exr")).pixels
        assert np.isfinite(made).all()
        assert made.max() <= largest
        assert (made.max() > 100) == (choice == "clamp")


def test_verify_renders_again_where_it_is_told_of_the_plates(cli: Any, model: Path, shot: Path) -> None:
    assert render(cli, model, shot, "--compression", "dwaa:45", "--colorspace", "ACEScg").code == 0
    result = cli("verify", OUT, "--rerender", "3", "--model", model, "--in", shot)
    assert result.code == 0, result
    assert "3 of them rendered again" in result.out
    result = cli("verify", OUT, "--rerender", "1", "--model", model)
    assert result.code == 1
    assert (
        "up/1002.exr: cannot be rendered again: it was made from a plate; say where plates are with --in" in result.err
    )


def test_verify_names_every_problem_also_where_a_plate_is_not_at_hand(cli: Any, model: Path, shot: Path) -> None:
    assert render(cli, model, shot).code == 0
    shot.with_name("shot.1001.exr").unlink()
    damaged = Path("up/1004.exr")
    damaged.write_bytes(damaged.read_bytes()[:-40])
    result = cli("verify", OUT, "--rerender", "3", "--model", model, "--in", shot, "--progress", "none")
    assert result.code == 1
    first, second, last = result.err.splitlines()
    assert first.startswith("up/1004.exr: cut short")
    assert second.startswith("up/1001.exr: cannot be rendered again: the plate with SHA-256 ")
    assert "is not among --in's; name those that it was made from" in second
    assert last.startswith("vfxgan: 2 problems, 2 of 3 frames are whole, 1 of these not confirmed by --rerender; ")


def test_verify_names_frames_whose_model_is_not_at_hand(cli: Any, model: Path, shot: Path) -> None:
    assert render(cli, model, shot).code == 0
    result = cli("verify", OUT, "--rerender", "3", "--in", shot, "--progress", "none")
    assert result.code == 1
    for number in (1001, 1002, 1004):
        assert f"up/{number}.exr: cannot be rendered again: needs the model with SHA-256 " in result.err
    assert "3 problems, 3 of 3 frames are whole, 3 of these not confirmed by --rerender; see above" in result.line
    assert "render again those" not in result.line
    one = cli("verify", "up/1001.exr", "--rerender", "1", "--in", shot, "--progress", "none")
    assert "1 problem, 1 of 1 frame is whole, 1 of these not confirmed by --rerender; see above" in one.line


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--in", "none/####.exr"], 2, "--in 'none/####.exr': no plates there"),
        (["--in", "plate"], 2, "--in 'plate' is a folder; give a pattern of files, quoted: 'plate/####.exr'"),
        (["--model", "none.onnx"], 1, "none.onnx: no such model file"),
    ],
)
def test_verify_refuses_wrong_sources_before_it_begins(
    cli: Any, model: Path, shot: Path, options: list[str], code: int, said: str
) -> None:
    assert render(cli, model, shot).code == 0
    result = cli("verify", OUT, "--rerender", "1", *options)
    assert result.code == code
    assert result.err.startswith(f"vfxgan: {said}")


def test_a_render_of_which_nothing_is_done_says_so(cli: Any, model: Path, shot: Path) -> None:
    for plate in shot.parent.iterdir():
        plate.write_bytes(b"")
    result = render(cli, model, shot, "--progress", "json")
    assert result.code == 3
    assert "3 of 3 frames failed: 1001, 1002, 1004; none is done" in result.line
    failed = [event for event in map(json.loads, result.out.splitlines()) if event["event"] == "progress"]
    assert {event["state"] for event in failed} == {"failed"}
    assert all(f"frame {event['frame']}: " in event["reason"] for event in failed)
    assert {(event["fps"], event["eta_s"]) for event in failed[:-1]} == {(0.0, None)}


def test_an_option_that_a_frame_was_made_without_is_named(cli: Any, model: Path, shot: Path) -> None:
    assert render(cli, model, shot, "--frames", "1001").code == 0
    assert "up/1001.exr (no mix, not 0.5)" in render(cli, model, shot, "--mix", "0.5").line
    assert render(cli, model, shot, "--frames", "1001", "--mix", "0.5", "--overwrite").code == 0
    assert "up/1001.exr (mix 0.5, not none)" in render(cli, model, shot).line


def test_each_note_of_a_frame_is_a_warning_of_its_own(cli: Any, model: Path, shot: Path) -> None:
    pixels = np.random.RandomState(0).uniform(0, 1, (8, 10, 5)).astype(np.float16)
    pixels[..., 3] = 0
    write_picture(shot.with_name("shot.1001.exr"), Picture(pixels, ("R", "G", "B", "A", "Z")))
    result = cli("render", model, "--in", shot, "--frames", "1001", "--out", "up/####.png", "--progress", "json")
    said = [event["message"] for event in map(json.loads, result.out.splitlines()) if event["event"] == "warning"]
    assert len(said) > 1
    assert [note for note in said if "stay behind" in note] == [
        note for note in said if note.endswith("stay behind (Z)")
    ]


def test_like_makes_a_frame_again(cli: Any, model: Path, shot: Path) -> None:
    assert render(cli, model, shot, "--bit-depth", "float", "--compression", "piz").code == 0
    assert cli("render", model, "--like", "up/1004.exr", "--in", shot, "--out", "again.exr").code == 0
    assert Path("again.exr").read_bytes() == Path("up/1004.exr").read_bytes()


def test_dry_run_says_what_would_be_done(cli: Any, model: Path, shot: Path) -> None:
    result = render(cli, model, shot, "--dry-run")
    assert result.code == 0
    assert "on disk    3 missing, of 3 frames\nto do      3\n" in result.out
    assert "shot.1001.exr" in result.out
    assert not Path("up").exists()
    assert render(cli, model, shot, "--frames", "1004").code == 0
    assert "on disk    1 done, 2 missing, of 3 frames, by their headers\n" in render(cli, model, shot, "--dry-run").out
    one = render(cli, model, shot, "--dry-run", "--frames", "1001").out
    assert "frames     1: up/1001.exr (" in one
    assert " … up/1001.exr" not in one


def test_dry_run_says_what_becomes_of_the_first_plate(cli: Any, model: Path, tmp_path: Path) -> None:
    pixels = np.full((6, 8, 5), 0.5, np.float16)
    facts = {"colorInteropID": "lin_ap1_scene"}
    source = tmp_path / "one.exr"
    picture = Picture(pixels, ("R", "G", "B", "A", "mask"), facts, origin=(-1, 2), display=(0, 0, 10, 12))
    write_picture(source, picture)
    out = cli("render", model, "--in", source, "--out", "o.exr", "--dry-run", "--bit-depth", "float").out
    for line in (
        f"plate      {source}: R, G, B, A",
        "size       10×12 → 20×24",
        "data       8×6 at -1, 2 → 16×12 at -2, 4 (size: the display window)",
        "colour     ACEScg → ACEScg",
        "depth      half → float",
        "tiles      1 of ",
        "note       1 other channels stay behind (mask); --keep-channels carries them",
    ):
        assert line in out, out
    out = cli("render", model, "--in", source, "--out", "o.png", "--dry-run").out
    assert "colour     ACEScg → sRGB" in out
    assert "depth      half → 16" in out
    kept = cli("render", model, "--in", source, "--out", "o.exr", "--dry-run", "--keep-channels").out
    assert "carried    1 other channels (mask)" in kept


def test_dry_run_stops_as_the_render_would(cli: Any, model: Path, shot: Path) -> None:
    assert render(cli, model, shot).code == 0
    taken = render(cli, model, shot, "--dry-run", "--bit-depth", "float")
    assert taken.code == 2
    assert "to do      3" in taken.out
    assert "other work is in the way" in taken.line
    layer = render(cli, model, shot, "--dry-run", "--layer", "nope")
    assert layer.code == 2
    assert "has no layer 'nope'" in layer.line
    first = shot.with_name("shot.1001.exr")
    first.write_bytes(first.read_bytes()[:20])
    cut = cli("render", model, "--in", shot, "--out", "new/####.exr", "--dry-run")
    assert cut.code == 3
    assert "the first plate cannot be used: " in cut.line
    assert "to do      3" in cut.out


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--in", "none/####.exr"], ["--in 'none/####.exr': no plates there"]),
        (["--in", "none.exr"], ["--in 'none.exr': no plates there"]),
        (["--in", "plate/shot.####.tif"], ["--in 'plate/shot.####.tif': no plates there"]),
        (["--in", "plate/shot.####.jpg"], ["unknown extension '.jpg'; give .exr or .png or .tif or .tiff or .dpx"]),
        (["--in", "####/a.exr"], ["the padding belongs in the file name"]),
        (["--in", "it's $5/#.exr"], ["not in the folder, whose name cannot hold $"]),
        (["--in", "plate/shot.####.exr", "--seeds", "1"], ["--seeds 1 and --in", "two sources"]),
        (["--in", "plate/shot.####.exr", "--start-frame", "1"], ["--start-frame 1 is for seeds"]),
        (["--in", "plate/shot.####.exr", "--z-interval", "0.5"], ["--z-interval 0.5 is for seeds"]),
        (["--in", "plate/shot.####.exr", "--frames", "a"], ["--frames 'a' is not a range of frames"]),
        (["--in", "plate/shot.####.exr", "--frames", "1-99999999"], ["more than 1000000 frames"]),
        (["--in", "plate/shot.1001.exr", "--frames", "1001"], ["--frames 1001 needs a pattern"]),
        (["--in", "plate/shot.####.exr", "--bad-pixels", "drop"], ["--bad-pixels 'drop' is unknown; use error, zero"]),
        (["--in", "plate/shot.####.exr", "--in-colorspace", "ACESgc"], ["--in-colorspace: ", "no space 'ACESgc'"]),
        (["--in", "plate/shot.####.exr", "--bit-depth", "16"], ["--bit-depth 16 does not go with EXR"]),
        (["--seeds", "1"], ["makes pictures of pictures", "give it plates with --in"]),
        (["--seeds", "1", "--bad-pixels", "zero"], ["--bad-pixels 'zero' is for plates"]),
    ],
)
def test_wrong_options_are_one_line(cli: Any, model: Path, shot: Path, options: list[str], parts: list[str]) -> None:
    result = cli("render", model, "--out", OUT, *options)
    assert result.code == 2, result
    assert len(result.err.strip().splitlines()) == 1
    for part in parts:
        assert part in result.line
    assert not Path("up").exists()


def test_a_frame_never_replaces_its_own_plate(cli: Any, model: Path, shot: Path) -> None:
    before = shot.with_name("shot.1001.exr").read_bytes()
    result = cli("render", model, "--in", shot, "--out", "plate/../plate/shot.%04d.exr", "--overwrite")
    assert result.code == 2
    assert "would replace the plate" in result.line
    assert shot.with_name("shot.1001.exr").read_bytes() == before


def test_plates_for_a_generator_are_refused(cli: Any, tiny: Path, model: Path, shot: Path) -> None:
    assert "makes pictures of seeds (generator); give --seeds" in cli("render", tiny, "--in", shot, "--out", OUT).line


def test_a_network_that_gives_nan_fails_that_frame(cli: Any, image_model: Any, shot: Path, tmp_path: Path) -> None:
    model = image_model(tmp_path / "nan.onnx", "nan", value_range=(-1.0, 1.0))
    _write(shot.with_name("shot.1002.exr"), pixels={(3, 4): (0, 0, 0)})
    result = cli("render", model, "--in", shot, "--frames", "1002", "--out", OUT)
    assert result.code == 3
    assert "the network gave NaN or infinity on this plate" in result.err
