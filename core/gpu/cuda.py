"""The few CUDA calls that an engine needs. Every return code is looked at."""

import contextlib
import ctypes
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import RuntimeFailure
from vfxgan.gpu.library import cuda_runtime

Array = NDArray[np.float32]
ITEM_BYTES = 4  # float32, the only type at the border of an engine


@dataclass(frozen=True)
class DeviceFacts:
    """What identifies a GPU.

    Attributes:
        driver: the newest CUDA that the driver knows, "13.0".
    """

    name: str
    compute_capability: str
    memory_bytes: int
    driver: str


def call(function: Any, *arguments: Any) -> Any:
    """Call into `cuda.bindings.runtime`.

    Returns:
        What follows the return code: nothing, one value, or a tuple.
    Raises:
        RuntimeFailure: the return code is not success.
    """
    try:
        status, *values = function(*arguments)
    except RuntimeError as error:  # cuda-bindings 12 where there is no driver
        raise RuntimeFailure(f"CUDA: {function.__name__} failed ({error}); check nvidia-smi") from error
    if int(status) != 0:
        reason = getattr(status, "name", str(status))
        hint = "; take a smaller tile or batch" if "MemoryAllocation" in reason else "; check nvidia-smi"
        raise RuntimeFailure(f"CUDA: {function.__name__} gave {reason}{hint}")
    return values[0] if len(values) == 1 else tuple(values) or None


def device_facts(device: int = 0) -> DeviceFacts:
    """Raises MissingExtraError, RuntimeFailure: no driver, no such GPU."""
    cuda = cuda_runtime()
    count = call(cuda.cudaGetDeviceCount)
    if not 0 <= device < count:
        raise RuntimeFailure(f"there is no GPU {device}: the driver sees {count}, counted from 0")
    facts = call(cuda.cudaGetDeviceProperties, device)
    name = facts.name.decode(errors="replace") if isinstance(facts.name, bytes) else str(facts.name)
    driver = call(cuda.cudaDriverGetVersion)
    return DeviceFacts(
        name=name.rstrip("\x00").strip(),
        compute_capability=f"{facts.major}.{facts.minor}",
        memory_bytes=int(facts.totalGlobalMem),
        driver=f"{driver // 1000}.{driver % 1000 // 10}",
    )


def use_device(device: int) -> None:
    """For the calling thread; each thread has a device of its own, and starts with 0."""
    call(cuda_runtime().cudaSetDevice, device)


class Stream:
    """Work in order, beside other streams. `handle` is what TensorRT takes."""

    def __init__(self) -> None:
        self._cuda = cuda_runtime()
        self._stream: Any = call(self._cuda.cudaStreamCreateWithFlags, self._cuda.cudaStreamNonBlocking)
        self.handle = int(self._stream)

    def to_device(self, device: "DeviceMemory", host: "PinnedMemory") -> None:
        """Queue a copy of all of `host`."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        call(self._cuda.cudaMemcpyAsync, device.address, host.address, host.bytes, kind, self._stream)

    def to_host(self, host: "PinnedMemory", device: "DeviceMemory") -> None:
        """Queue a copy that fills all of `host`."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        call(self._cuda.cudaMemcpyAsync, host.address, device.address, host.bytes, kind, self._stream)

    def capture(self, queue: Callable[[], None]) -> "Graph":
        """Note down what `queue` puts on this stream, which is not run now.

        Raises:
            RuntimeFailure: something in it cannot be captured, or whatever `queue` raises; the stream can be used on.
        """
        call(
            self._cuda.cudaStreamBeginCapture,
            self._stream,
            self._cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal,  # other threads may allocate meanwhile
        )
        try:
            queue()
        except BaseException:
            with contextlib.suppress(RuntimeFailure):  # it ends in any case, and says what is known already
                call(self._cuda.cudaGraphDestroy, call(self._cuda.cudaStreamEndCapture, self._stream))
            raise
        return Graph(call(self._cuda.cudaStreamEndCapture, self._stream))

    def launch(self, graph: "Graph") -> None:
        """Queue all that a graph holds."""
        call(self._cuda.cudaGraphLaunch, graph.handle, self._stream)

    def wait(self) -> None:
        """Until all that was queued is done; what failed on the way is raised here."""
        call(self._cuda.cudaStreamSynchronize, self._stream)

    def close(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            call(self._cuda.cudaStreamDestroy, stream)


class Graph:
    """Work that was captured, ready to be queued by one call in place of one a kernel."""

    def __init__(self, captured: Any) -> None:
        self._cuda = cuda_runtime()
        try:
            self.handle: Any = call(self._cuda.cudaGraphInstantiate, captured, 0)
        finally:
            call(self._cuda.cudaGraphDestroy, captured)

    def close(self) -> None:
        if self.handle is not None:
            handle, self.handle = self.handle, None
            call(self._cuda.cudaGraphExecDestroy, handle)


class DeviceMemory:
    """float32 on the GPU."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._cuda = cuda_runtime()
        self.bytes = math.prod(shape) * ITEM_BYTES
        self.address = int(call(self._cuda.cudaMalloc, self.bytes))

    def close(self) -> None:
        if self.address:
            address, self.address = self.address, 0
            call(self._cuda.cudaFree, address)


class PinnedMemory:
    """float32 on the host, where the GPU can fetch it while others work. `array` is valid until `close`."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._cuda = cuda_runtime()
        items = math.prod(shape)
        self.bytes = items * ITEM_BYTES
        self.address = int(call(self._cuda.cudaHostAlloc, self.bytes, self._cuda.cudaHostAllocDefault))
        self.array: Array = np.ctypeslib.as_array((ctypes.c_float * items).from_address(self.address)).reshape(shape)

    def close(self) -> None:
        if self.address:
            address, self.address = self.address, 0
            self.array = np.empty(0, np.float32)  # whoever still reads it gets nothing, not freed memory
            call(self._cuda.cudaFreeHost, address)
