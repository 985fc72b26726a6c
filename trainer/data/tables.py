"""Look-up tables between stored codes, light and the signal: an eighth of the time of the formulas they are made of.

Half floats and integers have at most 65,536 codes each, so the tables are complete and nothing is approximated.
"""

import functools
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vfxgan.colour import decode, encode, encoded_peak

T = TypeVar("T", bound=np.generic)
Codes = NDArray[np.unsignedinteger[Any]]
Half = NDArray[np.float16]

_HALVES = np.arange(2**16, dtype=np.uint16).view(np.float16)


@functools.lru_cache(maxsize=4)
def signal_of_light(peak: float, bad_pixels: str) -> Half:
    """[65536] the signal in 0…1 of every half of scene-linear light; NaN and Inf by the rule."""
    light = repaired(_HALVES.astype(np.float32), peak, bad_pixels)
    signal: Half = np.clip(encode(light) / np.float32(encoded_peak(peak)), 0, 1).astype(np.float16)
    return signal


@functools.lru_cache(maxsize=4)
def signal_of_alpha(bad_pixels: str) -> Half:
    """[65536] every half, NaN and Inf by the rule, kept in 0…1."""
    return np.clip(repaired(_HALVES.astype(np.float32), 1.0, bad_pixels), 0, 1).astype(np.float16)


@functools.lru_cache(maxsize=4)
def signal_of_codes(count: int, peak: float) -> Half:
    """[count] the signal of sRGB codes: the extended encoding is the sRGB curve up to 1."""
    return (np.arange(count, dtype=np.float32) / ((count - 1) * encoded_peak(peak))).astype(np.float16)


@functools.lru_cache(maxsize=4)
def light_of_signal(peak: float) -> NDArray[np.float32]:
    """[65536] scene-linear light of every half of signal; beyond 0…1 it is that of the bound."""
    signal = np.clip(repaired(_HALVES.astype(np.float32), 1.0, "clamp"), 0, 1)
    return decode(signal * np.float32(encoded_peak(peak)))


def looked_up(table: NDArray[T], codes: Codes) -> NDArray[T]:
    """Entries of a table that has one for every code."""
    return np.take(table, codes, mode="clip")  # no code is out of bounds; this mode is the fastest


def repaired(light: NDArray[np.float32], peak: float, bad_pixels: str) -> NDArray[np.float32]:
    """NaN made 0, and Inf 0 or, with "clamp", the peak (−Inf its negative)."""
    top = peak if bad_pixels == "clamp" else 0.0
    return np.nan_to_num(light, nan=0.0, posinf=top, neginf=-top)
