"""Reading image files through OpenImageIO: headers, all of a small file, or the channels of a large one."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import OpenImageIO as oiio

from vfxgan.errors import ImageError
from vfxgan.picture import MAX_HEADER_CHARS, MAX_PARTS, Picture, Pixels, Window, is_utf8, one_line, trouble_of

STRIP_ROWS = 64  # read at a time; a multiple of the rows that most compressions hold together
DWAB_ROWS = 256


@dataclass(frozen=True)
class Layout:
    """Where the pixels of one part of a file lie, x and y as the file counts them.

    Attributes:
        part: which part of the file; 0 but for multi-part EXR.
        chosen: the channels asked for, as indices into `channels`.
        type: of the chosen channels, as OpenImageIO names it: half, float, uint8, uint16, …
        data: x, y, width, height of the pixels stored.
        display: x, y, width, height of the picture they belong in.
        parts: how many the file has.
        types: of the attributes.
    """

    part: int
    channels: tuple[str, ...]
    chosen: tuple[int, ...]
    type: str
    data: Window
    display: Window
    attributes: Mapping[str, Any]
    parts: int = 1
    types: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """The header of one part of a file.

    Attributes:
        formats: of each channel, as OpenImageIO names them: half, float, uint, uint8, …
        types: of the attributes.
        deep: several samples a pixel.
        tile: width and height of its tiles; None for lines.
    """

    index: int
    channels: tuple[str, ...]
    formats: tuple[str, ...]
    data: Window
    display: Window
    attributes: Mapping[str, Any]
    types: Mapping[str, Any]
    deep: bool = False
    tile: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """As multi-part EXR has it; "" for none."""
        return self._word("oiio:subimagename") or self._word("name")

    @property
    def view(self) -> str:
        """Of a part that is one view; "" for none."""
        return self._word("view")

    def _word(self, name: str) -> str:
        value = self.attributes.get(name)  # in a damaged or hostile file it may be anything
        return value if isinstance(value, str) else ""

    def widest(self, chosen: Sequence[int]) -> str:
        """The one type that holds all of these channels."""
        formats = {self.formats[index] for index in chosen}
        return formats.pop() if len(formats) == 1 else "float"


class OpenImage:
    """An image file, open for reading by one thread; a context manager.

    Raises:
        ImageError: missing, empty, not an image, or with a header that no honest file has.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._source = _open(path)
        try:
            self.format = str(self._source.format_name())
            self.parts = self._read_parts()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "OpenImage":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()

    def read(self, part: Part, chosen: Sequence[int], type_name: str | None = None) -> Pixels:
        """Decode channels of the data window, of the largest level where there are several.

        Args:
            chosen: indices into the part's channels, in the order wanted.
            type_name: to convert to; None: the channels' own, or float where they differ.
        Returns:
            [H, W, len(chosen)].
        Raises:
            ImageError: cut short or damaged.
        """
        kind = type_name or part.widest(chosen)
        first, end = min(chosen), max(chosen) + 1
        if len(chosen) == end - first:
            whole = self._source.read_image(part.index, 0, first, end, oiio.TypeDesc(kind))
            pixels = np.asarray(self._checked(whole))
            return pixels if list(chosen) == list(range(first, end)) else pixels[..., [n - first for n in chosen]]
        height, width = part.data[3], part.data[2]
        pixels = np.empty((height, width, len(chosen)), _DTYPES[kind])
        for rows, strip in self.strips(part, chosen, kind):
            pixels[rows] = strip
        return pixels

    def strips(self, part: Part, chosen: Sequence[int], type_name: str) -> Iterator[tuple[slice, Pixels]]:
        """The same from top to bottom, some rows at a time, so that it needs little memory.

        Yields:
            The rows, counted from the data window's first, and their [h, W, len(chosen)].
        Raises:
            ImageError: as `read`.
        """
        x, y, width, height = part.data
        first, end = min(chosen), max(chosen) + 1
        places = [index - first for index in chosen]
        kind, count = oiio.TypeDesc(type_name), _strip_rows(part)
        for top in range(0, height, count):
            bottom = min(top + count, height)
            if part.tile is None:
                got = self._source.read_scanlines(part.index, 0, y + top, y + bottom, 0, first, end, kind)
            else:
                got = self._source.read_tiles(part.index, 0, x, x + width, y + top, y + bottom, 0, 1, first, end, kind)
            strip = np.asarray(self._checked(got)).reshape(bottom - top, width, end - first)
            yield slice(top, bottom), strip if places == list(range(end - first)) else strip[..., places]

    def _checked(self, got: Any) -> Any:
        trouble = trouble_of(self._source)
        if got is None or trouble:
            reason = one_line(trouble) or "no pixels"
            raise ImageError(f"{self.path}: cut short or damaged ({reason}); replace the file")
        return got

    def _read_parts(self) -> tuple[Part, ...]:
        parts: list[Part] = []
        letters = 0
        while self._source.seek_subimage(len(parts), 0):
            spec = self._source.spec()
            if not parts and spec.get_int_attribute("oiio:subimages", 1) > MAX_PARTS:
                many = spec.get_int_attribute("oiio:subimages", 1)
                raise ImageError(f"{self.path}: has {many} parts, more than {MAX_PARTS}; split the file")
            parts.append(_part(spec, len(parts)))
            letters += sum(len(value) for value in parts[-1].attributes.values() if isinstance(value, str))
            if len(parts) > MAX_PARTS or letters > MAX_HEADER_CHARS:
                what = f"more than {MAX_PARTS} parts" if len(parts) > MAX_PARTS else f"{letters >> 20} MiB of text"
                raise ImageError(f"{self.path}: its header holds {what}; replace the file")
        trouble_of(self._source)  # of the part that was not there
        return tuple(parts)


_DTYPES = {"half": np.float16, "float": np.float32, "uint8": np.uint8, "uint16": np.uint16, "uint": np.uint32}


def _part(spec: Any, index: int) -> Part:
    return Part(
        index,
        tuple(_text(name) for name in spec.channelnames),
        tuple(str(spec.channelformat(channel)) for channel in range(spec.nchannels)),
        (spec.x, spec.y, spec.width, spec.height),
        (spec.full_x, spec.full_y, spec.full_width, spec.full_height),
        _attributes(spec),
        {_text(item.name): item.type for item in spec.extra_attribs},
        bool(spec.deep),
        (spec.tile_width, spec.tile_height) if spec.tile_width else None,
    )


def _strip_rows(part: Part) -> int:
    """Whole chunks of lines, or whole tiles, or each would be decoded more than once."""
    if part.tile is not None:
        return max(1, part.tile[1]) * max(1, STRIP_ROWS // max(1, part.tile[1]))
    return DWAB_ROWS if str(part.attributes.get("compression", "")).startswith("dwab") else STRIP_ROWS


def read_header(path: Path) -> dict[str, Any]:
    """The header of a file (of its first part), without its pixels.

    Raises:
        ImageError: missing, or not an image.
    """
    source = _open(path)
    try:
        return _attributes(source.spec())
    finally:
        source.close()


def read_picture(path: Path) -> Picture:
    """Decode a whole image in its own type; alpha of a PNG comes as stored. Of several parts the first.

    Raises:
        ImageError: missing, not an image, too large, or cut short.
    """
    with OpenImage(path) as image:
        part = image.parts[0]
        if part.deep:
            raise ImageError(f"{path}: holds deep samples; flatten it")
        pixels = image.read(part, range(len(part.channels)))
        return Picture(pixels, part.channels, part.attributes, origin=part.data[:2], display=part.display)


ChannelChoice = Callable[[tuple[str, ...]], tuple[int, ...] | None]


def read_layout(path: Path, choose: ChannelChoice) -> Layout:
    """The layout of the first part that has what is wanted, without its pixels.

    Args:
        choose: told a part's channel names; gives the indices wanted, or None to go on to the next part.
    Raises:
        ImageError: missing, not an image, deep, or no part has the channels.
    """
    with OpenImage(path) as image:
        return _find_layout(image, choose)[0]


def read_channels(path: Path, choose: ChannelChoice) -> tuple[Layout, Pixels]:
    """As `read_layout`, with the chosen channels of the data window: [H, W, len(chosen)] in their own type.

    Raises:
        ImageError: as `read_layout`, or the file is cut short.
    """
    with OpenImage(path) as image:
        layout, part = _find_layout(image, choose)
        return layout, image.read(part, layout.chosen, layout.type)


def _find_layout(image: OpenImage, choose: ChannelChoice) -> tuple[Layout, Part]:
    for part in image.parts:
        chosen = None if part.deep else choose(part.channels)
        if chosen:
            places = (part.data, part.display, part.attributes, len(image.parts), part.types)
            return Layout(part.index, part.channels, chosen, part.widest(chosen), *places), part
    seen = "; ".join("deep samples" if part.deep else ", ".join(part.channels) for part in image.parts)
    raise ImageError(f"{image.path}: has {one_line(seen)}; give RGB, RGBA or one grey channel")


def choose_colour(names: tuple[str, ...]) -> tuple[int, ...] | None:
    """R, G, B and A by name, whatever else there is; one grey channel with or without alpha; else nothing."""
    places = {name.upper(): index for index, name in reversed(list(enumerate(names)))}
    if all(name in places for name in "RGB"):
        return tuple(places[name] for name in "RGBA" if name in places)
    if len(names) == 1:
        return (0,)
    if "Y" in places and not {"RY", "BY"} & set(places):  # with these two it is luminance, and the colour is in them
        return tuple(places[name] for name in "YA" if name in places)
    return None


def check_file(path: Path) -> os.stat_result:
    """Refuse what is no file of bytes on disk, before it is opened: whoever opens a pipe waits for its writer.

    Raises:
        ImageError: missing, a folder, a pipe, a socket or a device.
    """
    try:
        facts = path.stat()
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if not stat.S_ISREG(facts.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(facts.st_mode)), "a device")
        raise ImageError(f"{path}: is {kind}, no image file; check the path")
    return facts


_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


def _open(path: Path) -> Any:
    if check_file(path).st_size == 0:
        raise ImageError(f"{path}: is empty; replace the file")
    if not is_utf8(path):
        raise ImageError(f"{path}: the path is no UTF-8 text, which image files need; rename it")
    wanted = oiio.ImageSpec()
    wanted.attribute("oiio:UnassociatedAlpha", 1)  # never let it multiply encoded values by alpha
    source = oiio.ImageInput.open(str(path), wanted)
    if source is None:
        reason = one_line(trouble_of())
        if "ubsampled" in reason:
            raise ImageError(f"{path}: holds luminance and chroma, which is subsampled; convert it to RGB")
        raise ImageError(f"{path}: cannot be read as an image ({reason}); give an EXR or PNG")
    return source


def _attributes(spec: Any) -> dict[str, Any]:
    return {_text(item.name): _text(item.value) for item in spec.extra_attribs}


def _text(value: Any) -> Any:
    """Words that are no UTF-8 are taken as Latin-1, which old headers hold; all else stays."""
    if isinstance(value, tuple):
        return tuple(_text(item) for item in value)
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value
