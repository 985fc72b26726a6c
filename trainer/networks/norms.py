"""What the translators and their discriminators share: norms, the start of training, how norms fold away."""

from collections.abc import Iterator
from typing import Literal

from torch import nn

from vfxgan.trainer.networks.folding import Fold

Norm = Literal["batch", "instance"]  # what training offers
AnyNorm = Literal["batch", "instance", "instance-affine", "none"]  # what people's weights come with

WIDEST = 8  # levels double their width up to this multiple of the first


def norm_layer(norm: AnyNorm, channels: int) -> nn.Module:
    """Batch norm with weights, or instance norm without: the two that published pix2pix weights come with.

    Instance norm keeps no running statistics, so training and inference are the same function.
    """
    if norm == "none":
        return nn.Identity()
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.InstanceNorm2d(channels, affine=norm != "instance")


def needs_bias(norm: AnyNorm) -> bool:
    """Of a convolution before the norm: batch norm has an offset of its own. Published weights follow this rule."""
    return norm == "instance"


def initialise(module: nn.Module) -> None:
    """Normal weights of deviation 0.02, batch-norm gains around 1: Isola et al. 2017, §6.2, and its reference code."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def folds_of(chain: nn.Sequential) -> Iterator[Fold]:
    """Every batch norm of a chain, with the convolution right before it."""
    layers = list(chain)
    for index, layer in enumerate(layers):
        if isinstance(layer, nn.BatchNorm2d):
            before = layers[index - 1]
            assert isinstance(before, nn.Conv2d | nn.ConvTranspose2d)
            yield Fold(chain, str(index), before)
