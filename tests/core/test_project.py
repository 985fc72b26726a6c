"""vfxgan.toml: found, read, checked."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vfxgan.errors import UsageError
from vfxgan.project import Project, find_project, look_for_project
from vfxgan.project_file import MAX_BYTES, read_settings
from vfxgan.project_keys import KEYS, RUNTIMES, TOKENS, pattern_problem
from vfxgan.render.runtimes import RUNTIMES as REAL_RUNTIMES

WHOLE = """\
model = "models/fire.onnx"
colorspace = "ACEScg"
ocio = 'P:\\show\\config.ocio'
threads = 4

[output]
pattern = "renders/{shot}/{version}/{view}/{shot}_{model}_{version}.####.exr"
root = "../out"
version_digits = 4

[[paths]]
linux = "/mnt/show"
windows = 'P:\\show'

[farm]
to = "slurm"
chunk = 20
extra.slurm = ["--account=fx", "--mem=8G"]
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """The settings file of the working folder."""

    def call(text: str) -> Path:
        file = tmp_path / "vfxgan.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return call


def problems(text: str, write: Callable[[str], Path]) -> list[str]:
    """What is wrong, without the folder."""
    file = write(text)
    found = look_for_project().settings
    assert found is not None
    return [problem.replace(f"{file.parent}/", "") for problem in found.problems]


def test_without_a_file_all_is_as_ever() -> None:
    assert find_project() == Project()


def test_a_whole_file_is_read(write: Callable[[str], Path], tmp_path: Path) -> None:
    file = write(WHOLE)
    project = find_project()
    assert project.file == file
    assert project.model == str(tmp_path / "models" / "fire.onnx")
    assert (project.colorspace, project.threads, project.runtime) == ("ACEScg", 4, None)
    assert project.ocio == "/mnt/show/config.ocio"
    assert (project.farm.to, project.farm.chunk, project.farm.retries, project.farm.command) == (
        "slurm",
        20,
        2,
        "vfxgan",
    )
    assert project.farm.extra["slurm"] == ("--account=fx", "--mem=8G")
    assert project.farm.extra["opencue"] == ()
    assert project.farm.words("slurm") == ("--account=fx", "--mem=8G")
    assert project.target("sh010", 3, "%V", "fire 2") == str(
        tmp_path / "../out/renders/sh010/v0003/%V/sh010_fire-2_v0003.####.exr"
    )


def test_partition_and_queue_are_options_of_their_engines(write: Callable[[str], Path]) -> None:
    write("[farm]\npartition = 'gpu'\nqueue = 'queue-1'\nextra.slurm = ['--qos=high']\n")
    farm = find_project().farm
    assert farm.words("slurm") == ("--partition=gpu", "--qos=high")
    assert farm.words("deadline") == ("--queue-id=queue-1",)
    assert farm.words("openjd") == farm.words("commands") == ()


def test_the_nearest_file_above_the_working_folder_holds(
    write: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("threads = 1\n")
    inner = tmp_path / "sequence" / "shot"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert find_project().threads == 1
    (inner.parent / "vfxgan.toml").write_text("threads = 2\n")
    assert find_project().threads == 2


def test_the_environment_names_a_file_and_wins(
    write: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("threads = 1\n")
    (tmp_path / "other.toml").write_text("threads = 2\n")
    monkeypatch.setenv("VFXGAN_PROJECT", "other.toml")
    assert find_project().threads == 2
    assert find_project().file == tmp_path / "other.toml"
    monkeypatch.setenv("VFXGAN_PROJECT", str(tmp_path / "gone.toml"))
    with pytest.raises(UsageError, match=r"gone\.toml \(from \$VFXGAN_PROJECT\): cannot be read \(No such file"):
        find_project()
    monkeypatch.setenv("VFXGAN_PROJECT", str(tmp_path))
    with pytest.raises(UsageError, match=r"is a folder, not a file; name the vfxgan\.toml in it"):
        find_project()


def test_a_command_can_be_told_to_read_none(write: Callable[[str], Path], cli: Any) -> None:
    write("threads = 0\n")
    assert cli("--no-project", "project").code == 0
    assert cli("project").code == 2


def test_a_name_is_a_packaged_model_unless_there_is_a_file_of_that_name(
    write: Callable[[str], Path], tmp_path: Path
) -> None:
    write('model = "elements"\nupscaler = "sub/elements"\nocio = "ocio://default"')
    assert find_project().model == "elements"
    assert find_project().upscaler == str(tmp_path / "sub" / "elements")
    assert find_project().ocio == "ocio://default"
    (tmp_path / "elements").write_bytes(b"a model, as far as this goes")
    assert find_project().model == str(tmp_path / "elements")


WRONG = [
    ("modell = 'a'", "vfxgan.toml:1: unknown key 'modell'; did you mean model?"),
    ("\n[farm]\nchunck = 3", "vfxgan.toml:3: unknown key 'farm.chunck'; did you mean farm.chunk?"),
    ("chunk = 3", "vfxgan.toml:1: unknown key 'chunk'; did you mean farm.chunk?"),
    ("[zzz]\na = 1", "vfxgan.toml:1: unknown key 'zzz'; docs/project.md lists them all"),
    ("'farm.chunk' = 3", "vfxgan.toml:1: unknown key 'farm.chunk'; did you mean farm.chunk?"),
    ("\n\nmodel = 3", 'vfxgan.toml:3: model is 3, not text; write model = "path"'),
    ("model = ''", """vfxgan.toml:1: model is '': empty; write model = "path\""""),
    ('colorspace = "a\\u0007b"', r"vfxgan.toml:1: colorspace is 'a\x07b': has a control character"),
    ("threads = true", "vfxgan.toml:1: threads is true, not a whole number"),
    ("threads = 2.0", "vfxgan.toml:1: threads is 2.0, not a whole number"),
    ("threads = '2'", "vfxgan.toml:1: threads is '2', not a whole number"),
    ("threads = 1025", "vfxgan.toml:1: threads is 1025, not 1 … 1024"),
    ("bit_depth = '16'", "vfxgan.toml:1: bit_depth is '16', not one of: half, float"),
    ("runtime = 'onnx'", f"vfxgan.toml:1: runtime is 'onnx', not one of: {', '.join(RUNTIMES)}"),
    ("farm = 3", "vfxgan.toml:1: farm is 3, not a table; write [farm]"),
    ("[farm]\n\nchunk = 0", "vfxgan.toml:3: farm.chunk is 0, not 1 … 100000"),
    ("farm.chunk = 0", "vfxgan.toml:1: farm.chunk is 0, not 1 … 100000"),
    ("farm = { to = 'slurm', chunk = 0 }", "vfxgan.toml:1: farm.chunk is 0, not 1 … 100000"),
    ("[farm.extra]\nslurm = '--mem=8G'", """vfxgan.toml:2: farm.extra.slurm is '--mem=8G', not a list of words"""),
    ("[farm.extra]\nslurm = ['a',\n'']", "vfxgan.toml:2: farm.extra.slurm is '': empty"),
    (
        "[output]\npattern = 'a/{shto}/####.exr'",
        "vfxgan.toml:2: output.pattern is 'a/{shto}/####.exr': unknown token {shto}",
    ),
    ("[output]\npattern = 'a/####.tif'", "output.pattern is 'a/####.tif': ends neither in .exr nor in .png"),
    ("[output]\npattern = 'a/b.exr'", "output.pattern is 'a/b.exr': needs one padding in the file's name"),
    ("[output]\npattern = 'a/####.@@.exr'", "needs one padding in the file's name"),
    ("[output]\npattern = 'a##/####.exr'", "has padding in a folder"),
    ("[output]\npattern = 'a/{shot/####.exr'", "has a brace that belongs to no token"),
    ("[output]\npattern = '{view}/{version}/####.exr'", "{view} comes before {version}; put it after"),
    ("[output]\nshot = 'a/b'", "vfxgan.toml:2: output.shot is 'a/b': has '/' in it"),
    ("[output]\nshot = '..'", "output.shot is '..': starts or ends with a dot"),
    ("paths = 3", "vfxgan.toml:1: paths is 3, not a list of tables; write [[paths]]"),
    ("[paths]\nlinux = '/a'", "not a list of tables; write [[paths]]"),
    ("[[paths]]\nlinux = '/a'\n", "vfxgan.toml:1: paths row 1: has only linux; name the same folder on another system"),
    ("model = 'Q:/m.onnx'", "vfxgan.toml:1: model is 'Q:/m.onnx': a Windows path that no row of [[paths]]"),
    ("[output]\npattern = 'Q:\\a\\####.exr'", r"is 'Q:\a\####.exr': a Windows path that no row of [[paths]] in"),
    ("[[paths]]\n\n", "vfxgan.toml:1: paths row 1: has no side"),
    (
        "[[paths]]\nlinux = '/a'\nwindows = 'P:'\n[[paths]]\nlinux = 'a'\nwindows = 'Q:'",
        "vfxgan.toml:5: paths row 2: linux 'a' is no whole path: write /mnt/show",
    ),
    ("[[paths]]\nlinux = '/a'\nwindows = '/b'", "vfxgan.toml:3: paths row 1: windows '/b' is no whole path of Windows"),
    ("[[paths]]\nlinux = '/a'\nwindows = 4", "vfxgan.toml:3: paths row 1: windows is 4, not text"),
    (
        "[[paths]]\nlinux = '/a'\nirix = '/b'",
        "vfxgan.toml:3: paths row 1: unknown side 'irix'; there are linux, windows",
    ),
]


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_what_is_wrong_is_named_with_its_line(text: str, problem: str, write: Callable[[str], Path]) -> None:
    found = problems(text, write)
    assert problem in found[0]
    assert found[0].startswith("vfxgan.toml:")
    with pytest.raises(UsageError) as error:
        find_project()
    assert len(str(error.value).splitlines()) == 1


def test_every_key_refuses_what_it_cannot_be(write: Callable[[str], Path]) -> None:
    for key in KEYS:
        for value in ("-1", "1979-05-27", "{ a = 1 }", "[[1]]", "'a\\nb/..'"):
            (found,) = problems(f"\n{key.name} = {value}\n", write) or [""]
            assert found.startswith(f"vfxgan.toml:2: {key.name} is ") or value.startswith("'"), (key, value, found)


def test_several_problems_come_in_the_order_of_their_lines_the_first_three_in_the_message(
    write: Callable[[str], Path],
) -> None:
    file = write("modell = 1\n[farm]\nchunk = 0\nretries = -1\n[output]\npattern = 'x'\n")
    with pytest.raises(UsageError) as error:
        find_project()
    assert str(error.value) == (
        f"{file}:1: unknown key 'modell'; did you mean model?; {file}:3: farm.chunk is 0, not 1 … 100000; "
        f"{file}:4: farm.retries is -1, not 0 … 100; and 1 more: vfxgan project lists them"
    )


def test_what_is_right_in_a_wrong_file_is_known(write: Callable[[str], Path]) -> None:
    write("threads = 3\nmodell = 1\n")
    assert look_for_project().threads == 3


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"model = ", "vfxgan.toml:1: cannot be read (Invalid value)"),
        (b"a = 1\nb = 2\nb = 3\n", "vfxgan.toml:3: cannot be read (b is set twice); correct it"),
        (b"a = 1\n[x", "vfxgan.toml:2: cannot be read (Expected ']' at the end of a table declaration)"),
        (b"\n\nmodel = '\xff'", "vfxgan.toml:3: cannot be read (not UTF-8 text); save it as UTF-8"),
        (b"\xff\xfem\0o\0", "vfxgan.toml:1: cannot be read (not UTF-8 text)"),
        (b"a = " + b"[\n" * 30_000, "cannot be read (nested too deeply)"),
        (b"\na = '" + b"b" * 4000 + b"'", "vfxgan.toml:2: has more than 4000 characters"),
        (b"# " + b"a" * MAX_BYTES, "has more than 64 KiB; this is no settings file"),
        (b"a = '\0'", "vfxgan.toml:1: cannot be read (Found invalid character"),
    ],
)
def test_a_file_that_is_no_toml_is_named(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "vfxgan.toml").write_bytes(data)
    with pytest.raises(UsageError) as error:
        find_project()
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_byte_order_mark_and_windows_lines_are_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "vfxgan.toml").write_bytes(b"\xef\xbb\xbfthreads = 2\r\n[farm]\r\nchunk = 0\r\n")
    assert look_for_project().threads == 2
    found = look_for_project().settings
    assert found is not None
    assert ":3: farm.chunk" in found.problems[0]


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop", "nowhere"])
def test_what_is_no_file_is_named_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "vfxgan.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("vfxgan.toml" if kind == "loop" else "gone.toml")
    with pytest.raises(UsageError, match=r"vfxgan\.toml: (is a (folder|pipe), not a file|cannot be read \()"):
        find_project()


def test_a_working_folder_that_was_removed_is_named(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert cli("project").line == "vfxgan: the working folder was removed; change into another one"


def test_a_hostile_file_is_refused_in_a_moment(tmp_path: Path) -> None:
    many_headers = "".join(f"[a{number}]\n" for number in range(7000))
    for text in (
        "a." * 1990 + "b = 1",
        "x = [" + "\n[" * 90 + "]" * 91,
        "x = [" + "{},\n" * 15_000 + "]",
        many_headers,
    ):
        (tmp_path / "vfxgan.toml").write_text(text)
        started = time.monotonic()
        with pytest.raises(UsageError):
            find_project()
        assert time.monotonic() - started < 5


@given(st.text(max_size=60))
@example("{shot}/{shot}####.exr")
@settings(max_examples=200, deadline=None)
def test_any_pattern_is_judged_without_a_crash(text: str) -> None:
    assert pattern_problem(text) == "" or pattern_problem(text).startswith("is ")


@given(
    st.lists(st.sampled_from([*(f"{{{token}}}" for token in TOKENS), "a", "/", "_", "####"]), max_size=8).map("".join)
)
@settings(max_examples=200, deadline=None)
def test_a_pattern_that_is_accepted_can_be_filled(text: str) -> None:
    pattern = f"{text}.exr"
    if not pattern_problem(pattern):
        filled = Project(output=pattern).target("sh010", 7, "%V", "fire")
        assert "{" not in filled
        assert filled.endswith(".exr")


MARKS = [
    "[",
    "]",
    "{",
    "}",
    "=",
    '"',
    "\\",
    "\n",
    "#",
    ".",
    "1",
    "-",
    "nan",
    "[[paths]]",
    "[farm]",
    "'",
    '"""',
    "{shot}",
    "é",
]


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(MARKS)), min_size=1, max_size=5), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_a_file_with_mistakes_is_never_worse_than_one_line(changes: list[tuple[float, str]], cut: int) -> None:
    text = WHOLE
    for where, mark in changes:
        place = int(where * len(text))
        text = text[:place] + mark + text[place + cut :]
    Path("vfxgan.toml").write_text(text, encoding="utf-8")
    try:
        found = look_for_project().settings
    except UsageError as error:
        said, found = str(error), None
    else:
        assert found is not None
        said = found.problems[0] if found.problems else "nothing"
    assert len(said.splitlines()) == 1
    lines = text.count("\n") + 1
    for problem in found.problems if found else ():
        assert 1 <= int(problem.removeprefix(f"{found.file}:").partition(":")[0]) <= lines


def test_the_runtimes_are_those_that_there_are() -> None:
    assert (*REAL_RUNTIMES, "auto") == RUNTIMES


def test_settings_are_read_without_the_libraries_of_a_render(tmp_path: Path, write: Callable[[str], Path]) -> None:
    import subprocess
    import sys

    write(WHOLE)
    probe = (
        "import sys; from vfxgan.project import find_project; import vfxgan.versions\n"
        "assert find_project().threads == 4\n"
        "print([name for name in ('pydantic', 'numpy', 'fileseq', 'OpenImageIO', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_settings_say_their_lines(write: Callable[[str], Path]) -> None:
    found = read_settings(write(WHOLE))
    assert (found.line("output.version_digits"), found.line("paths.0"), found.line("farm.extra.slurm")) == (9, 11, 18)
    assert found.line("farm.priority") == 15  # its table
