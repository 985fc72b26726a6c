"""Linear light of any red, green, blue and white to linear Rec.709 and back: one matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Matrix = NDArray[np.float64]

REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # red, green, blue, white as x, y: ITU-R BT.709
# Cone responses of Lam's Bradford transform.
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
FLATTEST = 1e-6  # determinant of primaries that still span a space
LARGEST_CONDITION = 1e5


@dataclass(frozen=True)
class Primaries:
    """A conversion, as `spaces.Conversion` is one.

    Attributes:
        space: for messages.
        matrix: nine numbers, row by row; what a pixel's R, G, B is multiplied by.
    """

    space: str
    matrix: tuple[float, ...]
    config_id: None = None
    interop_id: str = ""
    linear: bool = True

    def apply(self, pixels: Array) -> Array:
        """Convert [H, W, C], premultiplied; a fourth channel stays."""
        result = np.array(pixels, np.float32)
        red, green, blue = (pixels[..., channel] for channel in range(3))
        for row in range(3):
            # No matrix product: its rounding would depend on how many pixels there are at once.
            a, b, c = (np.float32(value) for value in self.matrix[3 * row : 3 * row + 3])
            result[..., row] = red * a + green * b + blue * c
        return result


def to_rec709(chromaticities: Sequence[float]) -> Primaries | None:
    """From a file's primaries to linear Rec.709, the white adapted to D65; None where they span no space.

    Args:
        chromaticities: red, green, blue, white as x, y.
    Source:
        SMPTE RP 177 (normalised primary matrix); Lam 1985 (Bradford) with the linear adaptation of ICC.1 annex E.
    """
    matrix = _to_xyz_of_d65(chromaticities)
    if matrix is None:
        return None
    rec709 = _to_xyz_of_d65(REC709)
    assert rec709 is not None
    return _named(chromaticities, np.linalg.solve(rec709, matrix))


def from_rec709(chromaticities: Sequence[float]) -> Primaries | None:
    """The way back."""
    there = to_rec709(chromaticities)
    if there is None:
        return None
    return _named(chromaticities, np.linalg.inv(np.reshape(there.matrix, (3, 3))))


def _named(chromaticities: Sequence[float], matrix: NDArray[np.floating[Any]]) -> Primaries:
    shown = ", ".join(f"{value:.4g}" for value in chromaticities)
    return Primaries(f"chromaticities ({shown})", tuple(float(value) for value in matrix.flat))


def _to_xyz_of_d65(chromaticities: Sequence[float]) -> Matrix | None:
    if len(chromaticities) != 8 or not np.isfinite(chromaticities).all() or np.abs(chromaticities).max() > 10:
        return None
    pairs = np.reshape(np.asarray(chromaticities, np.float64), (4, 2))
    *primaries, white = (np.array([x, y, 1 - x - y]) for x, y in pairs)
    columns = np.stack(primaries, axis=1)  # not divided by y, which is 0 for X and Z
    if white[1] < FLATTEST or abs(np.linalg.det(columns)) < FLATTEST:
        return None
    white = white / white[1]
    weights = np.linalg.solve(columns, white)
    matrix = columns * weights
    if (weights <= 0).any() or np.linalg.cond(matrix) > LARGEST_CONDITION:
        return None
    x, y = REC709[6:]
    adapted: Matrix = _adaptation(white, np.array([x, y, 1 - x - y]) / y) @ matrix
    return adapted


def _adaptation(white: Matrix, target: Matrix) -> Matrix:
    if np.allclose(white, target, atol=1e-3):
        return np.eye(3)
    gains = (BRADFORD @ target) / (BRADFORD @ white)
    return np.asarray(np.linalg.solve(BRADFORD, gains[:, None] * BRADFORD))
