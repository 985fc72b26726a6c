"""Any frame or plate as light, for people to look at: in its display window, in linear Rec.709."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from vfxgan.colour import encode
from vfxgan.errors import ImageError
from vfxgan.images import MAX_SIDE_PX, Window
from vfxgan.render.options import AS_PLATE, OutputOptions
from vfxgan.render.plate_file import find_spaces
from vfxgan.render.plate_image import PlateImage
from vfxgan.render.plate_layers import choose_pictures
from vfxgan.render.plate_light import PlateLight, Region
from vfxgan.render.plate_reading import check_picture, open_plate, read_image

Array = NDArray[np.float32]
T = TypeVar("T", bound=np.generic)

LARGEST = np.float32(65504)
STRIP_ROWS = 256
PIXEL_ASPECTS = (0.1, 10.0)
MAIN_PICTURE = OutputOptions(
    format="exr", bit_depth=AS_PLATE, compression="", colorspace=AS_PLATE, ocio=None, z_interval=None
)


@dataclass(frozen=True)
class FrameLight:
    """A frame as it is seen.

    Attributes:
        light: [h, w, 4] float32, linear Rec.709, premultiplied, finite: the display window, overscan cut off, and 0
            where it has no pixels; reduced by a whole number where it was asked for smaller.
        display_referred: it was sRGB: how bright it is to look is settled.
        height, width: of the display window, in px.
        pixel_aspect: width of a pixel over its height.
        attributes: of its header.
    """

    light: Array
    display_referred: bool
    height: int
    width: int
    pixel_aspect: float
    attributes: Mapping[str, Any]


def read_light(path: Path, output: OutputOptions = MAIN_PICTURE, at_least: int | None = None) -> FrameLight:
    """Decode a frame.

    Args:
        output: of the render that made it: which layer and view are shown (of several views the first), and by which
            OCIO config their space is known.
        at_least: long side that is enough; what is several times larger comes reduced, and needs less memory.
    Raises:
        ImageError: missing, damaged, deep, without colour, or in a space that is not known.
    """
    with open_plate(path) as image:
        wanted = replace(MAIN_PICTURE, layer=output.layer, view=output.view, ocio=output.ocio)
        if any(part.name == output.part for part in image.parts):
            wanted = replace(wanted, part=output.part)
        chosen = choose_pictures(image.parts, path, wanted)[0]
        check_picture(chosen, image, 1)
        spaces = find_spaces(chosen.part, image.format, path, wanted)
        read = read_image(image, chosen, "clamp", "")
    picture = read.image
    _, _, width, height = picture.display
    aspect = chosen.part.attributes.get("PixelAspectRatio", 1.0)
    good = isinstance(aspect, float) and PIXEL_ASPECTS[0] <= aspect <= PIXEL_ASPECTS[1]
    return FrameLight(
        _reduced(PlateLight(picture, spaces), picture, max(1, max(height, width) // (at_least or MAX_SIDE_PX))),
        picture.pixels.dtype.kind == "u",
        height,
        width,
        aspect if good else 1.0,
        chosen.part.attributes,
    )


def _reduced(source: PlateLight, image: PlateImage, factor: int) -> Array:
    """The display window, each pixel the mean of a square; some rows at a time, so that only the result is float32."""
    x, y, width, height = image.display
    light = np.empty((-(-height // factor), -(-width // factor), 4), np.float32)
    step = factor * max(1, STRIP_ROWS // factor)
    for top in range(0, height, step):
        rows = min(step, height - top)
        window = (x, y + top, width, rows)
        first = max(0, window[1] - image.data[1])
        count = min(image.data[3], window[1] + rows - image.data[1]) - first
        strip = np.zeros((rows, width, 4), np.float32)
        if count > 0:
            planes = source.light(Region(first, 0, count, image.data[2]))
            place = (image.data[0], image.data[1] + first, image.data[2], count)
            strip = in_window(np.clip(_rgba(planes), -LARGEST, LARGEST), place, window)
        light[top // factor : top // factor + -(-rows // factor)] = _means(strip, factor)
    return light


def _means(strip: Array, factor: int) -> Array:
    """[h, w, 4] in squares; those at the right and lower edge repeat the last pixel."""
    if factor == 1:
        return strip
    height, width, _ = strip.shape
    padded = np.pad(strip, ((0, -height % factor), (0, -width % factor), (0, 0)), mode="edge")
    down, across = padded.shape[0] // factor, padded.shape[1] // factor
    means: Array = padded.reshape(down, factor, across, factor, 4).mean(axis=(1, 3), dtype=np.float32)
    return means


def in_window(pixels: NDArray[T], data: Window, window: Window) -> NDArray[T]:
    """The part of [h, w, C], which lie in `data`, that is inside another window: [H, W, C], 0 where there is none."""
    x, y, width, height = window
    left, top = data[0] - x, data[1] - y
    whole = np.zeros((height, width, pixels.shape[2]), pixels.dtype)
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
