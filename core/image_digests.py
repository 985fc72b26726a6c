"""Digests of what an image decodes to: every part, channel and type; equal for a picture at hand and its file."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vfxgan.errors import ImageError
from vfxgan.image_reading import OpenImage, Part
from vfxgan.picture import Picture, Pixels, told_windows

_PLAIN = (("R", "G", "B"), ("R", "G", "B", "A"))
_DTYPE_STRINGS = {"half": "<f2", "float": "<f4", "uint8": "|u1", "uint16": "<u2", "uint": "<u4"}


def pixel_digest(picture: Picture) -> str:
    """SHA-256 over type, shape, windows, channel names and values, as they decode."""
    if not picture.parts and not picture.more and picture.channels in _PLAIN:
        pixels = picture.pixels
        digest = _plain(pixels.dtype.str, pixels.shape, picture.channels, picture.windows)
        digest.update(np.ascontiguousarray(pixels).data)
        return digest.hexdigest()
    whole = hashlib.sha256()
    for part in picture.all_parts:
        blocks = [(block, index) for block in part.blocks for index in range(block.shape[2])]
        planes = {}
        for name, (block, index) in zip(part.channels, blocks, strict=True):
            hashed = hashlib.sha256()
            for top in range(0, len(block), 64):
                hashed.update(np.ascontiguousarray(block[top : top + 64, :, index]).data)
            planes[name] = (block.dtype.str, hashed.hexdigest())
        name = _name(part.attributes) if picture.parts else ""
        whole.update(_described(name, part.pixels.shape[:2], part.windows, planes).encode())
    return whole.hexdigest()


def file_pixel_digest(path: Path) -> str:
    """`pixel_digest` of a file, read some rows at a time.

    Raises:
        ImageError: missing, not an image, deep, or cut short.
    """
    with OpenImage(path) as image:
        if any(part.deep for part in image.parts):
            raise ImageError(f"{path}: holds deep samples; flatten it")
        first = image.parts[0]
        if len(image.parts) == 1 and first.channels in _PLAIN and len(set(first.formats)) == 1:
            return _plain_file(image, first)
        whole = hashlib.sha256()
        for part in image.parts:
            name = _name(part.attributes) if len(image.parts) > 1 else ""
            size = (part.data[3], part.data[2])
            windows = told_windows(part.data, part.display)
            whole.update(_described(name, size, windows, _planes(image, part)).encode())
        return whole.hexdigest()


def _plain_file(image: OpenImage, part: Part) -> str:
    kind, count = part.formats[0], len(part.channels)
    shape = (part.data[3], part.data[2], count)
    digest = _plain(_dtype_string(kind), shape, part.channels, told_windows(part.data, part.display))
    if image.format == "openexr":
        for _, strip in image.strips(part, range(count), kind):
            digest.update(np.ascontiguousarray(strip).data)
    else:  # other formats decode from the top anyway, and each strip would begin there
        digest.update(np.ascontiguousarray(image.read(part, range(count))).data)
    return digest.hexdigest()


def _planes(image: OpenImage, part: Part) -> dict[str, tuple[str, str]]:
    hashes: dict[str, Any] = {name: hashlib.sha256() for name in part.channels}
    for kind in sorted(set(part.formats)):
        chosen = [index for index, form in enumerate(part.formats) if form == kind]
        for _, strip in image.strips(part, chosen, kind):
            for place, index in enumerate(chosen):
                hashes[part.channels[index]].update(_plane(strip, place))
    return {
        name: (_dtype_string(form), hashes[name].hexdigest())
        for name, form in zip(part.channels, part.formats, strict=True)
    }


def _plane(strip: Pixels, place: int) -> memoryview:
    return np.ascontiguousarray(strip[..., place]).data


def _plain(dtype: str, shape: tuple[int, ...], channels: Sequence[str], windows: Iterable[int]) -> "hashlib._Hash":
    told = "".join(f"|{number}" for number in windows)
    return hashlib.sha256(f"{dtype}{shape}{','.join(channels)}{told}".encode())


def _described(name: str, size: tuple[int, ...], windows: tuple[int, ...], planes: dict[str, tuple[str, str]]) -> str:
    lines = [f"{channel}|{dtype}|{digest}" for channel, (dtype, digest) in sorted(planes.items())]
    return "\n".join([f"part {name}|{tuple(size)}|{windows}", *lines, ""])


def _name(attributes: Any) -> str:
    names = (attributes.get("oiio:subimagename"), attributes.get("name"))
    return next((name for name in names if isinstance(name, str) and name), "")


def _dtype_string(kind: str) -> str:
    return _DTYPE_STRINGS.get(kind, kind)
