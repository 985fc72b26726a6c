"""Generators: how far their pictures are from real ones as a set, and how much they differ among themselves."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vfxgan.errors import ModelError
from vfxgan.latents import latent
from vfxgan.progress import Progress, progress
from vfxgan.spec import LatentInput
from vfxgan.trainer.data.augment import centre
from vfxgan.trainer.data.survey import in_parallel
from vfxgan.trainer.distance import SlicedWasserstein
from vfxgan.trainer.evaluation.subject import Findings, Subject
from vfxgan.trainer.metrics import PairSimilarity

PIXELS_AT_ONCE, MOST_AT_ONCE = 1 << 21, 32
NEAR_ONE, LEAST_DIVERSITY = 0.98, 0.5


class _Set:
    """What is kept of one set of pictures as it passes by."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.pairs = PairSimilarity()
        self.features: list[Tensor] = []

    def add(self, pictures: Tensor) -> None:
        """[n, C, S, S] in 0…1 of the encoded signal."""
        self.pairs.add(pictures[:, :3])
        if self._subject.extractor is not None:
            self.features.append(self._subject.extractor(self._subject.shown(pictures)))


def evaluate_generator(subject: Subject) -> Findings:
    """Seeds 0 … count−1 against as many real pictures; beside it as many other real pictures against the same ones.

    Raises:
        UsageError: fewer than 2·count real pictures. DataError: one of them is cut short.
    """
    spec = subject.spec
    assert isinstance(spec.input, LatentInput)
    assert spec.size is not None
    size, seed = spec.size[0], subject.request.seed
    headers = [file.header for file in subject.files if file.header is not None]
    count = subject.taken(len(headers), "pictures", sides=2)
    # Drawn, not the first ones: the frames of a sequence are like their neighbours.
    order = np.random.default_rng(seed).permutation(len(headers))[: 2 * count]
    chosen = [headers[index] for index in order]
    small = sum(min(header.height, header.width) < size for header in chosen)
    paths = [header.path for header in chosen]
    ours, floor = (SlicedWasserstein(count, spec.channels_out, size, seed=seed) for _ in range(2))
    sets = [_Set(subject) for _ in range(3)]
    with progress(subject.request.style, "comparing", 3 * count) as bar:
        for places, pictures in _generated(subject, spec.input, count, bar):
            sets[0].add(subject.unit(pictures))
            ours.add(0, places, subject.unit(pictures) * 2 - 1)
        for places, pictures in _real(subject, paths[:count], bar):
            sets[1].add(pictures)
            ours.add(1, places, pictures * 2 - 1)
            floor.add(1, places, pictures * 2 - 1)
        for places, pictures in _real(subject, paths[count:], bar):
            sets[2].add(pictures)
            floor.add(0, places, pictures * 2 - 1)
    findings = Findings(count, f"{count} other pictures of --data against the same ones")
    findings.metrics = _figures(subject, ours, sets[0], sets[1])
    findings.baseline = _figures(subject, floor, sets[2], sets[1])
    findings.warnings = _collapse(findings)
    if small:
        findings.notes.append(f"{small} of {2 * count} pictures are smaller than {size} px and were upscaled")
    return findings


def _figures(subject: Subject, distance: SlicedWasserstein, these: _Set, real: _Set) -> dict[str, object]:
    levels = distance.by_level()
    return {
        "swd": sum(levels.values()) / len(levels),
        "swd_by_level": {str(side): value for side, value in levels.items()},
        "ms_ssim": these.pairs.mean(),
        **subject.distances(these.features, real.features),
    }


def _collapse(findings: Findings) -> list[str]:
    """Whether generated pictures are far more alike than real ones."""
    ours, real = findings.metrics["ms_ssim"], findings.baseline["ms_ssim"]
    if ours < NEAR_ONE and 1 - ours >= LEAST_DIVERSITY * (1 - real):
        return []
    return [
        f"the generated pictures are much alike (ms_ssim {ours:.3f}, real ones {real:.3f}): a collapse; use an earlier "
        "checkpoint, or train with --minibatch-std, --discriminator-norm spectral or a larger --r1"
    ]


def _batches(count: int, size: int) -> Iterator[list[int]]:
    at_once = min(MOST_AT_ONCE, max(1, PIXELS_AT_ONCE // size**2))
    for first in range(0, count, at_once):
        yield list(range(first, min(first + at_once, count)))


def _generated(subject: Subject, entries: LatentInput, count: int, bar: Progress) -> Iterator[tuple[Tensor, Tensor]]:
    assert subject.spec.size is not None
    for seeds in _batches(count, subject.spec.size[0]):
        latents = np.concatenate([latent(seed, entries) for seed in seeds])
        pictures = subject.network(torch.from_numpy(latents)).float()
        if not pictures.isfinite().all():
            raise ModelError(f"{subject.request.checkpoint}: gives NaN or Inf; use an earlier checkpoint")
        yield torch.tensor(seeds), pictures
        for _ in seeds:
            bar.advance()


def _real(subject: Subject, paths: Sequence[Path], bar: Progress) -> Iterator[tuple[Tensor, Tensor]]:
    """Real pictures in 0…1, and their places in the set."""
    assert subject.spec.size is not None
    size, channels = subject.spec.size[0], subject.spec.channels_out

    def square(path: Path) -> Tensor:
        """The centre of the short side, brought to the model's size as a training set's is."""
        whole = subject.signal(path, channels)
        height, width = whole.shape[1:]
        side = min(height, width)
        return torch.from_numpy(centre((height, width), (side, side)).cut(whole, (size, size)))

    decoded = in_parallel(square, paths)
    for places in _batches(len(paths), size):
        yield torch.tensor(places), torch.stack([next(decoded) for _ in places])
        for _ in places:
            bar.advance()
