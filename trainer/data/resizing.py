"""Resizing with an antialiasing filter, and conversion between half and float: torch's are far faster than NumPy's."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

Array = NDArray[np.float32]
Half = NDArray[np.float16]


def to_float(values: Half) -> Array:
    """float32 of a contiguous array."""
    result: Array = torch.from_numpy(values).float().numpy()
    return result


def to_half(values: Array) -> Half:
    """float16 of a contiguous array, rounded to nearest."""
    result: Half = torch.from_numpy(values).half().numpy()
    return result


def resized(signal: Array, size: tuple[int, int]) -> Array:
    """Bicubic (a = −0.5), its support widened when reducing; kept in 0…1.

    Args:
        signal: [C, H, W] in 0…1.
        size: height and width.
    """
    batch = torch.from_numpy(signal)[None]
    result: Array = F.interpolate(batch, size, mode="bicubic", antialias=True)[0].clamp_(0, 1).numpy()
    return result


def resized_half(signal: Half, size: tuple[int, int]) -> Half:
    """As `resized`; what has that size already is left untouched."""
    if signal.shape[1:] == size:
        return signal
    return to_half(resized(to_float(np.ascontiguousarray(signal)), size))
