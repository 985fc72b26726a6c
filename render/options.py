"""What a render was asked for, checked as a whole before anything starts."""

from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from vfxgan.errors import UsageError
from vfxgan.images import check_compression
from vfxgan.recipe import Plain
from vfxgan.render.walk import DEFAULT_INTERPOLATION, Interpolation, Walk, parse_walk
from vfxgan.spec import ImageInput, LatentInput, ModelSpec

BitDepth = Literal["half", "float", "8", "16"]
FileFormat = Literal["exr", "png"]
BadPixels = Literal["error", "zero", "clamp"]
NetworkEncoding = Literal["linear", "srgb", "acescct"]
TileMode = Literal["measured", "exact", "anyway"]

AS_PLATE: Literal["plate"] = "plate"  # of bit depth and colour space: whatever the plate has
DEPTHS: dict[FileFormat, tuple[BitDepth, ...]] = {"exr": ("half", "float"), "png": ("16", "8")}
SRGB_NAMES = ("srgb", "srgb_rec709_scene", "srgb_texture")
REC709_NAMES = ("lin_rec709", "lin_rec709_scene", "linear rec.709 (srgb)", "lin_srgb")
REC709 = "lin_rec709"
DEFAULT_COMPRESSION = "zips"
# Of a walk through seeds alone.
WALK_FIELDS = ("walk", "keys", "interpolation", "ease", "loop")
# Of plates, and of the upscaler behind a generator.
UPSCALER_FIELDS = ("mix", "tile", "tile_mode")
# Of plates alone: options, recipe entries and `OutputRequest` have one name for each.
PLATE_FIELDS = (
    "in_colorspace", "bad_pixels", "encoding", "layer", "part", "view", "keep_channels", "mix", "regrain", "tile",
    "tile_mode", "temporal",
)  # fmt: skip


@dataclass(frozen=True)
class OutputRequest:
    """Options that change pixels or their encoding, as given on the command line; None where absent."""

    bit_depth: str | None = None
    compression: str | None = None
    colorspace: str | None = None
    ocio: str | None = None
    z_interval: float | None = None
    in_colorspace: str | None = None
    bad_pixels: str | None = None
    encoding: str | None = None
    layer: str | None = None
    part: str | None = None
    view: str | None = None
    keep_channels: str | None = None
    mix: float | None = None
    regrain: float | None = None
    tile: int | None = None
    tile_mode: str | None = None
    temporal: int | None = None
    upscale: tuple[str, ...] = ()
    walk: str | None = None
    keys: str | None = None
    interpolation: str | None = None
    ease: str | None = None
    loop: str | None = None


@dataclass(frozen=True)
class OutputOptions:
    """The same, resolved.

    Attributes:
        bit_depth: "plate" for a plate's own.
        compression: of an EXR; "" for PNG, whose compression changes no pixel and is fixed.
        colorspace: "lin_rec709" (EXR, no conversion), "sRGB" (PNG), the name of a space in an OCIO config, or "plate".
        ocio: the config that was asked for; None means $OCIO, else the built-in one.
        z_interval: of seeds, None for plates.
        in_colorspace: that plates are in; None: what they say themselves.
        bad_pixels: what becomes of a plate's NaN and Inf, None for seeds.
        encoding: of the network's signal, over the model's own; None: the model's.
        layer, part, view: which pictures of a plate are processed; None: its main one, in all views.
        keep_channels: "all" carries the other channels and parts; None: they stay behind.
        mix: share of the network's picture, the rest is the plate enlarged by Lanczos; None is 1.
        regrain: share of the plate's grain that frames are to have; None: what the network leaves.
        tile: side in px of the square that the network sees at a time, overlap included; 0: the whole plate.
        tile_mode: "measured" (the overlap in the spec), "exact" (the full receptive field) or "anyway".
        temporal: frames on each side that a frame is stabilised with; None is 0.
        upscale: SHA-256 of the upscaler that a generator's pictures go through, of each in turn with commas; None for
            none.
        walk: span of frames of a walk through seeds; None for seeds that each have a frame, and for plates.
        keys: the walk's seeds, with their frames where those are not evenly spread.
        ease: the walk comes to rest on every key.
        loop: the walk goes on from its last key to its first.
    """

    format: FileFormat
    bit_depth: BitDepth | Literal["plate"]
    compression: str
    colorspace: str
    ocio: str | None
    z_interval: float | None
    in_colorspace: str | None = None
    bad_pixels: BadPixels | None = None
    encoding: NetworkEncoding | None = None
    layer: str | None = None
    part: str | None = None
    view: str | None = None
    keep_channels: Literal["all"] | None = None
    mix: float | None = None
    regrain: float | None = None
    tile: int | None = None
    tile_mode: TileMode | None = None
    temporal: int | None = None
    upscale: str | None = None
    walk: str | None = None
    keys: str | None = None
    interpolation: Interpolation | None = None
    ease: Literal["in-out"] | None = None
    loop: Literal["closed"] | None = None

    def for_recipe(self, config_id: str | None) -> dict[str, Plain]:
        """The recipe's `options`; `config_id` names the OCIO config where one was used."""
        options: dict[str, Plain] = {
            "format": self.format,
            "bit_depth": self.bit_depth,
            "colorspace": self.colorspace,
        }
        where_given = {
            "z_interval": self.z_interval,
            "compression": self.compression,
            "ocio": config_id,
            **{name: getattr(self, name) for name in PLATE_FIELDS},
            "upscale": self.upscale,
            **{name: getattr(self, name) for name in WALK_FIELDS},
        }
        return options | {name: value for name, value in where_given.items() if value not in (None, "")}


def resolve_output(request: OutputRequest, extension: str, spec: ModelSpec) -> OutputOptions:
    """Fill in defaults of a render of seeds and check options against each other.

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
    problems += [*_not_of_seeds(request), *_walk_problems(request), *_range_problems(request)]
    if not isinstance(spec.input, LatentInput):
        problems.append(
            f"model {spec.name!r} makes pictures of pictures ({spec.kind}): --seeds is for generators, "
            "give it plates with --in"
        )
    if problems:
        raise UsageError("; ".join(problems))
    assert isinstance(spec.input, LatentInput)
    is_exr = file_format == "exr"
    return OutputOptions(
        format=file_format,
        bit_depth=cast(BitDepth, request.bit_depth or DEPTHS[file_format][0]),
        compression=(request.compression or DEFAULT_COMPRESSION) if is_exr else "",
        colorspace=_canonical(request.colorspace, REC709) if is_exr else "sRGB",
        ocio=request.ocio,
        z_interval=float(spec.input.interval if request.z_interval is None else request.z_interval),
        mix=None if request.mix == 1 else request.mix,
        tile=request.tile,
        tile_mode=cast(TileMode | None, request.tile_mode),
        **_resolved_walk(request),
    )


def _not_of_seeds(request: OutputRequest) -> list[str]:
    problems = []
    for name in PLATE_FIELDS:
        value = getattr(request, name)
        if value is not None and not (request.upscale and name in UPSCALER_FIELDS):
            where = "plates (--in) and --upscale" if name in UPSCALER_FIELDS else "plates (--in)"
            problems.append(f"{option_of(name, value)} is for {where}, not for seeds")
    return problems


def _walk_problems(request: OutputRequest) -> list[str]:
    if request.walk is None:
        given = {name: getattr(request, name) for name in WALK_FIELDS}
        return [f"{option_of(name, value)} goes with --walk" for name, value in given.items() if value is not None]
    problems = []
    if request.interpolation is not None and request.interpolation not in get_args(Interpolation):
        known = ", ".join(get_args(Interpolation))
        problems.append(f"--interpolation {request.interpolation!r} is unknown; use {known}")
    try:
        walk_of(request)
    except UsageError as error:
        problems.append(str(error))
    return problems


def _resolved_walk(request: OutputRequest) -> dict[str, Any]:
    """The walk's options in the one way that they go into a recipe."""
    if request.walk is None:
        return {}
    walk = walk_of(request)
    interpolation = request.interpolation or DEFAULT_INTERPOLATION
    shape = {"interpolation": interpolation, "ease": request.ease, "loop": request.loop}
    return {"walk": walk.span_text, "keys": walk.keys_text, **shape}


def walk_of(options: "OutputRequest | OutputOptions") -> Walk:
    """The walk that was asked for.

    Raises:
        UsageError: its keys or its span are none, or do not fit each other.
    """
    if options.keys is None:
        raise UsageError("--walk needs its seeds; give --keys 0,50,100")
    assert options.walk is not None
    return parse_walk(options.walk, options.keys, loops=options.loop is not None)


def resolve_plate_output(request: OutputRequest, extension: str, spec: ModelSpec) -> OutputOptions:
    """The same for a render of plates.

    Raises:
        UsageError: every problem, in one message.
    """
    file_format: FileFormat = "png" if extension == ".png" else "exr"
    is_exr = file_format == "exr"
    problems = [] if request.bit_depth == AS_PLATE else _depth_problems(request, file_format)
    problems += [*_space_problems(request, file_format), *_compression_problems(request, file_format)]
    if request.keep_channels is not None and not is_exr:
        problems.append("--keep-channels: a PNG holds no other channels; write .exr, or leave it out")
    if request.z_interval is not None:
        problems.append(f"--z-interval {request.z_interval:g} is for seeds, not for plates (--in)")
    for name, known in (("bad_pixels", BadPixels), ("encoding", NetworkEncoding)):
        value = getattr(request, name)
        if value is not None and value not in get_args(known):
            problems.append(f"{option_of(name, value)} is unknown; use {', '.join(get_args(known))}")
    problems += _range_problems(request)
    given = {name: getattr(request, name) for name in ("upscale", *WALK_FIELDS)}
    problems += [
        f"{option_of(name, value)} is for seeds, not for plates (--in)" for name, value in given.items() if value
    ]
    if not isinstance(spec.input, ImageInput):
        problems.append(f"model {spec.name!r} makes pictures of seeds ({spec.kind}); give --seeds, not --in")
    elif spec.input.channels not in (1, 3, 4):
        problems.append(f"model {spec.name!r} takes {spec.input.channels} channels; plates have 1, 3 or 4")
    if problems:
        raise UsageError("; ".join(problems))
    return OutputOptions(
        format=file_format,
        bit_depth=cast(BitDepth, request.bit_depth or AS_PLATE),
        compression=(request.compression or DEFAULT_COMPRESSION) if is_exr else "",
        colorspace=_canonical(request.colorspace, AS_PLATE) if is_exr else "sRGB",
        ocio=request.ocio,
        z_interval=None,
        in_colorspace=_canonical(request.in_colorspace, "") or None,
        bad_pixels=cast(BadPixels, request.bad_pixels or "error"),
        encoding=cast(NetworkEncoding | None, request.encoding),
        layer=request.layer,
        part=request.part,
        view=request.view,
        keep_channels=cast(Literal["all"] | None, request.keep_channels),
        mix=None if request.mix == 1 else request.mix,
        regrain=request.regrain or None,
        tile=request.tile,
        tile_mode=cast(TileMode | None, request.tile_mode),
        temporal=request.temporal or None,
    )


def option_of(name: str, value: object) -> str:
    """An option as the user wrote it, for messages: `--in-colorspace 'ACEScg'`, `--mix 0.5`, `--loop`."""
    if name == "tile_mode":
        return f"--tile-{value}"
    flag = f"--{name.replace('_', '-')}"
    return flag if name in ("keep_channels", "ease", "loop", "upscale") else f"{flag} {value!r}"


# What each number may be, and what it counts.
_RANGES: dict[str, tuple[float, float, str]] = {
    "mix": (0, 1, "of the network's picture"),
    "regrain": (0, 4, "of the plate's grain"),
    "tile": (0, 16384, "px"),
    "temporal": (0, 8, "frames on each side"),
}


def _range_problems(request: OutputRequest) -> list[str]:
    problems = []
    for name, (low, high, unit) in _RANGES.items():
        value = getattr(request, name)
        if value is not None and not low <= value <= high:
            problems.append(f"{option_of(name, value)} is outside {low:g} … {high:g} {unit}")
    return problems


def _canonical(name: str | None, default: str) -> str:
    if name is None:
        return default
    return REC709 if name.lower() in REC709_NAMES else name


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
