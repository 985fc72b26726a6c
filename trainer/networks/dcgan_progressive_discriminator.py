"""The DCGAN discriminator with an entrance at each resolution."""

from torch import Tensor, nn
from torch.nn import functional as F

from vfxgan.trainer.networks.dcgan import base_and_stages, initialise, paper_channels
from vfxgan.trainer.networks.dcgan_discriminator import (
    Discriminator,
    DiscriminatorNorm,
    down,
    normalise_spectra,
    with_deviation,
)
from vfxgan.trainer.networks.dcgan_progressive import sides_of


class ProgressiveDiscriminator(Discriminator):
    """Picture of any resolution up to `size` to one logit.

    A 1×1 convolution takes a picture in at each resolution; a new one is faded in over the picture at half the side
    that enters one stage further on, as `ProgressiveGenerator` fades out.

    Args:
        size, channels, channels_in, norm, unshuffle, minibatch_std: see `DcganDiscriminator`.
    Source:
        Karras et al. 2018, arXiv:1710.10196, §2 and figure 2.
    """

    def __init__(
        self,
        size: int,
        channels: tuple[int, ...] = (),
        channels_in: int = 4,
        norm: DiscriminatorNorm = "batch",
        unshuffle: bool = False,
        minibatch_std: bool = False,
    ) -> None:
        super().__init__()
        base, stages = base_and_stages(size)
        stages -= unshuffle
        widths = tuple(channels) or paper_channels(stages)[::-1]
        if len(widths) != stages:
            raise ValueError(f"discriminator channels: {len(widths)} widths given, {stages} needed at {size} px")
        self.size, self.unshuffle, self.minibatch_std = size, unshuffle, minibatch_std
        entered = (widths[0], *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(*down(narrow, wide, norm, first=False)) for narrow, wide in zip(entered, widths, strict=True)
        )
        inputs = channels_in * 4 if unshuffle else channels_in
        self.smallest = sides_of(size)[0]
        self.from_picture = nn.ModuleDict(
            {str(side): nn.Conv2d(inputs, entered[self._first_stage(side)], 1) for side in sides_of(size)}
        )
        self.judge = nn.Conv2d(widths[-1] + minibatch_std, 1, base)
        self.apply(initialise)
        for entrance in self.from_picture.values():
            assert isinstance(entrance, nn.Conv2d)
            nn.init.kaiming_normal_(entrance.weight, a=0.2)  # 0.02 on a pixel's few values would all but silence it
        if norm == "spectral":
            normalise_spectra(self)

    def logits(self, picture: Tensor, alpha: float = 1.0) -> Tensor:
        """[N, channels_in, side, side] in −1…1 to logits [N]; alpha: how much of this resolution counts."""
        side = picture.shape[-1]
        first = self._first_stage(side)
        x = self.stages[first](self._enter(picture))
        if alpha != 1 and side != self.smallest:
            before = self._enter(F.avg_pool2d(picture, 2))
            x = before + (x - before) * alpha
        for stage in self.stages[first + 1 :]:
            x = stage(x)
        if self.minibatch_std:
            x = with_deviation(x)
        logits: Tensor = self.judge(x)
        return logits.flatten()

    def _enter(self, picture: Tensor) -> Tensor:
        side = picture.shape[-1]
        folded = F.pixel_unshuffle(picture, 2) if self.unshuffle else picture
        entered: Tensor = F.leaky_relu(self.from_picture[str(side)](folded), 0.2)
        return entered

    def _first_stage(self, side: int) -> int:
        return (self.size // side).bit_length() - 1
