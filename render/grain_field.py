"""Random numbers that belong to a place: of a frame, a channel and a pixel, whatever region is asked for.

Integer arithmetic makes them, so they are the same on every machine; sums of four equal shares stand for normals.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# Multipliers and shifts of a 32-bit mixer found by search: Wellons, "Prospecting for hash functions", lowbias32.
_MIX = ((16, 0x7FEB352D), (15, 0x846CA68B))
_LAST_SHIFT = 16
_WORD = 0xFFFFFFFF

_SHARES = 4  # of 16 bits each
_MEAN = _SHARES * 0xFFFF / 2
_DEVIATION = float(np.sqrt(_SHARES * (65536.0**2 - 1) / 12))


def white(number: int, channel: int, x: int, y: int, height: int, width: int) -> Array:
    """Independent values, mean 0 and standard deviation 1, within ±3.5.

    Args:
        number: of the frame.
        x, y: of the region's corner; any integers, also negative ones.
    Returns:
        [height, width] float32.
    """
    columns = _mixed(np.arange(x, x + width, dtype=np.int64).astype(np.uint32))
    field = np.empty((height, width), np.float32)
    scratch = np.empty(width, np.uint32)
    for row in range(height):
        total = np.zeros(width, np.uint32)
        for word in (0, 1):
            bits = _mixed(columns ^ np.uint32(_key(number, channel, y + row, word)), scratch)
            total += np.bitwise_and(bits, np.uint32(0xFFFF), out=scratch)
            bits >>= np.uint32(16)
            total += bits
        field[row] = total
    field -= np.float32(_MEAN)
    field *= np.float32(1 / _DEVIATION)
    return field


def kernel(size_px: float) -> NDArray[np.float64]:
    """A Gaussian's samples, the sum of their squares 1: white noise of deviation 1 keeps it.

    Args:
        size_px: standard deviation; up to 0.2 the result is one sample, as good as no blur.
    """
    if size_px <= SMALLEST_SIZE_PX:
        return np.ones(1)
    radius = int(np.ceil(3 * size_px))
    samples = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * size_px**2))
    return np.asarray(samples / np.sqrt((samples**2).sum()))


SMALLEST_SIZE_PX = 0.2


def grainy(number: int, channel: int, x: int, y: int, height: int, width: int, size_px: float) -> Array:
    """`white`, blurred to grains of a size, deviation 1 as before; a region is a part of any larger one."""
    samples = kernel(size_px).astype(np.float32)
    radius = len(samples) // 2
    field = white(number, channel, x - radius, y - radius, height + 2 * radius, width + 2 * radius)
    if radius == 0:
        return field
    across = _summed([field[:, first : first + width] for first in range(len(samples))], samples)
    return _summed([across[first : first + height] for first in range(len(samples))], samples)


def _summed(views: list[Array], weights: Array) -> Array:
    total: Array = views[0] * weights[0]
    term = np.empty_like(total)
    for view, weight in zip(views[1:], weights[1:], strict=True):
        np.multiply(view, weight, out=term)
        total += term
    return total


def _mixed(words: NDArray[np.uint32], scratch: NDArray[np.uint32] | None = None) -> NDArray[np.uint32]:
    """Each word to another, every bit on every bit; in place."""
    for shift, factor in _MIX:
        words ^= np.right_shift(words, np.uint32(shift), out=scratch)
        words *= np.uint32(factor)
    words ^= np.right_shift(words, np.uint32(_LAST_SHIFT), out=scratch)
    return words


def _key(number: int, channel: int, row: int, word: int) -> int:
    """32 bits of a row."""
    key = 0
    for part in (number, channel, row, word):
        key = (key ^ (part & _WORD)) * 0x9E3779B1 & _WORD
        for shift, factor in _MIX:
            key ^= key >> shift
            key = key * factor & _WORD
        key ^= key >> _LAST_SHIFT
    return key
