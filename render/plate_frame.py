"""What is written for a plate: its pictures, and with `--keep-channels` the rest, as the plate's own file has them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vfxgan.errors import ImageError
from vfxgan.images import MAX_IMAGE_MIB, OpenImage, Part, Picture, Pixels, Window, one_line
from vfxgan.render.carry import carried_blocks
from vfxgan.render.carry_rules import rules
from vfxgan.render.options import OutputOptions
from vfxgan.render.plate_file import Spaces, carried
from vfxgan.render.plate_image import PlateImage
from vfxgan.render.plate_layers import NAMED, Chosen
from vfxgan.render.spaces import header_of

CHANNELS = ("R", "G", "B", "A")


@dataclass(frozen=True)
class Made:
    """One picture of a frame.

    Attributes:
        pixels: [s·H, s·W, C] as stored.
        image: the plate's windows, the right way up.
    """

    chosen: Chosen
    pixels: Pixels
    data: Window
    display: Window

    @classmethod
    def of(cls, chosen: Chosen, pixels: Pixels, image: PlateImage) -> "Made":
        """Join what was drawn to where it came from; the plate's own pixels are let go."""
        return cls(chosen, pixels, image.data, image.display)


def assemble(
    image: OpenImage, made: Sequence[Made], spaces: Spaces, output: OutputOptions, scale: int
) -> tuple[Picture, int]:
    """A frame of the plate's structure: the same parts, names, types and metadata.

    Returns:
        It, and how many carried values their type cut off.
    Raises:
        ImageError: carried channels cannot be read, or are too large.
    """
    if output.format == "png":
        return _png(made[0], image, scale), 0
    parts, clipped = [], 0
    for part in image.parts:
        mine = [picture for picture in made if picture.chosen.part.index == part.index]
        blocks = [(picture.chosen.names(picture.pixels.shape[2]), picture.pixels) for picture in mine]
        written = {name for names, _ in blocks for name in names}
        left = [
            index
            for index in left_in(part, [picture.chosen for picture in made])
            if part.channels[index] not in written
        ]
        if output.keep_channels and image.format == "openexr" and not part.deep and left:
            _check_carried(part, left, scale, image)
            _check_exact(part, left, output, image)
            carried_along, beyond = carried_blocks(image, part, left, scale)
            blocks, clipped = blocks + carried_along, clipped + beyond
        if blocks:
            data, display = (mine[0].data, mine[0].display) if mine else (part.data, part.display)
            parts.append(_part(part, image.format, blocks, (data, display), spaces, output, scale))
    return replace(parts[0], parts=tuple(parts[1:])), clipped


def _part(
    part: Part,
    file_format: str,
    blocks: Sequence[tuple[tuple[str, ...], Pixels]],
    windows: tuple[Window, Window],
    spaces: Spaces,
    output: OutputOptions,
    scale: int,
) -> Picture:
    kept, types = carried(part, file_format, colour=spaces.keeps_header, channels=output.keep_channels is not None)
    colour: dict[str, Any] = {} if spaces.keeps_header else header_of(output, spaces.from_light)
    data, (x, y, width, height) = windows
    return Picture(
        blocks[0][1],
        tuple(name for names, _ in blocks for name in names),
        {**kept, **colour, "compression": output.compression},
        types,
        (data[0] * scale, data[1] * scale),
        (x * scale, y * scale, width * scale, height * scale),
        tuple(pixels for _, pixels in blocks[1:]),
    )


def _check_carried(part: Part, left: Sequence[int], scale: int, image: OpenImage) -> None:
    _, _, width, height = part.data
    if width * height * scale**2 * 4 * len(left) > MAX_IMAGE_MIB * 2**20:
        what = f"its {len(left)} other channels would be above {MAX_IMAGE_MIB} MiB"
        raise ImageError(f"{image.path}: {what}; leave out --keep-channels")


def _check_exact(part: Part, left: Sequence[int], output: OutputOptions, image: OpenImage) -> None:
    """A lossy compression is for pictures; ids, Cryptomatte and depth that are a little off are wrong."""
    kind = output.compression.partition(":")[0]
    exact = [index for index, rule in rules(image.parts, part, left).items() if rule == "nearest"]
    harmed = [part.channels[index] for index in exact if _is_harmed(kind, part.channels[index], part.formats[index])]
    if harmed:
        named = one_line(", ".join(harmed[:NAMED])) + (", …" if len(harmed) > NAMED else "")
        raise ImageError(f"{image.path}: {kind} would change data channels ({named}); use --compression zips")


def _is_harmed(compression: str, name: str, channel_type: str) -> bool:
    """Source: OpenEXR, ImfDwaCompressor's channel rules; pxr24 rounds floats, b44 packs halves."""
    if compression in ("dwaa", "dwab"):
        return name.rpartition(".")[2].upper() in _DCT_NAMES and channel_type != "uint"
    return (compression, channel_type) in (("pxr24", "float"), ("b44", "half"), ("b44a", "half"))


_DCT_NAMES = ("R", "G", "B", "Y", "RY", "BY")


def _png(made: Made, image: OpenImage, scale: int) -> Picture:
    """The display window, 0 where the plate has no pixels."""
    (x, y, width, height), (left, top, across, down) = made.data, made.display
    attributes: dict[str, Any] = {"oiio:UnassociatedAlpha": 1}
    aspect = image.parts[0].attributes.get("PixelAspectRatio", 1.0)
    if isinstance(aspect, float) and aspect != 1.0:
        attributes["PixelAspectRatio"] = aspect
    channels = CHANNELS[: made.pixels.shape[2]]
    if made.data == made.display:
        return Picture(made.pixels, channels, attributes)
    if across * down * scale**2 * 8 > MAX_IMAGE_MIB * 2**20:
        raise ImageError(f"{image.path}: its display window of {across}×{down} is too large for a PNG; write .exr")
    canvas = np.zeros((down * scale, across * scale, len(channels)), made.pixels.dtype)
    first_row, first_column = max(y, top), max(x, left)
    last_row, last_column = min(y + height, top + down), min(x + width, left + across)
    if last_row > first_row and last_column > first_column:
        source = made.pixels[(first_row - y) * scale : (last_row - y) * scale]
        target = canvas[(first_row - top) * scale : (last_row - top) * scale]
        columns = slice((first_column - x) * scale, (last_column - x) * scale)
        target[:, (first_column - left) * scale : (last_column - left) * scale] = source[:, columns]
    return Picture(canvas, channels, attributes)


def left_in(part: Part, pictures: Sequence[Chosen]) -> list[int]:
    """The channels of a part that are not processed."""
    done = {index for picture in pictures if picture.part.index == part.index for index in picture.channels}
    return [index for index in range(len(part.channels)) if index not in done]
