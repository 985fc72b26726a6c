"""A pair of frames, channel by channel over one window, or why they cannot be compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ImageError
from vfxgan.images import MAX_IMAGE_MIB, OpenImage, Part, Window
from vfxgan.render.frame_light import MAIN_PICTURE, in_window
from vfxgan.render.pairs import Pair
from vfxgan.render.plate_layers import choose_pictures

Array = NDArray[np.float32]

TYPES = ("half", "float", "uint8", "uint16", "uint")
BAND_ROWS = 128
ALL_CHANNELS = "all"
NAMED_CHANNELS = 6


@dataclass(frozen=True)
class Side:
    """One of the two: [h, w, C] as stored, and the window that they fill."""

    pixels: NDArray[Any]
    data: Window

    def rows(self, window: Window) -> Array:
        """[H, W, C] float32 of a window: integers as 0 … 1, 0 where there are no pixels."""
        first = max(0, window[1] - self.data[1])
        pixels = self.pixels[first : max(first, window[1] + window[3] - self.data[1])]
        data = (self.data[0], self.data[1] + first, self.data[2], len(pixels))
        return _values(pixels) if data == window else in_window(_values(pixels), data, window)


@dataclass(frozen=True)
class Both:
    """The pixels of a pair over one window.

    Attributes:
        channels: their names.
        window: x, y, width, height: all that either of them has pixels of.
        display: of both.
        scene_linear: floats are, integers are sRGB.
        notes: what is to be said of the whole comparison.
    """

    a: Side
    b: Side
    channels: tuple[str, ...]
    window: Window
    display: Window
    scene_linear: bool
    notes: tuple[str, ...]

    def rows(self, top: int, count: int) -> tuple[Array, Array]:
        """A and B, [count, W, C] float32, from a row of the window on; no float32 copy of a whole frame is made."""
        x, y, width, _ = self.window
        window = (x, y + top, width, count)
        return self.a.rows(window), self.b.rows(window)

    def bands(self) -> Iterator[tuple[int, Array, Array]]:
        """All rows, some at a time: the first one's number, and `rows`."""
        height = self.window[3]
        for top in range(0, height, BAND_ROWS):
            yield top, *self.rows(top, min(BAND_ROWS, height - top))


def read_both(pair: Pair, channels: str | None) -> Both:
    """Read a pair and bring both sides over one window.

    Raises:
        ImageError: one of them cannot be read, or they cannot be compared, and why.
    """
    with OpenImage(pair.a) as image_a, OpenImage(pair.b) as image_b:
        part_a, names_a = _chosen(image_a, channels)
        part_b, names_b = _chosen(image_b, channels)
        scene_linear = _check_kinds(pair, image_a, part_a, names_a, image_b, part_b, names_b)
        names = tuple(name for name in names_a if name in names_b)
        if not names:
            raise ImageError(f"{pair.b}: has {_few(names_b)}, and {pair.a} has {_few(names_a)}: no channel in common")
        window = _union(part_a.data, part_b.data)
        if window[2] * window[3] * len(names) * 4 > MAX_IMAGE_MIB << 20:
            raise ImageError(f"{pair.b}: with {pair.a} it spans {window[2]}×{window[3]}, too large to compare")
        side_a, side_b = (
            Side(image.read(part, [part.channels.index(name) for name in names]), part.data)
            for image, part in ((image_a, part_a), (image_b, part_b))
        )
    return Both(
        side_a,
        side_b,
        names,
        window,
        part_a.display,
        scene_linear,
        tuple(_notes(names_a, names_b, part_a, part_b)),
    )


def _chosen(image: OpenImage, channels: str | None) -> tuple[Part, tuple[str, ...]]:
    """The part to compare, and its channels' names."""
    if channels is None or channels == ALL_CHANNELS:
        picture = choose_pictures(image.parts, image.path, MAIN_PICTURE)[0]
        part = picture.part
        return part, part.channels if channels else tuple(part.channels[at] for at in picture.channels)
    wanted = tuple(name.strip() for name in channels.split(","))
    for part in image.parts:
        if not part.deep and set(wanted) <= set(part.channels):
            return part, wanted
    raise ImageError(f"{image.path}: has no {channels}; it has {_few(image.parts[0].channels)}")


def _check_kinds(
    pair: Pair,
    image_a: OpenImage,
    part_a: Part,
    names_a: Sequence[str],
    image_b: OpenImage,
    part_b: Part,
    names_b: Sequence[str],
) -> bool:
    """Whether both are scene-linear.

    Raises:
        ImageError: their types, sizes or colour spaces do not go together.
    """
    kinds = []
    for image, part, names in ((image_a, part_a, names_a), (image_b, part_b, names_b)):
        kind = part.widest([part.channels.index(name) for name in names])
        if kind not in TYPES:
            raise ImageError(f"{image.path}: stores {kind} values; half, float and integers can be compared")
        kinds.append(kind in ("half", "float", "uint"))
    if kinds[0] != kinds[1]:
        raise ImageError(f"{pair.b}: one is scene-linear, the other sRGB ({pair.a}); render both to one format")
    if part_a.display != part_b.display:
        sizes = [
            f"{part.display[2]}×{part.display[3]} at {part.display[0]}, {part.display[1]}" for part in (part_a, part_b)
        ]
        raise ImageError(
            f"{pair.b}: is {sizes[1]}, and {pair.a} is {sizes[0]}; only frames of one size can be compared"
        )
    spaces = [
        part.attributes.get("colorInteropID") or part.attributes.get("vfxgan:colorspace") for part in (part_a, part_b)
    ]
    if all(spaces) and spaces[0] != spaces[1]:
        raise ImageError(f"{pair.b}: is in {spaces[1]}, and {pair.a} in {spaces[0]}; render both with one --colorspace")
    return kinds[0]


def _space_of(part: Part) -> Any:
    """By name; what names none may be any."""
    return part.attributes.get("colorInteropID") or part.attributes.get("vfxgan:colorspace")


def _values(pixels: NDArray[Any]) -> Array:
    """float32; 8 and 16 bit as 0 … 1, so that they can be compared with each other; ids as they are."""
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels.astype(np.float32) * np.float32(1 / np.iinfo(pixels.dtype).max)
    return pixels.astype(np.float32)


def _union(a: Window, b: Window) -> Window:
    left, top = min(a[0], b[0]), min(a[1], b[1])
    right, bottom = max(a[0] + a[2], b[0] + b[2]), max(a[1] + a[3], b[1] + b[3])
    return left, top, right - left, bottom - top


def _notes(names_a: Sequence[str], names_b: Sequence[str], part_a: Part, part_b: Part) -> Iterator[str]:
    for side, mine, theirs in (("A", names_a, names_b), ("B", names_b, names_a)):
        alone = [name for name in mine if name not in theirs]
        if alone:
            yield f"only {side} has {_few(alone)}, which is not compared"
    if part_a.data != part_b.data:
        yield "data windows differ; where only one has pixels, the other counts as 0"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED_CHANNELS]) + (", …" if len(names) > NAMED_CHANNELS else "")
