"""Enlargement by Lanczos' kernel: the picture that artists dial a model back to, with `--mix`.

A kernel with negative lobes overshoots at an edge, and scene-linear light has edges of 400: plain Lanczos-3 turns one
into 441 and a black ring of -41. So every value is held between the two source pixels on either side of it, along
rows and then along columns. Edges stay as steep as Lanczos makes them, flat areas stay exactly as they are, and
nothing gets brighter or darker than what is around it; of a crest between two pixels the top is lost.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

LANCZOS_MARGIN_PX = 3  # of the input, around a region: its inside then is as in the whole picture
BLOCK_VALUES = 1 << 16


def lanczos(planes: Array, scale: int) -> Array:
    """Lanczos-3, held within its neighbours; pixel centres aligned, edges repeated.

    Args:
        planes: [C, h, w] float32, finite: scene-linear light.
        scale: 1 … 16.
    Returns:
        [C, s·h, s·w] float32, finite; `planes` itself for a scale of 1.
    Source:
        Lanczos-windowed sinc, three lobes: Duchon 1979, Lanczos Filtering in One and Two Dimensions.
    """
    if scale == 1:
        return planes
    channels, height, width = planes.shape
    result = np.empty((channels, height * scale, width * scale), np.float32)
    weights = _weights(scale)
    count = max(1, BLOCK_VALUES // (width * scale * scale))
    with np.errstate(over="ignore"):  # of sums that are held next
        for channel in range(channels):
            for top in range(0, height, count):
                bottom = min(top + count, height)
                rows = np.arange(top - LANCZOS_MARGIN_PX, bottom + LANCZOS_MARGIN_PX).clip(0, height - 1)
                wide = _wider(planes[channel, rows], weights)
                taps = [wide[first : first + bottom - top] for first in range(2 * LANCZOS_MARGIN_PX + 1)]
                out = result[channel, top * scale : bottom * scale]
                for phase, row in enumerate(weights):
                    _place(taps, row, out[phase::scale])
    return result


def mixed(network: Array, plate: Array, share: float) -> Array:
    """`share` of the network's picture, and the rest of the plate's, enlarged.

    Args:
        network, plate: the same shape, scene-linear light, both premultiplied or neither.
        share: 0 … 1; at either end the other picture is left out, whatever it holds.
    """
    if share in (0, 1):
        return network if share else plate
    # Not a + share·(b − a): that difference can be infinite where neither is.
    result = network * np.float32(share)
    result += plate * np.float32(1 - share)
    return result


def _weights(scale: int) -> Array:
    """[s, 7]: of the seven source pixels around each of a pixel's `scale` successors."""
    centres = (np.arange(scale) + 0.5) / scale - 0.5
    distance = centres[:, None] - np.arange(-LANCZOS_MARGIN_PX, LANCZOS_MARGIN_PX + 1)
    kernel = np.sinc(distance) * np.sinc(distance / LANCZOS_MARGIN_PX) * (np.abs(distance) < LANCZOS_MARGIN_PX)
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True), np.float32)


def _wider(rows: Array, weights: Array) -> Array:
    """[h, w] to [h, s·w]."""
    width, scale = rows.shape[1], len(weights)
    padded = np.pad(rows, ((0, 0), (LANCZOS_MARGIN_PX, LANCZOS_MARGIN_PX)), mode="edge")
    taps = [padded[:, first : first + width] for first in range(2 * LANCZOS_MARGIN_PX + 1)]
    wide = np.empty((len(rows), width * scale), np.float32)
    for phase, row in enumerate(weights):
        _place(taps, row, wide[:, phase::scale])
    return wide


def _place(taps: Sequence[Array], weights: Array, out: Array) -> None:
    """The weighted sum of taps, held within the nearest two, in `out`."""
    total, term = np.zeros(out.shape, np.float32), np.empty(out.shape, np.float32)
    for tap, weight in _used(taps, weights):
        np.multiply(tap, weight, out=term)
        total += term
    middle, phase_is_left = LANCZOS_MARGIN_PX, weights[LANCZOS_MARGIN_PX - 1] > weights[LANCZOS_MARGIN_PX + 1]
    other = taps[middle - 1] if phase_is_left else taps[middle + 1]
    if np.count_nonzero(np.abs(weights) > _NOTHING) == 1:
        other = taps[middle]  # the new pixel lies on the old one
    np.maximum(total, np.minimum(taps[middle], other, out=term), out=total)
    np.minimum(total, np.maximum(taps[middle], other, out=term), out=out)


_NOTHING = np.float32(1e-7)


def _used(taps: Sequence[Array], weights: Array) -> Iterator[tuple[Array, np.float32]]:
    return ((tap, weight) for tap, weight in zip(taps, weights, strict=True) if abs(weight) > _NOTHING)
