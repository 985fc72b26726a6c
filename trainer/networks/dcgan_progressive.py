"""The DCGAN generator with a picture at each resolution, so that it can be grown from small to large."""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vfxgan.trainer.networks.dcgan import (
    Upsample,
    UpStage,
    base_and_stages,
    border_window,
    initialise,
    noise_sides,
    paper_channels,
    projected,
)
from vfxgan.trainer.networks.folding import Fold

NEARLY_EMPTY = -2.0  # before the tanh: a picture that has learned nothing is dark, like the surroundings of elements
SMALLEST_PX = 16  # where growing starts: below it an element is a blot, and iterations there teach nothing


def sides_of(size: int) -> list[int]:
    """The resolutions that a network of `size` grows through, the last being `size` itself."""
    base, stages = base_and_stages(size)
    return [base << stage for stage in range(1, stages + 1) if base << stage >= min(SMALLEST_PX, size)]


def enlarge(pictures: Tensor) -> Tensor:
    """Twice the side, each pixel four times."""
    return F.interpolate(pictures, scale_factor=2.0, mode="nearest")


class ProgressiveGenerator(nn.Module):
    """Latent to picture, at any of the resolutions up to `size`.

    The blocks are DCGAN's, batch norm included; what is Karras et al.'s is the way they are grown: a 1×1 convolution
    to a picture at each resolution, the new one faded in over the one before. All weights exist from the start, so that
    checkpoints of every stage have the same entries.

    Args:
        size: side of the picture when fully grown, 4·2ᵏ or 6·2ᵏ.
        side, alpha: what `forward` gives when it is not told: the stage that a checkpoint stands at. None: `size`.
        channels: widths at 4², 8², … up to `size`, one a resolution. Empty: the paper's, halved at each doubling.
        z_size, channels_out, upsample, noise_to, border_px: see `DcganGenerator`. The latent has its noise maps at
            every stage, unused while their resolution is not reached; the border is in pixels of `size`.
    Source:
        Radford et al. 2015, arXiv:1511.06434, §3; Karras et al. 2018, arXiv:1710.10196, §2.
    """

    reached: Tensor

    def __init__(
        self,
        size: int,
        side: int | None = None,
        alpha: float = 1.0,
        z_size: int = 100,
        channels: tuple[int, ...] = (),
        channels_out: int = 4,
        upsample: Upsample = "transpose",
        noise_to: int = 0,
        border_px: int = 0,
    ) -> None:
        super().__init__()
        self.base, stages = base_and_stages(size)
        self.grown = sides_of(size)
        self.side, self.alpha = size if side is None else side, alpha
        if self.side not in self.grown:
            raise ValueError(f"side {side} is none of the resolutions of size {size}: {self.grown}")
        widths = tuple(channels) or paper_channels(stages + 1)
        if len(widths) != stages + 1:
            raise ValueError(f"channels: {len(widths)} widths given, {stages + 1} needed at {size} px, progressive")
        if noise_to > size // 2:
            raise ValueError(f"noise_to {noise_to} is more than half of size {size}")
        self.z_size, self.width = z_size, widths[0]
        self.noisy = noise_sides(size, noise_to)
        self.project = nn.Linear(z_size, widths[0] * self.base**2, bias=False)
        self.norm = nn.BatchNorm2d(widths[0])
        self.stages = nn.ModuleList(
            UpStage(before, after, upsample == "bilinear", self.base << (index + 1) in self.noisy)
            for index, (before, after) in enumerate(itertools.pairwise(widths))
        )
        self.to_picture = nn.ModuleDict(
            {str(side): nn.Conv2d(widths[(side // self.base).bit_length() - 1], channels_out, 1) for side in self.grown}
        )
        for index, side in enumerate(self.grown):
            window = border_window(side, round(border_px * side / size))
            self.register_buffer(f"window_{index}", window, persistent=False)
        # what the last forward pass in training worked on; a checkpoint of the averaged network knows its stage by it
        self.register_buffer("reached", torch.tensor([float(self.side), alpha]))
        self.apply(initialise)
        for head in self.to_picture.values():
            assert isinstance(head, nn.Conv2d)
            # weights of 0.02 on a few inputs would take a stage's iterations to leave mid-grey: Adam moves each by its
            # rate at most. Features come with unit variance, so this is unit variance again, around nearly empty.
            nn.init.normal_(head.weight, 0.0, head.in_channels**-0.5)
            nn.init.constant_(head.bias, NEARLY_EMPTY)  # type: ignore[arg-type]

    def forward(self, latent: Tensor, side: int | None = None, alpha: float | None = None) -> Tensor:
        """[N, latent_entries] to [N, channels_out, side, side] in −1…1."""
        side, alpha = self.side if side is None else side, self.alpha if alpha is None else alpha
        if self.training:
            self.reached.copy_(torch.tensor([float(side), alpha]))
        z, *maps = torch.split(latent, [self.z_size, *(noisy * noisy for noisy in self.noisy)], dim=1)
        x = projected(self, z)
        before = x
        for index, stage in enumerate(self.stages[: (side // self.base).bit_length() - 1]):
            side_now = self.base << (index + 1)
            before = x
            x = stage(x, maps[index].view(-1, 1, side_now, side_now) if index < len(maps) else None)
        picture = self._picture(x, side)
        if alpha == 1 or side == self.grown[0]:
            return picture
        smaller = enlarge(self._picture(before, side // 2))
        return smaller + (picture - smaller) * alpha

    def _picture(self, x: Tensor, side: int) -> Tensor:
        window: Tensor = getattr(self, f"window_{self.grown.index(side)}")
        return (torch.tanh(self.to_picture[str(side)](x)) + 1) * window - 1

    def folds(self) -> "list[Fold]":
        """See `Foldable`."""
        return [Fold(self, "norm", self.project)]
