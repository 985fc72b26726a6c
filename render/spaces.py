"""Colour spaces of files: linear Rec.709, or any of an OpenColorIO config, through OpenImageIO."""

import difflib
import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from vfxgan.errors import ImageError, UsageError
from vfxgan.render.options import REC709, REC709_NAMES, OutputOptions

Array = NDArray[np.float32]

# Pinned: ocio://default follows the library, and the cg config has no camera spaces.
DEFAULT_CONFIG = "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4"
SOURCE_SPACE = REC709

_D65 = (0.3127, 0.3290)
_ACES_WHITE = (0.32168, 0.33767)
# Red, green, blue, white as x, y: Rec.709 ITU-R BT.709; AP0 and AP1 SMPTE ST 2065-1 and S-2014-004; Rec.2020; P3-D65.
CHROMATICITIES = {
    "lin_rec709_scene": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *_D65),
    "lin_ap1_scene": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, *_ACES_WHITE),
    "lin_ap0_scene": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.0770, *_ACES_WHITE),
    "lin_rec2020_scene": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    "lin_p3d65_scene": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
}


class Converts(Protocol):
    """A conversion of colours, through a config or by a matrix of its own."""

    @property
    def space(self) -> str: ...
    @property
    def config_id(self) -> str | None: ...
    @property
    def interop_id(self) -> str: ...
    @property
    def linear(self) -> bool: ...

    def apply(self, pixels: Array) -> Array:
        """Convert [H, W, C], premultiplied."""
        ...


@dataclass(frozen=True)
class Conversion:
    """From linear Rec.709 to one space of one config, or from there to linear Rec.709.

    Attributes:
        space: the config's own name for it.
        config: as OpenImageIO takes it.
        config_id: for the recipe: the built-in config's name, or the SHA-256 of the config file.
        interop_id: the Color Interop Forum's name for the space, "" where it has none.
        linear: whether colour can be converted premultiplied.
        to_light: the space is where it comes from.
    """

    space: str
    config: str
    config_id: str
    interop_id: str
    linear: bool
    to_light: bool = False

    def apply(self, pixels: Array) -> Array:
        """Convert [H, W, C], premultiplied.

        Raises:
            ImageError: OpenImageIO refused.
        """
        source, target = oiio.ImageBuf(np.ascontiguousarray(pixels)), oiio.ImageBuf()
        first, second = (self.space, SOURCE_SPACE) if self.to_light else (SOURCE_SPACE, self.space)
        # An alpha of OpenImageIO's own making: [H, W, 4] arrays come without channel names.
        source.specmod().alpha_channel = 3 if pixels.shape[2] == 4 else -1
        done = oiio.ImageBufAlgo.colorconvert(
            target, source, first, second, not self.linear, "", "", self.config, nthreads=1
        )
        if not done:
            raise ImageError(f"cannot be converted from {first!r} to {second!r} ({target.geterror()})")
        return np.ascontiguousarray(target.get_pixels(oiio.FLOAT))


def find_conversion(options: OutputOptions) -> Conversion | None:
    """The conversion that `--colorspace` needs; None where light is stored as it is.

    Raises:
        UsageError: the config cannot be read, or has no such space; the closest names are listed.
    """
    if options.format == "png" or options.colorspace == SOURCE_SPACE:
        if options.ocio:
            raise UsageError(f"--ocio {options.ocio!r} goes with --colorspace; name a space, or leave it out")
        return None
    return conversion_of(options.colorspace, options.ocio, "--colorspace")


def conversion_of(name: str, ocio: str | None, option: str, *, to_light: bool = False) -> Conversion | None:
    """The conversion between linear Rec.709 and a named space; None where the two are one.

    Args:
        name: as the user or the file has it.
        ocio: as `OutputOptions.ocio`.
        option: or file that named the space, for messages.
    Raises:
        UsageError: the config cannot be read, or has no such space; the closest names are listed.
    """
    if name.lower() in REC709_NAMES:
        return None
    return _conversion(name, *config_of(ocio), option, to_light)


@functools.lru_cache(maxsize=64)  # one look at a config takes longer than a small plate's colours
def _conversion(name: str, config: str, origin: str, option: str, to_light: bool) -> Conversion:
    colours = oiio.ColorConfig(config)
    trouble = colours.geterror()  # without this look, a config that is missing becomes another one
    if trouble:
        raise UsageError(f"{origin}: {' '.join(trouble.split())}; correct the path")
    space = _known_space(colours, name, origin, option)
    _known_space(colours, SOURCE_SPACE, origin, option)
    return Conversion(
        space=space,
        config=config,
        config_id=config_id_of(config),
        interop_id=colours.get_color_interop_id(space) or "",
        linear=bool(colours.isColorSpaceLinear(space)),
        to_light=to_light,
    )


def header_of(options: OutputOptions, conversion: Converts | None) -> dict[str, Any]:
    """The attributes that say which space the pixels are in.

    `colorInteropID` is written by name: `set_colorspace` would look it up in whichever config $OCIO names, and the
    same frame would get another header on another machine.
    """
    if options.format == "png":
        return {}
    if conversion is None:
        interop_id, space = "lin_rec709_scene", SOURCE_SPACE
    else:
        interop_id, space = conversion.interop_id, conversion.space
    attributes: dict[str, Any] = {"colorInteropID": interop_id} if interop_id else {"vfxgan:colorspace": space}
    if interop_id in CHROMATICITIES:
        attributes["chromaticities"] = CHROMATICITIES[interop_id]
    return attributes


def config_of(ocio: str | None) -> tuple[str, str]:
    """The config that holds, as OpenImageIO takes it, and who named it, for messages."""
    if ocio:
        return ocio, f"--ocio {ocio!r}"
    from_environment = os.environ.get("OCIO")
    if from_environment:
        return from_environment, f"$OCIO {from_environment!r}"
    return DEFAULT_CONFIG, DEFAULT_CONFIG


def config_id_of(config: str) -> str:
    """For the recipe: the built-in config's name, or the SHA-256 of the config file. Raises OSError."""
    if config.startswith("ocio://"):
        return config
    return f"sha256:{hashlib.sha256(Path(config).read_bytes()).hexdigest()}"


def _known_space(colours: Any, name: str, origin: str, option: str) -> str:
    if colours.getColorSpaceIndex(name) >= 0:
        return str(colours.resolve(name))
    names = [known for space in colours.getColorSpaceNames() for known in (space, *colours.getAliases(space))]
    by_lower = {known.lower(): known for known in names}
    close = [by_lower[known] for known in difflib.get_close_matches(name.lower(), by_lower, n=4, cutoff=0.5)]
    hint = f"close names: {', '.join(close)}" if close else f"it has {len(colours.getColorSpaceNames())} spaces"
    raise UsageError(f"{option}: {origin} has no space {name!r}; {hint}")
