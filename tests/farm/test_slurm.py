"""Slurm without Slurm: its scripts, run by bash as a node's daemon would start them, and what `sbatch` is given."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from vfxgan.errors import UsageError
from vfxgan.farm.job import CHUNK, FarmJob, Step
from vfxgan.farm.slurm import MAX_ARRAY, script, submit_slurm, write_slurm

if shutil.which("bash") is None:
    pytest.skip("there is no bash", allow_module_level=True)

ODD = (
    "two  words",
    'it\'s "so"',
    "$(touch pwned)",
    "`touch pwned`",
    "$HOME",
    "a;b|c&d>e",
    "映像 é",
    "-n",
    "\\",
    "*",
    "",
)
PRINT = "import json, sys; print(json.dumps(sys.argv[1:]))"
FAKE = """#!{python}
import json, os, sys
with open({record!r}, "a") as file:
    file.write(json.dumps([sys.argv, os.getcwd()]) + "\\n")
if "{refused}" in sys.argv[-1]:
    sys.exit("sbatch: error: Batch job submission failed: Invalid partition name specified")
print("{number}")
"""


def job_of(*command: str, frames: int = 5, chunk: int = 2, **fields: Any) -> FarmJob:
    return FarmJob("shot 'x' # é", (Step("Render", command, tuple(range(frames)), chunk),), **fields)


@pytest.fixture
def node(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run one task of a script as a node does."""

    def run(path: Path, task: int, **variables: str) -> "subprocess.CompletedProcess[str]":
        known = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_JOB_ID": "7", "SLURM_JOB_ID": str(10 + task)}
        environment = {**os.environ, **known, **variables}
        return subprocess.run(["bash", str(path)], cwd=tmp_path, env=environment, capture_output=True, text=True)

    return run


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[[], list[Any]]]:
    """A command of Slurm's that only writes down what it is given; how to read that."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]]))

    def make(name: str, number: str = "12;cluster", refused: str = "nothing at all") -> Callable[[], list[Any]]:
        path, record = tmp_path / "bin" / name, tmp_path / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        text = FAKE.format(python=sys.executable, record=str(record), refused=refused, number=number)
        path.write_text(text)
        path.chmod(0o755)
        return lambda: [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []

    return make


@pytest.mark.parametrize("retries", [0, 2])
def test_each_word_arrives_as_it_was_whatever_is_in_it(node: Any, tmp_path: Path, retries: int) -> None:
    job = job_of(sys.executable, "-c", PRINT, *ODD, "--frames", CHUNK, retries=retries)
    path, _ = write_slurm(job, tmp_path)
    for task, frames in enumerate(("0-1", "2-3", "4")):
        done = node(path, task)
        assert (done.returncode, json.loads(done.stdout)) == (0, [*ODD, "--frames", frames])
    assert not (tmp_path / "pwned").exists()


def test_variables_are_set_and_those_of_the_submitters_python_are_not(node: Any, tmp_path: Path) -> None:
    show = "import json, os; print(json.dumps([os.environ.get(n) for n in ('A', 'PYTHONPATH', 'PYTHONHOME')]))"
    path, _ = write_slurm(job_of(sys.executable, "-c", show, environment=(("A", "it's $(x)"),)), tmp_path)
    assert json.loads(node(path, 0, PYTHONPATH="/poison", PYTHONHOME="/poison").stdout) == ["it's $(x)", None, None]
    with pytest.raises(UsageError, match="is no name of a variable"):
        write_slurm(job_of("true", environment=(("A=B;touch x", "1"),)), tmp_path)


@pytest.mark.parametrize(
    ("code", "restarts", "asked"),
    [(1, 0, True), (3, 1, True), (3, 2, False), (2, 0, False), (0, 0, False), (137, 0, True), (130, 0, False)],
)
def test_a_task_that_failed_is_queued_again_as_often_as_was_asked(
    node: Any, fake: Any, tmp_path: Path, code: int, restarts: int, asked: bool
) -> None:
    told = fake("scontrol")
    path, _ = write_slurm(job_of("sh", "-c", f"exit {code}", retries=2), tmp_path)
    assert node(path, 1, SLURM_RESTART_COUNT=str(restarts)).returncode == code
    assert [words[1:] for words, _ in told()] == [["requeue", "7_1"]] * asked


@pytest.mark.parametrize(("sent", "asked"), [(signal.SIGUSR1, True), (signal.SIGTERM, False)])
def test_near_its_time_limit_a_render_ends_whole_frames_and_is_queued_again_but_not_when_cancelled(
    tmp_path: Path, fake: Any, on_path: None, tiny: Path, sent: signal.Signals, asked: bool
) -> None:
    told = fake("scontrol")
    render = ("vfxgan", "render", str(tiny), "--seeds", "0-99999", "--out", "o/####.exr", "--progress", "json")
    path, _ = write_slurm(job_of(*render, frames=0), tmp_path)
    line = ["bash", str(path)]
    environment = {**os.environ, "SLURM_JOB_ID": "10"}
    started = subprocess.Popen(
        line, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert started.stdout is not None
        while '"frame"' not in started.stdout.readline():
            assert started.poll() is None
        # Slurm signals the script alone before the limit, and everything in the task when it is cancelled.
        (started.send_signal if asked else partial(os.killpg, started.pid))(sent)
        out, _ = started.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
    assert started.returncode == 130
    assert '"failed"' in out
    assert not [path for path in (tmp_path / "o").iterdir() if path.name.startswith(".")]
    assert [words[1:] for words, _ in told()] == [["requeue", "10"]] * asked


def test_a_render_that_is_killed_on_its_node_is_queued_again_and_then_goes_on(
    cli: Any, tmp_path: Path, node: Any, fake: Any, on_path: None, tiny: Path, frames_of: Any
) -> None:
    told = fake("scontrol")
    render = ("render", str(tiny), "--seeds", "0-999")
    command = ("vfxgan", *render, "--out", "o/####.exr", "--progress", "json", "--frames", CHUNK)
    path, _ = write_slurm(job_of(*command, frames=200, chunk=100), tmp_path)
    environment = {**os.environ, "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "1"}
    with subprocess.Popen(["bash", str(path)], env=environment, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        while '"frame"' not in started.stdout.readline():
            assert started.poll() is None
        child = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()[0]
        os.kill(int(child), signal.SIGKILL)
        started.stdout.read()
    assert started.returncode == 137
    assert [words[1:] for words, _ in told()] == [["requeue", "7_1"]]
    assert node(path, 1, SLURM_RESTART_COUNT="1").returncode == 0
    assert cli(*render, "--frames", "100-199", "--out", "whole/####.exr").code == 0
    assert frames_of(tmp_path / "o") == frames_of(tmp_path / "whole")


def test_the_directives_hold_what_was_asked_for_and_nothing_that_sbatch_could_misread(tmp_path: Path) -> None:
    step = Step("Render", ("vfxgan", "--frames", CHUNK), tuple(range(40)), 10, timeout_s=601)
    text = script(
        FarmJob("a b%j #é'\"", (step,), cores=3, gpus=2, priority=40), step, step.chunks, folder=tmp_path / "it's #1%"
    )
    directives = [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH")]
    assert directives == [
        *("--job-name=a_b_j_-Render", "--array=0-3", "--ntasks=1", "--cpus-per-task=3", "--gres=gpu:2", "--time=11"),
        *("--nice=200", "--requeue", "--open-mode=append", "--signal=B:USR1@120", "--export=ALL"),
        f'"--output={tmp_path}/it\'s #1%%/Render-%A_%a.log"',
    ]
    for name in ("a\nb", "a\\b"):
        with pytest.raises(UsageError, match="sbatch cannot write logs to a folder of that name"):
            script(FarmJob("a", (step,)), step, step.chunks, folder=tmp_path / name)
    with pytest.raises(UsageError, match="its nodes run Linux"):
        script(FarmJob("a", (step,), system="windows"), step, step.chunks)


def test_verify_waits_for_every_array_of_a_step_that_needs_several(fake: Any, tmp_path: Path) -> None:
    steps = (
        Step("Render", ("true", CHUNK), tuple(range(MAX_ARRAY + 5)), 1),
        Step("Verify", ("true",), needs=("Render",)),
    )
    job = FarmJob("long", steps, gpus=1)
    words = ["--partition=gpu", "--throttle=8", "--account=it's"]
    written = write_slurm(job, tmp_path, words)
    assert [path.name for path in written] == ["Render-1.sbatch", "Render-2.sbatch", "Verify.sbatch", "submit.sh"]
    assert "--array=0-999%8\n" in written[0].read_text()
    assert all('\n#SBATCH "--account=it\'s"\n' in path.read_text() for path in written[:3])
    assert "--array=0-4%8\n" in written[1].read_text()
    assert f"\n{MAX_ARRAY + 4}\n)" in written[1].read_text()
    assert "gres" not in written[2].read_text()
    told = fake("sbatch")
    assert submit_slurm(job, tmp_path, words) == "Render 12 12, Verify 12"
    by_command = told()
    done = subprocess.run(["sh", tmp_path / "submit.sh"], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout == "Render 12\nRender 12\nVerify 12\n"
    assert [line[1:] for line, _ in told()[3:]] == [line[1:] for line, _ in by_command]
    assert {folder for _, folder in told()} == {str(tmp_path)}
    for (line, folder), name in zip(by_command, ("Render-1", "Render-2", "Verify"), strict=True):
        assert folder == str(tmp_path)
        assert line[1:4] == ["--parsable", "--partition=gpu", "--account=it's"]
        assert line[-1] == f"{name}.sbatch"
    assert by_command[2][0][-3:-1] == ["--dependency=afterok:12:12", "--kill-on-invalid-dep=yes"]


def test_the_script_that_submits_goes_to_its_own_folder_whatever_cdpath_says(fake: Any, tmp_path: Path) -> None:
    own, elsewhere = tmp_path / "-farm" / "a", tmp_path / "elsewhere" / "-farm" / "a"
    for folder in (own, elsewhere):
        folder.mkdir(parents=True)
    write_slurm(job_of("true"), own)
    told = fake("sbatch")
    line = ["sh", "--", "-farm/a/submit.sh"]
    environment = {**os.environ, "CDPATH": str(tmp_path / "elsewhere")}
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "Render 12\n"
    assert [folder for _, folder in told()] == [str(own)]


def test_what_slurm_refuses_is_told_with_what_it_took_before(fake: Any, tmp_path: Path) -> None:
    steps = (Step("Render", ("true", CHUNK), (1, 2), 1), Step("Verify", ("true",), needs=("Render",)))
    job = FarmJob("a", steps)
    write_slurm(job, tmp_path)
    fake("sbatch", refused="Verify")
    with pytest.raises(Exception, match=r"Invalid partition.*already queued: Render 12 \(scancel 12\)"):
        submit_slurm(job, tmp_path, [])
    by_hand = subprocess.run(["sh", tmp_path / "submit.sh"], capture_output=True, text=True, check=False)
    assert (by_hand.returncode, by_hand.stdout) == (1, "Render 12\n")


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("gpu", "one by one"),
        ("-p gpu", "one by one"),
        ("--array=0-3", "the job sets --array itself"),
        ("--wrap=touch x", "the job sets --wrap itself"),
        ("--throttle=0", "1 … 1000 tasks at a time"),
    ],
)
def test_words_for_sbatch_that_would_undo_the_job_are_refused(word: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=reason):
        submit_slurm(job_of("true"), tmp_path, [word])


@pytest.mark.parametrize("mode", ["--write-only", "--dry-run"])
@pytest.mark.parametrize(
    ("engine", "word", "reason"),
    [
        ("slurm", "--array=1-3", "--extra --array=1-3: the job sets --array itself"),
        ("opencue", "--shwo=dune", "--extra --shwo=dune: OpenCue takes --show=…"),
    ],
)
def test_words_of_an_engine_are_checked_whatever_is_done_with_them(
    cli: Any, tiny: Path, mode: str, engine: str, word: str, reason: str
) -> None:
    line = ("--seeds", "0-9", "--out", "o/####.exr", mode)
    result = cli("submit", "--to", engine, tiny, *line, f"--extra={word}")
    assert result.code == 2
    assert reason in result.line
    assert not [path for path in Path().rglob("*") if path.is_file() and "farm" in path.parts]


def test_files_that_are_only_written_have_the_words_and_how_to_submit_them_is_said(cli: Any, tiny: Path) -> None:
    Path("vfxgan.toml").write_text("[farm]\npartition = 'night'\n[farm.extra]\nslurm = ['--account=dune']\n")
    line = ("submit", "--to", "slurm", tiny, "--seeds", "0-9", "--out", "o/####.exr", "--extra=--throttle=2")
    shown = cli(*line, "--dry-run")
    assert "\nextra      --partition=night --account=dune --throttle=2\n" in shown.out
    result = cli(*line, "--write-only")
    assert result.code == 0
    assert "o: to submit it: sh farm/o/submit.sh" in result.err
    text = Path("farm/o/Render.sbatch").read_text()
    assert "#SBATCH --partition=night\n#SBATCH --account=dune\n" in text
    assert "#SBATCH --array=0-0%2\n" in text
    assert f"#SBATCH --output={Path.cwd()}/farm/o/Render-%A_%a.log\n" in text


@pytest.mark.parametrize(("engine", "line"), [("slurm", "sh ./-x/submit.sh"), ("deadline", "--yes ./-x")])
def test_a_folder_that_looks_like_an_option_stays_a_folder(cli: Any, tiny: Path, engine: str, line: str) -> None:
    words = ("--seeds", "0-9", "--out", "o/####.exr", "--write-only", "--job=-x")
    assert cli("submit", "--to", engine, tiny, *words).err.strip().endswith(line)


def test_without_slurm_submission_says_so_in_one_line(
    cli: Any, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = cli("submit", "--to", "slurm", tiny, "--seeds", "0-9", "--out", "o/####.exr")
    assert result.code == 1
    assert "sbatch: not found on PATH" in result.line
    assert (tmp_path / "farm" / "o" / "Render.sbatch").is_file()
