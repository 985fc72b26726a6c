"""Open Job Description: templates that its own command checks and runs, in chunks of any size, to the same bytes."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TEMPLATE = Path("farm/out/template.json")


def submit(cli: Any, *words: object) -> Path:
    result = cli("submit", "--to", "openjd", *words)
    assert result.code == 0, result
    assert result.out.strip() == str(TEMPLATE)
    return TEMPLATE


def steps(template: Path) -> dict[str, Any]:
    return {step["name"]: step for step in json.loads(template.read_text())["steps"]}


def arguments(template: Path, step: str) -> list[str]:
    action = steps(template)[step]["script"]["actions"]["onRun"]
    return [action["command"], *action["args"]]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 60 KiB."""
    folder = tmp_path / "out"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_the_union_of_chunks_is_one_local_render_whatever_their_size(
    cli: Any, openjd: Any, tiny: Path, frames_of: Any
) -> None:
    Path("picks.txt").write_text(" ".join(map(str, range(90, 67, -2))))
    shot = (tiny, "--seeds", "@picks.txt", "--start-frame", "1001")
    assert cli("render", *shot, "--out", "whole/####.exr", "--progress", "none").code == 0
    whole = frames_of(Path("whole"))
    assert len(whole) == 12
    template = submit(cli, *shot, "--out", "out/####.exr", "--cores", 1, "--chunk", 5)
    Path("picks.txt").unlink()  # the job has the seeds as they were
    for size, chunks in ((5, 3), (3, 4), (12, 1)):
        shutil.rmtree("out", ignore_errors=True)
        done = openjd("run", template, "--step", "Render", "-p", f"ChunkSize={size}")
        assert done.returncode == 0, done.stdout
        assert f"Chunks run: {chunks}" in done.stdout
        assert frames_of(Path("out")) == whole
        assert done.stdout.count("openjd_progress: 100.0") == chunks
        assert chunks <= len(re.findall("openjd_status: render", done.stdout)) <= 12


def test_frames_with_gaps_go_in_sets_and_are_looked_at_in_the_end(
    cli: Any, openjd: Any, tiny: Path, frames_of: Any
) -> None:
    template = submit(cli, tiny, "--seeds", "0-9x3,50", "--out", "out/####.exr", "--chunk", 5, "--manifest", "p.json")
    done = openjd("run", template, "--step", "Verify", "--run-dependencies")
    assert done.returncode == 0, done.stdout
    assert "Frames(CHUNK[INT]) = 0-9:3,50" in done.stdout
    assert "5 frames are whole" in done.stdout
    assert list(frames_of(Path("out"))) == ["0000.exr", "0003.exr", "0006.exr", "0009.exr", "0050.exr"]
    assert json.loads(Path("p.json").read_text())["ok"] is True


def test_a_chunk_that_goes_beyond_the_job_makes_what_is_of_it_and_one_outside_fails(
    cli: Any, openjd: Any, tiny: Path, frames_of: Any
) -> None:
    template = submit(cli, tiny, "--seeds", "0-5", "--out", "out/####.exr")
    done = openjd("run", template, "--step", "Render", "-p", "Frames=5-8")
    assert done.returncode == 0, done.stdout
    assert "no seed goes to frame 6-8" in done.stdout
    assert list(frames_of(Path("out"))) == ["0005.exr"]
    outside = openjd("run", template, "--step", "Render", "-p", "Frames=6-8")
    assert outside.returncode != 0
    assert "openjd_fail: --frames openjd:6-8: no seed goes to frame 6-8; seeds go to 0-5" in outside.stdout


def test_a_failed_chunk_runs_again_alone(cli: Any, openjd: Any, tiny: Path, frames_of: Any) -> None:
    template = submit(cli, tiny, "--seeds", "0-5", "--out", "out/####.exr", "--chunk", 2)
    Path("out/0003.exr").mkdir(parents=True)  # in the way
    failed = openjd("run", template, "--step", "Render", "--task-param", "Frames=2-3")
    assert failed.returncode != 0
    assert "openjd_fail: " in failed.stdout
    assert "out/0003.exr (not a file)" in failed.stdout
    Path("out/0003.exr").rmdir()
    again = openjd("run", template, "--step", "Render", "--task-param", "Frames=2-3")
    assert again.returncode == 0, again.stdout
    assert list(frames_of(Path("out"))) == ["0002.exr", "0003.exr"]


def test_a_job_that_is_cancelled_leaves_whole_frames_alone_and_goes_on(
    cli: Any, openjd: Any, frames_of: Any, on_path: None
) -> None:
    template = submit(cli, "elements", "--seeds", "0-499", "--out", "out/####.exr", "--cores", 1, "--chunk", 500)
    run = subprocess.Popen(
        ["openjd", "run", str(template), "--step", "Render"],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},  # else the runner's own lines come in one piece, at its end
    )
    assert run.stdout is not None
    assert any("openjd_progress: " in line for line in run.stdout), "the first frame"
    run.send_signal(signal.SIGTERM)
    rest = run.stdout.read()
    assert run.wait() != 0
    assert "of 500 frames are done and whole" in rest, rest
    names = list(frames_of(Path("out")))
    assert 0 < len(names) < 500
    assert not [name for name in names if name.startswith(".")]
    assert cli("verify", "out").code == 0
    told = re.search(r"(\d+) of 500 frames are done", rest)
    assert told is not None
    assert int(told[1]) == len(names)


@pytest.mark.tmpfs
def test_a_full_disk_on_the_node_fails_its_chunk_in_one_line_and_a_rerun_completes_it(
    cli: Any, openjd: Any, tiny: Path, small_disk: Path, frames_of: Any
) -> None:
    template = submit(cli, tiny, "--seeds", "0-19", "--out", small_disk / "####.exr", "--chunk", 20)
    failed = openjd("run", template, "--step", "Render")
    assert failed.returncode != 0
    said = [line for line in failed.stdout.splitlines() if "openjd_fail: " in line]
    assert len(said) == 1, failed.stdout
    assert re.search(r"\.exr: (cannot be written|came out incomplete).*check (the )?space", said[0])
    kept = frames_of(small_disk)
    assert f"{len(kept)} of 20 frames are done and whole, the same command goes on" in said[0]
    assert 0 < len(kept) < 20
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert openjd("run", template, "--step", "Render").returncode == 0
    assert len(frames_of(small_disk)) == 20
    assert {name: frames_of(small_disk)[name] for name in kept} == kept


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        ("ChunkSize=0", "must be at least 1"),
        ("ChunkSize=100001", "must be at most 100000"),
        ("ChunkSize=ten", "ChunkSize"),
        ("TargetSeconds=-1", "targetRuntimeSeconds"),
        ("TargetSeconds=86401", "must be at most 86400"),
        ("Frames=", "Frames"),
        ("Frames=0-9x2", "0-9x2"),
    ],
)
def test_parameters_out_of_range_are_refused_by_the_template(
    cli: Any, openjd: Any, tiny: Path, parameter: str, reason: str
) -> None:
    done = openjd("run", submit(cli, tiny, "--seeds", "0-5", "--out", "out/####.exr"), "-p", parameter)
    assert done.returncode != 0
    assert reason in done.stdout
    assert not Path("out").exists()


def test_an_engine_is_built_before_the_frames_and_they_are_verified_after(cli: Any, openjd: Any, tiny: Path) -> None:
    required = 'runtime=tensorrt,device="NVIDIA L40S"'
    words = ("--runtime", "tensorrt", "--require-runtime", required, "--out", "out/####.exr", "--seeds", "0-99")
    more = ("--gpus", 2, "--timeout", 3600, "--target-seconds", 300)
    template = submit(cli, tiny, *words, "--build-engine", "--opt-level 5 --workspace 2048", *more)
    assert openjd("check", template).returncode == 0
    found = steps(template)
    assert list(found) == ["Engine", "Render", "Verify"]
    assert found["Render"]["dependencies"] == [{"dependsOn": "Engine"}]
    assert found["Verify"]["dependencies"] == [{"dependsOn": "Render"}]
    built = arguments(template, "Engine")
    assert built[:5] == ["vfxgan", "--no-project", "export", str(tiny), "--trt"]
    assert built[5:9] == ["--opt-level", "5", "--workspace", "2048"]
    rendered = arguments(template, "Render")
    assert rendered[rendered.index("--require-runtime") + 1] == required
    action = found["Render"]["script"]["actions"]["onRun"]
    assert action["timeout"] == 3600
    assert action["cancelation"]["mode"] == "NOTIFY_THEN_TERMINATE"
    needs = {need["name"]: need["min"] for need in found["Render"]["hostRequirements"]["amounts"]}
    assert needs == {"amount.worker.vcpu": 4, "amount.worker.gpu": 2}


def test_a_range_too_long_for_a_parameter_stands_in_the_template(cli: Any, openjd: Any, tiny: Path) -> None:
    picks = sorted({(37 * place * place) % 99_991 for place in range(400)})
    Path("picks.txt").write_text("\n".join(map(str, picks)))
    template = submit(cli, tiny, "--seeds", "@picks.txt", "--out", "out/####.exr", "--chunk", 100)
    assert openjd("check", template).returncode == 0
    whole = json.loads(template.read_text())
    assert [each["name"] for each in whole["parameterDefinitions"]] == ["ChunkSize", "TargetSeconds"]
    seeds = arguments(template, "Render")
    assert seeds[seeds.index("--seeds") + 1] == f"@{Path('picks.txt').absolute()}"  # too long for a command, too
    shown = openjd("summary", template).stdout
    assert "400" in shown


@pytest.mark.parametrize("name", ["a {{Param.x}} b", "{{"])
def test_what_the_notation_reads_as_its_own_is_refused(cli: Any, tiny: Path, name: str) -> None:
    result = cli("submit", "--to", "openjd", tiny, "--seeds", "0-5", "--out", f"{name}/####.exr")
    assert result.code == 2
    assert "mean something to Open Job Description" in result.line
    assert not list(Path("farm").rglob("template.json"))


@pytest.mark.parametrize("folder", ['-it\'s; `touch x` & "x" | y z *', "Prüfung\u00a0木 (1)"])
def test_a_path_is_passed_on_as_it_is(cli: Any, openjd: Any, tiny: Path, folder: str, frames_of: Any) -> None:
    template = Path("farm/job/template.json")
    words = ("--name", "job", tiny, "--seeds", "7", f"--out=there/../{folder}/####.exr")
    assert cli("submit", "--to", "openjd", *words).code == 0
    done = openjd("run", template, "--step", "Render")
    assert done.returncode == 0, done.stdout
    assert list(frames_of(Path(folder))) == ["0007.exr"]
    assert sorted(path.name for path in Path().iterdir()) == sorted(["farm", folder])


def test_where_no_engine_can_be_built_no_frame_is_rendered(cli: Any, openjd: Any, tiny: Path) -> None:
    gpu = ("--runtime", "tensorrt", "--require-runtime", "device=x", "--build-engine")
    template = submit(cli, tiny, "--seeds", "0-5", "--out", "out/####.exr", *gpu)
    done = openjd("run", template, "--step", "Render", "--run-dependencies")
    assert done.returncode != 0
    assert "openjd_fail: " in done.stdout
    assert "Running step 'Render'" not in done.stdout
    assert not Path("out").exists()


def test_a_node_of_another_kind_stops_before_its_first_frame(cli: Any, openjd: Any, tiny: Path) -> None:
    assert cli("render", tiny, "--seeds", "0", "--out", "first.exr", "--runtime", "openvino").code == 0
    words = ("--runtime", "onnxruntime", "--require-runtime", "@first.exr")  # onnxruntime is the other kind here
    template = submit(cli, tiny, "--seeds", "0-5", "--out", "out/####.exr", *words)
    done = openjd("run", template, "--step", "Render")
    assert done.returncode != 0
    assert "openjd_fail: --require-runtime @" in done.stdout
    assert "differs in" in done.stdout
    assert not Path("out").exists()
