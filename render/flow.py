"""Optical flow and resampling along it, by OpenCV: the only file that imports it.

Dense inverse search (Kroeger et al. 2016, arXiv:1603.03590) as OpenCV's video module has it. One thread: it gives the
same bits on any number of them, but the cores belong to the frames.
"""

from types import ModuleType
from typing import cast

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ImageError, MissingExtraError

Array = NDArray[np.float32]
Grey = NDArray[np.uint8]

SMALLEST_SIDE_PX = 64  # of a picture whose flow can be found; smaller ones have no pyramid
LARGEST_SIDE_PX = 32766  # OpenCV keeps places in 16 bits


def opencv_version() -> str:
    """For fingerprints.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    return str(_opencv().__version__)


def find_flow(here: Grey, there: Grey) -> Array:
    """Where each pixel of one picture is found in the other.

    Args:
        here, there: [H, W], of one size, `SMALLEST_SIDE_PX` or more a side.
    Returns:
        [2, H, W]: x and y in px, counted from the pixel itself.
    Raises:
        ImageError: the picture is too large for a flow.
    """
    height, width = here.shape
    if max(height, width) > LARGEST_SIDE_PX:
        raise ImageError(f"{width}×{height} is too large for --temporal, which takes {LARGEST_SIDE_PX} px a side")
    opencv = _opencv()
    search = opencv.DISOpticalFlow_create(opencv.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = search.calc(np.ascontiguousarray(here), np.ascontiguousarray(there), None)
    return np.ascontiguousarray(np.moveaxis(flow, -1, 0))


def sample(plane: Array, x: Array, y: Array, *, smooth: bool = False) -> Array:
    """Values between the pixels.

    Args:
        plane: [H, W].
        x, y: [h, w], places in it in px; beyond the edges its edges are repeated.
        smooth: cubic, which keeps detail and may overshoot; else linear.
    """
    opencv = _opencv()
    how = opencv.INTER_CUBIC if smooth else opencv.INTER_LINEAR
    return cast(Array, opencv.remap(plane, x, y, how, borderMode=opencv.BORDER_REPLICATE))


def soften(plane: Array, side_px: int) -> Array:
    """The mean over a square around each pixel; edges are repeated."""
    opencv = _opencv()
    return cast(Array, opencv.blur(plane, (side_px, side_px), borderType=opencv.BORDER_REPLICATE))


def _opencv() -> ModuleType:
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise MissingExtraError("OpenCV", "temporal", "--temporal") from error
    cv2.setNumThreads(1)
    module: ModuleType = cv2
    return module
