"""`--runtime auto`: the first runtime of a fixed order that can be used here, and why those before it cannot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vfxgan.cpu_isa import held_level
from vfxgan.errors import RuntimeFailure, VfxganError
from vfxgan.gpu.identity import this_machine
from vfxgan.gpu.library import driver_problem
from vfxgan.modelfile import ModelFile
from vfxgan.render.runtimes.packages import installed
from vfxgan.render.runtimes.tensorrt_gpu import find_engine

AUTO = "auto"


@dataclass(frozen=True)
class Choice:
    """What `auto` came to.

    Attributes:
        reason: why this one.
        passed_over: those before it, each with the reason.
    """

    name: str
    reason: str
    passed_over: tuple[tuple[str, str], ...] = ()

    def sentence(self) -> str:
        """For stderr, one line."""
        passed = "".join(f"; not {name} ({reason})" for name, reason in self.passed_over)
        return f"--runtime auto: {self.name}, {self.reason}{passed}"


@dataclass(frozen=True)
class _Candidate:
    """`problem` says why a runtime cannot be used for models on a GPU here, "" where it can."""

    name: str
    reason: str
    on_gpu: bool
    problem: Callable[[Sequence[ModelFile], int], str]


def choose_runtime(models: Sequence[ModelFile], *, gpu: int = 0, gpus: bool = True, cpus: bool = True) -> Choice:
    """Look at what is installed and which engines there are; nothing is opened.

    Whatever it comes to is what runs: should it fail later, the render fails.

    Args:
        models: all that have to run.
        gpu: the number of the GPU to be used.
        gpus, cpus: which kinds of device may be chosen.
    Raises:
        RuntimeFailure: none can be used, with all reasons.
    """
    passed: list[tuple[str, str]] = []
    for candidate in _CANDIDATES:
        if not (gpus if candidate.on_gpu else cpus):
            continue
        problem = candidate.problem(models, gpu)
        if not problem:
            return Choice(candidate.name, candidate.reason, tuple(passed))
        passed.append((candidate.name, problem))
    raise RuntimeFailure("--runtime auto: none can be used: " + "; ".join(f"{name}: {why}" for name, why in passed))


def _no_engine(models: Sequence[ModelFile], gpu: int) -> str:
    machine = this_machine(gpu)
    for model in models:
        try:
            find_engine(model, None, machine)
        except VfxganError as error:
            return str(error).removeprefix(f"{models[0].path}: ")
    return ""


def _no_cuda(models: Sequence[ModelFile], gpu: int) -> str:
    if installed("onnxruntime-gpu") is None:
        return "onnxruntime-gpu is not installed"
    return driver_problem() or ""


def _no_openvino(models: Sequence[ModelFile], gpu: int) -> str:
    return "" if installed("openvino") else "openvino is not installed"


def _no_onnxruntime(models: Sequence[ModelFile], gpu: int) -> str:
    if held_level() is not None:
        return f"it cannot be held at --cpu-isa {held_level()}"
    return "" if installed("onnxruntime") else "onnxruntime is not installed"


# Of the two on CPUs the quicker one first: 3 to 19 % less CPU time a frame, for every network that was measured.
_CANDIDATES = (
    _Candidate("tensorrt", "by the engine beside the model", on_gpu=True, problem=_no_engine),
    _Candidate("onnxruntime-cuda", "on the GPU", on_gpu=True, problem=_no_cuda),
    _Candidate("openvino", "the quicker one on CPUs", on_gpu=False, problem=_no_openvino),
    _Candidate("onnxruntime", "on the CPU", on_gpu=False, problem=_no_onnxruntime),
)
