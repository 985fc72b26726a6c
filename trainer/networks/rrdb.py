"""RRDBNet, the generator of ESRGAN and Real-ESRGAN: dense blocks within residual blocks."""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vfxgan.trainer.networks.initialisation import initialise_scaled

SLOPE = 0.2  # of the leaky rectifiers
RESIDUAL_SCALE = 0.2  # of both kinds of residual: ESRGAN, §3.1
FOLDED = {4: 1, 2: 2, 1: 4}  # side of the pixels folded into channels before the first convolution, by scale


class RRDBNet(nn.Module):
    """Picture to a larger picture.

    The trunk enlarges by 4; for 2 and 1, pixels are folded into channels first, as Real-ESRGAN does. Layer names are
    those of BasicSR's RRDBNet, so that weights move both ways.

    Args:
        scale: 4, 2 or 1; what the steps make of it, or that divided by a whole number.
        width: channels of the trunk.
        blocks: residual-in-residual blocks, of three dense blocks each.
        growth: channels that each convolution within a dense block adds.
        steps: enlargements within the trunk. ESRGANs of other scales than 4 were published with fewer or more than two.
    Source:
        Wang et al. 2018 (ESRGAN), arXiv:1809.00219, §3.1; Wang et al. 2021 (Real-ESRGAN), arXiv:2107.10833, §3.3.
    """

    def __init__(
        self,
        scale: int = 4,
        width: int = 64,
        blocks: int = 23,
        growth: int = 32,
        channels_in: int = 3,
        channels_out: int = 3,
        steps: tuple[int, ...] = (2, 2),
    ) -> None:
        super().__init__()
        whole = math.prod(steps)
        if scale < 1 or whole % scale:
            known = " or ".join(str(known) for known in range(whole, 0, -1) if whole % known == 0)
            raise ValueError(f"scale {scale}: RRDB enlarges by {known.replace(' or ', ', ', known.count(' or ') - 1)}")
        self.folded = whole // scale
        self.steps = tuple(steps)
        self.conv_first = nn.Conv2d(channels_in * self.folded**2, width, 3, 1, 1)
        self.body = nn.Sequential(*(ResidualInResidual(width, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(width, width, 3, 1, 1)
        for number in range(1, len(steps) + 1):
            self.add_module(f"conv_up{number}", nn.Conv2d(width, width, 3, 1, 1))
        self.conv_hr = nn.Conv2d(width, width, 3, 1, 1)
        self.conv_last = nn.Conv2d(width, channels_out, 3, 1, 1)

    def forward(self, low: Tensor) -> Tensor:
        """[N, 3, H, W] encoded, 0…1 where the picture is, to [N, 3, scale·H, scale·W]; not clamped.

        H and W are multiples of `folded`: of 2 at scale 2, of 4 at scale 1.
        """
        x = F.pixel_unshuffle(low, self.folded) if self.folded > 1 else low
        x = self.conv_first(x)
        x = x + self.conv_body(self.body(x))
        for number, step in enumerate(self.steps, start=1):
            convolution = cast("nn.Module", getattr(self, f"conv_up{number}"))
            x = F.leaky_relu(convolution(F.interpolate(x, scale_factor=float(step), mode="nearest")), SLOPE)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), SLOPE))  # type: ignore[no-any-return]


class ResidualInResidual(nn.Module):
    """[N, C, H, W] to the same: three dense blocks beside the identity."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(width, growth)
        self.rdb2 = DenseBlock(width, growth)
        self.rdb3 = DenseBlock(width, growth)

    def forward(self, x: Tensor) -> Tensor:
        return x + RESIDUAL_SCALE * self.rdb3(self.rdb2(self.rdb1(x)))  # type: ignore[no-any-return]


class DenseBlock(nn.Module):
    """[N, C, H, W] to the same: five convolutions, each of which sees all before it."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, growth, 3, 1, 1)
        self.conv2 = nn.Conv2d(width + growth, growth, 3, 1, 1)
        self.conv3 = nn.Conv2d(width + 2 * growth, growth, 3, 1, 1)
        self.conv4 = nn.Conv2d(width + 3 * growth, growth, 3, 1, 1)
        self.conv5 = nn.Conv2d(width + 4 * growth, width, 3, 1, 1)
        initialise_scaled((self.conv1, self.conv2, self.conv3, self.conv4, self.conv5))

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat((seen, F.leaky_relu(convolution(seen), SLOPE)), 1)
        return x + RESIDUAL_SCALE * self.conv5(seen)  # type: ignore[no-any-return]
