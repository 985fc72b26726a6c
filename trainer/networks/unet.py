"""The U-Net generator of pix2pix, of any depth."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from vfxgan.trainer.networks.folding import Fold
from vfxgan.trainer.networks.norms import WIDEST, AnyNorm, folds_of, initialise, needs_bias, norm_layer

MAX_DEPTH = 10


class UnetGenerator(nn.Module):
    """Picture to picture: `depth` halvings and as many doublings, each joined to its partner by a skip.

    The names of the layers are those of pytorch-CycleGAN-and-pix2pix (`unet_256` is depth 8, `unet_128` depth 7), so
    that weights can be exchanged.

    Args:
        depth: halvings, 2 … 10. H and W must be multiples of 2^depth.
        width: channels of the outermost level; they double inwards up to 8·width.
        norm: with "instance" the convolutions before a norm have a bias, as in published weights.
        bias: of those convolutions, where it breaks that rule.
        dropout: rate ½ in the middle levels of 8·width, the innermost left out (none where depth is below 6).
    Source:
        Isola et al. 2017, arXiv:1611.07004, §3.2 and §6.1.1.
    """

    def __init__(
        self,
        channels_in: int = 3,
        channels_out: int = 3,
        depth: int = 8,
        width: int = 64,
        norm: AnyNorm = "batch",
        dropout: bool = True,
        bias: bool | None = None,
    ) -> None:
        super().__init__()
        if not 2 <= depth <= MAX_DEPTH:
            raise ValueError(f"depth {depth} is outside 2 … {MAX_DEPTH}")
        self.size_multiple = 1 << depth
        widths = [width * min(1 << level, WIDEST) for level in range(depth)]
        middle = range(4, depth - 1) if dropout else ()
        biased = needs_bias(norm) if bias is None else bias
        block: UnetLevel | None = None
        for level in reversed(range(depth)):
            outer = channels_out if level == 0 else widths[level - 1]
            inputs = channels_in if level == 0 else outer
            block = UnetLevel(inputs, widths[level], outer, block, norm, biased, level == 0, level in middle)
        assert block is not None
        self.model = block
        self.apply(initialise)

    def forward(self, source: Tensor) -> Tensor:
        """[N, channels_in, H, W] to [N, channels_out, H, W], both in −1…1."""
        picture: Tensor = self.model(source)
        return picture


class UnetLevel(nn.Module):
    """One halving, what lies inside it, and the doubling back.

    Args:
        inner: channels after the halving.
        channels_out: of the doubling; the skip adds `channels_in` more, except at the outermost level.
        child: the next level inwards; None: this is the innermost, whose single pixel or few have no norm.
    """

    def __init__(
        self,
        channels_in: int,
        inner: int,
        channels_out: int,
        child: "UnetLevel | None",
        norm: AnyNorm,
        bias: bool,
        outermost: bool,
        dropout: bool,
    ) -> None:
        super().__init__()
        self.outermost = outermost
        down: list[nn.Module] = [nn.Conv2d(channels_in, inner, 4, 2, 1, bias=bias)]
        joined = inner if child is None else 2 * inner
        up: list[nn.Module] = [
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(joined, channels_out, 4, 2, 1, bias=bias or outermost),
        ]
        if outermost:
            up.append(nn.Tanh())
        else:
            # In place, so the skip carries the leaky values too; the ReLU after the join makes them the same again.
            down.insert(0, nn.LeakyReLU(0.2, inplace=True))
            up.append(norm_layer(norm, channels_out))
            if child is not None:
                down.append(norm_layer(norm, inner))
        inside = [] if child is None else [child]
        self.model = nn.Sequential(*down, *inside, *up, *([nn.Dropout(0.5)] if dropout else []))

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels_in, H, W] to [N, channels_in + channels_out, H, W]; the outermost without its input."""
        y: Tensor = self.model(x)
        return y if self.outermost else torch.cat([x, y], dim=1)

    def folds(self) -> Iterator[Fold]:
        """See `Foldable`."""
        yield from folds_of(self.model)
