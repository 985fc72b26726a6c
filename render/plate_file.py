"""A plate on disk: which colour space it is in, what of its header holds for a frame, which bytes it has."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vfxgan.errors import ImageError, UsageError
from vfxgan.images import Part, check_file
from vfxgan.render.options import AS_PLATE, REC709, OutputOptions
from vfxgan.render.primaries import Primaries, from_rec709, to_rec709
from vfxgan.render.spaces import CHROMATICITIES, Converts, conversion_of
from vfxgan.render.srgb import SrgbToLight
from vfxgan.synthetic import NAMES

# What describes how the plate was stored, or which way up, is not said of another file.
_NOT_CARRIED = ("compression", "oiio:ColorSpace", "planarconfig")
_NOT_CARRIED_PREFIXES = ("openexr:", "oiio:", "tiff:", "dpx:", "png:", "vfxgan:", "textureformat", "wrapmodes")
_OF_EXR_ALONE = ("Orientation",)  # elsewhere it was undone
_OF_COLOUR = ("colorInteropID", "chromaticities", "adoptedNeutral", "whiteLuminance")
_OF_CARRIED_CHANNELS = "cryptomatte/"
DATA = "data"
CALLED_DATA = (
    "plates that call themselves data (colorInteropID) are no colour by their own word, and are taken as "
    "linear Rec.709; --in-colorspace names another"
)
CALLED_DATA_OF_PRIMARIES = CALLED_DATA.replace("linear Rec.709", "linear light of their chromaticities")
ASSUMED = "plates that name no colour space are taken as linear Rec.709; --in-colorspace names another"


@dataclass(frozen=True)
class Spaces:
    """From a plate's colours to linear Rec.709, and from there to the frame's; None where they are the same.

    Attributes:
        keeps_header: the frame is in the plate's space, so what its header says of colour still holds.
        note: what was assumed, "" for nothing.
    """

    to_light: Converts | None
    from_light: Converts | None
    keeps_header: bool
    note: str

    @property
    def config_id(self) -> str | None:
        """Of the OCIO config, where one was used."""
        return next((used.config_id for used in (self.to_light, self.from_light) if used and used.config_id), None)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes.

    Raises:
        ImageError: it cannot be read, or is no file of bytes on disk.
    """
    check_file(path)
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


def find_spaces(part: Part, file_format: str, path: Path, output: OutputOptions) -> Spaces:
    """Which space a plate is in: by the option, its `colorInteropID`, its chromaticities, or else by its format.

    EXR and floats are linear Rec.709 then, and integers (PNG, TIFF) sRGB; DPX has to be named.

    Raises:
        ImageError: the file names a space that is unknown, or one that is none.
    """
    try:
        to_light, back, note = _plate_space(part, file_format, path, output)
        if output.format == "png":  # sRGB, which is made where it is stored
            return Spaces(to_light, None, False, note)
        if output.colorspace != AS_PLATE:
            return Spaces(to_light, conversion_of(output.colorspace, output.ocio, str(path)), False, note)
        if file_format != "openexr" and to_light is not None and not to_light.linear:
            note = note or f"plates in {to_light.space} become linear Rec.709 in EXR; --colorspace names another"
            return Spaces(to_light, None, False, note)
        return Spaces(to_light, back, output.in_colorspace is None, note)
    except UsageError as error:  # of one plate, not of the command
        raise ImageError(f"{error}; name its space with --in-colorspace") from error


def _plate_space(
    part: Part, file_format: str, path: Path, output: OutputOptions
) -> tuple[Converts | None, Converts | None, str]:
    """From the plate's space, into it, and what was assumed."""
    name, note = output.in_colorspace, ""
    told = [part.attributes.get(key) for key in ("colorInteropID", "vfxgan:colorspace")]
    named = next((value for value in told if isinstance(value, str) and value), "")
    if name is None and file_format == "dpx":
        raise ImageError(f"{path}: a DPX does not say which space it is in; name it with --in-colorspace")
    if name is None and file_format != "openexr" and _is_integer(part):
        linear = "lin_" in str(part.attributes.get("oiio:ColorSpace", "")).lower()
        return (None, None, "") if linear else (SrgbToLight(), None, "")
    if name is None and named not in ("", "unknown", DATA):
        name = named
    if name is None:
        primaries = part.attributes.get("chromaticities")
        if isinstance(primaries, tuple):
            known = _known_primaries(primaries)
            if known is None:
                return (*_own_primaries(primaries, path), CALLED_DATA_OF_PRIMARIES if named == DATA else "")
            name, note = known, CALLED_DATA_OF_PRIMARIES if named == DATA else ""
        else:
            name, note = REC709, CALLED_DATA if named == DATA else ASSUMED
    to_light = conversion_of(name, output.ocio, str(path), to_light=True)
    return to_light, conversion_of(name, output.ocio, str(path)), note


def _is_integer(part: Part) -> bool:
    return part.formats[0].startswith("uint")


def _known_primaries(primaries: Any) -> str | None:
    for name, known in CHROMATICITIES.items():
        if len(primaries) == len(known) and np.allclose(primaries, known, atol=2e-4):
            return name
    return None


def _own_primaries(primaries: Any, path: Path) -> tuple[Primaries, Primaries]:
    there, back = to_rec709(primaries), from_rec709(primaries)
    if there is None or back is None:
        shown = ", ".join(f"{value:.4g}" for value in primaries)
        raise ImageError(f"{path}: its chromaticities ({shown}) span no space; name one with --in-colorspace")
    return there, back


def carried(part: Part, file_format: str, *, colour: bool, channels: bool) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The metadata that holds for a frame made from this plate, and its types.

    Args:
        colour: the frame is in the plate's colour space.
        channels: the plate's other channels are carried, and so is what is said of them.
    """
    kept = {
        name: value
        for name, value in part.attributes.items()
        if value is not None
        and name not in _NOT_CARRIED
        and name.lower() not in NAMES  # the frame has its own
        and not name.startswith(_NOT_CARRIED_PREFIXES)
        and (colour or name not in _OF_COLOUR)
        and (channels or not name.startswith(_OF_CARRIED_CHANNELS))
        and (file_format == "openexr" or name not in _OF_EXR_ALONE)
    }
    types = {name: part.types[name] for name in kept}
    if part.name:
        kept["oiio:subimagename"] = part.name
    return kept, types
