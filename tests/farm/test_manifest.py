"""`vfxgan verify` of whole sequences: what is wrong is named, the one command repairs it, the manifest says it all."""

import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vfxgan.images import read_header
from vfxgan.recipe import read_stamp
from vfxgan.render.runtimes.fingerprint import cpu_level

OUT = "sh 010/fx_####.exr"


def rendered(cli: Any, *words: object) -> None:
    result = cli("render", *words, "--progress", "none")
    assert result.code == 0, result


@pytest.fixture
def shot(cli: Any, tiny: Path) -> Callable[[int], Path]:
    """Twenty frames of seeds 0 to 19; the path of one."""
    rendered(cli, tiny, "--seeds", "0-19", "--out", OUT)
    return lambda number: Path(OUT.replace("####", f"{number:04d}"))


def repair_of(line: str) -> list[str]:
    """The words of the command that a message ends with, as a shell would cut them."""
    words = shlex.split(line.partition("; repair: ")[2])
    assert words[:2] == ["vfxgan", "render"], line
    return words[1:]


def check(cli: Any, *words: object) -> Any:
    return cli("verify", OUT, "--frames", "0-19", *words, "--progress", "none")


def test_a_whole_sequence_is_told_in_full_and_the_same_each_time(cli: Any, tiny: Path, shot: Any) -> None:
    assert check(cli, "--model", tiny, "--manifest", "pub/a.json").code == 0
    told = json.loads(Path("pub/a.json").read_text())
    assert told["ok"] is True
    assert told["manifest_version"] == 1
    assert told["sequence"] == {"pattern": "fx_####.exr", "range": "0-19", "count": 20, "views": []}
    assert told["model"] == {"name": "tiny", "sha256": hashlib.sha256(tiny.read_bytes()).hexdigest()}
    assert told["options"]["compression"] == "zips"
    assert told["forms"] == [
        {
            "range": "0-19",
            "resolution": [32, 32],
            "channels": ["R", "G", "B", "A"],
            "types": ["half"],
            "colorspace": "lin_rec709_scene",
        }
    ]
    assert [one["range"] for one in told["fingerprints"]] == ["0-19"]
    assert (told["missing"], told["damaged"], told["foreign"], told["other_runtime"]) == ("", [], [], [])
    for number, one in enumerate(told["frames"]):
        data, stamp = shot(number).read_bytes(), read_stamp(read_header(shot(number)))
        assert stamp is not None
        assert (one["frame"], one["name"], one["state"]) == (number, f"fx_{number:04d}.exr", "whole")
        assert (one["bytes"], one["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert (one["pixels"], one["source"]) == (stamp.pixels, {"seed": number})
    shutil.copytree("sh 010", "elsewhere/copy")
    os.utime("elsewhere/copy/fx_0003.exr", (1, 1))
    line = ("verify", Path("elsewhere/copy/fx_%04d.exr").absolute(), "--frames", "0-19", "--model", tiny)
    assert cli(*line, "--manifest", Path("b.json").absolute()).code == 0
    other = Path("b.json").read_text().replace("fx_%04d.exr", "fx_####.exr")  # the pattern, as it was given
    assert other == Path("pub/a.json").read_text()
    for secret in (os.uname().nodename, str(Path.cwd()), "20" + "26-"):
        assert secret not in other


def test_the_command_repairs_what_is_missing_and_damaged(cli: Any, tiny: Path, shot: Any) -> None:
    before = {number: shot(number).read_bytes() for number in range(20)}
    for number in (7, 9, 10, 11, 12):
        shot(number).unlink()
    shot(3).write_bytes(before[3][:-40])
    shot(4).write_bytes(b"")
    shot(5).write_bytes(before[5].replace(b'"seed":5', b'"seed":6'))
    result = check(cli, "--model", tiny, "--manifest", "publish.json")
    assert result.code == 1
    assert "5 missing (7,9-12), 2 damaged (3-4), 1 foreign (5)" in result.line
    command = repair_of(result.line)
    assert command[command.index("--seeds") + 1] == "3-5,7,9-12"
    told = json.loads(Path("publish.json").read_text())
    assert told["ok"] is False
    assert told["missing"] == "7,9-12"
    assert [one["frame"] for one in told["damaged"]] == [3, 4]
    assert [one["state"] for one in told["frames"]][:6] == ["whole"] * 3 + ["damaged"] * 2 + ["foreign"]
    assert cli(*command).code == 0
    assert check(cli, "--model", tiny).code == 0
    assert {number: shot(number).read_bytes() for number in range(20)} == before


def test_damage_alone_is_repaired_without_overwriting(cli: Any, tiny: Path, shot: Any) -> None:
    shot(3).write_bytes(shot(3).read_bytes()[:-40])
    assert "--overwrite" not in repair_of(check(cli, "--model", tiny).line)


def test_frames_of_another_render_are_foreign_and_replaced_only_with_overwrite(
    cli: Any, tiny: Path, make_model: Any, tmp_path: Path, shot: Any
) -> None:
    other = make_model(tmp_path / "other.onnx", seed=1)
    rendered(cli, other, "--seeds", "2", "--out", OUT, "--overwrite")
    rendered(cli, tiny, "--seeds", "6", "--out", OUT, "--overwrite", "--compression", "piz")
    shutil.copy(shot(1), shot(8))
    shot(13).write_bytes(b"not an image at all")
    result = check(cli, "--model", tiny)
    assert result.code == 1
    assert "4 foreign (2,6,8,13)" in result.line
    for reason in ("model ", "compression piz, not zips", "made from seed 1, not seed 8", "not an image"):
        assert f"foreign: {reason}" in result.err
    assert "--overwrite replaces frames 2,6,8,13" in result.err
    assert cli(*repair_of(result.line)).code == 0
    assert check(cli).code == 0


def test_a_frame_or_a_model_says_what_is_right_against_the_majority(
    cli: Any, tiny: Path, make_model: Any, tmp_path: Path, shot: Any
) -> None:
    rendered(cli, tiny, "--seeds", "0-2", "--out", OUT, "--overwrite", "--z-interval", "0.3")
    assert "3 foreign (0-2)" in check(cli).line
    assert "17 foreign (3-19)" in check(cli, "--like", shot(1)).line
    other = make_model(tmp_path / "other.onnx", seed=1)
    result = check(cli, "--model", other)
    assert "20 foreign (0-19)" in result.line
    assert "no frame there tells what to render" in result.err
    assert "is of model" in check(cli, "--like", shot(1), "--model", other).line


def test_two_kinds_of_machine_in_one_sequence_are_named(cli: Any, tiny: Path, shot: Any) -> None:
    pytest.importorskip("openvino", reason="the second kind of runtime")
    rendered(cli, tiny, "--seeds", "14-15", "--out", OUT, "--overwrite", "--runtime", "openvino")
    result = check(cli, "--model", tiny, "--manifest", "a.json")
    assert "2 of another runtime or machine (14-15)" in result.line
    assert [one["range"] for one in json.loads(Path("a.json").read_text())["fingerprints"]].count("14-15") == 1
    mixed = check(cli, "--model", tiny, "--mix-runtimes", "--manifest", "a.json")
    assert mixed.code == 0
    assert json.loads(Path("a.json").read_text())["ok"] is True
    assert cli(*repair_of(result.line)).code == 0
    assert check(cli).code == 0


def test_a_start_frame_is_found_out_and_picks_are_given(cli: Any, tiny: Path, tmp_path: Path) -> None:
    rendered(cli, tiny, "--seeds", "10-38x2", "--start-frame", "1001", "--out", "a/####.exr")
    before = Path("a/1005.exr").read_bytes()
    for number in (1005, 1007):
        Path(f"a/{number}.exr").unlink()
    result = cli("verify", "a", "--frames", "1001-1015", "--model", tiny)
    command = repair_of(result.line)
    assert command[3:] == [
        *("--seeds", "18-22x2", "--start-frame", "1005", "--frames", "1005,1007", "--out", "a/####.exr"),
        *("--model", str(tiny), "--require-runtime", "@a/1001.exr"),
    ]
    assert cli(*command).code == 0
    assert Path("a/1005.exr").read_bytes() == before
    Path("picks.txt").write_text("7 205 31 4 99")
    rendered(cli, tiny, "--seeds", "@picks.txt", "--start-frame", "1", "--out", "b/####.exr")
    Path("b/0002.exr").unlink()
    assert "which seed belongs there is not known" in cli("verify", "b", "--frames", "1-5", "--model", tiny).err
    given = ("verify", "b/####.exr", "--seeds", "@picks.txt", "--start-frame", "1", "--model", tiny)
    result = cli(*given, "--manifest", "b.json")
    assert cli(*repair_of(result.line)).code == 0
    assert cli(*given, "--manifest", "b.json").code == 0
    assert [one["source"]["seed"] for one in json.loads(Path("b.json").read_text())["frames"]] == [7, 205, 31, 4, 99]
    shutil.copy("b/0003.exr", "b/0004.exr")
    assert "seed 31, which frame 3 has" in cli("verify", "b", "--frames", "1-5").err
    assert "1 foreign (4)" in cli(*given, "--manifest", "b.json").line


def test_a_walk_is_repaired_by_its_frames(cli: Any, tiny: Path) -> None:
    rendered(cli, tiny, "--walk", "1-6", "--keys", "0,5", "--loop", "--out", "w/####.png")
    before = Path("w/0004.png").read_bytes()
    shutil.copy("w/0003.png", "w/0004.png")
    Path("w/0006.png").unlink()
    result = cli("verify", "w/####.png", "--frames", "1-6", "--model", tiny, "--manifest", "w.json")
    assert "1 missing (6), 1 foreign (4)" in result.line
    assert json.loads(Path("w.json").read_text())["frames"][0]["source"] == {"walk": 1}
    assert cli(*repair_of(result.line)).code == 0
    assert Path("w/0004.png").read_bytes() == before


def test_a_changed_plate_makes_its_frame_foreign(cli: Any, tiny: Path) -> None:
    rendered(cli, tiny, "--seeds", "1-5", "--out", "plate/p.####.exr")
    up = ("--in", "plate/p.####.exr", "--out", "up/####.exr")
    rendered(cli, "upscaler", *up)
    before = Path("up/0002.exr").read_bytes()
    rendered(cli, tiny, "--seeds", "4", "--out", "plate/p.####.exr", "--overwrite", "--z-interval", "0.2")
    Path("up/0002.exr").unlink()
    checked = ("verify", "up/####.exr", "--in", "plate/p.####.exr", "--manifest", "up.json")
    result = cli(*checked)
    assert result.code == 1
    assert "1 missing (2), 1 foreign (4)" in result.line
    assert "plate/p.0004.exr changed since" in result.err
    assert "plate/" not in Path("up.json").read_text()
    command = repair_of(result.line)
    assert command[3:7] == ["--in", "plate/p.####.exr", "--frames", "2,4"]
    assert cli(*command).code == 0
    assert Path("up/0002.exr").read_bytes() == before
    assert cli(*checked).code == 0
    plate = hashlib.sha256(Path("plate/p.0004.exr").read_bytes()).hexdigest()
    assert json.loads(Path("up.json").read_text())["frames"][3]["source"] == {"plate": plate}
    Path("up/0003.exr").unlink()
    assert "say where the plates are, with --in" in cli("verify", "up", "--frames", "1-5").err


def test_views_are_checked_each_in_its_own_files(cli: Any, tiny: Path) -> None:
    for view, seeds in (("left", "1-3"), ("right", "11-13")):
        rendered(cli, tiny, "--seeds", seeds, "--start-frame", "1", "--out", f"p/{view}/####.exr")
    rendered(cli, "upscaler", "--in", "p/%V/####.exr", "--out", "up/%V/c.####.exr")
    Path("up/right/c.0002.exr").unlink()
    checked = ("verify", "up/%V/c.####.exr", "--in", "p/%V/####.exr", "--manifest", "up.json")
    result = cli(*checked)
    told = json.loads(Path("up.json").read_text())
    assert told["sequence"] == {"pattern": "%V/c.####.exr", "range": "1-3", "count": 6, "views": ["left", "right"]}
    assert [one["name"] for one in told["frames"]][:2] == ["left/c.0001.exr", "right/c.0001.exr"]
    assert cli(*repair_of(result.line)).code == 0
    assert cli(*checked).code == 0


def test_what_else_lies_in_the_folder_is_mentioned(cli: Any, tiny: Path, shot: Any) -> None:
    shutil.copy(shot(1), "sh 010/fx_0001 (copy).exr")
    result = cli("verify", OUT, "--frames", "0-15")
    assert result.code == 0
    assert "frames 16-19: there, too" in result.err
    assert "fx_0001 (copy).exr" in result.err
    shot(5).unlink()
    result = cli("verify", OUT, "--manifest", "a.json")
    assert result.code == 0
    assert "frame 5: not there" in result.err


def test_a_manifest_replaces_only_a_manifest(cli: Any, shot: Any) -> None:
    Path("work.json").write_text('{"shots": []}')
    result = check(cli, "--manifest", "work.json")
    assert result.code == 2
    assert "is no manifest of frames" in result.line
    assert Path("work.json").read_text() == '{"shots": []}'
    assert "a manifest is a .json" in check(cli, "--manifest", "work.txt").line
    assert check(cli, "--manifest", "m.json").code == 0
    first = Path("m.json").read_bytes()
    shot(3).unlink()
    assert check(cli, "--manifest", "m.json").code == 1
    assert Path("m.json").read_bytes() != first
    assert sorted(path.name for path in Path().iterdir() if path.is_file()) == ["m.json", "work.json"]
    Path("link.json").symlink_to("m.json")
    Path("m.json").write_bytes(first)
    assert check(cli, "--manifest", "link.json").code == 1
    assert Path("link.json").is_symlink()
    assert Path("m.json").read_bytes() != first


def test_json_progress_ends_in_the_reason_and_the_command(cli: Any, tiny: Path, shot: Any) -> None:
    good = cli("verify", OUT, "--frames", "0-19", "--progress", "json")
    assert [json.loads(line)["event"] for line in good.out.splitlines()][-1] == "finished"
    shot(7).unlink()
    result = cli("verify", OUT, "--frames", "0-19", "--model", tiny, "--progress", "json")
    events = [json.loads(line) for line in result.out.splitlines()]
    assert events[-1]["event"] == "failed"
    assert repair_of(events[-1]["reason"]) == repair_of(result.line)
    shot(8).write_bytes(b"")
    each = cli("verify", OUT, "--progress", "json")
    assert json.loads(each.out.splitlines()[-1])["event"] == "failed"
    farm = cli("verify", OUT, "--frames", "0-19", "--model", tiny, "--progress", "openjd")
    assert farm.out.splitlines()[-1].startswith("openjd_fail: ")


def test_odd_paths_survive_in_the_command(cli: Any, tiny: Path) -> None:
    model = Path("$(touch pwned) $HOME.onnx")
    shutil.copy(tiny, model)
    folder = Path('it\'s  a "shot"; `touch pwned` & 映像　素材 é')
    rendered(cli, model, "--seeds", "0-3", "--out", folder / "-x ####.exr")
    (folder / "-x 0002.exr").unlink()
    result = cli("verify", folder / "-x ####.exr", "--frames", "0-3", "--model", model)
    command = repair_of(result.line)
    assert command[command.index("--out") + 1] == str(folder / "-x ####.exr")
    assert command[command.index("--model") + 1] == str(model)
    assert cli(*command).code == 0
    assert (folder / "-x 0002.exr").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--frames", "5-1x0"), "--frames '5-1x0' is not a range"),
        (("--frames", "0-3", "--start-frame", "1"), "--start-frame 1 goes with --seeds"),
        (("--seeds", "0-3", "--in", OUT, "--manifest", "a.json"), "are two sources; give one"),
        (("--frames", "0-3", "--like", "plain.txt"), "plain.txt"),
        (("--frames", "0-3", "--model", "lost.onnx"), "lost.onnx: no such model file"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_one_line(cli: Any, shot: Any, words: Any, message: str) -> None:
    result = cli("verify", OUT, *words)
    assert result.code in (1, 2)
    assert message in result.line


def test_a_folder_of_several_sequences_wants_a_name(cli: Any, tiny: Path, shot: Any) -> None:
    rendered(cli, tiny, "--seeds", "1-2", "--out", "sh 010/b.####.exr")
    result = cli("verify", "sh 010", "--frames", "0-19")
    assert result.code == 2
    assert "holds several sequences (b.####.exr, fx_####.exr)" in result.line
    assert "no frames there" in cli("verify", "none/####.exr", "--manifest", "a.json").line
    missing = cli("verify", "none/####.exr", "--frames", "1-3")
    assert missing.code == 1
    assert "3 missing (1-3)" in missing.line


def test_where_no_pixels_are_left_headers_tell_what_was_there(cli: Any, tiny: Path, shot: Any) -> None:
    before = {number: shot(number).read_bytes() for number in range(20)}
    for number in range(20):
        shot(number).write_bytes(before[number][:-30])
    shot(4).unlink()
    command = repair_of(check(cli, "--model", tiny).line)
    assert command[command.index("--seeds") + 1] == "0-19"
    assert cli(*command).code == 0
    assert {number: shot(number).read_bytes() for number in range(20)} == before


def test_one_frame_says_what_an_empty_folder_lacks(cli: Any, tiny: Path) -> None:
    rendered(cli, tiny, "--seeds", "3", "--out", "good/####.exr", "--z-interval", "0.3")
    checked = ("verify", "new/####.exr", "--frames", "1-4", "--like", "good/0003.exr", "--model", tiny)
    assert cli(*repair_of(cli(*checked).line)).code == 0
    assert cli(*checked).code == 0
    assert Path("new/0003.exr").read_bytes() == Path("good/0003.exr").read_bytes()


def test_what_stands_in_the_way_of_a_repair_is_named_and_the_rest_repaired(cli: Any, tiny: Path, shot: Any) -> None:
    shot(6).unlink()
    shot(6).mkdir()
    shot(8).unlink()
    result = check(cli, "--model", tiny)
    assert "frame 6: no file, and in the way; remove it first" in result.err
    command = repair_of(result.line)
    assert command[command.index("--seeds") + 1] == "8"
    assert "--overwrite" not in command


def test_a_file_that_is_still_being_written_is_no_whole_frame(
    cli: Any, tiny: Path, shot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vfxgan.render import frame_survey

    whole = frame_survey.find_problem

    def written_meanwhile(path: Path) -> str:
        if path == shot(5):
            path.write_bytes(path.read_bytes() + b"\n")
        return whole(path)

    monkeypatch.setattr(frame_survey, "find_problem", written_meanwhile)
    result = check(cli, "--model", tiny)
    assert "1 damaged (5)" in result.line
    assert "it changed while it was read" in result.err


def test_the_repair_of_an_upscaled_sequence_names_its_upscaler(cli: Any, tiny: Path, tmp_path: Path) -> None:
    from vfxgan.modelfile import packaged_models

    mine = tmp_path / "my upscaler.onnx"
    shutil.copy(packaged_models()["upscaler"], mine)
    rendered(cli, tiny, "--seeds", "0-3", "--upscale", mine, "--out", "u/####.exr")
    before = Path("u/0002.exr").read_bytes()
    Path("u/0002.exr").unlink()
    checked = ("verify", "u", "--frames", "0-3", "--model", tiny, "--upscale", mine)
    command = repair_of(cli(*checked).line)
    assert f"--upscale={mine}" in command
    assert cli(*command).code == 0
    assert Path("u/0002.exr").read_bytes() == before


def test_a_cancelled_verify_ends_at_once_and_leaves_the_manifest_as_it_was(start: Any, cli: Any, tiny: Path) -> None:
    rendered(cli, tiny, "--seeds", "0-9", "--out", "o/####.exr")
    for number in range(10, 2000):
        Path(f"o/{number:04d}.exr").hardlink_to("o/0009.exr")
    assert cli("verify", "o/####.exr", "--frames", "0-9", "--manifest", "pub/a.json").code == 0
    before = Path("pub/a.json").read_bytes()
    line = ("--frames", "0-1999", "--manifest", "pub/a.json", "--progress", "json")
    process = start("verify", "o/####.exr", *line)
    while '"progress"' not in process.stdout.readline():
        assert process.poll() is None
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert {path.name: path.read_bytes() for path in Path("pub").iterdir()} == {"a.json": before}


CONFIG = """ocio_profile_version: 2
roles: {default: lin_rec709, scene_linear: lin_rec709}
file_rules: [!<Rule> {name: Default, colorspace: default}]
displays: {screen: [!<View> {name: plain, colorspace: lin_rec709}]}
colorspaces:
  - !<ColorSpace> {name: lin_rec709, encoding: scene-linear}
  - !<ColorSpace>
    name: halved
    encoding: scene-linear
    to_scene_reference: !<MatrixTransform> {matrix: [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]}
"""


def test_the_repair_says_which_config_file_it_needs(cli: Any, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("show.ocio").write_text(CONFIG)
    rendered(cli, tiny, "--seeds", "0-2", "--out", OUT, "--colorspace", "halved", "--ocio", "show.ocio")
    whole = Path("sh 010/fx_0001.exr").read_bytes()
    Path("sh 010/fx_0001.exr").unlink()
    checked = ("verify", OUT, "--frames", "0-2", "--model", tiny)
    result = cli(*checked)
    assert f"add --ocio: made with the OCIO config sha256:{hashlib.sha256(CONFIG.encode()).hexdigest()}" in result.err
    monkeypatch.setenv("OCIO", str(Path("show.ocio").absolute()))
    result = cli(*checked)
    assert "add --ocio" not in result.err
    assert cli(*repair_of(result.line)).code == 0
    assert Path("sh 010/fx_0001.exr").read_bytes() == whole


@pytest.mark.parametrize("said", [(), ("--cpu-isa", "avx2")], ids=["unsaid", "said"])
def test_the_repair_of_frames_of_a_held_cpu_holds_it_too(start: Any, tiny: Path, said: tuple[str, ...]) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is of the extra openvino")
    if cpu_level() not in (("avx512",) if not said else ("avx2", "avx512")):
        pytest.skip(f"this CPU has {cpu_level()}: there is nothing to hold")

    def run(*words: object) -> Any:
        process = start(*words, "--progress", "none")
        _, err = process.communicate(timeout=60)
        return process.returncode, err.strip()

    held = ("--runtime", "openvino", "--cpu-isa", "avx2")
    code, err = run("render", tiny, "--seeds", "0-2", "--out", "a/####.exr", *held)
    assert code == 0, err
    before = Path("a/0001.exr").read_bytes()
    Path("a/0001.exr").unlink()
    code, err = run("verify", "a/####.exr", "--frames", "0-2", "--model", tiny, *said)
    repair = repair_of(err.splitlines()[-1])
    assert repair[repair.index("--cpu-isa") + 1] == "avx2"
    code, err = run(*repair)
    assert code == 0, err
    assert Path("a/0001.exr").read_bytes() == before


def test_plates_are_held_against_frames_without_a_range_too(cli: Any, tiny: Path) -> None:
    for view, seeds in (("left", "1-3"), ("right", "11-13")):
        rendered(cli, tiny, "--seeds", seeds, "--start-frame", "1", "--out", f"p/{view}/####.exr")
    rendered(cli, "upscaler", "--in", "p/%V/####.exr", "--out", "up/%V/c.####.exr")
    both, plates = "up/%V/c.####.exr", ("--in", "p/%V/####.exr")
    assert cli("verify", both).out == "6 frames are whole\n"
    again = cli("verify", both, *plates, "--rerender", 6)
    assert again.out == "6 frames are whole, 6 of them rendered again: to the same bytes\n"
    assert cli("verify", both, *plates).code == 0
    sheet = cli("contact-sheet", both)
    assert sheet.out.startswith("up.png: 6 frames"), sheet
    one = cli("verify", "up/left/c.0002.exr", "--in", "p/left/####.exr")
    assert (one.code, one.out) == (0, "1 frame is whole\n")
    Path("up/left/c.0001.exr").unlink()
    rendered(cli, tiny, "--seeds", "7", "--start-frame", "3", "--out", "p/right/####.exr", "--overwrite")
    result = cli("verify", both, *plates)
    assert result.code == 1
    assert "1 missing (1), 1 foreign (3)" in result.line
    assert cli(*repair_of(result.line)).code == 0
    assert cli("verify", both, *plates).code == 0
    rendered(cli, "upscaler", "--in", "p/left/0001.exr", "--out", "one.exr")
    alone = cli("verify", "one.exr", "--in", "p/left/0001.exr")
    assert (alone.code, alone.out) == (0, "1 frame is whole\n")
    assert "there, too" not in alone.err
