"""How much grain a frame still lacks: the plate's, less what the network lets through.

That is found by a trial: flat squares, one for each level at which grain was measured, go through the model twice, with
the plate's grain and without. The difference is what comes through.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vfxgan.render.grain import MOST_LEVELS, NO_GRAIN, Grain, measure_grain
from vfxgan.render.plate_image import PlateImage
from vfxgan.render.plate_light import PlateLight, Region

Array = NDArray[np.float32]
Draw = Callable[[PlateImage], NDArray[np.float32]]  # to [s·H, s·W, C] scene-linear light, without regrain

SQUARE_PX = 48
EDGE_PX = 8  # of a square, where its neighbours come in


def missing_grain(source: PlateLight, draw: Draw, scale: int, amount: float) -> Grain:
    """The grain to add to a frame so that it has `amount` of its plate's; `NO_GRAIN` where the plate has none.

    Args:
        draw: makes a picture by the model, as the frame's is made.
        amount: share of the plate's deviation; where the network leaves more than that, nothing is added.
    """
    measured = measure_grain(_reader(source), source.height, source.width)
    if measured.is_none:
        return NO_GRAIN
    kept = _kept(measured, draw, source.height, source.width, scale)
    lacking = np.sqrt(np.maximum(amount**2 - kept**2, 0)).astype(np.float32)
    return measured.scaled(scale, lacking)


def _reader(source: PlateLight) -> Callable[[slice, slice], Array]:
    def read(rows: slice, columns: slice) -> Array:
        light = source.light(Region(rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start))
        colour = light[:-1] if source.has_alpha else light
        return colour if len(colour) == 3 else np.repeat(colour, 3, axis=0)

    return read


def _kept(grain: Grain, draw: Draw, height: int, width: int, scale: int) -> Array:
    """[3, K]: the deviation of what comes through, over the plate's, at each level."""
    levels = grain.levels.shape[1]
    places = _places(height, width)
    flat = np.zeros((3, places[-1][0].stop, places[-1][1].stop), np.float32)
    places = places[:levels]
    tried = np.linspace(0, levels - 1, len(places)).round().astype(int)
    for level, (y, x) in zip(tried, places, strict=True):
        flat[:, y, x] = grain.levels[:, level, None, None]
    grainy = grain.add(flat.copy(), 0, 0, 0)
    given, through = grainy - flat, _drawn(draw, grainy) - _drawn(draw, flat)
    kept = np.zeros((3, len(places)), np.float32)
    for place, (y, x) in enumerate(places):
        before = given[:, _inner(y, 1), _inner(x, 1)].std(axis=(1, 2))
        after = through[:, _inner(y, scale), _inner(x, scale)].std(axis=(1, 2))
        np.divide(after, before, out=kept[:, place], where=before > 0)
    return kept[:, np.abs(np.arange(levels)[:, None] - tried).argmin(axis=1)]


def _places(height: int, width: int) -> list[tuple[slice, slice]]:
    """Rows and columns of squares, in a picture that is no larger than the plate: the model takes that.

    As many as there may be levels, also where there are fewer: a new size would make runtimes prepare for it.
    """
    side = min(SQUARE_PX, height, width)
    columns = min(width // side, MOST_LEVELS)
    rows = min(height // side, -(-MOST_LEVELS // columns))
    corners = [(y * side, x * side) for y in range(rows) for x in range(columns)]
    return [(slice(y, y + side), slice(x, x + side)) for y, x in corners]


def _drawn(draw: Draw, light: Array) -> Array:
    window = (0, 0, light.shape[2], light.shape[1])
    made = draw(PlateImage(np.ascontiguousarray(np.moveaxis(light, 0, -1)), window, window))
    return np.moveaxis(made[..., :3], -1, 0)


def _inner(square: slice, scale: int) -> slice:
    edge = EDGE_PX if square.stop - square.start > 3 * EDGE_PX else 0
    return slice((square.start + edge) * scale, (square.stop - edge) * scale)
