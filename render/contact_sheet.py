"""Many frames on one sheet, each with its seed below it."""

import math
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from vfxgan.colour import decode, encode
from vfxgan.errors import ImageError, UsageError
from vfxgan.images import Picture, read_picture
from vfxgan.recipe import read_stamp
from vfxgan.render.digits import HEIGHT, draw_number
from vfxgan.render.request import usable_cores
from vfxgan.render.spaces import DEFAULT_CONFIG, SOURCE_SPACE

Array = NDArray[np.float32]
Background = Literal["black", "grey", "checker"]

SHEET_KEY = "vfxgan:contact-sheet"
GAP_PX = 2
LARGEST_SIDE_PX = 16384
LABEL_GREY = 0.55  # sRGB
_BACKGROUNDS: dict[Background, tuple[float, float]] = {"black": (0, 0), "grey": (0.18, 0.18), "checker": (0.08, 0.2)}


@dataclass(frozen=True)
class Layout:
    """Where things are, in pixels."""

    columns: int
    rows: int
    cell_px: int

    @property
    def scale(self) -> int:
        """Of the digits."""
        return max(1, self.cell_px // 64)

    @property
    def pitch(self) -> tuple[int, int]:
        """Down and across from one cell to the next."""
        return self.cell_px + (HEIGHT + 4) * self.scale + GAP_PX, self.cell_px + GAP_PX

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
    """A sheet of about 16:9 unless columns are given.

    Raises:
        UsageError: it would be larger than viewers take.
    """
    across = columns or max(1, math.ceil(math.sqrt(count * 16 / 9)))
    across = min(across, count)
    layout = Layout(across, -(-count // across), cell_px)
    if max(layout.size) > LARGEST_SIDE_PX:
        height, width = layout.size
        raise UsageError(f"a sheet of {width}x{height} is too large; use --limit, a smaller --cell, or other --columns")
    return layout


def draw_sheet(paths: Sequence[Path], layout: Layout, background: Background) -> tuple[Picture, list[str]]:
    """Draw all frames.

    Returns:
        An 8-bit sRGB picture, and a line for each frame that could not be read; its cell stays empty.
    """
    height, width = layout.size
    sheet = np.full((height, width, 3), 16, np.uint8)
    problems: list[str] = []

    def draw(place: int) -> None:
        top, left = layout.corner(place)
        try:
            picture = read_picture(paths[place])
            tile, number = _tile(picture, layout.cell_px, background), _number(picture, paths[place])
        except ImageError as error:
            problems.append(str(error))
            tile, number = None, _number(None, paths[place])
        if tile is not None:
            sheet[top : top + layout.cell_px, left : left + layout.cell_px] = tile
        _label(sheet, number, top + layout.cell_px, left, layout)

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(draw, range(len(paths))))
    return Picture(sheet, ("R", "G", "B"), {SHEET_KEY: f"{len(paths)} frames"}), sorted(problems)


def _number(picture: Picture | None, path: Path) -> int | None:
    stamp = read_stamp(picture.attributes) if picture else None
    if stamp is not None and stamp.recipe.seed is not None:
        return stamp.recipe.seed
    digits = re.findall(r"-?\d+", path.stem)
    return int(digits[-1]) if digits else None


def _label(sheet: NDArray[np.uint8], number: int | None, top: int, left: int, layout: Layout) -> None:
    if number is None:
        return
    mask = draw_number(number, layout.scale)[:, : layout.cell_px]
    top += 2 * layout.scale
    left += (layout.cell_px - mask.shape[1]) // 2
    sheet[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = round(255 * LABEL_GREY)


def _tile(picture: Picture, cell_px: int, background: Background) -> NDArray[np.uint8]:
    """[cell, cell, 3] sRGB: the frame scaled to fit, over the background; highlights are cut at 1, not toned down."""
    light = linear_light(picture)
    height, width, _ = light.shape
    scale = cell_px / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    small = _resized(light, size)
    board = _board(background, cell_px)
    top, left = (cell_px - size[0]) // 2, (cell_px - size[1]) // 2
    part = board[top : top + size[0], left : left + size[1]]
    part *= 1 - np.clip(small[..., 3:], 0, 1)
    part += small[..., :3]
    return np.rint(encode(np.clip(board, 0, 1)) * 255).astype(np.uint8)


def _board(background: Background, side_px: int) -> Array:
    dark, light = _BACKGROUNDS[background]
    y, x = np.indices((side_px, side_px)) // max(1, side_px // 8)
    squares = (x + y) % 2
    return np.repeat(np.where(squares == 0, dark, light).astype(np.float32)[..., None], 3, axis=-1)


def _resized(light: Array, size: tuple[int, int]) -> Array:
    """By area: the mean of the pixels under each new one."""
    if light.shape[:2] == size:
        return light
    region = oiio.ROI(0, size[1], 0, size[0], 0, 1, 0, light.shape[2])
    small = oiio.ImageBufAlgo.resize(oiio.ImageBuf(np.ascontiguousarray(light)), "box", 0.0, region, 1)
    if small.has_error:
        raise ImageError(f"cannot be scaled ({small.geterror()})")
    return np.asarray(small.get_pixels(oiio.FLOAT), dtype=np.float32)


def linear_light(picture: Picture) -> Array:
    """[H, W, 4] premultiplied linear Rec.709 of any frame that we write: EXR in any known space, or sRGB PNG."""
    pixels = picture.pixels
    if pixels.shape[2] not in (3, 4):
        raise ImageError(f"has {pixels.shape[2]} channels ({', '.join(picture.channels[:8])}); RGB or RGBA is needed")
    if pixels.dtype.kind == "u":
        unit = pixels.astype(np.float32) * np.float32(1 / np.iinfo(pixels.dtype).max)
        alpha = unit[..., 3:] if pixels.shape[2] == 4 else np.ones_like(unit[..., :1])
        return np.concatenate([decode(unit[..., :3]) * alpha, alpha], axis=-1)
    light = np.nan_to_num(pixels.astype(np.float32), posinf=65504.0, neginf=-65504.0)
    if light.shape[2] == 3:
        light = np.concatenate([light, np.ones_like(light[..., :1])], axis=-1)
    space = picture.attributes.get("colorInteropID") or picture.attributes.get("vfxgan:colorspace") or SOURCE_SPACE
    return light if space in ("lin_rec709_scene", SOURCE_SPACE) else _to_rec709(light, str(space))


def _to_rec709(light: Array, space: str) -> Array:
    target = oiio.ImageBuf()
    source = oiio.ImageBuf(np.ascontiguousarray(light))
    done = oiio.ImageBufAlgo.colorconvert(target, source, space, SOURCE_SPACE, True, "", "", DEFAULT_CONFIG, nthreads=1)
    if not done:
        raise ImageError(f"its colour space {space!r} is unknown ({target.geterror()})")
    return np.asarray(target.get_pixels(oiio.FLOAT), dtype=np.float32)
