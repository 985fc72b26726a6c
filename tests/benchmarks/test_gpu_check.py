"""benchmarks/gpu_check.py where there is no GPU: it runs by itself, and each thing that is missing is a row."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu_check.py"


def check(*options: str) -> tuple[int, str, dict[str, Any]]:
    command = [sys.executable, str(SCRIPT), "--quick", "--out", "x.json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, json.loads(Path("x.json").read_text())


def test_without_a_gpu_every_row_says_why_it_was_skipped() -> None:
    from vfxgan.gpu.library import driver_problem

    problem = driver_problem()
    if problem is None:
        pytest.skip("this machine has a GPU")
    code, table, report = check()
    assert code == 0
    assert len(report["rows"]) == 3 + 3 * 8
    assert {row["skipped"] for row in report["rows"]} == {problem}
    assert f"| DCGAN-1024 | TensorRT | FP16 | skipped: {problem} |" in table


def test_on_the_cpu_our_export_and_runtime_are_within_the_gate() -> None:
    pytest.importorskip("onnxscript", reason="the train extra is not installed")
    code, table, report = check("--device", "cpu", "--only", "pix2pix")
    assert code == 0, table
    measured = [row for row in report["rows"] if "frames_per_s" in row]
    assert {(row["case"], row["runtime"], row["precision"]) for row in measured} == {
        ("pix2pix", *way) for way in (("torch eager", "FP32"), ("onnxruntime", "FP32"), ("onnxruntime", "FP16"))
    }
    for row in measured:
        assert row["within_gate"]
        assert row["ms"] > 0
        assert (row["max_abs_error"] > 1e-6) == (row["precision"] == "FP16")
    assert "needs a GPU; --device cpu was given" in table


def test_it_ends_in_time_and_says_what_was_left() -> None:
    code, _, report = check("--limit", "0.2")
    assert code == 1
    assert report["seconds"] < 10
    states = [next(state for state in ("skipped", "failed") if state in row) for row in report["rows"]]
    assert states[-1] == "skipped"
    assert "no time left of 0 s" in report["rows"][-1]["skipped"]


def test_the_engine_contender_calls_our_export_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither TensorRT nor a GPU is here: the build is an autospec of the real one, the engine an ONNX file."""
    pytest.importorskip("onnxscript", reason="the train extra is not installed")
    onnxruntime = pytest.importorskip("onnxruntime")
    from vfxgan.export.trt import build
    from vfxgan.gpu import engine

    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    cases, contenders = importlib.import_module("_gpu_cases"), importlib.import_module("_gpu_contenders")
    case = cases.CASES["srresnet"](True)
    built = create_autospec(build.build_engine)
    built.side_effect = lambda path, *_, **__: SimpleNamespace(engine=path.read_bytes(), seconds=1.0, host_code=False)
    monkeypatch.setattr(build, "build_engine", built)
    runner = create_autospec(engine.EngineRunner)

    def open_engine(data: bytes, *, slots: int, graphs: bool) -> Any:
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        opened = runner.return_value
        opened.__enter__.return_value = opened
        opened.about = f"{slots} slots, {'with' if graphs else 'without'} graphs"
        opened.infer.side_effect = lambda x: session.run(None, {"image": x})[0]
        return opened

    runner.side_effect = open_engine
    monkeypatch.setattr(engine, "EngineRunner", runner)
    setting = contenders.Setting("cuda", True, tmp_path)
    rows = [
        contenders.measure(case, "FP16", entry.contender, setting)
        for entry in contenders.CONTENDERS
        if entry.runtime.startswith("TensorRT")
    ]
    assert [row["about"] for row in rows] == [
        "1 slots, with graphs", "1 slots, without graphs", "1 slots, with graphs", "2 slots, with graphs"
    ]  # fmt: skip
    for row in rows:
        assert row["within_gate"]
        assert row["build_s"] == 1.0
        assert row["ms"] > 0
    assert [row.get("device_ms", 0) > 0 for row in rows] == [True, True, False, False]
    assert built.call_count == 1  # by the first of them
    assert built.call_args.args[1].tile == (24, 40)
