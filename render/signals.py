"""What an image network's 0 … 1 stands for: light by a curve, and back, in blocks that fit a core's cache."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from vfxgan.acescct import AP1_TO_REC709, REC709_TO_AP1, convert_primaries, decode_acescct, encode_acescct
from vfxgan.colour import apply_toe, decode_positive, encode_positive, encoded_peak
from vfxgan.render.options import NetworkEncoding
from vfxgan.spec import Encoding

Array = NDArray[np.float32]
Spare = tuple[Array, Array, Array]  # of a block's shape, overwritten

_LARGEST = np.finfo(np.float32).max


class Signal(Protocol):
    """A curve, scaled so that 0 … 1 of it is what the network was trained on."""

    @property
    def keeps_rounding(self) -> bool:
        """Whether what the border to the network's range rounds off is brought around it, too."""
        ...

    def encode(self, light: Array, spare: Spare) -> Array:
        """Light to signal.

        Args:
            light: [C, …] float32, grey or RGB in linear Rec.709, finite, unbounded; overwritten.
        Returns:
            The same shape, one of the arrays given; finite.
        """
        ...

    def decode(self, signal: Array, spare: Spare) -> Array:
        """The inverse of `encode`; finite for anything finite."""
        ...


@dataclass(frozen=True)
class ExtendedSrgb:
    """The sRGB curve up to 1, a logarithm above, over its value at the peak: see `vfxgan.colour`.

    Attributes:
        top: the encoded peak.
        toe: of the spec, in encoded values; 0 for none.
    """

    top: float
    toe: float = 0.0
    keeps_rounding: ClassVar[bool] = False

    def encode(self, light: Array, spare: Spare) -> Array:
        magnitude = np.abs(light, out=spare[0])
        curve = encode_positive(magnitude, spare[1], spare[2])
        if light.size and light.min() < 0:
            np.copysign(curve, light, out=curve)
        curve *= np.float32(1 / self.top)
        return curve

    def decode(self, signal: Array, spare: Spare) -> Array:
        signal *= np.float32(self.top)
        apply_toe(signal, self.toe, spare[0])
        magnitude = np.abs(signal, out=spare[0])
        light = decode_positive(magnitude, spare[1], spare[2])
        if signal.size and signal.min() < 0:
            np.copysign(light, signal, out=light)
        return light


@dataclass(frozen=True)
class Linear:
    """Light over the peak."""

    peak: float
    keeps_rounding: ClassVar[bool] = True

    def encode(self, light: Array, spare: Spare) -> Array:
        light *= np.float32(1 / self.peak)
        return light

    def decode(self, signal: Array, spare: Spare) -> Array:
        np.clip(signal, -_LARGEST / np.float32(self.peak), _LARGEST / np.float32(self.peak), out=signal)
        signal *= np.float32(self.peak)
        return signal


@dataclass(frozen=True)
class Acescct:
    """ACEScct on AP1's primaries; grey has none."""

    keeps_rounding: ClassVar[bool] = False

    def encode(self, light: Array, spare: Spare) -> Array:
        if len(light) == 3:
            light = convert_primaries(light, REC709_TO_AP1, spare[0], spare[1])
        return encode_acescct(light, spare[1], spare[2])

    def decode(self, signal: Array, spare: Spare) -> Array:
        light = decode_acescct(signal, spare[0], spare[1])
        return convert_primaries(light, AP1_TO_REC709, spare[1], spare[2]) if len(light) == 3 else light


def signal_of(own: Encoding, asked: NetworkEncoding | None) -> Signal:
    """The signal of a spec, or the one that stands in its place.

    Args:
        asked: None for the spec's own. "linear" has the spec's peak, "srgb" a peak of 1, "acescct" its own; the toe
            is of the spec's own encoding and is left out.
    """
    if asked is None:
        return ExtendedSrgb(encoded_peak(own.peak), own.toe)
    if asked == "linear":
        return Linear(own.peak)
    return ExtendedSrgb(encoded_peak(1.0)) if asked == "srgb" else Acescct()
