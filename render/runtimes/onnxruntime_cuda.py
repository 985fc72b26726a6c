"""ONNX Runtime on an NVIDIA GPU, and on nothing else: what the GPU cannot run is an error, never left to the CPU."""

import contextlib
import io
from typing import Any

from vfxgan.errors import RuntimeFailure
from vfxgan.gpu.cuda import device_facts
from vfxgan.modelfile import ModelFile
from vfxgan.recipe import Plain
from vfxgan.render.runtimes.checks import importing
from vfxgan.render.runtimes.fingerprint import gpu_fingerprint
from vfxgan.render.runtimes.onnxruntime_session import OnnxRuntimeSession
from vfxgan.render.runtimes.packages import installed
from vfxgan.render.runtimes.protocol import RuntimeOptions

CUDA = "CUDAExecutionProvider"
# Repeatable and true to the file: no TF32 in FP32 layers, and convolutions that are chosen by rule, not by stopwatch.
PROVIDER_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
SETTINGS = {"session.disable_cpu_ep_fallback": "1"}


class OnnxRuntimeCuda(OnnxRuntimeSession):
    """One session on one GPU; frames of several threads follow each other there."""

    def __init__(self, model: ModelFile, options: RuntimeOptions) -> None:
        with importing("onnxruntime", extra="gpu"):
            import onnxruntime
        offered = onnxruntime.get_available_providers()
        if CUDA not in offered:
            raise RuntimeFailure(
                f"the onnxruntime that is installed has no CUDA (it offers {', '.join(offered)}): "
                "pip uninstall onnxruntime, then pip install 'vfxgan[gpu]'"
            )
        facts = device_facts(options.gpu)
        _load_libraries(onnxruntime)
        super().__init__(
            onnxruntime, model, [(CUDA, {"device_id": str(options.gpu)} | PROVIDER_OPTIONS)], SETTINGS, batched=True
        )
        given = self._session.get_providers()
        if not given or given[0] != CUDA:
            raise RuntimeFailure(
                f"onnxruntime was asked for CUDA and gave {', '.join(given) or 'nothing'}: CUDA or cuDNN cannot be "
                "loaded; pip install 'vfxgan[gpu]' brings both"
            )
        versions: dict[str, Plain] = {"cuda": onnxruntime.cuda_version, "cudnn": _cudnn_version()}
        self.fingerprint = gpu_fingerprint("onnxruntime-cuda", onnxruntime.__version__, model.spec, facts) | versions

    def __enter__(self) -> "OnnxRuntimeCuda":
        return self


def _load_libraries(onnxruntime: Any) -> None:
    """CUDA and cuDNN from their wheels. What cannot be found it prints to stdout, which belongs to the progress."""
    with contextlib.redirect_stdout(io.StringIO()):
        onnxruntime.preload_dlls()


def _cudnn_version() -> str:
    return next((found for major in (13, 12) if (found := installed(f"nvidia-cudnn-cu{major}"))), "of the system")
