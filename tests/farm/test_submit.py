"""`vfxgan submit`: what is wrong with a render is said there, and what was meant there is what the farm does."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.cli.optional_values import with_values
from vfxgan.cli.submit_render import options_of_render, parse
from vfxgan.images import Picture, write_picture

BLACK = Picture(np.zeros((8, 8, 3), np.float16), ("R", "G", "B"))
LEFT = {"multiView": "left", "view": "left"}
SEEDS = ("--seeds", "0-9", "--out", "out/####.exr")


def lines(cli: Any, *words: object) -> list[list[str]]:
    """The words of each command line."""
    result = cli("submit", "--to", "commands", *words)
    assert result.code == 0, result
    return [shlex.split(line) for line in result.out.splitlines()]


def value(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--seeds", "5-1x0"], "--seeds '5-1x0' is not a range of seeds"),
        (["--seeds", "0-9", "--frames", "20"], "no seed goes to frame 20"),
        (["--seeds", "0-9", "--foo"], "No such option: --foo"),
        (["--seeds", "0-9", "--colorspace", "ACESgc"], "has no space 'ACESgc'; close names: ACEScg"),
        (["--seeds", "0-9", "--bit-depth", "16"], "--bit-depth 16 does not go with EXR"),
        (["--seeds", "0-9", "--runtime", "cuda"], "--runtime 'cuda' is unknown"),
        (["--seeds", "0-9", "--devices", "0,1"], "--devices 0,1 are GPUs and the runtime onnxruntime is for CPUs"),
        (["--seeds", "0-9", "--cpu-isa", "avx2"], "--cpu-isa avx2: onnxruntime picks its kernels"),
        (["--seeds", "0-9", "--engine", "e.plan"], "--engine e.plan goes with --runtime tensorrt"),
        (["--seeds", "0-9", "--require-runtime", "@x.exr"], "--require-runtime @x.exr"),
        (["--seeds", "0-9", "--progress", "none"], "--progress is not for submit: the engine says how"),
        (["--seeds", "0-9", "--preview", "p.png"], "--preview is not for submit: a chunk sees its own frames only"),
        (["--in", "plate/####.exr"], "--in 'plate/####.exr': no plates there"),
        (["lost.onnx", "--seeds", "0-9"], "lost.onnx: no such model file"),
        (["--seeds", "0-9", "--runtime", "tensorrt"], "--require-runtime 'runtime=tensorrt,device=\"NVIDIA L40S\"'"),
        (["--seeds", "0-9", "--runtime", "auto"], "--runtime auto: unlike GPUs give unlike frames"),
        (
            ["--seeds", "0-9", "--runtime", "auto", "--require-runtime", "runtime=tensorrt"],
            "--runtime auto: --require-runtime runtime=tensorrt names no GPU; unlike GPUs give unlike frames",
        ),
        (["--seeds", "0-9", "--chunk", "0"], "--chunk 0 is outside 1 … 100000 frames"),
        (["--seeds", "0-9", "--cores", "0", "--gpus", "-1"], "--cores 0 is outside 1 … 1024 cores; --gpus -1 is"),
        (["--seeds", "0-9", "--priority", "9", "--retries", "1"], "--priority, --retries: --to openjd has nothing"),
        (["--seeds", "0-9", "--timeout", "-5"], "--timeout -5 is outside 0 … 2592000 seconds"),
        (["--seeds", "0-9", "--name", "a\nb"], "--name 'a\\nb': holds control characters"),
        (["--seeds", "0-9", "--name", "n" * 129], "--name: 129 characters"),
        (["--seeds", "0-9", "--extra", "--x"], "--extra --x: --to openjd starts no command"),
        (["--seeds", "0-9", "--no-verify", "--manifest", "p.json"], "--manifest p.json: the verify step writes it"),
        (["--seeds", "0-9", "--build-engine"], "--build-engine '': the render's runtime is onnxruntime"),
    ],
)
def test_what_is_wrong_is_said_at_submission_in_one_line(cli: Any, words: list[str], reason: str) -> None:
    result = cli("submit", "--to", "openjd", "--out", "out/####.exr", *words)
    assert result.code in (1, 2), result
    assert reason in result.line
    assert len(result.err.strip().splitlines()) == 1
    assert result.out == ""
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("engine", "option"),
    [
        ("commands", "--priority"),
        ("slurm", "--target-seconds"),
        ("opencue", "--target-seconds"),
        ("commands", "--gpus"),
    ],
)
def test_an_option_that_an_engine_would_lose_is_refused(cli: Any, tiny: Path, engine: str, option: str) -> None:
    result = cli("submit", "--to", engine, tiny, *SEEDS, option, "5")
    assert result.code == 2
    assert f"{option}: --to {engine} has nothing that could take it; leave it out" in result.line


@pytest.mark.parametrize("name", ["out\n/####.exr", "o\x1b[0mut/####.exr", "out\u2028/####.exr"])
def test_a_path_with_a_line_break_or_a_control_character_is_refused(cli: Any, tiny: Path, name: str) -> None:
    result = cli("submit", "--to", "commands", tiny, "--seeds", "0", "--out", name)
    assert result.code == 2
    assert "holds control characters" in result.line


def test_without_an_engine_the_engines_are_named(cli: Any) -> None:
    assert "give --to openjd, deadline, slurm, opencue or commands" in cli("submit", *SEEDS).line
    assert "--to 'lsf' is unknown; use openjd, deadline" in cli("submit", "--to", "lsf", *SEEDS).line


def test_a_dry_run_writes_nothing_and_says_what_the_engine_could_not(cli: Any, tiny: Path) -> None:
    result = cli("submit", "--to", "openjd", tiny, *SEEDS, "--chunk", 4, "--dry-run")
    assert result.code == 0, result
    assert "Render     10 frames in 3 tasks: vfxgan --no-project render" in result.out
    assert "Verify     1 task, after Render: vfxgan --no-project verify" in result.out
    wrong = cli("submit", "--to", "openjd", tiny, "--seeds", "0", "--out", "{{x}}/#.exr", "--dry-run")
    assert "mean something to Open Job Description" in wrong.line
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("how", ["no shell", "sh"])
def test_each_line_is_a_whole_command_and_their_union_is_the_local_render(
    cli: Any, tiny: Path, on_path: None, frames_of: Any, how: str
) -> None:
    folder = '-it\'s; `touch x` & "y" | z ä 木 *'
    result = cli("submit", "--to", "commands", tiny, "--seeds", "3-8", "--out", f"a/../{folder}/####.exr", "--chunk", 3)
    assert "lines 1-2 Render, then line 3 Verify" in result.err
    assert len(result.out.splitlines()) == 3
    for line in result.out.splitlines():
        words = shlex.split(line) if how == "no shell" else ["sh", "-c", line]
        done = subprocess.run(words, cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert cli("render", tiny, "--seeds", "3-8", "--out", "whole/####.exr").code == 0
    assert frames_of(Path(folder)) == frames_of(Path("whole"))
    assert sorted(path.name for path in Path().iterdir()) == sorted([folder, "whole"])


def test_lines_for_windows_are_quoted_for_windows_and_their_paths_mapped(cli: Any, tiny: Path, tmp_path: Path) -> None:
    Path("vfxgan.toml").write_text(
        f'[farm]\nsystem = "windows"\ncommand = "C:/Program Files/vfxgan.exe"\n[[paths]]\nlinux = "{tmp_path}"\n'
        'windows = "P:\\\\show"\n'
    )
    model = tmp_path / "models" / "m.onnx"
    model.parent.mkdir()
    model.write_bytes(tiny.read_bytes())
    result = cli("submit", "--to", "commands", "models/m.onnx", "--seeds", "0-2", "--out", "my shot/####.exr")
    assert result.code == 0, result
    line = result.out.splitlines()[0]
    assert line.startswith(
        '"C:/Program Files/vfxgan.exe" --no-project render P:\\show\\models\\m.onnx --out "P:\\show\\my shot\\####.exr"'
    )


def test_a_path_that_windows_nodes_cannot_know_is_refused(cli: Any, tiny: Path, tmp_path: Path) -> None:
    rows = f'[[paths]]\nlinux = "{tmp_path}"\nwindows = "P:\\\\show"\n'
    Path("vfxgan.toml").write_text(f'[farm]\nsystem = "windows"\n{rows}')
    Path("plate").mkdir()
    write_picture(Path("plate/0001.exr"), BLACK)
    lost = f"{tmp_path.parent}/lost/####.exr"
    for words, path in (
        (("--seeds", "0-2", "--out", lost), lost),
        ((tiny, "--seeds", "0-2", "--out", "o/####.exr"), str(tiny)),
        (("upscaler", "--in", "plate/####.exr", "--out", "o/####.exr", "--manifest", "/x.json"), "/x.json"),
    ):
        result = cli("submit", "--to", "openjd", *words)
        assert result.code == 2
        assert f"{path!r} is no path of Windows, which the farm's nodes run" in result.line
        assert "[[paths]]" in result.line


def test_a_job_that_was_written_before_is_replaced_and_that_is_said(cli: Any, tiny: Path) -> None:
    line = ("submit", "--to", "openjd", tiny, *SEEDS)
    assert "replaced" not in cli(*line).err
    assert "note: written before, and replaced now: farm/out; what was submitted of it goes on" in cli(*line).err
    assert "replaced" not in cli(*line[:2], "commands", *line[3:], "--job", "farm/out").err


@pytest.mark.parametrize(
    ("engine", "name"),
    [
        ("slurm", "Verify-7.sbatch"),
        ("slurm", "submit.sh"),
        ("openjd", "template.json"),
        ("deadline", "parameter_values.json"),
        ("opencue", "job.xml"),
        ("commands", "commands.txt"),
        ("openjd", "vfxgan-job.json"),
    ],
)
def test_what_a_job_did_not_write_is_neither_replaced_nor_removed(cli: Any, tiny: Path, engine: str, name: str) -> None:
    Path("own").mkdir()
    own = Path("own") / name
    own.write_text("{}")
    line = ("submit", "--to", engine, tiny, *SEEDS, "--job", "own", *["--write-only"][: engine != "commands"])
    result = cli(*line)
    assert result.code == 2
    assert f"own/{name}: is not as vfxgan submit wrote it, and would be lost; move it away" in result.line
    assert [path.read_text() for path in Path("own").iterdir()] == ["{}"]
    own.unlink()
    assert cli(*line).code == 0
    for path in Path("own").glob("[!v]*"):  # all but the record
        text = path.read_text()
        path.write_text(text + " # mine")
        assert f"{path}: is not as" in cli(*line).line
        path.write_text(text)
    again = cli(*line)
    assert (again.code, "replaced now: own" in again.err) == (0, True)


@pytest.mark.parametrize("target", ["/proc/self/mem", "/dev/zero", "/nowhere"])
def test_a_link_is_not_read_for_a_jobs_file(cli: Any, tiny: Path, target: str) -> None:
    Path("own").mkdir()
    for name in ("template.json", "vfxgan-job.json"):
        link = Path("own") / name
        link.symlink_to(target)
        result = cli("submit", "--to", "openjd", tiny, *SEEDS, "--job", "own")
        assert result.code == 2
        assert f"own/{name}: is not as vfxgan submit wrote it" in result.line
        link.unlink()


def test_what_is_one_is_said_as_one(cli: Any, tiny: Path) -> None:
    one = (tiny, "--seeds", "5", "--out", "o/####.exr")
    assert "Render     1 frame in 1 task: vfxgan" in cli("submit", "--to", "openjd", *one, "--dry-run").out
    assert "o: line 1 Render, then line 2 Verify" in cli("submit", "--to", "commands", *one).err
    assert "list[" not in cli("submit", "--help").out + cli("verify", "--help").out


def test_the_note_on_unlike_cpus_is_settled_by_the_keys_that_it_names(cli: Any, tiny: Path) -> None:
    line = ("submit", "--to", "openjd", tiny, *SEEDS)
    assert "runtime and cpu_isa in vfxgan.toml" in cli(*line).err
    Path("vfxgan.toml").write_text('runtime = "openvino"\ncpu_isa = "avx2"\n')
    assert "unlike CPUs" not in cli(*line).err


def test_certificate_and_key_are_checked_where_the_job_is_submitted(cli: Any, tiny: Path, tmp_path: Path) -> None:
    line = ("submit", "--to", "openjd", tiny, *SEEDS, "--sign", "nope.pem", "nope.key")
    result = cli(*line)
    assert result.code == 2
    assert "--sign: nope.pem: no such file" in result.line
    assert not Path("farm").exists()
    roots = {"P:/show": tmp_path, "M:/models": tiny.parent}
    rows = "".join(f'[[paths]]\nlinux = "{here}"\nwindows = "{there}"\n' for there, here in roots.items())
    Path("vfxgan.toml").write_text(f'[farm]\nsystem = "windows"\n{rows}')
    result = cli(*line)
    assert result.code == 0, result
    assert "note: --sign: nope.pem is not there and was not checked; the nodes read P:/show/nope.pem" in result.err


def test_what_the_submitter_meant_is_written_out(
    cli: Any, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("vfxgan.toml").write_text(
        f'model = "{tiny}"\nruntime = "openvino"\ncolorspace = "ACEScg"\n[farm]\nchunk = 4\ncommand = "/opt/vfxgan"\n'
    )
    Path("picks.txt").write_text("7 3 # and\n5")
    monkeypatch.setenv("OCIO", "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4")
    first, last = lines(cli, "--seeds", "@picks.txt", "--start-frame", "1001", "--out", "out/####.exr", "--cores", 2)
    assert first[:4] == ["/opt/vfxgan", "--no-project", "render", str(tiny)]
    assert value(first, "--seeds") == "7,3,5"
    assert value(first, "--start-frame") == "1001"
    assert value(first, "--frames") == "1001-1003"
    assert value(first, "--runtime") == "openvino"
    assert value(first, "--colorspace") == "ACEScg"
    assert value(first, "--ocio").startswith("ocio://studio")
    assert value(first, "--threads") == "2"
    assert value(first, "--out") == str(tmp_path / "out" / "####.exr")
    assert last[:4] == ["/opt/vfxgan", "--no-project", "verify", str(tmp_path / "out" / "####.exr")]


# All options of render that a chunk may be given, in commands that take them.
CASES = {
    "seeds": "--seeds 0-9 --start-frame 7 --z-interval 0.5 --batch 4 --overwrite --mix-runtimes --bit-depth float "
    "--compression zip:4 --colorspace ACEScg --ocio ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4 --threads 3",
    "runtime": "--seeds 0-9 --runtime openvino --cpu-isa avx2 --devices cpu,cpu --require-runtime device=cpu",
    "engine": "--seeds 0-9 --runtime tensorrt --engine {folder}/e.plan --require-runtime device=x",
    "walk": "--walk -5-10 --keys 0,7,3 --ease --loop --interpolation spline",
    "upscale": "--seeds 0-9 --upscale upscaler --mix 0.5 --tile 0 --tile-anyway",
    "plates": "--in {folder}/####.exr --frames 1-3 --skip-missing --handles 1 --tile-exact --regrain 0.5 --temporal 1",
    "pictures": "--in {folder}/####.exr --in-colorspace ACEScg --bad-pixels zero --keep-channels --encoding srgb "
    "--layer a --part 0 --view left",
    "like": "--like {folder}/like.exr --seeds 0-9 --frames 2-5",
}
# Frames are the chunk's, and handles are among them; a version is in the path by then; the model is the first word.
NOT_IN_CHUNKS = {"out", "model", "version", "frames", "handles"}


@pytest.fixture
def folder(cli: Any, tiny: Path, tmp_path: Path) -> Path:
    """Five plates, a frame to be like, and an engine's file."""
    plates = tmp_path / "plate"
    plates.mkdir()
    for number in range(5):
        channels = ("R", "G", "B", "a.R", "a.G", "a.B")
        pixels = np.random.RandomState(number).rand(16, 16, 6).astype(np.float16)
        write_picture(plates / f"{number:04d}.exr", Picture(pixels, channels, LEFT))
    (plates / "e.plan").touch()
    assert cli("render", tiny, "--seeds", "4", "--out", plates / "like.exr").code == 0
    return plates


@pytest.mark.parametrize("case", CASES)
def test_a_chunk_is_asked_for_what_was_asked_for(cli: Any, tiny: Path, folder: Path, case: str) -> None:
    asked = CASES[case].format(folder=folder).split()
    model = "upscaler" if "--in" in asked else str(tiny)
    found = lines(cli, model, *asked, "--out", "out/####.exr", "--chunk", 100)[0]
    told = parse("render", found[3:])
    for name, value in parse("render", [model, *asked, "--out", str(Path("out/####.exr").absolute())]).items():
        if name not in ("frames", "handles", "threads", "runtime") and (name != "ocio" or value is not None):
            assert told[name] == value, name
    numbers = {"seeds": "7-16", "walk": "-5-10", "like": "2-5", "plates": "0-4", "pictures": "0-4"}
    assert told["frames"] == numbers.get(case, "0-9")
    assert told["threads"] == (3 if case == "seeds" else 4)
    assert told["runtime"] == (
        None if case == "like" else parse("render", [*asked, "--out", "x"])["runtime"] or "onnxruntime"
    )


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("upscaler", "--in plate/####.exr --temporal 1 --mix 0.7 --regrain 0.5 --skip-missing --frames 0-6"),
        ("upscaler", "--in plate/####.exr --in-colorspace ACEScg --colorspace ACEScg --handles 2 --frames 1-2"),
        ("elements", "--walk 1001-1005 --keys 0,7,3 --interpolation spline --ease"),
        ("elements", "--seeds @picks.txt --start-frame -2 --upscale --colorspace ACEScg"),
    ],
)
def test_the_union_of_chunks_is_the_local_render(
    cli: Any, folder: Path, frames_of: Any, monkeypatch: pytest.MonkeyPatch, model: str, words: str
) -> None:
    Path("picks.txt").write_text("9 4 7")
    asked = (model, *with_values(["render", *words.split()])[1:])
    assert cli("render", *asked, "--out", "whole/####.exr", "--progress", "none").code == 0
    chunks = lines(cli, *asked, "--out", "out/####.exr", "--chunk", 2)
    monkeypatch.setenv("OCIO", "/nowhere.ocio")  # a node's own
    monkeypatch.setenv("VFXGAN_MODEL", "/nowhere.onnx")
    Path("vfxgan.toml").write_text('bit_depth = "float"\nin_colorspace = "ACEScct"\nnonsense = 5\n')
    assert len(chunks) > 2
    for line in chunks:
        result = cli(*line[1:])
        assert result.code == 0, result
    assert len(frames_of(Path("whole"))) > 2
    assert frames_of(Path("out")) == frames_of(Path("whole"))


def test_the_cases_above_have_every_option() -> None:
    used = {word.removeprefix("--") for case in CASES.values() for word in case.split() if word.startswith("--")}
    assert used | NOT_IN_CHUNKS == set(options_of_render()) | {"frames", "handles"}


def test_a_single_plate_is_one_task_without_frames(cli: Any) -> None:
    write_picture(Path("p.exr"), BLACK)
    found = lines(cli, "upscaler", "--in", "p.exr", "--out", "up.exr")
    assert len(found) == 2
    assert "--frames" not in found[0]


def test_frames_made_like_one_that_is_there_are_made_by_its_recipe(cli: Any, tiny: Path) -> None:
    assert cli("render", tiny, "--seeds", "4", "--z-interval", "0.3", "--out", "one/####.exr").code == 0
    words = ("--like", "one/0004.exr", "--model", tiny, "--seeds", "0-9", "--frames", "2-5", "--out", "out/####.exr")
    for line in lines(cli, *words, "--chunk", 2):
        assert line[0] == "vfxgan"
        assert cli(*line[1:]).code == 0
    assert len(list(Path("out").iterdir())) == 4
    recipe = json.loads(cli("inspect", "out/0005.exr", "--json").out)
    assert "0.3" in json.dumps(recipe)


def test_gpu_jobs_take_a_fingerprint_or_say_that_any_will_do(cli: Any, tiny: Path) -> None:
    gpu = (tiny, *SEEDS, "--runtime", "onnxruntime-cuda")
    first = lines(cli, *gpu, "--require-runtime", 'device="NVIDIA L40S"')[0]
    assert value(first, "--require-runtime") == 'device="NVIDIA L40S"'
    assert "--mix-runtimes" in lines(cli, *gpu, "--mix-runtimes")[0]
    assert "--mix-runtimes" in lines(cli, *gpu, "--mix-runtimes")[-1]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("--foo", "--build-engine '--foo': No such option: --foo"),
        ("--tile 5", "--build-engine '--tile 5': --tile '5': give HxW in pixels"),
        ("--opt-level '5", "No closing quotation"),
        ("--out x.onnx", "--out is nothing for this step"),
        ("--progress json", "--progress is nothing for this step"),
        ("--profile 1x1,2x2", "--build-engine '--profile 1x1,2x2': --profile '1x1,2x2': give three sizes"),
    ],
)
def test_options_of_the_engine_step_are_read_by_exports_own_parser(
    cli: Any, tiny: Path, words: str, reason: str
) -> None:
    gpu = (tiny, *SEEDS, "--runtime", "tensorrt", "--require-runtime", "device=x")
    result = cli("submit", "--to", "commands", *gpu, f"--build-engine={words}")
    assert result.code == 2
    assert reason in result.line
    assert result.out == ""


def test_a_version_that_was_claimed_for_a_job_is_given_back_if_it_is_not_submitted(cli: Any, tiny: Path) -> None:
    Path("vfxgan.toml").write_text(
        f'model = "{tiny}"\n[output]\npattern = "renders/{{shot}}/{{version}}/{{shot}}.####.exr"\n'
    )
    shot = ("submit", "--to", "openjd", "--shot", "sh010", "--version", "next", "--seeds", "0-3")
    assert cli(*shot, "--chunk", 0).code == 2
    assert cli(*shot, "--name", "x" * 200).code == 2
    assert not Path("renders/sh010/v001").exists()
    assert not Path("renders").exists()
    result = cli(*shot)
    assert result.code == 0, result
    assert Path("renders/sh010/v001").is_dir()
    claimed = Path("renders/sh010/v001").absolute()
    assert f"{claimed} is claimed for this job; if it is never to run, remove the empty folder" in result.err
    planned = cli(*shot, "--dry-run")
    assert (planned.code, "claimed" in planned.err) == (0, False)
    assert cli(*shot).code == 0
    assert Path("renders/sh010/v002").is_dir()
    assert [path.name for path in Path("farm").iterdir()] == ["sh010"]


def test_dots_in_a_path_are_resolved_as_the_disk_has_them_and_links_stay(cli: Any, tiny: Path, tmp_path: Path) -> None:
    Path("disk/real").mkdir(parents=True)
    Path("link").symlink_to("disk/real")
    outs = {"link/x": "link/x", "link/../x": "disk/x", "a/../x": "x", "./link/./x": "link/x", "link/y/../x": "link/x"}
    for asked, found in outs.items():
        words = lines(cli, tiny, "--seeds", "0", "--out", f"{asked}/####.exr")[0]
        assert value(words, "--out") == str(tmp_path / found / "####.exr"), asked


def test_a_job_folder_that_cannot_be_made_is_one_line(cli: Any, tiny: Path) -> None:
    Path("file").touch()
    result = cli("submit", "--to", "openjd", tiny, *SEEDS, "--job", "file/job")
    assert result.code == 2
    assert "file/job: cannot be written to" in result.line


def test_other_work_in_the_way_is_seen_before_a_farm_is_asked(cli: Any, tiny: Path, folder: Path) -> None:
    made = ("--out", "out/####.exr", "--progress", "none")
    assert cli("render", tiny, "--seeds", "0-3", "--start-frame", "1", "--runtime", "openvino", *made).code == 0
    shot = ("submit", "--to", "commands", tiny, "--out", "out/####.exr")
    assert cli(*shot, "--seeds", "0-3", "--start-frame", "1").code == 0  # done, by a runtime that is not known here
    other = cli(*shot, "--seeds", "1-8")
    assert other.code == 2
    assert "other work is in the way: out/0001.exr (made from seed 0, not seed 1)" in other.line
    assert "and 1 more; write elsewhere, or replace it with --overwrite" in other.line
    assert cli(*shot, "--seeds", "1-8", "--overwrite").code == 0
    assert cli(*shot, "--seeds", "0-3", "--start-frame", "1", "--bit-depth", "float").code == 2
    up = ("submit", "--to", "commands", "upscaler", "--in", folder / "####.exr", "--out", "out/####.exr")
    assert "0001.exr (model " in cli(*up).line


def test_two_renders_into_folders_of_one_name_are_two_jobs(cli: Any, tiny: Path) -> None:
    def written(shot: str, engine: str, *words: object) -> Any:
        out = ("--out", f"r/it's & {shot}/exr/####.exr")
        result = cli("submit", "--to", engine, tiny, "--seeds", "0-1200", *out, "--write-only", *words)
        assert result.code == 0, result
        return result

    assert written("sh010", "openjd").out == "farm/exr/template.json\n"
    first = Path("farm/exr/template.json").read_bytes()
    assert written("sh020", "openjd").out == "farm/exr-2/template.json\n"
    assert Path("farm/exr/template.json").read_bytes() == first
    assert written("sh010", "openjd").out == "farm/exr/template.json\n"
    assert written("sh020", "slurm").out.startswith("farm/exr-2/Render.sbatch\n")
    said = written("sh020", "slurm", "--chunk", 1).err
    assert "replaced now: farm/exr-2" in said
    assert "this job has no more, and it is removed: farm/exr-2/Render.sbatch\n" in said
    names = ["Render-1.sbatch", "Render-2.sbatch", "Verify.sbatch", "submit.sh", "template.json", "vfxgan-job.json"]
    assert sorted(path.name for path in Path("farm/exr-2").iterdir()) == names
    assert written("sh030", "openjd", "--name", "exr").out == "farm/exr/template.json\n"


def test_a_job_is_known_by_its_own_frames_not_by_those_that_it_names(cli: Any, tiny: Path, folder: Path) -> None:
    def written(engine: str, *words: object) -> str:
        result = cli("submit", "--to", engine, *words, "--write-only")
        assert result.code == 0, result
        return str(Path(result.out.splitlines()[0]).parent)

    odd = "b/a \"so\" & 'x'/exr/####.exr"
    seeds = (tiny, "--seeds", "0-4", "--out")
    assert written("opencue", *seeds, odd) == "farm/exr"
    assert written("opencue", *seeds, odd) == "farm/exr"
    assert written("openjd", *seeds, odd.removeprefix("b/")) == "farm/exr-2"
    assert written("openjd", *seeds, "plate/exr/####.exr") == "farm/exr-3"
    plates = ("upscaler", "--in", folder / "####.exr", "--out")
    assert written("openjd", *plates, "up/plate/####.exr") == "farm/plate"
    assert written("openjd", *seeds, folder / "####.exr", "--overwrite") == "farm/plate-2"


def test_what_stands_in_the_folder_of_a_job_and_cannot_be_read_is_anothers(cli: Any, tiny: Path) -> None:
    for place, target in (("out", "/proc/self/mem"), ("out-2", "/dev/zero"), ("out-3", "/nowhere")):
        (Path("farm") / place).mkdir(parents=True)
        (Path("farm") / place / "vfxgan-job.json").symlink_to(target)
    for place, text in (("out-4", "[" * 100_000), ("out-5", '{"format": 1}'), ("out-6", "null")):
        (Path("farm") / place).mkdir()
        (Path("farm") / place / "vfxgan-job.json").write_text(text)
    Path("farm/out-7").symlink_to("out-7")
    Path("farm/out-8").mkdir()
    Path("farm/out-8/Render-1.log").touch()
    assert cli("submit", "--to", "openjd", tiny, *SEEDS).out == "farm/out-8/template.json\n"


def test_a_folder_that_may_not_be_listed_is_anothers(cli: Any, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Path.iterdir

    def refused(path: Path) -> Any:
        if path.name == "out":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    Path("farm/out").mkdir(parents=True)
    monkeypatch.setattr(Path, "iterdir", refused)
    assert cli("submit", "--to", "openjd", tiny, *SEEDS).out == "farm/out-2/template.json\n"
    result = cli("submit", "--to", "openjd", tiny, *SEEDS, "--job", "farm/out")
    assert result.code == 2
    assert "farm/out: cannot be read (Permission denied); give another folder with --job" in result.line


def test_the_verify_step_of_plates_holds_frames_against_them(cli: Any, folder: Path) -> None:
    last = lines(cli, "upscaler", "--in", folder / "####.exr", "--out", "up/####.exr")[-1]
    assert last[2:4] == ["verify", str(Path("up/####.exr").absolute())]
    assert value(last, "--in") == str(folder / "####.exr")
