"""Which part of a picture a sample is, and what is done to it: the same for all its channels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfxgan.trainer.data.resizing import resized, to_float, to_half
from vfxgan.trainer.data.tables import light_of_signal, looked_up, signal_of_light

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Augment:
    """What is varied from sample to sample. The default varies nothing but the place of the crop.

    Attributes:
        flip: left-right, every other sample.
        vertical: top-bottom, every other sample.
        turns: by 0, 90, 180 or 270 degrees.
        scale: smallest and largest enlargement; a part of the picture that much smaller is resized to the crop.
        exposure_stops: light is multiplied by 2^e, e within ± this.
        colour: each of R, G and B is multiplied by its own 2^c, c within ± this.
        crop: at a random place; False: in the centre.
    """

    flip: bool = False
    vertical: bool = False
    turns: bool = False
    scale: tuple[float, float] | None = None
    exposure_stops: float = 0.0
    colour: float = 0.0
    crop: bool = True

    @property
    def largest(self) -> float:
        """The largest enlargement."""
        return max(1.0, self.scale[1]) if self.scale else 1.0


@dataclass(frozen=True)
class Place:
    """A region of a picture in pixels, and how it is turned."""

    top: int
    left: int
    height: int
    width: int
    mirrored: bool = False
    flipped: bool = False
    quarters: int = 0

    def cut(self, picture: NDArray[np.float16], size: tuple[int, int]) -> Array:
        """[C, H, W] to [C, *size] float32; resized where the region has another size."""
        region = picture[:, self.top : self.top + self.height, self.left : self.left + self.width]
        part = to_float(np.array(region, order="C"))  # a copy: the mapped file is read-only
        if self.mirrored:
            part = part[:, :, ::-1]
        if self.flipped:
            part = part[:, ::-1]
        part = np.ascontiguousarray(np.rot90(part, self.quarters, (1, 2)))
        return part if part.shape[1:] == size else resized(part, size)


def choose_place(picture: tuple[int, int], crop: tuple[int, int], augment: Augment, rng: np.random.Generator) -> Place:
    """Draw a place.

    Args:
        picture: height and width, at least those of the crop.
        crop: height and width; quarter turns are left out where they differ.
    """
    low, high = augment.scale or (1.0, 1.0)
    zoom = float(rng.uniform(low, high))
    zoom = max(zoom, crop[0] / picture[0], crop[1] / picture[1])
    height, width = (min(round(side / zoom), limit) for side, limit in zip(crop, picture, strict=True))
    top, left = (int(rng.integers(limit - side + 1)) for limit, side in zip(picture, (height, width), strict=True))
    mirrored, flipped, quarters = int(rng.integers(2)), int(rng.integers(2)), int(rng.integers(4))
    if not augment.crop:
        top, left = (picture[0] - height) // 2, (picture[1] - width) // 2
    if crop[0] != crop[1]:
        quarters &= 2
    return Place(
        top,
        left,
        height,
        width,
        bool(mirrored) and augment.flip,
        bool(flipped) and augment.vertical,
        quarters if augment.turns else 0,
    )


def centre(picture: tuple[int, int], crop: tuple[int, int]) -> Place:
    """The middle of a picture, as it is."""
    return Place((picture[0] - crop[0]) // 2, (picture[1] - crop[1]) // 2, *crop)


def choose_gains(augment: Augment, rng: np.random.Generator) -> Array | None:
    """[3, 1, 1] factors of light, or None where nothing is to be changed."""
    exposure, colour = rng.uniform(-1, 1), rng.uniform(-1, 1, 3)
    if not augment.exposure_stops and not augment.colour:
        return None
    stops = exposure * augment.exposure_stops + colour * augment.colour
    return np.exp2(stops).astype(np.float32)[:, None, None]


def relit(signal: Array, gains: Array, peak: float) -> Array:
    """[1, 3 or 4, H, W] in 0…1 with its light multiplied; what leaves the range is clipped. Alpha stays.

    The multiplication is of scene-linear light, which is premultiplied, so that transparent edges stay right.
    """
    colours = 3 if len(signal) >= 3 else 1
    light = looked_up(light_of_signal(peak), to_half(signal[:colours]).view(np.uint16))
    light *= gains[:colours]
    relit_colour = to_float(looked_up(signal_of_light(peak, "clamp"), to_half(light).view(np.uint16)))
    return np.concatenate([relit_colour, signal[colours:]])
