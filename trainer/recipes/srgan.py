"""Super-resolution: SRGAN and ESRGAN, pre-trained for PSNR, then against a discriminator."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from vfxgan import __version__
from vfxgan.progress import ProgressStyle
from vfxgan.spec import Argument, Encoding, ImageInput, ModelSpec, Provenance
from vfxgan.trainer.data.augment import Augment
from vfxgan.trainer.data.degraded import DegradedSamples, open_degraded
from vfxgan.trainer.data.pictures import list_pictures
from vfxgan.trainer.data.samples import Sample, Samples
from vfxgan.trainer.data.store import Store
from vfxgan.trainer.losses import discriminator_loss, generator_loss, relativistic_loss
from vfxgan.trainer.metrics import picture_metrics
from vfxgan.trainer.networks import GENERATORS
from vfxgan.trainer.networks.rrdb import FOLDED
from vfxgan.trainer.networks.vgg_discriminator import SMALLEST_CROP_PX, VggDiscriminator
from vfxgan.trainer.options import RunOptions
from vfxgan.trainer.perceptual import PerceptualLoss, load_perceptual
from vfxgan.trainer.recipes.base import GENERATOR, Batch, Networks, Recipe, Step

DISCRIMINATOR = "discriminator"
BLOCKS = {"srresnet": 16, "rrdb": 23}
SCALES = {"srresnet": (2, 3, 4), "rrdb": (2, 4)}
SAMPLES = 8


class SrganOptions(RunOptions):
    """What `vfxgan train srgan` takes. Weights of the losses are ESRGAN's where nothing else is said."""

    beta1: float = Field(default=0.9, ge=0, lt=1, description="Adam's first decay.")

    generator: Literal["srresnet", "rrdb"] = Field(default="srresnet", description="SRGAN's, or ESRGAN's.")
    scale: int = Field(default=4, ge=1, le=16, description="Enlargement: 2, 3 or 4; rrdb 2 or 4.")
    width: int = Field(default=64, ge=1, le=1024, description="Channels of the generator.")
    blocks: int | None = Field(
        default=None, ge=1, le=256, description="Blocks of the generator. Default: 16 of srresnet, 23 of rrdb."
    )
    growth: int = Field(default=32, ge=1, le=1024, description="Channels that a layer of an rrdb block adds.")
    discriminator_width: int = Field(default=64, ge=1, le=1024, description="Channels of its first layers.")

    crop: int = Field(default=96, ge=8, le=2048, description="Side of the high-resolution crops in pixels.")
    degradation: Literal["bicubic", "real"] = Field(
        default="bicubic", description="Antialiased bicubic; or blur, resize, noise and JPEG."
    )
    peak: float = Field(
        default=1.0, ge=1, le=65504, description="Scene-linear light at the top of the range; 1 is plain sRGB."
    )
    flip: bool = Field(default=True, description="Mirror half of the crops.")
    turns: bool = Field(default=True, description="Turn crops by quarters.")
    zoom: float = Field(default=1.0, ge=1, le=4, description="Enlarge crops at random up to this.")
    exposure_stops: float = Field(default=0.0, ge=0, le=16, description="Vary the exposure by up to this.")
    colour: float = Field(default=0.0, ge=0, le=4, description="Vary R, G and B each within ± so many stops.")
    held_out: int = Field(default=0, ge=0, le=1 << 20, description="Pictures kept from training, to validate with.")

    pretrain: int = Field(
        default=10_000,
        ge=0,
        description="First iterations, on the pixel loss alone. As many as --iterations: all.",
    )
    pixel_loss: Literal["l1", "mse"] = Field(default="l1", description="Of both phases.")
    pixel_weight: float | None = Field(
        default=None, ge=0, le=1e6, description="In the adversarial phase. Default: 0.01, without perceptual loss 1."
    )
    perceptual: Literal["vgg19", "none"] = Field(default="vgg19", description="Perceptual loss.")
    perceptual_weight: float = Field(default=1.0, ge=0, le=1e6, description="Of the perceptual loss.")
    vgg: str | None = Field(
        default=None, description="torchvision's vgg19-dcbb9e9d.pth. Default: the cache, else it is downloaded."
    )
    adversarial: Literal["relativistic", "vanilla"] = Field(
        default="relativistic", description="ESRGAN's loss, or SRGAN's."
    )
    adversarial_weight: float = Field(default=5e-3, ge=0, le=1e6, description="SRGAN has 1e-3.")

    @model_validator(mode="after")
    def _networks_can_be_built(self) -> "SrganOptions":
        allowed = SCALES[self.generator]
        if self.scale not in allowed:
            raise ValueError(f"scale: {self.generator} enlarges by {_either(allowed)}, not {self.scale}")
        step = self.scale * self.size_multiple
        if self.crop % step:
            near = max(self.crop // step, 1) * step
            raise ValueError(f"crop: {self.crop} is no multiple of {step} (scale {self.scale}); {near} is")
        if self.crop < SMALLEST_CROP_PX and self.pretrain < self.iterations:
            raise ValueError(f"crop: {self.crop} is below the {SMALLEST_CROP_PX} px that the discriminator needs")
        return self

    @property
    def size_multiple(self) -> int:
        """Of H and W of what goes into the generator."""
        return FOLDED[self.scale] if self.generator == "rrdb" else 1

    @property
    def arguments(self) -> dict[str, Argument]:
        """The generator's."""
        blocks = self.blocks or BLOCKS[self.generator]
        own: dict[str, Argument] = {"scale": self.scale, "width": self.width, "blocks": blocks}
        return own | ({"growth": self.growth} if self.generator == "rrdb" else {})


class SrganRecipe(Recipe):
    """Super-resolution: low resolution to high. After SRGAN (Ledig et al. 2017) and ESRGAN (Wang et al. 2018)."""

    options_type = SrganOptions
    best: ClassVar[tuple[str, Literal["min", "max"]] | None] = ("val/psnr", "max")

    def __init__(self, options: SrganOptions) -> None:
        self.options = options
        self.samples: DegradedSamples | None = None
        self.perceptual: PerceptualLoss | None = None

    @property
    def batch_size(self) -> int:
        return self.options.batch or 16

    def load_data(self, folder: Path, style: ProgressStyle) -> Samples:
        o = self.options
        list_pictures(Path(o.data))  # a wrong path is said before half a gigabyte is downloaded
        if o.pretrain < o.iterations and o.perceptual == "vgg19" and o.perceptual_weight:
            self.perceptual = load_perceptual(Path(o.vgg) if o.vgg else None)
        self.samples = open_degraded(
            Path(o.data),
            scale=o.scale,
            crop=o.crop,
            degradation=o.degradation,
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
        return self.samples

    def networks(self) -> dict[str, nn.Module]:
        o = self.options
        return {
            GENERATOR: GENERATORS[o.generator](**o.arguments),
            # also in a run for PSNR alone, so that it can be resumed into the adversarial phase
            DISCRIMINATOR: VggDiscriminator(max(o.crop, SMALLEST_CROP_PX), o.discriminator_width),
        }

    def steps(self, iteration: int, nets: Networks, batch: Batch, rng: Generator) -> Iterator[Step]:
        """The generator alone at first; from `pretrain` on the discriminator, then the generator."""
        high = batch["high"]
        picture: Tensor = nets[GENERATOR](batch["low"])
        pixel = (F.l1_loss if self.options.pixel_loss == "l1" else F.mse_loss)(picture, high)
        if iteration < self.options.pretrain:
            yield Step(GENERATOR, pixel, {"loss/pixel": pixel.detach()})
            return
        yield self._discriminator_step(nets, high, picture.detach())
        yield self._generator_step(nets, high, picture, pixel)

    def _discriminator_step(self, nets: Networks, high: Tensor, picture: Tensor) -> Step:
        real, fake = nets[DISCRIMINATOR](high), nets[DISCRIMINATOR](picture)
        if self.options.adversarial == "relativistic":
            loss = relativistic_loss(real, fake)
        else:
            loss = discriminator_loss("vanilla", real, fake)
        means = {"logit/real": real.detach().mean(), "logit/fake": fake.detach().mean()}
        return Step(DISCRIMINATOR, loss, {"loss/discriminator": loss.detach()} | means)

    def _generator_step(self, nets: Networks, high: Tensor, picture: Tensor, pixel: Tensor) -> Step:
        o = self.options
        with nets.frozen(DISCRIMINATOR):
            fake = nets[DISCRIMINATOR](picture)
            if o.adversarial == "relativistic":
                adversarial = relativistic_loss(fake, nets[DISCRIMINATOR](high))
            else:
                adversarial = generator_loss("vanilla", fake)
        scalars = {"loss/pixel": pixel.detach(), "loss/adversarial": adversarial.detach()}
        pixel_weight = o.pixel_weight
        if pixel_weight is None:
            pixel_weight = 0.01 if o.perceptual == "vgg19" else 1.0
        loss = pixel_weight * pixel + o.adversarial_weight * adversarial
        if self.perceptual is not None:
            perceptual = self.perceptual.to(high.device)(picture, high)
            loss = loss + o.perceptual_weight * perceptual
            scalars["loss/perceptual"] = perceptual.detach()
        return Step(GENERATOR, loss, scalars)

    @torch.no_grad()
    def validate(self, generator: nn.Module) -> dict[str, float]:
        """PSNR and SSIM of pictures held out, and of bicubic enlargement beside them."""
        if not self.options.held_out:
            return {}
        assert self.samples is not None, "load_data comes first"
        found: dict[str, list[float]] = {}
        for sample in self.samples.validation(self.options.held_out):
            low, high = _pair(sample, generator)
            ours, bicubic = picture_metrics(generator(low), high), picture_metrics(_bicubic(low, high), high)
            values = {f"val/{name}": ours[name] for name in ("psnr", "ssim")}
            values |= {f"val/bicubic_{name}": bicubic[name] for name in ("psnr", "ssim")}
            for name, value in values.items():
                found.setdefault(name, []).append(value)
        return {name: float(np.mean(values)) for name, values in found.items()}

    @torch.no_grad()
    def sample(self, generator: nn.Module) -> NDArray[Any]:
        """One picture, rows of bicubic, network and original: pictures held out, or crops of the training set."""
        assert self.samples is not None, "load_data comes first"
        if self.options.held_out:
            samples = self.samples.validation(min(SAMPLES, self.options.held_out))
        else:
            samples = [self.samples[0, slot] for slot in range(SAMPLES)]
        rows = []
        for sample in samples:
            low, high = _pair(sample, generator)
            row = torch.cat((_bicubic(low, high), generator(low), high), 3)[0].float().clamp(0, 1).cpu()
            rows.append((row * 255).round().byte().permute(1, 2, 0).numpy())
        return np.concatenate(rows)[None]

    def spec(self, iteration: int) -> ModelSpec:
        o = self.options
        return ModelSpec(
            name=f"{o.generator}-x{o.scale}",
            kind="upscaler",
            architecture=o.generator,
            arguments=o.arguments,
            input=ImageInput(channels=3, size_multiple=o.size_multiple),
            scale=o.scale,
            value_range=(0.0, 1.0),
            encoding=Encoding(peak=o.peak),
            channels_out=3,
            provenance=Provenance(
                data_digest=self.samples.digest if self.samples else None,
                iterations=iteration,
                code_version=__version__,
            ),
        )


def _pair(sample: Sample, generator: nn.Module) -> tuple[Tensor, Tensor]:
    """One sample as [1, 3, h, w] and [1, 3, s·h, s·w] float32 on the generator's device."""
    device = next(generator.parameters()).device
    low, high = (torch.from_numpy(sample[name].astype(np.float32))[None].to(device) for name in ("low", "high"))
    return low, high


def _bicubic(low: Tensor, high: Tensor) -> Tensor:
    """torch's bicubic (a = −0.75), the stronger of the usual two in PSNR, kept in 0…1."""
    return F.interpolate(low, high.shape[-2:], mode="bicubic", align_corners=False).clamp(0, 1)


def _either(scales: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, scales[:-1]))} or {scales[-1]}"
