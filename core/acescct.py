"""ACEScct: the logarithmic curve of the Academy's grading space, and the matrices between its primaries and Rec.709."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# Linear Rec.709 (D65) to linear AP1 (ACES white, about D60) and back, adapted by Bradford's transform, as in the ACES
# configs of OpenColorIO. The sum of every row is 1: white and greys stay as they are.
REC709_TO_AP1 = np.array([
    [0.613097402401, 0.339523146184, 0.047379451415],
    [0.070193722470, 0.916353879057, 0.013452398473],
    [0.020615592882, 0.109569772938, 0.869814634180],
])  # fmt: skip
AP1_TO_REC709 = np.linalg.inv(REC709_TO_AP1)

# The joint, and the straight line below it: S-2016-001, §4.3.
_JOINT = np.float32(0.0078125)
_JOINT_ENCODED = np.float32(0.155251141552511)
_SLOPE = np.float32(10.5402377416545)
_BLACK = np.float32(0.0729055341958355)
_STOPS = 17.52
_STOPS_BELOW_ONE = 9.72

_LARGEST = np.finfo(np.float32).max
_EXPONENT_END = np.float32(127.999)  # of 2: one step on is infinity


def encode_acescct(linear: Array, curve: Array, scratch: Array) -> Array:
    """Scene-linear light to ACEScct's curve; primaries stay as they are.

    Args:
        linear: any shape, float32, finite, unbounded; overwritten.
        curve, scratch: same shape, overwritten.
    Returns:
        `curve`: 0.0729 for 0, 0.4136 for 0.18, 1 for 223; a straight line below 0.0078, through black into negatives.
    Source:
        S-2016-001, ACEScct, §4.4.
    """
    np.greater(linear, _JOINT, out=scratch)
    np.clip(linear, _JOINT, _LARGEST, out=curve)
    np.log2(curve, out=curve)
    curve += np.float32(_STOPS_BELOW_ONE)
    curve *= np.float32(1 / _STOPS)
    curve *= scratch
    np.subtract(np.float32(1), scratch, out=scratch)
    np.clip(linear, -_LARGEST / _SLOPE, _JOINT, out=linear)
    linear *= _SLOPE
    linear += _BLACK
    linear *= scratch
    curve += linear  # one of the two is 0, so each piece is exact
    return curve


def decode_acescct(encoded: Array, light: Array, scratch: Array) -> Array:
    """The inverse of `encode_acescct`.

    Args:
        encoded: any shape, float32, finite; overwritten.
        light, scratch: same shape, overwritten.
    Returns:
        `light`, finite.
    """
    np.greater(encoded, _JOINT_ENCODED, out=scratch)
    np.clip(encoded, _JOINT_ENCODED, _LARGEST, out=light)
    light *= np.float32(_STOPS)
    light -= np.float32(_STOPS_BELOW_ONE)
    np.clip(light, -_EXPONENT_END, _EXPONENT_END, out=light)
    np.exp2(light, out=light)
    light *= scratch
    np.subtract(np.float32(1), scratch, out=scratch)
    np.clip(encoded, -_LARGEST, _JOINT_ENCODED, out=encoded)
    encoded -= _BLACK
    encoded *= np.float32(1 / _SLOPE)
    encoded *= scratch
    light += encoded
    return light


def convert_primaries(rgb: Array, matrix: NDArray[np.float64], out: Array, scratch: Array) -> Array:
    """Multiply each pixel by a matrix; sums are made in one order, so that a pixel's result is its own alone.

    Args:
        rgb: [3, …] float32.
        matrix: [3, 3], such as `REC709_TO_AP1`.
        out, scratch: as `rgb`, overwritten.
    Returns:
        `out`, finite where rgb is.
    """
    # A quarter of everything until the end: a sum of large values then goes over only if the result does, and is held.
    for row, target in zip(matrix.astype(np.float32) * np.float32(0.25), out, strict=True):
        np.multiply(rgb[0], row[0], out=target)
        for channel in (1, 2):
            np.multiply(rgb[channel], row[channel], out=scratch[0])
            target += scratch[0]
    np.clip(out, -_LARGEST / 4, _LARGEST / 4, out=out)
    out *= np.float32(4)
    return out
