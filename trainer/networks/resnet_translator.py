"""The ResNet generator of pix2pix and CycleGAN."""

from collections.abc import Iterator

from torch import Tensor, nn

from vfxgan.trainer.networks.folding import Fold
from vfxgan.trainer.networks.norms import AnyNorm, folds_of, initialise, needs_bias, norm_layer

MAX_BLOCKS = 32


class ResnetTranslator(nn.Module):
    """Picture to picture: two halvings, residual blocks at a quarter of the side, two doublings.

    The names of the layers are those of pytorch-CycleGAN-and-pix2pix (`resnet_6blocks`, `resnet_9blocks`), so that
    weights can be exchanged. Dropout shifts names inside the blocks, as it does there.

    Args:
        blocks: residual blocks; published weights have 6 or 9.
        width: channels at full resolution; a block has 4·width.
        norm: with "instance" the convolutions before a norm have a bias, as in published weights.
        bias: of those convolutions, where it breaks that rule.
        dropout: rate ½ in the middle of each block.
    Source:
        Johnson et al. 2016, arXiv:1603.08155, supplement; Zhu et al. 2017, arXiv:1703.10593, §7.2 (reflection padding).
    """

    def __init__(
        self,
        channels_in: int = 3,
        channels_out: int = 3,
        blocks: int = 9,
        width: int = 64,
        norm: AnyNorm = "batch",
        dropout: bool = True,
        bias: bool | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= blocks <= MAX_BLOCKS:
            raise ValueError(f"blocks {blocks} is outside 1 … {MAX_BLOCKS}")
        self.size_multiple = 4
        bias = needs_bias(norm) if bias is None else bias
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(channels_in, width, 7, bias=bias)]
        layers += [norm_layer(norm, width), nn.ReLU(inplace=True)]
        for wide in (2 * width, 4 * width):
            layers += [nn.Conv2d(wide // 2, wide, 3, 2, 1, bias=bias), norm_layer(norm, wide), nn.ReLU(inplace=True)]
        layers += [ResidualBlock(4 * width, norm, bias, dropout) for _ in range(blocks)]
        for wide in (4 * width, 2 * width):
            layers.append(nn.ConvTranspose2d(wide, wide // 2, 3, 2, 1, output_padding=1, bias=bias))
            layers += [norm_layer(norm, wide // 2), nn.ReLU(inplace=True)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, channels_out, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, source: Tensor) -> Tensor:
        """[N, channels_in, H, W] to [N, channels_out, H, W], both in −1…1; H and W multiples of 4, at least 8."""
        picture: Tensor = self.model(source)
        return picture

    def folds(self) -> Iterator[Fold]:
        """See `Foldable`."""
        yield from folds_of(self.model)


class ResidualBlock(nn.Module):
    """[N, C, H, W] to the same shape: the input plus two reflection-padded 3×3 convolutions."""

    def __init__(self, channels: int, norm: AnyNorm, bias: bool, dropout: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias)]
        layers += [norm_layer(norm, channels), nn.ReLU(inplace=True)]
        if dropout:
            layers.append(nn.Dropout(0.5))
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), norm_layer(norm, channels)]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv_block(x)
        return x + y

    def folds(self) -> Iterator[Fold]:
        """See `Foldable`."""
        yield from folds_of(self.conv_block)
