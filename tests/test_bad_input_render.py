"""Each wrong input gives one line that names the thing and the remedy, a code, and leaves nothing half-written."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def refused(result: Any, code: int, *parts: str) -> None:
    """One line, the right code, and all of these words."""
    assert result.code == code, result
    assert len(result.err.strip().splitlines()) == 1, result.err
    assert result.line.startswith("vfxgan: ")
    for part in parts:
        assert part in result.line, result.line


@pytest.mark.parametrize(
    ("seeds", "parts"),
    [
        ("5-1x0", ["--seeds '5-1x0' is not a range of seeds", "write 0-499"]),
        ("a-b", ["--seeds 'a-b' is not a range of seeds", "write 0-499"]),
        ("-1", ["--seeds '-1'", "seed -1 is outside 0 … 4294967295"]),
        ("4294967296", ["seed 4294967296 is outside 0 … 4294967295"]),
        ("1.5", ["--seeds '1.5'"]),
        ("0-99999999", ["more than 1000000 seeds"]),
        ("@nowhere.txt", ["--seeds @nowhere.txt: cannot be read"]),
    ],
)
def test_bad_seeds_are_named(cli: Any, tiny: Path, tmp_path: Path, seeds: str, parts: list[str]) -> None:
    refused(cli("render", tiny, f"--seeds={seeds}", "--out", tmp_path / "o" / "####.exr"), 2, *parts)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("out", "options", "parts"),
    [
        ("o/frame.exr", [], ["names one file, but there are 2 frames", "o/frame.####.exr"]),
        ("o/####.tga", [], ["unknown extension '.tga'", ".exr or .png"]),
        ("o/####.exr", ["--compression", "zipp"], ["--compression 'zipp' is unknown", "zips"]),
        ("o/####.exr", ["--compression", "zip:99"], ["zip takes a level of 1 to 9"]),
        ("o/####.exr", ["--bit-depth", "8"], ["--bit-depth 8 does not go with EXR", "half or float"]),
        ("o/####.exr", ["--bit-depth", "12"], ["--bit-depth '12' is unknown"]),
        ("o/####.png", ["--colorspace", "ACEScg"], ["--colorspace 'ACEScg' cannot go into a PNG", "write .exr"]),
        ("o/####.png", ["--compression", "zips"], ["is for EXR"]),
        ("o/####.exr", ["--colorspace", "ACESgc"], ["has no space 'ACESgc'", "close names:", "ACEScg"]),
        ("o/####.exr", ["--colorspace", "ACEScg", "--ocio", "/none.ocio"], ["--ocio '/none.ocio'", "correct the path"]),
        ("o/####.exr", ["--runtime", "torch"], ["--runtime 'torch' is unknown", "onnxruntime, openvino", "or auto"]),
        ("o/####", [], ["--out 'o/####' has no extension", "quoted: 'o/####.exr'"]),
        (".", [], ["--out '.' is a folder; give a pattern of files, quoted: '####.exr'"]),
        ("o/####.exr", ["--handles", "-2"], ["--handles -2 is below 0; see: vfxgan render --help"]),
        ("o/####.exr", ["--mix=half"], ["--mix half is no number"]),
        ("o/####.exr", ["--batch", "1.5"], ["--batch 1.5 is no whole number"]),
        ("o/####.exr", ["--threads", "-2"], ["--threads -2 is outside 1 …"]),
        ("o/####.exr", ["--threads", "0"], ["--threads 0 is outside 1 …"]),
        ("o/####.exr", ["--ocio", "/none.ocio"], ["--ocio '/none.ocio' goes with --colorspace"]),
        ("o/####.exr", ["--batch", "0"], ["--batch 0 is outside 1 …"]),
        ("o/####.exr", ["--z-interval", "0"], ["--z-interval 0 is outside"]),
        ("o/####.exr", ["--model", "other.onnx"], ["are two models; give one"]),
    ],
)
def test_options_that_do_not_fit_are_named(
    cli: Any, tiny: Path, tmp_path: Path, out: str, options: list[str], parts: list[str]
) -> None:
    refused(cli("render", tiny, "--seeds", "0-1", "--out", out, *options), 2, *parts)
    assert not (tmp_path / "o").exists()


def test_problems_of_one_command_are_reported_together(cli: Any, tiny: Path) -> None:
    options = ("--bit-depth", "half", "--colorspace", "ACEScg", "--compression", "zip")
    refused(
        cli("render", tiny, "--seeds", "0", "--out", "a.png", *options), 2, "--bit-depth", "--colorspace", "for EXR"
    )


def test_an_unquoted_pattern_is_explained(cli: Any, tiny: Path) -> None:
    # A shell hands `--out ####.exr` over as a bare `--out`: the rest is a comment to it.
    result = cli("render", tiny, "--seeds", "0-9", "--out")
    assert result.code == 2
    assert "quote it ('####.exr')" in result.line


@pytest.mark.parametrize(
    ("words", "see"),
    [
        (["elements", "--in", "a.exr"], "vfxgan --help"),
        (["train", "elementz"], "vfxgan train --help"),
        (["render", "--nope"], "vfxgan render --help"),
    ],
)
def test_the_help_that_an_error_names_is_of_a_command_that_exists(cli: Any, words: list[str], see: str) -> None:
    assert cli(*words).line.endswith(f"; see: {see}")


def test_no_seeds_and_no_plates_are_named(cli: Any, tiny: Path) -> None:
    refused(cli("render", tiny, "--out", "a.exr"), 2, "no seeds and no plates: give --seeds 0-499")


def test_a_folder_that_cannot_be_written_is_named(cli: Any, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")  # not a permission: tests may run as root
    refused(cli("render", tiny, "--seeds", "0", "--out", "file/below/####.exr"), 2, "file/below: cannot be written to")


def _not_a_model(kind: str, tiny: Path, make_model: Any, folder: Path) -> Path:
    path = folder / f"{kind}.onnx"
    whole = tiny.read_bytes()
    contents = {
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "text": b"Lorem ipsum dolor sit amet, consectetur adipiscing elit.\n" * 20,
        "png": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "checkpoint": b"PK\x03\x04" + bytes(100),
    }
    if kind in contents:
        path.write_bytes(contents[kind])
    elif kind == "no spec":
        make_model(path, metadata=None)
    elif kind == "newer":
        make_model(path, spec={"spec_version": 99})
    elif kind == "bad spec":
        make_model(path, spec={"colour": "blue"})
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("missing", ["missing.onnx: no such model file"]),
        ("folder", ["is a folder"]),
        ("empty", ["empty.onnx: is empty"]),
        ("truncated", ["truncated.onnx: is not an ONNX file, or is cut short", "copy or export it again"]),
        ("text", ["text.onnx: is not an ONNX file"]),
        ("png", ["png.onnx: is a PNG picture"]),
        ("checkpoint", ["is a PyTorch checkpoint; run vfxgan export on it first"]),
        ("no spec", ["holds no vfxgan spec", "vfxgan export"]),
        ("newer", ["made by a newer vfxgan (spec version 99", "upgrade vfxgan"]),
        ("bad spec", ["its vfxgan spec does not fit: colour"]),
    ],
)
def test_a_bad_model_is_named(
    cli: Any, tiny: Path, make_model: Any, tmp_path: Path, kind: str, parts: list[str]
) -> None:
    path = _not_a_model(kind, tiny, make_model, tmp_path)
    refused(cli("render", path, "--seeds", "0-9", "--out", tmp_path / "o" / "####.exr"), 1, *parts)
    assert not (tmp_path / "o").exists()


def test_a_model_that_keeps_weights_elsewhere_is_refused(cli: Any, tiny: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(tiny))
    path = tmp_path / "external.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="w.bin", size_threshold=0)
    refused(cli("inspect", path), 1, "keeps its weights in another file", "weights inside")


def test_two_onnxruntimes_are_refused(cli: Any, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("onnxruntime", "onnxruntime_gpu"):
        folder = tmp_path / "site" / f"{name}-1.30.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.30.0\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    result = cli("render", tiny, "--seeds", "0", "--out", "a.exr")
    refused(result, 1, "onnxruntime and onnxruntime-gpu are both installed", "pip uninstall")


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_missing_runtime_names_the_pip_command(
    cli: Any, tiny: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    monkeypatch.setitem(sys.modules, runtime, None)
    result = cli("render", tiny, "--seeds", "0", "--out", "a.exr", "--runtime", runtime)
    refused(result, 1, f"{runtime} is not installed", "pip install 'vfxgan[cpu]'")


def test_frames_of_another_recipe_are_listed_and_left_alone(cli: Any, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "o" / "####.exr"
    assert cli("render", tiny, "--seeds", "0-5", "--out", out).code == 0
    before = {path: path.read_bytes() for path in out.parent.iterdir()}
    result = cli("render", tiny, "--seeds", "0-9", "--out", out, "--compression", "piz")
    refused(result, 2, "0000.exr (compression zips, not piz)", "and 3 more", "--overwrite")
    assert {path: path.read_bytes() for path in out.parent.iterdir()} == before
    assert cli("render", tiny, "--seeds", "0-9", "--out", out, "--compression", "piz", "--overwrite").code == 0


def test_a_file_without_a_recipe_is_somebodys_work(cli: Any, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "0001.exr").write_text("not even a picture")
    refused(cli("render", tiny, "--seeds", "0-3", "--out", "####.exr"), 2, "0001.exr (not an image)", "--overwrite")
    assert (tmp_path / "0001.exr").read_text() == "not even a picture"


def test_a_seed_that_gives_nan_fails_alone(cli: Any, make_model: Any, tmp_path: Path) -> None:
    model = make_model(tmp_path / "m.onnx", not_a_number_below=0.0)
    result = cli("render", model, "--seeds", "0-7", "--out", tmp_path / "o" / "####.exr")
    bad = [seed for seed in range(8) if np.random.RandomState(seed).uniform(-0.5, 0.5) < 0]
    assert result.code == 3
    assert f"{len(bad)} of 8 frames failed: {', '.join(map(str, bad))}" in result.line
    assert f"frame {bad[0]} (seed {bad[0]}): the network gave NaN or infinity" in result.err
    assert len(list((tmp_path / "o").iterdir())) == 8 - len(bad)


@pytest.mark.parametrize("extension", ["exr", "png"])
def test_a_full_disk_stops_the_run_and_leaves_whole_frames(
    start: Any, cli: Any, make_model: Any, tmp_path: Path, extension: str
) -> None:
    model = make_model(tmp_path / "m.onnx", size=64)
    out = tmp_path / "o" / f"####.{extension}"
    # No file may grow beyond 4 KiB: what a full disk does, without one.
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))}
    process = start("render", model, "--seeds", "0-9", "--out", out, "--progress", "none", **limit)
    _, err = process.communicate()
    assert process.returncode == 1
    assert len(err.strip().splitlines()) == 1, err
    assert "cannot be written" in err or "incomplete" in err
    assert "0 of 10 frames are done and whole" in err
    assert list(out.parent.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.tmpfs
@pytest.mark.parametrize("extension", ["exr", "png"])
def test_a_disk_that_fills_up_keeps_the_frames_that_fit(
    cli: Any, make_model: Any, tmp_path: Path, small_disk: Path, extension: str
) -> None:
    model = make_model(tmp_path / "m.onnx", size=64)
    result = cli("render", model, "--seeds", "0-99", "--out", small_disk / f"####.{extension}", "--progress", "none")
    refused(result, 1, "of 100 frames are done and whole")
    assert not [path for path in small_disk.iterdir() if path.name.startswith(".")]
    assert cli("verify", small_disk, "--progress", "none").code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_whole_frames_and_says_how_many(
    start: Any, cli: Any, make_model: Any, tmp_path: Path, number: signal.Signals
) -> None:
    model = make_model(tmp_path / "m.onnx", size=128)
    out = tmp_path / "o" / "####.exr"
    process = start("render", model, "--seeds", "0-1999", "--out", out, "--progress", "json")
    done = 0
    for line in process.stdout:
        done = json.loads(line).get("done", 0)
        if done >= 5:
            process.send_signal(number)
            break
    _, err = process.communicate()
    frames = sorted(out.parent.iterdir())
    assert process.returncode == 130
    assert f"interrupted: {len(frames)} of 2000 frames are done and whole" in err
    assert 5 <= len(frames) < 2000
    assert all(not path.name.startswith(".") for path in frames)
    assert cli("verify", out.parent, "--progress", "none").code == 0


def test_render_imports_no_training_library(tiny: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from vfxgan.cli.main import run; "
        f"assert run(['render', {str(tiny)!r}, '--seeds', '0', '--out', 'a.exr']) == 0; "
        "print(sorted({'torch', 'onnx', 'openvino', 'lightning'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ), check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("words", [[], ["train"], ["dataset"]])
def test_a_command_without_arguments_shows_its_help_as_it_is(cli: Any, words: list[str]) -> None:
    result = cli(*words)
    assert result.code == 2
    assert result.err.startswith("Usage: vfxgan")
    assert len(result.err.splitlines()) > 5


def test_an_interrupt_during_the_import_of_a_runtime_is_not_a_missing_package() -> None:
    from vfxgan.errors import MissingExtraError, RuntimeFailure
    from vfxgan.render.runtimes.checks import importing

    with pytest.raises(KeyboardInterrupt), importing("onnxruntime"):
        raise ImportError("cannot load module") from KeyboardInterrupt()
    with pytest.raises(MissingExtraError, match="pip install"), importing("onnxruntime"):
        raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")
    with pytest.raises(RuntimeFailure, match="installed but cannot be loaded"), importing("onnxruntime"):
        raise ImportError("libstdc++ is too old")


def test_the_help_of_render_is_in_sections(cli: Any) -> None:
    lines = cli("render", "--help").out.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings[:2] == ["Arguments:", "Source and target:"]
    assert headings[-1] == "Options:"
    sections = "\n".join(lines)
    assert sections.index("Source and target:") < sections.index("--out") < sections.index("A walk through seeds")
    assert sections.index("What the picture is made of:") < sections.index("--tile <int>") < sections.index("Where and")
    assert sections.index("To look at:") < sections.index("--preview-clean") < sections.index("\nOptions:")
