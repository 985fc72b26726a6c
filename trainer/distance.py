"""How far two sets of pictures are from each other, by scale: how alike their patches are distributed."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

PATCH_PX = 7
PATCHES_PER_PICTURE = 64
DIRECTIONS = 256
SMALLEST_LEVEL_PX = 16
AT_ONCE = 32


def sliced_wasserstein(first: Tensor, second: Tensor, seed: int = 0) -> dict[int, float]:
    """Distance of the patches at each level of a Laplacian pyramid, times 1000; 0 is alike.

    Args:
        first, second: [N, C, S, S] float32 in the network's −1…1, the same N, C and S; S is 8 or more.
        seed: of the patches and the directions; the same seed gives the same figure.
    Returns:
        Distance by level side: {128: …, 64: …, 32: …, 16: …}; fine detail first, overall shape last.
    Source:
        Karras et al. 2018, arXiv:1710.10196, §5 (multi-scale statistical similarity); Rabin et al. 2011.
    """
    if first.shape != second.shape:
        raise ValueError(f"sets differ in shape: {tuple(first.shape)} and {tuple(second.shape)}")
    distance = SlicedWasserstein(*first.shape[:3], seed=seed)
    for indices in torch.split(torch.arange(len(first)), AT_ONCE):
        distance.add(0, indices, first[indices])
        distance.add(1, indices, second[indices])
    return distance.by_level()


@dataclass(frozen=True)
class _Level:
    """What one level takes from each set: corners [N, P, 2], patches [N, P, 7, 7, C]; and directions [7·7·C, D]."""

    corners: tuple[Tensor, Tensor]
    patches: tuple[Tensor, Tensor]
    directions: Tensor


class SlicedWasserstein:
    """`sliced_wasserstein` of sets that come in parts, in any order: only the patches are kept."""

    def __init__(self, count: int, channels: int, side: int, *, seed: int) -> None:
        rng = Generator().manual_seed(seed)
        self._levels: dict[int, _Level] = {}
        while True:
            corners = _corners(count, side, rng), _corners(count, side, rng)
            directions = torch.randn(channels * PATCH_PX**2, DIRECTIONS, generator=rng)
            shape = (count, PATCHES_PER_PICTURE, PATCH_PX, PATCH_PX, channels)
            patches = torch.empty(shape), torch.empty(shape)
            self._levels[side] = _Level(corners, patches, F.normalize(directions, dim=0))
            if side < 2 * SMALLEST_LEVEL_PX:
                break
            side //= 2

    def add(self, which: int, indices: Tensor, pictures: Tensor) -> None:
        """Pictures [n, C, S, S] of one set (0 or 1), and where in the set they stand [n]; each place once."""
        for plane in _laplacian(pictures):
            level = self._levels[plane.shape[-1]]
            level.patches[which][indices] = _patches(plane, level.corners[which][indices])

    def by_level(self) -> dict[int, float]:
        """The distances, once every place of both sets was filled."""
        found = {}
        for side, level in self._levels.items():
            ordered = [(_normalised(patches) @ level.directions).sort(dim=0).values for patches in level.patches]
            found[side] = float((ordered[0] - ordered[1]).abs().mean()) * 1000
        return found


def _corners(count: int, side: int, rng: Generator) -> Tensor:
    return torch.randint(0, side - PATCH_PX + 1, (count, PATCHES_PER_PICTURE, 2), generator=rng)


def _laplacian(pictures: Tensor) -> list[Tensor]:
    levels, current = [], pictures
    while current.shape[-1] >= 2 * SMALLEST_LEVEL_PX:
        smaller = F.avg_pool2d(current, 2)
        levels.append(current - F.interpolate(smaller, scale_factor=2.0, mode="bilinear", align_corners=False))
        current = smaller
    return [*levels, current]


def _patches(plane: Tensor, corners: Tensor) -> Tensor:
    """[n, P, 7, 7, C] of [n, C, S, S]."""
    steps = torch.arange(PATCH_PX)
    rows = (corners[..., 0, None] + steps)[:, :, :, None]
    columns = (corners[..., 1, None] + steps)[:, :, None, :]
    which = torch.arange(len(plane))[:, None, None, None]
    return plane.permute(0, 2, 3, 1)[which, rows, columns]


def _normalised(patches: Tensor) -> Tensor:
    """[N·P, 7·7·C], each channel brought to mean 0 and deviation 1 over the set."""
    flat = patches.flatten(0, 1)
    flat = (flat - flat.mean(dim=(0, 1, 2))) / flat.std(dim=(0, 1, 2)).clamp_min(1e-8)
    return flat.flatten(1)
