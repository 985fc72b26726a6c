"""Any frame or plate as light, for people to look at: in its display window, in linear Rec.709."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from vfxgan.colour import decode, encode
from vfxgan.errors import ImageError, UsageError
from vfxgan.images import Layout, Pixels, choose_colour, read_channels
from vfxgan.render.spaces import CHROMATICITIES, SOURCE_SPACE, conversion_of

Array = NDArray[np.float32]

TYPES = ("half", "float", "uint8", "uint16")
LARGEST = np.float32(65504)


@dataclass(frozen=True)
class FrameLight:
    """A frame as it is seen.

    Attributes:
        light: [H, W, 4] float32, linear Rec.709, premultiplied, finite: the display window, overscan cut off, and 0
            where it has no pixels.
        display_referred: it was sRGB: how bright it is to look is settled.
        pixel_aspect: width of a pixel over its height.
        layout: of the file.
    """

    light: Array
    display_referred: bool
    pixel_aspect: float
    layout: Layout


def read_light(path: Path, ocio: str | None = None) -> FrameLight:
    """Decode a frame; of several layers or views the main one, else the first.

    Raises:
        ImageError: missing, damaged, deep, without colour, or in a space that is not known.
    """
    layout, pixels = read_channels(path, choose_main)
    if layout.type not in TYPES:
        raise ImageError(f"{path}: stores {layout.type} values; half, float, 8 or 16 bit can be shown")
    if layout.type.startswith("uint"):
        light = _linear_of_srgb(pixels)
    else:
        light = _with_alpha(np.nan_to_num(pixels.astype(np.float32), posinf=LARGEST, neginf=-LARGEST))
        light = _in_rec709(light, space_of(layout, path), ocio, path)
    aspect = layout.attributes.get("PixelAspectRatio", 1.0)
    good = isinstance(aspect, float) and 0.1 <= aspect <= 10
    return FrameLight(in_display_window(light, layout), layout.type.startswith("uint"), aspect if good else 1.0, layout)


def choose_main(names: tuple[str, ...]) -> tuple[int, ...] | None:
    """The file's own colour, or else that of its first layer that has some: `left.R`, `left.G`, `left.B`, `left.A`."""
    own = choose_colour(names)
    if own is not None:
        return own
    layers = dict.fromkeys(name.rpartition(".")[0] for name in names if "." in name)
    for layer in layers:
        places = {name.rpartition(".")[2]: at for at, name in enumerate(names) if name.rpartition(".")[0] == layer}
        chosen = choose_colour(tuple(places))
        if chosen is not None:
            return tuple(list(places.values())[at] for at in chosen)
    return None


def space_of(layout: Layout, path: Path) -> str:
    """The colour space that a float file names, linear Rec.709 if none.

    Raises:
        ImageError: its chromaticities are of no space that is known.
    """
    named = layout.attributes.get("colorInteropID") or layout.attributes.get("vfxgan:colorspace")
    if isinstance(named, str) and named not in ("", "unknown", "data"):
        return named
    primaries = layout.attributes.get("chromaticities")
    if primaries is None:
        return SOURCE_SPACE
    for name, known in CHROMATICITIES.items():
        if len(primaries) == len(known) and np.allclose(primaries, known, atol=2e-4):
            return name
    shown = ", ".join(f"{value:.4g}" for value in primaries)
    raise ImageError(f"{path}: its chromaticities ({shown}) are of no space that is known")


def in_display_window(light: Array, layout: Layout) -> Array:
    """Put the data window's pixels [h, w, C] where they belong in the display window; [H, W, C], 0 elsewhere."""
    if layout.data == layout.display:
        return light
    x, y, width, height = layout.display
    left, top = layout.data[0] - x, layout.data[1] - y
    whole = np.zeros((height, width, light.shape[2]), np.float32)
    rows = slice(max(0, top), max(0, min(height, top + light.shape[0])))
    columns = slice(max(0, left), max(0, min(width, left + light.shape[1])))
    if rows.start < rows.stop and columns.start < columns.stop:
        whole[rows, columns] = light[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
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


def _linear_of_srgb(pixels: Pixels) -> Array:
    unit = _with_alpha(pixels.astype(np.float32) * np.float32(1 / np.iinfo(pixels.dtype).max))
    unit[..., :3] = decode(unit[..., :3]) * unit[..., 3:]
    return unit


def _with_alpha(pixels: Array) -> Array:
    """Grey or RGB, with or without alpha, as RGBA."""
    height, width, count = pixels.shape
    whole = np.ones((height, width, 4), np.float32)
    whole[..., :3] = pixels[..., : 3 if count >= 3 else 1]
    if count in (2, 4):
        whole[..., 3] = pixels[..., -1]
    return whole


def _in_rec709(light: Array, space: str, ocio: str | None, path: Path) -> Array:
    try:
        conversion = conversion_of(space, ocio, str(path), to_light=True)
    except UsageError as error:  # of one file, not of the command
        raise ImageError(f"{error}; name its config with --ocio") from error
    return light if conversion is None else conversion.apply(light)
