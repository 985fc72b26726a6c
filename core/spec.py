"""ModelSpec: what a model file says about itself. It travels in ONNX metadata and in checkpoints."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vfxgan.errors import ModelError

SPEC_VERSION = 2  # 2: precision, ranges, what the parity gate allowed, where foreign weights come from
METADATA_KEY = "vfxgan"

Argument = int | float | str | bool | tuple[int, ...]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LatentInput(_Frozen):
    """The input of a generator: one latent vector a frame.

    Attributes:
        size: entries of the latent, the input is [1, size] float32.
        distribution: "uniform" in [-interval, interval], or "normal" with standard deviation `interval`.
    """

    kind: Literal["latent"] = "latent"
    size: int = Field(ge=1, le=1 << 20)
    distribution: Literal["uniform", "normal"] = "uniform"
    interval: float = Field(gt=0, le=100)


class ImageInput(_Frozen):
    """The input of a translator or upscaler: [1, channels, H, W], H and W multiples of `size_multiple`."""

    kind: Literal["image"] = "image"
    channels: int = Field(ge=1, le=64)
    size_multiple: int = Field(default=1, ge=1, le=4096)


class Encoding(_Frozen):
    """The signal the network was trained on; see `vfxgan.colour`.

    Attributes:
        peak: scene-linear light at the top of the network's range; 1 is plain sRGB.
        toe: encoded values up to here become exactly 0, up to twice this they ease in. Removes a tanh's haze.
        extended: the network was trained on values beyond its range and takes them whole. If not, what lies beyond is
            cut off before the network and added back, resized, after it.
    """

    name: Literal["extended-srgb"] = "extended-srgb"
    peak: float = Field(default=1.0, ge=1.0, le=65504.0)
    toe: float = Field(default=0.0, ge=0.0, le=0.25)
    extended: bool = False


class Tiling(_Frozen):
    """How a plate may be cut. `whole`: not at all (image-wide statistics).

    Attributes:
        overlap_px: of the input, the smallest found that keeps a tile within `overlap_error` of the untiled result.
        overlap_error: the largest difference at that overlap, as a share of the value range.
        receptive_field_px: radius, of the input: an output pixel depends on nothing beyond it.
    """

    mode: Literal["tiles", "whole"] = "whole"
    overlap_px: int | None = Field(default=None, ge=0)
    overlap_error: float | None = Field(default=None, ge=0)
    receptive_field_px: int | None = Field(default=None, ge=0)


class Provenance(_Frozen):
    """Where the weights come from.

    Attributes:
        data_digest: SHA-256 of the training files' names and bytes.
        source: what kind of foreign file they were read from, such as "ESRGAN RRDBNet, old names".
        source_sha256: of that file.
    """

    data_digest: str | None = None
    iterations: int | None = Field(default=None, ge=0)
    code_version: str | None = None
    licence: str | None = None
    source: str | None = None
    source_sha256: str | None = None


class Parity(_Frozen):
    """What export measured between PyTorch in FP32 and the artefact, in the network's range.

    Attributes:
        reference: PyTorch and its version; for an ONNX file of other origin, that file.
        runtime: that ran the artefact, and its version.
        seeds: how many inputs were compared.
        inputs: what they were.
        psnr_db: against the width of the value range; 999 where nothing differs.
        allowed_max_abs_error, allowed_psnr_db: what the gate was set to; looser than usual only by a flag.
    """

    reference: str | None = None
    runtime: str
    seeds: int
    inputs: Literal["seeds", "pictures", "plates"] | None = None
    max_abs_error: float
    psnr_db: float
    allowed_max_abs_error: float | None = None
    allowed_psnr_db: float | None = None


class Ranges(_Frozen):
    """What the range audit saw: half precision ends at 65,504, and CPU runtimes would not show it.

    Attributes:
        largest: magnitude of any intermediate, or of any sum on the way to one, over all inputs.
        inputs: how many the network was run on.
        kept_fp32: nodes that stay FP32 because they came above half of what half precision holds.
    """

    largest: float
    inputs: int
    kept_fp32: tuple[str, ...] = ()


class ModelSpec(_Frozen):
    """All that render needs to know about a model.

    Attributes:
        size: (H, W) of the output of a generator, None for image models.
        value_range: what the network emits; (-1, 1) after a tanh.
        channels_out: 3 for RGB, 4 for premultiplied RGBA.
        precision: of weights and convolutions in the file; its input and output are float32 in either case.
    """

    spec_version: int = SPEC_VERSION
    name: str = Field(min_length=1, max_length=128)
    kind: Literal["generator", "translator", "upscaler"]
    architecture: str
    arguments: dict[str, Argument] = {}
    input: Annotated[LatentInput | ImageInput, Field(discriminator="kind")]
    size: tuple[int, int] | None = None
    scale: int = Field(default=1, ge=1, le=16)
    value_range: tuple[float, float] = (-1.0, 1.0)
    encoding: Encoding = Encoding()
    channels_out: Literal[3, 4]
    tiling: Tiling = Tiling()
    provenance: Provenance = Provenance()
    precision: Literal["fp32", "fp16"] = "fp32"
    ranges: Ranges | None = None
    parity: Parity | None = None

    @model_validator(mode="after")
    def _fields_fit_each_other(self) -> "ModelSpec":
        if (self.kind == "generator") != isinstance(self.input, LatentInput):
            raise ValueError(f"kind: a {self.kind} cannot have an input of kind {self.input.kind!r}")
        if (self.kind == "generator") != (self.size is not None):
            raise ValueError("size: a generator, and only a generator, states its output size")
        if self.size is not None and not all(1 <= side <= 16384 for side in self.size):
            raise ValueError(f"size: {self.size} is outside 1 … 16384")
        if self.value_range not in ((-1.0, 1.0), (0.0, 1.0)):
            raise ValueError(f"value_range: {self.value_range} is neither (-1, 1) nor (0, 1)")
        return self

    def to_json(self) -> str:
        """One line of JSON, keys sorted: the same spec gives the same text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def parse_spec(text: str | dict[str, Any], source: str) -> ModelSpec:
    """Read a spec that came with a file.

    Args:
        text: JSON, or the decoded object.
        source: the file's name, for messages.
    Raises:
        ModelError: not JSON, an unknown key, a value out of range, or a newer spec version.
    """
    try:
        fields = json.loads(text) if isinstance(text, str) else text
    except ValueError as error:
        raise ModelError(f"{source}: its vfxgan spec is not JSON ({error}); export the model again") from error
    if not isinstance(fields, dict):
        raise ModelError(
            f"{source}: its vfxgan spec is a {type(fields).__name__}, not an object; export the model again"
        )
    version = fields.get("spec_version", 0)
    if isinstance(version, int) and version > SPEC_VERSION:
        raise ModelError(
            f"{source}: made by a newer vfxgan (spec version {version}, this one knows {SPEC_VERSION}); upgrade vfxgan"
        )
    try:
        return ModelSpec.model_validate(fields)
    except ValidationError as error:
        raise ModelError(f"{source}: its vfxgan spec does not fit: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """All problems of a pydantic model in one line: "field -> inner: reason (got value)"."""
    parts = []
    for problem in error.errors():
        where = " -> ".join(str(step) for step in problem["loc"])
        reason = problem["msg"].removeprefix("Value error, ")
        got = "" if isinstance(problem["input"], dict) else f" (got {problem['input']!r})"
        parts.append(f"{where}: {reason}{got}" if where else reason)
    return "; ".join(parts)
