"""The gate: PyTorch against the file, on fixed seeds. Comparing is separate from running."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vfxgan.errors import MissingExtraError, ParityError
from vfxgan.latents import latent
from vfxgan.spec import LatentInput, ModelSpec, Parity

SEEDS = tuple(range(16))
TOLERANCE = 2e-5  # of the value range: float32 sums in another order

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Comparison:
    """Differences over all frames, in the network's own range.

    Attributes:
        worst_seed: of the frame with the largest difference.
        psnr_db: against the width of the value range; infinite is reported as 999.
    """

    max_abs_error: float
    psnr_db: float
    worst_seed: int


def check_parity(network: nn.Module, onnx_bytes: bytes, spec: ModelSpec, tolerance: float = TOLERANCE) -> Parity:
    """Run both on fixed seeds and compare.

    Args:
        network: the averaged generator as trained, NOT folded: folding is part of what is tested.
        tolerance: the largest difference allowed, as a share of the value range.
    Raises:
        ParityError: a difference above the tolerance, or NaN or Inf on either side.
        MissingExtraError: ONNX Runtime is not installed.
    """
    assert isinstance(spec.input, LatentInput)
    latents = [latent(seed, spec.input) for seed in SEEDS]
    runtime, theirs = run_onnxruntime(onnx_bytes, latents)
    found = compare(run_torch(network, latents), theirs, spec)
    width = spec.value_range[1] - spec.value_range[0]
    if not found.max_abs_error <= tolerance * width:
        raise ParityError(
            f"{spec.name}: the file differs from the network by {found.max_abs_error:.3g} "
            f"(PSNR {found.psnr_db:.1f} dB) at seed {found.worst_seed}; allowed is {tolerance * width:.3g}, "
            "or more with --tolerance"
        )
    return Parity(runtime=runtime, seeds=len(SEEDS), max_abs_error=found.max_abs_error, psnr_db=round(found.psnr_db, 2))


@torch.no_grad()
def run_torch(network: nn.Module, latents: list[Array]) -> list[Array]:
    """[1, C, H, W] float32 for each latent, on the CPU in eval mode."""
    network.eval()
    return [network(torch.from_numpy(z)).numpy() for z in latents]


def run_onnxruntime(onnx_bytes: bytes, latents: list[Array]) -> tuple[str, list[Array]]:
    """The runtime's name and version, and [1, C, H, W] float32 for each latent."""
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError("onnxruntime", "cpu", "the parity gate of export") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(onnx_bytes, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return f"onnxruntime {onnxruntime.__version__} cpu", [session.run(None, {name: z})[0] for z in latents]


def compare(ours: list[Array], theirs: list[Array], spec: ModelSpec) -> Comparison:
    """The largest and the mean square difference. Raises ParityError where either holds NaN or Inf."""
    worst, worst_seed, square = 0.0, SEEDS[0], 0.0
    for seed, a, b in zip(SEEDS, ours, theirs, strict=True):
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            side = "network" if not np.isfinite(a).all() else "file"
            raise ParityError(f"{spec.name}: the {side} gives NaN or Inf at seed {seed}; train it again or export FP32")
        difference = np.abs(a.astype(np.float64) - b)
        square += float(np.mean(difference**2))
        if difference.max() > worst:
            worst, worst_seed = float(difference.max()), seed
    width = spec.value_range[1] - spec.value_range[0]
    mean_square = square / len(SEEDS)
    psnr = 10 * np.log10(width**2 / mean_square) if mean_square > 0 else 999.0
    return Comparison(worst, float(psnr), worst_seed)
