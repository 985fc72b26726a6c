"""A degradation like that of real footage: blur, resizing, noise, JPEG, each at random."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from vfxgan.trainer.data.jpeg import jpeg_round_trip

Array = NDArray[np.float32]

# Wang et al. 2021, §4.1 (first of the two stages there), for ×4; lengths in pixels shrink with the scale.
BLUR_SIGMA = (0.2, 3.0)
RESIZE_CHANCES = (0.2, 0.7, 0.1)  # larger, smaller, as it is
RESIZE_FACTORS = (0.15, 1.5)
NOISE_SIGMA = (1 / 255, 15 / 255)  # half of theirs, and so the next: there, a second stage still reduces the noise
POISSON_SCALE = (0.05, 1.5)
GREY_NOISE_CHANCE = 0.4
JPEG_QUALITY = (30, 95)
PAPER_SCALE = 4


def degrade_real(high: Array, scale: int, inset: int, rng: np.random.Generator) -> Array:
    """Blur, resize by way of another size, add noise, compress.

    Args:
        high: [3, H, W] in 0…1 of the encoded signal; H and W multiples of the scale.
        inset: pixels of the result that are cut off at each side before noise and JPEG; they gave the blur its context.
    Returns:
        [3, H/s − 2·inset, W/s − 2·inset] in 0…1.
    Source:
        Wang et al. 2021 (Real-ESRGAN), arXiv:2107.10833, §3.1–3.2: the classical model, once (not "high-order").
    """
    size = (high.shape[1] // scale, high.shape[2] // scale)
    low = _resized_by_way(blurred(high, _covariance(scale, rng)), size, scale, rng)
    low = low[:, inset : size[0] - inset, inset : size[1] - inset]
    return jpeg_round_trip(_noisy(low, rng), int(rng.integers(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1)))


def _covariance(scale: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """[2, 2] of a Gaussian, round or stretched in any direction, in px²."""
    sigmas = rng.uniform(*BLUR_SIGMA, 2) * scale / PAPER_SCALE
    angle, is_round = rng.uniform(0, np.pi), rng.random() < 0.5
    if is_round:
        sigmas[1] = sigmas[0]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(turn @ np.diag(sigmas**2) @ turn.T)


def blurred(picture: Array, covariance: NDArray[np.float64]) -> Array:
    """Convolve [C, H, W] with a Gaussian, through its Fourier transform, which costs the same for every direction."""
    reach = int(np.ceil(3 * np.sqrt(np.trace(covariance))))
    padded = np.pad(picture, ((0, 0), (reach, reach), (reach, reach)), mode="symmetric")
    height, width = padded.shape[1:]
    v, u = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    exponent = covariance[0, 0] * v * v + 2 * covariance[0, 1] * v * u + covariance[1, 1] * u * u
    transfer = np.exp(-2 * np.pi**2 * exponent).astype(np.float32)
    whole = np.fft.irfft2(np.fft.rfft2(padded) * transfer, (height, width))
    inside = whole[:, reach : height - reach, reach : width - reach]
    return np.clip(inside, 0, 1).astype(np.float32)


def _resized_by_way(picture: Array, size: tuple[int, int], scale: int, rng: np.random.Generator) -> Array:
    chance, position = rng.random(), rng.random()
    factor = 1.0
    if chance < RESIZE_CHANCES[0]:
        factor = 1 + position * (RESIZE_FACTORS[1] - 1)
    elif chance < RESIZE_CHANCES[0] + RESIZE_CHANCES[1]:
        smallest = RESIZE_FACTORS[0] * PAPER_SCALE / scale
        factor = smallest + position * (1 - smallest)
    way = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[2] * factor)))
    return _resized(_resized(picture, way, rng), size, rng)


def _resized(picture: Array, size: tuple[int, int], rng: np.random.Generator) -> Array:
    """By the area, bilinear or bicubic; the last two without antialiasing, as many programs do it."""
    mode = ("area", "bilinear", "bicubic")[int(rng.integers(3))]
    batch = torch.from_numpy(np.ascontiguousarray(picture))[None]
    result: Array = F.interpolate(batch, size, mode=mode)[0].clamp_(0, 1).numpy()
    return result


def _noisy(picture: Array, rng: np.random.Generator) -> Array:
    """Gaussian or Poisson noise, in colour or grey."""
    is_gaussian, is_grey, position = rng.random() < 0.5, rng.random() < GREY_NOISE_CHANCE, rng.random()
    shape = (1, *picture.shape[1:]) if is_grey else picture.shape
    if is_gaussian:
        noise = rng.standard_normal(shape, np.float32) * np.float32(_between(NOISE_SIGMA, position))
    else:
        base = picture.mean(axis=0, keepdims=True) if is_grey else picture
        counts = rng.poisson(base * 256).astype(np.float32)
        noise = (counts / 256 - base) * np.float32(_between(POISSON_SCALE, position))
    return np.clip(picture + noise, 0, 1).astype(np.float32)


def _between(bounds: tuple[float, float], position: float) -> float:
    return bounds[0] + position * (bounds[1] - bounds[0])
