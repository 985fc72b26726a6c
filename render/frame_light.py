"""Any frame or plate as light, for people to look at: in its display window, in linear Rec.709."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from vfxgan.colour import encode
from vfxgan.errors import ImageError
from vfxgan.images import OpenImage, Window
from vfxgan.render.options import AS_PLATE, OutputOptions
from vfxgan.render.plate_file import find_spaces
from vfxgan.render.plate_image import PlateImage
from vfxgan.render.plate_layers import choose_pictures
from vfxgan.render.plate_light import PlateLight, Region
from vfxgan.render.plate_reading import check_picture, check_plate, read_image

Array = NDArray[np.float32]

LARGEST = np.float32(65504)
PIXEL_ASPECTS = (0.1, 10.0)
MAIN_PICTURE = OutputOptions(
    format="exr", bit_depth=AS_PLATE, compression="", colorspace=AS_PLATE, ocio=None, z_interval=None
)


@dataclass(frozen=True)
class FrameLight:
    """A frame as it is seen.

    Attributes:
        light: [H, W, 4] float32, linear Rec.709, premultiplied, finite: the display window, overscan cut off, and 0
            where it has no pixels.
        display_referred: it was sRGB: how bright it is to look is settled.
        pixel_aspect: width of a pixel over its height.
        attributes: of its header.
    """

    light: Array
    display_referred: bool
    pixel_aspect: float
    attributes: Mapping[str, Any]


def read_light(path: Path, output: OutputOptions = MAIN_PICTURE) -> FrameLight:
    """Decode a frame.

    Args:
        output: of the render that made it: which layer and view are shown (of several views the first), and by which
            OCIO config their space is known.
    Raises:
        ImageError: missing, damaged, deep, without colour, or in a space that is not known.
    """
    with OpenImage(path) as image:
        check_plate(image)
        wanted = replace(MAIN_PICTURE, layer=output.layer, view=output.view, ocio=output.ocio)
        if any(part.name == output.part for part in image.parts):
            wanted = replace(wanted, part=output.part)
        chosen = choose_pictures(image.parts, path, wanted)[0]
        check_picture(chosen, image, 1)
        spaces = find_spaces(chosen.part, image.format, path, wanted)
        read = read_image(image, chosen, "clamp", "")
    planes = PlateLight(read.image, spaces).light(Region(0, 0, *read.image.pixels.shape[:2]))
    light = in_display_window(np.clip(_rgba(planes), -LARGEST, LARGEST), read.image)
    aspect = chosen.part.attributes.get("PixelAspectRatio", 1.0)
    good = isinstance(aspect, float) and PIXEL_ASPECTS[0] <= aspect <= PIXEL_ASPECTS[1]
    is_integer = read.image.pixels.dtype.kind == "u"
    return FrameLight(light, is_integer, aspect if good else 1.0, chosen.part.attributes)


def in_display_window(light: Array, image: PlateImage) -> Array:
    """Put the data window's pixels [h, w, C] where they belong in the display window; [H, W, C], 0 elsewhere."""
    return light if image.data == image.display else in_window(light, image.data, image.display)


def in_window(pixels: Array, data: Window, window: Window) -> Array:
    """The part of [h, w, C], which lie in `data`, that is inside another window: [H, W, C], 0 where there is none."""
    x, y, width, height = window
    left, top = data[0] - x, data[1] - y
    whole = np.zeros((height, width, pixels.shape[2]), np.float32)
    rows = slice(max(0, top), max(0, min(height, top + pixels.shape[0])))
    columns = slice(max(0, left), max(0, min(width, left + pixels.shape[1])))
    if rows.start < rows.stop and columns.start < columns.stop:
        whole[rows, columns] = pixels[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return whole


def resized(light: Array, size: tuple[int, int]) -> Array:
    """[H, W, C] to another H, W by area: the mean of the pixels under each new one."""
    if light.shape[:2] == size:
        return light
    region = oiio.ROI(0, size[1], 0, size[0], 0, 1, 0, light.shape[2])
    small = oiio.ImageBufAlgo.resize(oiio.ImageBuf(np.ascontiguousarray(light)), "box", 0.0, region, 1)
    if small.has_error:
        raise ImageError(f"cannot be scaled ({small.geterror()})")
    return np.asarray(small.get_pixels(oiio.FLOAT), dtype=np.float32)


def srgb_bytes(light: Array) -> NDArray[np.uint8]:
    """Light to 8-bit sRGB; highlights are cut at 1, not toned down."""
    return np.rint(encode(np.clip(light, 0, 1)) * 255).astype(np.uint8)


def _rgba(planes: Array) -> Array:
    """Grey or RGB, with or without alpha, [C, H, W], as [H, W, 4]."""
    count, height, width = planes.shape
    whole = np.ones((height, width, 4), np.float32)
    for channel in range(3):
        whole[..., channel] = planes[channel if count >= 3 else 0]
    if count in (2, 4):
        whole[..., 3] = planes[-1]
    return whole
