"""TensorRT on an NVIDIA GPU: an engine that `vfxgan export --trt` built, found beside the model by its sidecar."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from vfxgan.errors import ModelError, RuntimeFailure
from vfxgan.gpu.cuda import DeviceFacts, device_facts
from vfxgan.gpu.engine import SLOTS, EngineRunner
from vfxgan.gpu.engine_files import engines_beside, read_engine, read_sidecar
from vfxgan.gpu.identity import Machine, Sidecar, misfits, this_machine
from vfxgan.modelfile import ModelFile
from vfxgan.recipe import Plain
from vfxgan.render.runtimes.checks import check_input, check_picture, known_shape
from vfxgan.render.runtimes.fingerprint import gpu_fingerprint
from vfxgan.render.runtimes.protocol import Array, RuntimeOptions

NAMED_ENGINES = 2


class TensorRtGpu:
    """One engine on one GPU; while it computes the frame of one thread, that of another is copied."""

    def __init__(self, model: ModelFile, options: RuntimeOptions) -> None:
        engine = find_engine(model, options.engine, this_machine(options.gpu))
        data, sidecar = read_engine(engine)
        facts = device_facts(options.gpu)
        self.model = model
        slots = min(SLOTS, options.streams)
        self._runner = EngineRunner(data, options.gpu, host_code=sidecar.key.options.version_compat, slots=slots)
        self.about = f"{engine.name}: {self._runner.about}"
        self.batch = self._runner.input_shape[0]
        self.input_shape = known_shape(self._runner.input_shape, model, self.batch)
        self.fingerprint = _fingerprint(sidecar, model, facts, self.batch)

    def __enter__(self) -> "TensorRtGpu":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()

    def infer(self, x: Array) -> Array:
        """See `Runtime.infer`."""
        check_input(x, self.input_shape, self.batch)
        return check_picture(self._runner.infer(x), self.model, x)


def _fingerprint(sidecar: Sidecar, model: ModelFile, facts: DeviceFacts, batch: int) -> Mapping[str, Plain]:
    engine: dict[str, Plain] = {"engine": sidecar.engine_sha256, "batch": batch}
    return gpu_fingerprint("tensorrt", str(sidecar.built.tensorrt), model.spec, facts) | engine


@dataclass(frozen=True)
class _Candidate:
    engine: Path
    reasons: tuple[str, ...]


def find_engine(model: ModelFile, asked: Path | None, machine: Machine) -> Path:
    """The one engine of this very model that fits this machine.

    Args:
        asked: an engine that was named; else those beside the model are looked at.
    Raises:
        RuntimeFailure: there is none, none fits (with the reasons), or there are several.
    """
    build = f"build one: vfxgan export {model.path} --trt"
    engines = [asked] if asked is not None else engines_beside(model.path)
    if not engines:
        raise RuntimeFailure(f"{model.path}: there is no TensorRT engine beside it; {build}")
    looked = [_Candidate(engine, _why_not(engine, model, machine)) for engine in engines]
    fitting = [candidate.engine for candidate in looked if not candidate.reasons]
    if len(fitting) > 1:
        names = ", ".join(engine.name for engine in fitting[: NAMED_ENGINES + 1])
        raise RuntimeFailure(f"{model.path}: {len(fitting)} engines of it fit here ({names}); choose one by --engine")
    if not fitting:
        raise RuntimeFailure(f"{_all_reasons(looked, machine)}; {build}")
    return fitting[0]


def _why_not(engine: Path, model: ModelFile, machine: Machine) -> tuple[str, ...]:
    try:
        sidecar = read_sidecar(engine)
    except ModelError as error:
        return (str(error).removeprefix(f"{engine}: "),)
    if sidecar.onnx_name != model.path.name and sidecar.key.onnx_sha256 != model.sha256:
        return (f"it is of {sidecar.onnx_name}: name that model",)
    return tuple(misfits(sidecar, machine, model.sha256))


def _all_reasons(looked: list[_Candidate], machine: Machine) -> str:
    if machine.missing:
        return f"no engine can be used here: {machine.missing}"
    named = [f"{item.engine.name} ({'; '.join(item.reasons)})" for item in looked[:NAMED_ENGINES]]
    more = f" and {len(looked) - NAMED_ENGINES} more" if len(looked) > NAMED_ENGINES else ""
    return f"no engine fits: {', '.join(named)}{more}"
