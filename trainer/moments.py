"""What Adam remembers, out of a checkpoint that may be hostile."""

from typing import Any

import torch
from torch import Tensor


def load_moments(optimizer: torch.optim.Optimizer, stored: dict[str, Any]) -> None:
    """Take over step counts and moments; rates and all else stay the optimizer's own.

    torch does not compare their shapes with the weights', and would write past them.

    Raises:
        KeyError, TypeError, ValueError: something is missing, or is not what Adam wrote for these weights.
    """
    kept: dict[int, dict[str, Tensor]] = {}
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for index, found in stored["state"].items():
        if not isinstance(index, int) or not 0 <= index < len(weights):
            raise ValueError(f"moments of a weight {index!r}, which is not there")
        shape = weights[index].shape
        kept[index] = {
            "step": _checked(found["step"], torch.Size()),
            "exp_avg": _checked(found["exp_avg"], shape),
            "exp_avg_sq": _checked(found["exp_avg_sq"], shape),
        }
    optimizer.load_state_dict({"state": kept, "param_groups": optimizer.state_dict()["param_groups"]})


def _checked(value: Any, shape: torch.Size) -> Tensor:
    if not isinstance(value, Tensor) or value.layout != torch.strided or not value.is_floating_point():
        raise ValueError("moments that are not dense numbers")
    if value.shape != shape:
        raise ValueError(f"moments of shape {list(value.shape)} for a weight of {list(shape)}")
    return value.clone()  # a view of fewer numbers than it has places could not be written to
