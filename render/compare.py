"""How far apart two sequences are, frame by frame: `vfxgan compare`."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ImageError
from vfxgan.render import figures
from vfxgan.render.both import BAND_ROWS, Both, read_both
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


After = Callable[[Pair, Both], None]


def compare_frames(
    pairs: Sequence[Pair], channels: str | None, threads: int, after: After | None = None
) -> Iterator[Compared | Refused]:
    """Compare pairs, in order, with few of them in memory.

    Args:
        channels: None: the main picture's; "all"; or names with commas.
        after: told of each pair and its pixels, on the thread that compared it.
    Raises:
        MissingExtraError: scikit-image is not installed.
        WriteError: of `after`.
    """
    figures.require_ssim()
    yield from in_order(functools.partial(_compare, channels=channels, after=after), pairs, threads)


def _compare(pair: Pair, channels: str | None, after: After | None) -> Compared | Refused:
    try:
        both = read_both(pair, channels)
    except ImageError as error:
        return Refused(pair, str(error))
    sums = _Sums()
    for top, a, b in both.bands():
        sums.add(top, a, b)
    encoded, similarity = _as_seen(both)
    _, _, width, height = both.window
    x, y, channel = sums.largest.column + both.window[0], sums.largest.row + both.window[1], sums.largest.channel
    peak = sums.peak if both.scene_linear else 1.0
    if after is not None:
        after(pair, both)
    return Compared(
        pair,
        figures.psnr_of_sum(sums.squares, width * height * len(both.channels), peak),
        encoded,
        similarity,
        peak,
        sums.largest.error,
        (x, y, both.channels[channel]) if sums.largest.error else None,
        sums.differing / max(1, width * height),
        sums.unlike,
        both.notes,
    )


@dataclass
class _Sums:
    """What adds up from band to band."""

    squares: float = 0.0
    peak: float = 1.0
    largest: figures.Largest = field(default_factory=lambda: figures.Largest(0.0, 0, 0, 0))
    differing: int = 0
    unlike: int = 0

    def add(self, top: int, a: Array, b: Array) -> None:
        difference, unlike = figures.absolute_difference(a, b)
        largest = figures.largest_difference(difference)
        if largest.error > self.largest.error:
            self.largest = replace(largest, row=largest.row + top)
        self.differing += int(np.count_nonzero(difference.any(axis=-1)))
        self.unlike += unlike
        self.peak = max(self.peak, figures.peak_of(a))
        self.squares += figures.squares(*figures.finite_pair(a, b))


def _as_seen(both: Both) -> tuple[float | None, float | None]:
    """PSNR and SSIM of the colours' signal; depth and the like have none, and tiny pictures no SSIM."""
    places = [at for at, name in enumerate(both.channels) if name.rpartition(".")[2].upper() in _COLOURS]
    if not places:
        return None, None
    radius, (_, _, width, height) = figures.SSIM_RADIUS_PX, both.window
    total = similar = 0.0
    for top in range(0, height, BAND_ROWS):
        first, end = max(0, top - radius), min(height, top + BAND_ROWS + radius)
        a, b = (
            figures.signal_of(side[..., places], scene_linear=both.scene_linear)
            for side in figures.finite_pair(*both.rows(first, end - first))
        )
        own = slice(top - first, min(height, top + BAND_ROWS) - first)
        total += figures.squares(a[own], b[own])
        if min(len(a), width) > 2 * radius:
            similar += figures.ssim_sum(a, b)
    inside = (height - 2 * radius) * (width - 2 * radius) * len(places)
    fits = min(height, width) > 2 * radius
    return figures.psnr_of_sum(total, width * height * len(places), 1.0), similar / inside if fits else None
