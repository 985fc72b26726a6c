"""ONNX to an engine: strongly typed with TensorRT 10 and 11, whose precision is the ONNX file's; 8.6 in `build_8`."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vfxgan.errors import RuntimeFailure
from vfxgan.export.trt import build_8
from vfxgan.export.trt.monitor import Phases, make_monitor, run_build
from vfxgan.export.trt.network import add_profile, make_builder, make_config, parse_onnx, serialized
from vfxgan.export.trt.shapes import input_shapes, open_axes
from vfxgan.export.trt.timing_cache import attach_timings, cache_path, load_timings, save_timings, timings_of
from vfxgan.gpu.cuda import use_device
from vfxgan.gpu.engine_files import engine_path, write_engine_files
from vfxgan.gpu.identity import BuiltOn, EngineKey, Machine, Sidecar, make_key, this_machine
from vfxgan.gpu.library import series, tensorrt
from vfxgan.gpu.log import make_log
from vfxgan.gpu.options import BuildOptions, InputShapes
from vfxgan.modelfile import ModelFile, read_model
from vfxgan.progress import ProgressStyle, say
from vfxgan.spec import ModelSpec, Parity

__all__ = ["BuildOptions", "Built", "build_engine", "key_for", "require_tensorrt", "write_engine"]


@dataclass(frozen=True)
class Built:
    """An engine that is not on disk yet.

    Attributes:
        engine: its bytes, for `EngineRunner(built.engine, host_code=built.host_code)`.
        seconds: how long TensorRT took.
        timing_cache_sha256: of the timings after the build; None where TensorRT kept none.
    """

    engine: bytes
    key: EngineKey
    where: BuiltOn
    onnx: Path
    spec: ModelSpec
    seconds: float
    timing_cache_sha256: str | None

    @property
    def runtime(self) -> str:
        """For reports and the gate: TensorRT, its version and the GPU."""
        return f"tensorrt {self.where.tensorrt} {self.where.gpu}"

    @property
    def host_code(self) -> bool:
        """The engine holds code of its own, which `EngineRunner` must be allowed to run."""
        return self.key.options.version_compat

    def sidecar(self, parity: Parity | None) -> Sidecar:
        """What will lie beside it."""
        return Sidecar(
            digest=self.key.digest(),
            key=self.key,
            engine_sha256=hashlib.sha256(self.engine).hexdigest(),
            engine_bytes=len(self.engine),
            onnx_name=self.onnx.name,
            built=self.where,
            timing_cache_sha256=self.timing_cache_sha256,
            spec=self.spec,
            parity=parity,
        )


def require_tensorrt() -> Machine:
    """This machine, if it has all that engines need.

    Raises:
        RuntimeFailure: one line: which of driver, GPU, TensorRT and CUDA's Python package is missing, what to install.
    """
    machine = this_machine()
    if machine.missing:
        raise RuntimeFailure(f"no engine can be built here: {machine.missing}")
    return machine


def build_engine(
    onnx_path: Path,
    options: BuildOptions,
    style: ProgressStyle = "bar",
    *,
    timing_cache: Path | None = None,
    machine: Machine | None = None,
    device: int = 0,
) -> Built:
    """Build, and write nothing but the timing cache. Takes minutes, which it shows.

    Args:
        onnx_path: a file with our spec in it; for TensorRT 8.6 of opset 17 and IR 8 at most.
        timing_cache: None: one for each TensorRT and GPU in the user's cache folder.
        machine: None: this one.
    Raises:
        ModelError: TensorRT cannot read the file. UsageError: options that do not fit it, or this TensorRT.
        RuntimeFailure: TensorRT failed, or something is missing. Interrupted: Ctrl-C or SIGTERM.
    """
    where = (machine or require_tensorrt()).where()
    trt, model = tensorrt(), read_model(onnx_path)
    shapes = input_shapes(model, options)
    key = key_for(model, options, shapes, where)
    cache = timing_cache or cache_path(where)
    say(f"building with TensorRT {where.tensorrt} for {where.gpu}: {_told(shapes)}; this takes minutes")
    kernels_known = load_timings(cache)
    started = time.monotonic()
    engine, timings = _build(trt, model, options, shapes, kernels_known, style, lambda: use_device(device))
    if timings is not None and timings != kernels_known:
        save_timings(cache, timings)
    return Built(
        engine=engine,
        key=key,
        where=where,
        onnx=onnx_path,
        spec=model.spec,
        seconds=time.monotonic() - started,
        timing_cache_sha256=None if timings is None else hashlib.sha256(timings).hexdigest(),
    )


def key_for(model: ModelFile, options: BuildOptions, shapes: InputShapes, where: BuiltOn) -> EngineKey:
    """The key that a build would have; it needs no GPU."""
    return make_key(model.sha256, options, shapes, _typing(where.tensorrt, model.spec), where)


def _typing(version: str, spec: ModelSpec) -> Literal["strong", "fp16-obey", "fp32"]:
    major = series(version)[0]
    if major >= 10:
        return "strong"
    if major == 8:
        return "fp16-obey" if spec.precision == "fp16" else "fp32"
    raise RuntimeFailure(f"TensorRT {version} is not supported: 8.6, 10.x and 11.x are")


def _build(
    trt: Any, model: ModelFile, options: BuildOptions, shapes: InputShapes, timings: bytes, style: ProgressStyle,
    enter_thread: Callable[[], None],
) -> tuple[bytes, bytes | None]:  # fmt: skip
    """The engine, and the timings afterwards."""
    log = make_log(trt)
    builder = make_builder(trt, log)
    if series(trt.__version__)[0] == 8:
        build_8.check_age(trt, model)
        network = build_8.make_network(trt, builder)
        parser, config = parse_onnx(trt, network, log, model), make_config(trt, builder, options)
        build_8.set_precision(trt, network, config, model)
        phases, monitor = None, None
    else:
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser, config = parse_onnx(trt, network, log, model), make_config(trt, builder, options)
        phases = Phases()
        config.progress_monitor = monitor = make_monitor(trt, phases)
    if open_axes(model):
        add_profile(builder, config, shapes)
    cache = attach_timings(config, timings)

    def build(kept: Any = (parser, monitor, cache)) -> bytes:
        """In a thread of its own, which keeps alive what TensorRT needs but may not hold: weights, monitor, timings."""
        enter_thread()
        return serialized(trt, builder, network, config, log)

    return run_build(build, phases, style), timings_of(config)


def _told(shapes: InputShapes) -> str:
    texts = ["x".join(map(str, shape)) for shape in (shapes.min, shapes.opt, shapes.max)]
    return f"{shapes.name} {texts[0]}" if shapes.static else f"{shapes.name} {texts[0]} to {texts[2]}, best {texts[1]}"


def write_engine(built: Built, folder: Path, stem: str, parity: Parity | None) -> Path:
    """The engine under its key's name, and its sidecar; each whole or not at all.

    Raises:
        WriteError: full disk, no right to write; neither file is left.
    """
    path = engine_path(folder, stem, built.key)
    write_engine_files(path, built.engine, built.sidecar(parity))
    return path
