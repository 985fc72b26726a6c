"""How far an output pixel sees: measured by setting one input pixel to NaN, which no sum and no zero weight removes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ModelError
from vfxgan.spec import ImageInput, ModelSpec

STRIPS_PX = (64, 256, 768, 1088, 1536)  # lengths to try; a strip is short across, so that deep networks stay cheap
LARGEST_RADIUS_PX = 740  # an RRDB of 23 blocks on folded pixels sees 698; what sees further is taken to see all
LEAST_ACROSS_PX = 6  # reflection padding needs more pixels than it adds
PHASES_PX = 16  # of size multiples up to here every position is tried; of larger ones a whole cell at once

Array = NDArray[np.float32]
Run = Callable[[Array], Array]


def receptive_field_px(run: Run, spec: ModelSpec) -> int | None:
    """The smallest radius R: output pixel y depends on no input pixel beyond R of floor(y / scale), on either axis.

    It is the structure's, whatever the weights: most of it matters little. Positions within the size multiple differ,
    and all are tried; above 16 px a cell is tried as a whole, which may give up to a cell too much.

    Args:
        run: [1, C, H, W] to [1, C', scale·H, scale·W]; NaN must pass through its activations, as it does in PyTorch
            and in ONNX Runtime.
    Returns:
        None if there is no radius up to 740: statistics over the whole picture, or the coarse levels of a deep U-Net.
    """
    found = None
    for axis in (3, 2):
        lengths = STRIPS_PX if found is None else (2 * found + 8, *(px for px in STRIPS_PX if px > 2 * found + 8))
        radius = _radius_along(axis, lengths, run, spec)
        if radius is None:
            return None
        found = max(radius, found or 0)
    return found


def _radius_along(axis: int, lengths: tuple[int, ...], run: Run, spec: ModelSpec) -> int | None:
    """On one axis, in the shortest strip that the spread ends in."""
    assert isinstance(spec.input, ImageInput)
    multiple = spec.input.size_multiple
    for length in lengths:
        cells = max(-(-length // multiple), 3)
        start = cells // 2 * multiple
        whole_cell = _spread(run, spec, axis, cells * multiple, range(start, start + multiple))
        if whole_cell is None:
            continue
        if multiple == 1 or multiple > PHASES_PX:
            return _bounded(whole_cell)
        each = [_spread(run, spec, axis, cells * multiple, range(start + k, start + k + 1)) for k in range(multiple)]
        return _bounded(max(radius for radius in each if radius is not None))
    return None


def _bounded(radius: int) -> int | None:
    return radius if radius <= LARGEST_RADIUS_PX else None


def _spread(run: Run, spec: ModelSpec, axis: int, length: int, places: range) -> int | None:
    """The radius around those pixels of a strip; None if it reaches an end of the strip, or nothing came through."""
    assert isinstance(spec.input, ImageInput)
    across = max(2, -(-LEAST_ACROSS_PX // spec.input.size_multiple)) * spec.input.size_multiple
    shape = (1, spec.input.channels, across, length) if axis == 3 else (1, spec.input.channels, length, across)
    strip = np.full(shape, sum(spec.value_range) / 2, np.float32)
    strip[(slice(None),) * axis + (slice(places.start, places.stop),)] = np.nan
    output = run(strip)
    check_size(output, strip, spec)
    hit = np.isnan(output).any(axis=tuple(other for other in range(4) if other != axis))
    cells = np.flatnonzero(hit) // spec.scale
    if not cells.size or cells[0] == 0 or cells[-1] == length - 1:
        return None
    return int(max(places.stop - 1 - cells[0], cells[-1] - places.start))


def check_size(output: Array, given: Array, spec: ModelSpec) -> None:
    """Raises ModelError if the output is not the input's size times the scale."""
    wanted = tuple(side * spec.scale for side in given.shape[2:])
    if output.shape[2:] != wanted:
        found, size = ("x".join(map(str, shape[2:])) for shape in (output.shape, given.shape))
        raise ModelError(f"{spec.name}: gives {found} for {size}, which is not ×{spec.scale}; check --scale")
