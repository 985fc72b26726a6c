"""DCGAN-1024, pix2pix-256 and SRResNet ×4 on every runtime that this machine has: times, parity, share of the peak.

    python benchmarks/gpu_check.py [--out gpu_check.json] [--device auto|cuda|cpu] [--only dcgan,srresnet] [--quick]

Unattended, under five minutes, installs nothing: what is missing is a row with the reason. The work is done by a second
process; should a runtime crash or hang, its row says so and the rest goes on. Batch 1. Weights are seeded and random:
speed and parity do not depend on what a network has learned. Exit code 1 if a row failed or is outside export's gate.
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

CASES = {"dcgan": "DCGAN-1024", "pix2pix": "pix2pix-256", "srresnet": "SRResNet ×4"}
# As in _gpu_contenders, which needs torch; ENGINES take long to open, the first of them.
ENGINES = (("TensorRT", "FP16"), ("TensorRT, no CUDA graph", "FP16"), ("TensorRT, 2 threads, 1 slot", "FP16"),
           ("TensorRT, 2 threads, 2 slots", "FP16"))  # fmt: skip
CONTENDERS = (("torch eager", "FP32"), ("torch channels_last, CUDA graph", "FP16"), ("onnxruntime", "FP32"),
              ("onnxruntime", "FP16"), *ENGINES)  # fmt: skip
PEAKS = ("FP16", "FP32", "TF32")
ROW_LIMIT_S = 110
POLL_S = 0.1
PACKAGES = ("vfxgan", "numpy", "torch", "onnx", "onnxruntime", "onnxruntime-gpu", "tensorrt", "tensorrt-cu13",
            "tensorrt-cu12", "cuda-bindings")  # fmt: skip

Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu_check.json"))
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto", help="auto is the GPU")
    parser.add_argument("--only", type=_cases, default=tuple(CASES), help=f"some of {','.join(CASES)}")
    parser.add_argument("--quick", action="store_true", help="tiny networks: tries the script, measures nothing")
    parser.add_argument("--limit", type=float, default=285.0, help="seconds for everything")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device = "cpu" if arguments.device == "cpu" else "cuda"
    if arguments.worker:
        work(arguments.worker, arguments.only, arguments.first, device, arguments.quick)
        return 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vfxgan-gpu-check-") as folder:
        rows = supervise(Path(folder) / "rows.jsonl", arguments.only, device, arguments.quick, arguments.limit)
    peaks = {row["kind"]: row.get("tflops") for row in rows if row["what"] == "peak"}
    for row in rows:
        peak = peaks.get(row.get("precision"))
        if row["what"] == "network" and row.get("tflops") and peak:
            row["share_of_peak"] = round(row["tflops"] / peak, 4)
    report = {"machine": machine(), "quick": arguments.quick, "device": device, "rows": rows}
    report["seconds"] = round(time.monotonic() - started, 1)
    arguments.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(table(report))
    print(f"\n{arguments.out}, {report['seconds']:.0f} s")
    return int(any("failed" in row or row.get("within_gate") is False for row in rows))


def _cases(text: str) -> tuple[str, ...]:
    unknown = sorted(set(text.split(",")) - set(CASES))
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(CASES)}")
    return tuple(case for case in CASES if case in text.split(","))


def plan(cases: tuple[str, ...]) -> list[Row]:
    """All rows, in order: the peaks, then what is quick to open, then engines, which take long to build."""
    peaks: list[Row] = [{"what": "peak", "kind": kind} for kind in PEAKS]
    order = [(case, way) for case in cases for way in CONTENDERS if way not in ENGINES]
    order += [(case, way) for case in cases for way in ENGINES]
    return peaks + [
        {"what": "network", "case": case, "network": CASES[case], "runtime": runtime, "precision": precision}
        for case, (runtime, precision) in order
    ]


def supervise(log: Path, cases: tuple[str, ...], device: str, quick: bool, limit_s: float) -> list[Row]:
    """Run the worker; start it again behind a row that it did not survive."""
    wanted, deadline = plan(cases), time.monotonic() + limit_s
    rows: list[Row] = []
    while len(rows) < len(wanted):
        left = deadline - time.monotonic()
        if left <= 0:
            rows += [{**row, "skipped": f"no time left of {limit_s:.0f} s"} for row in wanted[len(rows) :]]
            break
        before = len(rows)
        end = _run_worker(log, cases, before, device, quick, deadline)
        rows = _rows_of(log)
        if end is None or len(rows) == len(wanted):
            continue
        if len(rows) == before and "import" in end:  # it never came to its first row, and will not the next time
            rows += [{**row, "skipped": end} for row in wanted[len(rows) :]]
        else:
            _append(log, {**wanted[len(rows)], "failed": end})
            rows = _rows_of(log)
    return rows


def _run_worker(log: Path, cases: tuple[str, ...], first: int, device: str, quick: bool, deadline: float) -> str | None:
    """Why it ended before its last row; None if it did not."""
    command = [sys.executable, __file__, "--worker", str(log), "--first", str(first), "--device", device]
    command += ["--only", ",".join(cases), *(["--quick"] if quick else [])]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        count, row_ends = first, time.monotonic() + ROW_LIMIT_S
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
                break
            done = len(_rows_of(log))
            if done > count:
                count, row_ends = done, time.monotonic() + ROW_LIMIT_S
            if time.monotonic() > min(row_ends, deadline):
                process.kill()
                process.wait()
                return "took too long"
        errors.seek(0)
        said = errors.read().strip().splitlines()
    if process.returncode == 0:
        return None
    return f"ended with {process.returncode}: {' '.join(said[-1].split())[:300] if said else 'nothing said'}"


def _rows_of(log: Path) -> list[Row]:
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def _append(log: Path, row: Row) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def work(log: Path, cases: tuple[str, ...], first: int, device: str, quick: bool) -> None:
    """The second process: make the rows from `first` on, each written as soon as it is known."""
    try:
        import torch
        from _gpu_cases import CASES as MAKERS
        from _gpu_contenders import CONTENDERS as WAYS
        from _gpu_contenders import Setting, Skip, measure, peak_tflops
    except ModuleNotFoundError as error:
        sys.exit(f"import: {error.name} is not installed: pip install 'vfxgan[train]'")
    ways = {(way.runtime, way.precision): way for way in WAYS}
    assert tuple(ways) == CONTENDERS
    if quick:
        torch.set_num_threads(1)  # tiny networks: threads that wait for each other would be all that is seen
    made: dict[str, Any] = {}
    for row in plan(cases)[first:]:
        folder = log.parent / f"{row['what']}-{row.get('case', '')}"
        folder.mkdir(exist_ok=True)
        setting = Setting(device, quick, folder)
        found: Row = {}
        try:
            if row["what"] == "peak":
                found["tflops"] = round(peak_tflops(row["kind"], setting), 3)
            else:
                entry = ways[row["runtime"], row["precision"]]
                entry.needs(setting)
                case = made[row["case"]] = made.get(row["case"]) or MAKERS[row["case"]](quick)
                found |= {"size": case.name, "batch": 1, "gflop": round(case.flops / 1e9, 2)}
                found |= measure(case, entry.precision, entry.contender, setting)
        except Skip as reason:
            found["skipped"] = str(reason)
        except Exception as error:  # noqa: BLE001 - whatever a runtime throws is that row's result
            found["failed"] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        _append(log, {**row, **found})


def machine() -> dict[str, Any]:
    """Whose figures these are."""
    from vfxgan.errors import VfxganError
    from vfxgan.gpu.cuda import device_facts
    from vfxgan.gpu.library import driver_problem

    facts: dict[str, Any] = {"python": platform.python_version(), "system": platform.platform(), "cpu": _cpu_name()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            facts[package] = metadata.version(package)
    try:
        gpu = device_facts(0)
        facts |= {"gpu": gpu.name, "compute_capability": gpu.compute_capability, "driver_cuda": gpu.driver}
    except VfxganError as error:
        facts["gpu"] = driver_problem() or str(error)
    return facts


def _cpu_name() -> str:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        named = next(line for line in lines if line.startswith("model name"))
        return f"{named.partition(':')[2].strip()}, {os.cpu_count()} cores"
    return platform.machine()


def table(report: dict[str, Any]) -> str:
    """Markdown, as docs/performance.md has it."""
    facts, rows = report["machine"], report["rows"]
    lines = [f"{facts['gpu']}; {facts['cpu']}; Python {facts['python']}", ""]
    for row in rows:
        if row["what"] == "peak":
            lines.append(f"- peak {row['kind']}: " + (_outcome(row) or f"{row['tflops']:.3g} TFLOP/s"))
    lines += ["", "| network | runtime | | frames/s | ms | on the device | max error | PSNR | of the peak |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        if row["what"] == "network":
            lines.append(_line(row))
    return "\n".join(lines)


def _line(row: Row) -> str:
    start = f"| {row.get('size', row['network'])} | {row['runtime']} | {row['precision']} |"
    outcome = _outcome(row)
    if outcome:
        return f"{start} {outcome} | | | | | |"
    device = f"{row['device_ms']:.2f} ms" if "device_ms" in row else "-"
    share = f"{row['share_of_peak']:.0%}" if "share_of_peak" in row else "-"
    error = "NaN or another shape" if row["max_abs_error"] is None else f"{row['max_abs_error']:.1e}"
    gate = "" if row["within_gate"] else " outside the gate"
    return (
        f"{start} {row['frames_per_s']:.1f} | {row['ms']:.2f} | {device} | {error}{gate} | "
        f"{row['psnr_db']} dB | {share} |"
    )


def _outcome(row: Row) -> str:
    return next((f"{state}: {row[state]}" for state in ("skipped", "failed") if state in row), "")


if __name__ == "__main__":
    sys.exit(main())
