"""The DCGAN generator, as scaled up to a megapixel by Marchesi, with two remedies for its grid and its grain."""

import itertools
import math
from collections.abc import Iterator
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vfxgan.trainer.networks.folding import Fold

Upsample = Literal["transpose", "bilinear"]
NOISE_GAIN = 0.3  # initial weight of a noise map: small beside the unit variance that batch norm keeps


def base_and_stages(size: int) -> tuple[int, int]:
    """A side of 4·2ᵏ or 6·2ᵏ as (4 or 6, k).

    Raises:
        ValueError: any other size, or one outside 8 … 1024.
    """
    for base in (4, 6):
        stages = round(math.log2(size / base)) if size >= base else 0
        if stages >= 1 and base * 2**stages == size and size <= 1024:
            return base, stages
    raise ValueError(f"size {size} is neither 4·2ᵏ nor 6·2ᵏ up to 1024 (such as 64, 128, 192, 256, 512 or 1024)")


def paper_channels(stages: int, first: int = 1024) -> tuple[int, ...]:
    """Widths at 4², 8², …: `first`, halved at each doubling, never below 8."""
    return tuple(max(first >> stage, 8) for stage in range(stages))


def latent_entries(size: int, z_size: int, noise_to: int) -> int:
    """Entries of the whole latent: z, then one noise map for each resolution after the first up to `noise_to`."""
    return z_size + sum(side * side for side in noise_sides(size, noise_to))


def noise_sides(size: int, noise_to: int) -> list[int]:
    """Sides of the noise maps, coarse to fine."""
    base, stages = base_and_stages(size)
    return [base << stage for stage in range(1, stages + 1) if base << stage <= noise_to]


class DcganGenerator(nn.Module):
    """Latent to picture.

    Args:
        size: side of the square output, 4·2ᵏ or 6·2ᵏ.
        z_size: entries of the latent that are projected to the first feature map.
        channels: widths at 4², 8², …, one a stage; one more where `upsample` is bilinear. Empty: the paper's.
        channels_out: 3 RGB, 4 premultiplied RGBA.
        upsample: "transpose" is the paper's 4×4 stride-2 transposed convolution; "bilinear" resizes, then convolves.
        noise_to: noise maps are added up to this side, half of `size` at most. They are part of the latent, so a seed
            fixes them: detail that the material has at random need not be squeezed through z.
        border_px: the outermost pixel is exactly "black", easing in over this width. 0: no window.
    Source:
        Radford et al. 2015, arXiv:1511.06434, §3; Marchesi 2017, arXiv:1706.00082, §3 (scaling to 1024²);
        Odena et al. 2016 (resize-convolution); Karras et al. 2018, arXiv:1812.04948, §3.2 (noise maps).
    """

    window: Tensor

    def __init__(
        self,
        size: int,
        z_size: int = 100,
        channels: tuple[int, ...] = (),
        channels_out: int = 4,
        upsample: Upsample = "transpose",
        noise_to: int = 0,
        border_px: int = 0,
    ) -> None:
        super().__init__()
        self.base, stages = base_and_stages(size)
        smooth = upsample == "bilinear"
        widths = tuple(channels) or paper_channels(stages + smooth)
        if len(widths) != stages + smooth:
            raise ValueError(f"channels: {len(widths)} widths given, {stages + smooth} needed at {size} px, {upsample}")
        self.z_size = z_size
        if noise_to > size // 2:
            raise ValueError(f"noise_to {noise_to} is more than half of size {size}")
        self.sides = noise_sides(size, noise_to)
        self.width = widths[0]
        self.project = nn.Linear(z_size, widths[0] * self.base**2, bias=False)
        self.norm = nn.BatchNorm2d(widths[0])
        pairs = itertools.pairwise(widths[:stages])
        self.stages = nn.ModuleList(
            UpStage(before, after, smooth, self.base << (index + 1) in self.sides)
            for index, (before, after) in enumerate(pairs)
        )
        self.to_picture: nn.Module = (
            SmoothFinish(widths[-2], widths[-1], channels_out)
            if smooth
            else nn.ConvTranspose2d(widths[-1], channels_out, 4, 2, 1)
        )
        self.register_buffer("window", border_window(size, border_px), persistent=False)
        self.apply(initialise)

    def forward(self, latent: Tensor) -> Tensor:
        """[N, latent_entries] to [N, channels_out, size, size] in −1…1."""
        sizes = [self.z_size, *(side * side for side in self.sides)]
        z, *maps = torch.split(latent, sizes, dim=1)
        x = projected(self, z)
        for index, stage in enumerate(self.stages):
            side = self.base << (index + 1)
            x = stage(x, maps[index].view(-1, 1, side, side) if index < len(maps) else None)
        return (torch.tanh(self.to_picture(x)) + 1) * self.window - 1

    def folds(self) -> Iterator[Fold]:
        """See `Foldable`."""
        yield Fold(self, "norm", self.project)


class Projecting(Protocol):
    """What both generators begin with."""

    project: nn.Linear
    norm: nn.BatchNorm2d
    width: int
    base: int


def projected(generator: Projecting, z: Tensor) -> Tensor:
    """[N, z_size] to the first feature map [N, width, base, base], normalised, rectified."""
    x = generator.project(z).view(-1, generator.width, generator.base, generator.base)
    return F.relu(generator.norm(x))


class UpStage(nn.Module):
    """Double the side: [N, C_in, H, W] to [N, C_out, 2H, 2W], normalised, rectified."""

    def __init__(self, channels_in: int, channels_out: int, smooth: bool, noisy: bool) -> None:
        super().__init__()
        self.smooth = smooth
        self.conv: nn.Conv2d | nn.ConvTranspose2d = (
            nn.Conv2d(channels_in, channels_out, 3, 1, 1, bias=False)
            if smooth
            else nn.ConvTranspose2d(channels_in, channels_out, 4, 2, 1, bias=False)
        )
        self.noise_weight = nn.Parameter(torch.full((1, channels_out, 1, 1), NOISE_GAIN)) if noisy else None
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor, noise: Tensor | None) -> Tensor:
        if self.smooth:
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        x = self.conv(x)
        if self.noise_weight is not None and noise is not None:
            x = x + self.noise_weight * noise
        return F.relu(self.norm(x))

    def folds(self) -> Iterator[Fold]:
        """See `Foldable`."""
        yield Fold(self, "norm", self.conv, () if self.noise_weight is None else (self.noise_weight,))


class SmoothFinish(nn.Module):
    """Double the side and give colour: [N, C_in, H, W] to [N, C_out, 2H, 2W], before the tanh.

    The only 3×3 convolution stands before the resize, where it costs a quarter; after it each pixel is a function of
    its own features. Smooth features bent sharply pixel by pixel give crisp edges without a grid.
    """

    def __init__(self, channels_in: int, width: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, width, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.mix = nn.Conv2d(width, width, 1, bias=False)
        self.mix_norm = nn.BatchNorm2d(width)
        self.colour = nn.Conv2d(width, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        x = F.relu(self.norm(x))
        x = F.relu(self.mix_norm(self.mix(x)))
        return self.colour(x)  # type: ignore[no-any-return]

    def folds(self) -> Iterator[Fold]:
        """See `Foldable`. A resize whose weights sum to 1 commutes with a scale and an offset per channel."""
        yield Fold(self, "norm", self.conv)
        yield Fold(self, "mix_norm", self.mix)


def border_window(size: int, border_px: int) -> Tensor:
    """[1, 1, size, size] float32: 0 on the outermost pixel, a smooth step to 1 over `border_px`."""
    if border_px <= 0:
        return torch.ones(1, 1, 1, 1)
    edge = torch.arange(size, dtype=torch.float64)
    t = torch.clamp(torch.minimum(edge, size - 1 - edge) / border_px, 0, 1)
    ramp = t * t * (3 - 2 * t)
    return (ramp[:, None] * ramp[None, :]).float()[None, None]


def initialise(module: nn.Module) -> None:
    """Normal weights of deviation 0.02, batch-norm gains around 1: Radford et al. 2015, §4."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
