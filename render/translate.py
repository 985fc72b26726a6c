"""A plate's light through an image network and back: the maths alone, in NumPy, for one whole picture.

With `e` the encoded plate over the encoded peak, the network gives `net(clip(e, 0, 1))`, and what lies outside 0 … 1
is added back, enlarged: highlights and negatives survive any network, also one that ends in tanh. A network that was
trained on the extended encoding takes `e` whole. The targets for other programs repeat these steps.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vfxgan.colour import apply_toe
from vfxgan.errors import ImageError
from vfxgan.render.options import NetworkEncoding
from vfxgan.render.signals import Spare, signal_of
from vfxgan.spec import ImageInput, ModelSpec

Array = NDArray[np.float32]

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec.709, as in training
COLOURS = 3
BLOCK_VALUES = 1 << 15  # float32; five such arrays fit a core's cache, and the calls cost little beside the work

_LARGEST = np.finfo(np.float32).max


def has_residual(spec: ModelSpec) -> bool:
    """Whether light outside 0 … peak goes around the network: it must take and give RGB."""
    assert isinstance(spec.input, ImageInput)
    return not spec.encoding.extended and spec.input.channels == COLOURS


def plate_to_network(
    light: Array, spec: ModelSpec, encoding: NetworkEncoding | None = None
) -> tuple[Array, Array | None]:
    """Scene-linear light to the network's input.

    Args:
        light: [C, h, w] float32, finite, unbounded; C is the network's: grey, RGB, or RGB and alpha.
        encoding: of the network's signal; None: the spec's.
    Returns:
        [1, C, h, w] float32 in the spec's value range (beyond it for an extended encoding), and the encoded light
        outside 0 … 1, [3, h, w], or None where there is none.
    """
    signal = signal_of(spec.encoding, encoding)
    low, high = spec.value_range
    x, residual = np.empty((1, *light.shape), np.float32), None
    around = has_residual(spec)
    for rows, colour, spare in _blocks(light[:COLOURS]):
        encoded = signal.encode(colour, spare)
        given = x[0, :COLOURS, rows]
        if spec.encoding.extended:
            np.clip(encoded, -_LARGEST / 2, _LARGEST / 2, out=given)
        else:
            np.clip(encoded, 0, 1, out=given)
        _to_range(given, low, high)
        if around and (signal.keeps_rounding or encoded.min() < 0 or encoded.max() > 1):
            if residual is None:
                residual = np.zeros((COLOURS, *light.shape[1:]), np.float32)
            unit = _from_range(given, low, high) if signal.keeps_rounding else np.clip(encoded, 0, 1)
            np.subtract(encoded, unit, out=residual[:, rows])
    np.clip(light[COLOURS:], 0, 1, out=x[0, COLOURS:])
    _to_range(x[0, COLOURS:], low, high)
    return x, residual


def network_to_light(
    raw: Array, residual_large: Array | None, spec: ModelSpec, encoding: NetworkEncoding | None = None
) -> Array:
    """The network's output to scene-linear light.

    Args:
        raw: [C, h, w] float32 in the spec's value range.
        residual_large: of `plate_to_network`, enlarged to [3, h, w] (`enlarge`).
        encoding: as given to `plate_to_network`.
    Returns:
        [C, h, w] float32: RGB in linear Rec.709, unbounded but finite; alpha, if the network gives one, 0 … 1.
    Raises:
        ImageError: the network gave NaN or infinity.
    """
    if raw.size and not np.isfinite(float(raw.min()) + float(raw.max())):
        raise ImageError("the network gave NaN or infinity on this plate")
    signal = signal_of(spec.encoding, encoding)
    low, high = spec.value_range
    light = np.empty(raw.shape, np.float32)
    with np.errstate(over="ignore"):  # whatever a network says: infinity on the way is held by the signal's end
        for rows, encoded, spare in _blocks(raw[:COLOURS]):
            _from_range(encoded, low, high, out=encoded)
            if residual_large is not None:
                encoded += residual_large[:, rows]
            light[:COLOURS, rows] = signal.decode(encoded, spare)
    for rows, alpha, spare in _blocks(raw[COLOURS:]):
        _from_range(alpha, low, high, out=alpha)
        np.clip(alpha, 0, 1, out=alpha)
        light[COLOURS:, rows] = apply_toe(alpha, spec.encoding.toe, spare[0])
    return light


def _blocks(planes: Array) -> Iterator[tuple[slice, Array, Spare]]:
    """Some rows at a time: which, a copy of them [C, rows, w], and three arrays of that shape; all overwritten."""
    channels, height, width = planes.shape
    if 0 in planes.shape:
        return
    count = min(height, max(1, BLOCK_VALUES // (channels * width)))
    whole = [np.empty(channels * count * width, np.float32) for _ in range(4)]
    for top in range(0, height, count):
        rows = slice(top, min(top + count, height))
        shape = (channels, rows.stop - top, width)
        # Contiguous, also the last and smaller one: then NumPy takes the same vector code everywhere.
        block, first, second, third = (buffer[: channels * shape[1] * width].reshape(shape) for buffer in whole)
        np.copyto(block, planes[:, rows])
        yield rows, block, (first, second, third)


def _to_range(unit: Array, low: float, high: float) -> None:
    if (low, high) != (0, 1):
        unit *= np.float32(high - low)
        unit += np.float32(low)


def _from_range(values: Array, low: float, high: float, out: Array | None = None) -> Array:
    unit = np.subtract(values, np.float32(low), out=out)
    unit *= np.float32(1 / (high - low))
    return unit


def enlarge(planes: Array, scale: int) -> Array:
    """Bilinear, pixel centres aligned, edges repeated: no negative lobes, and flat areas stay exactly as they are.

    Args:
        planes: [C, H, W] or [H, W].
    Returns:
        [C, s·H, s·W] or [s·H, s·W], float32, within the range of each four neighbours.
    """
    if scale == 1:
        return planes
    wide = np.empty((*planes.shape[:-1], planes.shape[-1] * scale), np.float32)
    padded = np.pad(planes, [(0, 0)] * (planes.ndim - 1) + [(1, 1)], mode="edge")
    width = planes.shape[-1]
    for phase, left, share in _phases(scale):
        _between(
            padded[..., left : left + width], padded[..., left + 1 : left + 1 + width], share, wide[..., phase::scale]
        )
    large = np.empty((*planes.shape[:-2], planes.shape[-2] * scale, wide.shape[-1]), np.float32)
    padded = np.pad(wide, [(0, 0)] * (planes.ndim - 2) + [(1, 1), (0, 0)], mode="edge")
    height = planes.shape[-2]
    for phase, top, share in _phases(scale):
        above, below = padded[..., top : top + height, :], padded[..., top + 1 : top + 1 + height, :]
        _between(above, below, share, large[..., phase::scale, :])
    return large


def _phases(scale: int) -> Iterator[tuple[int, int, np.float32]]:
    """Of each new pixel between two: its place, its left neighbour's in a padded line, and the right one's share."""
    for phase in range(scale):
        place = (phase + 0.5) / scale + 0.5
        yield phase, int(place), np.float32(place % 1)


def _between(a: Array, b: Array, share: np.float32, out: Array) -> None:
    with np.errstate(over="ignore"):
        step = b - a
    # Of opposite signs, the largest floats lie further apart than a float can say.
    np.clip(step, -_LARGEST, _LARGEST, out=step)
    step *= share
    np.add(a, step, out=out)
