"""The network's output to scene-linear light, block by block."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vfxgan.colour import apply_toe, decode, decode_positive, encoded_peak
from vfxgan.errors import ImageError
from vfxgan.spec import ModelSpec

Array = NDArray[np.float32]

BLOCK_VALUES = 1 << 17  # float32; three such arrays fit a core's cache, and the calls cost little beside the work
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
        self.rows_per_block = max(1, BLOCK_VALUES // output.shape[3])
        block = (min(self.rows_per_block, output.shape[2]), output.shape[3])
        self._value, self._light, self._scratch = (np.empty(block, np.float32) for _ in range(3))

    @property
    def shape(self) -> tuple[int, int, int]:
        """H, W, C."""
        channels, height, width = self._planes.shape
        return height, width, channels

    def blocks(self) -> Iterator[slice]:
        """The rows of each block, from the top."""
        height = self.shape[0]
        for top in range(0, height, self.rows_per_block):
            yield slice(top, min(top + self.rows_per_block, height))

    def plane(self, rows: slice, channel: int) -> Array:
        """Some rows of one channel: premultiplied linear Rec.709, or alpha 0 … 1.

        Returns:
            [h, W] float32. The caller may write into it; the next call overwrites it.
        """
        count = rows.stop - rows.start
        light, (value, scratch) = self._light[:count], self.spare(rows)
        source = self._planes[channel, rows]
        if channel == ALPHA:
            return self._toed(source, np.float32(1), light, scratch, clip=True)
        encoded = self._toed(source, self._peak, value, scratch, clip=self._clip)
        if self._clip:
            return decode_positive(encoded, light, scratch)
        np.copyto(light, decode(encoded))
        return light

    def spare(self, rows: slice) -> tuple[Array, Array]:
        """Two buffers of a block's shape that hold nothing between calls of `plane`."""
        count = rows.stop - rows.start
        return self._value[:count], self._scratch[:count]

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
