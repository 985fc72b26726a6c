"""What JPEG does to a picture, computed: OpenImageIO's Python module cannot encode into memory."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# ITU-T T.81 (1992), Annex K.1: the tables that nearly every encoder scales by its quality setting.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
)
# ITU-T T.871 (JFIF): full-range Rec.601
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]], np.float32
)
_TO_RGB = np.linalg.inv(_TO_YCC.astype(np.float64)).astype(np.float32)

_k, _n = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
_DCT = (np.cos((2 * _n + 1) * _k * np.pi / 16) * np.where(_k == 0, np.sqrt(1 / 8), 0.5)).astype(np.float32)


def jpeg_round_trip(signal: Array, quality: int) -> Array:
    """Encode and decode, without the entropy coding, which loses nothing.

    Args:
        signal: [3, H, W] in 0…1.
        quality: 1 to 100, the IJG's scale; chroma is halved in both directions, as by default there.
    Returns:
        [3, H, W] in 0…1, in steps of 1/255.
    Source:
        ITU-T T.81; the quality's scale is that of the Independent JPEG Group's software.
    """
    height, width = signal.shape[1:]
    codes = np.rint(signal * np.float32(255))
    padded = np.pad(codes, ((0, 0), (0, -height % 16), (0, -width % 16)), mode="edge")
    ycc = np.rint(np.tensordot(_TO_YCC, padded, 1))  # whole numbers, as encoders have them: it decides much further on
    ycc[0] -= 128
    luma = _quantised(ycc[:1], _table(_LUMINANCE, quality))
    halved = np.rint((ycc[1:, ::2, ::2] + ycc[1:, 1::2, ::2] + ycc[1:, ::2, 1::2] + ycc[1:, 1::2, 1::2]) / 4)
    chroma = _doubled(_doubled(_quantised(halved, _table(_CHROMINANCE, quality)), 1), 2)
    rgb = np.tensordot(_TO_RGB, np.concatenate([luma + 128, chroma]), 1)[:, :height, :width]
    return (np.clip(np.rint(rgb), 0, 255) / 255).astype(np.float32)


def _table(base: tuple[tuple[int, ...], ...], quality: int) -> Array:
    factor = 5000 // quality if quality < 50 else 200 - 2 * quality
    table: Array = np.clip((np.array(base) * factor + 50) // 100, 1, 255).astype(np.float32)
    return table


def _quantised(planes: Array, table: Array) -> Array:
    """[P, H, W] through the DCT of each 8×8 block, rounded to the table's steps, and back to whole numbers."""
    count, height, width = planes.shape
    blocks = planes.reshape(count, height // 8, 8, width // 8, 8).transpose(0, 1, 3, 2, 4)
    spectrum = np.rint(_DCT @ blocks @ _DCT.T / table) * table
    back = np.rint(_DCT.T @ spectrum @ _DCT)
    return np.clip(back, -128, 127).transpose(0, 1, 3, 2, 4).reshape(count, height, width)


def _doubled(planes: Array, axis: int) -> Array:
    """Twice the size along an axis by the triangle filter that decoders use: 3/4 of the nearer, 1/4 of the other."""
    before = np.concatenate([planes.take([0], axis), planes.take(range(planes.shape[axis] - 1), axis)], axis)
    after = np.concatenate([planes.take(range(1, planes.shape[axis]), axis), planes.take([-1], axis)], axis)
    pairs = np.stack([(3 * planes + before) / 4, (3 * planes + after) / 4], axis + 1)
    shape = list(planes.shape)
    shape[axis] *= 2
    return pairs.reshape(shape)
