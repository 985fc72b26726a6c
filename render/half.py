"""float32 to half, rounded to nearest even: NumPy's result, some times sooner.

NumPy converts one value at a time on a build that must run on every x86-64; on a megapixel RGBA frame that costs more
than the colour curve. The same rounding is a handful of integer operations that vectorise.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

LARGEST_HALF = np.float32(65504.0)
FIRST_BEYOND = np.float32(65520.0)  # from here on, rounding gives infinity

BLOCK_VALUES = 1 << 16

_SIGN = np.uint32(1 << 31)
_SMALLEST_NORMAL = np.float32(2.0**-14)
_HALF_OF_SMALLEST_NORMAL = 0x0400
# Adding this float leaves a subnormal half's rounded bits at the bottom of the mantissa.
_SUBNORMAL_MAGIC = np.float32(0.5)
_SUBNORMAL_BITS = np.uint32(int(_SUBNORMAL_MAGIC.view(np.uint32)) + _HALF_OF_SMALLEST_NORMAL)
# Moves the exponent's bias from 127 to 15 and rounds the 13 bits that go; wraps around on purpose.
_REBIAS_AND_ROUND = np.uint32((0xFFF - (112 << 23)) & 0xFFFFFFFF)


def clamp_to_half(values: Array) -> int:
    """Hold values within ±65504, in place, where half would turn them into infinity.

    Returns:
        How many were held.
    """
    if max(values.max(), -values.min()) < FIRST_BEYOND:
        return 0
    count = int(np.count_nonzero(np.abs(values) >= FIRST_BEYOND))
    np.clip(values, -LARGEST_HALF, LARGEST_HALF, out=values)
    return count


def store_half(values: Array, out: NDArray[np.float16], scratch: tuple[Array, Array]) -> None:
    """Write values as half.

    Args:
        values: float32, finite, within ±65504 (see `clamp_to_half`); any shape; overwritten.
        out: same shape, any strides.
        scratch: two arrays of the same shape.
    """
    signs = _taken_signs(values)
    if signs is None and values.max() == 0:
        out[...] = 0
        return
    # Both bounds are always given: NumPy is three times slower with one.
    bits = np.clip(values, _SMALLEST_NORMAL, LARGEST_HALF, out=scratch[0]).view(np.uint32)
    odd = np.right_shift(bits, np.uint32(13), out=scratch[1].view(np.uint32))
    odd &= np.uint32(1)
    bits += odd
    bits += _REBIAS_AND_ROUND
    bits >>= np.uint32(13)
    if values.min() < _SMALLEST_NORMAL:
        _add_subnormals(bits, values)
    if signs is not None:
        bits |= signs
    out.view(np.uint16)[...] = bits


def store_planes_as_half(planes: Array, out: NDArray[np.float16]) -> int:
    """Write a picture as half, in blocks that fit a core's cache; light of plates, whatever it holds.

    Args:
        planes: [C, h, w] float32, no NaN; any strides.
        out: [h, w, C].
    Returns:
        How many values were held within ±65504.
    """
    channels, height, width = planes.shape
    if 0 in planes.shape:
        return 0
    count, held = max(1, BLOCK_VALUES // width), 0
    block, *scratch = (np.empty((min(count, height), width), np.float32) for _ in range(3))
    for top in range(0, height, count):
        rows = slice(top, min(top + count, height))
        used = slice(0, rows.stop - top)
        for channel in range(channels):
            np.copyto(block[used], planes[channel, rows])
            held += clamp_to_half(block[used])
            store_half(block[used], out[rows, :, channel], (scratch[0][used], scratch[1][used]))
    return held


def _taken_signs(values: Array) -> NDArray[np.uint32] | None:
    """Make values positive, in place; where a half's sign bits were, None if all were positive. -0 has one."""
    bits = values.view(np.uint32)
    if values.view(np.int32).min() >= 0:
        return None
    signs = bits & _SIGN
    bits ^= signs
    signs >>= np.uint32(16)
    return signs


def _add_subnormals(bits: NDArray[np.uint32], values: Array) -> None:
    """Bits so far say "smallest normal" where a value is below it: replace that by the value's own."""
    low = np.clip(values, 0, _SMALLEST_NORMAL, out=values)
    low += _SUBNORMAL_MAGIC
    subnormal = low.view(np.uint32)
    subnormal -= _SUBNORMAL_BITS
    bits += subnormal
