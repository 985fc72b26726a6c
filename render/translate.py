"""A plate's light through an image network and back: the maths alone, in NumPy, for one whole picture.

With `e` the encoded plate over the encoded peak, the network gives `net(clip(e, 0, 1))`, and what lies outside 0 … 1
is added back, enlarged: highlights and negatives survive any network, also one that ends in tanh. A network that was
trained on the extended encoding takes `e` whole. The targets for other programs repeat these steps.
"""

import numpy as np
from numpy.typing import NDArray

from vfxgan.colour import apply_toe, decode, encode, encoded_peak
from vfxgan.errors import ImageError
from vfxgan.render.options import NetworkEncoding
from vfxgan.spec import ImageInput, ModelSpec

Array = NDArray[np.float32]

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec.709, as in training
COLOURS = 3


def has_residual(spec: ModelSpec) -> bool:
    """Whether light outside 0 … peak goes around the network: it must take and give RGB."""
    assert isinstance(spec.input, ImageInput)
    return not spec.encoding.extended and spec.input.channels == COLOURS


def plate_to_network(
    light: Array, spec: ModelSpec, encoding: NetworkEncoding | None = None
) -> tuple[Array, Array | None]:
    """Scene-linear light to the network's input.

    Args:
        light: [C, H, W] float32, finite, unbounded; C is the network's: grey, RGB, or RGB and alpha.
        encoding: of the network's signal; None: the spec's.
    Returns:
        [1, C, H, W] float32 in the spec's value range (beyond it for an extended encoding), and the encoded light
        outside 0 … 1, [3, H, W], or None where there is none.
    """
    low, high = spec.value_range
    colours = min(len(light), COLOURS)
    encoded = encode(light[:colours])
    encoded *= np.float32(1 / encoded_peak(spec.encoding.peak))
    held = encoded if spec.encoding.extended else np.clip(encoded, 0, 1)
    signal = np.concatenate([held, np.clip(light[colours:], 0, 1)]) if len(light) > colours else held
    residual = encoded - held if has_residual(spec) else None
    if residual is not None and not residual.any():
        residual = None
    x = signal * np.float32(high - low)
    x += np.float32(low)
    return x[None], residual


def network_to_light(
    raw: Array, residual_large: Array | None, spec: ModelSpec, encoding: NetworkEncoding | None = None
) -> Array:
    """The network's output to scene-linear light.

    Args:
        raw: [C, h, w] float32 in the spec's value range.
        residual_large: of `plate_to_network`, enlarged to [3, h, w] (`enlarge`).
        encoding: as given to `plate_to_network`.
    Returns:
        [C, h, w] float32: RGB in linear Rec.709, unbounded; alpha, if the network gives one, 0 … 1.
    Raises:
        ImageError: the network gave NaN or infinity.
    """
    low, high = spec.value_range
    unit = raw - np.float32(low)
    unit *= np.float32(1 / (high - low))
    if not np.isfinite(float(unit.min()) + float(unit.max())):
        raise ImageError("the network gave NaN or infinity on this plate")
    peak, toe = encoded_peak(spec.encoding.peak), spec.encoding.toe
    encoded = apply_toe(unit[:COLOURS] * np.float32(peak), toe)
    if residual_large is not None:
        encoded += residual_large * np.float32(peak)
    light = decode(encoded)
    alpha = apply_toe(np.clip(unit[COLOURS:], 0, 1), toe)
    return np.concatenate([light, alpha]) if len(alpha) else light


def enlarge(planes: Array, scale: int) -> Array:
    """Bilinear, pixel centres aligned, edges repeated: no negative lobes, and flat areas stay exactly as they are.

    Args:
        planes: [C, H, W] or [H, W].
    Returns:
        [C, s·H, s·W] or [s·H, s·W], float32, within the range of each four neighbours.
    """
    if scale == 1:
        return planes
    return _enlarged_across(_enlarged_across(planes, scale).swapaxes(-1, -2), scale).swapaxes(-1, -2)


def _enlarged_across(planes: Array, scale: int) -> Array:
    width = planes.shape[-1]
    padded = np.pad(planes, [(0, 0)] * (planes.ndim - 1) + [(1, 1)], mode="edge")
    result = np.empty((*planes.shape[:-1], width * scale), np.float32)
    for phase in range(scale):
        place = (phase + 0.5) / scale + 0.5  # of the new pixel's centre, counted from the left neighbour's in `padded`
        left, share = int(place), np.float32(place % 1)
        a, b = padded[..., left : left + width], padded[..., left + 1 : left + 1 + width]
        result[..., phase::scale] = a + share * (b - a)
    return result
