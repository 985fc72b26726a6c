"""Writing image files through OpenImageIO: whole or not at all, and the same bytes every time."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio

from vfxgan.errors import ImageError, TakenError, UsageError, WriteError
from vfxgan.exr_types import CARRY_ANY_BITS, float_to_uint
from vfxgan.image_digests import file_pixel_digest
from vfxgan.picture import FORMAT_OF_EXTENSION, Picture, Pixels, is_utf8, one_line
from vfxgan.png_chunks import XMP_KEYWORD, text_to_itxt
from vfxgan.temporaries import temporary_beside

EXR_COMPRESSIONS = (
    "none", "rle", "zip", "zips", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab", "htj2k256", "htj2k32",
)  # fmt: skip
# OpenImageIO takes any name and writes zip instead, so the list is checked here.
LOSSY_COMPRESSIONS = ("pxr24", "b44", "b44a", "dwaa", "dwab")
LEVELS = {"zip": (1, 9), "zips": (1, 9), "dwaa": (1, 100_000), "dwab": (1, 100_000)}

FIXED_DATE = "1970:01:01 00:00:00"  # OpenImageIO stamps the clock unless told otherwise
REPLACE_TRIES = 20
STRIP_ROWS = 32  # written at a time where types are mixed: whole chunks of the compression
LONG_CHUNKS = {"dwab": 256, "htj2k256": 256}


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
        ImageError: an attribute is of a type that cannot be written.
        WriteError: full disk, permissions, or anything else that OpenImageIO reports. Nothing is left behind.
    """
    if not is_utf8(path):
        raise WriteError(f"{path}: the path is no UTF-8 text, which image files need; name another")
    try:
        with temporary_beside(path) as temporary:
            _encode(temporary, path, picture)
            _check_complete(temporary, path, picture)
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
        digests.append(file_pixel_digest(temporary))

    write_picture(path, picture, before_replace=look, keep=False)
    return digests[0]


def _encode(temporary: Path, path: Path, picture: Picture) -> None:
    parts = picture.all_parts
    specs = [_spec(part) for part in parts]
    _check_integers(path, picture)
    target = oiio.ImageOutput.create(FORMAT_OF_EXTENSION[path.suffix.lower()])
    if target is None:
        raise WriteError(f"{path}: OpenImageIO has no writer for {path.suffix}; ({one_line(oiio.geterror())})")
    opened = target.open(str(temporary), tuple(specs) if len(specs) > 1 else specs[0])
    written = bool(opened)
    for index, part in enumerate(parts):
        if written and index:
            written = bool(target.open(str(temporary), specs[index], "AppendSubimage"))
        written = written and _write_pixels(target, part)
    trouble = target.geterror()
    closed = target.close()  # True even after failed writes, so the three before it count as well
    trouble = trouble or target.geterror() or oiio.geterror()
    if trouble or not (opened and written and closed):
        raise WriteError(
            f"{path}: cannot be written ({one_line(trouble) or 'unknown reason'}); check space and permissions"
        )
    for index, part in enumerate(parts):
        if integers := _integers_among_floats(part):
            float_to_uint(temporary, integers, part=index)
    if XMP_KEYWORD in picture.attributes:
        text_to_itxt(temporary)


def _spec(part: Picture) -> Any:
    height, width, _ = part.pixels.shape
    types = [_TYPE_NAMES[block.dtype.name] for block in part.blocks for _ in range(block.shape[2])]
    spec = oiio.ImageSpec(width, height, len(types), oiio.TypeDesc(types[0] if len(set(types)) == 1 else "float"))
    spec.channelnames = part.channels
    if len(set(types)) > 1:
        # Integers among floats are written as the float of the same bits; `float_to_uint` tells the file.
        spec.channelformats = tuple(oiio.TypeDesc("float" if name == "uint" else name) for name in types)
    spec.x, spec.y = part.origin
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = part.display or (*part.origin, width, height)
    spec.attribute("DateTime", FIXED_DATE)
    for name, value in part.attributes.items():
        try:
            if name in part.types:
                spec.attribute(name, part.types[name], value)
            elif isinstance(value, tuple):
                spec.attribute(name, oiio.TypeDesc(f"float[{len(value)}]"), value)
            else:
                spec.attribute(name, value)
        except (RuntimeError, TypeError, OverflowError) as error:
            raise ImageError(f"its header's {name!r} cannot be written again; take it out of the plate") from error
    return spec


def _write_pixels(target: Any, part: Picture) -> bool:
    if not part.more:
        return bool(target.write_image(np.ascontiguousarray(part.pixels)))
    height, top_row = len(part.pixels), part.origin[1]
    one_type = len({block.dtype for block in part.blocks}) == 1
    count = LONG_CHUNKS.get(str(part.attributes.get("compression", "")).partition(":")[0], STRIP_ROWS)
    for top in range(0, height, count):
        rows = slice(top, min(top + count, height))
        blocks = [block[rows] if one_type else _as_float(block[rows]) for block in part.blocks]
        if not target.write_scanlines(top_row + rows.start, top_row + rows.stop, 0, np.concatenate(blocks, axis=2)):
            return False
    return True


def _as_float(rows: Pixels) -> Pixels:
    """Halves widen without loss; integers keep their bits."""
    return np.ascontiguousarray(rows).view(np.float32) if rows.dtype == np.uint32 else rows.astype(np.float32)


def _integers_among_floats(part: Picture) -> list[str]:
    types = [block.dtype for block in part.blocks for _ in range(block.shape[2])]
    if len(set(types)) == 1:
        return []
    return [name for name, kind in zip(part.channels, types, strict=True) if kind == np.uint32]


def _check_integers(path: Path, picture: Picture) -> None:
    for part in picture.all_parts:
        kind = str(part.attributes.get("compression", "zip")).partition(":")[0]
        integers = _integers_among_floats(part)
        if integers and kind not in CARRY_ANY_BITS:
            raise WriteError(
                f"{path}: {kind} does not carry 32-bit integers ({', '.join(integers[:4])}) beside floats unharmed; "
                f"use --compression {', '.join(CARRY_ANY_BITS[:5])}"
            )


_TYPE_NAMES = {"float16": "half", "float32": "float", "uint8": "uint8", "uint16": "uint16", "uint32": "uint"}
_PNG_END = bytes.fromhex("0000000049454e44ae426082")


def _check_complete(temporary: Path, path: Path, picture: Picture) -> None:
    """A full disk shows in the size or in the last line, whatever the library said."""
    temporary.stat()  # gone if its folder was taken away, and then OSError says so
    if path.suffix.lower() == ".png":
        with temporary.open("rb") as file:
            file.seek(-min(len(_PNG_END), temporary.stat().st_size), os.SEEK_END)
            complete = file.read() == _PNG_END
    else:
        source = oiio.ImageInput.open(str(temporary))
        complete = source is not None
        if source is not None:
            for index, part in enumerate(picture.all_parts):
                last = part.origin[1] + len(part.pixels) - 1
                count = len(part.channels)
                complete &= source.read_scanlines(index, 0, last, last + 1, 0, 0, count, "half") is not None
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
