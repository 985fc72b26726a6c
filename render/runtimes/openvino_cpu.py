"""OpenVINO on CPU cores."""

import os
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np

from vfxgan.errors import RuntimeFailure
from vfxgan.modelfile import ModelFile
from vfxgan.recipe import Plain
from vfxgan.render.runtimes.checks import check_input, check_picture, importing, static_shape
from vfxgan.render.runtimes.fingerprint import cpu_fingerprint
from vfxgan.render.runtimes.protocol import Array, RuntimeOptions

ISA_VARIABLE = "ONEDNN_MAX_CPU_ISA"


class OpenVinoCpu:
    """One compiled model with as many single-threaded streams as there are callers; each caller owns a request."""

    def __init__(self, model: ModelFile, options: RuntimeOptions) -> None:
        # Its telemetry would call home from a farm node.
        os.environ.setdefault("OPENVINO_TELEMETRY_OPT_OUT", "1")
        with importing("openvino"):
            import openvino
        self.model = model
        self._requests = threading.local()
        self._compiled: Any = self._compile(openvino, model, options.streams)
        if len(self._compiled.inputs) != 1 or self._compiled.input(0).element_type != openvino.Type.f32:
            raise RuntimeFailure(f"{model.path}: needs one float32 input; export the model again")
        partial = self._compiled.input(0).partial_shape
        self.input_shape = static_shape([side.get_length() if side.is_static else None for side in partial], model)
        isa = os.environ.get(ISA_VARIABLE, "")
        version = str(openvino.__version__).partition("-")[0]
        self.fingerprint: Mapping[str, Plain] = cpu_fingerprint("openvino", version, f"onednn {isa}" if isa else "")
        # The binding's first inference sets up statics while it holds the GIL: two threads that both come first wait
        # for each other for ever (seen with 2026.4). So the first one is made here, alone.
        self.infer(np.zeros(self.input_shape, np.float32))

    @staticmethod
    def _compile(openvino: Any, model: ModelFile, streams: int) -> Any:
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # on CPUs with bf16 it would choose that by itself
            "EXECUTION_MODE_HINT": "ACCURACY",
            "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": str(streams),
            "ENABLE_CPU_PINNING": "NO",
        }
        try:
            core = openvino.Core()
            return core.compile_model(core.read_model(model.read(), b""), "CPU", settings)
        except Exception as error:
            raise RuntimeFailure(f"{model.path}: openvino cannot load it ({_reason(error)})") from error

    def __enter__(self) -> "OpenVinoCpu":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._requests = threading.local()
        self._compiled = None

    def infer(self, x: Array) -> Array:
        """See `Runtime.infer`."""
        check_input(x, self.input_shape)
        try:
            request = self._request()
            request.infer({0: np.ascontiguousarray(x)}, share_inputs=True)
            picture = request.get_output_tensor(0).data.copy()  # the request's own buffer is used again
        except RuntimeError as error:
            raise RuntimeFailure(f"{self.model.path}: openvino failed ({_reason(error)})") from error
        return check_picture(picture, self.model)

    def _request(self) -> Any:
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        return self._requests.own


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
