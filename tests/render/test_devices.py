"""`--devices`: frames over several processes, tried with processes on the CPU."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.errors import UsageError
from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.render.device_crew import Crew, _Child
from vfxgan.render.devices import check_devices, parse_devices, split_frames, split_threads
from vfxgan.render.plan import Consent, Frame

PATIENCE_S = 60
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="finds child processes through /proc")
Start = Callable[..., "subprocess.Popen[str]"]


def rendering(model: Path, out: Path, last: int, *options: str) -> tuple[str, ...]:
    return ("render", str(model), "--seeds", f"0-{last}", "--out", str(out / "####.exr"), *options)


def events_until(process: "subprocess.Popen[str]", done: int) -> list[Any]:
    """The lines of `--progress json` up to so many finished frames."""
    assert process.stdout is not None
    events: list[Any] = []
    while not events or events[-1].get("done", 0) < done:
        events.append(json.loads(process.stdout.readline()))
    return events


def children_of(process: "subprocess.Popen[str]") -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def ended(pid: int) -> bool:
    """Whether a process ends, within our patience."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], PATIENCE_S)[0])
    finally:
        os.close(handle)


class TestSplitting:
    def test_devices_are_gpus_by_number_or_processes_on_the_cpu(self) -> None:
        assert parse_devices("0, 2") == (0, 2)
        assert parse_devices("cpu,CPU") == ("cpu", "cpu")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("0,cuda", "'cuda' is no device"),
            ("", "'' is no device"),
            ("-1", "'-1' is no device"),
            ("cpu,0", "GPUs and CPUs give other bits"),
            ("1,0,1", "GPU 1 is named twice"),
            (",".join(["cpu"] * 65), "65 are more than 64"),
        ],
    )
    def test_what_is_no_list_of_devices_is_refused(self, text: str, message: str) -> None:
        with pytest.raises(UsageError, match=message):
            parse_devices(text)

    def test_a_runtime_gets_devices_of_its_kind(self) -> None:
        check_devices((0, 1), "tensorrt")
        check_devices(("cpu", "cpu"), "openvino")
        with pytest.raises(UsageError, match="0,1 are GPUs and the runtime openvino is for CPUs"):
            check_devices((0, 1), "openvino")
        with pytest.raises(UsageError, match="cpu are CPUs and the runtime tensorrt is for GPUs"):
            check_devices(("cpu",), "tensorrt")

    @pytest.mark.parametrize(("total", "count"), [(10, 3), (2, 4), (1, 1), (100, 7)])
    def test_each_frame_goes_to_one_device_and_neighbours_stay_together(
        self, tmp_path: Path, total: int, count: int
    ) -> None:
        frames = [Frame(number, tmp_path / f"{number}.exr", number) for number in range(total)]
        runs = split_frames(frames, count)
        assert [frame for run in runs for frame in run] == frames
        assert max(map(len, runs)) - min(map(len, runs)) <= 1
        assert len(runs) == min(total, count)

    def test_frames_that_are_there_already_hardly_count(self, tmp_path: Path) -> None:
        frames = [Frame(number, tmp_path / f"{number}.exr", number) for number in range(100)]
        for frame in frames[:60]:
            frame.path.touch()
        first, second = split_frames(frames, 2)
        assert sum(not frame.path.exists() for frame in first) in range(15, 22)
        assert len(first) + len(second) == 100

    def test_threads_are_shared_and_nobody_has_none(self) -> None:
        assert split_threads(7, 3) == [3, 2, 2]
        assert split_threads(1, 2) == [1, 1]


class TestRendering:
    def test_two_processes_make_the_same_bytes_as_one_and_count_as_one(
        self, cli: Any, tiny: Path, tmp_path: Path, frames_of: Any
    ) -> None:
        assert cli(*rendering(tiny, tmp_path / "one", 6)).code == 0
        result = cli(*rendering(tiny, tmp_path / "two", 6, "--devices", "cpu,cpu", "--progress", "json"))
        assert result.code == 0, result
        assert frames_of(tmp_path / "two") == frames_of(tmp_path / "one")
        events = [json.loads(line) for line in result.out.splitlines()]
        assert events[0] == {"event": "started", "label": "render", "total": 7}
        assert [event["done"] for event in events if event["event"] == "progress"] == [1, 2, 3, 4, 5, 6, 7]
        assert {event["frame"] for event in events if event["event"] == "progress"} == set(range(7))
        assert events[-1] == {"event": "finished", "done": 7, "total": 7}
        assert result.line.startswith(f"7 frames in {tmp_path / 'two' / '####.exr'}; ")
        again = cli(*rendering(tiny, tmp_path / "two", 8, "--devices", "cpu,cpu"))
        assert "2 rendered, 7 were done before" in again.line

    def test_plates_and_their_warnings_come_through_once(
        self, cli: Any, image_model: Any, tmp_path: Path, frames_of: Any
    ) -> None:
        model = image_model(tmp_path / "m.onnx", scale=2)
        (tmp_path / "in").mkdir()
        for number in range(1, 5):
            pixels = np.full((8, 8, 3), number / 8, np.float16)
            write_picture(tmp_path / f"in/{number:04d}.exr", Picture(pixels, ("R", "G", "B")))
        command = ("render", model, "--in", str(tmp_path / "in/####.exr"))
        assert cli(*command, "--out", tmp_path / "one/####.exr").code == 0
        result = cli(*command, "--out", tmp_path / "two/####.exr", "--devices", "cpu,cpu")
        assert result.code == 0, result
        assert frames_of(tmp_path / "two") == frames_of(tmp_path / "one")
        (said,) = [line for line in result.err.splitlines() if line.startswith("warning: ")]
        assert "linear Rec.709" in said

    def test_a_dry_run_says_who_would_make_how_many(self, cli: Any, tiny: Path, tmp_path: Path) -> None:
        result = cli(*rendering(tiny, tmp_path / "o", 4, "--devices", "cpu,cpu", "--dry-run"))
        assert result.code == 0
        assert "devices    cpu, cpu, one process each: 3, 2 frames" in result.out
        assert not (tmp_path / "o").exists()

    def test_a_gpu_is_no_device_of_a_cpu_runtime(self, cli: Any, tiny: Path, tmp_path: Path) -> None:
        result = cli(*rendering(tiny, tmp_path / "o", 4, "--devices", "0,1"))
        assert result.code == 2
        assert "add --runtime onnxruntime-cuda, tensorrt or auto" in result.line

    def test_the_inner_option_is_not_for_people(self, start: Start, tiny: Path, tmp_path: Path) -> None:
        process = start(*rendering(tiny, tmp_path / "o", 1, "--as-device", "cpu"), stdin=subprocess.DEVNULL)
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 2
        assert "--as-device is for vfxgan's own use; give --devices" in err


class TestFailing:
    def test_somebodys_work_in_one_share_stops_all_before_the_start(
        self, cli: Any, tiny: Path, make_model: Any, tmp_path: Path
    ) -> None:
        other = make_model(tmp_path / "other.onnx", seed=3)
        out = tmp_path / "o"
        assert cli("render", other, "--seeds", "5", "--out", out / "####.exr").code == 0
        result = cli(*rendering(tiny, out, 5, "--devices", "cpu,cpu"))
        assert result.code == 2
        assert "other work is in the way" in result.line
        assert "0005.exr (model " in result.line
        assert sorted(path.name for path in out.iterdir()) == ["0005.exr"]

    def test_frames_that_fail_are_named_and_the_exit_code_is_3(
        self, cli: Any, make_model: Any, tmp_path: Path, frames_of: Any
    ) -> None:
        model = make_model(tmp_path / "nan.onnx", not_a_number_below=0.2)
        alone = cli(*rendering(model, tmp_path / "one", 9))
        result = cli(*rendering(model, tmp_path / "two", 9, "--devices", "cpu,cpu"))
        assert (alone.code, result.code) == (3, 3)
        assert result.line == alone.line
        assert frames_of(tmp_path / "two") == frames_of(tmp_path / "one")
        named = [line for line in result.err.splitlines() if line.startswith("warning: frame ")]
        assert sorted(named) == sorted(line for line in alone.err.splitlines() if line.startswith("warning: frame "))

    def test_a_runtime_that_another_was_required_for_starts_nothing(self, cli: Any, tiny: Path, tmp_path: Path) -> None:
        out = tmp_path / "o"
        required = ("--require-runtime", "runtime=openvino")
        result = cli(*rendering(tiny, out, 5, "--devices", "cpu,cpu", *required))
        assert result.code == 2
        assert "runtime is onnxruntime " in result.line
        assert not out.exists()

    def test_unlike_devices_are_refused_unless_that_is_allowed(self) -> None:
        def ready(device: int, name: str) -> Any:
            return _Child(device, None, fingerprint={"runtime": "tensorrt 10", "device": name})  # type: ignore[arg-type]

        children = [ready(0, "NVIDIA A"), ready(1, "NVIDIA B")]
        job: Any = type("Job", (), {"consent": Consent()})
        with pytest.raises(
            UsageError, match=r"device 1 is unlike device 0: device NVIDIA B, not NVIDIA A; .*--mix-runt"
        ):
            Crew(job, children, None).wait_until_ready()  # type: ignore[arg-type]
        job.consent = Consent(mix_runtimes=True)
        Crew(job, children, None).wait_until_ready()  # type: ignore[arg-type]

    @needs_proc
    def test_a_process_that_is_killed_is_named_and_the_others_make_their_frames(
        self, cli: Any, start: Start, tiny: Path, tmp_path: Path, frames_of: Any
    ) -> None:
        out, last = tmp_path / "o", 199
        process = start(*rendering(tiny, out, last, "--devices", "cpu,cpu", "--progress", "json"))
        events_until(process, 10)
        os.kill(children_of(process)[0], signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        assert "device cpu: its process was killed by SIGKILL; " in err
        assert " of 200 frames are done and whole; the same command goes on" in err
        assert len(list(out.glob("????.exr"))) > 100
        self.finish_and_compare(cli, tiny, tmp_path, last, frames_of)

    def test_ctrl_c_lets_all_finish_what_they_began(
        self, cli: Any, start: Start, tiny: Path, tmp_path: Path, frames_of: Any
    ) -> None:
        out, last = tmp_path / "o", 199
        process = start(*rendering(tiny, out, last, "--devices", "cpu,cpu", "--progress", "json"))
        events_until(process, 10)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 130
        done = len(list(out.iterdir()))
        assert 10 <= done < 200
        assert err.strip().splitlines()[-1] == (
            f"vfxgan: interrupted: {done} of 200 frames are done and whole; the same command goes on"
        )
        for path in out.iterdir():
            assert read_picture(path).pixels.shape == (32, 32, 4)
        self.finish_and_compare(cli, tiny, tmp_path, last, frames_of)

    @needs_proc
    def test_no_process_outlives_the_first_one(self, start: Start, tiny: Path, tmp_path: Path) -> None:
        process = start(*rendering(tiny, tmp_path / "o", 3999, "--devices", "cpu,cpu", "--progress", "json"))
        events_until(process, 10)
        children = children_of(process)
        assert len(children) == 2
        process.kill()
        assert all(ended(child) for child in children)
        assert len(list((tmp_path / "o").iterdir())) < 4000

    @staticmethod
    def finish_and_compare(cli: Any, tiny: Path, folder: Path, last: int, frames_of: Any) -> None:
        assert cli(*rendering(tiny, folder / "o", last, "--devices", "cpu,cpu")).code == 0
        assert cli(*rendering(tiny, folder / "undisturbed", last)).code == 0
        assert frames_of(folder / "o") == frames_of(folder / "undisturbed")
