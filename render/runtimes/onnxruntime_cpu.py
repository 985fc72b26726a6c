"""ONNX Runtime on CPU cores."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np

from vfxgan.errors import RuntimeFailure
from vfxgan.modelfile import ModelFile
from vfxgan.recipe import Plain
from vfxgan.render.runtimes.checks import check_input, check_picture, importing, known_shape
from vfxgan.render.runtimes.fingerprint import cpu_fingerprint
from vfxgan.render.runtimes.protocol import Array, RuntimeOptions

ERRORS_ONLY = 3


class OnnxRuntimeCpu:
    """One session without threads of its own: it runs on whichever thread calls it, so N callers use N cores."""

    def __init__(self, model: ModelFile, options: RuntimeOptions) -> None:
        with importing("onnxruntime"):
            import onnxruntime
        self.model = model
        self._session: Any = self._open(onnxruntime, model)
        source = self._session.get_inputs()
        if len(source) != 1 or source[0].type != "tensor(float)":
            raise RuntimeFailure(f"{model.path}: needs one float32 input; export the model again")
        self._input_name = source[0].name
        self.input_shape = known_shape(source[0].shape, model)
        self.fingerprint: Mapping[str, Plain] = cpu_fingerprint("onnxruntime", onnxruntime.__version__)

    @staticmethod
    def _open(onnxruntime: Any, model: ModelFile) -> Any:
        onnxruntime.set_default_logger_severity(ERRORS_ONLY)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        settings.inter_op_num_threads = 1
        settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        settings.log_severity_level = ERRORS_ONLY
        try:
            return onnxruntime.InferenceSession(model.read(), settings, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise RuntimeFailure(f"{model.path}: onnxruntime cannot load it ({_reason(error)})") from error

    def __enter__(self) -> "OnnxRuntimeCpu":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session = None

    def infer(self, x: Array) -> Array:
        """See `Runtime.infer`."""
        check_input(x, self.input_shape)
        try:
            (picture,) = self._session.run(None, {self._input_name: np.ascontiguousarray(x)})
        except Exception as error:
            raise RuntimeFailure(f"{self.model.path}: onnxruntime failed ({_reason(error)})") from error
        return check_picture(picture, self.model, x)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
