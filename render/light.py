"""The network's output to scene-linear light, block by block."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vfxgan.colour import apply_toe, decode, decode_positive, encoded_peak
from vfxgan.errors import ImageError
from vfxgan.spec import ModelSpec

Array = NDArray[np.float32]
Block = tuple[slice, slice]  # rows, columns

BLOCK_PX = 256  # a side; three such planes of float32 fit a core's cache, and many are empty or without haze
ALPHA = 3
RANGE_NOISE = 1e-4  # how far rounding may carry a tanh past its end


class Light:
    """One output of a generator, read as light.

    Args:
        output: [1, C, H, W] float32 in the spec's `value_range`.
        spec: its model's.
    Raises:
        ImageError: NaN or infinity in the output.
    """

    def __init__(self, output: Array, spec: ModelSpec) -> None:
        low, high = spec.value_range
        smallest, largest = float(output.min()), float(output.max())
        if not np.isfinite(smallest + largest):
            raise ImageError("the network gave NaN or infinity; this seed or --z-interval is out of its reach")
        # Rounding noise is cut; a network that truly leaves its range keeps what it says.
        self._clip = smallest >= low - RANGE_NOISE and largest <= high + RANGE_NOISE
        self._scale, self._offset = np.float32(1 / (high - low)), np.float32(-low / (high - low))
        self._peak, self._toe = np.float32(encoded_peak(spec.encoding.peak)), spec.encoding.toe
        self._planes = output[0]
        block = (min(BLOCK_PX, output.shape[2]), min(BLOCK_PX, output.shape[3]))
        self._value, self._light, self._scratch = (np.empty(block[0] * block[1], np.float32) for _ in range(3))

    @property
    def shape(self) -> tuple[int, int, int]:
        """H, W, C."""
        channels, height, width = self._planes.shape
        return height, width, channels

    def blocks(self) -> Iterator[Block]:
        """The rows and columns of each block."""
        height, width, _ = self.shape
        for top in range(0, height, BLOCK_PX):
            for left in range(0, width, BLOCK_PX):
                yield slice(top, min(top + BLOCK_PX, height)), slice(left, min(left + BLOCK_PX, width))

    def plane(self, block: Block, channel: int) -> Array:
        """A block of one channel: premultiplied linear Rec.709, or alpha 0 … 1.

        Returns:
            [h, w] float32. The caller may write into it; the next call overwrites it.
        """
        light, (value, scratch) = _shaped(self._light, block), self.spare(block)
        source = self._planes[channel][block]
        if channel == ALPHA:
            return self._toed(source, np.float32(1), light, scratch, clip=True)
        encoded = self._toed(source, self._peak, value, scratch, clip=self._clip)
        if self._clip:
            return decode_positive(encoded, light, scratch)
        np.copyto(light, decode(encoded))
        return light

    def spare(self, block: Block) -> tuple[Array, Array]:
        """Two buffers of a block's shape that hold nothing between calls of `plane`."""
        return _shaped(self._value, block), _shaped(self._scratch, block)

    def _toed(self, source: Array, top: np.float32, value: Array, scratch: Array, *, clip: bool) -> Array:
        """The network's range to 0 … top, haze removed, in `value`."""
        np.multiply(source, self._scale * top, out=value)
        value += self._offset * top
        if clip:
            np.clip(value, 0, top, out=value)
        if self._toe > 0 and value.max() <= self._toe:
            value.fill(0)  # what the toe makes of it; most of an element's picture is empty
            return value
        if value.min() >= 2 * self._toe:
            return value  # as the toe leaves it
        return apply_toe(value, self._toe, scratch)


def _shaped(buffer: Array, block: Block) -> Array:
    rows, columns = block
    height, width = rows.stop - rows.start, columns.stop - columns.start
    return buffer[: height * width].reshape(height, width)
