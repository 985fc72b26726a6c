"""ONNX Runtime on the CPU, as the gate and the range audit use it. The one place in export that imports it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from vfxgan.errors import MissingExtraError, ModelError
from vfxgan.export.pieces import pieces
from vfxgan.whole_files import write_whole

Array = NDArray[np.float32]

FATAL_ONLY = 4  # errors come as exceptions, and are told once


class CpuSession:
    """An ONNX model that was opened. `run` may be called with any shape that its graph takes."""

    def __init__(self, source: bytes | Path, *, optimise: bool = True) -> None:
        """Open a model.

        Args:
            source: an ONNX file's bytes, or where it lies; then no second copy of its weights is made.
            optimise: False keeps every node as it stands in the file, and their order: what is read soon is freed soon.
        Raises:
            MissingExtraError: ONNX Runtime is not installed. ModelError: it cannot open the model.
        """
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingExtraError("onnxruntime", "cpu", "the parity gate of export") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = FATAL_ONLY
        options.use_deterministic_compute = True
        options.enable_cpu_mem_arena = False  # it keeps the largest of everything that was ever needed
        if not optimise:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
        try:
            self._session: Any = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common base
            reason = " ".join(str(error).split())[:300]
            raise ModelError(f"onnxruntime cannot open the exported graph ({reason})") from error
        self.name = f"onnxruntime {onnxruntime.__version__} cpu"
        self._input = self._session.get_inputs()[0].name

    def run(self, x: Array, outputs: Sequence[str] | None = None) -> list[NDArray[Any]]:
        """The named outputs, by default all.

        Raises:
            ModelError: the runtime failed.
        """
        try:
            found: list[NDArray[Any]] = self._session.run(outputs, {self._input: np.ascontiguousarray(x)})
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise ModelError(f"onnxruntime failed on an input of {list(x.shape)} ({reason})") from error
        return found


def open_model(model: onnx.ModelProto, *, optimise: bool = True) -> CpuSession:
    """A session of a model that is on no disk yet. Raises as `CpuSession` does, and WriteError: no temporary space."""
    with tempfile.TemporaryDirectory(prefix="vfxgan-") as folder:
        path = Path(folder) / "model.onnx"
        write_whole(path, pieces(model))
        return CpuSession(path, optimise=optimise)
