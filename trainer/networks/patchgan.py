"""The PatchGAN discriminator, and several of them on a pyramid."""

from torch import Tensor, nn
from torch.nn import functional as F

from vfxgan.trainer.networks.norms import WIDEST, Norm, initialise, needs_bias, norm_layer


class PatchDiscriminator(nn.Module):
    """Judges every overlapping patch of a picture: 70×70 px with the paper's three strided layers.

    The names of the layers are those of pytorch-CycleGAN-and-pix2pix (`NLayerDiscriminator`).

    Args:
        channels_in: of condition and picture together.
        width: channels of the first layer; they double up to 8·width.
        layers: strided layers, 1 … 6: patches of 16, 34, 70, 142, 286, 574 px.
        norm: on all layers but the first and the last; with "instance" their convolutions have a bias.
    Source:
        Isola et al. 2017, arXiv:1611.07004, §3.2.2 and §6.1.2.
    """

    def __init__(self, channels_in: int = 6, width: int = 64, layers: int = 3, norm: Norm = "batch") -> None:
        super().__init__()
        if not 1 <= layers <= 6:
            raise ValueError(f"layers {layers} is outside 1 … 6")
        widths = [width * min(1 << level, WIDEST) for level in range(layers + 1)]
        modules: list[nn.Module] = [nn.Conv2d(channels_in, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for level in range(1, layers + 1):
            stride = 2 if level < layers else 1
            modules.append(nn.Conv2d(widths[level - 1], widths[level], 4, stride, 1, bias=needs_bias(norm)))
            modules += [norm_layer(norm, widths[level]), nn.LeakyReLU(0.2, inplace=True)]
        modules.append(nn.Conv2d(widths[-1], 1, 4, 1, 1))
        self.model = nn.Sequential(*modules)
        self.apply(initialise)

    def forward(self, picture: Tensor, with_features: bool = False) -> list[Tensor]:
        """[N, channels_in, H, W] in −1…1 to logits [N, 1, h, w], the last of the list; with three layers h is H/8 − 2.

        Args:
            with_features: put what comes out of each activation before them, for feature matching.
        """
        judged: list[Tensor] = []
        x = picture
        for module in self.model:
            x = module(x)
            if with_features and isinstance(module, nn.LeakyReLU):
                judged.append(x)
        return [*judged, x]

    @staticmethod
    def smallest_side(layers: int) -> int:
        """The side of the smallest picture that gives a logit."""
        return 3 << layers


class MultiscaleDiscriminator(nn.Module):
    """PatchGANs on a picture at full, half, quarter … size: what the coarse ones see is the whole, the fine one detail.

    Args:
        scales: how many. The others are as of `PatchDiscriminator`, whose names stand under `scales.0`, `scales.1` …
    Source:
        Wang et al. 2018 (pix2pixHD), arXiv:1711.11585, §3.2.
    """

    def __init__(
        self, channels_in: int = 6, width: int = 64, layers: int = 3, norm: Norm = "batch", scales: int = 3
    ) -> None:
        super().__init__()
        if not 1 <= scales <= 4:
            raise ValueError(f"scales {scales} is outside 1 … 4")
        self.scales = nn.ModuleList(PatchDiscriminator(channels_in, width, layers, norm) for _ in range(scales))

    def forward(self, picture: Tensor, with_features: bool = False) -> list[list[Tensor]]:
        """[N, channels_in, H, W] in −1…1 to what a `PatchDiscriminator` gives, for each scale, full size first."""
        judged = []
        for index, judge in enumerate(self.scales):
            if index:
                picture = F.avg_pool2d(picture, 3, 2, 1, count_include_pad=False)
            judged.append(judge(picture, with_features))
        return judged
