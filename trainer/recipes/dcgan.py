"""DCGAN: latents to pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from vfxgan import __version__
from vfxgan.latents import latent
from vfxgan.progress import ProgressStyle, progress
from vfxgan.spec import Encoding, LatentInput, ModelSpec, Provenance
from vfxgan.trainer.data import Pictures, list_pictures, load_pictures, to_display
from vfxgan.trainer.networks.dcgan import DcganGenerator, latent_entries
from vfxgan.trainer.networks.dcgan_discriminator import DcganDiscriminator
from vfxgan.trainer.options import DcganOptions
from vfxgan.trainer.recipes.base import GENERATOR, Recipe

DISCRIMINATOR = "discriminator"
SAMPLES = 40
CALIBRATION_BATCHES, CALIBRATION_BATCH = 8, 64
# Marchesi 2017, §3.3: runs stay useful while the discriminator's loss is under 1 and the generator's under 3.
LOSS_BOUNDS = {"loss/discriminator": 1.0, "loss/generator": 3.0}


class DcganRecipe(Recipe):
    """Radford et al. 2015 (arXiv:1511.06434), trained as in Marchesi 2017 (arXiv:1706.00082)."""

    options_type = DcganOptions

    def __init__(self, options: DcganOptions) -> None:
        self.options = options
        self.pictures: Pictures | None = None
        entries = latent_entries(options.size, options.z_size, options.noise_to)
        self.latent = LatentInput(size=entries, interval=options.interval)

    @property
    def batch_size(self) -> int:
        return self.options.batch_size

    def load_data(self, style: ProgressStyle) -> None:
        o = self.options
        bar = progress(style, "reading pictures", len(list_pictures(Path(o.data))))
        self.pictures = load_pictures(Path(o.data), o.size, o.channels_out, o.peak, bar)
        if self.pictures.clipped:
            bar.warn(f"{self.pictures.clipped} pictures exceed --peak {o.peak:g} and are clipped there")

    def networks(self) -> dict[str, nn.Module]:
        o = self.options
        return {
            GENERATOR: DcganGenerator(
                o.size, o.z_size, o.channels, o.channels_out, o.upsample, o.noise_to, o.border_px
            ),
            DISCRIMINATOR: DcganDiscriminator(
                o.size, o.discriminator_channels, o.channels_out, o.discriminator_norm, o.unshuffle, o.minibatch_std
            ),
        }

    def phases(self, iteration: int) -> tuple[str, ...]:
        """Both, and every so often one of them again, in turn: Marchesi 2017, §3.3."""
        every = self.options.extra_step_every
        if not every or iteration % every or not iteration:
            return (DISCRIMINATOR, GENERATOR)
        return (DISCRIMINATOR, GENERATOR, DISCRIMINATOR if iteration // every % 2 else GENERATOR)

    def loss(
        self, phase: str, nets: Mapping[str, nn.Module], rng: Generator, place: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        z = torch.rand(self.batch_size, self.latent.size, generator=rng) * 2 - 1
        z = (z * self.latent.interval).to(place)
        generator, discriminator = nets[GENERATOR], nets[DISCRIMINATOR]
        if phase == GENERATOR:
            fake = discriminator(self._augment(generator(z), rng))
            hinged = -fake.mean() if self.options.loss == "hinge" else F.softplus(-fake).mean()
            return hinged, {"loss/generator": F.softplus(-fake.detach()).mean().item()}
        with torch.no_grad():
            picture = generator(z)
        fake = discriminator(self._augment(picture, rng))
        real = discriminator(self._augment(self._real(rng).to(place), rng))
        if self.options.loss == "hinge":
            loss = F.relu(1 + fake).mean() + F.relu(1 - real).mean()
        else:
            loss = F.softplus(fake).mean() + F.softplus(-real).mean()
        # logged as the mean cross-entropy of both halves whatever the loss, so that the paper's bounds apply
        logistic = (F.softplus(fake.detach()).mean() + F.softplus(-real.detach()).mean()) / 2
        return loss, {
            "loss/discriminator": logistic.item(),
            "logit/real": real.detach().mean().item(),
            "logit/fake": fake.detach().mean().item(),
        }

    def _real(self, rng: Generator) -> Tensor:
        assert self.pictures is not None, "load_data comes first"
        indices = torch.randint(len(self.pictures.signal), (self.batch_size,), generator=rng)
        batch = self.pictures.batch(indices)
        if self.options.flip:
            mirrored = torch.rand(self.batch_size, generator=rng) < 0.5
            batch[mirrored] = batch[mirrored].flip(3)
        return batch.contiguous(memory_format=torch.channels_last)

    def _augment(self, picture: Tensor, rng: Generator) -> Tensor:
        """Shift by whole pixels over black, real and fake alike: Zhao et al. 2020, arXiv:2006.10738."""
        reach = self.options.shift_px
        if not reach:
            return picture
        side = picture.shape[-1]
        padded = F.pad(picture, (reach, reach, reach, reach), value=-1.0)
        corners = torch.randint(0, 2 * reach + 1, (picture.shape[0], 2), generator=rng).tolist()
        moved = [p[:, y : y + side, x : x + side] for p, (y, x) in zip(padded, corners, strict=True)]
        return torch.stack(moved).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def calibrate(self, generator: nn.Module) -> None:
        """Measure batch-norm statistics of the averaged weights over fixed latents (cumulative mean)."""
        norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        generator.train()
        place = next(generator.parameters()).device
        for batch in range(CALIBRATION_BATCHES):
            first = batch * CALIBRATION_BATCH
            generator(self._latents(range(first, first + CALIBRATION_BATCH)).to(place))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    @torch.no_grad()
    def sample(self, generator: nn.Module) -> NDArray[Any]:
        generator.eval()
        place = next(generator.parameters()).device
        return to_display(generator(self._latents(range(SAMPLES)).to(place)).cpu(), self.options.peak)

    def _latents(self, seeds: range) -> Tensor:
        return torch.from_numpy(np.concatenate([latent(seed, self.latent) for seed in seeds]))

    def spec(self, iteration: int) -> ModelSpec:
        o = self.options
        return ModelSpec(
            name=f"dcgan-{o.size}",
            kind="generator",
            architecture="dcgan",
            arguments={
                "size": o.size,
                "z_size": o.z_size,
                "channels": o.channels,
                "channels_out": o.channels_out,
                "upsample": o.upsample,
                "noise_to": o.noise_to,
                "border_px": o.border_px,
            },
            input=self.latent,
            size=(o.size, o.size),
            encoding=Encoding(peak=o.peak, toe=o.toe),
            channels_out=o.channels_out,
            provenance=Provenance(
                data_digest=self.pictures.digest if self.pictures else None,
                iterations=iteration,
                code_version=__version__,
            ),
        )

    def warnings(self, means: Mapping[str, float]) -> list[str]:
        return [
            f"{name} has stayed at {means[name]:.2f}, above {bound:g}, where runs seldom recover; "
            "try a lower --learning-rate, --discriminator-norm spectral or --minibatch-std"
            for name, bound in LOSS_BOUNDS.items()
            if means.get(name, 0.0) > bound
        ]
