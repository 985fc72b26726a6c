"""The gate: PyTorch against the file, on fixed inputs. Comparing is separate from running."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vfxgan.errors import MissingExtraError, ParityError
from vfxgan.latents import latent
from vfxgan.spec import ImageInput, LatentInput, ModelSpec, Parity

SEEDS = tuple(range(16))
SIDES_PX = (24, 40, 64)  # of the pictures that image models are tried on, at least; rounded up to what they take
WAVES = 8
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
    """Run both on the latents, or for image models on smooth pictures of several sizes, of fixed seeds, and compare.

    Args:
        network: the averaged generator as trained, NOT folded: folding is part of what is tested.
        tolerance: the largest difference allowed, as a share of the value range.
    Raises:
        ParityError: a difference above the tolerance, or NaN or Inf on either side.
        MissingExtraError: ONNX Runtime is not installed.
    """
    inputs = [fixed_input(seed, spec) for seed in SEEDS]
    runtime, theirs = run_onnxruntime(onnx_bytes, inputs)
    found = compare(run_torch(network, inputs), theirs, spec)
    width = spec.value_range[1] - spec.value_range[0]
    if not found.max_abs_error <= tolerance * width:
        raise ParityError(
            f"{spec.name}: the file differs from the network by {found.max_abs_error:.3g} "
            f"(PSNR {found.psnr_db:.1f} dB) at seed {found.worst_seed}; allowed is {tolerance * width:.3g}, "
            "or more with --tolerance"
        )
    return Parity(runtime=runtime, seeds=len(SEEDS), max_abs_error=found.max_abs_error, psnr_db=round(found.psnr_db, 2))


def fixed_input(seed: int, spec: ModelSpec) -> Array:
    """The latent of a seed, or a picture of a few waves with a little grain, in the network's own range."""
    if isinstance(spec.input, LatentInput):
        return latent(seed, spec.input)
    return _picture(seed, spec.input, spec.value_range)


def _picture(seed: int, image: ImageInput, value_range: tuple[float, float]) -> Array:
    """[1, channels, H, W] float32; H and W differ, and change with the seed."""
    height, width = (
        -(-SIDES_PX[place % len(SIDES_PX)] // image.size_multiple) * image.size_multiple for place in (seed, seed + 1)
    )
    stream = np.random.RandomState(seed)
    y, x = np.arange(height)[:, None] / height, np.arange(width)[None] / width
    waves = np.zeros((image.channels, height, width))
    for channel in waves:
        for down, across, phase in stream.uniform(-1, 1, (WAVES, 3)):
            channel += np.cos(2 * np.pi * (6 * down * y + 6 * across * x + phase)) / WAVES
    low, high = value_range
    unit = np.clip(0.5 + waves + stream.normal(0, 0.02, waves.shape), 0, 1)
    return np.asarray(low + (high - low) * unit, np.float32)[None]


@torch.no_grad()
def run_torch(network: nn.Module, inputs: list[Array]) -> list[Array]:
    """[1, C, H, W] float32 for each input, on the CPU in eval mode."""
    network.eval()
    return [network(torch.from_numpy(array)).numpy() for array in inputs]


def run_onnxruntime(onnx_bytes: bytes, inputs: list[Array]) -> tuple[str, list[Array]]:
    """The runtime's name and version, and [1, C, H, W] float32 for each input."""
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError("onnxruntime", "cpu", "the parity gate of export") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(onnx_bytes, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return f"onnxruntime {onnxruntime.__version__} cpu", [session.run(None, {name: array})[0] for array in inputs]


def compare(ours: list[Array], theirs: list[Array], spec: ModelSpec) -> Comparison:
    """The largest and the mean square difference. Raises ParityError where either holds NaN or Inf."""
    worst, worst_seed, square = 0.0, SEEDS[0], 0.0
    for seed, a, b in zip(SEEDS, ours, theirs, strict=True):
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            side = "network" if not np.isfinite(a).all() else "file"
            raise ParityError(f"{spec.name}: the {side} gives NaN or Inf at seed {seed}; train it again or export FP32")
        if a.shape != b.shape:
            raise ParityError(f"{spec.name}: the file gives {b.shape} at seed {seed}, the network {a.shape}")
        difference = np.abs(a.astype(np.float64) - b)
        square += float(np.mean(difference**2))
        if difference.max() > worst:
            worst, worst_seed = float(difference.max()), seed
    width = spec.value_range[1] - spec.value_range[0]
    mean_square = square / len(SEEDS)
    psnr = 10 * np.log10(width**2 / mean_square) if mean_square > 0 else 999.0
    return Comparison(worst, float(psnr), worst_seed)
