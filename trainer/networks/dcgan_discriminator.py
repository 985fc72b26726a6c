"""The DCGAN discriminator, with spectral norm and minibatch deviation as options against collapse."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from vfxgan.trainer.losses import r1_penalty
from vfxgan.trainer.networks.dcgan import base_and_stages, initialise, paper_channels

DiscriminatorNorm = Literal["batch", "spectral", "none"]


class Discriminator(nn.Module, ABC):
    """What both discriminators share: the R1 penalty is measured within the forward pass.

    There it runs in the precision of the pass, and Fabric, which guards what comes out of a network, lets it.
    """

    @abstractmethod
    def logits(self, picture: Tensor, alpha: float) -> Tensor:
        """[N, C, S, S] to [N]."""

    def forward(self, picture: Tensor, alpha: float = 1.0, penalised: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """[N, channels_in, S, S] in −1…1 to logits [N]; with `penalised` to these and `r1_penalty`, a scalar."""
        if not penalised:
            return self.logits(picture, alpha)
        picture = picture.detach().requires_grad_()
        logits = self.logits(picture, alpha)
        return logits, r1_penalty(logits, picture)


class DcganDiscriminator(Discriminator):
    """Picture to one logit: strided 4×4 convolutions from `size` down to 4² or 6².

    Args:
        size: side of the input.
        channels: widths from the first stage on. Empty: the paper's, mirrored.
        channels_in: 3 or 4.
        norm: "batch" as in the paper (none on the first layer), "spectral" (Miyato et al. 2018), or "none".
        unshuffle: fold 2×2 pixels into channels first: a quarter of the work, no pixel lost.
        minibatch_std: append the deviation over the batch as a channel (Karras et al. 2018, §3).
    Source:
        Radford et al. 2015, arXiv:1511.06434, §3.
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
        self.unshuffle, self.minibatch_std = unshuffle, minibatch_std
        inputs = (channels_in * 4 if unshuffle else channels_in, *widths[:-1])
        layers: list[nn.Module] = []
        for index, (narrow, wide) in enumerate(zip(inputs, widths, strict=True)):
            layers += down(narrow, wide, norm, first=index == 0)
        self.features = nn.Sequential(*layers)
        self.judge = nn.Conv2d(widths[-1] + minibatch_std, 1, base)
        self.apply(initialise)
        if norm == "spectral":
            normalise_spectra(self)

    def logits(self, picture: Tensor, alpha: float = 1.0) -> Tensor:
        """[N, channels_in, size, size] in −1…1 to logits [N]; there is no other resolution, so alpha has no effect."""
        x = F.pixel_unshuffle(picture, 2) if self.unshuffle else picture
        x = self.features(x)
        if self.minibatch_std:
            x = with_deviation(x)
        logits: Tensor = self.judge(x)
        return logits.flatten()


def normalise_spectra(network: nn.Module) -> None:
    """Divide every convolution by its largest singular value: Miyato et al. 2018, arXiv:1802.05957, §2.1.

    Only discriminators: batch norm, which the generator has, undoes a scale of the weights before it.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d):
            nn.init.orthogonal_(module.weight)  # 0.02 would start the power iteration on near-zero matrices
            spectral_norm(module)


def with_deviation(x: Tensor) -> Tensor:
    """[N, C, H, W] to [N, C + 1, H, W]: deviation over the batch of each entry, their mean as one more map.

    Source:
        Karras et al. 2018, arXiv:1710.10196, §3.
    """
    deviation = torch.sqrt(x.float().var(dim=0, unbiased=False) + 1e-8).mean()
    return torch.cat([x, deviation.expand(x.shape[0], 1, x.shape[2], x.shape[3]).to(x.dtype)], dim=1)


def down(channels_in: int, channels_out: int, norm: DiscriminatorNorm, first: bool) -> list[nn.Module]:
    """Half the side, twice as many features or so: the layers of one stage."""
    batch_norm = norm == "batch" and not first
    layers: list[nn.Module] = [nn.Conv2d(channels_in, channels_out, 4, 2, 1, bias=not batch_norm)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(channels_out))
    return [*layers, nn.LeakyReLU(0.2)]
