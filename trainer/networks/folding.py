"""How a network says which batch norms can be folded into the layer before them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import nn

Linear = nn.Conv2d | nn.ConvTranspose2d | nn.Linear


@dataclass(frozen=True)
class Fold:
    """A batch norm that acts on a layer's output, perhaps with something linear and per channel between them.

    Attributes:
        owner, norm: the module that holds the batch norm, and its attribute there; it becomes an identity.
        layer: whose weight and bias take it up. A `nn.Linear` has its features in channel-major order.
        addends: parameters [1, C, 1, 1] of terms that are added before the norm, scaled along.
    """

    owner: nn.Module
    norm: str
    layer: Linear
    addends: tuple[nn.Parameter, ...] = ()


@runtime_checkable
class Foldable(Protocol):
    """A module that holds batch norms itself."""

    def folds(self) -> Iterator[Fold]: ...
