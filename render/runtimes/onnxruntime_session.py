"""What ONNX Runtime's sessions have in common, on any device."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from vfxgan.errors import RuntimeFailure
from vfxgan.modelfile import ModelFile
from vfxgan.recipe import Plain
from vfxgan.render.runtimes.checks import check_input, check_picture, filled, known_shape, static_batch
from vfxgan.render.runtimes.protocol import Array

FATAL_ONLY = 4  # its errors come as exceptions too, and are told in one line of ours

Provider = str | tuple[str, dict[str, str]]


class OnnxRuntimeSession:
    """One session without threads of its own: it runs on whichever thread calls it, so N callers use N cores.

    Args:
        onnxruntime: the module.
        settings: of the session, entries of its configuration.
        batched: a model that is made for several frames at a time gets that many; else it is refused.
    Raises:
        RuntimeFailure: it cannot load the model, or the model is not what its spec says.
    """

    fingerprint: Mapping[str, Plain]
    about = ""

    def __init__(
        self, onnxruntime: Any, model: ModelFile, providers: Sequence[Provider], settings: Mapping[str, str],
        *, batched: bool = False,
    ) -> None:  # fmt: skip
        self.model = model
        self._session: Any = _open(onnxruntime, model, providers, settings)
        source = self._session.get_inputs()
        if len(source) != 1 or source[0].type != "tensor(float)":
            raise RuntimeFailure(f"{model.path}: needs one float32 input; export the model again")
        self._input_name = source[0].name
        self.batch = static_batch(source[0].shape) if batched else 1
        self.input_shape = known_shape(source[0].shape, model, self.batch)

    def infer(self, x: Array) -> Array:
        """See `Runtime.infer`."""
        check_input(x, self.input_shape, self.batch)
        whole = filled(x, self.batch)
        try:
            (picture,) = self._session.run(None, {self._input_name: whole})
        except Exception as error:
            raise RuntimeFailure(f"{self.model.path}: onnxruntime failed ({_reason(error)})") from error
        return check_picture(picture, self.model, whole)[: x.shape[0]]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session = None


def _open(onnxruntime: Any, model: ModelFile, providers: Sequence[Provider], settings: Mapping[str, str]) -> Any:
    onnxruntime.set_default_logger_severity(FATAL_ONLY)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = FATAL_ONLY
    # A plan of memory for every size of input makes the arena grow anew for each: tiles of four sizes on two threads
    # spent a sixth of their CPU time in page faults.
    options.enable_mem_pattern = False
    for name, value in settings.items():
        options.add_session_config_entry(name, value)
    try:
        return onnxruntime.InferenceSession(model.read(), options, providers=list(providers))
    except Exception as error:  # its exceptions have no common base
        raise RuntimeFailure(f"{model.path}: onnxruntime cannot load it ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
