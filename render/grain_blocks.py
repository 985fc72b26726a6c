"""Small blocks of a plate, spread evenly over it, and what of each is not a smooth shade: for measuring grain."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vfxgan.render.grain_field import kernel

Array = NDArray[np.float32]
Wide = NDArray[np.float64]
Read = Callable[[slice, slice], Array]  # rows, columns of a plate to its light [3, h, w]

SIDE = 16  # px of a block
PAIRS_ACROSS, PAIRS_DOWN = 24, 40  # at most
LAGS = 4


@dataclass(frozen=True)
class Blocks:
    """Blocks that lie in pairs side by side; each was ranked by its neighbour.

    Attributes:
        level: [N, 3], mean light of the block.
        neighbour: [N], variance of the block beside it, all channels together.
        covariance: [N, 3, 3], of what a quadratic shade leaves of the block.
        lagged: [N, 4], its autocovariance at 1 … 4 px, across and down, over its variance.
    """

    level: Wide
    neighbour: Wide
    covariance: Wide
    lagged: Wide

    @property
    def variance(self) -> Wide:
        """[N, 3]."""
        return np.asarray(np.einsum("nii->ni", self.covariance))


def measured_blocks(read: Read, height: int, width: int) -> Blocks | None:
    """Look at a plate; None where it is too small or empty. Pairs that hold nothing but 0 are left out.

    Args:
        read: gives [3, h, w] scene-linear light of rows and columns within [height, width].
    """
    if height < SIDE or width < 2 * SIDE:
        return None
    found: list[tuple[Wide, Wide, Wide]] = []
    for y in _places(height, SIDE, PAIRS_DOWN):
        for x in _places(width, 2 * SIDE, PAIRS_ACROSS):
            pair = read(slice(y, y + SIDE), slice(x, x + 2 * SIDE))
            if pair.any():
                found.append(_statistics(np.stack([pair[..., :SIDE], pair[..., SIDE:]]).astype(np.float64)))
    if not found:
        return None
    level, covariance, lagged = (np.concatenate(values) for values in zip(*found, strict=True))
    total = np.einsum("nii->n", covariance)
    return Blocks(level, total.reshape(-1, 2)[:, ::-1].reshape(-1), covariance, lagged)


def expected(size_px: float) -> tuple[float, Wide]:
    """What a quadratic shade's removal leaves of grain of a size.

    Returns:
        The share of its variance that is left, and its autocorrelation at 1 … 4 px then.
    """
    samples = kernel(size_px)
    correlation = np.zeros(SIDE)
    whole = np.correlate(samples, samples, "full")[len(samples) - 1 :][:SIDE]
    correlation[: len(whole)] = whole
    distance = np.abs(np.arange(SIDE)[:, None] - np.arange(SIDE))
    line = _basis()
    along = np.array([(p * (correlation[distance] * p).sum(axis=1)).sum() for p in line])
    gone = sum(along[i] * along[j] for i, j in _DEGREES) / SIDE**2
    return float(1 - gone), (correlation[1 : LAGS + 1] - gone) / (1 - gone)


_DEGREES = ((0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (0, 2))


@cache
def _basis() -> Wide:
    """[3, 16]: constant, linear and quadratic, orthonormal."""
    place = np.linspace(-1, 1, SIDE)
    square = place**2 - (place**2).mean()
    rows = np.stack([np.ones(SIDE), place, square])
    return np.asarray(rows / np.sqrt((rows**2).sum(axis=1, keepdims=True)))


def _places(length: int, side: int, most: int) -> list[int]:
    """Evenly spread starts, not overlapping."""
    count = min(most, length // side)
    spare = length - side
    return [spare // 2] if count == 1 else [spare * place // (count - 1) for place in range(count)]


def _statistics(blocks: Wide) -> tuple[Wide, Wide, Wide]:
    """Level [2, 3], covariance [2, 3, 3] and lagged [2, 4] of two blocks [2, 3, 16, 16].

    Sums of products only, no matrix library: those add in an order that depends on the number of threads.
    """
    level = blocks.mean(axis=(-2, -1))
    line = _basis()
    rest = blocks - level[..., None, None]
    for down, across in _DEGREES:
        shade = line[down][:, None] * line[across]
        rest -= (rest * shade).sum(axis=(-2, -1), keepdims=True) * shade
    covariance = np.empty((2, 3, 3))
    for one in range(3):
        for other in range(one, 3):
            covariance[:, one, other] = covariance[:, other, one] = (rest[:, one] * rest[:, other]).mean(axis=(-2, -1))
    lagged = np.empty((2, LAGS))
    variance = np.maximum(np.einsum("nii->ni", covariance), np.finfo(np.float64).tiny)
    for lag in range(1, LAGS + 1):
        across_mean = (rest[..., lag:] * rest[..., :-lag]).mean(axis=(-2, -1))
        down_mean = (rest[..., lag:, :] * rest[..., :-lag, :]).mean(axis=(-2, -1))
        lagged[:, lag - 1] = ((across_mean + down_mean) / 2 / variance).mean(axis=1)
    return level, covariance, lagged
