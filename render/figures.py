"""How far apart two pictures are, in figures."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfxgan.colour import encode
from vfxgan.errors import MissingExtraError

Array = NDArray[np.float32]

# A Gaussian of 1.5 px: Wang et al. 2004, Image quality assessment: from error visibility to structural similarity, §III
SSIM_SIGMA_PX = 1.5
SSIM_RADIUS_PX = 5  # where scikit-image cuts that Gaussian off


@dataclass(frozen=True)
class Largest:
    """The largest difference, and where it is.

    Attributes:
        error: infinite where one picture has NaN or Inf and the other has not the same.
        row, column: in the arrays compared.
        channel: index of it.
    """

    error: float
    row: int
    column: int
    channel: int


def peak_of(reference: NDArray[Any]) -> float:
    """What PSNR is measured against: the brightest finite value there is, but at least 1."""
    finite = np.abs(reference[np.isfinite(reference)])
    return max(1.0, float(finite.max(initial=0)))


def psnr_db(reference: NDArray[Any], other: NDArray[Any], peak: float) -> float:
    """Peak signal-to-noise ratio over all values; infinite where they are equal.

    Args:
        reference, other: of one shape, finite.
    """
    return psnr_of_sum(sum(squares(a, b) for a, b in zip(reference, other, strict=True)), reference.size, peak)


def squares(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The sum of (a − b)², in float64."""
    difference = a.astype(np.float64) - b
    return float(np.vdot(difference, difference))


def psnr_of_sum(total: float, count: int, peak: float) -> float:
    """PSNR from the sum of squared differences over so many values."""
    return math.inf if total == 0 else 10 * math.log10(peak**2 * count / total)


def largest_difference(difference: Array) -> Largest:
    """Where |a − b| [H, W, C] is largest; infinite values come first."""
    row, column, channel = np.unravel_index(int(np.argmax(difference)), difference.shape)
    return Largest(float(difference[row, column, channel]), int(row), int(column), int(channel))


def absolute_difference(a: Array, b: Array) -> tuple[Array, int]:
    """|a − b| of [H, W, C], NaN and Inf minded.

    Returns:
        The difference: 0 where both hold the same NaN or Inf, infinite where one is finite and the other is not or
        they are not the same; and how many values that are.
    """
    if np.isfinite(a).all() and np.isfinite(b).all():
        return np.abs(a - b), 0
    with np.errstate(invalid="ignore"):
        difference = np.abs(a - b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    unlike = ~same & ~(np.isfinite(a) & np.isfinite(b))
    difference[same] = 0
    difference[unlike] = np.inf
    return difference, int(np.count_nonzero(unlike))


def finite_pair(a: Array, b: Array) -> tuple[Array, Array]:
    """Both with 0 wherever either is not finite: those places are counted apart."""
    good = np.isfinite(a) & np.isfinite(b)
    if good.all():
        return a, b
    return np.where(good, a, np.float32(0)), np.where(good, b, np.float32(0))


def signal_of(values: Array, *, scene_linear: bool) -> Array:
    """Scene-linear colour [H, W, C] in the extended encoding, where steps are as the eye sees them; sRGB as it is."""
    return encode(values) if scene_linear else values


def require_ssim() -> Any:
    """scikit-image's function.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from skimage.metrics import structural_similarity
    except ModuleNotFoundError as error:
        raise MissingExtraError("scikit-image", "review", "SSIM") from error
    return structural_similarity


def ssim_sum(a: Array, b: Array) -> float:
    """The sum of structural similarity over the inside of two signals [H, W, C] and over their channels.

    Inside is what lies `SSIM_RADIUS_PX` from the edge, where its window is whole. So the sums of strips that overlap by
    twice that add up to the whole's. 1 is the range from black to white.

    Raises:
        MissingExtraError: scikit-image is not installed.
    Source:
        Wang et al. 2004, with their Gaussian window and population covariance.
    """
    inside = slice(SSIM_RADIUS_PX, -SSIM_RADIUS_PX)
    total = 0.0
    for channel in range(a.shape[2]):
        _, values = require_ssim()(
            np.ascontiguousarray(a[..., channel]),
            np.ascontiguousarray(b[..., channel]),
            data_range=1.0,
            gaussian_weights=True,
            sigma=SSIM_SIGMA_PX,
            use_sample_covariance=False,
            full=True,
        )
        total += float(values[inside, inside].sum(dtype=np.float64))
    return total
