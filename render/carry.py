"""The channels of a plate that are not processed, enlarged: their types stay, and so do NaN and Inf.

Each goes from the file's own type to the same type, some rows at a time: nothing of it is held twice.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vfxgan.images import OpenImage, Part, Pixels
from vfxgan.render.carry_rules import Rule, counts_pixels, rules
from vfxgan.render.half import LARGEST_HALF
from vfxgan.render.lanczos import LANCZOS_MARGIN_PX, lanczos
from vfxgan.render.translate import enlarge

Array = NDArray[np.float32]

STRIP_VALUES = 1 << 18  # of an enlarged channel at a time
LARGEST_FLOAT = float(np.finfo(np.float32).max)


def carried_blocks(
    image: OpenImage, part: Part, left: Sequence[int], scale: int
) -> tuple[list[tuple[tuple[str, ...], Pixels]], int]:
    """Read and enlarge channels.

    Args:
        left: indices of the channels, all of a part that is not deep.
    Returns:
        For each type among them the names and [s·H, s·W, n] of that type; and how many values its range cut off.
    Raises:
        ImageError: cut short or damaged.
    """
    by_rule = rules(image.parts, part, left)
    blocks, clipped = [], 0
    for kind in dict.fromkeys(part.formats[index] for index in left):
        chosen = [index for index in left if part.formats[index] == kind]
        pixels = image.read(part, chosen, kind)
        if scale > 1:
            height, width, count = pixels.shape
            large = np.empty((height * scale, width * scale, count), pixels.dtype)
            for place, index in enumerate(chosen):
                factor = scale if by_rule[index] == "vector" and counts_pixels(part, index) else 1
                clipped += enlarge_channel(pixels[..., place], by_rule[index], scale, factor, large[..., place])
            pixels = large
        blocks.append((tuple(part.channels[index] for index in chosen), pixels))
    return blocks, clipped


def enlarge_channel(plane: Pixels, rule: Rule, scale: int, factor: int, out: Pixels) -> int:
    """Enlarge one channel.

    Args:
        plane: [H, W], any type, NaN and Inf among it.
        factor: that the enlarged values are multiplied by.
        out: [s·H, s·W] of the same type; overwritten.
    Returns:
        How many values were beyond that type, and are its largest now.
    """
    height, width = plane.shape
    rows = max(1, STRIP_VALUES // (width * scale * scale))
    margin, clipped = LANCZOS_MARGIN_PX if rule == "colour" else 1, 0
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        target = out[top * scale : bottom * scale]
        _repeat(plane[top:bottom], scale, target)
        if rule == "nearest":
            continue
        above, below = max(0, top - margin), min(height, bottom + margin)
        inside = slice((top - above) * scale, (bottom - above) * scale)
        clipped += _fill(plane[above:below].astype(np.float32), _FILTERS[rule], scale, factor, inside, target)
    return clipped


def _fill(
    strip: Array, filtered: Callable[[Array, int], Array], scale: int, factor: int, inside: slice, out: Pixels
) -> int:
    """The filter's result where all that it looks at is finite; elsewhere the nearest value, which `out` holds.

    Returns:
        How many were clipped.
    """
    finite = np.isfinite(strip)
    whole = bool(finite.all())
    large = filtered(strip if whole else np.where(finite, strip, 0), scale)[inside]
    if not whole:
        # The four neighbours that bilinear looks at; Lanczos is held between them, and the rest of its taps were 0.
        touched = enlarge((~finite).astype(np.float32), scale)[inside] > 0
        large[touched] = out[touched]
    there = np.isfinite(large)
    with np.errstate(over="ignore"):
        large *= np.float32(factor)
    largest = float(LARGEST_HALF) if out.dtype == np.float16 else LARGEST_FLOAT
    beyond = there & (np.abs(large) > largest)
    large[beyond] = np.copysign(np.float32(largest), large[beyond])
    out[...] = large
    return int(np.count_nonzero(beyond))


def _repeat(rows: Pixels, scale: int, out: Pixels) -> None:
    for down in range(scale):
        for across in range(scale):
            out[down::scale, across::scale] = rows


def _lanczos(plane: Array, scale: int) -> Array:
    large: Array = lanczos(plane[None], scale)[0]
    return large


_FILTERS: dict[Rule, Callable[[Array, int], Array]] = {"matte": enlarge, "vector": enlarge, "colour": _lanczos}
