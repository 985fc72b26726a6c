"""`vfxgan verify --manifest` where frames have signatures, or neighbours in time."""

import hashlib
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest


def done(result: Any) -> Any:
    assert result.code == 0, result
    return result


def test_a_manifest_lists_signatures_and_is_not_ok_where_one_does_not_hold(cli: Any, tiny: Path, signer: Any) -> None:
    pytest.importorskip("c2pa", reason="signing needs the extra sign")
    done(cli("render", tiny, "--seeds", "0-2", "--out", "a/####.exr", "--sign", *signer))
    checked = ("verify", "a/####.exr", "--frames", "0-2", "--manifest", "a.json", "--model", tiny)
    done(cli(*checked, "--require-signed"))
    told = json.loads(Path("a.json").read_text())
    sidecar = Path("a/0001.c2pa").read_bytes()
    signature = {"name": "0001.c2pa", "bytes": len(sidecar), "sha256": hashlib.sha256(sidecar).hexdigest()}
    assert told["frames"][1]["signature"] == signature
    assert told["badly_signed"] == []
    shutil.copy("a/0000.c2pa", "a/0001.c2pa")
    assert cli(*checked).code == 1
    told = json.loads(Path("a.json").read_text())
    reason = "it is not the file that was signed: its manifest is of other bytes"
    assert told["ok"] is False
    assert told["badly_signed"] == [{"frame": 1, "name": "0001.exr", "reason": reason}]
    Path("a/0002.exr").unlink()
    assert "add --sign CERT KEY: these frames have to be signed" in cli(*checked, "--require-signed").err


def test_the_last_line_counts_frames_that_are_not_signed_as_asked_too(cli: Any, tiny: Path, signer: Any) -> None:
    pytest.importorskip("c2pa", reason="signing needs the extra sign")
    done(cli("render", tiny, "--seeds", "0-4", "--out", "a/####.exr", "--sign", *signer))
    shutil.copy("a/0000.c2pa", "a/0001.c2pa")
    Path("a/0002.c2pa").unlink()
    Path("a/0003.exr").unlink()
    result = cli("verify", "a/####.exr", "--frames", "0-4", "--require-signed", "--model", tiny, "--manifest", "a.json")
    assert (
        "3 of 5 frames are not as they should be: 1 missing (3), 2 not signed as asked (1-2); repair: " in result.line
    )
    assert [one["name"] for one in json.loads(Path("a.json").read_text())["badly_signed"]] == ["0001.exr", "0002.exr"]
    repair = shlex.split(result.line.partition("; repair: ")[2])[1:]
    assert repair[repair.index("--seeds") + 1] == "1-3"
    done(cli(*repair, "--sign", *signer))
    done(cli("verify", "a/####.exr", "--frames", "0-4", "--require-signed"))


@pytest.mark.parametrize("suffix", ["exr", "png"])
def test_the_repair_says_that_the_other_frames_are_signed(cli: Any, tiny: Path, signer: Any, suffix: str) -> None:
    pytest.importorskip("c2pa", reason="signing needs the extra sign")
    done(cli("render", tiny, "--seeds", "0-2", "--out", f"a/####.{suffix}", "--sign", *signer))
    done(cli("render", tiny, "--seeds", "0-2", "--out", f"b/####.{suffix}"))
    for folder, is_said in (("a", True), ("b", False)):
        Path(f"{folder}/0001.{suffix}").unlink()
        told = cli("verify", f"{folder}/####.{suffix}", "--frames", "0-2", "--model", tiny).err
        assert ("add --sign CERT KEY: the frames that are whole are signed" in told) is is_said


def test_frames_checked_one_by_one_are_counted_with_their_signatures(cli: Any, tiny: Path, signer: Any) -> None:
    pytest.importorskip("c2pa", reason="signing needs the extra sign")
    done(cli("render", tiny, "--seeds", "0-3", "--out", "a/####.exr", "--sign", *signer))
    Path("a/0001.c2pa").unlink()
    Path("a/0003.exr").write_bytes(Path("a/0003.exr").read_bytes()[:900])
    line = cli("verify", "a", "--require-signed").line
    assert "2 problems, 3 of 4 frames are whole, 1 of these not signed as asked; see above" in line


def test_a_changed_neighbour_makes_the_frames_around_it_foreign_and_the_command_mends_them(
    cli: Any, tiny: Path, tmp_path: Path, image_model: Any
) -> None:
    pytest.importorskip("cv2", reason="stabilising needs the extra temporal")
    model = image_model(tmp_path / "m.onnx", "shaky", scale=2, channels=3)
    done(cli("render", tiny, "--seeds", "1-6", "--out", "p/####.exr"))
    source = ("--in", "p/####.exr")
    done(cli("render", model, *source, "--out", "o/####.exr", "--temporal", "1"))
    checked = ("verify", "o/####.exr", *source, "--frames", "1-6", "--model", model)
    done(cli(*checked))
    done(cli("render", tiny, "--seeds", "4", "--out", "p/####.exr", "--overwrite", "--z-interval", "0.2"))
    result = cli(*checked)
    assert "3 foreign (3-5)" in result.line
    assert "made with other neighbouring plates" in result.err
    done(cli(*shlex.split(result.line.partition("; repair: ")[2])[1:]))
    done(cli(*checked))


def test_grain_that_belongs_to_another_frame_is_foreign(cli: Any, tiny: Path) -> None:
    done(cli("render", tiny, "--seeds", "1-4", "--out", "p/####.exr"))
    done(cli("render", "upscaler", "--in", "p/####.exr", "--out", "o/####.exr", "--regrain", "1"))
    shutil.copy("p/0002.exr", "p/0003.exr")
    shutil.copy("o/0002.exr", "o/0003.exr")
    result = cli("verify", "o/####.exr", "--in", "p/####.exr", "--frames", "1-4")
    assert "its grain is of frame 2, not 3" in result.err
    done(cli(*shlex.split(result.line.partition("; repair: ")[2])[1:]))
    done(cli("verify", "o/####.exr", "--in", "p/####.exr", "--frames", "1-4"))


def test_a_repair_does_not_go_by_a_frame_that_was_tampered_with(cli: Any, tiny: Path, signer: Any) -> None:
    pytest.importorskip("c2pa", reason="signing needs the extra sign")
    done(cli("render", tiny, "--seeds", "0-2", "--out", "a/####.exr", "--sign", *signer))
    shutil.copy("a/0002.c2pa", "a/0000.c2pa")
    line = cli("verify", "a/####.exr", "--frames", "0-2", "--model", tiny).line
    assert "--like a/0001.exr --seeds 0" in line
    assert "--require-runtime @a/0001.exr" in line
    Path("a/0001.exr").unlink()
    Path("a/0002.exr").unlink()
    line = cli("verify", "a/####.exr", "--frames", "0-2", "--model", tiny).line
    assert "--like a/0000.exr --seeds 0-2" in line, "where there is no other"


def test_of_one_file_that_is_held_against_its_plate_the_others_beside_it_are_no_matter(cli: Any, tiny: Path) -> None:
    done(cli("render", tiny, "--seeds", "0,1,3", "--out", "p/####.exr"))
    done(cli("render", "--in", "p/####.exr", "--out", "u/####.exr"))
    result = done(cli("verify", "u/0001.exr", "--in", "p/####.exr"))
    assert "1 frame is whole" in result.out
    assert "warning" not in result.err
