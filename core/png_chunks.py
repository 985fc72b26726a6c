"""A PNG's chunks: where each one lies, and the corrections that OpenImageIO's writer does not make.

Source: W3C, Portable Network Graphics Specification (Third Edition), 5 and 11.3.
"""

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vfxgan.errors import WriteError

MANIFEST = b"caBX"  # C2PA Technical Specification 2.2, A.3.3
SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = "XML:com.adobe.xmp"
# An iTXt chunk has four bytes more than a tEXt one, so a text of XMP ends in as many blanks when it is written.
ROOM_FOR_ITXT = " " * 4
_HEAD = 8  # length and type
_CRC = 4


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Type, place and size of each chunk, head and checksum included, as far as the file is a PNG."""
    place = len(SIGNATURE)
    file.seek(0)
    if file.read(place) != SIGNATURE:
        return
    while len(head := file.read(_HEAD)) == _HEAD:
        size = _HEAD + int.from_bytes(head[:4], "big") + _CRC
        yield head[4:], place, size
        place += size
        file.seek(place)


def without(data: bytes, kind: bytes) -> bytes:
    """The bytes of a PNG without its chunks of one kind; what is no PNG stays as it is."""
    kept, end = [data[: len(SIGNATURE)]], len(SIGNATURE)
    for found, place, size in chunks(io.BytesIO(data)):
        if found != kind:
            kept.append(data[place : place + size])
        end = place + size
    return b"".join(kept) + data[end:]


def text_to_itxt(path: Path) -> None:
    """Make the chunk of XMP, which is written as tEXt (Latin-1), the iTXt (UTF-8) that XMP asks for.

    In place: a file of some hundred MiB is not copied for it.

    Raises:
        WriteError: there is none, or it does not end in `ROOM_FOR_ITXT`.
    """
    keyword, room = XMP_KEYWORD.encode(), ROOM_FOR_ITXT.encode()
    with path.open("r+b") as file:
        for kind, place, size in chunks(file):
            if kind == b"IDAT":
                break
            if kind != b"tEXt":
                continue
            file.seek(place + _HEAD)
            name, _, text = file.read(size - _HEAD - _CRC).partition(b"\0")
            if name == keyword and text.endswith(room):
                # Uncompressed, of no language, not translated.
                body = b"iTXt" + keyword + bytes(5) + text.removesuffix(room)
                file.seek(place + 4)
                file.write(body + zlib.crc32(body).to_bytes(4, "big"))
                return
    raise WriteError(f"{path}: its XMP packet is not where OpenImageIO puts it; report its version")
