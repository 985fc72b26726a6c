"""What a render was asked for, checked as a whole before anything starts."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

from vfxgan.errors import UsageError
from vfxgan.images import check_compression
from vfxgan.recipe import Plain
from vfxgan.spec import LatentInput, ModelSpec

BitDepth = Literal["half", "float", "8", "16"]
FileFormat = Literal["exr", "png"]

DEPTHS: dict[FileFormat, tuple[BitDepth, ...]] = {"exr": ("half", "float"), "png": ("16", "8")}
SRGB_NAMES = ("srgb", "srgb_rec709_scene", "srgb_texture")
REC709_NAMES = ("lin_rec709", "lin_rec709_scene", "linear rec.709 (srgb)", "lin_srgb")
DEFAULT_COMPRESSION = "zips"


@dataclass(frozen=True)
class OutputRequest:
    """Options that change pixels or their encoding, as given on the command line; None where absent."""

    bit_depth: str | None = None
    compression: str | None = None
    colorspace: str | None = None
    ocio: str | None = None
    z_interval: float | None = None


@dataclass(frozen=True)
class OutputOptions:
    """The same, resolved.

    Attributes:
        compression: of an EXR; "" for PNG, whose compression changes no pixel and is fixed.
        colorspace: "lin_rec709" (EXR, no conversion), "sRGB" (PNG), or the name of a space in an OCIO config.
        ocio: the config that was asked for; None means $OCIO, else the built-in one.
    """

    format: FileFormat
    bit_depth: BitDepth
    compression: str
    colorspace: str
    ocio: str | None
    z_interval: float

    def for_recipe(self, config_id: str | None) -> dict[str, Plain]:
        """The recipe's `options`; `config_id` names the OCIO config where one was used."""
        options: dict[str, Plain] = {
            "format": self.format,
            "bit_depth": self.bit_depth,
            "colorspace": self.colorspace,
            "z_interval": self.z_interval,
        }
        if self.compression:
            options["compression"] = self.compression
        if config_id:
            options["ocio"] = config_id
        return options


def resolve_output(request: OutputRequest, extension: str, spec: ModelSpec) -> OutputOptions:
    """Fill in defaults and check options against each other.

    Args:
        extension: of the output pattern, ".exr" or ".png".
    Raises:
        UsageError: every problem, in one message.
    """
    file_format: FileFormat = "png" if extension == ".png" else "exr"
    problems = [*_depth_problems(request, file_format), *_space_problems(request, file_format)]
    problems += _compression_problems(request, file_format)
    if request.z_interval is not None and not 0 < request.z_interval <= 100:
        problems.append(f"--z-interval {request.z_interval:g} is outside 0 … 100 (0 excluded)")
    if not isinstance(spec.input, LatentInput):
        problems.append(f"model {spec.name!r} makes pictures of pictures ({spec.kind}): --seeds is for generators")
    if problems:
        raise UsageError("; ".join(problems))
    assert isinstance(spec.input, LatentInput)
    is_exr = file_format == "exr"
    return OutputOptions(
        format=file_format,
        bit_depth=cast(BitDepth, request.bit_depth or DEPTHS[file_format][0]),
        compression=(request.compression or DEFAULT_COMPRESSION) if is_exr else "",
        colorspace=_canonical(request.colorspace, "lin_rec709") if is_exr else "sRGB",
        ocio=request.ocio,
        z_interval=float(spec.input.interval if request.z_interval is None else request.z_interval),
    )


def _canonical(name: str | None, default: str) -> str:
    return default if name is None or name.lower() in REC709_NAMES else name


def _depth_problems(request: OutputRequest, file_format: FileFormat) -> list[str]:
    allowed = DEPTHS[file_format]
    if request.bit_depth is None or request.bit_depth in allowed:
        return []
    if request.bit_depth not in get_args(BitDepth):
        return [f"--bit-depth {request.bit_depth!r} is unknown; use half or float (EXR), 8 or 16 (PNG)"]
    return [f"--bit-depth {request.bit_depth} does not go with {file_format.upper()}; use {' or '.join(allowed)}"]


def _space_problems(request: OutputRequest, file_format: FileFormat) -> list[str]:
    if file_format == "exr" or request.colorspace is None or request.colorspace.lower() in SRGB_NAMES:
        return []
    return [f"--colorspace {request.colorspace!r} cannot go into a PNG, which is display-referred sRGB; write .exr"]


def _compression_problems(request: OutputRequest, file_format: FileFormat) -> list[str]:
    if request.compression is None:
        return []
    if file_format == "png":
        return [f"--compression {request.compression!r} is for EXR; a PNG takes none"]
    try:
        check_compression(request.compression)
    except UsageError as error:
        return [str(error)]
    return []
