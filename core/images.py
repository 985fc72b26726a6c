"""Reading and writing image files, through OpenImageIO: whole or not at all, and the same bytes every time."""

import errno
import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from vfxgan.errors import ImageError, TakenError, UsageError, WriteError
from vfxgan.temporaries import temporary_beside

Pixels = NDArray[Any]  # [H, W, C], float16, float32, uint8 or uint16
Window = tuple[int, int, int, int]  # x, y, width, height

FORMAT_OF_EXTENSION = {".exr": "openexr", ".png": "png"}
EXR_COMPRESSIONS = (
    "none", "rle", "zip", "zips", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab", "htj2k256", "htj2k32",
)  # fmt: skip
# OpenImageIO takes any name and writes zip instead, so the list is checked here.
LOSSY_COMPRESSIONS = ("pxr24", "b44", "b44a", "dwaa", "dwab")
LEVELS = {"zip": (1, 9), "zips": (1, 9), "dwaa": (1, 100_000), "dwab": (1, 100_000)}

MAX_IMAGE_MIB = 8192
MAX_CHANNELS = 1024
MAX_REASON_CHARS = 160
FIXED_DATE = "1970:01:01 00:00:00"  # OpenImageIO stamps the clock unless told otherwise
REPLACE_TRIES = 20

oiio.attribute("limits:imagesize_MB", MAX_IMAGE_MIB)
oiio.attribute("limits:channels", MAX_CHANNELS)


@dataclass(frozen=True)
class Picture:
    """One decoded image.

    Attributes:
        pixels: [H, W, C] in the file's own type.
        channels: names, in order.
        attributes: the header, as OpenImageIO names it.
        types: of those attributes whose type their Python value does not tell: timecodes, matrices, …
        origin: x, y of the first pixel; of EXR's data window.
        display: x, y, width, height of the picture that the pixels belong in; None where they fill it.
    """

    pixels: Pixels
    channels: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, Any] = field(default_factory=dict)
    origin: tuple[int, int] = (0, 0)
    display: Window | None = None

    @property
    def windows(self) -> tuple[int, ...]:
        """Data and display window where they say more than the size does; else nothing."""
        data = (*self.origin, self.pixels.shape[1], self.pixels.shape[0])
        plain = self.origin == (0, 0) and self.display in (None, data)
        return () if plain else (*data, *(self.display or data))


def use_threads(count: int) -> None:
    """How many threads OpenImageIO may use inside one read or write; frames are parallel outside, so 1 is fastest."""
    oiio.attribute("threads", count)
    # Of OpenEXR's own pool; -1 is none: with one, all callers would wait for that single thread.
    oiio.attribute("exr_threads", count if count > 1 else -1)


def read_header(path: Path) -> dict[str, Any]:
    """The header of a file, without its pixels.

    Raises:
        ImageError: missing, or not an image.
    """
    source = _open(path)
    try:
        return _attributes(source.spec())
    finally:
        source.close()


def read_picture(path: Path) -> Picture:
    """Decode a whole image in its own type; alpha of a PNG comes as stored.

    Raises:
        ImageError: missing, not an image, too large, or cut short.
    """
    source = _open(path)
    try:
        spec = source.spec()
        pixels = source.read_image(0, 0, 0, spec.nchannels, spec.format)
        trouble = source.geterror() or oiio.geterror()
        if pixels is None or trouble:
            raise ImageError(f"{path}: cut short or damaged ({_one_line(trouble) or 'no pixels'}); replace the file")
        display = (spec.full_x, spec.full_y, spec.full_width, spec.full_height)
        channels, attributes = tuple(spec.channelnames), _attributes(spec)
        return Picture(np.asarray(pixels), channels, attributes, origin=(spec.x, spec.y), display=display)
    finally:
        source.close()


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


ChannelChoice = Callable[[tuple[str, ...]], tuple[int, ...] | None]


def read_layout(path: Path, choose: ChannelChoice) -> Layout:
    """The layout of the first part that has what is wanted, without its pixels.

    Args:
        choose: told a part's channel names; gives the indices wanted, or None to go on to the next part.
    Raises:
        ImageError: missing, not an image, deep, or no part has the channels.
    """
    source = _open(path)
    try:
        return _find_layout(source, path, choose)
    finally:
        source.close()


def read_channels(path: Path, choose: ChannelChoice) -> tuple[Layout, Pixels]:
    """As `read_layout`, with the chosen channels of the data window: [H, W, len(chosen)] in their own type.

    Raises:
        ImageError: as `read_layout`, or the file is cut short.
    """
    source = _open(path)
    try:
        layout = _find_layout(source, path, choose)
        first, end = min(layout.chosen), max(layout.chosen) + 1
        pixels = source.read_image(layout.part, 0, first, end, oiio.TypeDesc(layout.type))
        trouble = source.geterror() or oiio.geterror()
        if pixels is None or trouble:
            raise ImageError(f"{path}: cut short or damaged ({_one_line(trouble) or 'no pixels'}); replace the file")
        return layout, np.asarray(pixels)[..., [index - first for index in layout.chosen]]
    finally:
        source.close()


def _find_layout(source: Any, path: Path, choose: ChannelChoice) -> Layout:
    part, seen = 0, []
    while source.seek_subimage(part, 0):
        spec = source.spec()
        names = tuple(spec.channelnames)
        chosen = None if spec.deep else choose(names)
        if chosen:
            types = {str(spec.channelformat(index)) for index in chosen}
            return Layout(
                part,
                names,
                chosen,
                types.pop() if len(types) == 1 else "float",
                (spec.x, spec.y, spec.width, spec.height),
                (spec.full_x, spec.full_y, spec.full_width, spec.full_height),
                _attributes(spec),
                max(1, spec.get_int_attribute("oiio:subimages", 1)),
                {item.name: item.type for item in spec.extra_attribs},
            )
        seen.append("deep samples" if spec.deep else ", ".join(names))
        part += 1
    oiio.geterror()  # of the part that was not there; read and thus cleared
    raise ImageError(f"{path}: has {_one_line('; '.join(seen))}; give RGB, RGBA or one grey channel")


def _open(path: Path) -> Any:
    if not path.is_file():
        raise ImageError(f"{path}: no such file; check the path")
    wanted = oiio.ImageSpec()
    wanted.attribute("oiio:UnassociatedAlpha", 1)  # never let it multiply encoded values by alpha
    source = oiio.ImageInput.open(str(path), wanted)
    if source is None:
        raise ImageError(f"{path}: cannot be read as an image ({_one_line(oiio.geterror())}); give an EXR or PNG")
    return source


def _attributes(spec: Any) -> dict[str, Any]:
    return {item.name: item.value for item in spec.extra_attribs}


def _one_line(text: str) -> str:
    """What a library says, which may be pages, in one line of readable length."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_REASON_CHARS else f"{line[:MAX_REASON_CHARS].rsplit(' ', 1)[0]} …"


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


def pixel_digest(picture: Picture) -> str:
    """SHA-256 over type, shape, windows, channel names and values, as they decode."""
    pixels, windows = picture.pixels, "".join(f"|{number}" for number in picture.windows)
    digest = hashlib.sha256(f"{pixels.dtype.str}{pixels.shape}{','.join(picture.channels)}{windows}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def check_compression(name: str) -> str:
    """Accept `zips`, `zip:4`, `dwaa:45`, …; refuse what OpenImageIO would silently turn into zip.

    Raises:
        UsageError: an unknown name, or a level that it does not take.
    """
    kind, _, level = name.partition(":")
    if kind not in EXR_COMPRESSIONS:
        raise UsageError(f"--compression {name!r} is unknown; use one of {' '.join(EXR_COMPRESSIONS)}")
    if level:
        low, high = LEVELS.get(kind, (1, 0))
        if not level.isdecimal() or not low <= int(level) <= high:
            takes = f"takes a level of {low} to {high}" if high else "takes no level"
            raise UsageError(f"--compression {name!r}: {kind} {takes}")
    return name


def write_picture(
    path: Path,
    picture: Picture,
    *,
    before_replace: Callable[[Path], None] | None = None,
    keep: bool = True,
    may_replace: bool = True,
) -> None:
    """Write a picture beside its target, check it, then put it in place in one step.

    Args:
        path: .exr or .png; replaced if it exists.
        picture: pixels in the type to be stored; `attributes` go into the header as they are.
        before_replace: called with the temporary's path once it is complete; may raise to give up.
        keep: False for a trial that leaves nothing behind.
        may_replace: False where there was no file when this one was begun, and none is to be lost.
    Raises:
        TakenError: there is a file by now, and it may not be replaced.
        WriteError: full disk, permissions, or anything else that OpenImageIO reports. Nothing is left behind.
    """
    try:
        with temporary_beside(path) as temporary:
            _encode(temporary, path, picture)
            _check_complete(temporary, path)
            if before_replace is not None:
                before_replace(temporary)
            if keep:
                _replace(temporary, path) if may_replace else _put(temporary, path)
    except OSError as error:
        raise WriteError(
            f"{path}: cannot be written ({error.strerror or error}); check space and permissions"
        ) from error


def decoded_digest(path: Path, picture: Picture) -> str:
    """The pixel digest that a picture will have once a lossy compression has been through it.

    Args:
        path: where the picture is going; a temporary beside it is written and removed.
    Raises:
        WriteError: as `write_picture`.
    """
    digests = []

    def look(temporary: Path) -> None:
        decoded = read_picture(temporary)
        digests.append(pixel_digest(decoded))

    write_picture(path, picture, before_replace=look, keep=False)
    return digests[0]


def _encode(temporary: Path, path: Path, picture: Picture) -> None:
    pixels = np.ascontiguousarray(picture.pixels)
    height, width, count = pixels.shape
    spec = oiio.ImageSpec(width, height, count, oiio.TypeDesc(_TYPE_NAMES[pixels.dtype.name]))
    spec.channelnames = picture.channels
    spec.x, spec.y = picture.origin
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = picture.display or (*picture.origin, width, height)
    spec.attribute("DateTime", FIXED_DATE)
    for name, value in picture.attributes.items():
        if name in picture.types:
            spec.attribute(name, picture.types[name], value)
        elif isinstance(value, tuple):
            spec.attribute(name, oiio.TypeDesc(f"float[{len(value)}]"), value)
        else:
            spec.attribute(name, value)
    target = oiio.ImageOutput.create(FORMAT_OF_EXTENSION[path.suffix.lower()])
    if target is None:
        raise WriteError(f"{path}: OpenImageIO has no writer for {path.suffix}; ({_one_line(oiio.geterror())})")
    opened = target.open(str(temporary), spec)
    written = bool(opened) and target.write_image(pixels)
    trouble = target.geterror()
    closed = target.close()  # True even after failed writes, so the three before it count as well
    trouble = trouble or target.geterror() or oiio.geterror()
    if trouble or not (opened and written and closed):
        raise WriteError(
            f"{path}: cannot be written ({_one_line(trouble) or 'unknown reason'}); check space and permissions"
        )


_TYPE_NAMES = {"float16": "half", "float32": "float", "uint8": "uint8", "uint16": "uint16"}
_PNG_END = bytes.fromhex("0000000049454e44ae426082")


def _check_complete(temporary: Path, path: Path) -> None:
    """A full disk shows in the size or in the last line, whatever the library said."""
    if path.suffix.lower() == ".png":
        with temporary.open("rb") as file:
            file.seek(-min(len(_PNG_END), temporary.stat().st_size), os.SEEK_END)
            complete = file.read() == _PNG_END
    else:
        source = oiio.ImageInput.open(str(temporary))
        complete = source is not None
        if source is not None:
            last = source.spec().y + source.spec().height - 1
            complete = source.read_scanlines(last, last + 1, 0, 0, source.spec().nchannels, "half") is not None
            source.close()
        oiio.geterror()  # read and thus cleared
    if not complete:
        raise WriteError(f"{path}: came out incomplete; check the space left on the disk")


def _replace(temporary: Path, path: Path) -> None:
    """`os.replace`, retried while another program (a viewer on Windows) holds the target."""
    for attempt in range(REPLACE_TRIES):
        try:
            temporary.replace(path)
            return
        except PermissionError:
            if os.name != "nt" or attempt == REPLACE_TRIES - 1:
                raise
            time.sleep(0.05 * (attempt + 1))


def _put(temporary: Path, path: Path) -> None:
    """Give the temporary its name, unless something has it: a link is refused where a replacement would not be."""
    try:
        os.link(temporary, path)
    except FileExistsError as error:
        raise TakenError(f"{path}: appeared while this frame was made; it was left alone") from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():  # as near as such a file system lets us come
            raise TakenError(f"{path}: appeared while this frame was made; it was left alone") from error
        _replace(temporary, path)


_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
