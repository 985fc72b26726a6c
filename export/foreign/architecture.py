"""What the registry holds of each architecture, and how foreign weights get into a network of ours."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vfxgan.errors import ModelError
from vfxgan.export.foreign.hints import Hints, Kind
from vfxgan.spec import Argument, ImageInput, LatentInput
from vfxgan.trainer.networks import GENERATORS

Shapes = Mapping[str, tuple[int, ...]]
Tensors = dict[str, Tensor]

FILLING = frozenset({"normal_", "uniform_", "zero_", "fill_", "mul_", "kaiming_normal_", "kaiming_uniform_"})
COUNTER = "num_batches_tracked"  # of a batch norm; inference does not read it, and files before torch 0.4.1 lack it


@dataclass(frozen=True)
class Imported:
    """A network of ours with foreign weights in it, and what its spec needs.

    Attributes:
        source: what the file turned out to be, such as "ESRGAN RRDBNet, old names".
        architecture, arguments: as `vfxgan.trainer.networks` builds it.
        size: (H, W) that a generator gives.
        network: float32, on the CPU, in eval mode.
        notes: lines for the user: what was left out, what is known to differ elsewhere.
    """

    source: str
    kind: Kind
    architecture: str
    arguments: dict[str, Argument]
    input: LatentInput | ImageInput
    channels_out: int
    value_range: tuple[float, float]
    network: nn.Module
    size: tuple[int, int] | None = None
    scale: int = 1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Architecture:
    """One entry of the registry. All of it is data but the two functions.

    Attributes:
        id: what `--architecture` takes.
        title: for messages.
        names: regular expressions; each name of a tensor in such a file matches one of them as a whole.
        detect: whether names and shapes are those of this architecture. It need not look for names that do not
            belong: `names` does that.
        build: weights (float32, plain names) and what the user stated to a network. It raises ModelError where shapes
            do not fit each other and UsageError where the user has to say more; neither names the file.
    """

    id: str
    title: str
    names: tuple[str, ...]
    detect: Callable[[Shapes], bool]
    build: Callable[[Tensors, Hints], Imported]

    def strangers(self, names: Iterable[str]) -> list[str]:
        """The names that do not occur in this architecture."""
        pattern = re.compile("|".join(f"(?:{name})" for name in self.names))
        return [name for name in names if not pattern.fullmatch(name)]


def fill(architecture: str, arguments: dict[str, Argument], weights: Tensors) -> nn.Module:
    """The network with these very tensors as its parameters, in eval mode.

    It is built without memory first, so a shape that does not fit is refused before anything of its size exists.

    Args:
        weights: by the names of our network.
    Raises:
        ModelError: a tensor that is missing, too many, or of another shape.
    """
    try:
        with without_memory():
            network = GENERATORS[architecture](**arguments)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ModelError(f"its shapes make no such network ({' '.join(str(error).split())[:200]})") from error
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    held = {name: tensor for name, tensor in weights.items() if not name.endswith(COUNTER)}
    _compare(held, {name: shape for name, shape in expected.items() if not name.endswith(COUNTER)})
    held |= {name: torch.tensor(0) for name in expected if name.endswith(COUNTER)}
    network.load_state_dict(held, assign=True)
    return network.requires_grad_(False).eval()


@contextmanager
def without_memory() -> Iterator[None]:
    """Networks that are built within have shapes, but no memory and no first values."""
    with torch.device("meta"), _NoFirstValues():
        yield


class _NoFirstValues(TorchFunctionMode):
    """Leave out what fills tensors: on those without memory it does nothing, but takes seconds."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return args[0] if args and func.__name__ in FILLING else func(*args, **(kwargs or {}))


def _compare(held: Tensors, expected: Shapes) -> None:
    problems = [f"{name} is missing" for name in expected if name not in held]
    problems += [f"{name} does not belong" for name in held if name not in expected]
    problems += [
        f"{name} is {list(held[name].shape)} where {list(shape)} fits"
        for name, shape in expected.items()
        if name in held and tuple(held[name].shape) != shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ModelError(f"its weights do not fit each other: {'; '.join(problems[:3])}{more}")


def sides(tensors: Tensors, name: str) -> tuple[int, int, int, int]:
    """The shape of a convolution's weight.

    Raises:
        ModelError: it is missing, or no convolution.
    """
    shape = tuple(tensors[name].shape) if name in tensors else ()
    if len(shape) != 4:
        raise ModelError(f"{name} is {f'of the shape {list(shape)}, no convolution' if shape else 'missing'}")
    return shape


def counted(names: Collection[str], pattern: str) -> int:
    """How many blocks the names count, from 0 on: `pattern` has one group, the block's number.

    Raises:
        ModelError: a number is left out. An absurd one leaves out most before it.
    """
    numbers = {int(found[1]) for name in names if (found := re.fullmatch(pattern, name))}
    missing = next((number for number in range(len(numbers)) if number not in numbers), None)
    if missing is not None:
        raise ModelError(f"block {missing} is missing, though there is a block {max(numbers)}")
    return len(numbers)


def renamed(tensors: Tensors, patterns: Mapping[str, str]) -> Tensors:
    """The same tensors under our names: regular expressions for whole names, with what each becomes. Others stay."""
    compiled = [(re.compile(pattern), template) for pattern, template in patterns.items()]
    result: Tensors = {}
    for name, tensor in tensors.items():
        found = next(((match, template) for rule, template in compiled if (match := rule.fullmatch(name))), None)
        result[found[0].expand(found[1]) if found else name] = tensor
    return result
