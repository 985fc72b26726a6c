"""Ways that gpu_check runs a network, each timed and compared with PyTorch FP32 on the CPU.

`ms` is from a NumPy array to a NumPy array, as a render sees it; `device_ms` is the GPU's part of it, without copies.
"""

import contextlib
import copy
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _gpu_cases import Array, Case, write_models

from vfxgan.gpu.identity import this_machine
from vfxgan.gpu.library import driver_problem
from vfxgan.modelfile import read_model
from vfxgan.render.runtimes import RuntimeOptions, load_runtime

# The limits of export's gate, as a share of the value range.
LIMITS = {"FP32": (2e-5, 0.0), "FP16": (1e-2, 55.0)}


class Skip(Exception):
    """Something is not here; the message says what."""


@dataclass(frozen=True)
class Setting:
    """How thorough, and where."""

    device: str
    quick: bool
    folder: Path

    @property
    def seconds(self) -> float:
        """Of timing, at least, for each contender."""
        return 0.05 if self.quick else 1.5


Infer = Callable[[Array], Array]


@dataclass(frozen=True)
class Ready:
    """A network that was opened.

    Attributes:
        enqueue: starts one run on the GPU and returns; `wait` waits for all of them.
        facts: more columns, such as build seconds.
        threads: that call `infer` at a time; `ms` is the time of all over all their frames.
    """

    infer: Infer
    enqueue: Callable[[], Any] | None = None
    wait: Callable[[], Any] | None = None
    facts: dict[str, Any] | None = None
    threads: int = 1


Contender = Callable[[Case, Setting], contextlib.AbstractContextManager[Ready]]


@contextlib.contextmanager
def torch_fp32(case: Case, setting: Setting) -> Iterator[Ready]:
    """Eager, as trained, TF32 off."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    network, x = copy.deepcopy(case.network).to(setting.device), torch.from_numpy(case.x).to(setting.device)

    @torch.inference_mode()
    def infer(array: Array) -> Array:
        result: Array = network(torch.from_numpy(array).to(setting.device)).cpu().numpy()
        return result

    enqueue = torch.inference_mode()(lambda: network(x))
    yield Ready(infer, enqueue, torch.cuda.synchronize) if setting.device == "cuda" else Ready(infer)


@contextlib.contextmanager
def torch_fp16_graph(case: Case, setting: Setting) -> Iterator[Ready]:
    """The best that PyTorch does by itself: norms folded, half, channels_last, one CUDA graph."""
    torch.backends.cudnn.benchmark = True
    network = copy.deepcopy(case.folded).half().to(setting.device).to(memory_format=torch.channels_last)
    x = torch.from_numpy(case.x).to(setting.device)
    order = torch.channels_last if x.ndim == 4 else torch.contiguous_format

    def forward() -> torch.Tensor:
        y: torch.Tensor = network(x.half().contiguous(memory_format=order)).float()
        return y

    with torch.inference_mode():
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                forward()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = forward()

    @torch.inference_mode()
    def infer(array: Array) -> Array:
        x.copy_(torch.from_numpy(array))
        graph.replay()
        result: Array = y.cpu().numpy()
        return result

    yield Ready(infer, graph.replay, torch.cuda.synchronize)


def onnxruntime(precision: str) -> Contender:
    """Our own render runtime on our own export: CUDA, or with --device cpu the CPU one."""

    @contextlib.contextmanager
    def open_runtime(case: Case, setting: Setting) -> Iterator[Ready]:
        name = "onnxruntime" if setting.device == "cpu" else "onnxruntime-cuda"
        path, seconds = write_models(case, setting.folder)[precision]
        with load_runtime(name, read_model(path), RuntimeOptions()) as runtime:
            yield Ready(runtime.infer, facts={"export_s": round(seconds, 2)})

    return open_runtime


def tensorrt(*, slots: int = 1, graphs: bool = True, threads: int = 1) -> Contender:
    """An engine built by our own export of the FP16 file, once for all rows, run by our own runner."""

    @contextlib.contextmanager
    def open_engine(case: Case, setting: Setting) -> Iterator[Ready]:
        from vfxgan.gpu.engine import EngineRunner

        engine, facts = _engine_of(case, setting)
        with EngineRunner(engine.read_bytes(), slots=slots, graphs=graphs) as runner:
            yield Ready(runner.infer, runner.enqueue, runner.wait, {**facts, "about": runner.about}, threads)

    return open_engine


def _engine_of(case: Case, setting: Setting) -> tuple[Path, dict[str, Any]]:
    """Built by the first who asks; the sizes and seconds of it are facts of each row."""
    from vfxgan.export.trt.build import BuildOptions, build_engine

    engine, known = setting.folder / "engine.plan", setting.folder / "engine.json"
    if not known.exists():
        path, seconds = write_models(case, setting.folder)["fp16"]
        cache = setting.folder / "timings.cache"
        built = build_engine(path, BuildOptions(tile=case.tile), "none", timing_cache=cache)
        engine.write_bytes(built.engine)
        facts = {"export_s": round(seconds, 2), "build_s": round(built.seconds, 1)}
        known.write_text(json.dumps({**facts, "engine_mib": len(built.engine) >> 20}), encoding="utf-8")
    found: dict[str, Any] = json.loads(known.read_text(encoding="utf-8"))
    return engine, found


def _need_gpu(setting: Setting) -> None:
    if setting.device == "cpu":
        raise Skip("needs a GPU; --device cpu was given")
    problem = driver_problem()
    if problem:
        raise Skip(problem)


def _need_torch(setting: Setting) -> None:
    if setting.device == "cuda" and not torch.cuda.is_available():
        raise Skip(driver_problem() or f"torch {torch.__version__} is built without CUDA, or cannot start it")


def _need_torch_on_gpu(setting: Setting) -> None:
    _need_gpu(setting)
    _need_torch(setting)


def _need_tensorrt(setting: Setting) -> None:
    _need_gpu(setting)
    missing = this_machine().missing
    if missing:
        raise Skip(missing)


def _need_onnxruntime(setting: Setting) -> None:
    if setting.device == "cpu":
        return
    _need_gpu(setting)
    try:
        import onnxruntime as module
    except ModuleNotFoundError as error:
        raise Skip("onnxruntime-gpu is not installed: pip install 'vfxgan[gpu]'") from error
    if "CUDAExecutionProvider" not in module.get_available_providers():
        raise Skip("the onnxruntime that is installed has no CUDA: pip install 'vfxgan[gpu]'")


@dataclass(frozen=True)
class Entry:
    """A contender, and what it needs: `needs` raises Skip where that is not here."""

    runtime: str
    precision: str
    needs: Callable[[Setting], None]
    contender: Contender


CONTENDERS = (
    Entry("torch eager", "FP32", _need_torch, torch_fp32),
    Entry("torch channels_last, CUDA graph", "FP16", _need_torch_on_gpu, torch_fp16_graph),
    Entry("onnxruntime", "FP32", _need_onnxruntime, onnxruntime("fp32")),
    Entry("onnxruntime", "FP16", _need_onnxruntime, onnxruntime("fp16")),
    Entry("TensorRT", "FP16", _need_tensorrt, tensorrt()),
    Entry("TensorRT, no CUDA graph", "FP16", _need_tensorrt, tensorrt(graphs=False)),
    Entry("TensorRT, 2 threads, 1 slot", "FP16", _need_tensorrt, tensorrt(threads=2)),
    Entry("TensorRT, 2 threads, 2 slots", "FP16", _need_tensorrt, tensorrt(slots=2, threads=2)),
)


def measure(case: Case, precision: str, contender: Contender, setting: Setting) -> dict[str, Any]:
    """One row: times, frames a second, parity, TFLOP/s."""
    with contender(case, setting) as ready:
        row: dict[str, Any] = dict(ready.facts or {})
        row |= compare(ready.infer(case.x), case, precision)
        if ready.threads > 1:
            row["ms"] = _ms_of_threads(lambda: ready.infer(case.x), ready.threads, setting.seconds)
        else:
            row["ms"] = _median_ms(lambda: ready.infer(case.x), setting.seconds)
        if ready.enqueue is not None and ready.wait is not None and ready.threads == 1:
            row["device_ms"] = _device_ms(ready, setting.seconds)
    row["frames_per_s"] = round(1000 / row["ms"], 2)
    row["tflops"] = case.flops / row.get("device_ms", row["ms"]) / 1e9
    return row


def compare(output: Array, case: Case, precision: str) -> dict[str, Any]:
    """Largest difference and PSNR as a share of the value range, against the reference."""
    width = case.spec.value_range[1] - case.spec.value_range[0]
    if output.shape != case.reference.shape or not np.isfinite(output).all():
        return {"max_abs_error": None, "psnr_db": None, "within_gate": False}
    difference = np.abs(output.astype(np.float64) - case.reference) / width
    largest, square = float(difference.max()), float(np.mean(difference**2))
    psnr = 10 * float(np.log10(1 / square)) if square else 999.0
    limit, least = LIMITS[precision]
    within = largest <= limit and psnr >= least
    return {"max_abs_error": largest, "psnr_db": round(psnr, 1), "within_gate": within}


def _median_ms(run: Callable[[], Any], seconds: float) -> float:
    run()
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - began < seconds:
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return float(np.median(times)) * 1000


def _ms_of_threads(run: Callable[[], Any], threads: int, seconds: float) -> float:
    """Of one frame, where several are on their way at a time."""
    run()
    ends = time.perf_counter() + seconds

    def count() -> int:
        done = 0
        while not done or time.perf_counter() < ends:
            run()
            done += 1
        return done

    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        frames = sum(each.result() for each in [pool.submit(count) for _ in range(threads)])
    return (time.perf_counter() - started) / frames * 1000


def _device_ms(ready: Ready, seconds: float) -> float:
    """Many runs in one go, so that the host's part is hidden behind the GPU's."""
    assert ready.enqueue is not None
    assert ready.wait is not None
    count = 1
    while True:
        started = time.perf_counter()
        for _ in range(count):
            ready.enqueue()
        ready.wait()
        took = time.perf_counter() - started
        if took >= seconds / 2 or count >= 1 << 14:
            return took / count * 1000
        count *= 2


def peak_tflops(kind: str, setting: Setting) -> float:
    """What the device reaches in one large matrix product: the ceiling that rows are held against."""
    _need_torch(setting)
    if setting.device == "cpu" and kind != "FP32":
        raise Skip(f"CPU runtimes compute in FP32; {kind} has no peak here")
    side = 256 if setting.quick else 1024 if setting.device == "cpu" else 8192
    torch.set_float32_matmul_precision("high" if kind == "TF32" else "highest")
    try:
        a = torch.randn(side, side, device=setting.device, dtype=torch.float16 if kind == "FP16" else torch.float32)
        product = torch.empty_like(a)
        wait = torch.cuda.synchronize if setting.device == "cuda" else None
        ready = Ready(lambda x: x, lambda: torch.mm(a, a, out=product), wait or (lambda: None))
        ready.enqueue()  # type: ignore[misc]
        return 2 * side**3 / _device_ms(ready, setting.seconds) / 1e9
    finally:
        torch.set_float32_matmul_precision("highest")
