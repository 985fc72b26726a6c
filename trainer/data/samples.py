"""What the loop asks of a training set, and where a sample's randomness comes from."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Sample = dict[str, NDArray[Any]]  # names to arrays; float16 or float32, [C, H, W]


class Samples(Protocol):
    """A training set. It travels to worker processes by pickle, so it holds paths, not pixels.

    Attributes:
        digest: SHA-256 over the names and bytes of the files.
        notes: what was counted among them, a sentence each.
    """

    @property
    def digest(self) -> str: ...

    @property
    def notes(self) -> list[str]: ...

    def __getitem__(self, place: tuple[int, int]) -> Sample:
        """The sample of (iteration, slot): the same arrays in any process, in any order, after any restart."""


def sample_rng(seed: int, iteration: int, slot: int) -> np.random.Generator:
    """The random numbers of one sample."""
    return np.random.default_rng((seed, iteration, slot))
