"""How far a generator's pictures are from a folder of real ones."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vfxgan.errors import ModelError, UsageError
from vfxgan.latents import latent
from vfxgan.progress import Progress
from vfxgan.spec import LatentInput, ModelSpec
from vfxgan.trainer.data import load_pictures
from vfxgan.trainer.distance import sliced_wasserstein
from vfxgan.trainer.networks import build_generator
from vfxgan.trainer.networks.checkpoint import load_checkpoint


@dataclass(frozen=True)
class Evaluation:
    """Sliced Wasserstein distances ×1000 by pyramid level, on the encoded signal.

    Attributes:
        generated: between `count` generated pictures and the first `count` real ones.
        real: between the first and the second `count` real ones: what no generator can beat.
    """

    count: int
    seed: int
    data_digest: str
    generated: dict[int, float]
    real: dict[int, float]


def evaluate_generator(path: Path, data: Path, count: int, seed: int, bar: Progress) -> Evaluation:
    """Compare the averaged generator of a checkpoint with held-out pictures.

    Args:
        data: at least 2·count pictures of the model's size.
        seed: of the patches and directions; the pictures are seeds 0 … count−1.
    Raises:
        ModelError: no checkpoint of a generator. UsageError: too few pictures. DataError: a picture cannot be used.
    """
    checkpoint = load_checkpoint(path)
    spec = checkpoint.spec
    if not isinstance(spec.input, LatentInput) or spec.size is None:
        raise ModelError(f"{path}: a {spec.kind} cannot be evaluated by this command; give a generator")
    pictures = load_pictures(data, spec.size[0], spec.channels_out, spec.encoding.peak, bar)
    if len(pictures.signal) < 2 * count:
        raise UsageError(f"--data {data} has {len(pictures.signal)} pictures, 2 × --count {count} are needed")
    real = pictures.batch(torch.arange(count))
    other = pictures.batch(torch.arange(count, 2 * count))
    network = build_generator(spec)
    network.load_state_dict(checkpoint.average)
    fake = _generate(network.eval(), spec, spec.input, count)
    return Evaluation(
        count,
        seed,
        pictures.digest,
        _rounded(sliced_wasserstein(fake, real, seed)),
        _rounded(sliced_wasserstein(other, real, seed)),
    )


@torch.no_grad()
def _generate(network: torch.nn.Module, spec: ModelSpec, entries: LatentInput, count: int) -> Tensor:
    batches = []
    for first in range(0, count, 32):
        seeds = range(first, min(first + 32, count))
        batches.append(network(torch.from_numpy(np.concatenate([latent(seed, entries) for seed in seeds]))))
    return torch.cat(batches)


def _rounded(levels: dict[int, float]) -> dict[int, float]:
    return {side: round(value, 2) for side, value in levels.items()}
