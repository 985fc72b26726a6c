"""What differs between families of models; the loop knows nothing else of them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from vfxgan.progress import ProgressStyle
from vfxgan.spec import ModelSpec
from vfxgan.trainer.options import RunOptions

GENERATOR = "generator"


class Recipe(ABC):
    """One family. The network called "generator" is the one that is averaged (EMA) and exported."""

    options_type: ClassVar[type[RunOptions]]

    @abstractmethod
    def __init__(self, options: Any) -> None: ...

    @property
    @abstractmethod
    def batch_size(self) -> int:
        """Pictures a step, resolved."""

    @abstractmethod
    def load_data(self, style: ProgressStyle) -> None:
        """Read the training set. Raises DataError."""

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """Fresh networks by name, "generator" among them."""

    @abstractmethod
    def phases(self, iteration: int) -> tuple[str, ...]:
        """The networks to step at this iteration, in order; a name may come twice."""

    @abstractmethod
    def loss(
        self, phase: str, nets: Mapping[str, nn.Module], rng: Generator, place: Any
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of one step and the scalars to log. `rng` is fresh for (seed, iteration, step)."""

    @abstractmethod
    def calibrate(self, generator: nn.Module) -> None:
        """Settle what an averaged network has to measure again, such as batch-norm statistics."""

    @abstractmethod
    def sample(self, generator: nn.Module) -> NDArray[Any]:
        """[N, S, S, 3] uint8 of fixed seeds, for the sample grid."""

    @abstractmethod
    def spec(self, iteration: int) -> ModelSpec:
        """The spec of the generator as it stands."""

    @abstractmethod
    def warnings(self, means: Mapping[str, float]) -> list[str]:
        """What the recent mean of the logged scalars gives cause to say."""
