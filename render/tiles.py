"""How a picture is cut for a network: static squares on a grid that stands still while data windows move.

The grid is anchored to the display window. A tile sees its square; what comes of the outermost `margin_px` is dropped,
since there the network misses what lies beyond. Between the parts that are kept, neighbours are blended over
`2 · blend_px`, unless the margin covers the whole receptive field: then they are equal there.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ImageError, UsageError
from vfxgan.margin import margin_px
from vfxgan.render.options import TileMode
from vfxgan.spec import ImageInput, ModelSpec

Array = NDArray[np.float32]

LARGEST_PX = 512  # of a tile by default; larger ones save little overlap and cost memory by their square
LARGEST_OUT_PX = 1536  # of what comes of it: 64 channels of that are 576 MiB
LEAST_KEPT_PX = 128  # of a tile with a wide margin
LEAST_MARGINS = 4  # sides of a tile in margins, so that half of it is kept
BLEND_PX = 2
BLENDED_SHARE = 8  # of a tile of a network with image-wide statistics: neighbours truly differ
QUANTUM_PX = 16  # sides that are cut to the picture are multiples of it: few sizes, few kernels


@dataclass(frozen=True)
class TileRule:
    """How pictures are cut for one model and its options; says nothing of any picture.

    Attributes:
        side_px: of what the network sees, along one axis; None: the whole picture.
        margin_px: dropped at each end.
        blend_px: half of what neighbours share.
        multiple: what places and sizes must be multiples of.
        static: the side is the model's own and never cut.
        whole_display: a picture goes through with the display window around it.
    """

    side_px: int | None
    margin_px: int
    blend_px: int
    multiple: int
    static: bool
    whole_display: bool = False

    @property
    def border_px(self) -> int:
        """From the side of a tile to its cell of the grid, in whole multiples."""
        return _up(self.margin_px + self.blend_px, self.multiple)

    def cells(self, start: int, length: int, picture: int) -> "Cells":
        """The tiles along one axis.

        Args:
            start: of the data window, counted from the display window's.
            length: of the data window.
            picture: of the display window.
        """
        if self.side_px is None or self.whole_display:
            return self._whole(start, length, picture)
        side, border = self.side_px, self.border_px
        if not self.static:
            side = min(side, _up(max(picture, length) + 2 * border, self.quantum_px))
        return Cells(self, start, length, side, side - 2 * border, border)

    def _whole(self, start: int, length: int, picture: int) -> "Cells":
        margin = _up(self.margin_px, self.multiple)
        first, end = (min(start, 0), max(start + length, picture)) if self.whole_display else (start, start + length)
        first = first // self.multiple * self.multiple
        side = self.side_px or _up(end - first, self.multiple) + 2 * margin
        return Cells(self, start, length, side, side - 2 * margin, margin, origin=first)

    @property
    def quantum_px(self) -> int:
        """What sides that are cut to the picture are multiples of."""
        return _up(QUANTUM_PX, self.multiple)


@dataclass(frozen=True)
class Cells:
    """The tiles of one picture along one axis.

    Attributes:
        start, length: of the data window, `start` counted from the display window's.
        side: of a tile.
        step: from one tile to the next.
        border: from a tile's side to its cell.
        origin: where a cell begins, counted from the display window's start.
    """

    rule: TileRule
    start: int
    length: int
    side: int
    step: int
    border: int
    origin: int = 0

    @cached_property
    def tiles(self) -> "tuple[Cell, ...]":
        """From the first to the last."""
        first = (self.start - self.origin) // self.step
        last = (self.start + self.length - 1 - self.origin) // self.step
        return tuple(self._cell(index, index > first, index < last) for index in range(first, last + 1))

    def _cell(self, index: int, has_before: bool, has_after: bool) -> "Cell":
        begin = self.origin + index * self.step - self.start
        end, blend = begin + self.step, self.rule.blend_px
        first, side = self._cut(begin - self.border)
        return Cell(
            first=first,
            side=side,
            start=max(begin - blend, 0) if has_before else 0,
            stop=min(end + blend, self.length) if has_after else self.length,
            before=begin if has_before else None,
            after=end if has_after else None,
            blend=blend,
        )

    def _cut(self, first: int) -> tuple[int, int]:
        """A tile without what lies further beyond the picture than its margin, in whole quanta of the grid."""
        rule, side = self.rule, self.side
        if rule.static or rule.side_px is None:
            return first, side
        margin, quantum = _up(rule.margin_px, rule.multiple), rule.quantum_px
        skipped = max(0, -margin - first) // quantum * quantum
        first, side = first + skipped, side - skipped
        return first, min(side, _up(self.length + margin - first, quantum))


@dataclass(frozen=True)
class Cell:
    """One tile along one axis, in px of the plate, counted from the data window's first.

    Attributes:
        first, side: what the network sees; may reach beyond the data window.
        start, stop: what is used of it.
        before, after: where the neighbours' cells end and begin; None where there is none.
        blend: half of what is shared with a neighbour.
    """

    first: int
    side: int
    start: int
    stop: int
    before: int | None
    after: int | None
    blend: int

    def used(self, scale: int) -> slice:
        """What is used of the tile's output."""
        return slice((self.start - self.first) * scale, (self.stop - self.first) * scale)

    def fade(self, planes: Array, scale: int, axis: int) -> None:
        """Weigh what is shared with neighbours, in place.

        Args:
            planes: [C, h, w], the used part of the tile's output.
            axis: that this is a tile along.
        """
        if not self.blend:
            return
        for boundary, rises in ((self.before, True), (self.after, False)):
            if boundary is None:
                continue
            low, high = max(boundary - self.blend, self.start), min(boundary + self.blend, self.stop)
            places = np.arange((low - boundary) * scale, (high - boundary) * scale)
            weights = ((places + 0.5) / (2 * self.blend * scale) + 0.5).astype(np.float32)
            shared = (slice(None),) * axis + (slice((low - self.start) * scale, (high - self.start) * scale),)
            shape = [1, 1, 1]
            shape[axis] = -1
            planes[shared] *= (weights if rises else 1 - weights).reshape(shape)


def tile_rules(
    spec: ModelSpec, static: tuple[int | None, int | None], tile: int | None, mode: TileMode | None
) -> tuple[TileRule, TileRule]:
    """The rules for rows and for columns.

    Args:
        static: height and width that the model is bound to, None for free ones.
        tile: side in px as asked for; 0: no tiles; None: the model's own or by rule.
    Raises:
        UsageError: the model cannot be tiled so, with the reason.
    """
    if spec.tiling.mode == "tiles":
        return _rule(spec, static[0], tile, mode), _rule(spec, static[1], tile, mode)
    if mode == "exact":
        raise UsageError(f"--tile-exact: {spec.name!r} {_why_whole(spec)}; no overlap is enough")
    if mode == "anyway":
        return _rule(spec, static[0], tile, mode), _rule(spec, static[1], tile, mode)
    if tile:
        raise UsageError(f"--tile {tile}: {spec.name!r} {_why_whole(spec)}, and tiles would differ; --tile-anyway does")
    return _whole_rule(spec, static[0]), _whole_rule(spec, static[1])


def check_one_tile(spec: ModelSpec, rows: Cells, columns: Cells) -> None:
    """Raises ImageError if a picture needs tiles and the network must see it whole."""
    for cells in (rows, columns):
        if cells.rule.whole_display and len(cells.tiles) > 1:
            raise ImageError(
                f"{cells.length} px are more than the {cells.side} of the model's static size, and {spec.name!r} "
                f"{_why_whole(spec)}; export it for a larger size, or give --tile-anyway"
            )


def _why_whole(spec: ModelSpec) -> str:
    if spec.tiling.receptive_field_px is not None:
        return f"needs more overlap than is worth it (it sees {spec.tiling.receptive_field_px} px far)"
    return "sees the whole picture at once (image-wide statistics, or how far it sees was not measured)"


def _whole_rule(spec: ModelSpec, static: int | None) -> TileRule:
    assert isinstance(spec.input, ImageInput)
    if static is None:
        return TileRule(None, margin_px(spec), 0, spec.input.size_multiple, False, whole_display=True)
    return TileRule(static, 0, 0, spec.input.size_multiple, True, whole_display=True)


def _rule(spec: ModelSpec, static: int | None, tile: int | None, mode: TileMode | None) -> TileRule:
    assert isinstance(spec.input, ImageInput)
    multiple, margin = spec.input.size_multiple, _margin(spec, mode)
    if tile == 0 and static is None:
        return TileRule(None, margin, 0, multiple, False)
    side = static or tile or _side(spec, margin, mode)
    if static is not None and tile not in (None, static):
        raise UsageError(f"--tile {tile}: the model or engine is made for {static} px; leave --tile out")
    if side % multiple:
        raise UsageError(f"--tile {side}: {spec.name!r} takes multiples of {multiple} px; give {_up(side, multiple)}")
    blend = 0 if mode == "exact" else side // BLENDED_SHARE if mode == "anyway" else BLEND_PX
    rule = TileRule(side, margin, blend, multiple, static is not None)
    least = 2 * rule.border_px + max(2 * blend, multiple)
    if side < least:
        why = f"--tile {side}: {rule.border_px} px on each side are overlap"
        remedy = f"the least is --tile {_up(least, multiple)}" if static is None else "export it for a larger size"
        raise UsageError(f"{why}; {remedy}")
    return rule


def _margin(spec: ModelSpec, mode: TileMode | None) -> int:
    if mode != "exact":
        return margin_px(spec)
    if spec.tiling.receptive_field_px is None:
        raise UsageError(f"--tile-exact: the receptive field of {spec.name!r} is not in its spec; export it again")
    return spec.tiling.receptive_field_px


def _side(spec: ModelSpec, margin: int, mode: TileMode | None) -> int:
    """Of a tile where none is asked for: follows from the model and the mode alone."""
    assert isinstance(spec.input, ImageInput)
    border = _up(margin + BLEND_PX, spec.input.size_multiple)
    usual = min(LARGEST_PX, LARGEST_OUT_PX // spec.scale)
    least = 2 * border + LEAST_KEPT_PX if mode == "exact" else LEAST_MARGINS * border
    return _up(max(usual, least), _up(QUANTUM_PX, spec.input.size_multiple))


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
