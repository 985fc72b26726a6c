"""A plate's way through an untouched network, in NumPy: what the files for DCCs are compared with.

Written from docs/decisions/0003-colour.md, apart from the code it is to judge.
"""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from vfxgan.colour import apply_toe, decode, encode, encoded_peak
from vfxgan.export.gate_inputs import GateInput, gate_inputs
from vfxgan.export.parity import Run, run_torch
from vfxgan.export.scene_linear import MIN_SIDE_PX, has_residual
from vfxgan.margin import margin_px
from vfxgan.spec import ImageInput, ModelSpec

Array = NDArray[np.float32]

PICTURES = 3  # one of each pair of sides
LARGEST_HALF = 65504.0


def light_inputs(spec: ModelSpec, size: tuple[int, int] | None = None) -> list[GateInput]:
    """Made pictures as scene-linear light, beyond the network's range on both sides; one with NaN and Inf in it.

    Args:
        size: H, W; None: several, not all of which the network takes without padding.
    """
    assert isinstance(spec.input, ImageInput)
    low, high = spec.value_range
    found = []
    for place, item in enumerate(gate_inputs(spec, (), size)[:PICTURES]):
        unit = (item.array - np.float32(low)) / np.float32(high - low)
        if size is None:
            unit = unit[:, :, : unit.shape[2] - place % 3, : unit.shape[3] - place % 2 * 3]
        light = unit.copy()
        light[:, :3] = decode((unit[:, :3] * np.float32(1.5) - np.float32(0.25)) * encoded_peak(spec.encoding.peak))
        if place == 0:
            light[0, 0, :2, :2] = [[np.nan, np.inf], [-np.inf, 1e9]]
        found.append(GateInput(f"{item.label.partition(' (')[0]} as light", np.ascontiguousarray(light, np.float32)))
    return found


def plate_reference(network: nn.Module, spec: ModelSpec) -> Run:
    """Scene-linear light [1, C, H, W] to scene-linear light [1, C', s·H, s·W]: batch norms and tanh in their place."""
    run, (low, high), peak = run_torch(network), spec.value_range, encoded_peak(spec.encoding.peak)

    def translated(light: Array) -> Array:
        light = np.clip(np.nan_to_num(light, nan=0.0, posinf=np.inf, neginf=-np.inf), -LARGEST_HALF, LARGEST_HALF)
        signal = light.copy()
        signal[:, :3] = encode(light[:, :3]) / np.float32(peak)
        inside = signal if spec.encoding.extended else np.clip(signal, 0, 1)
        inside[:, 3:] = np.clip(signal[:, 3:], 0, 1)
        unit = (_extended(run, spec)(inside * np.float32(high - low) + np.float32(low)) - low) / (high - low)
        colour = apply_toe((unit[:, :3] * peak).astype(np.float32), spec.encoding.toe)
        if has_residual(spec):
            colour += enlarged((signal - inside)[:, :3], spec.scale) * np.float32(peak)
        alpha = apply_toe(np.clip(unit[:, 3:], 0, 1).astype(np.float32), spec.encoding.toe)
        picture = np.concatenate([decode(colour), alpha], axis=1)
        return np.asarray(np.clip(picture, -LARGEST_HALF, LARGEST_HALF), np.float32)

    return translated


def as_signal(run: Run, spec: ModelSpec) -> Run:
    """The same run with its output in the network's range, where a difference means the same at every brightness."""
    low, high = spec.value_range

    def encoded(light: Array) -> Array:
        output = run(light).copy()
        output[:, :3] = encode(output[:, :3]) / np.float32(encoded_peak(spec.encoding.peak))
        return np.asarray(output * np.float32(high - low) + np.float32(low), np.float32)

    return encoded


def _extended(run: Run, spec: ModelSpec) -> Run:
    """The network on a picture that is extended by its edges, cropped again."""
    assert isinstance(spec.input, ImageInput)
    margin, multiple = margin_px(spec), spec.input.size_multiple

    def extended(x: Array) -> Array:
        sides = x.shape[2:]
        wanted = [-(-max(side + 2 * margin, MIN_SIDE_PX) // multiple) * multiple for side in sides]
        after = [(margin, total - side - margin) for side, total in zip(sides, wanted, strict=True)]
        output = run(np.ascontiguousarray(np.pad(x, ((0, 0), (0, 0), *after), mode="edge"), np.float32))
        start, s = margin * spec.scale, spec.scale
        return output[:, :, start : start + sides[0] * s, start : start + sides[1] * s]

    return extended


def enlarged(x: Array, scale: int) -> Array:
    """Bilinear, half-pixel centres, edges held: [N, C, H, W] to [N, C, s·H, s·W]."""
    for axis in (2, 3):
        length = x.shape[axis]
        place = np.clip((np.arange(length * scale) + 0.5) / scale - 0.5, 0, length - 1)
        left = np.minimum(place.astype(int), max(length - 2, 0))
        share = (place - left).astype(np.float32).reshape((-1, 1) if axis == 2 else (1, -1))
        right = np.minimum(left + 1, length - 1)
        x = x.take(left, axis) * (1 - share) + x.take(right, axis) * share
    return x
