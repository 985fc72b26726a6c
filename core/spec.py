"""ModelSpec: what a model file says about itself. It travels in ONNX metadata and in checkpoints."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vfxgan.errors import ModelError

SPEC_VERSION = 1
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
    """

    name: Literal["extended-srgb"] = "extended-srgb"
    peak: float = Field(default=1.0, ge=1.0, le=65504.0)
    toe: float = Field(default=0.0, ge=0.0, le=0.25)


class Tiling(_Frozen):
    """How a plate may be cut. `whole`: not at all (image-wide statistics)."""

    mode: Literal["tiles", "whole"] = "whole"
    overlap_px: int | None = Field(default=None, ge=0)
    overlap_error: float | None = Field(default=None, ge=0)
    receptive_field_px: int | None = Field(default=None, ge=0)


class Provenance(_Frozen):
    """Where the weights come from. `data_digest` is a SHA-256 of the training files' names and bytes."""

    data_digest: str | None = None
    iterations: int | None = Field(default=None, ge=0)
    code_version: str | None = None
    licence: str | None = None


class Parity(_Frozen):
    """What export measured between the network and the file, over fixed seeds, in the network's range."""

    runtime: str
    seeds: int
    max_abs_error: float
    psnr_db: float


class ModelSpec(_Frozen):
    """All that render needs to know about a model.

    Attributes:
        size: (H, W) of the output of a generator, None for image models.
        value_range: what the network emits; (-1, 1) after a tanh.
        channels_out: 3 for RGB, 4 for premultiplied RGBA.
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
