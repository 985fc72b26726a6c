"""Which runtime runs: `--runtime auto`, `--require-runtime`, `--cpu-isa`."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from vfxgan.errors import RuntimeFailure, UsageError
from vfxgan.gpu.identity import Machine
from vfxgan.images import read_header
from vfxgan.modelfile import read_model
from vfxgan.recipe import read_stamp
from vfxgan.render.requirement import parse_requirement
from vfxgan.render.runtimes import choice
from vfxgan.render.runtimes.choice import choose_runtime
from vfxgan.render.runtimes.fingerprint import cpu_level, fingerprint_id

PATIENCE_S = 100
NOTHING = Machine(missing="there is no NVIDIA driver")


def made_by(path: str) -> Mapping[str, Any]:
    stamp = read_stamp(read_header(Path(path)))
    assert stamp is not None
    return stamp.recipe.fingerprint


@pytest.fixture
def has(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say what a machine has: packages by name, a driver, an engine."""

    def call(*packages: str, driver: bool = False, engine: str = "") -> None:
        def find(model: Any, asked: Any, machine: Any) -> Path:
            if engine:
                raise RuntimeFailure(engine)
            return Path("an.engine")

        monkeypatch.setattr(choice, "installed", lambda name: "1.0" if name in packages else None)
        monkeypatch.setattr(choice, "driver_problem", lambda: None if driver else "no driver")
        monkeypatch.setattr(choice, "this_machine", lambda gpu: NOTHING)
        monkeypatch.setattr(choice, "find_engine", find)

    return call


class TestAuto:
    def test_the_order_is_engine_then_cuda_then_openvino_then_onnxruntime(self, has: Any, tiny: Path) -> None:
        models = [read_model(tiny)]
        has("onnxruntime-gpu", "openvino", "onnxruntime", driver=True)
        assert choose_runtime(models).name == "tensorrt"
        has("onnxruntime-gpu", "openvino", "onnxruntime", driver=True, engine="none fits")
        assert choose_runtime(models).name == "onnxruntime-cuda"
        has("onnxruntime-gpu", "openvino", "onnxruntime", engine="none fits")
        assert choose_runtime(models).name == "openvino"
        has("onnxruntime", engine="none fits")
        assert choose_runtime(models).sentence() == (
            "--runtime auto: onnxruntime, on the CPU; not tensorrt (none fits); not onnxruntime-cuda (onnxruntime-gpu "
            "is not installed); not openvino (openvino is not installed)"
        )

    def test_devices_limit_what_is_chosen(self, has: Any, tiny: Path) -> None:
        has("openvino", driver=True)
        assert choose_runtime([read_model(tiny)], gpus=False).passed_over == ()
        has("openvino", driver=True, engine="none fits")
        with pytest.raises(RuntimeFailure, match="none can be used: tensorrt: none fits; onnxruntime-cuda: onnxrun"):
            choose_runtime([read_model(tiny)], cpus=False)

    def test_the_choice_is_said_with_reasons_and_what_ran_is_recorded(self, cli: Any, tiny: Path) -> None:
        result = cli("render", tiny, "--seeds", "0-1", "--out", "o/####.exr", "--runtime", "auto")
        assert result.code == 0, result
        first = result.err.splitlines()[0]
        assert first.startswith("--runtime auto: openvino, the quicker one on CPUs; not tensorrt (there is no TensorRT")
        assert "not onnxruntime-cuda (onnxruntime-gpu is not installed)" in first
        assert str(made_by("o/0001.exr")["runtime"]).startswith("openvino ")

    def test_frames_of_another_runtime_are_not_mixed_in_silence(self, cli: Any, tiny: Path, frames_of: Any) -> None:
        assert cli("render", tiny, "--seeds", "0", "--out", "o/####.exr").code == 0
        before = frames_of(Path("o"))
        command = ("render", tiny, "--seeds", "0-1", "--out", "o/####.exr", "--runtime", "auto")
        refused = cli(*command)
        assert refused.code == 2
        assert "another runtime or machine made o/0000.exr (runtime onnxruntime " in refused.line
        assert frames_of(Path("o")) == before
        assert "1 rendered, 1 was done before" in cli(*command, "--mix-runtimes").line
        assert frames_of(Path("o"))["0000.exr"] == before["0000.exr"]

    def test_the_default_is_chosen_by_name_and_says_nothing(self, cli: Any, tiny: Path) -> None:
        result = cli("render", tiny, "--seeds", "0", "--out", "o/####.exr", "--progress", "none")
        assert (result.code, result.err) == (0, "")
        assert str(made_by("o/0000.exr")["runtime"]).startswith("onnxruntime ")


class TestRequiring:
    def test_an_id_that_a_dry_run_shows_is_taken_and_another_one_stops(self, cli: Any, tiny: Path) -> None:
        command = ("render", tiny, "--seeds", "0", "--out", "o/####.exr")
        said = next(line for line in cli(*command, "--dry-run").out.splitlines() if line.startswith("runtime "))
        short_id = said.split()[1].rstrip(":")
        assert cli(*command, "--require-runtime", short_id[:8]).code == 0
        assert fingerprint_id(made_by("o/0000.exr")) == short_id
        other = cli("render", tiny, "--seeds", "0", "--out", "p/####.exr", "--require-runtime", "0123456789ab")
        assert other.code == 2
        assert f"(the fingerprint here is {short_id}, see --dry-run); nothing was rendered" in other.line
        assert not Path("p").exists()

    def test_the_fingerprint_of_a_frame(self, cli: Any, tiny: Path) -> None:
        assert cli("render", tiny, "--seeds", "0", "--out", "o/####.exr").code == 0
        command = ("render", tiny, "--seeds", "1", "--require-runtime", "@o/0000.exr")
        assert cli(*command, "--out", "o/####.exr").code == 0
        result = cli(*command, "--out", "p/####.exr", "--runtime", "openvino")
        assert result.code == 2
        assert "runtime is openvino " in result.line
        assert "not onnxruntime " in result.line
        assert " differs in " in result.line
        assert "numpy" not in result.line  # it is the same
        assert not Path("p").exists()

    def test_pairs_name_what_matters(self) -> None:
        found = {"runtime": "tensorrt 10.16.1", "device": "NVIDIA H200, or so", "batch": 4}
        for text in ("runtime=tensorrt", "runtime=tensorrt 10.16.1", 'device="NVIDIA H200, or so",batch=4'):
            parse_requirement(text).check(found)
        for text, said in {
            "runtime=tensor": "runtime is tensorrt 10.16.1, not tensor ",
            "batch=1,device=NVIDIA": "batch is 4, not 1, device is NVIDIA H200, or so, not NVIDIA",
            "machine=a": "there is no machine in the fingerprint here, only runtime, device, batch",
        }.items():
            with pytest.raises(UsageError) as refused:
                parse_requirement(text).check(found)
            assert said in str(refused.value)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("openvino", "give a fingerprint's id as --dry-run shows it, pairs such as"),
            ("abcdef", "give a fingerprint's id"),
            ("runtime=a,b", "'b' is no pair"),
            ("=a", "'' is no pair"),
            ('device="a', "a quote is not closed"),
            ("@nowhere.exr", "--require-runtime @nowhere.exr: "),
        ],
    )
    def test_what_says_nothing_is_bad_usage(self, cli: Any, tiny: Path, text: str, said: str) -> None:
        result = cli("render", tiny, "--seeds", "0", "--out", "o/####.exr", "--require-runtime", text)
        assert result.code == 2
        assert said in result.line
        assert not Path("o").exists()

    def test_inspect_and_doctor_show_the_id_too(self, cli: Any, tiny: Path) -> None:
        assert cli("render", tiny, "--seeds", "0", "--out", "o/####.exr").code == 0
        short_id = fingerprint_id(made_by("o/0000.exr"))
        assert json.loads(cli("inspect", "o/0000.exr", "--json").out)["recipe"]["fingerprint_id"] == short_id
        assert f"ran the model, fingerprint {short_id}" in cli("doctor").out

    def test_a_fingerprint_has_one_id_whatever_its_order(self) -> None:
        assert fingerprint_id({"a": 1, "b": "x"}) == fingerprint_id({"b": "x", "a": 1})
        assert fingerprint_id({"a": 1, "b": "x"}) != fingerprint_id({"a": 1, "b": "y"})


needs_avx2 = pytest.mark.skipif(cpu_level() not in ("avx2", "avx512"), reason=f"this CPU has {cpu_level()}, not AVX2")
Start = Callable[..., "subprocess.Popen[str]"]


class TestHolding:
    """Each in a process of its own: the libraries look at the CPU once."""

    @staticmethod
    def run(start: Start, *arguments: object) -> tuple[int, str]:
        process = start("render", *arguments)
        _, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, err.strip().splitlines()[-1] if err.strip() else ""

    @needs_avx2
    def test_two_processes_that_are_held_give_the_same_bytes_and_say_so(
        self, start: Start, tiny: Path, cli: Any, frames_of: Any
    ) -> None:
        held = ("--runtime", "openvino", "--cpu-isa", "avx2")
        for out in ("a", "b"):
            code, line = self.run(start, tiny, "--seeds", "0-2", "--out", f"{out}/####.exr", *held)
            assert code == 0, line
        assert frames_of(Path("a")) == frames_of(Path("b"))
        assert made_by("a/0000.exr")["instructions"] == "avx2"
        again = start("verify", "a", "--rerender", "3", "--model", tiny, "--cpu-isa", "avx2", "--progress", "none")
        out, _ = again.communicate(timeout=PATIENCE_S)
        assert out == "3 frames are whole, 3 of them rendered again: to the same bytes\n"
        if cpu_level() == "avx512":  # frames of another level are another kind
            native = cli("render", tiny, "--seeds", "0-2", "--out", "a/####.exr", "--runtime", "openvino")
            assert native.code == 2
            assert "instructions avx2, not avx512" in native.line

    @needs_avx2
    def test_auto_takes_what_can_be_held(self, start: Start, tiny: Path) -> None:
        code, line = self.run(
            start, tiny, "--seeds", "0", "--out", "a/####.exr", "--runtime", "auto", "--cpu-isa", "avx2"
        )
        assert code == 0, line
        assert str(made_by("a/0000.exr")["runtime"]).startswith("openvino ")

    def test_onnxruntime_cannot_be_held(self, start: Start, tiny: Path) -> None:
        code, line = self.run(start, tiny, "--seeds", "0", "--out", "a/####.exr", "--cpu-isa", "avx2")
        assert code == 2
        assert "--cpu-isa avx2: onnxruntime picks its kernels by what the CPU has and cannot be held" in line
        assert "add --runtime openvino" in line

    @pytest.mark.skipif(cpu_level() == "avx512", reason="this CPU has AVX-512")
    def test_a_level_that_the_cpu_does_not_have_is_an_error(self, start: Start, tiny: Path) -> None:
        held = ("--runtime", "openvino", "--cpu-isa", "avx512")
        code, line = self.run(start, tiny, "--seeds", "0", "--out", "a/####.exr", *held)
        assert code == 1
        assert f"--cpu-isa avx512: this CPU has {cpu_level()}" in line

    def test_a_limit_in_the_environment_is_not_overruled(
        self, start: Start, tiny: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
        for level in ("avx2", "native"):
            code, line = self.run(start, tiny, "--seeds", "0", "--out", "a/####.exr", "--cpu-isa", level)
            assert code == 2
            assert f"--cpu-isa {level}, but the environment says ONEDNN_MAX_CPU_ISA=SSE41" in line

    def test_it_is_too_late_in_a_process_that_computed_already(self, cli: Any, tiny: Path) -> None:
        assert "numpy" in sys.modules
        command = ("render", tiny, "--seeds", "0", "--out", "a/####.exr", "--runtime", "openvino")
        late = cli(*command, "--cpu-isa", "avx2")
        assert late.code == 2
        assert "this process has numpy" in late.line
        assert cli(*command, "--cpu-isa", "native").code == 0

    def test_an_unknown_level_is_refused(self, cli: Any, tiny: Path) -> None:
        result = cli("render", tiny, "--seeds", "0", "--out", "a/####.exr", "--cpu-isa", "amx")
        assert result.code == 2
        assert "--cpu-isa 'amx' is unknown; use avx2, avx512 or native" in result.line

    def test_a_limit_that_was_set_for_one_library_alone_is_recorded(
        self, start: Start, tiny: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
        assert self.run(start, tiny, "--seeds", "0", "--out", "a/####.exr", "--runtime", "openvino")[0] == 0
        assert made_by("a/0000.exr")["instructions"] == f"{cpu_level()}, onednn AVX2"
        assert self.run(start, tiny, "--seeds", "0", "--out", "b/####.exr")[0] == 0
        assert made_by("b/0000.exr")["instructions"] == cpu_level()
