"""Running an engine: one input, one output, float32 at the border, one fixed batch."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import numpy as np

from vfxgan.errors import RuntimeFailure
from vfxgan.gpu.cuda import Array, use_device
from vfxgan.gpu.library import series, tensorrt
from vfxgan.gpu.log import because, make_log
from vfxgan.gpu.slot import Shape, Slot

SLOTS = 2  # while one computes, the other copies
# Before it, two contexts may not use the same range of sizes.
SHARES_PROFILES = (9, 0)


class EngineRunner:
    """An engine on a GPU, with `slots` places to run in; a context manager that frees them.

    `infer` may be called from any thread: each call takes a free slot, or waits for one. Two calls overlap, the copies
    of one with the layers of the other. To time the GPU alone, call `enqueue` and `wait` after an `infer`: they run in
    one slot, on the input that is there already.

    Attributes:
        input_shape: [B, …]; the batch is that of the engine.
        output_shape: [B, C, H, W].
        about: how it runs, for people: how many slots, with CUDA graphs or why without. It changes no pixel.
    """

    def __init__(
        self, engine: bytes, device: int = 0, *, shape: Shape | None = None, host_code: bool = False,
        slots: int = SLOTS, graphs: bool = True,
    ) -> None:  # fmt: skip
        """Load an engine.

        Args:
            engine: its bytes. From a file only by `engine_files.read_engine`, which compares them with their sidecar.
            shape: [B, …] for an engine that takes a range of sizes. None: the size it was made for.
            host_code: the engine was built version-compatible, and the code in it may be run.
            slots: calls of `infer` that can be on the GPU at a time; each has memory for all layers.
            graphs: make a CUDA graph in each slot. Where that cannot be done, `about` says why.
        Raises:
            MissingExtraError, RuntimeFailure: a library is missing, the engine does not fit this machine, no memory.
        """
        self._device = device
        self._changed, self._open = threading.Condition(), True
        self._slots: list[Slot] = []
        use_device(device)
        self._load(engine, host_code)
        try:
            count, reason = self._count(slots)
            no_graph = "" if graphs else "not asked for"
            for _ in range(count):
                no_graph = self._add_slot(shape, no_graph)
        except BaseException:
            self._free_all()
            raise
        self._free = list(self._slots)
        self.about = _about(count, reason, no_graph)

    def _load(self, data: bytes, host_code: bool) -> None:
        trt = tensorrt()
        self._float = trt.DataType.FLOAT
        self._input_mode, self._output_mode = trt.TensorIOMode.INPUT, trt.TensorIOMode.OUTPUT
        self._version = str(trt.__version__)
        self._log = make_log(trt)
        self._runtime: Any = self._made("a runtime", lambda: trt.Runtime(self._log))
        self._runtime.engine_host_code_allowed = host_code
        self._engine: Any = self._made(
            "the engine; build it again on this machine", lambda: self._runtime.deserialize_cuda_engine(data)
        )
        self.input_name, self._output_name = self._names()

    def _made(self, what: str, make: Callable[[], Any]) -> Any:
        """TensorRT gives None, or pybind a TypeError in its place, and the reason goes to the log."""
        try:
            made = make()
        except TypeError as error:
            raise RuntimeFailure(f"TensorRT {self._version} cannot make {what}{because(self._log)}") from error
        if made is None:
            raise RuntimeFailure(f"TensorRT {self._version} cannot make {what}{because(self._log)}")
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

    def _count(self, wanted: int) -> tuple[int, str]:
        """How many slots there can be, and why no more."""
        ranges = -1 in tuple(self._engine.get_tensor_shape(self.input_name))
        if wanted > 1 and ranges and series(self._version) < SHARES_PROFILES:
            return 1, f"TensorRT {self._version} runs an engine of a range of sizes once at a time"
        return wanted, ""

    def _add_slot(self, shape: Shape | None, no_graph: str) -> str:
        """Gives why there is no CUDA graph, "" where there is one."""
        slot = self._make_slot(shape)
        self._slots.append(slot)
        if no_graph:
            return no_graph
        try:
            slot.capture()
        except RuntimeFailure as error:
            # What a capture that failed leaves of a context is not said anywhere: a new one takes its place.
            self._slots.pop().close()
            self._slots.append(self._make_slot(shape))
            return str(error)
        return ""

    def _make_slot(self, shape: Shape | None) -> Slot:
        again = f" for a frame beside {len(self._slots)} other; with --threads 1 there is one" if self._slots else ""
        context = self._made(f"room for its layers{again}", lambda: self._engine.create_execution_context())
        self.input_shape = self._set_input_shape(context, shape)
        self.output_shape = self._output_shape(context)
        return Slot(context, (self.input_name, self._output_name), (self.input_shape, self.output_shape), self._log)

    def _set_input_shape(self, context: Any, wanted: Shape | None) -> Shape:
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
        if not fits or not context.set_input_shape(name, shape):
            raise RuntimeFailure(f"the engine takes {list(low)} to {list(high)}, not {list(shape)}")
        return shape

    def _output_shape(self, context: Any) -> Shape:
        shape = tuple(context.get_tensor_shape(self._output_name))
        if len(shape) != 4 or min(shape) < 1 or shape[0] != self.input_shape[0]:
            raise RuntimeFailure(f"the engine gives {list(shape)} for {list(self.input_shape)}: build it again")
        return shape

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
        with self._free_slot() as slot:
            use_device(self._device)  # each thread has its own
            return slot.infer(x)

    @contextlib.contextmanager
    def _free_slot(self) -> Iterator[Slot]:
        with self._changed:
            self._changed.wait_for(lambda: self._free or not self._open)
            if not self._open:
                raise RuntimeFailure("the engine was closed; open it again")
            slot = self._free.pop()
        try:
            yield slot
        finally:
            with self._changed:
                self._free.append(slot)
                self._changed.notify_all()

    def enqueue(self) -> None:
        """Queue one run on the input that is on the GPU already. Raises RuntimeFailure."""
        self._slots[-1].enqueue()

    def wait(self) -> None:
        """Until all that `enqueue` queued is done. Raises RuntimeFailure: the GPU failed."""
        self._slots[-1].stream.wait()

    def close(self) -> None:
        """Free everything, when the calls that are on the GPU have ended; twice is fine."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(self._free) == len(self._slots))
            self._free = []
            use_device(self._device)
            self._free_all()

    def _free_all(self) -> None:
        while self._slots:
            self._slots.pop().close()
        self._engine = self._runtime = None

    def __enter__(self) -> "EngineRunner":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _about(slots: int, reason: str, no_graph: str) -> str:
    frames = f"{slots} at a time on the GPU{f' ({reason})' if reason else ''}"
    return f"{frames}, {f'without CUDA graphs ({no_graph})' if no_graph else 'by CUDA graphs'}"
