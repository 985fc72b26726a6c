"""The gate: PyTorch in FP32 against an artefact, on fixed inputs. Comparing is separate from running."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vfxgan.errors import ParityError
from vfxgan.export.gate_inputs import GateInput, Kind
from vfxgan.images import Picture, write_picture
from vfxgan.spec import ModelSpec, Parity
from vfxgan.synthetic import COMPOSITE, label

Array = NDArray[np.float32]
Run = Callable[[Array], Array]  # [1, …] to [1, C, H, W], both float32 in the network's range

NOTHING_DIFFERS_DB = 999.0
MAX_REMEMBERED_BYTES = 256 << 20


@dataclass(frozen=True)
class Limits:
    """What a difference may be.

    Attributes:
        max_abs_error: as a share of the value range.
        psnr_db: the least allowed of any input, against the width of the value range; None: not looked at.
    """

    max_abs_error: float
    psnr_db: float | None = None


# FP32 sums come in another order; half keeps 11 bits of each.
LIMITS = {"fp32": Limits(2e-5), "fp16": Limits(1e-2, 55.0)}


@dataclass(frozen=True)
class Compared:
    """One input: how far the artefact is from the network, in the network's range."""

    label: str
    max_abs_error: float
    psnr_db: float
    ours: Array
    theirs: Array


def run_torch(network: nn.Module) -> Run:
    """The reference: the network on the CPU, in eval mode, FP32."""
    network.eval()

    def run(x: Array) -> Array:
        with torch.inference_mode():
            output: Array = network(torch.from_numpy(x)).numpy()
        return output

    return run


def each_slot(infer: Run, batch: int) -> Run:
    """An engine of a fixed batch, asked for one at a time: each input in another slot, others beside it."""
    before: list[Array] = []

    def run(x: Array) -> Array:
        slot = len(before) % batch
        others = before[-1] if before else np.ascontiguousarray(x[..., ::-1])
        stack = np.repeat(others, batch, axis=0)
        stack[slot] = x[0]
        before.append(x)
        return infer(stack)[slot : slot + 1]

    return run


class Remembered:
    """A reference whose answers are kept, since every artefact is compared with the same ones.

    Asked beforehand, it has also given back what it needed while it ran, before anything else takes memory.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._answers: dict[bytes, Array] = {}
        self._bytes = 0

    def __call__(self, x: Array) -> Array:
        """As the reference; answers are read-only. Beyond 256 MiB no more are kept."""
        key = hashlib.sha256(repr(x.shape).encode() + x.tobytes()).digest()
        if key in self._answers:
            return self._answers[key]
        answer = self._run(x)
        answer.flags.writeable = False
        if self._bytes + answer.nbytes <= MAX_REMEMBERED_BYTES:
            self._answers[key] = answer
            self._bytes += answer.nbytes
        return answer


def check_parity(
    reference: Run,
    artefact: Run,
    runtime: str,
    inputs: tuple[Kind, Iterable[GateInput]],
    spec: ModelSpec,
    limits: Limits,
    evidence: Path | None = None,
) -> Parity:
    """Run both on every input and compare.

    Args:
        reference: the network as trained, NOT folded: folding is part of what is tested.
        runtime: of the artefact, for the record and for messages.
        evidence: where the worst input's pictures go if the gate fails (PNG: reference, artefact, difference).
    Raises:
        ParityError: a difference above the limits, or NaN or Inf on either side.
    """
    kind, arrays = inputs
    width = spec.value_range[1] - spec.value_range[0]
    count, largest, least = 0, None, None
    for item in arrays:
        found = _compare(item, reference(item.array), artefact(item.array), spec, runtime, evidence)
        count += 1
        largest = found if largest is None or found.max_abs_error > largest.max_abs_error else largest
        least = found if least is None or found.psnr_db < least.psnr_db else least
    assert largest is not None
    assert least is not None
    too_far = not largest.max_abs_error <= limits.max_abs_error * width
    if too_far or (limits.psnr_db is not None and least.psnr_db < limits.psnr_db):
        worst = largest if too_far else least
        raise ParityError(_complaint(largest, least, limits, spec, runtime) + _shown(worst, spec, evidence))
    return Parity(
        runtime=runtime,
        seeds=count,
        inputs=kind,
        max_abs_error=largest.max_abs_error,
        psnr_db=round(least.psnr_db, 2),
        allowed_max_abs_error=limits.max_abs_error * width,
        allowed_psnr_db=limits.psnr_db,
    )


def _compare(
    item: GateInput, ours: Array, theirs: Array, spec: ModelSpec, runtime: str, evidence: Path | None
) -> Compared:
    if ours.shape != theirs.shape:
        raise ParityError(
            f"{spec.name}: {runtime} gives {list(theirs.shape)} at {item.label}, the network {list(ours.shape)}"
        )
    for side, output in (("network", ours), (f"file, run by {runtime},", theirs)):
        if not np.isfinite(output).all():
            remedy = "train it again" if side == "network" else "export FP32, or report this"
            worst = Compared(item.label, np.inf, 0.0, _finite(ours), _finite(theirs))
            raise ParityError(
                f"{spec.name}: the {side} gives NaN or Inf at {item.label}; {remedy}{_shown(worst, spec, evidence)}"
            )
    difference = np.abs(ours.astype(np.float64) - theirs)
    width = spec.value_range[1] - spec.value_range[0]
    mean_square = float(np.mean(difference**2))
    psnr = 10 * float(np.log10(width**2 / mean_square)) if mean_square > 0 else NOTHING_DIFFERS_DB
    return Compared(item.label, float(difference.max()), min(psnr, NOTHING_DIFFERS_DB), ours, theirs)


def _finite(output: Array) -> Array:
    """For a picture: NaN and Inf as 0."""
    found: Array = np.nan_to_num(output, nan=0, posinf=0, neginf=0)
    return found


def _complaint(largest: Compared, least: Compared, limits: Limits, spec: ModelSpec, runtime: str) -> str:
    width = spec.value_range[1] - spec.value_range[0]
    psnr = "" if limits.psnr_db is None else f" and {limits.psnr_db:g} dB"
    return (
        f"{spec.name}: the file, run by {runtime}, differs from the network by {largest.max_abs_error:.3g} at "
        f"{largest.label} (PSNR {least.psnr_db:.1f} dB at {least.label}); allowed is "
        f"{limits.max_abs_error * width:.3g}{psnr}, or looser with --tolerance and --min-psnr"
    )


def _shown(worst: Compared, spec: ModelSpec, evidence: Path | None) -> str:
    """Write the worst input's pictures; where they are, for the message."""
    if evidence is None:
        return ""
    pixels = side_by_side(worst.ours, worst.theirs, spec)
    write_picture(evidence, Picture(pixels, ("R", "G", "B"), label(COMPOSITE, evidence.suffix)))
    return f"; see {evidence} (network, file, difference at full scale)"


def side_by_side(ours: Array, theirs: Array, spec: ModelSpec) -> NDArray[np.uint8]:
    """Two outputs [1, C, H, W] and their difference, stretched so that the largest is white: [H, 3·W, 3] for a PNG."""
    low, high = spec.value_range
    difference = np.abs(ours - theirs)
    panels = [
        (ours - low) / (high - low),
        (theirs - low) / (high - low),
        difference / max(float(difference.max()), 1e-12),
    ]
    rgb = [np.clip(panel[0, :3], 0, 1).transpose(1, 2, 0) for panel in panels]
    rgb = [np.repeat(panel[..., :1], 3, axis=2) if panel.shape[2] < 3 else panel for panel in rgb]
    picture: NDArray[np.uint8] = np.rint(np.concatenate(rgb, axis=1) * 255).astype(np.uint8)
    return picture
