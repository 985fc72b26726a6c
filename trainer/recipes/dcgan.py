"""DCGAN: latents to pictures. After Radford et al. 2015, as scaled up by Marchesi 2017."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from vfxgan import __version__
from vfxgan.latents import latent
from vfxgan.progress import ProgressStyle
from vfxgan.spec import Argument, Encoding, LatentInput, ModelSpec, Provenance
from vfxgan.trainer.data.augment import Augment
from vfxgan.trainer.data.pictures import to_display
from vfxgan.trainer.data.samples import Samples
from vfxgan.trainer.data.single import PictureSamples, open_pictures
from vfxgan.trainer.data.store import Store
from vfxgan.trainer.diffaug import OPERATIONS, Diffaug
from vfxgan.trainer.distance import sliced_wasserstein
from vfxgan.trainer.growth import Growth, Stage, reduced
from vfxgan.trainer.losses import Adversarial, discriminator_loss, generator_loss
from vfxgan.trainer.networks.dcgan import DcganGenerator, Upsample, base_and_stages, latent_entries
from vfxgan.trainer.networks.dcgan_discriminator import DcganDiscriminator, DiscriminatorNorm
from vfxgan.trainer.networks.dcgan_progressive import ProgressiveGenerator, enlarge
from vfxgan.trainer.networks.dcgan_progressive_discriminator import ProgressiveDiscriminator
from vfxgan.trainer.options import RunOptions, Widths
from vfxgan.trainer.recipes.base import GENERATOR, Batch, Networks, Recipe, Step

DISCRIMINATOR = "discriminator"
SAMPLES = 40
CALIBRATION_BATCHES, CALIBRATION_BATCH = 8, 64
PIXELS_AT_ONCE, AT_LEAST = 1 << 24, 16  # pictures shown in one pass: 64 at 512 px, 16 at 1024
VALIDATION_PICTURES, VALIDATION_MIB = 256, 256
# Marchesi 2017, §3.3: runs stay useful while the discriminator's loss is under 1 and the generator's under 3.
LOSS_BOUNDS = {"loss/discriminator": 1.0, "loss/generator": 3.0}
BATCH_OF_SIZE = {192: 128, 256: 64, 384: 32, 512: 20, 768: 10, 1024: 6}  # what a card of 2017 held: Marchesi 2017
LOSSES: dict[str, Adversarial] = {"bce": "vanilla", "lsgan": "lsgan", "hinge": "hinge"}


class DcganOptions(RunOptions):
    """Options of `vfxgan train dcgan`; more on the networks' stands in `trainer/networks/`."""

    size: int = Field(default=128, description="Side in pixels: 4·2ᵏ or 6·2ᵏ, 8 … 1024.")
    batch: int | None = Field(
        default=None, ge=2, le=4096, description="Pictures an iteration. Default: by size, 128 at 192 px … 6 at 1024."
    )
    rgb: bool = Field(default=False, description="Three channels instead of premultiplied RGBA.")
    peak: float = Field(
        default=16.0, ge=1, le=65504, description="Scene-linear light at the top of the network's range."
    )
    toe: float = Field(
        default=0.01, ge=0, le=0.25, description="Encoded haze up to here becomes exactly 0 in rendered frames."
    )
    flip: bool = Field(default=True, description="Mirror half of the pictures.")
    turns: bool = Field(default=False, description="Turn pictures by quarters.")
    zoom: float = Field(default=1.0, ge=1, le=4, description="Enlarge pictures at random up to this.")
    exposure_stops: float = Field(default=0.0, ge=0, le=8, description="Vary the light of pictures within ± this.")
    colour: float = Field(default=0.0, ge=0, le=4, description="Vary R, G and B each within ± so many stops.")
    held_out: int = Field(default=0, ge=0, le=1 << 20, description="Pictures kept from training, to validate with.")

    z_size: int = Field(default=100, ge=1, le=4096, description="Entries of the projected latent.")
    interval: float = Field(default=1.0, gt=0, le=100, description="Latents are uniform in [-a, a].")
    channels: Widths = Field(
        default=(), description="Generator widths from 4² on, e.g. 256,128,64. Default: the paper's."
    )
    upsample: Upsample = Field(
        default="transpose", description="transpose (the paper's) or bilinear (no checkerboard)."
    )
    noise_to: int = Field(default=0, ge=0, le=1024, description="Noise maps in the latent up to this side; 0: none.")
    border_px: int = Field(default=0, ge=0, le=512, description="Fade to exactly empty over this width; 0: off.")
    discriminator_channels: Widths = Field(default=(), description="Discriminator widths. Default: the paper's.")
    discriminator_norm: DiscriminatorNorm = Field(default="batch", description="batch, spectral or none.")
    unshuffle: bool = Field(default=False, description="Discriminator folds 2×2 pixels first.")
    minibatch_std: bool = Field(
        default=False, description="Against collapse: the discriminator sees the deviation over the batch."
    )

    progressive: bool = Field(default=False, description="Grow from 16 px to --size, each resolution faded in.")
    grow_every: int = Field(
        default=0, ge=0, description="Iterations of each resolution. Default: such that the last has twice as many."
    )
    loss: Literal["bce", "lsgan", "hinge"] = Field(default="bce", description="Adversarial loss.")
    r1: float = Field(
        default=0.0, ge=0, le=1e4, description="Weight γ of the R1 penalty on the discriminator's gradient; 0: off."
    )
    r1_every: int = Field(default=16, ge=1, description="Iterations between penalties, each that much stronger.")
    diffaug: str = Field(
        default="",
        description="Differentiable augmentation, for small sets: some of color,translation,cutout.",
    )
    shift_px: int = Field(default=0, ge=0, le=256, description="Shift real and fake by up to this; 0: off.")
    extra_step_every: int = Field(default=50, ge=0, description="One more step, of either in turn; 0: never.")

    @model_validator(mode="before")
    @classmethod
    def _growth_is_recorded(cls, values: Any) -> Any:
        # in options.json and checkpoints: a run resumed with more iterations must not grow by another schedule
        if isinstance(values, dict) and values.get("progressive") and not values.get("grow_every"):
            iterations = values.get("iterations") or cls.model_fields["iterations"].default
            try:
                share = Growth.share(int(values.get("size") or cls.model_fields["size"].default), int(iterations))
            except (TypeError, ValueError):
                return values  # not numbers, or no size of ours: their own checks say so
            return values | {"grow_every": share}
        return values

    @model_validator(mode="after")
    def _sizes_can_be_built(self) -> "DcganOptions":
        _, stages = base_and_stages(self.size)
        how = "progressive" if self.progressive else self.upsample
        for name, widths, wanted in (
            ("channels", self.channels, stages + (how != "transpose")),
            ("discriminator_channels", self.discriminator_channels, stages - self.unshuffle),
        ):
            if widths and len(widths) != wanted:
                raise ValueError(f"{name}: {len(widths)} widths given, {wanted} needed at {self.size} px, {how}")
        if self.noise_to > self.size // 2:
            raise ValueError(f"noise_to: {self.noise_to} is more than half of {self.size}")
        if 2 * self.border_px > self.size:
            raise ValueError(f"border_px: {self.border_px} is more than half of {self.size}")
        unknown = sorted(self.augmentations - set(OPERATIONS))
        if unknown:
            raise ValueError(f"diffaug: no such operation {', '.join(unknown)}; known: {', '.join(OPERATIONS)}")
        return self

    @property
    def augmentations(self) -> frozenset[str]:
        """The words of `diffaug`."""
        return frozenset(word.strip() for word in self.diffaug.split(",") if word.strip())

    @property
    def batch_size(self) -> int:
        """Pictures an iteration: as given, else by resolution."""
        return self.batch or next(batch for side, batch in BATCH_OF_SIZE.items() if self.size <= side)

    @property
    def channels_out(self) -> Literal[3, 4]:
        """RGB, or RGBA."""
        return 3 if self.rgb else 4


class DcganRecipe(Recipe):
    """DCGAN: latents to elements. After Radford et al. 2015 (arXiv:1511.06434) and Marchesi 2017 (arXiv:1706.00082)."""

    options_type = DcganOptions
    best: ClassVar[tuple[str, Literal["min", "max"]] | None] = ("val/swd", "min")

    def __init__(self, options: DcganOptions) -> None:
        self.options = options
        self.pictures: PictureSamples | None = None
        self.penalty: Tensor | None = None  # the last one measured, to be logged beside every iteration's scalars
        entries = latent_entries(options.size, options.z_size, options.noise_to)
        self.latent = LatentInput(size=entries, interval=options.interval)
        self.growth = Growth(options.size, options.grow_every) if options.progressive else None
        self.diffaug = Diffaug(options.augmentations, options.shift_px / options.size)

    @property
    def batch_size(self) -> int:
        return self.options.batch_size

    @property
    def has_unused_parameters(self) -> bool:
        return self.options.progressive

    def load_data(self, folder: Path, style: ProgressStyle) -> Samples:
        o = self.options
        self.pictures = open_pictures(
            Path(o.data),
            size=o.size,
            channels=o.channels_out,
            peak=o.peak,
            augment=Augment(
                flip=o.flip,
                turns=o.turns,
                scale=(1.0, o.zoom) if o.zoom > 1 else None,
                exposure_stops=o.exposure_stops,
                colour=o.colour,
            ),
            store=Store.of(o, folder, style),
            held_out=o.held_out,
        )
        return self.pictures

    def networks(self) -> dict[str, nn.Module]:
        o = self.options
        judge = ProgressiveDiscriminator if o.progressive else DcganDiscriminator
        make = ProgressiveGenerator if o.progressive else DcganGenerator
        arguments: dict[str, Any] = self._arguments(None)
        return {
            GENERATOR: make(**arguments),
            DISCRIMINATOR: judge(
                o.size, o.discriminator_channels, o.channels_out, o.discriminator_norm, o.unshuffle, o.minibatch_std
            ),
        }

    def steps(self, iteration: int, nets: Networks, batch: Batch, rng: Generator) -> Iterator[Step]:
        """The discriminator, then the generator, on the same generated pictures; every so often one of them again."""
        stage = self.growth.at(iteration) if self.growth else None
        real = reduced(batch["real"], stage) if stage else batch["real"]
        penalised = bool(self.options.r1) and iteration % self.options.r1_every == 0
        fake = self._generate(nets, stage, rng)
        yield self._discriminator_step(nets, stage, real, fake.detach(), rng, penalised)
        yield self._generator_step(nets, stage, fake, rng)
        every = self.options.extra_step_every  # Marchesi 2017, §3.3
        if every and iteration and iteration % every == 0:
            if iteration // every % 2:
                with torch.no_grad():
                    fake = self._generate(nets, stage, rng)
                yield self._discriminator_step(nets, stage, real, fake, rng, False)
            else:
                yield self._generator_step(nets, stage, self._generate(nets, stage, rng), rng)

    def _generate(self, nets: Networks, stage: Stage | None, rng: Generator) -> Tensor:
        place = next(nets[GENERATOR].parameters()).device
        z = torch.rand(self.batch_size, self.latent.size, generator=rng) * 2 - 1
        z = (z * self.latent.interval).to(place)
        fake: Tensor = nets[GENERATOR](z, stage.side, stage.alpha) if stage else nets[GENERATOR](z)
        return fake

    def _discriminator_step(
        self, nets: Networks, stage: Stage | None, real: Tensor, fake: Tensor, rng: Generator, penalised: bool
    ) -> Step:
        gamma, every = self.options.r1, self.options.r1_every
        fakes, _ = self._judge(nets, stage, self.diffaug(fake, rng))
        reals, penalty = self._judge(nets, stage, self.diffaug(real, rng), penalised)
        loss = discriminator_loss(LOSSES[self.options.loss], reals, fakes)
        scalars = _logistic(reals, fakes)
        if penalty is not None:
            # lazy regularisation: seldom, and stronger for it (Karras et al. 2020, arXiv:1912.04958, §3.1)
            loss = loss + gamma / 2 * every * penalty
            self.penalty = penalty.detach()
        if self.penalty is not None:
            scalars["penalty/r1"] = self.penalty
        return Step(DISCRIMINATOR, loss, scalars)

    def _generator_step(self, nets: Networks, stage: Stage | None, fake: Tensor, rng: Generator) -> Step:
        with nets.frozen(DISCRIMINATOR):
            logits, _ = self._judge(nets, stage, self.diffaug(fake, rng))
        loss = generator_loss(LOSSES[self.options.loss], logits)
        return Step(GENERATOR, loss, {"loss/generator": F.softplus(-logits.detach()).mean()})

    def _judge(
        self, nets: Networks, stage: Stage | None, pictures: Tensor, penalised: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Logits [N], and the R1 penalty where it is asked for."""
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        judged = nets[DISCRIMINATOR](pictures, stage.alpha if stage else 1.0, penalised)
        return judged if penalised else (judged, None)

    @torch.no_grad()
    def calibrate(self, generator: nn.Module) -> None:
        """Measure batch-norm statistics of the averaged weights over fixed latents (cumulative mean)."""
        norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        generator.train()
        count = min(CALIBRATION_BATCH, self._at_once)
        for batch in range(CALIBRATION_BATCHES):
            self._show(generator, range(batch * count, (batch + 1) * count))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        generator.eval()

    @torch.no_grad()
    def sample(self, generator: nn.Module) -> NDArray[Any]:
        return to_display(self._first(generator, SAMPLES), self.options.peak)

    @property
    def _at_once(self) -> int:
        return max(AT_LEAST, PIXELS_AT_ONCE // self.options.size**2)

    def _first(self, generator: nn.Module, count: int) -> Tensor:
        """Pictures of seeds 0 … count − 1, on the CPU."""
        generator.eval()
        firsts = range(0, count, self._at_once)
        parts = [self._show(generator, range(n, min(n + self._at_once, count))) for n in firsts]
        return torch.cat([part.cpu() for part in parts]).float()

    def _show(self, generator: nn.Module, seeds: range) -> Tensor:
        """Pictures of these seeds at the stage that the network was last trained at."""
        z = torch.from_numpy(np.concatenate([latent(seed, self.latent) for seed in seeds]))
        z = z.to(next(generator.parameters()).device)
        if isinstance(generator, ProgressiveGenerator):
            side, alpha = generator.reached.tolist()
            pictures: Tensor = generator(z, int(side), alpha)
        else:
            pictures = generator(z)
        return pictures

    @torch.no_grad()
    def validate(self, generator: nn.Module) -> dict[str, float]:
        """Sliced Wasserstein distance at full size to pictures held out, or to the first ones of the training set."""
        real = self._reference()
        fake = self._first(generator, len(real))
        while fake.shape[-1] < self.options.size:  # what has not been grown yet counts as missing
            fake = enlarge(fake)
        levels = sliced_wasserstein(fake, real)
        return {"val/swd": sum(levels.values()) / len(levels)} | {f"val/swd_{k}px": v for k, v in levels.items()}

    def _reference(self) -> Tensor:
        assert self.pictures is not None, "load_data comes first"
        o = self.options
        fitting = max(2, (VALIDATION_MIB << 20) // (4 * o.channels_out * o.size**2))
        count = min(VALIDATION_PICTURES, fitting, o.held_out or len(self.pictures))
        samples = self.pictures.validation(count) if o.held_out else [self.pictures[0, slot] for slot in range(count)]
        return torch.from_numpy(np.stack([sample["real"] for sample in samples]).astype(np.float32))

    def _arguments(self, stage: Stage | None) -> dict[str, Argument]:
        o = self.options
        arguments: dict[str, Argument] = {
            "size": o.size,
            "z_size": o.z_size,
            "channels": o.channels,
            "channels_out": o.channels_out,
            "upsample": o.upsample,
            "noise_to": o.noise_to,
            "border_px": o.border_px,
        }
        return arguments | ({"side": stage.side, "alpha": stage.alpha} if stage else {})

    def spec(self, iteration: int) -> ModelSpec:
        o = self.options
        stage = self.growth.at(max(iteration - 1, 0)) if self.growth else None  # of the last iteration done
        side = stage.side if stage else o.size
        return ModelSpec(
            name=f"dcgan-{side}",
            kind="generator",
            architecture="dcgan-progressive" if stage else "dcgan",
            arguments=self._arguments(stage),
            input=self.latent,
            size=(side, side),
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
            "try a lower --learning-rate, --discriminator-norm spectral, --minibatch-std or --r1 1"
            for name, bound in LOSS_BOUNDS.items()
            if means.get(name, 0.0) > bound
        ]


def _logistic(real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """Logged as the mean cross-entropy of both halves whatever the loss, so that the paper's bounds apply."""
    real, fake = real.detach(), fake.detach()
    return {
        "loss/discriminator": (F.softplus(fake).mean() + F.softplus(-real).mean()) / 2,
        "logit/real": real.mean(),
        "logit/fake": fake.mean(),
    }
