"""Figures for pictures: how close outputs are to their targets, and how much generated pictures differ."""

from typing import cast

import torch
from torch import Generator, Tensor

from vfxgan.trainer.distance import sliced_wasserstein

PSNR_LIMIT_DB = 100.0  # of pictures that are equal, so that a mean over several stays a number
# Wang et al. 2003: the weight of each scale, the finest first.
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# The smallest side for so many scales with the usual window of 11 px, as torchmetrics sets them (176, 99, 44) where it
# does; below 11 px the window shrinks to 5.
SCALES_FROM_PX = {176: 5, 99: 4, 44: 3, 22: 2}
WINDOW_PX, SIGMA = 11, 1.5
SMALL_WINDOW_PX, SMALL_SIGMA = 5, 0.5
PIXELS_AT_ONCE = 1 << 21  # of pairs that are compared in one call


@torch.no_grad()
def picture_metrics(output: Tensor, target: Tensor) -> dict[str, float]:
    """How close outputs are to their targets: means over the pictures.

    Args:
        output, target: [N, C, H, W] float, 0…1 of the encoded signal, RGB; H and W at least 11.
    Returns:
        "l1": of the values as they are. "psnr" in dB, at most 100, and "ssim": of the values clipped to 0…1, for RGB
        alike, borders included. (Papers on upscaling often take luma and cut the border: not comparable to the digit.)
    Source:
        Wang et al. 2004, "Image quality assessment", eq. 13 with its window and constants, for SSIM; torchmetrics.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    l1 = float((output - target).abs().mean())
    output, target = output.float().clamp(0, 1), target.float().clamp(0, 1)
    each = [peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in zip(output, target, strict=True)]
    psnr = torch.stack(each).clamp(max=PSNR_LIMIT_DB).mean()
    ssim = cast("Tensor", structural_similarity_index_measure(output, target, data_range=1.0))
    return {"l1": l1, "psnr": float(psnr), "ssim": float(ssim)}


@torch.no_grad()
def generator_metrics(fake: Tensor, real: Tensor, seed: int = 0) -> dict[str, float]:
    """How far generated pictures are from real ones, and how alike they are among themselves.

    Args:
        fake, real: [N, C, S, S] float32 in the network's −1…1, the same shape; a few hundred are enough to compare the
            checkpoints of one run.
        seed: of the patches, directions and pairs.
    Returns:
        "swd": the mean of the levels of `sliced_wasserstein`. "ms_ssim" and "real_ms_ssim": `ms_ssim_pairs` of each.
    """
    fake, real = fake.float().cpu(), real.float().cpu()
    levels = sliced_wasserstein(fake, real, seed)
    return {
        "swd": sum(levels.values()) / len(levels),
        "ms_ssim": ms_ssim_pairs((fake[:, :3] + 1) / 2, seed),
        "real_ms_ssim": ms_ssim_pairs((real[:, :3] + 1) / 2, seed),
    }


def ms_ssim_pairs(pictures: Tensor, seed: int = 0) -> float:
    """Mean similarity of random pairs of a set: 1 when all pictures are the same, which is a collapse.

    Args:
        pictures: [N ≥ 2, C, S, S] float32, 0…1 of the encoded signal: RGB over black (premultiplied).
        seed: of the pairs: N of them, each picture in two.
    Returns:
        0…1. Five scales from 176 px on; smaller pictures have fewer, whose weights are brought to a sum of 1 again, so
        compare only figures of one size. A negative similarity counts as 0.
    Source:
        Odena et al. 2017, arXiv:1610.09585, §4.2 (MS-SSIM as diversity); Wang et al. 2003 (MS-SSIM); torchmetrics.
    """
    similarity = PairSimilarity()
    at_once = max(1, PIXELS_AT_ONCE // (pictures.shape[-2] * pictures.shape[-1]))
    order = torch.randperm(len(pictures), generator=Generator().manual_seed(seed))
    for places in torch.split(order, at_once):
        similarity.add(pictures[places])
    return similarity.mean()


class PairSimilarity:
    """`ms_ssim_pairs` of pictures that come in parts, in an order that is random already: neighbours are the pairs."""

    def __init__(self) -> None:
        self._first: Tensor | None = None
        self._last = torch.empty(0)
        self._total, self._pairs = 0.0, 0

    def add(self, pictures: Tensor) -> None:
        """The next pictures [n, C, S, S], 0…1."""
        pictures = pictures.float().clamp(0, 1)
        if self._first is None:
            self._first, before = pictures[:1], pictures[:-1]
            after = pictures[1:]
        else:
            before, after = torch.cat([self._last, pictures[:-1]]), pictures
        self._last = pictures[-1:]
        if len(after):
            self._total += _ms_ssim(before, after) * len(after)
            self._pairs += len(after)

    def mean(self) -> float:
        """Over all pairs, the last picture with the first among them."""
        assert self._first is not None, "pictures come first"
        return (self._total + _ms_ssim(self._last, self._first)) / (self._pairs + 1)


@torch.no_grad()
def _ms_ssim(first: Tensor, second: Tensor) -> float:
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    side = min(first.shape[-2:])
    whole = side >= WINDOW_PX
    similarity = multiscale_structural_similarity_index_measure(
        first,
        second,
        sigma=SIGMA if whole else SMALL_SIGMA,  # torchmetrics derives the window's width from this
        kernel_size=WINDOW_PX if whole else SMALL_WINDOW_PX,  # and its check of the pictures' size from this
        data_range=1.0,
        betas=_weights(side),
    )
    return float(similarity)


def _weights(side: int) -> tuple[float, ...]:
    count = next((scales for smallest, scales in SCALES_FROM_PX.items() if side >= smallest), 1)
    kept = SCALE_WEIGHTS[:count]
    return tuple(weight / sum(kept) for weight in kept)
