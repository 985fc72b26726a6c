"""`vfxgan project` and what `vfxgan doctor` says of the project file."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def call(text: str) -> Path:
        file = tmp_path / "vfxgan.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return call


def facts(cli: Any, *words: str) -> Any:
    result = cli("project", "--json", *words)
    assert result.code == 0, result
    return json.loads(result.out)


CONVENTION = "[output]\npattern = '{shot}/{version}/####.exr'\n"


# vfxgan project


def test_without_a_file_the_answer_has_the_defaults(cli: Any) -> None:
    told = facts(cli)
    assert (told["file"], told["output"], told["lacks"], told["problems"]) == (None, None, None, [])
    assert (told["settings"]["model"], told["settings"]["output"]["pattern"]) == (None, None)
    assert told["settings"]["farm"]["command"] == "vfxgan"
    assert "none: no vfxgan.toml here or above" in cli("project").out


def test_plugins_get_settings_and_the_output_as_data(cli: Any, write: Callable[[str], Path], tmp_path: Path) -> None:
    file = write(
        f"colorspace = 'ACEScg'\n{CONVENTION}[[paths]]\nlinux = '/mnt/a'\nwindows = 'P:'\n[farm]\nto = 'slurm'\n"
    )
    told = facts(cli, "--shot", "sh010")
    assert told["file"] == str(file)
    assert (told["shot"], told["version"]) == ("sh010", "v001")
    assert told["output"] == str(tmp_path / "sh010/v001/####.exr")
    assert told["settings"]["colorspace"] == "ACEScg"
    assert told["settings"]["farm"]["to"] == "slurm"
    assert told["settings"]["paths"] == [{"linux": "/mnt/a", "windows": "P:"}]
    assert not (tmp_path / "sh010").exists()
    assert facts(cli, "--shot", "a", "--version", "v12")["output"] == str(tmp_path / "a/v012/####.exr")


def test_what_the_convention_lacks_is_said(cli: Any, write: Callable[[str], Path]) -> None:
    write(CONVENTION)
    told = facts(cli)
    assert (told["output"], told["problems"]) == (None, [])
    assert told["lacks"].startswith("the output convention has {shot}: give --shot")
    assert "frames                   the output convention has {shot}" in cli("project").out


def test_a_claimed_version_is_nobody_elses(cli: Any, write: Callable[[str], Path], tmp_path: Path) -> None:
    write(CONVENTION)
    assert [facts(cli, "--shot", "a", "--claim")["version"] for _ in range(2)] == ["v001", "v002"]
    assert (tmp_path / "a" / "v002").is_dir()
    assert facts(cli, "--shot", "a")["version"] == "v003"


def test_a_script_gets_what_it_claimed_and_nothing_else(cli: Any, write: Callable[[str], Path], tmp_path: Path) -> None:
    write(CONVENTION)
    result = cli("project", "--shot", "a", "--claim")
    assert result.out == f"{tmp_path}/a/v001/####.exr\n"
    assert f"{tmp_path}/a/v001 is claimed; remove the empty folder to give the version back" in result.err


@pytest.mark.parametrize("json_too", [(), ("--json",)])
@pytest.mark.parametrize(
    ("text", "words", "reason"),
    [
        (CONVENTION, (), "the output convention has {shot}: give --shot"),
        (CONVENTION, ("--shot", "a", "--version", "v003"), "--claim and --version 'v003': the next version is claimed"),
        ("threads = 2\n", ("--shot", "a"), "has no output.pattern; nothing is claimed"),
        (CONVENTION + "digits = 3\n", ("--shot", "a"), "unknown key 'output.digits'"),
        ("[output]\npattern = '{shot}_{version}.####.exr'\n", ("--shot", "a"), "has no folder with {version} to make"),
        ("threads = \n", ("--shot", "a"), "vfxgan.toml:1: cannot be read"),
    ],
)
def test_a_script_that_claims_nothing_does_not_go_on(
    text: str,
    words: tuple[str, ...],
    reason: str,
    json_too: tuple[str, ...],
    cli: Any,
    write: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    write(text)
    result = cli("project", "--claim", *words, *json_too)
    assert (result.code, result.out) == (2, "")
    assert reason in result.line
    assert [path.name for path in tmp_path.iterdir()] == ["vfxgan.toml"]


def test_the_model_of_the_convention_can_be_named(
    cli: Any, write: Callable[[str], Path], tiny: Path, tmp_path: Path
) -> None:
    write("[output]\npattern = '{model}.####.exr'\n")
    assert facts(cli)["output"] == str(tmp_path / "elements.####.exr")
    assert facts(cli, "--model", str(tiny))["output"] == str(tmp_path / "tiny.####.exr")
    assert "gone.onnx: no such model file" in cli("project", "--json", "--model", "gone.onnx").line


def test_each_setting_says_where_it_comes_from(
    cli: Any, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("model = 'elements'\nthreads = 2\nocio = 'a.ocio'\n[farm]\nextra.slurm = ['--qos=high', '-v']\n")
    monkeypatch.setenv("OCIO", "ocio://default")
    lines = {line.split()[0]: line for line in cli("project").out.splitlines()}
    assert lines["model"].endswith("elements  (vfxgan.toml:1)")
    assert lines["threads"].endswith("2  (vfxgan.toml:2)")
    assert lines["ocio"].endswith("ocio://default  ($OCIO)")
    assert lines["farm.extra.slurm"].endswith("--qos=high -v  (vfxgan.toml:5)")
    assert lines["farm.retries"].endswith("2  (built-in)")


def test_problems_are_listed_all_of_them(cli: Any, write: Callable[[str], Path]) -> None:
    file = write("threads = 0\n[farm]\nchunk = 0\nretries = -1\npriority = 101\n")
    result = cli("project")
    assert result.code == 2
    assert result.line == f"vfxgan: {file}: 4 problems, see above"
    assert [line.split(":")[1] for line in result.out.splitlines() if line.startswith("PROBLEM")] == [
        "1",
        "3",
        "4",
        "5",
    ]
    assert len(facts(cli)["problems"]) == 4


def test_a_file_that_cannot_be_read_is_a_problem_for_plugins_and_an_error_for_people(
    cli: Any, write: Callable[[str], Path]
) -> None:
    file = write("threads = \n")
    (problem,) = facts(cli)["problems"]
    assert problem == f"{file}:1: cannot be read (Invalid value); correct it"
    assert cli("project").line == f"vfxgan: {problem}"


@pytest.mark.parametrize(
    "command", [("render", "--seeds", "0", "--out", "a.exr"), ("verify", "x"), ("contact-sheet", "x")]
)
def test_no_command_goes_on_with_a_wrong_file(command: tuple[str, ...], cli: Any, write: Callable[[str], Path]) -> None:
    write("threads = 0\n")
    result = cli(*command)
    assert result.code == 2
    assert "vfxgan.toml:1: threads is 0, not 1 … 1024" in result.line


# vfxgan doctor


def doctor(cli: Any, name: str) -> tuple[str, str]:
    """Mark and detail of one of the file's settings."""
    lines = cli("doctor").out.splitlines()
    (found,) = [line for line in lines if line[9:].startswith(f"  {name} ")]
    mark, _, detail = found.split(maxsplit=2)
    return mark, detail


@pytest.mark.parametrize(
    ("text", "name", "mark", "detail"),
    [
        ("model = 'tiny.onnx'", "model", "ok", "generator tiny, SHA-256"),
        ("model = 'gone.onnx'", "model", "MISSING", "gone.onnx (from"),
        ("upscaler = 'notes.txt'", "upscaler", "PROBLEM", "notes.txt: is not an ONNX file"),
        ("colorspace = 'ACEScg'", "colorspace", "ok", "ACEScg of ocio://"),
        ("colorspace = 'ACEScgg'", "colorspace", "MISSING", "has no space 'ACEScgg'; close names: ACEScg"),
        ("in_colorspace = 'nope'", "in_colorspace", "PROBLEM", "has no space 'nope'"),
        ("ocio = 'gone.ocio'", "ocio", "MISSING", "gone.ocio"),
        ("ocio = 'ocio://default'", "ocio", "ok", "spaces  (vfxgan.toml:1)"),
        ("compression = 'zop'", "compression", "MISSING", "--compression 'zop' is unknown; use one of"),
        ("compression = 'dwaa:45'", "compression", "ok", "dwaa:45  (vfxgan.toml:1)"),
        ("runtime = 'tensorrt'", "runtime", "MISSING", "tensorrt is not installed here"),
        ("runtime = 'auto'", "runtime", "ok", "auto, chosen at the start of a render"),
        ("threads = 2", "threads", "ok", "usable"),
        ("[output]\npattern = '{shot}/{version}/####.exr'\nshot = 'a'", "output.pattern", "ok", "the next is"),
        ("[output]\npattern = '{shot}/####.exr'\nroot = 'notes.txt/a'", "output.root", "PROBLEM", "is no folder"),
        ("[output]\npattern = '{shot}/####.exr'\nroot = 'new'", "output.root", "ok", "made when first needed, in"),
        (
            "[[paths]]\nlinux = '/no/such'\nwindows = 'P:'",
            "paths",
            "PROBLEM",
            "/no/such: no such folder on this machine",
        ),
        ("[[paths]]\nlinux = '/tmp'\nwindows = 'P:'", "paths", "ok", "/tmp  (vfxgan.toml:1)"),
        ("[farm]\nto = 'openjd'", "farm.to", "ok", "openjd  (vfxgan.toml:2)"),
        ("[farm]\ncommand = 'vfxgan'", "farm.command", "ok", "vfxgan  (vfxgan.toml:2)"),
        ("[farm]\ncommand = '/bin/sh'", "farm.command", "ok", "/bin/sh  (vfxgan.toml:2)"),
        ("[farm]\ncommand = '/no/vfxgan'", "farm.command", "PROBLEM", "/no/vfxgan: there is no such file on this"),
        ("[farm]\ncommand = '/etc/passwd'", "farm.command", "PROBLEM", "/etc/passwd: cannot be run on this machine"),
        ("[farm]\ncommand = 'P:/vfxgan'\nsystem = 'windows'", "farm.command", "ok", "P:/vfxgan  (vfxgan.toml:2)"),
        ("[farm]\nsystem = 'windows'", "farm.system", "PROBLEM", "windows: no row of [[paths]] says what /"),
        ("[farm]\nsystem = 'linux'", "farm.system", "ok", "linux  (vfxgan.toml:2)"),
        (
            "[farm]\nsystem = 'windows'\n[output]\nroot = '/show/r'\n[[paths]]\nlinux = '/show'\nwindows = 'P:'",
            "farm.system",
            "ok",
            r"windows, where frames go below P:\r  (vfxgan.toml:2)",
        ),
    ],
)
def test_doctor_says_of_each_setting_whether_it_holds(
    text: str, name: str, mark: str, detail: str, cli: Any, write: Callable[[str], Path], tiny: Path
) -> None:
    if name == "runtime" and mark == "MISSING" and _has_tensorrt():
        pytest.skip("TensorRT is installed here")
    Path("tiny.onnx").write_bytes(tiny.read_bytes())
    Path("notes.txt").write_text("no model")
    write(text)
    found = doctor(cli, name)
    assert found[0] == mark, found
    assert detail in found[1]


def _has_tensorrt() -> bool:
    from vfxgan.render.runtimes import installed

    return installed("tensorrt") is not None


def test_doctor_shows_problems_with_their_lines_and_fails(cli: Any, write: Callable[[str], Path]) -> None:
    file = write("threads = 2\n[farm]\nchunk = 0\n")
    result = cli("doctor")
    assert result.code == 1
    assert f"MISSING  project file       {file}:3: farm.chunk is 0, not 1 … 100000" in result.out
    assert "cannot run: project file" in result.line


@pytest.mark.parametrize("text", ["model = 'gone.onnx'\n", "model = 'notes.txt'\n", "colorspace = 'ACEScgg'\n"])
def test_doctor_names_what_is_missing_once(text: str, cli: Any, write: Callable[[str], Path]) -> None:
    Path("notes.txt").write_text("no model")
    write(text)
    result = cli("doctor")
    assert len([line for line in result.out.splitlines() if line.startswith("MISSING")]) == 1, result.out
    key = text.split()[0]
    assert result.line == f"vfxgan: the default render cannot run: {key}; see above for the remedy"


def test_doctor_names_a_folder_that_cannot_be_written_to(
    cli: Any, write: Callable[[str], Path], tmp_path: Path
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    (tmp_path / "locked").mkdir(mode=0o500)
    write("[output]\npattern = '{shot}/####.exr'\nroot = 'locked'\n")
    assert "cannot be written to" in doctor(cli, "output.root")[1]


def test_doctor_says_what_the_environment_overrules(
    cli: Any, write: Callable[[str], Path], tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("model = 'elements'\nocio = 'ocio://default'\n")
    monkeypatch.setenv("VFXGAN_MODEL", str(tiny))
    monkeypatch.setenv("OCIO", "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4")
    assert "but $VFXGAN_MODEL is set and wins" in doctor(cli, "model")[1]
    assert "but $OCIO is set and wins" in doctor(cli, "ocio")[1]


def test_doctor_looks_for_the_farms_own_command(
    cli: Any, write: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("[farm]\nto = 'slurm'\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor(cli, "farm.to") == (
        "PROBLEM",
        "slurm: there is no sbatch on PATH; submit from a machine that has it  (vfxgan.toml:2)",
    )
    (tmp_path / "sbatch").touch(mode=0o755)
    assert doctor(cli, "farm.to") == ("ok", f"slurm, {tmp_path}/sbatch  (vfxgan.toml:2)")


def test_models_lists_those_of_the_file(cli: Any, write: Callable[[str], Path], tiny: Path) -> None:
    Path("a.onnx").write_bytes(tiny.read_bytes())
    Path("b.onnx").write_bytes(tiny.read_bytes())
    write("model = 'a.onnx'\nupscaler = 'b.onnx'\n")
    listed = json.loads(cli("models", "--json").out)
    assert [(Path(item["path"]).name, item["default"]) for item in listed if item["origin"] == "vfxgan.toml"] == [
        ("a.onnx", True),
        ("b.onnx", False),
    ]
    write("threads = 0\n")
    problems = [item["problem"] for item in json.loads(cli("models", "--json").out) if item["problem"]]
    assert len(problems) == 1
    assert "vfxgan.toml:1: threads is 0" in problems[0]
