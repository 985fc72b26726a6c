"""One place where an engine runs: a context, a stream and memory of its own, so that two work beside each other."""

import contextlib
from typing import Any

from vfxgan.errors import RuntimeFailure
from vfxgan.gpu.cuda import Array, DeviceMemory, Graph, PinnedMemory, Stream
from vfxgan.gpu.log import because

Shape = tuple[int, ...]


class Slot:
    """Used by one thread at a time. Nothing waits between copy, engine and copy back: the GPU does them in order.

    Memory is allocated once and pinned on the host, since only from there the GPU fetches while others compute.

    Args:
        context: `tensorrt.IExecutionContext`, its input shape set.
        names: of input and output.
        shapes: of input and output, [B, …] each.
        log: `log.make_log`.
    Raises:
        RuntimeFailure: no memory; what was allocated is freed.
    """

    def __init__(self, context: Any, names: tuple[str, str], shapes: tuple[Shape, Shape], log: Any) -> None:
        self._context, self._log = context, log
        self._graph: Graph | None = None
        with contextlib.ExitStack() as undo:
            self.stream = _kept(undo, Stream())
            self._device_in, self._device_out = (_kept(undo, DeviceMemory(shape)) for shape in shapes)
            self._host_in, self._host_out = (_kept(undo, PinnedMemory(shape)) for shape in shapes)
            for name, memory in zip(names, (self._device_in, self._device_out), strict=True):
                if not context.set_tensor_address(name, memory.address):
                    raise RuntimeFailure(f"TensorRT does not take the memory for {name!r}{because(log)}")
            self._closing = undo.pop_all()

    def capture(self) -> None:
        """Make a CUDA graph of the engine, for `enqueue`. Shapes and addresses never change, so that it stays right.

        Raises:
            RuntimeFailure: the engine has parts that cannot be captured; the slot is to be closed.
        """
        self._execute()  # the first run sets things up that must not happen in a capture
        self.stream.wait()
        self._graph = self.stream.capture(self._execute)

    def infer(self, x: Array) -> Array:
        """[b, …] to [b, C, H, W], a copy; b at most the batch, a short one is filled up with its last entry.

        Raises:
            RuntimeFailure: the GPU failed.
        """
        count = x.shape[0]
        self._host_in.array[:count] = x
        self._host_in.array[count:] = x[-1]
        try:
            self.stream.to_device(self._device_in, self._host_in)
            self.enqueue()
            self.stream.to_host(self._host_out, self._device_out)
        except BaseException:
            with contextlib.suppress(RuntimeFailure):  # nothing may still run on memory that the next one uses
                self.stream.wait()
            raise
        self.stream.wait()
        picture: Array = self._host_out.array[:count].copy()
        return picture

    def enqueue(self) -> None:
        """Queue one run on the input that is on the GPU already. Raises RuntimeFailure."""
        if self._graph is None:
            self._execute()
        else:
            self.stream.launch(self._graph)

    def _execute(self) -> None:
        if not self._context.execute_async_v3(self.stream.handle):
            raise RuntimeFailure(f"TensorRT could not run the engine{because(self._log)}")

    def close(self) -> None:
        """Free everything; twice is fine."""
        if self._graph is not None:
            self._graph.close()
        self._closing.close()
        self._context = None


def _kept(stack: contextlib.ExitStack, made: Any) -> Any:
    stack.callback(made.close)
    return made
