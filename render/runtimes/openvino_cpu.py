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
from vfxgan.render.runtimes.checks import check_input, check_picture, importing, known_shape, smallest_input
from vfxgan.render.runtimes.fingerprint import cpu_fingerprint
from vfxgan.render.runtimes.protocol import Array, RuntimeOptions

# Compiled models kept at a time, each with weights of its own: the tiles of one picture have up to nine sizes, inside,
# at four sides and in four corners.
MAX_SIZES = 9


class OpenVinoCpu:
    """A compiled model with as many single-threaded streams as there are callers; each caller owns a request.

    A model that takes any size is compiled for each size that comes: shapes stay static, and so do its kernels.
    """

    batch = 1
    about = ""

    def __init__(self, model: ModelFile, options: RuntimeOptions) -> None:
        # Its telemetry would call home from a farm node.
        os.environ.setdefault("OPENVINO_TELEMETRY_OPT_OUT", "1")
        with importing("openvino"):
            import openvino
        self.model = model
        self._streams = options.streams
        self._lock = threading.Lock()
        self._compiled: dict[tuple[int, ...], _Compiled] = {}
        self._core: Any = openvino.Core()
        self._source: Any = self._read()
        if len(self._source.inputs) != 1 or self._source.input(0).element_type != openvino.Type.f32:
            raise RuntimeFailure(f"{model.path}: needs one float32 input; export the model again")
        partial = self._source.input(0).partial_shape
        self.input_shape = known_shape([side.get_length() if side.is_static else None for side in partial], model)
        version = str(openvino.__version__).partition("-")[0]
        self.fingerprint: Mapping[str, Plain] = cpu_fingerprint("openvino", version, onednn=True)
        # The binding's first inference sets up statics while it holds the GIL: two threads that both come first wait
        # for each other for ever (seen with 2026.4). So the first one is made here, alone.
        self.infer(smallest_input(self.input_shape, model))

    def _read(self) -> Any:
        try:
            return self._core.read_model(self.model.read(), b"")
        except Exception as error:
            raise RuntimeFailure(f"{self.model.path}: openvino cannot load it ({_reason(error)})") from error

    def _compile(self, shape: tuple[int, ...]) -> Any:
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # on CPUs with bf16 it would choose that by itself
            "EXECUTION_MODE_HINT": "ACCURACY",
            "NUM_STREAMS": str(self._streams),
            "INFERENCE_NUM_THREADS": str(self._streams),
            "ENABLE_CPU_PINNING": "NO",
        }
        try:
            source = self._source.clone()
            source.reshape(list(shape))
            return self._core.compile_model(source, "CPU", settings)
        except Exception as error:
            raise RuntimeFailure(f"{self.model.path}: openvino cannot load it ({_reason(error)})") from error

    def __enter__(self) -> "OpenVinoCpu":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._compiled.clear()
        self._source = self._core = None

    def infer(self, x: Array) -> Array:
        """See `Runtime.infer`."""
        check_input(x, self.input_shape)
        try:
            request = self._request(x.shape)
            request.infer({0: np.ascontiguousarray(x)}, share_inputs=True)
            picture = request.get_output_tensor(0).data.copy()  # the request's own buffer is used again
        except RuntimeError as error:
            raise RuntimeFailure(f"{self.model.path}: openvino failed ({_reason(error)})") from error
        return check_picture(picture, self.model, x)

    def _request(self, shape: tuple[int, ...]) -> Any:
        with self._lock:  # two threads with plates of one new size compile it once
            compiled = self._compiled.pop(shape, None) or _Compiled(self._compile(shape))
            self._compiled[shape] = compiled  # the last one used stands last
            if len(self._compiled) > MAX_SIZES:
                del self._compiled[next(iter(self._compiled))]
            return compiled.request()


class _Compiled:
    """A model compiled for one size, with a request for each thread that calls."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._requests = threading.local()

    def request(self) -> Any:
        if not hasattr(self._requests, "own"):
            self._requests.own = self._model.create_infer_request()
        return self._requests.own


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
