"""A render by the project file: where its frames go, which version, and with which defaults."""

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfxgan.convention import safe_name
from vfxgan.errors import UsageError
from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.project import Project, find_project
from vfxgan.versions import choose_target, given_back

FOLDERS = "renders/{shot}/{version}/{shot}_{version}.####.exr"
FILES = "renders/{shot}_{view}_{version}.####.exr"


@pytest.fixture
def project(tmp_path: Path, tiny: Path) -> Callable[..., Path]:
    """Write a file with a convention, and more; `tiny` is its model."""

    def write(pattern: str = FOLDERS, more: str = "", top: str = "") -> Path:
        file = tmp_path / "vfxgan.toml"
        file.write_text(f"model = '{tiny}'\n{top}\n[output]\npattern = '{pattern}'\n{more}\n", encoding="utf-8")
        return file

    return write


def made(folder: Path = Path("renders")) -> list[str]:
    """Every file below a folder."""
    return sorted(str(path) for path in folder.rglob("*") if path.is_file())


# What a version is


def test_the_next_version_is_one_more_than_any_on_disk(project: Callable[..., Path], tmp_path: Path) -> None:
    project()
    folder = tmp_path / "renders" / "sh010"
    for name in ("v001", "v007", "v12", "v007_old", "v099.zip", "wip", "v", "v-3", "V0020", "v9999999999", ".v050"):
        (folder / name).mkdir(parents=True)
    (folder / "v021").write_text("a file where versions are folders")
    (folder / "v007" / "sh010_v007.0001.exr").touch()
    assert choose_target(find_project(), "sh010", "next").version == "v022"
    assert choose_target(find_project(), "sh010", "latest").version == "v007"  # v12 is not as this convention has it
    assert choose_target(find_project(), "sh020", "next").version == "v001"
    assert not (tmp_path / "renders" / "sh020").exists()


def test_the_latest_version_is_one_that_holds_frames(project: Callable[..., Path], cli: Any, tmp_path: Path) -> None:
    project("{shot}/{version}/{model}/{shot}_{version}.####.exr")
    for name in ("v001/fire/a_v001.0001.exr", "v002/fire/a_v001.0001.exr", "v003/fire/note.exr", "v004/fire", "v005"):
        (tmp_path / "a" / name).mkdir(parents=True)
    assert choose_target(find_project(), "a", "latest", model="smoke").version == "v001"
    assert choose_target(find_project(), "a", "next", model="smoke").version == "v006"
    (tmp_path / "b" / "v001").mkdir(parents=True)
    assert "there is none with frames yet in" in cli("verify", "--shot", "b").line
    assert "there is none with frames yet in" in cli("render", "--seeds", "0", "--shot=b", "--version=latest").line


def test_a_claimed_version_is_not_yet_the_one_to_look_at(project: Callable[..., Path], cli: Any) -> None:
    project(more="shot = 'a'")
    assert cli("render", "--seeds", "0-2", "--version", "next").code == 0
    assert cli("submit", "--to", "commands", "--seeds", "0-2", "--version", "next").code == 0
    assert cli("verify").out == "3 frames are whole\n"
    assert "v001.png: 3 frames" in cli("contact-sheet").out
    assert cli("render", "--seeds", "3", "--version", "latest").code == 0
    assert cli("verify").out == "4 frames are whole\n"


def test_a_shot_that_differs_by_case_alone_is_warned_of(project: Callable[..., Path], cli: Any, tmp_path: Path) -> None:
    project("work/{shot}/{version}/####.exr")
    (tmp_path / "work" / "sh010").mkdir(parents=True)
    if (tmp_path / "work" / "SH010").exists():
        pytest.skip("this disk does not tell SH010 from sh010")
    said = f"shot 'SH010' has no folder, and {tmp_path}/work/sh010 differs from it by case alone"
    shot = ("--shot", "SH010", "--version", "next")
    assert f"warning: {said}\n" in cli("project", *shot).err
    assert f"note: {said}\n" in cli("submit", "--to", "commands", "--seeds", "0", *shot, "--dry-run").err
    assert cli("verify", "--shot", "SH010").line.endswith(f"/work/SH010; {said}")
    result = cli("render", "--seeds", "0", *shot)
    assert result.code == 0, result
    assert f"warning: {said}\n" in result.err
    assert "warning" not in cli("render", "--seeds", "0", *shot).err
    assert "warning" not in cli("project", "--shot", "sh010").err


def test_versions_of_files_are_found_in_their_names(project: Callable[..., Path], tmp_path: Path) -> None:
    project(FILES)
    (tmp_path / "renders").mkdir()
    for name in (
        "sh010_main_v003.0001.exr",
        "sh010_left_v004.-001.exr",
        "sh010_main_v009.exr",
        "sh0100_main_v008.0001.exr",
    ):
        (tmp_path / "renders" / name).touch()
    assert choose_target(find_project(), "sh010", "next", claim=True).out.endswith("renders/sh010_main_v005.####.exr")


def test_a_version_that_is_in_a_name_twice_is_one(project: Callable[..., Path], tmp_path: Path) -> None:
    project("{shot}_{version}-{version}/####.exr")
    (tmp_path / "a_v004-v004").mkdir()
    (tmp_path / "a_v008-v009").mkdir()
    assert choose_target(find_project(), "a", "next").version == "v005"


def test_versions_are_of_each_shot_and_model(project: Callable[..., Path], tmp_path: Path) -> None:
    project("{model}/{shot}/{version}/####.exr")
    (tmp_path / "fire-2" / "a" / "v003").mkdir(parents=True)
    found = find_project()
    assert choose_target(found, "a", "next", model="fire 2").version == "v004"
    assert choose_target(found, "a", "next", model="smoke").version == "v001"


def test_artists_who_ask_at_the_same_time_get_a_version_each(project: Callable[..., Path], tmp_path: Path) -> None:
    project()
    found = find_project()
    with ThreadPoolExecutor(8) as pool:
        chosen = list(pool.map(lambda _: choose_target(found, "sh010", "next", claim=True), range(24)))
    assert sorted(target.version or "" for target in chosen) == [f"v{number:03d}" for number in range(1, 25)]
    assert all(target.claimed is not None and target.claimed.folder.is_dir() for target in chosen)


@pytest.mark.parametrize("version", ["v3", "3", "003", "V003", "v003"])
def test_a_version_is_a_number_however_it_is_written(version: str, project: Callable[..., Path]) -> None:
    project()
    assert choose_target(find_project(), "sh010", version).version == "v003"


@pytest.mark.parametrize(
    "version", ["", "v", "v0", "0", "-1", "vv3", "3.0", "wip", "../v003", "v003/x", "v123456789", "٣"]
)
def test_any_other_version_is_refused(version: str, project: Callable[..., Path], cli: Any) -> None:
    project()
    result = cli("render", "--seeds", "0", "--shot", "a", f"--version={version}")
    assert result.code == 2
    assert "is no version; write v003, next or latest" in result.line
    assert made() == []


def test_a_disk_that_refuses_is_named(project: Callable[..., Path], cli: Any, tmp_path: Path) -> None:
    project()
    (tmp_path / "renders").write_text("in the way")
    result = cli("render", "--seeds", "0", "--shot", "a", "--version", "next")
    assert result.code == 2
    assert re.search(r"renders/a/v001: cannot be made \(Not a directory\); check output.root", result.line)


def test_a_folder_whose_name_is_padding_is_named(project: Callable[..., Path], cli: Any, tmp_path: Path) -> None:
    project(more="root = 'job#12'")
    result = cli("render", "--seeds", "0", "--shot", "a", "--version", "next")
    assert result.code == 2
    assert "job#12: has '#' in its name, which is padding in a pattern; give --out from" in result.line
    assert not (tmp_path / "job#12").exists()


# What a token may be


@given(shot=st.text(max_size=30), model=st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_a_filled_pattern_stays_in_its_folder(shot: str, model: str) -> None:
    here = Project(output="{shot}/{model}/{version}.####.exr", root=Path("/show"))
    try:
        filled = here.target(shot, 1, None, model)
    except UsageError:
        return
    words = filled.split("/")
    assert (words[1], len(words)) == ("show", 5)
    assert words[2] == shot
    assert os.path.normpath(filled) == filled
    assert not set("#@%$\\") & set("/".join(words[:-1]))


@pytest.mark.parametrize(
    "shot", ["", " ", "..", ".", "a/b", "/a", "a\\b", "a\nb", "a#", "%04d", "@", "$F", "{version}", "a:b"]
)
def test_a_shot_that_would_lead_elsewhere_is_refused(shot: str, project: Callable[..., Path], cli: Any) -> None:
    project()
    result = cli("render", "--seeds", "0", f"--shot={shot}", "--version", "1")
    assert result.code == 2
    assert result.line.startswith("vfxgan: --shot ")
    assert made() == []


def test_a_models_name_becomes_one_that_a_file_can_have() -> None:
    assert safe_name("fire / big (v2)") == "fire-big-v2"
    assert safe_name("../../etc") == "etc"
    assert safe_name("Feuerbälle.2") == "Feuerbälle.2"
    assert safe_name("///") == "model"


def test_what_a_value_holds_is_no_token() -> None:
    assert Project(output="{model}/####.exr").target(None, None, None, "{shot}") == "shot/####.exr"


# A render by the convention


def test_next_makes_a_version_each_time_and_an_old_one_goes_on(project: Callable[..., Path], cli: Any) -> None:
    project()
    first = cli("render", "--seeds", "0-1", "--shot", "sh010", "--version", "next")
    assert first.code == 0, first
    assert "to go on with it later: --version v001" in first.err
    assert cli("render", "--seeds", "0", "--shot", "sh010", "--version", "next").code == 0
    again = cli("render", "--seeds", "0-2", "--shot", "sh010", "--version", "v1")
    assert "1 rendered, 2 were done before" in again.err
    assert made() == [
        *(f"renders/sh010/v001/sh010_v001.000{seed}.exr" for seed in range(3)),
        "renders/sh010/v002/sh010_v002.0000.exr",
    ]


def test_a_mistake_and_a_dry_run_take_no_version(project: Callable[..., Path], cli: Any, tmp_path: Path) -> None:
    project()
    assert cli("render", "--seeds", "x", "--shot", "a", "--version", "next").code == 2
    assert cli("render", "--seeds", "0", "--shot", "a", "--version", "next", "--runtime", "gone").code == 2
    assert cli("render", "--seeds", "0", "--shot", "a", "--version", "next", "--dry-run").code == 0
    assert not (tmp_path / "renders" / "a" / "v001").exists()


@pytest.mark.parametrize(
    "words", [["--seeds", "x"], ["--seeds", "0", "--runtime", "gone"], ["--seeds", "0", "--view", "b/c"]]
)
def test_a_mistyped_shot_leaves_no_folder(
    words: list[str], project: Callable[..., Path], cli: Any, tmp_path: Path
) -> None:
    project("work/{shot}/vfx/{version}/{view}/####.exr")
    (tmp_path / "work" / "old" / "vfx").mkdir(parents=True)
    for shot in ("new", "old"):
        assert cli("render", *words, "--shot", shot, "--version", "next").code == 2
    assert [str(path.relative_to(tmp_path)) for path in sorted((tmp_path / "work").rglob("*"))] == [
        "work/old",
        "work/old/vfx",
    ]


def test_a_folder_that_somebody_else_uses_by_now_stays(project: Callable[..., Path], tmp_path: Path) -> None:
    project("{shot}/{version}/####.exr")
    first, second = (choose_target(find_project(), "a", "next", claim=True) for _ in range(2))
    with pytest.raises(UsageError), given_back(first):
        raise UsageError("a mistake")
    assert [path.name for path in (tmp_path / "a").iterdir()] == [second.version]


def test_versions_that_are_given_back_meanwhile_keep_nobody_from_the_next(project: Callable[..., Path]) -> None:
    project("{shot}/{version}/####.exr")
    found = find_project()

    def claimed_and_given_back(_: int) -> None:
        with suppress(InterruptedError), given_back(choose_target(found, "a", "next", claim=True)):
            raise InterruptedError

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(claimed_and_given_back, range(200)))
    assert list(Path().glob("a/*")) == []


def test_a_version_without_a_frame_is_free_again(
    project: Callable[..., Path], cli: Any, make_model: Any, tmp_path: Path
) -> None:
    project("{shot}/{version}/{model}/####.exr")
    black = make_model(tmp_path / "nan.onnx", spec={"name": "nan"}, not_a_number_below=10)
    result = cli("render", black, "--seeds", "0-1", "--shot", "a", "--version", "next")
    assert result.code == 3, result
    assert not (tmp_path / "a").exists()


def test_an_interrupted_version_says_how_it_goes_on(project: Callable[..., Path], start: Any, cli: Any) -> None:
    project()
    process = start("render", "--seeds", "0-4999", "--shot", "a", "--version", "next", "--progress", "json")
    assert any('"progress"' in line for line in process.stdout)
    process.terminate()
    error = process.communicate()[1]
    assert process.returncode == 130
    assert re.search(r"the same command goes on; go on with --version v001, not next$", error.strip())
    assert "were done before" in cli("render", "--seeds", "0-2", "--shot", "a", "--version", "v001").err


def test_what_is_the_files_is_said_by_a_dry_run(project: Callable[..., Path], cli: Any) -> None:
    file = project(top="colorspace = 'ACEScg'\nthreads = 2")
    result = cli("render", "--seeds", "0", "--out", "####.exr", "--threads", "1", "--dry-run")
    assert f"project    colorspace ACEScg ({file}:2)\n" in result.out


def test_several_devices_share_one_version(project: Callable[..., Path], cli: Any) -> None:
    project()
    result = cli("render", "--seeds", "0-3", "--shot=a", "--version", "next", "--devices", "cpu,cpu")
    assert result.code == 0, result
    assert made() == [f"renders/a/v001/a_v001.000{seed}.exr" for seed in range(4)]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--version", "next"], "the output convention has {shot}: give --shot sh010, or shot = in [output]"),
        (["--shot", "a"], "give --version next for a new one, or the one to go on with: v003"),
        (["--shot", "a", "--version", "latest"], "--version latest: there is none yet in "),
        (["--shot", "a", "--out", "####.exr"], "--out '####.exr' and --shot both say where frames go; give one"),
        (["--version", "v1", "--out", "a.exr"], "--out 'a.exr' and --version both say where frames go; give one"),
    ],
)
def test_what_is_missing_or_too_much_is_named(
    words: list[str], line: str, project: Callable[..., Path], cli: Any
) -> None:
    project()
    result = cli("render", "--seeds", "0", *words)
    assert result.code == 2
    assert line in result.line


def test_without_a_convention_there_must_be_an_out(project: Callable[..., Path], cli: Any, tmp_path: Path) -> None:
    assert "there is no vfxgan.toml with an output.pattern; give --out" in cli("render", "--seeds", "0").line
    (tmp_path / "vfxgan.toml").write_text("threads = 1\n")
    assert "vfxgan.toml has no output.pattern; give --out" in cli("render", "--seeds", "0").line
    project("{shot}/####.exr", "shot = 'a'")
    assert "the pattern has no {version}" in cli("render", "--seeds", "0", "--version", "next").line
    assert cli("render", "--seeds", "0").code == 0
    assert made(Path("a")) == ["a/0000.exr"]


def test_frames_are_looked_at_by_the_same_convention(project: Callable[..., Path], cli: Any) -> None:
    project(more="shot = 'sh010'")
    for seeds in ("0-2", "5"):
        assert cli("render", "--seeds", seeds, "--version", "next").code == 0
    assert cli("verify").out == "1 frame is whole\n"
    assert cli("verify", "--version", "v001").out == "3 frames are whole\n"
    assert "v001.png: 3 frames" in cli("contact-sheet", "--version", "1").out
    assert cli("verify", "--version", "next").line.endswith("name the version to look at: v003 or latest")
    assert "OUT 'renders' and --shot both say" in cli("verify", "renders", "--shot", "a").line
    assert "there is none yet in" in cli("verify", "--shot", "sh020").line


def test_views_and_models_have_their_places(project: Callable[..., Path], cli: Any, image_model: Any) -> None:
    project("{shot}/{version}/{model}/{view}/####.exr", "shot = 'a'\nview = 'mono'", "upscaler = 'twice.onnx'")
    image_model(Path("twice.onnx"), scale=2, name="twice as large")
    grey = Picture(np.full((6, 8, 3), 0.5, np.float16), ("R", "G", "B"), {})
    for name in ("in/left/0001.exr", "in/right/0001.exr"):
        Path(name).parent.mkdir(parents=True)
        write_picture(Path(name), grey)
    result = cli("render", "--in", "in/%V/####.exr", "--version", "next")
    assert result.code == 0, result
    assert cli("render", "--in", "in/left/####.exr", "--version", "v001").code == 0
    assert cli("render", "--seeds", "3", "--version", "latest").code == 0
    assert made(Path("a")) == [
        "a/v001/tiny/mono/0003.exr",
        *(f"a/v001/twice-as-large/{view}/0001.exr" for view in ("left", "mono", "right")),
    ]
    assert read_picture(Path("a/v001/twice-as-large/left/0001.exr")).pixels.shape[:2] == (12, 16)


# Defaults


def test_options_from_the_file_give_the_bytes_of_options_given_by_hand(
    project: Callable[..., Path], cli: Any, frames_of: Callable[[Path], dict[str, bytes]], tiny: Path
) -> None:
    project(top="colorspace = 'ACEScg'\nbit_depth = 'float'\ncompression = 'piz'\nthreads = 1\nruntime = 'openvino'")
    assert cli("render", "--seeds", "0-1", "--shot", "a", "--version", "next").code == 0
    by_file = frames_of(Path("renders/a/v001"))
    Path("vfxgan.toml").unlink()
    words = ["--colorspace", "ACEScg", "--bit-depth", "float", "--compression", "piz", "--runtime", "openvino"]
    assert cli("render", tiny, "--seeds", "0-1", "--out", "hand/a_v001.####.exr", *words).code == 0
    assert frames_of(Path("hand")) == by_file


def test_an_option_wins_over_the_environment_and_that_over_the_file(
    project: Callable[..., Path], cli: Any, make_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def model_and_depth(*words: object) -> tuple[str, str]:
        lines = cli("render", "--seeds", "0", "--out", "####.exr", "--dry-run", *words).out
        found = re.search(r"model +\S+ \((\w+),", lines), re.search(r"bit_depth +(\w+)", lines)
        assert found[0] is not None
        assert found[1] is not None
        return found[0][1], found[1][1]

    project(top="bit_depth = 'float'")
    second, third = (make_model(tmp_path / f"{name}.onnx", spec={"name": name}) for name in ("second", "third"))
    assert model_and_depth() == ("tiny", "float")
    monkeypatch.setenv("VFXGAN_MODEL", str(second))
    assert model_and_depth() == ("second", "float")
    assert model_and_depth("--model", third, "--bit-depth", "half") == ("third", "half")


def test_the_environments_config_wins_over_the_files(
    project: Callable[..., Path], cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(top="ocio = 'gone.ocio'\ncolorspace = 'ACEScg'")
    words = ("render", "--seeds", "0", "--out", "####.exr", "--dry-run")
    assert "gone.ocio" in cli(*words).line
    monkeypatch.setenv("OCIO", "ocio://cg-config-v2.2.0_aces-v1.3_ocio-v2.4")
    assert "ocio://cg-config" in cli(*words).out
    monkeypatch.delenv("OCIO")
    assert "ocio://studio-config" in cli(*words, "--ocio", "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4").out


def test_settings_of_exr_leave_a_png_alone(project: Callable[..., Path], cli: Any) -> None:
    project("{shot}.####.png", "shot = 'a'", "colorspace = 'ACEScg'\nbit_depth = 'float'\ncompression = 'piz'")
    result = cli("render", "--seeds", "0")
    assert result.code == 0, result
    assert made(Path())[0] == "a.0000.png"


def test_a_frame_that_is_made_again_is_what_it_was_whatever_the_file_says(
    project: Callable[..., Path], cli: Any, tiny: Path
) -> None:
    assert cli("render", tiny, "--seeds", "7", "--out", "a.exr").code == 0
    project(top="colorspace = 'ACEScg'\nbit_depth = 'float'\nruntime = 'openvino'\ncompression = 'piz'")
    result = cli("render", "--like", "a.exr", "--shot", "a", "--version", "next")
    assert result.code == 0, result
    assert Path("renders/a/v001/a_v001.0007.exr").read_bytes() == Path("a.exr").read_bytes()


def test_the_space_of_plates_comes_from_the_file(project: Callable[..., Path], cli: Any, image_model: Any) -> None:
    project(top="in_colorspace = 'ACEScg'\nupscaler = 'same.onnx'")
    image_model(Path("same.onnx"))
    write_picture(Path("plate.exr"), Picture(np.full((4, 4, 3), 0.5, np.float16), ("R", "G", "B"), {}))
    words = ("--in", "plate.exr", "--out", "out.exr", "--dry-run")
    assert re.search(r"in_colorspace +ACEScg", cli("render", *words).out)
    assert re.search(r"in_colorspace +lin_rec709", cli("render", *words, "--in-colorspace", "lin_rec709").out)


def test_the_file_holds_unlike_cpus_at_one_instruction_set(project: Callable[..., Path], start: Any) -> None:
    project(top="runtime = 'openvino'\ncpu_isa = 'avx2'")
    words = ("render", "--seeds", "0", "--out", "####.exr", "--dry-run")
    held, native, other = (start(*words, *more) for more in ((), ("--cpu-isa", "native"), ("--runtime", "onnxruntime")))
    printed = held.communicate()[0]
    assert re.search(r"^project .*cpu_isa avx2 \(", printed, flags=re.MULTILINE)
    assert "instructions avx2," in printed
    assert "cpu_isa avx2" not in native.communicate()[0]
    assert "cpu_isa avx2" not in other.communicate()[0]
    assert (held.returncode, native.returncode, other.returncode) == (0, 0, 0)


# Paths of other systems


def test_paths_of_windows_are_found_here(project: Callable[..., Path], cli: Any, tmp_path: Path, tiny: Path) -> None:
    (tmp_path / "show").mkdir()
    (tmp_path / "show" / "m.onnx").write_bytes(tiny.read_bytes())
    project(top=f"[[paths]]\nlinux = '{tmp_path}/show'\nwindows = 'P:\\show'")
    assert cli("render", r"P:\show\m.onnx", "--seeds", "0", "--out", r"p:/SHOW/a\####.exr").code == 0
    assert made(Path("show/a")) == ["show/a/0000.exr"]
    assert cli("verify", r"P:\show\a").out == "1 frame is whole\n"
    assert "show/a.png: 1 frames" in cli("contact-sheet", r"P:\show\a\####.exr").out
    assert cli("compare", r"P:\show\a\####.exr", "show/a/####.exr", "--max-error", "0").code == 0
    assert cli("inspect", r"P:\show\a\0000.exr").code == 0
    again = cli("render", "--like", r"P:\show\a\0000.exr", "--model", r"P:\show\m.onnx", "--out", "b.exr")
    assert again.code == 0, again
    assert Path("b.exr").read_bytes() == Path("show/a/0000.exr").read_bytes()


@pytest.mark.parametrize("option", ["--out", "--in", "--like", "--engine", "--ocio", "--model"])
def test_a_windows_path_that_nobody_mapped_is_named(option: str, project: Callable[..., Path], cli: Any) -> None:
    project()
    words = {"--out": "####.exr", "--seeds": "0", option: r"Q:\a\####.exr"}
    result = cli("render", *(word for pair in words.items() for word in pair))
    assert result.code == 2
    assert result.line.startswith(rf"vfxgan: {option} 'Q:\a\####.exr' is a Windows")
    assert "is a Windows path that no row of [[paths]] in vfxgan.toml maps" in result.line
    assert [path for path in Path().iterdir() if "Q:" in path.name] == []
