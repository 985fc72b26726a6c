"""What running people's ONNX shows: that it runs, how much it enlarges, which sizes it takes, what it gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from vfxgan.errors import ModelError, UsageError
from vfxgan.export.foreign.hints import Hints
from vfxgan.export.foreign.onnx_facts import Facts
from vfxgan.export.foreign.onnx_graph import IMAGE_AXES
from vfxgan.export.onnxruntime_cpu import open_model

TRIED_MULTIPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
TRIED_SIDE_PX = 24  # at least

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Measured:
    """What running the graph has shown."""

    channels_out: int
    scale: int = 1
    size_multiple: int = 1
    size: tuple[int, int] | None = None  # of a generator's pictures


def measure_generator(model: onnx.ModelProto, entries: int) -> Measured:
    """Run it on one latent. Raises ModelError: it does not run, or does not give one finite picture."""
    session = open_model(model)
    picture = _picture(session.run(np.random.RandomState(0).uniform(-1, 1, (1, entries)).astype(np.float32)))
    return Measured(picture.shape[1], size=(picture.shape[2], picture.shape[3]))


def measure_image(model: onnx.ModelProto, facts: Facts, hints: Hints, ends: tuple[float, float]) -> Measured:
    """Run it on small pictures, whose sides are odd multiples of 1, 2, 4 … until one works.

    Args:
        ends: of the range that the network takes.
    Raises:
        ModelError: it runs on none, or does not give one finite picture. UsageError: it enlarges by another scale.
    """
    session = open_model(model)
    failure = ""
    for height, width, multiple in _sizes(facts, hints):
        assert facts.channels is not None
        shape = (1, facts.channels, height, width)
        try:
            picture = _picture(session.run(np.random.RandomState(0).uniform(*ends, shape).astype(np.float32)))
        except ModelError as error:
            failure = str(error)
            continue
        scale = picture.shape[2] // height
        became = f"{height}x{width} becomes {picture.shape[2]}x{picture.shape[3]}"
        if scale < 1 or picture.shape[2:] != (scale * height, scale * width):
            failure = became
            continue
        if (hints.scale or 1) != scale:
            raise UsageError(f"--scale {hints.scale or 1} does not fit: {became}")
        return Measured(picture.shape[1], scale, multiple)
    raise ModelError(f"does not run on pictures of any size that was tried ({failure[:240]}); give --size-multiple")


def _sizes(facts: Facts, hints: Hints) -> Sequence[tuple[int, int, int]]:
    """Height, width, and what both are multiples of."""
    if facts.height and facts.width:
        return [(facts.height, facts.width, hints.size_multiple or 1)]
    tried = (hints.size_multiple,) if hints.size_multiple else TRIED_MULTIPLES
    times = {multiple: -(-TRIED_SIDE_PX // multiple) | 1 for multiple in tried}
    return [(multiple * times[multiple], multiple * (times[multiple] + 2), multiple) for multiple in tried]


def _picture(outputs: Sequence[NDArray[np.float32]]) -> Array:
    """Raises ModelError for anything but one finite [1, C, H, W]."""
    (picture,) = outputs
    if picture.ndim != IMAGE_AXES or picture.shape[0] != 1:
        raise ModelError(f"gives {list(picture.shape)}, not one picture [1, C, H, W]")
    if not np.isfinite(picture).all():
        raise ModelError("gives NaN or Inf on a plain input; its weights are damaged")
    return picture
