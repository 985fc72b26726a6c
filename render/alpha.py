"""A plate's alpha beside the network: colour is divided by it before, and multiplied by it, enlarged, after.

Where alpha is 0 and colour is not (emission), colour stays as it is; also where alpha is so small beside that of its
neighbours that colour over it would outshine them. Light of 1 at an alpha of 0.001 is a glow; as a colour of 1000 it
would leak into a matte of 1 next to it. Where both are 0 there is no colour: the nearest one is put there, so that the
network sees no edge that is not in the picture.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfxgan.render.translate import enlarge

Array = NDArray[np.float32]
# Rows and columns of a plate to its light [3, h, w], scene-linear and premultiplied, and its alpha [h, w]; finite.
Read = Callable[[slice, slice], tuple[Array, Array]]

ROWS_AT_A_TIME = 64  # even
# How much brighter than its neighbourhood a colour may be under the neighbourhood's alpha, and still be a colour.
OUTSHINES = 2
_LARGEST = np.finfo(np.float32).max


@dataclass(frozen=True)
class Divided:
    """A plate's colour without its alpha, for any region.

    Attributes:
        means_nothing: alpha is 0 all over, so that colour is what it is.
        nearest: [3, H/2, W/2], the colour nearest to each place; None where no place is without one.
    """

    read: Read
    height: int
    width: int
    means_nothing: bool
    nearest: Array | None

    def colour(self, rows: slice, columns: slice) -> Array:
        """[3, h, w], what the network is to see."""
        if self.means_nothing:
            return self.read(rows, columns)[0]
        light, alpha, emits = _with_emission(self.read, rows, columns, self.height, self.width)
        covered = (alpha > 0) & ~emits
        colour = _quotient(light, alpha, light.copy(), covered)
        if self.nearest is not None:
            empty = ~covered & ~emits
            if empty.any():
                colour = np.where(empty, _doubled(self.nearest, rows, columns), colour)
        return colour


def divide(read: Read, height: int, width: int) -> Divided:
    """Unpremultiply in linear light; looks at the whole plate, some rows at a time."""
    covered = empty = False
    for rows in _strips(height):
        light, alpha = read(rows, slice(0, width))
        covered = covered or bool((alpha > 0).any())
        empty = empty or bool(((alpha <= 0) & ~(light != 0).any(axis=0)).any())
    nearest = _nearest(read, height, width) if covered and empty else None
    return Divided(read, height, width, not covered, nearest)


def multiply(colour: Array, light: Array, alpha: Array, scale: int, margin: int, *, means_nothing: bool) -> Array:
    """Premultiply what the network made.

    Args:
        colour: [3, s·h, s·w], linear.
        light, alpha: [3, h + 2·margin, w + 2·margin] and [h + 2·margin, …] of the plate, as stored; margin ≥ 2.
        means_nothing: of `Divided`.
    Returns:
        [4, s·h, s·w]: premultiplied RGB, and alpha within its neighbours' range.
    """
    inner = slice(margin * scale, -margin * scale)

    def large(planes: Array) -> Array:
        return enlarge(planes, scale)[..., inner, inner]

    matte = large(alpha)
    if means_nothing:
        return np.concatenate([colour, matte[None]])
    made = colour * matte
    emits = _emits(light, alpha)
    if emits.any():
        emission = large(emits.astype(np.float32))
        made = np.where(emission == 1, colour, made)
        # Divided and undivided colour have no mean: where the two meet, the light itself is enlarged.
        made = np.where((emission > 0) & (emission < 1), large(light), made)
    return np.concatenate([made, matte[None]])


def _emits(light: Array, alpha: Array) -> NDArray[np.bool_]:
    """[h, w]: where light is not a colour under its alpha. Right up to one pixel from the region's edges."""
    brightest = np.abs(light).max(axis=0)
    with np.errstate(over="ignore"):
        outshines = brightest * _largest_around(alpha) > OUTSHINES * _largest_around(brightest) * alpha
    emits: NDArray[np.bool_] = (brightest > 0) & ((alpha <= 0) | outshines)
    return emits


def _with_emission(
    read: Read, rows: slice, columns: slice, height: int, width: int
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """A region of a plate: its light, its alpha, and where that light is emission."""
    grown = [slice(max(part.start - 1, 0), min(part.stop + 1, end)) for part, end in ((rows, height), (columns, width))]
    light, alpha = read(grown[0], grown[1])
    inner = tuple(
        slice(part.start - large.start, part.stop - large.start)
        for part, large in zip((rows, columns), grown, strict=True)
    )
    return light[(slice(None), *inner)], alpha[inner], _emits(light, alpha)[inner]


def _largest_around(plane: Array) -> Array:
    """The largest of each 3×3."""
    padded = np.pad(plane, 1, mode="edge")
    rows = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    return np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])


def _strips(height: int) -> list[slice]:
    return [slice(top, min(top + ROWS_AT_A_TIME, height)) for top in range(0, height, ROWS_AT_A_TIME)]


def _nearest(read: Read, height: int, width: int) -> Array:
    """The colour nearest to each place, at half the size."""
    light = np.empty((3, -(-height // 2), -(-width // 2)), np.float32)
    weight = np.empty(light.shape[1:], np.float32)
    for rows in _strips(height):
        stored, alpha, emits = _with_emission(read, rows, slice(0, width), height, width)
        half = slice(rows.start // 2, -(-rows.stop // 2))
        light[:, half] = _halved(stored)
        weight[half] = _halved(np.where(emits, np.float32(1), np.clip(alpha, 0, 1)))
    coarse = _spread(light, weight)
    return _quotient(light, weight, coarse, weight > 0)


def _doubled(half: Array, rows: slice, columns: slice) -> Array:
    """A region of `enlarge(half, 2)`."""
    parts, crops = [], []
    for wanted, length in ((rows, half.shape[1]), (columns, half.shape[2])):
        start = max(wanted.start // 2 - 1, 0)
        parts.append(slice(start, min(-(-wanted.stop // 2) + 1, length)))
        crops.append(slice(wanted.start - 2 * start, wanted.stop - 2 * start))
    return enlarge(half[:, parts[0], parts[1]], 2)[:, crops[0], crops[1]]


def _spread(light: Array, weight: Array) -> Array:
    """Colour everywhere, from wherever there is some: means over ever larger squares, from there back (pull, push).

    Args:
        light: [3, H, W], colour times weight.
        weight: [H, W], 0 where there is no colour.
    Returns:
        [3, H, W]; meant for the places of weight 0.
    Source:
        Gortler et al. 1996, The Lumigraph, §3.3.
    """
    height, width = weight.shape
    if height == width == 1:
        return _quotient(light, weight, np.zeros_like(light), weight > 0)
    coarse_light, coarse_weight = _halved(light), _halved(weight)
    coarse = _spread(coarse_light, coarse_weight)
    known = _quotient(coarse_light, coarse_weight, coarse, coarse_weight > 0)
    return enlarge(known, 2)[:, :height, :width]


def _halved(planes: Array) -> Array:
    """Means over squares of 2×2; beyond an odd side there is nothing."""
    height, width = planes.shape[-2:]
    if height % 2 or width % 2:
        padding = [(0, 0)] * (planes.ndim - 2) + [(0, height % 2), (0, width % 2)]
        planes = np.pad(planes, padding)
    planes = planes * np.float32(0.25)  # before the sums, which then cannot be infinite
    rows = planes[..., ::2, :] + planes[..., 1::2, :]
    return rows[..., ::2] + rows[..., 1::2]


def _quotient(light: Array, weight: Array, out: Array, where: NDArray[np.bool_]) -> Array:
    """Light over its weight, in `out`; what a small weight makes larger than any float is held there."""
    with np.errstate(over="ignore"):
        np.divide(light, weight, out=out, where=where)
    return np.clip(out, -_LARGEST, _LARGEST, out=out)
