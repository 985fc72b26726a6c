"""How a plate may be cut for a network: the overlap its tiles need, measured against the network run whole."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from vfxgan.export.parity import run_torch
from vfxgan.export.receptive_field import Run, check_size, receptive_field_px
from vfxgan.spec import ImageInput, ModelSpec, Tiling

TOLERANCE = 1e-3  # of the value range: a tile's largest difference from the untiled result
KEPT_PX = 24  # side of the part of a tile that is compared, at least
FIRST_MARGIN = 10  # multiples of the untiled picture around the part that is compared: enough for the first overlaps
LARGEST_OVERLAP_PX = 128  # of the input; beyond it a tile is mostly overlap
LARGEST_MULTIPLE_PX = 64  # tiles start at multiples of it: those of deeper U-Nets would be mostly overlap, too
SLOPES = ((0.9, 0.41, 5.3), (0.13, 1.0, 8.9), (-0.66, 0.75, 2.6), (1.0, -0.08, 3.7), (0.7, 0.71, 15.1))

Array = NDArray[np.float32]


def measure_tiling(run: Run, spec: ModelSpec, network: nn.Module | None) -> Tiling:
    """The receptive field, and the smallest overlap that keeps a tile within 0.001 of the untiled result.

    The overlap is found by trying: most of a deep receptive field carries next to nothing. A tile is cut on all four
    sides, out of a made picture with edges, texture and grain; at a picture's own border tiled and untiled agree, since
    both see the same repeated edge.

    Args:
        run: [1, C, H, W] to [1, C', scale·H, scale·W], in the network's range; H and W multiples of the size multiple.
        network: what PyTorch has for it; None: `run` alone is asked.
    Returns:
        `whole` for generators, for image-wide statistics, and where no overlap up to 128 px is enough.
    Raises:
        ModelError: the output is not `scale` times the input, or the runtime failed.
    """
    if not isinstance(spec.input, ImageInput) or spec.input.size_multiple > LARGEST_MULTIPLE_PX:
        return Tiling(mode="whole")
    radius = receptive_field_px(run if network is None else run_torch(network), spec)
    if radius is None:
        return Tiling(mode="whole")
    multiple = spec.input.size_multiple
    full = -(-radius // multiple)  # in multiples: nothing can differ any more
    trial = _Trial(run, spec, spec.input, full)
    found = _smallest(trial, min(full, LARGEST_OVERLAP_PX // multiple))
    if found is None:
        return Tiling(mode="whole", receptive_field_px=radius)
    return Tiling(
        mode="tiles",
        overlap_px=found * multiple,
        overlap_error=float(f"{trial.error(found):.3g}"),
        receptive_field_px=radius,
    )


def _smallest(trial: "_Trial", most: int) -> int | None:
    """The first number of multiples that is good, as is the one above it; None if even the most is not."""
    low, high = -1, 0
    while not trial.is_good(high):
        if high >= most:
            return None
        low, high = high, min(max(2 * high, 1), most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if trial.is_good(middle) else (middle, high)
    while high < most and not trial.is_good(high + 1):  # errors need not fall at every step
        high += 2
        while high < most and not trial.is_good(high):
            high += 1
    return high if high <= most and trial.is_good(high) else None


class _Trial:
    """Tiles of growing overlap against one untiled picture, which grows along: it sees at least twice as far.

    Overlaps are in size multiples.
    """

    def __init__(self, run: Run, spec: ModelSpec, image: ImageInput, full: int) -> None:
        self.run, self.spec, self.image, self.full = run, spec, image, full
        self.kept_px = -(-KEPT_PX // image.size_multiple) * image.size_multiple
        self.margin = -1  # of the untiled picture around the part that is compared
        self.errors: dict[int, float] = {}

    def is_good(self, overlap: int) -> bool:
        return self.error(overlap) <= TOLERANCE  # False for NaN as well

    def error(self, overlap: int) -> float:
        """The largest difference, as a share of the value range."""
        if overlap not in self.errors:
            if self.margin < min(2 * overlap, self.full + 1):
                self._run_untiled(min(max(2 * overlap + 2, FIRST_MARGIN), self.full + 1))
            tile = self._kept(self._picture(overlap), overlap)
            low, high = self.spec.value_range
            self.errors[overlap] = float(np.abs(tile - self.untiled).max()) / (high - low)
        return self.errors[overlap]

    def _run_untiled(self, margin: int) -> None:
        self.margin = margin
        self.untiled = self._kept(self._picture(margin), margin)

    def _picture(self, around: int) -> Array:
        """The part that is compared, with so much of the scene around it."""
        margin_px = around * self.image.size_multiple
        scene = made_scene(-margin_px, self.kept_px + margin_px, self.image.channels)
        low, high = self.spec.value_range
        return np.asarray(low + (high - low) * scene, np.float32)[None]

    def _kept(self, picture: Array, around: int) -> Array:
        output = self.run(picture)
        check_size(output, picture, self.spec)
        start = around * self.image.size_multiple * self.spec.scale
        stop = start + self.kept_px * self.spec.scale
        return output[:, :, start:stop, start:stop]


def made_scene(start: int, stop: int, channels: int) -> NDArray[np.float64]:
    """[channels, side, side] in 0…1: the window from `start` to `stop`, on both axes, of an endless made picture.

    Each pixel is a function of its place: soft light, texture of several scales and directions, hard edges bright and
    dark, thin lines, and grain.
    """
    y, x = np.mgrid[start:stop, start:stop].astype(np.float64)
    light = 0.45 + 0.2 * np.sin(x / 61 + 0.4) * np.cos(y / 47)
    texture = sum(np.sin((a * x + b * y) / period) for a, b, period in SLOPES) / len(SLOPES)
    scene = np.stack([light + (0.25 - 0.04 * c) * texture + 0.05 * np.sin((x - y) / 23 + c) for c in range(channels)])
    scene = np.where((x + 2 * y) % 31 < 6, 0.92, scene)
    scene = np.where((3 * x - y) % 53 < 9, 0.06, scene)
    scene = np.where((x // 11 + y // 13) % 5 == 0, 1 - scene, scene)
    scene = np.where(y % 17 == 3, 0.8 * scene, scene)
    # grain: hashed from the place, since a window must not depend on where it begins
    hashed = [np.sin(12.9898 * x + 78.233 * y + 37.719 * c) * 43758.5453 for c in range(channels)]
    grain = np.stack(hashed) % 1.0 - 0.5
    return np.clip(scene + 0.06 * grain, 0, 1)
