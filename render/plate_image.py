"""One picture of a plate, as its file stores it."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from vfxgan.images import Window


@dataclass(frozen=True)
class PlateImage:
    """What goes through the network at once: one view of one layer.

    Attributes:
        pixels: [H, W, C] in the file's own type (float16, float32, uint8, uint16), finite; C is 1 (grey), 2 (grey,
            alpha), 3 (RGB) or 4 (RGB, alpha). Not to be written to.
        data: x, y, width, height of those pixels.
        display: x, y, width, height of the picture that they belong in.
        unassociated: colour is not multiplied by alpha (PNG).
        label: for messages: the view or layer, "" for the only one.
    """

    pixels: NDArray[Any]
    data: Window
    display: Window
    unassociated: bool = False
    label: str = ""
