"""Inference runtimes, one a file; nothing outside this folder imports one of their packages."""

import importlib
from typing import cast

from vfxgan.errors import RuntimeFailure, UsageError
from vfxgan.modelfile import ModelFile
from vfxgan.render.runtimes.packages import installed
from vfxgan.render.runtimes.protocol import Runtime, RuntimeOptions

# Name on the command line: module and class. Literal, and imported only when asked for.
RUNTIMES = {
    "onnxruntime": ("vfxgan.render.runtimes.onnxruntime_cpu", "OnnxRuntimeCpu"),
    "openvino": ("vfxgan.render.runtimes.openvino_cpu", "OpenVinoCpu"),
    "onnxruntime-cuda": ("vfxgan.render.runtimes.onnxruntime_cuda", "OnnxRuntimeCuda"),
    "tensorrt": ("vfxgan.render.runtimes.tensorrt_gpu", "TensorRtGpu"),
}
CPU_RUNTIMES = ("onnxruntime", "openvino")
DEFAULT_RUNTIME = "onnxruntime"  # by name, never by what happens to be installed

__all__ = [
    "CPU_RUNTIMES",
    "DEFAULT_RUNTIME",
    "RUNTIMES",
    "Runtime",
    "RuntimeOptions",
    "check_runtime_name",
    "installed",
    "load_runtime",
]


def check_runtime_name(name: str) -> str:
    """Raises UsageError for a runtime that does not exist."""
    if name not in RUNTIMES:
        raise UsageError(f"--runtime {name!r} is unknown; use one of {', '.join(RUNTIMES)}, or auto")
    return name


def load_runtime(name: str, model: ModelFile, options: RuntimeOptions) -> Runtime:
    """Open a model in the named runtime, and in no other.

    Raises:
        MissingExtraError: its package is not installed.
        RuntimeFailure: it cannot be used here, or refuses the model.
    """
    module, class_name = RUNTIMES[check_runtime_name(name)]
    if name.startswith("onnxruntime"):
        _refuse_two_onnxruntimes()
    loader = getattr(importlib.import_module(module), class_name)
    return cast(Runtime, loader(model, options))


def _refuse_two_onnxruntimes() -> None:
    if installed("onnxruntime") and installed("onnxruntime-gpu"):
        raise RuntimeFailure(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files: "
            "pip uninstall onnxruntime onnxruntime-gpu, then pip install 'vfxgan[cpu]' or 'vfxgan[gpu]'"
        )
