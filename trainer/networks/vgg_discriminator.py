"""The discriminator of SRGAN and ESRGAN: VGG's pattern of convolutions, one logit a picture."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2  # of the leaky rectifiers
DENSE = 100
SMALLEST_CROP_PX = 32


class VggDiscriminator(nn.Module):
    """Picture of one fixed size to a logit.

    Layer names and sizes are those of BasicSR's VGGStyleDiscriminator, so that weights move both ways at crops of 128
    and 256 px. It leaves the paper's figure where that does: each halving is a 4×4 convolution, there is one more, and
    the dense layer has 100 units, not 1,024.

    Args:
        crop: side in pixels, at least 32. Halved five times, from 256 px on six times.
        width: channels at full size; doubled at each halving up to eight times as many.
    Source:
        Ledig et al. 2017 (SRGAN), arXiv:1609.04802, §2.1 and Fig. 4; Wang et al. 2018 (ESRGAN), arXiv:1809.00219, §3.2.
    """

    def __init__(self, crop: int, width: int = 64, channels_in: int = 3) -> None:
        super().__init__()
        if crop < SMALLEST_CROP_PX:
            raise ValueError(f"crop {crop} is below the {SMALLEST_CROP_PX} px that the discriminator can halve 5 times")
        self.crop = crop
        self.halvings = 6 if crop >= 256 else 5
        before = channels_in
        for stage in range(self.halvings):
            here = width * min(2**stage, 8)
            self.add_module(f"conv{stage}_0", nn.Conv2d(before, here, 3, 1, 1, bias=stage == 0))
            if stage:
                self.add_module(f"bn{stage}_0", nn.BatchNorm2d(here))
            self.add_module(f"conv{stage}_1", nn.Conv2d(here, here, 4, 2, 1, bias=False))
            self.add_module(f"bn{stage}_1", nn.BatchNorm2d(here))
            before = here
        self.linear1 = nn.Linear(before * (crop >> self.halvings) ** 2, DENSE)
        self.linear2 = nn.Linear(DENSE, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """[N, 3, crop, crop] encoded, 0…1, to logits [N, 1]."""
        x = picture
        for stage in range(self.halvings):
            for half in (0, 1):
                x = self._layer(f"conv{stage}_{half}")(x)
                if stage or half:
                    x = self._layer(f"bn{stage}_{half}")(x)
                x = F.leaky_relu(x, SLOPE)
        x = F.leaky_relu(self.linear1(torch.flatten(x, 1)), SLOPE)
        return self.linear2(x)  # type: ignore[no-any-return]

    def _layer(self, name: str) -> nn.Module:
        return cast("nn.Module", getattr(self, name))
