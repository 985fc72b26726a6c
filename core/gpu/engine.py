"""Running an engine: one input, one output, float32 at the border, one fixed batch."""

import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np

from vfxgan.errors import RuntimeFailure
from vfxgan.gpu.cuda import Array, DeviceMemory, PinnedMemory, Stream, use_device
from vfxgan.gpu.library import tensorrt
from vfxgan.gpu.log import because, make_log

Shape = tuple[int, ...]


class EngineRunner:
    """An engine on a GPU, with its memory and stream; a context manager that frees them.

    `infer` may be called from any thread, by one at a time: others wait. To time the GPU alone, call `enqueue` and
    `wait` after an `infer`: they run on the input that is there already.

    Attributes:
        input_shape: [B, …]; the batch is that of the engine.
        output_shape: [B, C, H, W].
    """

    def __init__(self, engine: bytes, device: int = 0, *, shape: Shape | None = None, host_code: bool = False) -> None:
        """Load an engine.

        Args:
            engine: its bytes. From a file only by `engine_files.read_engine`, which compares them with their sidecar.
            shape: [B, …] for an engine that takes a range of sizes. None: the size it was made for.
            host_code: the engine was built version-compatible, and the code in it may be run.
        Raises:
            MissingExtraError, RuntimeFailure: a library is missing, the engine does not fit this machine, no memory.
        """
        self._device, self._busy, self._closing = device, threading.Lock(), contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            use_device(device)
            self._load(engine, host_code)
            self.input_name, output_name = self._names()
            self.input_shape = self._set_input_shape(shape)
            self.output_shape = self._output_shape(output_name)
            self._stream = _kept(undo, Stream())
            self._device_in = _kept(undo, DeviceMemory(self.input_shape))
            self._device_out = _kept(undo, DeviceMemory(self.output_shape))
            self._host_in = _kept(undo, PinnedMemory(self.input_shape))
            self._host_out = _kept(undo, PinnedMemory(self.output_shape))
            self._bind(self.input_name, self._device_in)
            self._bind(output_name, self._device_out)
            self._closing = undo.pop_all()

    def _load(self, data: bytes, host_code: bool) -> None:
        trt = tensorrt()
        self._float = trt.DataType.FLOAT
        self._input_mode, self._output_mode = trt.TensorIOMode.INPUT, trt.TensorIOMode.OUTPUT
        self._log = make_log(trt)
        self._runtime: Any = self._made("a runtime", lambda: trt.Runtime(self._log))
        self._runtime.engine_host_code_allowed = host_code
        self._engine: Any = self._made(
            "the engine; build it again on this machine", lambda: self._runtime.deserialize_cuda_engine(data)
        )
        self._context: Any = self._made("room for its layers", lambda: self._engine.create_execution_context())

    def _made(self, what: str, make: Callable[[], Any]) -> Any:
        """TensorRT gives None, or pybind a TypeError in its place, and the reason goes to the log."""
        try:
            made = make()
        except TypeError as error:
            raise RuntimeFailure(f"TensorRT {tensorrt().__version__} cannot make {what}{because(self._log)}") from error
        if made is None:
            raise RuntimeFailure(f"TensorRT {tensorrt().__version__} cannot make {what}{because(self._log)}")
        return made

    def _names(self) -> tuple[str, str]:
        engine = self._engine
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = [name for name in names if engine.get_tensor_mode(name) == self._input_mode]
        outputs = [name for name in names if engine.get_tensor_mode(name) == self._output_mode]
        plain = all(engine.get_tensor_dtype(name) == self._float for name in names)
        if len(inputs) != 1 or len(outputs) != 1 or not plain:
            raise RuntimeFailure(
                f"the engine has inputs {inputs} and outputs {outputs}; one float32 each is needed: build it again"
            )
        return inputs[0], outputs[0]

    def _set_input_shape(self, wanted: Shape | None) -> Shape:
        """An engine of one size has it already; one of many is told."""
        engine, name = self._engine, self.input_name
        built = tuple(engine.get_tensor_shape(name))
        if -1 not in built:
            if wanted not in (None, built):
                raise RuntimeFailure(f"the engine takes {list(built)}, not {list(wanted or ())}")
            return built
        low, best, high = (tuple(shape) for shape in engine.get_tensor_profile_shape(name, 0))
        shape = wanted or best
        fits = len(shape) == len(low) and all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True))
        if not fits or not self._context.set_input_shape(name, shape):
            raise RuntimeFailure(f"the engine takes {list(low)} to {list(high)}, not {list(shape)}")
        return shape

    def _output_shape(self, name: str) -> Shape:
        shape = tuple(self._context.get_tensor_shape(name))
        if len(shape) != 4 or min(shape) < 1 or shape[0] != self.input_shape[0]:
            raise RuntimeFailure(f"the engine gives {list(shape)} for {list(self.input_shape)}: build it again")
        return shape

    def _bind(self, name: str, memory: DeviceMemory) -> None:
        if not self._context.set_tensor_address(name, memory.address):
            raise RuntimeFailure(f"TensorRT does not take the memory for {name!r}{because(self._log)}")

    def infer(self, x: Array) -> Array:
        """Run one batch.

        Args:
            x: [b, …] float32 with 1 ≤ b ≤ B; a short batch is filled up with its last entry.
        Returns:
            [b, C, H, W] float32, a copy.
        Raises:
            RuntimeFailure: another shape or type, or the GPU failed.
        """
        count, batch = (x.shape[0] if x.ndim else 0), self.input_shape[0]
        if x.dtype != np.float32 or x.shape[1:] != self.input_shape[1:] or not 1 <= count <= batch:
            raise RuntimeFailure(
                f"input is {x.dtype} {list(x.shape)}, the engine takes float32 {list(self.input_shape)}"
            )
        with self._busy:
            if not self._device_in.address:
                raise RuntimeFailure("the engine was closed; open it again")
            use_device(self._device)
            self._host_in.array[:count] = x
            self._host_in.array[count:] = x[-1]
            self._stream.to_device(self._device_in, self._host_in)
            self.enqueue()
            self._stream.to_host(self._host_out, self._device_out)
            self._stream.wait()
            picture: Array = self._host_out.array[:count].copy()
            return picture

    def enqueue(self) -> None:
        """Queue one run on the input that is on the GPU already. Raises RuntimeFailure."""
        if not self._context.execute_async_v3(self._stream.handle):
            raise RuntimeFailure(f"TensorRT could not run the engine{because(self._log)}")

    def wait(self) -> None:
        """Until all that was queued is done. Raises RuntimeFailure: the GPU failed."""
        self._stream.wait()

    def close(self) -> None:
        """Free everything; twice is fine."""
        with self._busy:
            use_device(self._device)
            self._closing.close()
            self._context = self._engine = self._runtime = None

    def __enter__(self) -> "EngineRunner":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _kept(stack: contextlib.ExitStack, made: Any) -> Any:
    stack.callback(made.close)
    return made
