"""Pictures in rows and columns on one sheet, each with its number below it."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import UsageError
from vfxgan.render.digits import HEIGHT, draw_number
from vfxgan.render.request import usable_cores

Bytes = NDArray[np.uint8]

GAP_PX = 2
LARGEST_SIDE_PX = 16384
SHEET_GREY = 16
LABEL_GREY = round(255 * 0.55)  # sRGB


@dataclass(frozen=True)
class Cell:
    """What goes into one place.

    Attributes:
        tile: [h, w, 3] sRGB, as large as a cell; None leaves it empty.
        number: below it; None for nothing.
    """

    tile: Bytes | None
    number: int | None


@dataclass(frozen=True)
class Layout:
    """Where things are, in pixels."""

    columns: int
    rows: int
    cell_width_px: int
    cell_height_px: int

    @property
    def scale(self) -> int:
        """Of the digits."""
        return max(1, min(self.cell_width_px, self.cell_height_px) // 64)

    @property
    def pitch(self) -> tuple[int, int]:
        """Down and across from one cell to the next."""
        return self.cell_height_px + (HEIGHT + 4) * self.scale + GAP_PX, self.cell_width_px + GAP_PX

    @property
    def size(self) -> tuple[int, int]:
        """H, W."""
        down, across = self.pitch
        return self.rows * down + GAP_PX, self.columns * across + GAP_PX

    def corner(self, place: int) -> tuple[int, int]:
        """Top and left of a cell."""
        down, across = self.pitch
        return GAP_PX + place // self.columns * down, GAP_PX + place % self.columns * across


def lay_out(count: int, columns: int | None, cell_px: int) -> Layout:
    """A sheet of square cells, about 16:9 unless columns are given.

    Raises:
        UsageError: it would be larger than viewers take.
    """
    across = columns or max(1, math.ceil(math.sqrt(count * 16 / 9)))
    across = min(across, count)
    layout = Layout(across, -(-count // across), cell_px, cell_px)
    if max(layout.size) > LARGEST_SIDE_PX:
        height, width = layout.size
        raise UsageError(f"a sheet of {width}x{height} is too large; use --limit, a smaller --cell, or other --columns")
    return layout


def draw_sheet(count: int, layout: Layout, cell: Callable[[int], Cell]) -> Bytes:
    """Draw all cells, on all cores.

    Args:
        cell: told a place, 0 … count - 1; what it raises ends the drawing.
    Returns:
        [H, W, 3] sRGB.
    """
    height, width = layout.size
    sheet = np.full((height, width, 3), SHEET_GREY, np.uint8)

    def draw(place: int) -> None:
        top, left = layout.corner(place)
        made = cell(place)
        if made.tile is not None:
            sheet[top : top + layout.cell_height_px, left : left + layout.cell_width_px] = made.tile
        if made.number is not None:
            _label(sheet, made.number, top + layout.cell_height_px, left, layout)

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(draw, range(count)))
    return sheet


def _label(sheet: Bytes, number: int, top: int, left: int, layout: Layout) -> None:
    mask = draw_number(number, layout.scale)[:, : layout.cell_width_px]
    top += 2 * layout.scale
    left += (layout.cell_width_px - mask.shape[1]) // 2
    sheet[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = LABEL_GREY
