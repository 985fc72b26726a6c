"""CUDA's own functions as autospecs, over this machine's memory.

Streams are real queues: nothing is done until somebody waits for it, so that code which reads too early reads what is
old. What is not freed shows.
"""

import ctypes
import threading
from collections.abc import Callable
from typing import Any
from unittest.mock import create_autospec

Work = tuple[str, Callable[[], None]]
FIRST_STREAM = 7


class CudaMemory:
    """Stands in for `cuda.bindings.runtime`.

    Attributes:
        blocks: what is allocated, by address.
        streams: what is queued on each open stream, by its handle.
        graphs: what is captured or ready to be launched, by handle.
        log: (what, stream) in the order in which it was queued or waited for.
        failing: the name of a function that gives an error.
        meeting: where threads that wait for a stream wait for each other first.
    """

    def __init__(self, real: Any) -> None:
        self.real, self.blocks = real, {}
        self.streams: dict[int, list[Work]] = {}
        self.graphs: dict[int, list[Work]] = {}
        self.capturing: dict[int, list[Work]] = {}
        self.log: list[tuple[str, int]] = []
        self.failing: str | None = None
        self.meeting: threading.Barrier | None = None
        self.freed = self._handles = 0

    def __getattr__(self, name: str) -> Any:
        original = getattr(self.real, name)  # AttributeError: this release has no such name
        if not name.startswith("cuda") or isinstance(original, type | int):
            return original
        answer = getattr(self, f"_{name}", None)
        assert answer is not None, f"{name} has no stand-in here"
        spec = create_autospec(original)  # checks number and names of the arguments
        spec.side_effect = lambda *args: self._answered(name, answer, args)
        spec.__name__ = name
        return spec

    def _answered(self, name: str, answer: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        if name == self.failing:
            return (self.real.cudaError_t.cudaErrorMemoryAllocation, None)
        value = answer(*args)
        if isinstance(value, self.real.cudaError_t):
            return (value, None)
        success = (self.real.cudaError_t.cudaSuccess,)
        return success if value is None else (*success, value)

    def left(self) -> list[int]:
        """What nobody freed: blocks, streams, graphs."""
        return [len(self.blocks), len(self.streams), len(self.graphs)]

    def queue(self, stream: int, what: str, run: Callable[[], None]) -> None:
        """Put work on a stream, or into the graph that is captured from it."""
        self.log.append((what, stream))
        self.capturing.get(stream, self.streams[stream]).append((what, run))

    def is_capturing(self, stream: int) -> bool:
        return stream in self.capturing

    def _cudaGetDeviceCount(self) -> int:  # noqa: N802  # CUDA's names
        return 1

    def _cudaSetDevice(self, device: int) -> None:  # noqa: N802
        assert device == 0

    def _cudaGetDeviceProperties(self, device: int) -> Any:  # noqa: N802
        facts = self.real.cudaDeviceProp()
        facts.name, facts.major, facts.minor, facts.totalGlobalMem = b"NVIDIA Rig 5".ljust(256, b"\0"), 8, 6, 24 << 30
        return facts

    def _cudaDriverGetVersion(self) -> int:  # noqa: N802
        return 13010

    def _cudaMalloc(self, size: int) -> int:  # noqa: N802
        block = ctypes.create_string_buffer(size)
        self.blocks[ctypes.addressof(block)] = block
        return ctypes.addressof(block)

    def _cudaHostAlloc(self, size: int, flags: int) -> int:  # noqa: N802
        return self._cudaMalloc(size)

    def _cudaFree(self, address: int) -> None:  # noqa: N802
        del self.blocks[address]
        self.freed += 1

    _cudaFreeHost = _cudaFree  # noqa: N815

    def _cudaStreamCreateWithFlags(self, flags: int) -> Any:  # noqa: N802
        assert flags == self.real.cudaStreamNonBlocking
        handle = FIRST_STREAM + self._next()
        self.streams[handle] = []
        return self.real.cudaStream_t(handle)

    def _cudaStreamDestroy(self, stream: Any) -> None:  # noqa: N802
        assert not self.streams.pop(int(stream)), "work was left on it"

    def _cudaStreamSynchronize(self, stream: Any) -> Any:  # noqa: N802
        if self.meeting is not None:
            self.meeting.wait()
        self.log.append(("wait", int(stream)))
        assert not self.is_capturing(int(stream))
        work, self.streams[int(stream)] = self.streams[int(stream)], []
        for _, run in work:
            run()

    def _cudaMemcpyAsync(self, target: int, source: int, count: int, kind: Any, stream: Any) -> None:  # noqa: N802
        assert len(self.blocks[target]) >= count
        assert len(self.blocks[source]) >= count
        self.queue(int(stream), kind.name, lambda: ctypes.memmove(target, source, count) and None)

    def _cudaStreamBeginCapture(self, stream: Any, mode: Any) -> None:  # noqa: N802
        assert mode == self.real.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        assert not self.streams[int(stream)], "work is still to be waited for"
        self.log.append(("capture", int(stream)))
        self.capturing[int(stream)] = []

    def _cudaStreamEndCapture(self, stream: Any) -> Any:  # noqa: N802
        captured = self.capturing.pop(int(stream))
        if not captured:
            return self.real.cudaError_t.cudaErrorStreamCaptureInvalidated
        return self._graph(self.real.cudaGraph_t, captured)

    def _cudaGraphInstantiate(self, graph: Any, flags: int) -> Any:  # noqa: N802
        assert flags == 0
        return self._graph(self.real.cudaGraphExec_t, self.graphs[int(graph)])

    def _cudaGraphLaunch(self, graph: Any, stream: Any) -> None:  # noqa: N802
        self.log.append(("launch", int(stream)))
        self.streams[int(stream)].extend(self.graphs[int(graph)])

    def _cudaGraphDestroy(self, graph: Any) -> None:  # noqa: N802
        del self.graphs[int(graph)]

    _cudaGraphExecDestroy = _cudaGraphDestroy  # noqa: N815

    def _graph(self, kind: Any, work: list[Work]) -> Any:
        handle = 1000 + self._next()
        self.graphs[handle] = work
        return kind(handle)

    def _next(self) -> int:
        self._handles += 1
        return self._handles - 1
