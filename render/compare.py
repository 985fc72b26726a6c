"""How far apart two sequences are, frame by frame: `vfxgan compare`."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ImageError
from vfxgan.render import figures
from vfxgan.render.both import Both, read_both
from vfxgan.render.ordered import in_order
from vfxgan.render.pairs import Pair

Array = NDArray[np.float32]

_COLOURS = ("R", "G", "B", "Y", "RED", "GREEN", "BLUE")


@dataclass(frozen=True)
class Compared:
    """One pair in figures.

    Attributes:
        psnr_db: over all channels, against `peak`; infinite where all values are equal.
        encoded_psnr_db: of the signal as the eye sees it, against 1; None for channels without colour.
        ssim: of that signal; None where it cannot be had.
        peak: the brightest value of A, at least 1; of integers 1.
        max_error: largest |a − b|; infinite where one has NaN or Inf and the other has not the same.
        at: x and y of it as the files count, and its channel; None where all values are equal.
        differing: share of pixels in which any channel differs.
        unlike: values that are NaN or Inf on one side only; they are left out of PSNR and SSIM.
    """

    pair: Pair
    psnr_db: float
    encoded_psnr_db: float | None
    ssim: float | None
    peak: float
    max_error: float
    at: tuple[int, int, str] | None
    differing: float
    unlike: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Refused:
    """A pair that cannot be compared, and why."""

    pair: Pair
    reason: str


After = Callable[[Pair, Both, Array], None]


def compare_frames(
    pairs: Sequence[Pair], channels: str | None, threads: int, after: After | None = None
) -> Iterator[Compared | Refused]:
    """Compare pairs, in order, with few of them in memory.

    Args:
        channels: None: the main picture's; "all"; or names with commas.
        after: told of each pair, its pixels and |a − b|, on the thread that compared it.
    Raises:
        MissingExtraError: scikit-image is not installed.
        WriteError: of `after`.
    """
    yield from in_order(functools.partial(_compare, channels=channels, after=after), pairs, threads)


def _compare(pair: Pair, channels: str | None, after: After | None) -> Compared | Refused:
    try:
        both = read_both(pair, channels)
    except ImageError as error:
        return Refused(pair, str(error))
    difference, unlike = figures.absolute_difference(both.a, both.b)
    a, b = figures.finite_pair(both.a, both.b)
    peak = figures.peak_of(both.a) if both.scene_linear else 1.0
    largest = figures.largest_difference(difference)
    encoded, similarity = _as_seen(a, b, both)
    compared = Compared(
        pair,
        figures.psnr_db(a, b, peak),
        encoded,
        similarity,
        peak,
        largest.error,
        (largest.column + both.window[0], largest.row + both.window[1], both.channels[largest.channel])
        if largest.error
        else None,
        float(np.count_nonzero((difference > 0).any(axis=-1))) / max(1, difference.shape[0] * difference.shape[1]),
        unlike,
        both.notes,
    )
    if after is not None:
        after(pair, both, difference)
    return compared


def _as_seen(a: Array, b: Array, both: Both) -> tuple[float | None, float | None]:
    """PSNR and SSIM of the colours' signal; depth and the like have none."""
    places = [at for at, name in enumerate(both.channels) if name.rpartition(".")[2].upper() in _COLOURS]
    if not places:
        return None, None
    signals = [figures.signal_of(side[..., places], scene_linear=both.scene_linear) for side in (a, b)]
    return figures.psnr_db(signals[0], signals[1], 1.0), figures.ssim(signals[0], signals[1])
