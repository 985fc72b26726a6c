"""Which norm a translator of pytorch-CycleGAN-and-pix2pix has, as far as its weights tell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from vfxgan.errors import ModelError, UsageError
from vfxgan.export.foreign.architecture import COUNTER, Tensors
from vfxgan.export.foreign.hints import HintedNorm
from vfxgan.trainer.networks.norms import AnyNorm

STATISTICS = ("running_mean", "running_var")

# By what is there: weights of norms, running statistics, biases of the convolutions before norms. First what it is
# (None: cannot be told), then what it can be if the user says so. The reference code gives its convolutions a bias with
# instance norm only, and its instance norm has no weights; batch norm cannot be without statistics.
READINGS: dict[tuple[bool, bool, bool], tuple[HintedNorm | None, tuple[HintedNorm, ...]]] = {
    (True, True, False): ("batch", ("batch", "instance")),
    (True, True, True): (None, ("batch", "instance")),
    (True, False, False): ("instance", ("instance",)),
    (True, False, True): ("instance", ("instance",)),
    (False, True, True): ("instance", ("batch", "instance")),
    (False, True, False): (None, ("batch", "instance")),
    (False, False, True): ("instance", ("instance", "none")),
    (False, False, False): (None, ("instance", "none")),
}


@dataclass(frozen=True)
class FoundNorm:
    """The norm and whether the convolutions before it have a bias; the weights it needs, and no others of norms."""

    norm: AnyNorm
    bias: bool
    weights: Tensors
    notes: tuple[str, ...]


def find_norm(
    tensors: Tensors, norms: Sequence[str], convolutions: Sequence[str], stated: HintedNorm | None
) -> FoundNorm:
    """Read the norm off the names.

    Args:
        norms: names of the norm layers. convolutions: of those whose bias depends on the norm.
    Raises:
        UsageError: the weights fit two norms, or not the one that was stated.
        ModelError: some layers have what others lack.
    """
    affine = _all_or_none(tensors, norms, "weight")
    counted = _all_or_none(tensors, norms, "running_mean")
    biased = _all_or_none(tensors, convolutions, "bias")
    likely, possible = READINGS[affine, counted, biased]
    held = _in_words(affine, counted, biased)
    if stated is None and likely is None:
        raise UsageError(f"it has {held}, which fits two kinds of norm: give --norm {' or --norm '.join(possible)}")
    if stated is not None and stated not in possible:
        raise UsageError(f"--norm {stated} does not fit: it has {held}; possible: --norm {', '.join(possible)}")
    norm = stated or likely
    weights = dict(tensors)
    notes: tuple[str, ...] = ()
    if norm == "batch":
        weights |= _plain_affine(tensors, norms) if not affine else {}
        return FoundNorm("batch", biased, weights, _batch_note())
    if counted:
        weights = _without_statistics(weights, norms)
        notes = (
            f"running statistics of {len(norms)} instance norms are left out, as the reference code does: each picture "
            "is normalised by its own",
        )
    if norm == "none":
        return FoundNorm("none", biased, weights, notes)
    return FoundNorm("instance-affine" if affine else "instance", biased, weights, notes)


def _batch_note() -> tuple[str, ...]:
    return (
        "runs as after eval(): the reference test.py uses the statistics of its batch and live dropout unless it gets "
        "--eval, so its pictures differ",
    )


def _in_words(affine: bool, counted: bool, biased: bool) -> str:
    parts = (("norm weights", affine), ("running statistics", counted), ("biases before the norms", biased))
    return ", ".join(f"{'' if there else 'no '}{what}" for what, there in parts)


def _all_or_none(tensors: Tensors, layers: Sequence[str], part: str) -> bool:
    having = [layer for layer in layers if f"{layer}.{part}" in tensors]
    if having and len(having) < len(layers):
        lacking = next(layer for layer in layers if layer not in having)
        raise ModelError(f"{having[0]}.{part} is there, but {lacking}.{part} is missing")
    return bool(having)


def _plain_affine(tensors: Tensors, norms: Iterable[str]) -> Tensors:
    """Weights 1 and offsets 0, for batch norms that were made without."""
    means = {norm: tensors[f"{norm}.running_mean"] for norm in norms}
    return {f"{norm}.weight": torch.ones_like(mean) for norm, mean in means.items()} | {
        f"{norm}.bias": torch.zeros_like(mean) for norm, mean in means.items()
    }


def _without_statistics(tensors: Tensors, norms: Iterable[str]) -> Tensors:
    dropped = {f"{norm}.{part}" for norm in norms for part in (*STATISTICS, COUNTER)}
    return {name: tensor for name, tensor in tensors.items() if name not in dropped}
