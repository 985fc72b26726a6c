"""A plate's alpha beside the network: colour is divided by it before, and multiplied by it, enlarged, after.

Where alpha is 0 and colour is not (emission), colour stays as it is. Where both are 0 there is no colour: the nearest
one is put there, so that the network sees no edge that is not in the picture.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfxgan.render.translate import enlarge

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Divided:
    """Colour without its alpha.

    Attributes:
        colour: [3, H, W], what the network is to see.
        alpha: [H, W] as stored.
        light: [3, H, W] as stored, premultiplied.
        emission: [H, W], 1 where alpha is 0 and light is not; None where alpha is 0 all over and means nothing.
    """

    colour: Array
    alpha: Array
    light: Array
    emission: Array | None


def divide(light: Array, alpha: Array) -> Divided:
    """Unpremultiply in linear light.

    Args:
        light: [3, H, W] float32, finite, scene-linear, premultiplied.
        alpha: [H, W] float32, finite.
    """
    covered = alpha > 0
    if not covered.any():
        return Divided(light, alpha, light, None)
    lit = (light != 0).any(axis=0)
    colour = np.divide(light, alpha, out=light.copy(), where=covered)
    emission = (~covered & lit).astype(np.float32)
    empty = ~covered & ~lit
    if empty.any():
        colour = np.where(empty, _spread(light, np.clip(alpha, 0, 1) + emission), colour)
    return Divided(colour, alpha, light, emission)


def multiply(colour: Array, divided: Divided, scale: int) -> Array:
    """Premultiply what the network made.

    Args:
        colour: [3, s·H, s·W], linear.
    Returns:
        [4, s·H, s·W]: premultiplied RGB, and alpha within its neighbours' range.
    """
    alpha = enlarge(divided.alpha, scale)
    if divided.emission is None:
        return np.concatenate([colour, alpha[None]])
    light = colour * alpha
    if divided.emission.any():
        emission = enlarge(divided.emission, scale)
        light = np.where(emission == 1, colour, light)
        # Divided and undivided colour have no mean: where the two meet, the light itself is enlarged.
        light = np.where((emission > 0) & (emission < 1), enlarge(divided.light, scale), light)
    return np.concatenate([light, alpha[None]])


def _spread(light: Array, weight: Array) -> Array:
    """Colour everywhere, from wherever there is some: means over ever larger squares, from there back (pull, push).

    Args:
        light: [3, H, W], colour times weight.
        weight: [H, W], 0 where there is no colour.
    Returns:
        [3, H, W]; meant for the places of weight 0.
    Source:
        Gortler et al. 1996, The Lumigraph, §3.3.
    """
    height, width = weight.shape
    if height == width == 1:
        return np.divide(light, weight, out=np.zeros_like(light), where=weight > 0)
    padding = ((0, height % 2), (0, width % 2))
    coarse_light = _halved(np.pad(light, ((0, 0), *padding)))
    coarse_weight = _halved(np.pad(weight, padding))
    coarse = _spread(coarse_light, coarse_weight)
    known = np.divide(coarse_light, coarse_weight, out=coarse, where=coarse_weight > 0)
    return enlarge(known, 2)[:, :height, :width]


def _halved(planes: Array) -> Array:
    height, width = planes.shape[-2] // 2, planes.shape[-1] // 2
    blocks = planes.reshape(*planes.shape[:-2], height, 2, width, 2)
    return np.asarray(blocks.mean(axis=(-3, -1)), np.float32)
