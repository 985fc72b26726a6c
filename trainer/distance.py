"""Sliced Wasserstein distance between two sets of pictures, by scale: how alike their patches are distributed."""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

PATCH_PX = 7
PATCHES_PER_PICTURE = 64
DIRECTIONS = 256
SMALLEST_LEVEL_PX = 16


def sliced_wasserstein(first: Tensor, second: Tensor, seed: int = 0) -> dict[int, float]:
    """Distance of the patches at each level of a Laplacian pyramid, times 1000; 0 is alike.

    Args:
        first, second: [N, C, S, S] float32 in the network's −1…1, the same N, C and S; S a power of 2 times 16 or more.
        seed: of the patches and the directions; the same seed gives the same figure.
    Returns:
        Distance by level side: {128: …, 64: …, 32: …, 16: …}; fine detail first, overall shape last.
    Source:
        Karras et al. 2018, arXiv:1710.10196, §5 (multi-scale statistical similarity); Rabin et al. 2011.
    """
    if first.shape != second.shape:
        raise ValueError(f"sets differ in shape: {tuple(first.shape)} and {tuple(second.shape)}")
    rng = Generator().manual_seed(seed)
    levels = zip(_laplacian(first), _laplacian(second), strict=True)
    return {a.shape[-1]: _level_distance(a, b, rng) for a, b in levels}


def _level_distance(first: Tensor, second: Tensor, rng: Generator) -> float:
    a, b = _patches(first, rng), _patches(second, rng)
    directions = F.normalize(torch.randn(a.shape[1], DIRECTIONS, generator=rng), dim=0)
    ordered_a, ordered_b = (a @ directions).sort(dim=0).values, (b @ directions).sort(dim=0).values
    return float((ordered_a - ordered_b).abs().mean()) * 1000


def _laplacian(pictures: Tensor) -> list[Tensor]:
    levels, current = [], pictures
    while current.shape[-1] >= 2 * SMALLEST_LEVEL_PX:
        smaller = F.avg_pool2d(current, 2)
        levels.append(current - F.interpolate(smaller, scale_factor=2.0, mode="bilinear", align_corners=False))
        current = smaller
    return [*levels, current]


def _patches(level: Tensor, rng: Generator) -> Tensor:
    """[N·P, C·7·7], each channel brought to mean 0 and deviation 1 over the set."""
    count, _, side, _ = level.shape
    corners = torch.randint(0, side - PATCH_PX + 1, (count, PATCHES_PER_PICTURE, 2), generator=rng)
    steps = torch.arange(PATCH_PX)
    rows = (corners[..., 0, None] + steps)[:, :, :, None]
    columns = (corners[..., 1, None] + steps)[:, :, None, :]
    which = torch.arange(count)[:, None, None, None]
    patches = level.permute(0, 2, 3, 1)[which, rows, columns]  # [N, P, 7, 7, C]
    flat = patches.flatten(0, 1)
    flat = (flat - flat.mean(dim=(0, 1, 2))) / flat.std(dim=(0, 1, 2)).clamp_min(1e-8)
    return flat.flatten(1)
