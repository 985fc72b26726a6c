"""ONNX Runtime on CPU cores."""

from vfxgan.modelfile import ModelFile
from vfxgan.render.runtimes.checks import importing
from vfxgan.render.runtimes.fingerprint import cpu_fingerprint
from vfxgan.render.runtimes.onnxruntime_session import OnnxRuntimeSession
from vfxgan.render.runtimes.protocol import RuntimeOptions


class OnnxRuntimeCpu(OnnxRuntimeSession):
    """One session for all threads; each runs on the thread that calls it."""

    def __init__(self, model: ModelFile, options: RuntimeOptions) -> None:
        with importing("onnxruntime"):
            import onnxruntime
        super().__init__(onnxruntime, model, ["CPUExecutionProvider"], {})
        self.fingerprint = cpu_fingerprint("onnxruntime", onnxruntime.__version__)

    def __enter__(self) -> "OnnxRuntimeCpu":
        return self
