"""What every runtime offers the pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vfxgan.recipe import Plain

Array = NDArray[np.float32]


@dataclass(frozen=True)
class RuntimeOptions:
    """What a runtime must know beforehand.

    Attributes:
        streams: how many threads will call `infer` at a time; on a CPU each gets one single-threaded stream.
        engine: the TensorRT engine to use; None: the one beside the model.
        gpu: number of the GPU, as the driver counts.
    """

    streams: int = 1
    engine: Path | None = None
    gpu: int = 0


class Runtime(Protocol):
    """A model that was opened on a device. A context manager; `infer` may be called from `streams` threads at a time.

    Attributes:
        fingerprint: all that decides its bits beside the model and the input.
        input_shape: of one frame: [1, …]; None where the model takes any height or width.
        about: how it runs, where that changes no pixel and can be one way or another; "" where there is nothing to say.
        batch: how many frames `infer` takes at most. 1 on CPUs; what is made for more always runs all of it.
    """

    @property
    def fingerprint(self) -> Mapping[str, Plain]: ...
    @property
    def input_shape(self) -> tuple[int | None, ...]: ...
    @property
    def batch(self) -> int: ...
    @property
    def about(self) -> str: ...

    def __enter__(self) -> "Runtime": ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def infer(self, x: Array) -> Array:
        """One frame, or up to `batch` of them.

        Args:
            x: [b, …] float32 with 1 ≤ b ≤ `batch`, the rest of `input_shape`; a short batch is filled up inside.
        Returns:
            [b, C, H, W] float32, the model's own range; the caller may write into it.
        Raises:
            RuntimeFailure: the runtime failed, or gave another shape or type than a picture's.
        """
        ...
