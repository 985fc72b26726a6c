"""The light of a plate for any region of it, from the file's own type: no float32 copy of the whole is ever made."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfxgan.render.alpha import Divided, divide
from vfxgan.render.plate_file import Spaces
from vfxgan.render.plate_image import PlateImage
from vfxgan.render.translate import LUMINANCE

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Region:
    """Rows and columns, counted from the data window's first; may reach beyond it."""

    top: int
    left: int
    height: int
    width: int


class PlateLight:
    """One picture of a plate as linear Rec.709. Safe to read from several threads.

    Beyond the data window its edges are repeated.

    Attributes:
        has_alpha: as stored.
    """

    def __init__(self, image: PlateImage, spaces: Spaces) -> None:
        self.image, self._spaces = image, spaces
        self.height, self.width, channels = image.pixels.shape
        self.has_alpha = channels in (2, 4)

    def light(self, region: Region) -> Array:
        """[C, h, w] float32, premultiplied where there is alpha: (Y | RGB) and alpha."""
        rows, above, below = _within(region.top, region.height, self.height)
        columns, before, after = _within(region.left, region.width, self.width)
        planes = self._inside(rows, columns)
        if not (above or below or before or after):
            return planes
        return np.pad(planes, ((0, 0), (above, below), (before, after)), mode="edge")

    def _inside(self, rows: slice, columns: slice) -> Array:
        stored = self.image.pixels[rows, columns]
        pixels = stored.astype(np.float32)
        if np.issubdtype(stored.dtype, np.integer):
            pixels *= np.float32(1 / np.iinfo(stored.dtype).max)
        to_light = self._spaces.to_light
        if to_light is not None and pixels.shape[2] < 3:  # grey has no colour space: all three are that grey
            pixels = np.concatenate([np.repeat(pixels[..., :1], 3, axis=2), pixels[..., 1:]], axis=2)
        colours = pixels.shape[2] - self.has_alpha
        if self.image.unassociated and self.has_alpha:
            if to_light is not None:
                pixels[..., :colours] = to_light.apply(pixels[..., :colours])
            pixels[..., :colours] *= pixels[..., colours:]
        elif to_light is not None:
            pixels = to_light.apply(pixels)
        return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


class NetworkLight:
    """What a network of so many channels is to see of a plate, region by region.

    Attributes:
        divided: colour that was divided by alpha; None where colour goes in as it is.
    """

    def __init__(self, source: PlateLight, channels: int, *, divided: bool) -> None:
        self.source, self._channels = source, channels
        self.divided: Divided | None = None
        if divided and source.has_alpha:
            self.divided = divide(self._colour_and_alpha, source.height, source.width)

    def colour(self, region: Region) -> Array:
        """[channels, h, w]: grey, RGB, or RGB and alpha."""
        if self.divided is None:
            light = self.source.light(region)
            colour, alpha = (light[:-1], light[-1]) if self.source.has_alpha else (light, None)
            return _with_channels(colour, alpha, self._channels)
        rows, above, below = _within(region.top, region.height, self.source.height)
        columns, before, after = _within(region.left, region.width, self.source.width)
        planes = self.divided.colour(rows, columns)
        return np.pad(planes, ((0, 0), (above, below), (before, after)), mode="edge")

    def _colour_and_alpha(self, rows: slice, columns: slice) -> tuple[Array, Array]:
        region = Region(rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)
        light = self.source.light(region)
        return _with_channels(light[:-1], None, 3), light[-1]


def _within(first: int, count: int, length: int) -> tuple[slice, int, int]:
    """The part of a run of pixels inside 0 … length, at least one, and how often its ends are repeated."""
    start = min(max(first, 0), length - 1)
    stop = max(min(first + count, length), start + 1)
    return slice(start, stop), max(start - first, 0), max(first + count - stop, 0)


def _with_channels(colour: Array, alpha: Array | None, channels: int) -> Array:
    """Grey or RGB to what the network takes, as in training: grey is repeated, and what has no alpha is opaque."""
    if channels == 1:
        return colour if len(colour) == 1 else np.tensordot(LUMINANCE, colour, 1)[None]
    planes = colour if len(colour) == 3 else np.repeat(colour, 3, axis=0)
    if channels == 3:
        return planes
    opaque = np.ones_like(planes[0]) if alpha is None else alpha
    return np.concatenate([planes, opaque[None]])
