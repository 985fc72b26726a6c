"""Adversarial losses: what the discriminator and the generator minimise, by name."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Adversarial = Literal["vanilla", "lsgan", "hinge"]


def discriminator_loss(kind: Adversarial, real: Tensor, fake: Tensor) -> Tensor:
    """Mean over both halves; vanilla and lsgan are halved, so that each half weighs ½.

    Args:
        real, fake: logits of any shape (patches included).
    Source:
        Goodfellow et al. 2014; Mao et al. 2017, arXiv:1611.04076; Lim and Ye 2017, arXiv:1705.02894.
    """
    if kind == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    if kind == "lsgan":
        return ((real - 1).square().mean() + fake.square().mean()) / 2
    return (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2


def generator_loss(kind: Adversarial, fake: Tensor) -> Tensor:
    """The generator's side; vanilla is the non-saturating form."""
    if kind == "hinge":
        return -fake.mean()
    if kind == "lsgan":
        return (fake - 1).square().mean()
    return F.softplus(-fake).mean()


def relativistic_loss(higher: Tensor, lower: Tensor) -> Tensor:
    """Relativistic average loss: `higher` should be judged more real than `lower` is on average, and the reverse.

    The discriminator minimises it with (real, fake), the generator with (fake, real).

    Source:
        Jolicoeur-Martineau 2018, arXiv:1807.00734; as used by Wang et al. 2018 (ESRGAN), arXiv:1809.00219, §3.2.
    """
    return (F.softplus(lower.mean() - higher).mean() + F.softplus(lower - higher.mean()).mean()) / 2


def r1_penalty(logits: Tensor, real: Tensor) -> Tensor:
    """Mean squared gradient norm of the logits at real pictures.

    Args:
        logits: of `real`, which had `requires_grad` set before the forward pass.
    Source:
        Mescheder et al. 2018, arXiv:1801.04406, §4.1; the caller multiplies by γ/2.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()
