"""What differs between families of models; the loop knows nothing else of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from vfxgan.progress import ProgressStyle
from vfxgan.spec import ModelSpec
from vfxgan.trainer.data.samples import Samples
from vfxgan.trainer.options import RunOptions

GENERATOR = "generator"

Batch = dict[str, Tensor]  # float32 on the run's device, [N, …] by the names of the sample


@dataclass(frozen=True)
class Step:
    """One optimiser step.

    Attributes:
        network: whose weights step, a key of `Recipe.networks()`.
        loss: scalar, with its graph; the loop goes backward through it.
        scalars: detached values to log. Names starting with "loss/" are shown in the progress line and in loss.png.
    """

    network: str
    loss: Tensor
    scalars: Mapping[str, Tensor] = field(default_factory=dict)


class Networks(Mapping[str, nn.Module]):
    """The networks in training, as Fabric wraps them."""

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        unsynchronised: Callable[[nn.Module], AbstractContextManager[Any]] = lambda _: nullcontext(),
    ) -> None:
        self._modules = dict(modules)
        self._unsynchronised = unsynchronised

    def __getitem__(self, name: str) -> nn.Module:
        return self._modules[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    @contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        """Forward passes inside give these networks' weights no gradient; what goes in still gets its own.

        Every pass through a discriminator for the generator's sake belongs in here: it saves the work, and on several
        devices the others would wait for gradients that never come.
        """
        with ExitStack() as stack:
            for name in names:
                stack.enter_context(self._unsynchronised(self._modules[name]))
                self._modules[name].requires_grad_(False)
            try:
                yield
            finally:
                for name in names:
                    self._modules[name].requires_grad_(True)


class Recipe(ABC):
    """One family. The network called "generator" is the one that is averaged (EMA), sampled and exported.

    Attributes:
        options_type: the family's options; every field with a description becomes an option of `vfxgan train FAMILY`.
        best: the validation metric that decides which checkpoint is kept as best.pt, and whether "min" or "max" is.
    """

    options_type: ClassVar[type[RunOptions]]
    best: ClassVar[tuple[str, Literal["min", "max"]] | None] = None

    @property
    def has_unused_parameters(self) -> bool:
        """Whether some weights take no part in some iterations; several devices must know."""
        return False

    @abstractmethod
    def __init__(self, options: Any) -> None: ...

    @property
    @abstractmethod
    def batch_size(self) -> int:
        """Samples an iteration and device, resolved."""

    @abstractmethod
    def load_data(self, folder: Path, style: ProgressStyle) -> Samples:
        """List, check and cache the training set (kept by the recipe too); `folder` is the run's. Raises DataError."""

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """Fresh networks by name, "generator" among them. Weights follow from torch's global seed alone."""

    @abstractmethod
    def steps(self, iteration: int, nets: Networks, batch: Batch, rng: Generator) -> Iterator[Step]:
        """The optimiser steps of one iteration. The loop steps the named network before the next one is asked for.

        Args:
            rng: CPU generator, seeded for this iteration; draw everything random from it. torch's global generators
                (dropout) are seeded alike.
        """

    @abstractmethod
    def sample(self, generator: nn.Module) -> NDArray[Any]:
        """[N, H, W, 3] uint8 for the sample grid: the same inputs each time."""

    @abstractmethod
    def spec(self, iteration: int) -> ModelSpec:
        """The spec of the generator as it stands."""

    def calibrate(self, generator: nn.Module) -> None:  # noqa: B027 (most networks have nothing to settle)
        """Settle what an averaged network has to measure again, such as batch-norm statistics."""

    def validate(self, generator: nn.Module) -> dict[str, float]:
        """Metrics of the averaged network on pictures held out, by name ("val/psnr"); none by default."""
        return {}

    def warnings(self, means: Mapping[str, float]) -> list[str]:
        """What the recent means of the logged scalars give cause to say; the first word tells them apart."""
        return []
