"""A plate on disk: which channels, windows and metadata it has, which colour space, which bytes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ImageError, UsageError
from vfxgan.images import MAX_IMAGE_MIB, Layout, Pixels, choose_colour, read_channels, read_layout
from vfxgan.render.half import LARGEST_HALF
from vfxgan.render.options import AS_PLATE, REC709, BadPixels, OutputOptions
from vfxgan.render.spaces import CHROMATICITIES, Conversion, conversion_of

Array = NDArray[np.float32]

TYPES = ("half", "float")
NAMED_CHANNELS = 4
LARGEST_FLOAT = np.finfo(np.float32).max
# What describes how the plate was stored, or channels that are not carried, is not said of another file.
_NOT_CARRIED = ("compression", "multiView", "name", "view", "Orientation", "oiio:ColorSpace")
_NOT_CARRIED_PREFIXES = ("openexr:", "oiio:", "tiff:", "vfxgan:", "cryptomatte/", "textureformat", "wrapmodes")
_OF_COLOUR = ("colorInteropID", "chromaticities", "adoptedNeutral", "whiteLuminance")


@dataclass(frozen=True)
class Spaces:
    """From a plate's colours to linear Rec.709, and from there to the frame's; None where they are the same.

    Attributes:
        keeps_header: the frame is in the plate's space, so what its header says of colour still holds.
        note: what was assumed, "" for nothing.
    """

    to_light: Conversion | None
    from_light: Conversion | None
    keeps_header: bool
    note: str

    @property
    def config_id(self) -> str | None:
        """Of the OCIO config, where one was used."""
        used = self.to_light or self.from_light
        return used.config_id if used else None


@dataclass(frozen=True)
class Plate:
    """A plate's pixels.

    Attributes:
        pixels: [H, W, C] as stored, finite; C is 1 (grey), 2 (grey, alpha), 3 or 4.
        repaired: pixels that held NaN or Inf.
    """

    layout: Layout
    pixels: Pixels
    repaired: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the file is left behind."""
        left = [name for index, name in enumerate(self.layout.channels) if index not in self.layout.chosen]
        notes = []
        if left:
            named = ", ".join(left[:NAMED_CHANNELS]) + (", …" if len(left) > NAMED_CHANNELS else "")
            notes.append(f"{len(left)} other channels are not carried yet ({named})")
        if self.layout.parts > 1:
            notes.append(f"{self.layout.parts - 1} other parts are not carried yet")
        return tuple(notes)


def plate_layout(path: Path) -> Layout:
    """The header of a plate.

    Raises:
        ImageError: missing, not an image, without colour, too large, or of a type that plates have not.
    """
    layout = read_layout(path, choose_colour)
    _check_layout(layout, path)
    return layout


def read_plate(path: Path, bad_pixels: BadPixels) -> Plate:
    """Decode the colour channels of a plate.

    Raises:
        ImageError: as `plate_layout`, cut short, or NaN or Inf in it and `bad_pixels` is "error".
    """
    plate_layout(path)  # before memory is taken for its pixels
    layout, pixels = read_channels(path, choose_colour)
    finite = np.isfinite(pixels)
    if finite.all():
        return Plate(layout, pixels, 0)
    bad = ~finite.all(axis=-1)
    count = int(bad.sum())
    if bad_pixels == "error":
        y, x = np.argwhere(bad)[0]
        raise ImageError(
            f"{path}: {count} pixels hold NaN or Inf, the first at x {x + layout.data[0]}, y {y + layout.data[1]}; "
            "repair the plate, or give --bad-pixels zero or clamp"
        )
    largest = float(LARGEST_HALF if layout.type == "half" else LARGEST_FLOAT) if bad_pixels == "clamp" else 0.0
    return Plate(layout, np.nan_to_num(pixels, nan=0.0, posinf=largest, neginf=-largest), count)


def _check_layout(layout: Layout, path: Path) -> None:
    if layout.type not in TYPES:
        raise ImageError(f"{path}: stores {layout.type} values; plates are half or float EXR so far")
    for _, _, width, height in (layout.data, layout.display):
        if width < 1 or height < 1 or width * height * 16 > MAX_IMAGE_MIB * 2**20:
            raise ImageError(f"{path}: a window of {width}×{height} cannot be used; replace the file")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes.

    Raises:
        ImageError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    return digest.hexdigest()


def find_spaces(layout: Layout, path: Path, output: OutputOptions) -> Spaces:
    """Which space a plate is in, by the option, its `colorInteropID`, its chromaticities, or else linear Rec.709.

    Raises:
        ImageError: the file names a space that is unknown.
    """
    name, note = _space_of(layout, path, output)
    try:
        to_light = conversion_of(name, output.ocio, str(path), to_light=True)
        target = name if output.colorspace == AS_PLATE else output.colorspace
        from_light = conversion_of(target, output.ocio, str(path))
    except UsageError as error:  # of one plate, not of the command
        raise ImageError(f"{error}; name its space with --in-colorspace") from error
    keeps = output.colorspace == AS_PLATE and output.in_colorspace is None
    return Spaces(to_light, from_light, keeps, note)


def _space_of(layout: Layout, path: Path, output: OutputOptions) -> tuple[str, str]:
    if output.in_colorspace is not None:
        return output.in_colorspace, ""
    named = layout.attributes.get("colorInteropID") or layout.attributes.get("vfxgan:colorspace")
    if isinstance(named, str) and named not in ("", "unknown", "data"):
        return named, ""
    primaries = layout.attributes.get("chromaticities")
    if primaries is None:
        return REC709, "plates that name no colour space are taken as linear Rec.709; --in-colorspace names another"
    for name, known in CHROMATICITIES.items():
        if len(primaries) == len(known) and np.allclose(primaries, known, atol=2e-4):
            return name, ""
    shown = ", ".join(f"{value:.4g}" for value in primaries)
    raise ImageError(
        f"{path}: its chromaticities ({shown}) are of no space that is known; name one with --in-colorspace"
    )


def carried(layout: Layout, *, colour: bool) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The metadata that holds for a frame made from this plate, and its types.

    Args:
        colour: the frame is in the plate's colour space.
    """
    kept = {
        name: value
        for name, value in layout.attributes.items()
        if name not in _NOT_CARRIED
        and not name.startswith(_NOT_CARRIED_PREFIXES)
        and (colour or name not in _OF_COLOUR)
    }
    return kept, {name: layout.types[name] for name in kept}
