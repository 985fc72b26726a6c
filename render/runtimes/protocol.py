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
    """

    streams: int = 1
    engine: Path | None = None


class Runtime(Protocol):
    """A model that was opened on a device. A context manager; `infer` may be called from `streams` threads at a time.

    Attributes:
        fingerprint: all that decides its bits beside the model and the input.
        input_shape: [1, …]; None where the model takes any height or width.
    """

    @property
    def fingerprint(self) -> Mapping[str, Plain]: ...
    @property
    def input_shape(self) -> tuple[int | None, ...]: ...

    def __enter__(self) -> "Runtime": ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def infer(self, x: Array) -> Array:
        """One frame.

        Args:
            x: float32, of `input_shape`.
        Returns:
            [1, C, H, W] float32, the model's own range; the caller may write into it.
        Raises:
            RuntimeFailure: the runtime failed, or gave another shape or type than a picture's.
        """
        ...
