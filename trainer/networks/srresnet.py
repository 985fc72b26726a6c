"""SRResNet, the generator of SRGAN, without batch norm: the form whose weights are in use today."""

from torch import Tensor, nn
from torch.nn import functional as F

from vfxgan.trainer.networks.initialisation import initialise_scaled

SLOPE = 0.1  # of the leaky rectifiers


class SRResNet(nn.Module):
    """Picture to a larger picture.

    Layer names are those of BasicSR's MSRResNet, so that weights move both ways. It leaves the paper where that does:
    no batch norm (after Lim et al. 2017), leaky rectifiers, and what is learned is added to a bilinear resize.

    Args:
        scale: 2, 3 or 4; 4 is two steps of 2.
        width: channels throughout.
        blocks: residual blocks.
    Source:
        Ledig et al. 2017 (SRGAN), arXiv:1609.04802, §2.1 and Fig. 4; Lim et al. 2017 (EDSR), arXiv:1707.02921, §3.1.
    """

    def __init__(
        self, scale: int = 4, width: int = 64, blocks: int = 16, channels_in: int = 3, channels_out: int = 3
    ) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise ValueError(f"scale {scale}: SRResNet enlarges by 2, 3 or 4")
        self.scale = scale
        self.step = 2 if scale == 4 else scale
        self.conv_first = nn.Conv2d(channels_in, width, 3, 1, 1)
        self.body = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.upconv1 = nn.Conv2d(width, width * self.step**2, 3, 1, 1)
        self.upconv2 = nn.Conv2d(width, width * 4, 3, 1, 1) if scale == 4 else None
        self.conv_hr = nn.Conv2d(width, width, 3, 1, 1)
        self.conv_last = nn.Conv2d(width, channels_out, 3, 1, 1)
        initialise_scaled(module for module in self.modules() if isinstance(module, nn.Conv2d))

    def forward(self, low: Tensor) -> Tensor:
        """[N, 3, H, W] encoded, 0…1 where the picture is, to [N, 3, scale·H, scale·W]; not clamped."""
        x = F.leaky_relu(self.conv_first(low), SLOPE)
        x = self.body(x)
        x = F.leaky_relu(F.pixel_shuffle(self.upconv1(x), self.step), SLOPE)
        if self.upconv2 is not None:
            x = F.leaky_relu(F.pixel_shuffle(self.upconv2(x), 2), SLOPE)
        x = self.conv_last(F.leaky_relu(self.conv_hr(x), SLOPE))
        resized = F.interpolate(low, scale_factor=float(self.scale), mode="bilinear", align_corners=False)
        return x + resized  # type: ignore[no-any-return]


class ResidualBlock(nn.Module):
    """[N, C, H, W] to the same: two 3×3 convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, 1, 1)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))  # type: ignore[no-any-return]
