"""The pixels of a plate: which types are plates, which way up they are, and what becomes of NaN and Inf."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vfxgan.errors import ImageError
from vfxgan.images import MAX_IMAGE_MIB, MAX_SIDE_PX, PLATE_FORMATS, OpenImage, Part, Pixels, Window, check_file
from vfxgan.render.half import LARGEST_HALF
from vfxgan.render.options import BadPixels, BitDepth
from vfxgan.render.plate_image import PlateImage
from vfxgan.render.plate_layers import Chosen

TYPES = {"openexr": ("half", "float"), "tiff": ("half", "float", "double", "uint8", "uint16")}
INTEGERS = ("uint8", "uint16")
TIFF_KINDS = {3: "a palette", 5: "CMYK", 8: "L*a*b*"}  # PhotometricInterpretation
PNG_PALETTE = 3
HALF_HOLDS_BITS = 12
STRIP_ROWS = 256


@dataclass(frozen=True)
class Read:
    """A picture and what it took to read it.

    Attributes:
        repaired: pixels that held NaN or Inf.
    """

    image: PlateImage
    repaired: int


def open_plate(path: Path) -> OpenImage:
    """Open a plate, and refuse by name what is none, before memory is taken for it.

    Raises:
        ImageError: of another format, or a palette, CMYK or one bit; or as `OpenImage`.
    """
    check_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError:
        head = b""  # OpenImage says what is wrong with it
    if head and not head.startswith(_MAGIC):  # so no reader of some other format is let near it
        raise ImageError(f"{path}: is no EXR, PNG, TIFF or DPX; convert it to one of these")
    image = OpenImage(path)
    try:
        _check_kind(image)
    except BaseException:
        image.close()
        raise
    return image


_MAGIC = (b"v/1\x01", b"\x89PNG", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"SDPX", b"XPDS")


def _check_kind(image: OpenImage) -> None:
    if image.format not in PLATE_FORMATS.values():
        raise ImageError(f"{image.path}: is {image.format}; plates are EXR, PNG, TIFF or DPX, convert it")
    bits = image.parts[0].attributes.get("oiio:BitsPerSample", 8)
    kind = ""
    if image.format == "tiff":
        kind = TIFF_KINDS.get(image.parts[0].attributes.get("tiff:PhotometricInterpretation", 2), "")
    elif image.format == "png":
        bits, colour = _png_header(image.path)
        kind = "a palette" if colour == PNG_PALETTE else ""
    if kind or (isinstance(bits, int) and bits < 8):
        raise ImageError(f"{image.path}: is {kind or f'{bits} bit'}; convert it to RGB of 8 or 16 bits")


def check_picture(chosen: Chosen, image: OpenImage, scale: int) -> None:
    """Refuse types and windows that cannot be handled.

    Raises:
        ImageError: which, and of what size.
    """
    part, path = chosen.part, image.path
    kind = part.widest(chosen.channels)
    if kind not in TYPES.get(image.format, INTEGERS):
        raise ImageError(f"{path}: stores {kind} values; plates are half, float, or 8 or 16 bit")
    _, _, width, height = part.data
    for window in (part.data, part.display):
        if min(window[2:]) < 1 or max(map(abs, window)) * scale > MAX_SIDE_PX:
            place = f"{window[2]}×{window[3]} at {window[0]}, {window[1]}"
            raise ImageError(f"{path}: a window of {place} cannot be used at ×{scale}; crop or replace the file")
    if width * height * scale**2 * 4 * len(chosen.channels) > MAX_IMAGE_MIB * 2**20:
        large = f"{width * scale}×{height * scale}"
        raise ImageError(f"{path}: its frame of {large} would be above {MAX_IMAGE_MIB} MiB; crop the plate")


def read_image(image: OpenImage, chosen: Chosen, bad_pixels: BadPixels, label: str) -> Read:
    """Decode one picture.

    Raises:
        ImageError: cut short, or NaN or Inf in it and `bad_pixels` is "error".
    """
    part = chosen.part
    kind = part.widest(chosen.channels)
    pixels = image.read(part, chosen.channels, "float" if kind == "double" else kind)
    repaired = 0
    if pixels.dtype.kind == "f":
        pixels, repaired = _repair(pixels, part.data, bad_pixels, image.path, label)
    data, display = upright_windows(part, image.format)
    if image.format != "openexr":  # they know offsets, but no program heeds them
        pixels = _upright(pixels, part)
    plate = PlateImage(pixels, data, display, _is_unassociated(part, image.format), label)
    return Read(plate, repaired)


def depth_of(part: Part, chosen: Chosen) -> BitDepth:
    """The EXR type that holds what this plate stores."""
    kind = part.widest(chosen.channels)
    if kind in ("half", "uint8"):
        return "half"
    bits = part.attributes.get("oiio:BitsPerSample", 16)
    return "half" if kind == "uint16" and isinstance(bits, int) and bits <= HALF_HOLDS_BITS else "float"


def _is_unassociated(part: Part, file_format: str) -> bool:
    if file_format == "png":
        return True
    said = part.attributes.get("tiff:UnassociatedAlpha") or part.attributes.get("oiio:UnassociatedAlpha")
    return file_format == "tiff" and bool(said)


def _repair(pixels: Pixels, data: Window, choice: BadPixels, path: Path, label: str) -> tuple[Pixels, int]:
    """NaN and Inf by the option, in place, some rows at a time."""
    largest = LARGEST_HALF if pixels.dtype == np.float16 else np.finfo(np.float32).max
    held = float(largest) if choice == "clamp" else 0.0
    count, first = 0, None
    for top in range(0, len(pixels), STRIP_ROWS):
        strip = pixels[top : top + STRIP_ROWS]
        finite = np.isfinite(strip)
        if finite.all():
            continue
        bad = ~finite.all(axis=-1)
        count += int(bad.sum())
        if first is None:
            row, column = np.argwhere(bad)[0]
            first = (int(column) + data[0], int(row) + top + data[1])
        if choice != "error":
            if not pixels.flags.writeable:
                pixels = pixels.copy()
                strip = pixels[top : top + STRIP_ROWS]
            strip[...] = np.nan_to_num(strip, nan=0.0, posinf=held, neginf=-held)
    if count and choice == "error":
        assert first is not None
        view = f" of {label}" if label else ""
        raise ImageError(
            f"{path}: {count} pixels{view} hold NaN or Inf, the first at x {first[0]}, y {first[1]}; "
            "repair the plate, or give --bad-pixels zero or clamp"
        )
    return pixels, count


def upright_windows(part: Part, file_format: str) -> tuple[Window, Window]:
    """Data and display window of a picture as it is read: but for EXR, the right way up and at 0, 0."""
    if file_format == "openexr":
        return part.data, part.display
    _, _, width, height = part.data
    on_its_side = part.attributes.get("Orientation", 1) in (5, 6, 7, 8)
    window = (0, 0, height, width) if on_its_side else (0, 0, width, height)
    return window, window


def _upright(pixels: Pixels, part: Part) -> Pixels:
    """Undo the orientation that a camera or scanner noted (TIFF 6.0, Orientation)."""
    orientation = part.attributes.get("Orientation", 1)
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _png_header(path: Path) -> tuple[int, int]:
    """Bit depth and colour type."""
    with path.open("rb") as file:
        head = file.read(26)
    return head[24], head[25]
