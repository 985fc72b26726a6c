"""What an evaluation is asked, what it looks at, and what it finds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vfxgan.colour import encoded_peak
from vfxgan.errors import DataError, ImageError, UsageError
from vfxgan.progress import ProgressStyle
from vfxgan.spec import ModelSpec
from vfxgan.trainer.data.decoding import Reading, decode_picture
from vfxgan.trainer.data.survey import Surveyed
from vfxgan.trainer.evaluation.features import FeatureExtractor, ValueRange, feature_distances
from vfxgan.trainer.networks.checkpoint import Checkpoint

MOST_BY_DEFAULT = 500


@dataclass(frozen=True)
class Request:
    """What is to be compared.

    Attributes:
        data: pictures: real ones for a generator, sources for a translator, high-resolution ones for an upscaler.
        target: what the sources should become; or `side_by_side`, where `data` holds both. For translators only.
        count: None: as many as there are, at most 500.
        seed: which pictures are taken, patches, pairs and subsets.
        features: ONNX of a feature network, for FID and KID; black and white reach it as `features_range` says.
        each: list the figures of every picture too; for translators and upscalers only.
    """

    checkpoint: Path
    data: Path
    target: Path | None = None
    side_by_side: bool = False
    count: int | None = None
    seed: int = 0
    features: Path | None = None
    features_range: ValueRange = "0-1"
    each: bool = False
    style: ProgressStyle = "none"


@dataclass
class Findings:
    """What a comparison found.

    Attributes:
        count: pictures on each side.
        metrics: of the model; `baseline` the same of what it is measured against, which `baseline_is` names.
        more: further parts of the report by name.
        notes: what was counted or left out, a sentence each; `warnings`: what gives cause to doubt the figures.
    """

    count: int
    baseline_is: str
    metrics: dict[str, Any] = field(default_factory=dict)
    baseline: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Subject:
    """The model under test, ready to run, and what its pictures are compared with.

    Attributes:
        network: the averaged generator in eval mode, on the CPU.
        files, others: the pictures of `--data` and of `--target`, looked at but not decoded.
        extractor: None without `--features`.
        bad, clipped: names of pictures that held NaN or Inf, or light above the model's peak.
    """

    request: Request
    checkpoint: Checkpoint
    network: nn.Module
    files: Sequence[Surveyed]
    others: Sequence[Surveyed]
    extractor: FeatureExtractor | None
    bad: list[str] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)

    @property
    def spec(self) -> ModelSpec:
        return self.checkpoint.spec

    def signal(self, path: Path, channels: int) -> NDArray[np.float16]:
        """A picture as [channels, H, W] in 0…1 of the encoded signal, with a half's precision, as in training.

        Raises:
            DataError: it is cut short.
        """
        try:
            decoded = decode_picture(path, Reading(channels, self.spec.encoding.peak, "zero"))
        except ImageError as error:
            raise DataError(str(error)) from error
        if decoded.bad:
            self.bad.append(path.name)
        if decoded.clipped:
            self.clipped.append(path.name)
        return decoded.signal

    def unit(self, output: Tensor) -> Tensor:
        """The network's range to 0…1 of the encoded signal."""
        return (output + 1) / 2 if self.spec.value_range[0] < 0 else output

    def shown(self, signal: Tensor) -> Tensor:
        """0…1 of the encoded signal, [N, C, H, W], as a monitor shows it: RGB over black, highlights clipped."""
        return (signal[:, :3] * encoded_peak(self.spec.encoding.peak)).clamp(0, 1)

    def distances(self, ours: Sequence[Tensor], real: Sequence[Tensor]) -> dict[str, float]:
        """FID and KID of features that were gathered in parts; nothing where there is no extractor."""
        return feature_distances(torch.cat(list(ours)), torch.cat(list(real)), self.request.seed) if ours else {}

    def taken(self, available: int, name: str, sides: int = 1) -> int:
        """How many pictures are compared on each side.

        Raises:
            UsageError: there are fewer than were asked for, or too few for any comparison.
        """
        least = 2 if sides > 1 or self.extractor else 1
        wanted = self.request.count or min(MOST_BY_DEFAULT, max(available // sides, least))
        if wanted < least:
            raise UsageError(f"--count {wanted}: distances between sets need at least {least}")
        if available < sides * wanted:
            twice = f"{sides} × " if sides > 1 else ""
            raise UsageError(
                f"--data {self.request.data} holds {available} usable {name}, {twice}--count {wanted} are needed; "
                f"give more{', or a smaller --count' if wanted > least else ''}"
            )
        return wanted
