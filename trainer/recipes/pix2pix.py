"""pix2pix: pictures to pictures, from pairs. After Isola et al. 2017, with the discriminators of pix2pixHD."""

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
from vfxgan.errors import DataError
from vfxgan.progress import ProgressStyle
from vfxgan.spec import Argument, Encoding, ImageInput, ModelSpec, Provenance
from vfxgan.trainer.calibration import calibrate_norms
from vfxgan.trainer.data.augment import Augment
from vfxgan.trainer.data.pairs import PairSamples, open_pairs
from vfxgan.trainer.data.pictures import to_display
from vfxgan.trainer.data.samples import Sample, Samples
from vfxgan.trainer.data.store import Store
from vfxgan.trainer.diffaug import Diffaug
from vfxgan.trainer.losses import Adversarial, discriminator_loss, generator_loss
from vfxgan.trainer.metrics import picture_metrics
from vfxgan.trainer.networks.norms import Norm
from vfxgan.trainer.networks.patchgan import MultiscaleDiscriminator, PatchDiscriminator
from vfxgan.trainer.networks.resnet_translator import ResnetTranslator
from vfxgan.trainer.networks.unet import MAX_DEPTH, UnetGenerator
from vfxgan.trainer.options import RunOptions
from vfxgan.trainer.recipes.base import GENERATOR, Batch, Networks, Recipe, Step

DISCRIMINATOR = "discriminator"
BATCH_OF_NORM = {"batch": 8, "instance": 1}
SAMPLES = 16
VALIDATION_PICTURES, VALIDATION_MIB = 256, 256
MOVES = ("translation", "cutout")  # no colour: a source says what colour its target has
CALIBRATION_PICTURES, CALIBRATION_BATCH, CALIBRATION_PX = 64, 16, 1 << 20  # in all; in one pass, at most so many px


class Pix2PixOptions(RunOptions):
    """Options of `vfxgan train pix2pix`; more on the networks' stands in `trainer/networks/`."""

    data: str = Field(description="Folder of source pictures, or of side-by-side pairs: EXR, PNG, TIFF, JPEG.")
    target: str | None = Field(default=None, description="Folder of what they become, by frame number or name.")
    side_by_side: bool = Field(default=False, description="--data holds pictures of source and target in one, left A.")
    swap: bool = Field(default=False, description="From target to source (B to A).")
    batch: int | None = Field(
        default=None, ge=1, le=4096, description="Pairs an iteration. Default: 8, with --norm instance 1."
    )
    crop: int | None = Field(
        default=None, ge=4, le=4096, description="Side of the random crop in pixels. Default: the whole picture."
    )
    channels_in: Literal[1, 3, 4] = Field(default=3, description="1 grey or matte, 3 RGB, 4 premultiplied RGBA.")
    channels_out: Literal[3, 4] = Field(default=3, description="3 RGB, 4 premultiplied RGBA.")
    peak: float = Field(
        default=1.0, ge=1, le=65504, description="Scene-linear light at the top of the network's range; 1: sRGB."
    )
    toe: float = Field(
        default=0.0, ge=0, le=0.25, description="Encoded haze up to here becomes exactly 0 in rendered frames."
    )
    held_out: int = Field(default=0, ge=0, le=1 << 20, description="Pairs kept from training, to validate with.")
    flip: bool = Field(default=True, description="Mirror half of the pairs.")
    vertical: bool = Field(default=False, description="Turn half of the pairs upside down.")
    turns: bool = Field(default=False, description="Turn pairs by quarters; needs square crops.")
    zoom: float = Field(default=1.0, ge=1, le=4, description="Enlarge pairs at random up to this; the paper's is 1.12.")
    exposure_stops: float = Field(default=0.0, ge=0, le=8, description="Vary the light of pairs within ± this.")
    colour: float = Field(default=0.0, ge=0, le=4, description="Vary R, G and B each within ± so many stops.")

    diffaug: str = Field(
        default="", description="Differentiable augmentation, for small sets: some of translation,cutout."
    )

    generator: Literal["unet", "resnet"] = Field(default="unet", description="Kind of generator.")
    depth: int = Field(
        default=8, ge=2, le=MAX_DEPTH, description="Halvings of the U-Net; sides must be multiples of 2^depth."
    )
    blocks: Literal[6, 9] = Field(default=9, description="Residual blocks of the ResNet.")
    width: int = Field(default=64, ge=1, le=512, description="Channels of the generator's first layer.")
    norm: Norm = Field(default="batch", description="Of generator and discriminator; batch norm folds away at export.")
    dropout: bool = Field(default=True, description="In the generator's middle, in training only.")

    adversarial: Adversarial = Field(default="vanilla", description="Adversarial loss.")
    l1_weight: float = Field(default=100.0, ge=0, le=1e5, description="Weight of the mean absolute difference.")
    feature_weight: float = Field(
        default=0.0, ge=0, le=1e5, description="Weight of feature matching; pix2pixHD's is 10, 0: off."
    )
    discriminator_layers: int = Field(
        default=3, ge=1, le=6, description="Strided layers: patches of 16, 34, 70, 142, 286, 574 px."
    )
    discriminator_width: int = Field(default=64, ge=1, le=512, description="Channels of its first layer.")
    scales: int = Field(default=1, ge=1, le=4, description="Discriminators, each at half the size of the one before.")

    @model_validator(mode="after")
    def _pairs_can_be_found_and_go_through(self) -> "Pix2PixOptions":
        problems = []
        if (self.target is None) != self.side_by_side:
            problems.append("target: give --target, or --side-by-side for pictures that hold both, and not the two")
        if self.crop is not None:
            problems += self.misfits(self.crop, "crop")
        unknown = ", ".join(sorted(self.augmentations - set(MOVES)))
        if unknown:
            problems.append(f"diffaug: no such operation {unknown}; known: {', '.join(MOVES)}")
        if self.augmentations and self.crop is None:
            problems.append("diffaug: needs the squares of a --crop")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def misfits(self, side: int, what: str) -> list[str]:
        """Why a side in pixels cannot go through these networks."""
        multiple = self.size_multiple
        problems = []
        if side % multiple:
            nearest = max(1, round(side / multiple)) * multiple
            of = f"2^depth = {multiple}" if self.generator == "unet" else f"{multiple}"
            problems.append(f"{what}: {side} is no multiple of {of}; the nearest is {nearest}")
        smallest = PatchDiscriminator.smallest_side(self.discriminator_layers) << (self.scales - 1)
        if side < smallest:
            problems.append(f"{what}: {side} is too small for the discriminators, which need {smallest}")
        return problems

    @property
    def augmentations(self) -> frozenset[str]:
        """The words of `diffaug`."""
        return frozenset(word.strip() for word in self.diffaug.split(",") if word.strip())

    @property
    def size_multiple(self) -> int:
        """What sides must be multiples of."""
        return 1 << self.depth if self.generator == "unet" else 4

    @property
    def batch_size(self) -> int:
        """As given; else the paper's 1, which is instance norm in all but name, and enough for a norm of the batch."""
        return self.batch or BATCH_OF_NORM[self.norm]


class Pix2PixRecipe(Recipe):
    """pix2pix: pictures to pictures, from pairs. After Isola et al. 2017 (arXiv:1611.07004)."""

    options_type = Pix2PixOptions
    best: ClassVar[tuple[str, Literal["min", "max"]] | None] = ("val/l1", "min")

    def __init__(self, options: Pix2PixOptions) -> None:
        self.options = options
        self.pairs: PairSamples | None = None
        self.diffaug = Diffaug(options.augmentations)
        self._calibration: Tensor | None = None
        self._held_out: list[Sample] | None = None

    @property
    def batch_size(self) -> int:
        return self.options.batch_size

    def load_data(self, folder: Path, style: ProgressStyle) -> Samples:
        o = self.options
        channels = (o.channels_out, o.channels_in) if o.swap else (o.channels_in, o.channels_out)
        self.pairs = open_pairs(
            Path(o.data),
            None if o.target is None else Path(o.target),
            crop=o.crop,
            channels=channels,
            peak=o.peak,
            augment=Augment(
                flip=o.flip,
                vertical=o.vertical,
                turns=o.turns,
                scale=(1.0, o.zoom) if o.zoom > 1 else None,
                exposure_stops=o.exposure_stops,
                colour=o.colour,
            ),
            store=Store.of(o, folder, style),
            held_out=o.held_out,
            swapped=o.swap,
        )
        if o.crop is None:
            self._check_whole_pictures()
        return self.pairs

    def _check_whole_pictures(self) -> None:
        height, width = self._training_sample(0)["source"].shape[1:]
        problems = dict.fromkeys(p for side in (height, width) for p in self.options.misfits(side, "side"))
        if problems:
            raise DataError(
                f"--data {self.options.data}: pictures of {width}×{height} do not fit ({'; '.join(problems)}); "
                f"give --crop{' or a lower --depth' if self.options.generator == 'unet' else ''}"
            )

    def networks(self) -> dict[str, nn.Module]:
        o = self.options
        arguments: dict[str, Any] = self._arguments()
        make = UnetGenerator if o.generator == "unet" else ResnetTranslator
        judged = (o.channels_in + o.channels_out, o.discriminator_width, o.discriminator_layers, o.norm)
        judge = PatchDiscriminator(*judged) if o.scales == 1 else MultiscaleDiscriminator(*judged, o.scales)
        return {GENERATOR: make(**arguments), DISCRIMINATOR: judge}

    def steps(self, iteration: int, nets: Networks, batch: Batch, rng: Generator) -> Iterator[Step]:
        """The discriminator, then the generator, on the same generated pictures."""
        source, target = self._directed(batch)
        fake: Tensor = nets[GENERATOR](source)
        yield self._discriminator_step(nets, source, target, fake.detach(), rng)
        yield self._generator_step(nets, source, target, fake, rng)

    def _discriminator_step(self, nets: Networks, source: Tensor, target: Tensor, fake: Tensor, rng: Generator) -> Step:
        fakes = self._judge(nets, source, fake, rng)
        reals = self._judge(nets, source, target, rng)
        kind = self.options.adversarial
        loss = _total(discriminator_loss(kind, real[-1], fake[-1]) for real, fake in zip(reals, fakes, strict=True))
        scalars = {
            "loss/discriminator": loss.detach(),
            "logit/real": reals[0][-1].detach().mean(),
            "logit/fake": fakes[0][-1].detach().mean(),
        }
        return Step(DISCRIMINATOR, loss, scalars)

    def _generator_step(self, nets: Networks, source: Tensor, target: Tensor, fake: Tensor, rng: Generator) -> Step:
        o = self.options
        matching = o.feature_weight > 0
        draws = rng.get_state()
        with nets.frozen(DISCRIMINATOR):
            fakes = self._judge(nets, source, fake, rng, matching)
        adversarial = _total(generator_loss(o.adversarial, scale[-1]) for scale in fakes)
        difference = F.l1_loss(fake, target)
        loss = adversarial + o.l1_weight * difference
        scalars = {"loss/generator": adversarial.detach(), "loss/l1": difference.detach()}
        if matching:
            rng.set_state(draws)  # moved alike, or their features could not be compared
            with torch.no_grad():
                reals = self._judge(nets, source, target, rng, matching)
            features = feature_matching_loss(reals, fakes)
            loss = loss + o.feature_weight * features
            scalars["loss/features"] = features.detach()
        return Step(GENERATOR, loss, scalars)

    def _judge(
        self, nets: Networks, source: Tensor, picture: Tensor, rng: Generator, with_features: bool = False
    ) -> list[list[Tensor]]:
        """What each scale says of a picture beside its source: features if asked for, logits last."""
        pair = self.diffaug(torch.cat([source, picture], dim=1), rng)
        pair = pair.contiguous(memory_format=torch.channels_last)  # a source of one channel hides the format
        judged = nets[DISCRIMINATOR](pair, with_features)
        return [judged] if self.options.scales == 1 else judged

    def _directed(self, pair: Mapping[str, Any]) -> tuple[Any, Any]:
        """What goes in, and what should come out."""
        names = ("target", "source") if self.options.swap else ("source", "target")
        return pair[names[0]], pair[names[1]]

    def _training_sample(self, slot: int) -> Sample:
        assert self.pairs is not None, "load_data comes first"
        return self.pairs[0, slot]

    def calibrate(self, generator: nn.Module) -> None:
        """Measure batch-norm statistics of the averaged weights over fixed training pictures."""
        calibrate_norms(generator, self._calibration_batches(generator))

    def _calibration_batches(self, generator: nn.Module) -> Iterator[Tensor]:
        if self._calibration is None:
            drawn = (self._training_sample(slot) for slot in range(CALIBRATION_PICTURES))
            self._calibration = torch.stack([_tensor(self._directed(sample)[0]).half() for sample in drawn])
        sources = self._calibration
        fitting = CALIBRATION_PX // (sources.shape[2] * sources.shape[3])
        at_once = min(CALIBRATION_BATCH, max(fitting, self.batch_size))
        for first in range(0, CALIBRATION_PICTURES, at_once):
            yield _placed(sources[first : first + at_once], generator)

    def _held_out_pairs(self) -> list[Sample]:
        """Pictures held out, cropped in the middle to what the generator takes."""
        if self._held_out is None:
            assert self.pairs is not None, "load_data comes first"
            count = min(self.options.held_out, VALIDATION_PICTURES)
            if count:
                (first,) = self.pairs.validation(1)
                pair_bytes = sum(2 * picture.size for picture in first.values())
                count = min(count, max(1, (VALIDATION_MIB << 20) // pair_bytes))
            held_out = self.pairs.validation(count) if count else []
            multiple = self.options.size_multiple
            self._held_out = [
                {name: _middle(picture, multiple).astype(np.float16) for name, picture in sample.items()}
                for sample in held_out
            ]
        return self._held_out

    @torch.no_grad()
    def validate(self, generator: nn.Module) -> dict[str, float]:
        """L1 and PSNR, SSIM of the encoded signal in 0…1, RGB, over the pairs held out; none without --held-out."""
        figures: dict[str, list[float]] = {}
        generator.eval()
        for sample in self._held_out_pairs():
            source, target = (torch.from_numpy(picture[None]) for picture in self._directed(sample))
            output = generator(_placed(source, generator)).cpu()
            for name, value in picture_metrics((output[:, :3] + 1) / 2, (target[:, :3].float() + 1) / 2).items():
                figures.setdefault(f"val/{name}", []).append(value)
        return {name: sum(values) / len(values) for name, values in figures.items()}

    @torch.no_grad()
    def sample(self, generator: nn.Module) -> NDArray[Any]:
        """[N, 3·H, W, 3]: source, output and target below each other; pictures held out, else of the training set."""
        pairs = self._held_out_pairs()[:SAMPLES] or [self._training_sample(slot) for slot in range(SAMPLES)]
        shapes = [pair["source"].shape[1:] for pair in pairs]
        sides = min(shape[0] for shape in shapes), min(shape[1] for shape in shapes)
        generator.eval()
        strips = []
        for pair in pairs:
            source, target = (_cut(picture, sides)[None].float() for picture in map(_tensor, self._directed(pair)))
            output = generator(_placed(source, generator)).cpu()
            shown = [to_display(_coloured(picture), self.options.peak)[0] for picture in (source, output, target)]
            strips.append(np.concatenate(shown))
        return np.stack(strips)

    def _arguments(self) -> dict[str, Argument]:
        o = self.options
        size: dict[str, Argument] = {"depth": o.depth} if o.generator == "unet" else {"blocks": o.blocks}
        arguments: dict[str, Argument] = {"channels_in": o.channels_in, "channels_out": o.channels_out}
        return arguments | size | {"width": o.width, "norm": o.norm, "dropout": o.dropout}

    def spec(self, iteration: int) -> ModelSpec:
        o = self.options
        return ModelSpec(
            name=f"pix2pix-{o.generator}",
            kind="translator",
            architecture=f"pix2pix-{o.generator}",
            arguments=self._arguments(),
            input=ImageInput(channels=o.channels_in, size_multiple=o.size_multiple),
            encoding=Encoding(peak=o.peak, toe=o.toe),
            channels_out=o.channels_out,
            provenance=Provenance(
                data_digest=self.pairs.digest if self.pairs else None,
                iterations=iteration,
                code_version=__version__,
            ),
        )

    def warnings(self, means: Mapping[str, float]) -> list[str]:
        if self.options.norm == "batch" and self.batch_size < 4:
            return [
                f"batch-norm over {self.batch_size} pairs in training is not what it is at inference; "
                "use --batch 4 or more, or --norm instance"
            ]
        return []


def feature_matching_loss(reals: list[list[Tensor]], fakes: list[list[Tensor]]) -> Tensor:
    """Mean absolute difference of the discriminators' features, summed over layers and scales; logits left out.

    Source:
        Wang et al. 2018, arXiv:1711.11585, §3.2, eq. 4.
    """
    return _total(
        F.l1_loss(fake, real.detach())
        for real_scale, fake_scale in zip(reals, fakes, strict=True)
        for real, fake in zip(real_scale[:-1], fake_scale[:-1], strict=True)
    )


def _total(terms: Iterator[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()


def _tensor(picture: NDArray[Any]) -> Tensor:
    return torch.from_numpy(picture)


def _placed(pictures: Tensor, network: nn.Module) -> Tensor:
    return pictures.to(next(network.parameters()).device, torch.float32)


def _middle(picture: NDArray[Any], multiple: int) -> NDArray[Any]:
    """The largest middle part whose sides are multiples."""
    height, width = picture.shape[1:]
    if min(height, width) < multiple:
        raise DataError(
            f"a picture held out is {width}×{height}, smaller than the {multiple} px that the network takes"
        )
    return np.asarray(_cut(picture, (height - height % multiple, width - width % multiple)))


def _cut(picture: Any, sides: tuple[int, int]) -> Any:
    top, left = ((side - kept) // 2 for side, kept in zip(picture.shape[1:], sides, strict=True))
    return picture[:, top : top + sides[0], left : left + sides[1]]


def _coloured(picture: Tensor) -> Tensor:
    """[N, 1, H, W] as grey RGB."""
    return picture.expand(-1, 3, -1, -1) if picture.shape[1] == 1 else picture
