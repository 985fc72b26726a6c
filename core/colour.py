"""The network's signal and scene-linear light: the extended encoding, its inverse, and the stored toe.

Up to 1.0 the encoding is the sRGB curve; above it goes on as a logarithm, with the same slope at the joint; it is
odd for negatives. So it is invertible for every finite half, and a network that was trained on a peak of 16 spends
a bit over half of its range on what a monitor can show.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_A = 0.055
_LINEAR_LIMIT = 0.0031308
_ENCODED_LIMIT = 0.04045
SLOPE_AT_ONE = (1 + _A) / 2.4  # derivative of the sRGB curve at 1.0


def encode(linear: Array) -> Array:
    """Scene-linear light to the extended encoding.

    Args:
        linear: any shape, float32, finite, unbounded.
    Returns:
        Same shape, float32; 0 … 1 for 0 … 1, 1 + s·ln(x) above, odd.
    Source:
        IEC 61966-2-1 (sRGB) below 1; docs/decisions/0003-colour.md above.
    """
    magnitude = np.abs(linear, dtype=np.float32)
    curve = encode_positive(magnitude, np.empty_like(magnitude), np.empty_like(magnitude))
    return np.copysign(curve, linear, out=curve)


def encode_positive(linear: Array, curve: Array, scratch: Array) -> Array:
    """`encode` of values that are not negative, without an allocation: for blocks that fit a core's cache.

    Args:
        linear: overwritten.
        curve, scratch: same shape, overwritten.
    Returns:
        `curve`.
    """
    # No branch, so it vectorises: where the curve is its linear foot, the power's piece is moved below it.
    # Both bounds of a clip are always given: NumPy is three times slower with one.
    np.greater(linear, _FOOT_END, out=scratch)
    np.clip(linear, 0, 1, out=curve)
    curve *= scratch
    np.power(curve, np.float32(1 / 2.4), out=curve)
    curve *= np.float32(1 + _A)
    curve -= np.float32(_A)
    np.clip(linear, 0, _FOOT_END, out=scratch)
    scratch *= np.float32(12.92)
    np.maximum(curve, scratch, out=curve)
    if linear.size and linear.max() > 1:
        np.clip(linear, 1, _LARGEST, out=linear)
        np.log(linear, out=linear)
        linear *= np.float32(SLOPE_AT_ONE)
        curve += linear
    return curve


def decode(encoded: Array) -> Array:
    """The extended encoding to scene-linear light: the inverse of `encode`.

    Args:
        encoded: any shape, float32, finite.
    Returns:
        Same shape, float32, linear Rec.709 primaries if the encoded signal had them.
    """
    magnitude = np.abs(encoded)
    light = decode_positive(magnitude, np.empty_like(magnitude), np.empty_like(magnitude))
    return np.copysign(light, encoded, out=light)


def decode_positive(encoded: Array, light: Array, scratch: Array) -> Array:
    """`decode` of values that are not negative, without an allocation: for blocks that fit a core's cache.

    Args:
        encoded: overwritten.
        light, scratch: same shape, overwritten.
    Returns:
        `light`.
    """
    # Both pieces of the curve are clipped to their own side of the joint and added: no branch, so it vectorises.
    np.clip(encoded, _JOINT, 1, out=light)
    _power_piece(light)
    light -= _POWER_AT_JOINT
    np.clip(encoded, 0, _JOINT, out=scratch)
    scratch *= np.float32(1 / 12.92)
    light += scratch
    if encoded.size and encoded.max() > 1:
        np.clip(encoded, 1, _ENCODED_END, out=encoded)  # NumPy is three times slower with one bound
        encoded -= np.float32(1)
        encoded *= np.float32(1 / SLOPE_AT_ONE)
        light *= np.exp(encoded, out=encoded)
    return light


def _power_piece(e: Array) -> Array:
    """The sRGB curve above its linear foot, in place."""
    e += np.float32(_A)
    e *= np.float32(1 / (1 + _A))
    return np.power(e, np.float32(2.4), out=e)


_FOOT_END = np.float32(_LINEAR_LIMIT)
_JOINT = np.float32(_ENCODED_LIMIT)
_LARGEST = np.finfo(np.float32).max
_ENCODED_END = np.float32(1 + SLOPE_AT_ONE * 88.72)  # light of 3.39e38: the next steps would be infinite
# Taken from a whole vector: what is subtracted must be the very number that the vector code yields, or black is not 0.
_POWER_AT_JOINT: np.float32 = _power_piece(np.full(64, _JOINT, np.float32))[0]


def encoded_peak(peak: float) -> float:
    """The encoded value of scene-linear `peak` (≥ 1): what the top of the network's range stands for."""
    return 1.0 + SLOPE_AT_ONE * float(np.log(peak))


def apply_toe(value: Array, toe: float, scratch: Array | None = None) -> Array:
    """Bring the haze around an element to exactly 0.

    Args:
        value: encoded RGB or linear alpha, any shape, float32.
        toe: up to here 0, from twice this on unchanged, a smooth step between (C1).
        scratch: same shape; given, the result overwrites `value` and nothing is allocated.
    """
    if toe <= 0:
        return value
    t = np.multiply(value, np.float32(1 / toe), out=scratch)
    t -= np.float32(1)
    np.clip(t, 0, 1, out=t)
    # value · t² · (3 − 2t)
    result = np.multiply(value, t, out=None if scratch is None else value)
    result *= t
    t *= np.float32(-2)
    t += np.float32(3)
    result *= t
    return result
