"""CUDA's own functions as autospecs, over this machine's memory: copies are copies, and what is not freed shows."""

import ctypes
from typing import Any
from unittest.mock import create_autospec


class CudaMemory:
    """Stands in for `cuda.bindings.runtime`.

    Attributes:
        blocks: what is allocated, by address.
        streams: how many are open.
    """

    def __init__(self, real: Any) -> None:
        self.real, self.blocks, self.streams = real, {}, 0
        self.failing: str | None = None
        self.freed = 0

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
        success = (self.real.cudaError_t.cudaSuccess,)
        return success if value is None else (*success, value)

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
        self.streams += 1
        return self.real.cudaStream_t(7)

    def _cudaStreamDestroy(self, stream: Any) -> None:  # noqa: N802
        self.streams -= 1

    def _cudaStreamSynchronize(self, stream: Any) -> None:  # noqa: N802
        assert int(stream) == 7

    def _cudaMemcpyAsync(self, target: int, source: int, count: int, kind: Any, stream: Any) -> None:  # noqa: N802
        assert len(self.blocks[target]) >= count
        assert len(self.blocks[source]) >= count
        ctypes.memmove(target, source, count)
