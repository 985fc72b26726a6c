"""The types of channels in an EXR file's own header.

OpenImageIO writes 32-bit integers beside floats by way of float32, which holds 24 of their bits. So such a channel is
written as float32 with the integer's bits, which compressions that know no types carry as they are, and its type is
corrected here, in the finished file, before anybody sees it.
Source: openexr.com, "OpenEXR File Layout".
"""

import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from vfxgan.errors import WriteError

UINT, FLOAT = 0, 2
# These carry any 32 bits. The others look at the type: pxr24 rounds floats, dwa and htj2k code them.
CARRY_ANY_BITS = ("none", "rle", "zip", "zips", "piz", "b44", "b44a")
_LONGEST_NAME = 256


def float_to_uint(path: Path, channels: Collection[str], *, part: int) -> None:
    """Correct the type of channels that were written as float32.

    Args:
        channels: of that part, by name.
    Raises:
        WriteError: they are not all there, as float32.
    """
    left = set(channels)
    with path.open("r+b") as file:
        file.seek(8)  # magic number and version
        for number in range(part + 1):
            for name, kind, size in _attributes(file):
                start = file.tell()
                if number == part and (name, kind) == (b"channels", b"chlist"):
                    _correct(file, left)
                file.seek(start + size)
    if left:
        raise WriteError(
            f"{path}: its integer channels {', '.join(sorted(left))} came out as others; use --compression zips"
        )


def _attributes(file: BinaryIO) -> Iterator[tuple[bytes, bytes, int]]:
    """Name, type and size of each attribute of one part's header; the file stands at its value."""
    while name := _word(file):
        kind = _word(file)
        yield name, kind, struct.unpack("<i", file.read(4))[0]


def _correct(file: BinaryIO, left: set[str]) -> None:
    while name := _word(file).decode():
        place = file.tell()
        entry = file.read(16)  # type, linearity, spare bytes, sampling in x and y
        if name in left and struct.unpack_from("<i", entry)[0] == FLOAT:
            file.seek(place)
            file.write(struct.pack("<i", UINT))
            file.seek(place + 16)
            left.remove(name)


def _word(file: BinaryIO) -> bytes:
    letters = bytearray()
    while (letter := file.read(1)) not in (b"\0", b"") and len(letters) < _LONGEST_NAME:
        letters += letter
    return bytes(letters)
