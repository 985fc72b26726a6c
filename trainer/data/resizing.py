"""Resizing with an antialiasing filter."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

Array = NDArray[np.float32]


def resized(signal: Array, size: tuple[int, int]) -> Array:
    """Bicubic (a = −0.5), its support widened when reducing; kept in 0…1.

    Args:
        signal: [C, H, W] in 0…1.
        size: height and width.
    """
    batch = torch.from_numpy(signal)[None]
    result = F.interpolate(batch, size, mode="bicubic", antialias=True, align_corners=False)
    return result[0].clamp_(0, 1).numpy()
