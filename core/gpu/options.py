"""What TensorRT is told when it builds an engine. All of it is in the engine's key."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Side = Annotated[int, Field(ge=1, le=16384)]
Size = tuple[Side, Side]  # H, W
Dimension = Annotated[int, Field(ge=1, le=1 << 24)]

HardwareLevel = Literal["none", "ampere-plus", "same-compute-capability"]


class Frozen(BaseModel):
    """Strict: what comes from a file is refused unless it has the very types written here."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Profile(Frozen):
    """Sizes that one engine takes, (H, W) each: from `min` to `max`, made for `opt`."""

    min: Size
    opt: Size
    max: Size

    @model_validator(mode="after")
    def _in_order(self) -> "Profile":
        for low, best, high in zip(self.min, self.opt, self.max, strict=True):
            if not low <= best <= high:
                raise ValueError(f"profile: min {self.min}, opt {self.opt} and max {self.max} are not in order")
        return self


class BuildOptions(Frozen):
    """What a user may say about an engine.

    Attributes:
        batch: frames at a time; fixed, a shorter last batch is padded.
        tile: (H, W) of the input of an image model, fixed. None for generators, and where the ONNX file has a size.
        profile: in its place, a range of sizes.
        workspace_mib: GPU memory that a build may use for trying kernels; None: all.
        opt_level: 0 (quick build) … 5 (slow build); 3 is TensorRT's own default.
        hardware_compat: "ampere-plus": every GPU from Ampere on; "same-compute-capability": other GPUs of that number.
        version_compat: later TensorRT versions take it too. Such an engine holds code, which is run when it is opened.
        tf32: let FP32 layers round their factors to 10 bits. TensorRT's own default is yes, ours no.
    """

    batch: int = Field(default=1, ge=1, le=1024)
    tile: Size | None = None
    profile: Profile | None = None
    workspace_mib: int | None = Field(default=None, ge=16, le=1 << 20)
    opt_level: int = Field(default=3, ge=0, le=5)
    hardware_compat: HardwareLevel = "none"
    version_compat: bool = False
    tf32: bool = False

    @model_validator(mode="after")
    def _one_kind_of_size(self) -> "BuildOptions":
        if self.tile is not None and self.profile is not None:
            raise ValueError("tile: one size, or a profile of sizes, not both")
        return self


class InputShapes(Frozen):
    """The input as the builder is told: name, and [B, …] at least, at best and at most."""

    name: str = Field(min_length=1, max_length=256)
    min: tuple[Dimension, ...] = Field(min_length=2, max_length=8)
    opt: tuple[Dimension, ...] = Field(min_length=2, max_length=8)
    max: tuple[Dimension, ...] = Field(min_length=2, max_length=8)

    @model_validator(mode="after")
    def _alike(self) -> "InputShapes":
        if not len(self.min) == len(self.opt) == len(self.max):
            raise ValueError("min, opt and max have different numbers of dimensions")
        if any(not low <= best <= high for low, best, high in zip(self.min, self.opt, self.max, strict=True)):
            raise ValueError(f"min {self.min}, opt {self.opt} and max {self.max} are not in order")
        return self

    @property
    def static(self) -> bool:
        """One shape only."""
        return self.min == self.max
