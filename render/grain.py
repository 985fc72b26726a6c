"""A plate's grain: how strong it is at which brightness, how large and in which channels; and putting it back.

Measured on pairs of small blocks all over the plate. In each class of brightness the pairs that are flattest by their
one half are taken, and grain is read off the other: so chance picks no weak grain, and texture has to be in both.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vfxgan.render.grain_blocks import Blocks, Read, expected, measured_blocks
from vfxgan.render.grain_field import grainy
from vfxgan.render.translate import LUMINANCE

Array = NDArray[np.float32]
Wide = NDArray[np.float64]

SIZES_PX = np.arange(0, 3.01, 0.05)  # that grain is looked for in
_CLASSES = np.array([0.02, 0.06, 0.15, 0.3, 0.6, 1.2, 4.0])  # luminance between two classes
MOST_LEVELS = len(_CLASSES) + 1
_FLATTEST = 0.1
_LEAST_BLOCKS = 8
_ALIKE = 2.5  # times the lower quartile of variances: blocks above it hold texture
# Below these, it is what storing as half leaves (at most 2⁻¹⁰ of the light, over √12).
_CLEAN_SHARE = 1e-3
_CLEAN = 1e-5
# As a share of light: what no stock has, and what a plate must prove by many blocks that are equally grainy. Below
# this light, shares are of it.
_MOST_SHARE = 0.3
_STRONG_SHARE = 0.06
_DARK = 0.1
_FLOOR = 1.4  # the 10 % over the 2 % quantile of grain's deviations in blocks; texture is at 1.6 and more


@dataclass(frozen=True)
class Grain:
    """Grain as measured, or `scaled` for an enlarged picture.

    Attributes:
        levels: [3, K], light per channel, rising; K may be 0: no grain.
        deviations: [3, K], standard deviation at those levels, scene-linear.
        size_px: standard deviation of a Gaussian that makes white noise look like it; 0: every pixel for itself.
        correlations: [3, 3], between channels.
    """

    levels: Array
    deviations: Array
    size_px: float
    correlations: Array

    @property
    def is_none(self) -> bool:
        """Whether there is nothing to add."""
        return not self.deviations.any()

    def scaled(self, scale: int, amount: "float | Array") -> "Grain":
        """For a picture enlarged by `scale`: grains cover as much of the scene as on the plate, as strong as there.

        Args:
            amount: share of the measured deviation; one for all, or [3, K].
        """
        # A pixel itself is a grain: enlarged, it is `scale` pixels wide, a box of that variance.
        size = math.sqrt((scale * self.size_px) ** 2 + (scale**2 - 1) / 12)
        return replace(self, deviations=self.deviations * np.asarray(amount, np.float32), size_px=size)

    def add(self, light: Array, number: int, x: int, y: int) -> Array:
        """Put grain on a region.

        Args:
            light: [3, h, w] linear Rec.709, not multiplied by alpha; overwritten.
            number: of the frame.
            x, y: pixels from the display window's corner to the region's.
        Returns:
            `light`. Its mean stays; 0 stays 0 unless the plate's own blacks are grainy.
        """
        if self.is_none:
            return light
        own = [grainy(number, channel, x, y, light.shape[1], light.shape[2], self.size_px) for channel in range(3)]
        for channel, shares in reversed(list(enumerate(_mixing(self.correlations)))):
            grain = own[channel]
            grain *= shares[channel]
            for other in range(channel):  # fields of lower channels are still as they were made
                if shares[other]:
                    grain += own[other] * shares[other]
            grain *= self._deviation(light[channel], channel)
            light[channel] += grain
        return light

    def _deviation(self, light: Array, channel: int) -> Array:
        """[h, w]: straight lines between the levels, constant beyond them."""
        levels, deviations = _ramp(self.levels[channel], self.deviations[channel])
        result = np.full(light.shape, deviations[0], np.float32)
        term = np.empty_like(light)
        for low, high, start, end in zip(levels, levels[1:], deviations, deviations[1:], strict=False):
            np.clip(light, low, high, out=term)
            term -= low
            term *= (end - start) / (high - low)
            result += term
        return result


NO_GRAIN = Grain(np.zeros((3, 0), np.float32), np.zeros((3, 0), np.float32), 0.0, np.eye(3, dtype=np.float32))


def measure_grain(read: Read, height: int, width: int) -> Grain:
    """Measure the grain of a plate, on blocks spread evenly over it: a bounded amount of it, whatever its size.

    Args:
        read: gives [3, h, w] scene-linear light of rows and columns within [height, width].
    Returns:
        `NO_GRAIN` for a plate that is clean, empty, textured all over, or too small (under 32 px wide or 16 px high).
    """
    blocks = measured_blocks(read, height, width)
    classes = [] if blocks is None else _classes(blocks)
    if blocks is None or not classes:
        return NO_GRAIN
    every = np.concatenate(classes)
    if np.median(blocks.variance[every].sum(axis=1)) == 0:
        return NO_GRAIN  # made, not taken by a camera
    size, left = _size(blocks, every)
    levels = np.array([blocks.level[chosen].mean(axis=0) for chosen in classes])
    deviations = np.sqrt([np.median(blocks.variance[chosen], axis=0) / left for chosen in classes])
    deviations = np.array([_held(*line) for line in zip(levels.T, deviations.T, strict=True)])
    if not deviations.any() or not _plausible(blocks, every, (deviations / np.maximum(levels.T, _DARK)).max()):
        return NO_GRAIN
    return Grain(*_rising(levels.T, deviations), size, _correlations(blocks, every))


def _classes(blocks: Blocks) -> list[Wide]:
    """In each class of brightness, the blocks beside the flattest ones, but for those that hold texture themselves."""
    place = np.searchsorted(_CLASSES, (blocks.level * LUMINANCE).sum(axis=1))
    total = blocks.variance.sum(axis=1)
    classes = []
    for number in range(MOST_LEVELS):
        own = np.flatnonzero(place == number)
        if len(own) < _LEAST_BLOCKS:
            continue
        count = max(_LEAST_BLOCKS, int(len(own) * _FLATTEST))
        own = own[np.argsort(blocks.neighbour[own], kind="stable")[:count]]
        classes.append(own[total[own] <= _ALIKE * np.quantile(total[own], 0.25)])
    return classes


def _plausible(blocks: Blocks, chosen: Wide, share: float) -> bool:
    """Whether it is grain at all; a plate without a flat area shows its texture's weakest spots instead."""
    if share <= _STRONG_SHARE:
        return True
    level = (blocks.level * LUMINANCE).sum(axis=1)
    usual = np.sqrt(blocks.variance.sum(axis=1) / np.maximum(level, _CLEAN))[level >= level[chosen].min()]
    low, high = np.quantile(usual, (0.02, 0.1))
    return bool(share <= _MOST_SHARE and high <= _FLOOR * low)


def _held(levels: Wide, deviations: Wide) -> Wide:
    """Deviations of one channel, those that are rather texture's lowered.

    Grain gets no weaker as light gets stronger, and no stronger as a share of it; texture only adds. So what one level
    shows is a bound for every other one. Levels without any (clipped, painted) say nothing of the others.
    """
    clean = deviations < np.maximum(_CLEAN_SHARE * np.abs(levels), _CLEAN)
    held = np.where(clean, 0, deviations)
    for level, deviation in zip(levels[~clean], deviations[~clean], strict=True):
        bound = deviation * np.maximum(1, levels / max(level, _CLEAN))
        held = np.minimum(held, bound)
    return held


def _size(blocks: Blocks, chosen: Wide) -> tuple[float, float]:
    """The size of grain whose autocorrelation is nearest, and the share of its variance that measuring leaves."""
    grainy_ones = chosen[blocks.variance[chosen].any(axis=1)]
    if not len(grainy_ones):
        return 0.0, 1.0
    lagged = np.median(blocks.lagged[grainy_ones], axis=0)
    guesses = [(float(size), *expected(float(size))) for size in SIZES_PX]
    size, left, _ = min(guesses, key=lambda guess: float(((guess[2] - lagged) ** 2).sum()))
    return size, left


def _correlations(blocks: Blocks, chosen: Wide) -> Array:
    own = np.sqrt(np.maximum(blocks.variance[chosen], np.finfo(np.float64).tiny))
    median = np.median(blocks.covariance[chosen] / own[:, :, None] / own[:, None, :], axis=0)
    np.fill_diagonal(median, 1)
    # Rounded, so that a grey plate's channels get the very same grain.
    return np.asarray(np.clip(median, 0, 1).round(3), np.float32)


def _mixing(correlations: Array) -> Array:
    """[3, 3], lower triangle: weights of independent fields that correlate them so (Cholesky's factors)."""
    weights = np.zeros((3, 3))
    for row in range(3):
        for column in range(row):
            known = (weights[row, :column] * weights[column, :column]).sum()
            pivot = weights[column, column]
            weights[row, column] = (correlations[row, column] - known) / pivot if pivot > 1e-3 else 0
        weights[row, row] = np.sqrt(max(0.0, 1 - (weights[row, :row] ** 2).sum()))
        weights[row] /= np.sqrt((weights[row] ** 2).sum())
    return np.asarray(weights, np.float32)


def _rising(levels: Wide, deviations: Wide) -> tuple[Array, Array]:
    order = np.argsort(levels, axis=1, kind="stable")
    return (
        np.take_along_axis(levels, order, axis=1).astype(np.float32),
        np.take_along_axis(deviations, order, axis=1).astype(np.float32),
    )


def _ramp(levels: Array, deviations: Array) -> tuple[Array, Array]:
    """From black on: grain whose darkest measured level is well above black fades to none there."""
    if levels[0] > 2 * deviations[0]:
        levels, deviations = np.insert(levels, 0, 0), np.insert(deviations, 0, 0)
    apart = np.concatenate([[True], np.diff(levels) > 1e-6])
    return levels[apart], deviations[apart]
