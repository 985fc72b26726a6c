"""A decoded image, and what every reader and writer of images agrees on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import OpenImageIO as oiio
from numpy.typing import NDArray

Pixels = NDArray[Any]  # [H, W, C], float16, float32, uint8, uint16 or uint32
Window = tuple[int, int, int, int]  # x, y, width, height

FORMAT_OF_EXTENSION = {".exr": "openexr", ".png": "png"}  # what is written
# What is read as a plate. A file is known by its content; its extension only says where to look.
PLATE_FORMATS = {".exr": "openexr", ".png": "png", ".tif": "tiff", ".tiff": "tiff", ".dpx": "dpx"}

MAX_IMAGE_MIB = 8192
MAX_CHANNELS = 1024
MAX_PARTS = 512
MAX_SIDE_PX = 1 << 20  # of a window, and how far it may lie from the origin
MAX_HEADER_CHARS = 64 << 20  # Cryptomatte's manifests are long; nothing else is
MAX_REASON_CHARS = 160

oiio.attribute("limits:imagesize_MB", MAX_IMAGE_MIB)
oiio.attribute("limits:channels", MAX_CHANNELS)


@dataclass(frozen=True)
class Picture:
    """One decoded image; of an EXR the first part, and the others in `parts`.

    Attributes:
        pixels: [H, W, C] in the file's own type.
        channels: names, in order; of `pixels`, then of each block in `more`.
        attributes: the header, as OpenImageIO names it.
        types: of those attributes whose type their Python value does not tell: timecodes, matrices, …
        origin: x, y of the first pixel; of EXR's data window.
        display: x, y, width, height of the picture that the pixels belong in; None where they fill it.
        more: further channels of the same part, [H, W, C'] each, in types of their own.
        parts: that follow in the same file; they have none themselves.
    """

    pixels: Pixels
    channels: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, Any] = field(default_factory=dict)
    origin: tuple[int, int] = (0, 0)
    display: Window | None = None
    more: tuple[Pixels, ...] = ()
    parts: tuple["Picture", ...] = ()

    @property
    def windows(self) -> tuple[int, ...]:
        """Data and display window where they say more than the size does; else nothing."""
        return told_windows((*self.origin, self.pixels.shape[1], self.pixels.shape[0]), self.display)

    @property
    def blocks(self) -> tuple[Pixels, ...]:
        """All channels of this part: each array has one type."""
        return (self.pixels, *self.more)

    @property
    def all_parts(self) -> tuple["Picture", ...]:
        """This one, and those that follow."""
        return (self, *self.parts)


def told_windows(data: Window, display: Window | None) -> tuple[int, ...]:
    """`Picture.windows` of a file of which only the header was read."""
    plain = data[:2] == (0, 0) and display in (None, data)
    return () if plain else (*data, *(display or data))


def use_threads(count: int) -> None:
    """How many threads OpenImageIO may use inside one read or write; frames are parallel outside, so 1 is fastest."""
    oiio.attribute("threads", count)
    # Of OpenEXR's own pool; -1 is none: with one, all callers would wait for that single thread.
    oiio.attribute("exr_threads", count if count > 1 else -1)


def trouble_of(*sources: Any) -> str:
    """What OpenImageIO has to say, of these files and in general; it is forgotten by that."""
    said = []
    for source in (*sources, oiio):
        try:
            said.append(str(source.geterror()))
        except UnicodeDecodeError:  # it quotes a damaged file
            said.append("it is damaged")
    return " ".join(filter(None, said))


def is_utf8(path: Path | str) -> bool:
    """Whether OpenImageIO can be told this path; a name on disk may be any bytes."""
    return not any(0xD800 <= ord(letter) <= 0xDFFF for letter in str(path))


def one_line(text: str) -> str:
    """What a library or a file says, which may be pages or worse, in one printable line of readable length."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= MAX_REASON_CHARS else f"{line[:MAX_REASON_CHARS].rsplit(' ', 1)[0]} …"
