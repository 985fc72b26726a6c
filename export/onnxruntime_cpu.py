"""ONNX Runtime on the CPU, as the gate and the range audit use it. The one place in export that imports it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import MissingExtraError, ModelError

Array = NDArray[np.float32]

FATAL_ONLY = 4  # errors come as exceptions, and are told once


class CpuSession:
    """An ONNX model that was opened. `run` may be called with any shape that its graph takes."""

    def __init__(self, onnx_bytes: bytes, *, optimise: bool = True) -> None:
        """Open a model.

        Args:
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
        if not optimise:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
        try:
            self._session: Any = onnxruntime.InferenceSession(onnx_bytes, options, providers=["CPUExecutionProvider"])
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
