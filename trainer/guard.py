"""Watch over the losses: NaN, infinity, or a value beyond the limit."""

import math

import torch
from torch import Tensor

from vfxgan.errors import TrainingError


class LossFailure(TrainingError):
    """A loss is NaN, infinite or beyond the limit."""

    def __init__(self, iteration: int, network: str, value: float) -> None:
        self.iteration, self.network, self.value = iteration, network, value
        state = f"has exploded to {value:.3g}" if math.isfinite(value) else f"is {value}"
        super().__init__(f"iteration {iteration}: the {network}'s loss {state}")


class LossGuard:
    """On the CPU each loss is looked at before its step, so that weights stay clean.

    A GPU would have to stop for that; there the losses are kept, and looked at when the loop stops anyway: at each log
    entry and before each checkpoint.
    """

    def __init__(self, limit: float, device: torch.device) -> None:
        self.limit = limit
        self.at_once = device.type != "cuda"
        self.kept: list[tuple[int, str, Tensor]] = []

    def add(self, iteration: int, network: str, loss: Tensor) -> None:
        """Take note of a loss. Raises LossFailure, on the CPU."""
        self.kept.append((iteration, network, loss.detach()))
        if self.at_once:
            self.check()

    def check(self) -> None:
        """Look at what is kept. Raises LossFailure for the first bad one."""
        if not self.kept:
            return
        kept, self.kept = self.kept, []
        values = torch.stack([loss.float() for _, _, loss in kept]).tolist()
        for (iteration, network, _), value in zip(kept, values, strict=True):
            if not abs(value) <= self.limit:
                raise LossFailure(iteration, network, value)
