"""Scene-linear light to the pixels that are stored: half or float for EXR, sRGB integers for PNG."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfxgan.colour import encode
from vfxgan.images import Pixels
from vfxgan.render.half import clamp_to_half, store_half, store_planes_as_half
from vfxgan.render.light import Light
from vfxgan.render.options import BitDepth
from vfxgan.render.spaces import Converts

Array = NDArray[np.float32]

STORED_TYPES: dict[BitDepth, type[np.generic]] = {
    "half": np.float16,
    "float": np.float32,
    "8": np.uint8,
    "16": np.uint16,
}


@dataclass(frozen=True)
class Stored:
    """Pixels ready to be written.

    Attributes:
        pixels: [H, W, C] in the file's type.
        clipped: values that the type or PNG's 0 … 1 could not hold.
    """

    pixels: Pixels
    clipped: int


def store(light: Light, bit_depth: BitDepth, conversion: Converts | None = None) -> Stored:
    """Bring light into the file's type.

    Args:
        bit_depth: half and float are scene-linear (or what `conversion` makes of it) and premultiplied; 8 and 16 are
            sRGB, unpremultiplied, 0 … 1.
        conversion: to another colour space; EXR only.
    """
    height, width, channels = light.shape
    pixels = np.empty((height, width, channels), STORED_TYPES[bit_depth])
    if conversion is not None:
        planes = np.moveaxis(conversion.apply(_gathered(light)), -1, 0)
        return Stored(pixels, _store_converted(planes, pixels))
    if bit_depth in ("8", "16"):
        return Stored(pixels, sum(_store_srgb_block(light, rows, pixels[rows]) for rows in light.blocks()))
    clamped = 0
    for rows in light.blocks():
        for channel in range(channels):
            clamped += _store_linear(light.plane(rows, channel), pixels[rows, :, channel], light.spare(rows))
    return Stored(pixels, clamped)


def store_planes(light: Array, out: Pixels, conversion: Converts | None = None) -> int:
    """Bring light into a part of a file's pixels.

    Args:
        light: [C, h, w] float32, linear Rec.709, premultiplied; overwritten.
        out: [h, w, C] float16 or float32 (scene-linear or what `conversion` makes of it, premultiplied), uint8 or
            uint16 (sRGB, unpremultiplied, 0 … 1).
        conversion: to another colour space.
    Returns:
        How many values the type or PNG's 0 … 1 could not hold.
    """
    if np.issubdtype(out.dtype, np.integer):
        return _store_srgb(light[:3], light[3].copy() if len(light) == 4 else None, out)
    if conversion is not None:
        light = np.moveaxis(conversion.apply(np.moveaxis(light, 0, -1)), -1, 0)
    return _store_converted(light, out)


def _store_linear(plane: Array, out: Pixels, spare: tuple[Array, Array]) -> int:
    if out.dtype == np.float32:
        out[...] = plane
        return 0
    clamped = clamp_to_half(plane)
    store_half(plane, out, spare)
    return clamped


def _gathered(light: Light) -> Array:
    whole = np.empty(light.shape, np.float32)
    for rows in light.blocks():
        for channel in range(light.shape[2]):
            whole[rows, :, channel] = light.plane(rows, channel)
    return whole


def _store_converted(planes: Array, out: Pixels) -> int:
    if out.dtype == np.float16:
        return store_planes_as_half(planes, out)
    clamped = 0
    for channel, plane in enumerate(planes):
        clamped += _clamp_to_float(plane)
        out[..., channel] = plane
    return clamped


def _clamp_to_float(values: Array) -> int:
    """Light can pass what float32 holds only where the plate nearly does; infinity is never stored."""
    count = int(np.count_nonzero(np.isinf(values)))
    if count:
        np.nan_to_num(values, copy=False)
    return count


def _store_srgb_block(light: Light, rows: slice, out: Pixels) -> int:
    alpha = light.plane(rows, 3).copy() if light.shape[2] == 4 else None
    return _store_srgb((light.plane(rows, channel) for channel in range(3)), alpha, out)


def _store_srgb(colours: Iterable[Array], alpha: Array | None, out: Pixels) -> int:
    """Unpremultiplied in linear light, since dividing sRGB values by alpha gives other colours."""
    largest = np.float32(np.iinfo(out.dtype).max)
    clipped = 0
    for channel, colour in enumerate(colours):
        if alpha is not None:  # where it is 0, colour (pure emission) stays as it is
            np.divide(colour, alpha, out=colour, where=alpha > 0)
        clipped += int(np.count_nonzero((colour < 0) | (colour > 1 + _ROUNDING)))
        out[..., channel] = np.rint(encode(np.clip(colour, 0, 1)) * largest)
    if alpha is not None:
        out[..., 3] = np.rint(np.clip(alpha, 0, 1) * largest)
    return clipped


_ROUNDING = 1e-6  # colour ÷ alpha of an element whose colour is white comes out a hair above 1
