"""Plates of integers that name no other space: sRGB codes to linear Rec.709."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfxgan.colour import decode

Array = NDArray[np.float32]


@dataclass(frozen=True)
class SrgbToLight:
    """A conversion, as `spaces.Conversion` is one, by the very curve that PNG is written with."""

    space: str = "sRGB"
    config_id: None = None
    interop_id: str = "srgb_rec709_scene"
    linear: bool = False

    def apply(self, pixels: Array) -> Array:
        """[H, W, C] codes, 0 … 1, to light; both are multiplied by a fourth channel (TIFF's associated alpha)."""
        colour = np.array(pixels[..., :3], np.float32)
        if pixels.shape[2] < 4:
            return decode(colour)
        alpha = np.array(pixels[..., 3:], np.float32)
        np.divide(colour, alpha, out=colour, where=alpha > 0)
        light = decode(colour)
        np.multiply(light, alpha, out=light, where=alpha > 0)
        return np.concatenate([light, alpha], axis=2)
