"""What the parity gate and the range audit run a network on: seeds, made pictures, real plates, worst cases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vfxgan.colour import encode, encoded_peak
from vfxgan.errors import ImageError, UsageError
from vfxgan.images import read_picture
from vfxgan.latents import latent
from vfxgan.spec import ImageInput, LatentInput, ModelSpec

SEEDS = tuple(range(16))
SIDES_PX = (24, 40, 64)  # of made pictures, at least; rounded up to what the network takes
PLATE_PX = 256  # largest side of the windows that are cut from a plate
MAX_PLATES = 64
WAVES = 8
LARGEST_LIGHT = 65504.0  # of a half EXR

Array = NDArray[np.float32]
Kind = Literal["seeds", "pictures", "plates"]
Size = tuple[int, int]  # H, W


@dataclass(frozen=True)
class GateInput:
    """One input, in the network's own range.

    Attributes:
        label: for messages: "seed 3", "picture 3 (24×40)", "Desk.exr, brightest".
        array: [1, z] or [1, C, H, W] float32.
    """

    label: str
    array: Array


def kind_of_inputs(spec: ModelSpec, plates: Sequence[Path]) -> Kind:
    """What `gate_inputs` will give."""
    if isinstance(spec.input, LatentInput):
        return "seeds"
    return "plates" if plates else "pictures"


def gate_inputs(spec: ModelSpec, plates: Sequence[Path] = (), size: Size | None = None) -> list[GateInput]:
    """Fixed inputs: the latents of 16 seeds; for image models windows of the given plates, else 16 made pictures.

    Args:
        size: for a graph of one size: every input has it.
    Raises:
        UsageError: plates for a generator, or more than 64. ImageError: a plate cannot be read.
    """
    if isinstance(spec.input, LatentInput):
        if plates:
            raise UsageError(f"--plates: {spec.name} makes pictures of seeds; plates are for translators and upscalers")
        return [GateInput(f"seed {seed}", latent(seed, spec.input)) for seed in SEEDS]
    if not plates:
        return [_picture(seed, spec, spec.input, size) for seed in SEEDS]
    if len(plates) > MAX_PLATES:
        raise UsageError(
            f"--plates: {len(plates)} files; give at most {MAX_PLATES} that show what the network will meet"
        )
    return [window for path in plates for window in _windows(path, spec, spec.input, size)]


def worst_cases(spec: ModelSpec, size: Size | None = None) -> list[GateInput]:
    """Inputs at the ends of the range: flat, striped, checked, random signs, an impulse.

    A network that takes the signal beyond its range whole is also given the largest light that a half EXR holds.
    """
    if isinstance(spec.input, LatentInput):
        patterns = _sign_patterns((spec.input.size,))
        reach = spec.input.interval * (1 if spec.input.distribution == "uniform" else 4)
        return [GateInput(f"latent {name}", np.asarray(reach * signs, np.float32)[None]) for name, signs in patterns]
    height, width = size or _sides(spec.input.size_multiple, 2)
    low, high = spec.value_range
    cases = [
        GateInput(name, np.asarray((low + high) / 2 + (high - low) / 2 * signs, np.float32)[None])
        for name, signs in _sign_patterns((spec.input.channels, height, width))
    ]
    if spec.encoding.extended:
        brightest = low + (high - low) * float(_signal(np.full(3, LARGEST_LIGHT, np.float32), spec)[0])
        cases += [
            GateInput(
                f"{case.label}, as bright as half holds", np.where(case.array > low, brightest, low).astype(np.float32)
            )
            for case in cases
        ]
    return cases


def _sign_patterns(shape: tuple[int, ...]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    yield "all at the low end", -np.ones(shape)
    yield "all at the high end", np.ones(shape)
    index = np.indices(shape[-2:] if len(shape) == 3 else shape)
    yield "checked", np.broadcast_to(np.where(index.sum(0) % 2 == 0, 1.0, -1.0), shape)
    yield "striped", np.broadcast_to(np.where(index[-1] // 4 % 2 == 0, 1.0, -1.0), shape)
    for seed in range(4):
        yield f"of random signs {seed}", np.where(np.random.RandomState(seed).uniform(size=shape) < 0.5, -1.0, 1.0)
    impulse = -np.ones(shape)
    impulse[(..., *(side // 2 for side in index.shape[1:]))] = 1
    yield "one impulse", impulse


def _sides(multiple: int, place: int) -> Size:
    """H and W: different, and other ones at the next place."""
    height, width = (-(-SIDES_PX[(place + step) % len(SIDES_PX)] // multiple) * multiple for step in (0, 1))
    return height, width


def _picture(seed: int, spec: ModelSpec, image: ImageInput, size: Size | None) -> GateInput:
    """A few waves, their sum cut at the ends of the range, with a little grain."""
    height, width = size or _sides(image.size_multiple, seed)
    stream = np.random.RandomState(seed)
    y, x = np.arange(height)[:, None] / height, np.arange(width)[None] / width
    waves = np.zeros((image.channels, height, width))
    for channel in waves:
        for down, across, phase in stream.uniform(-1, 1, (WAVES, 3)):
            channel += np.cos(2 * np.pi * (6 * down * y + 6 * across * x + phase)) / WAVES
    low, high = spec.value_range
    unit = np.clip(0.5 + waves + stream.normal(0, 0.02, waves.shape), 0, 1)
    return GateInput(f"picture {seed} ({height}×{width})", np.asarray(low + (high - low) * unit, np.float32)[None])


def _windows(path: Path, spec: ModelSpec, image: ImageInput, size: Size | None) -> Iterator[GateInput]:
    """The middle of a plate and the window around its brightest pixel, as the network gets them."""
    picture = read_picture(path)
    pixels = picture.pixels.astype(np.float32)
    if picture.pixels.dtype.kind == "u":
        raise ImageError(f"--plates {path}: holds integers; give scene-linear EXR, as a render would meet")
    finite = np.nan_to_num(pixels, nan=0.0, posinf=LARGEST_LIGHT, neginf=-LARGEST_LIGHT)
    channels = _chosen(finite, picture.channels, image.channels, path)
    sides = (min(side, PLATE_PX) for side in channels.shape[:2])
    height, width = size or (-(-side // image.size_multiple) * image.size_multiple for side in sides)
    bright = np.unravel_index(int(channels.max(axis=2).argmax()), channels.shape[:2])
    middle = (channels.shape[0] // 2, channels.shape[1] // 2)
    for name, (row, column) in (("middle", middle), ("brightest", (int(bright[0]), int(bright[1])))):
        window = channels[_around(row, height, channels.shape[0])][:, _around(column, width, channels.shape[1])]
        signal = _signal(window, spec)
        signal = signal if spec.encoding.extended else np.clip(signal, 0, 1)
        low, high = spec.value_range
        array = np.ascontiguousarray((low + (high - low) * signal).transpose(2, 0, 1)[None], np.float32)
        yield GateInput(f"{path.name}, {name}", array)


def _chosen(pixels: Array, names: tuple[str, ...], count: int, path: Path) -> Array:
    if count in (3, 4) and all(name in names for name in "RGBA"[:count]):
        return pixels[..., [names.index(name) for name in "RGBA"[:count]]]
    if count == 1:
        return pixels[..., [names.index("A") if "A" in names else 0]]
    raise ImageError(f"--plates {path}: has channels {', '.join(names)}, the network takes {count}; give other plates")


def _around(place: int, length: int, limit: int) -> NDArray[np.intp]:
    """Indices of a window that holds `place`; beyond the picture its last pixel is repeated."""
    start = max(0, min(place - length // 2, limit - length))
    return np.minimum(np.arange(start, start + length), limit - 1)


def _signal(linear: Array, spec: ModelSpec) -> Array:
    """Scene-linear light [..., C] to 0…1 and beyond; a source of one channel too, as in training. Alpha is linear."""
    signal = np.array(linear, np.float32)
    signal[..., :3] = encode(signal[..., :3]) / np.float32(encoded_peak(spec.encoding.peak))
    return signal
