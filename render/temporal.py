"""Stabilising a frame: what the network gave for the frames around it, moved to it, and averaged where that fits.

The movement is measured on the plates, never on what the network made of them, and what is averaged are the network's
raw outputs, never stabilised ones: a frame depends on its neighbourhood alone. As in Lai et al. 2018 (arXiv:1808.00449,
§3.2) a place is trusted where it looks alike on both plates and where the way there and back ends where it began.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfxgan.colour import encode
from vfxgan.images import Window
from vfxgan.render.flow import SMALLEST_SIDE_PX, find_flow, sample, soften
from vfxgan.render.plate_light import PlateLight, Region
from vfxgan.render.translate import LUMINANCE, enlarge

Array = NDArray[np.float32]

# Of encoded light (1 is white): how unlike a place may look. 0.02 of grain costs it 15 % of its weight, 0.1 nearly all.
LIKENESS = 0.05
PATCH_PX = 5
# Of the way there and back, squared: a share of the motion's square and a px (Sundaram et al. 2010, §3.1, has ½ px).
SHARE_OF_MOTION, SLACK_PX2 = 0.01, 1.0
# Where less of a neighbour fits than the first, it is of another shot and left out; from the second on it counts whole.
CUT_BELOW, SHOT_ABOVE = 0.1, 0.3
NO_TRUST = 0.02  # weights up to here are none
LARGEST_CANVAS = 4  # in areas of the two data windows
STRIP_ROWS = 128  # of the plate
GREYS = 255


@dataclass(frozen=True)
class Guide:
    """What of a plate decides its movement.

    Attributes:
        encoded: [C, H, W] float32, light on the sRGB curve (log above 1), and alpha where there is some.
        data, display: as `PlateImage`.
    """

    encoded: Array
    data: Window
    display: Window


@dataclass(frozen=True)
class Motion:
    """From a frame to a neighbour, for each pixel of the frame's data window.

    Attributes:
        x, y: [H, W], how far it is from there to its place on the neighbour, both counted in their data windows, in px.
        weight: [H, W], 0 … 1: how far it is to be trusted.
    """

    x: Array
    y: Array
    weight: Array


def guide_of(light: PlateLight) -> Guide:
    """Read a plate's guide, some rows at a time."""
    strips = []
    for top in range(0, light.height, STRIP_ROWS):
        planes = light.light(Region(top, 0, min(STRIP_ROWS, light.height - top), light.width))
        colours = len(planes) - light.has_alpha
        strips.append(np.concatenate([encode(planes[:colours]), planes[colours:]]))
    return Guide(np.concatenate(strips, axis=1), light.image.data, light.image.display)


@dataclass(frozen=True)
class Flows:
    """There and back between two plates, on the window around both: [2, H, W] each."""

    onward: Array
    back: Array

    @property
    def swapped(self) -> "Flows":
        """From the other plate's side; to the bit what `find_flows` gives for it."""
        return Flows(self.back, self.onward)

    @property
    def nbytes(self) -> int:
        return self.onward.nbytes + self.back.nbytes


def find_flows(here: Guide, there: Guide) -> Flows | None:
    """The flow from one plate to another and back; None between plates that have nothing in common.

    Raises:
        ImageError: the plates are too large for a flow.
    """
    canvas = _canvas(here, there)
    if canvas is None:
        return None
    ours, theirs = _greys(_placed(here, canvas), _placed(there, canvas))
    return Flows(find_flow(ours, theirs), find_flow(theirs, ours))


def find_motion(here: Guide, there: Guide, flows: Flows | None) -> Motion | None:
    """The movement from one plate to another, in display coordinates; None where nothing of it can be trusted.

    Args:
        flows: `find_flows` of the two.
    """
    canvas = _canvas(here, there)
    if canvas is None or flows is None:
        return None
    first, second, inside = _placed(here, canvas), _placed(there, canvas), _inside(there.data, canvas)
    rows, columns = _slices(here.data, canvas)
    flow = flows.onward[:, rows, columns]
    y, x = np.mgrid[rows, columns].astype(np.float32)
    x, y = x + flow[0], y + flow[1]
    returned = flow + np.stack([sample(plane, x, y) for plane in flows.back])
    weight = _likeness(first[:, rows, columns], second, x, y) * _consistency(flow, returned)
    valid = _within(inside, x, y)
    weight = soften(weight, PATCH_PX) * valid
    weight *= _same_shot(weight, valid)
    weight = np.maximum(weight - NO_TRUST, 0) * np.float32(1 / (1 - NO_TRUST))
    if not weight.any():
        return None
    left, top = there.data[0] - here.data[0], there.data[1] - here.data[1]
    return Motion(flow[0] - np.float32(left), flow[1] - np.float32(top), weight)


def _canvas(here: Guide, there: Guide) -> Window | None:
    """The window around both data windows; None if plates of another size, or far apart, have nothing in common."""
    if here.display != there.display or len(here.encoded) != len(there.encoded):
        return None
    (x, y, width, height), (x2, y2, width2, height2) = here.data, there.data
    left, top = min(x, x2), min(y, y2)
    across, down = max(x + width, x2 + width2) - left, max(y + height, y2 + height2) - top
    if across * down > LARGEST_CANVAS * (width * height + width2 * height2):
        return None
    return left, top, max(across, SMALLEST_SIDE_PX), max(down, SMALLEST_SIDE_PX)


def _slices(data: Window, canvas: Window) -> tuple[slice, slice]:
    x, y = data[0] - canvas[0], data[1] - canvas[1]
    return slice(y, y + data[3]), slice(x, x + data[2])


def _placed(guide: Guide, canvas: Window) -> Array:
    """On the canvas; outside its data window a plate is black."""
    planes = np.zeros((len(guide.encoded), canvas[3], canvas[2]), np.float32)
    rows, columns = _slices(guide.data, canvas)
    planes[:, rows, columns] = guide.encoded
    return planes


def _inside(data: Window, canvas: Window) -> tuple[int, int, int, int]:
    """First and last column, first and last row of a data window on the canvas."""
    rows, columns = _slices(data, canvas)
    return columns.start, columns.stop - 1, rows.start, rows.stop - 1


def _within(inside: tuple[int, int, int, int], x: Array, y: Array) -> Array:
    left, right, top, bottom = inside
    return ((x >= left) & (x <= right) & (y >= top) & (y <= bottom)).astype(np.float32)


def _greys(first: Array, second: Array) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Both in the 8 bits that the flow takes, over the range that they have together."""
    planes = [planes[0] if len(planes) < 3 else np.tensordot(LUMINANCE, planes[:3], 1) for planes in (first, second)]
    low, high = np.percentile(np.stack([plane[::4, ::4] for plane in planes]), (0.5, 99.5))
    scale = GREYS / max(float(high - low), 1e-3)
    ours, theirs = (np.rint(np.clip((plane - low) * scale, 0, GREYS)).astype(np.uint8) for plane in planes)
    return ours, theirs


def _likeness(here: Array, there: Array, x: Array, y: Array) -> Array:
    """Near 1 where a patch looks alike on both plates."""
    apart = np.zeros(x.shape, np.float32)
    for ours, theirs in zip(here, there, strict=True):
        apart += (ours - sample(theirs, x, y)) ** 2
    alike: Array = np.exp(soften(apart, PATCH_PX) * np.float32(-0.5 / (LIKENESS**2 * len(here))))
    return alike


def _consistency(flow: Array, returned: Array) -> Array:
    """Near 1 where the way there and back ends near its beginning."""
    moved = (flow**2).sum(0) + ((returned - flow) ** 2).sum(0)
    consistent: Array = np.exp(-(returned**2).sum(0) / (np.float32(SHARE_OF_MOTION) * moved + np.float32(SLACK_PX2)))
    return consistent


def _same_shot(weight: Array, valid: Array) -> np.float32:
    """0 across a cut, 1 within a shot, by how much of what both plates show fits."""
    seen = float(valid.mean(dtype=np.float64))
    fits = float(weight.mean(dtype=np.float64)) / seen if seen > 0 else 0.0
    share = min(max((fits - CUT_BELOW) / (SHOT_ABOVE - CUT_BELOW), 0.0), 1.0)
    return np.float32(share * share * (3 - 2 * share))


class Average:
    """A frame's raw output, to which those of its neighbours are added.

    Args:
        own: [C, s·H, s·W] float32; not written to.
        scale: the network's.
    """

    def __init__(self, own: Array, scale: int) -> None:
        self._sum, self._scale = own.copy(), scale
        self._weights = np.ones(own.shape[1:], np.float32)

    def add(self, raw: Array, motion: Motion, share: float) -> None:
        """Add a neighbour.

        Args:
            raw: [C, s·h, s·w] float32, of its own data window.
            motion: from this frame to it.
            share: most that it may weigh; the frame itself weighs 1.
        """
        low, high = [plane.min() for plane in raw], [plane.max() for plane in raw]
        for top in range(0, len(motion.weight), STRIP_ROWS):
            rows, places = self._large(motion, top)
            weight = places[2] * np.float32(share)
            self._weights[rows] += weight
            for total, plane, least, most in zip(self._sum, raw, low, high, strict=True):
                moved = sample(plane, places[0], places[1], smooth=True)
                total[rows] += weight * np.clip(moved, least, most)

    def result(self) -> Array:
        """[C, s·H, s·W]; call it once."""
        self._sum /= self._weights
        return self._sum

    def _large(self, motion: Motion, top: int) -> tuple[slice, Array]:
        """Some rows of a motion on the raw outputs' raster: where they are, and x, y and weight, [3, s·h, s·W]."""
        scale, height = self._scale, len(motion.weight)
        bottom = min(top + STRIP_ROWS, height)
        before, after = min(top, 1), min(height - bottom, 1)  # what a bilinear enlargement looks at beyond
        rows = slice(top - before, bottom + after)
        planes = np.stack([motion.x[rows] * scale, motion.y[rows] * scale, motion.weight[rows]])
        large = enlarge(planes, scale)[:, before * scale : (before + bottom - top) * scale]
        y, x = np.mgrid[top * scale : bottom * scale, : large.shape[2]].astype(np.float32)
        return slice(top * scale, bottom * scale), np.stack([x + large[0], y + large[1], large[2]])
