"""Many frames on one sheet of squares, each with its seed below it: `vfxgan contact-sheet`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ImageError
from vfxgan.images import Picture
from vfxgan.recipe import read_stamp
from vfxgan.render.frame_light import FrameLight, read_light, resized, srgb_bytes
from vfxgan.render.sheet import Cell, Layout, draw_sheet
from vfxgan.synthetic import COMPOSITE, is_synthetic, label

Array = NDArray[np.float32]
Background = Literal["black", "grey", "checker"]

SHEET_KEY = "vfxgan:contact-sheet"
_BACKGROUNDS: dict[Background, tuple[float, float]] = {"black": (0, 0), "grey": (0.18, 0.18), "checker": (0.08, 0.2)}


def contact_sheet(paths: Sequence[Path], layout: Layout, background: Background) -> tuple[Picture, list[str]]:
    """Draw all frames.

    Returns:
        An 8-bit sRGB picture, and a line for each frame that could not be read; its cell stays empty.
    """
    problems: list[str] = []
    synthetic: list[Path] = []

    def cell(place: int) -> Cell:
        path = paths[place]
        try:
            frame = read_light(path, at_least=layout.cell_width_px)
            if is_synthetic(frame.attributes):
                synthetic.append(path)
            return Cell(_tile(frame, layout.cell_width_px, background), _number(frame, path))
        except ImageError as error:
            problems.append(str(error))
            return Cell(None, _number(None, path))

    sheet = draw_sheet(len(paths), layout, cell)
    attributes = {SHEET_KEY: f"{len(paths)} frames", **(label(COMPOSITE, ".png") if synthetic else {})}
    return Picture(sheet, ("R", "G", "B"), attributes), sorted(problems)


def board(background: Background, height: int, width: int) -> Array:
    """[H, W, 3] linear light to put a picture with alpha on."""
    dark, light = _BACKGROUNDS[background]
    y, x = np.indices((height, width)) // max(1, min(height, width) // 8)
    squares = (x + y) % 2
    return np.repeat(np.where(squares == 0, dark, light).astype(np.float32)[..., None], 3, axis=-1)


def put_on(behind: Array, picture: Array) -> None:
    """Lay a premultiplied picture [h, w, 4] over the middle of [H, W, 3], which is overwritten."""
    top, left = (behind.shape[0] - picture.shape[0]) // 2, (behind.shape[1] - picture.shape[1]) // 2
    part = behind[top : top + picture.shape[0], left : left + picture.shape[1]]
    part *= 1 - np.clip(picture[..., 3:], 0, 1)
    part += picture[..., :3]


def _number(frame: FrameLight | None, path: Path) -> int | None:
    stamp = read_stamp(frame.attributes) if frame else None
    if stamp is not None and stamp.recipe.seed is not None:
        return stamp.recipe.seed
    digits = re.findall(r"-?\d+", path.stem)
    return int(digits[-1]) if digits else None


def _tile(frame: FrameLight, cell_px: int, background: Background) -> NDArray[np.uint8]:
    """[cell, cell, 3] sRGB: the frame scaled to fit, over the background; highlights are cut at 1, not toned down."""
    height, width = frame.height, frame.width
    scale = cell_px / max(height, width)
    behind = board(background, cell_px, cell_px)
    put_on(behind, resized(frame.light, (max(1, round(height * scale)), max(1, round(width * scale)))))
    return srgb_bytes(behind)
