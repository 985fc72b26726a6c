"""What a training run was asked for. Frozen; unknown keys and misfits are refused together.

Every field with a description is an option of the command line, with that help: see `core/cli/train.py`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _numbers(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return tuple(int(word) for word in value.split(",")) if value else ()
    except ValueError:
        raise ValueError("not a list of numbers; write 256,128,64") from None


Widths = Annotated[tuple[int, ...], BeforeValidator(_numbers)]  # "256,128,64" on the command line


class RunOptions(BaseModel):
    """Options that every family shares. Steps and intervals are in iterations; 0 turns an interval off."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    data: str = Field(description="Folder of pictures: EXR, PNG, TIFF, JPEG.")
    iterations: int = Field(default=20_000, ge=1, description="Iterations in all.")
    batch: int | None = Field(default=None, ge=1, le=4096, description="Samples an iteration and device.")
    init: str | None = Field(
        default=None, description="Checkpoint to start from: its generator, and other networks of it that fit."
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="Everything random follows from it.")

    learning_rate: float = Field(default=2e-4, gt=0, le=0.1, description="Adam's, of all networks but for the next.")
    discriminator_learning_rate: float | None = Field(
        default=None, gt=0, le=0.1, description="The discriminator's own."
    )
    beta1: float = Field(default=0.5, ge=0, lt=1, description="Adam's first decay.")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="Adam's second decay.")
    decay_from: float = Field(
        default=1.0, gt=0, le=1, description="Share of the run after which the rate falls to 0; 1: never."
    )
    ema: float = Field(default=0.999, ge=0, lt=1, description="Decay of the averaged weights, which are exported.")

    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        default="auto", description="auto: bf16-mixed on GPUs that have it, else 32-true."
    )
    accelerator: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="Where to train.")
    devices: int = Field(default=1, ge=1, le=64, description="GPUs, or processes on the CPU.")
    strategy: Literal["auto", "ddp"] = Field(default="auto", description="How devices share the work (Fabric's).")
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="CPU threads a device. Default: all cores; --resume keeps the run's."
    )
    workers: int | None = Field(
        default=None, ge=0, le=64, description="Processes that load data. Default: 1 on the CPU, 4 a GPU."
    )
    cache: str | None = Field(default=None, description="Folder for decoded pictures. Default: cache/ in the run.")
    cache_gib: float = Field(default=32.0, gt=0, le=65536, description="Most that the cache may hold.")
    bad_pixels: Literal["error", "zero", "clamp"] = Field(
        default="zero", description="NaN and Inf in the data: refuse, make 0, or clamp Inf to the peak; always counted."
    )

    log_every: int = Field(default=50, ge=1, description="Interval of metrics.")
    sample_every: int = Field(default=1000, ge=1, description="Interval of sample grids.")
    validate_every: int = Field(default=1000, ge=0, description="Interval of validation; 0: never.")
    checkpoint_every: int = Field(default=500, ge=1, description="Interval of checkpoints.")
    keep: int = Field(default=3, ge=0, le=1000, description="Numbered checkpoints kept beside ckpt.pt and best.pt.")
    on_nan: Literal["stop", "rollback"] = Field(
        default="stop", description="A loss that is NaN or explodes: stop, or go back once and halve the rate."
    )
    loss_limit: float = Field(default=1e5, gt=0, description="A loss beyond this counts as exploding.")
