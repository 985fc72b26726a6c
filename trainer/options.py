"""What a training run was asked for. Frozen; unknown keys and misfits are refused together."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vfxgan.trainer.networks.dcgan import base_and_stages
from vfxgan.trainer.networks.dcgan_discriminator import DiscriminatorNorm


class RunOptions(BaseModel):
    """Options that every family shares.

    Attributes:
        iterations: generator steps in all.
        batch: pictures a step; None: chosen by resolution.
        ema: decay of the running mean of weights that is exported.
        sample_every, checkpoint_every, snapshot_every: iterations; 0 turns snapshots off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    seed: int = Field(default=0, ge=0, lt=2**32)
    iterations: int = Field(default=20_000, ge=1)
    batch: int | None = Field(default=None, ge=2, le=4096)
    learning_rate: float = Field(default=2e-4, gt=0, le=0.1)
    discriminator_learning_rate: float | None = Field(default=None, gt=0, le=0.1)
    beta1: float = Field(default=0.5, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    decay_from: float = Field(default=1.0, gt=0, le=1, description="share of the run after which the rate falls to 0")
    ema: float = Field(default=0.999, ge=0, lt=1)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, ge=1, le=1024)
    log_every: int = Field(default=50, ge=1)
    sample_every: int = Field(default=1000, ge=1)
    checkpoint_every: int = Field(default=500, ge=1)
    snapshot_every: int = Field(default=0, ge=0)


class DcganOptions(RunOptions):
    """Options of `vfxgan train dcgan`; the meaning of the networks' stands in `trainer/networks/`."""

    size: int = 128
    channels_out: Literal[3, 4] = 4
    peak: float = Field(default=16.0, ge=1, le=65504)
    toe: float = Field(default=0.01, ge=0, le=0.25)
    z_size: int = Field(default=100, ge=1, le=4096)
    interval: float = Field(default=1.0, gt=0, le=100)
    channels: tuple[int, ...] = ()
    upsample: Literal["transpose", "bilinear"] = "transpose"
    noise_to: int = Field(default=0, ge=0, le=1024)
    border_px: int = Field(default=0, ge=0, le=512)
    discriminator_channels: tuple[int, ...] = ()
    discriminator_norm: DiscriminatorNorm = "batch"
    unshuffle: bool = False
    minibatch_std: bool = False
    loss: Literal["bce", "hinge"] = "bce"
    extra_step_every: int = Field(default=50, ge=0)
    shift_px: int = Field(default=0, ge=0, le=256)
    flip: bool = True

    @model_validator(mode="after")
    def _size_can_be_built(self) -> "DcganOptions":
        base_and_stages(self.size)
        if 2 * self.border_px > self.size:
            raise ValueError(f"border_px: {self.border_px} is more than half of {self.size}")
        return self

    @property
    def batch_size(self) -> int:
        """Pictures a step: as given, else what a card of 2017 held, Marchesi 2017 (128 at 192 px … 6 at 1024 px)."""
        if self.batch is not None:
            return self.batch
        return next(batch for side, batch in BATCH_OF_SIZE.items() if self.size <= side)


BATCH_OF_SIZE = {192: 128, 256: 64, 384: 32, 512: 20, 768: 10, 1024: 6}
