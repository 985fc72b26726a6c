"""Files as people have them: random weights under published names, saved like their programs save them.

What the networks should give is written out in the tests from each architecture's description, with
torch.nn.functional in float64 on the raw weights. Nothing here goes through a network of ours.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vfxgan.export.sources import Hints, Source, open_source


@dataclass
class Weights:
    """A state dict in the making."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    stream: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(5))

    def normal(self, *shape: int, deviation: float = 1.0) -> Tensor:
        return torch.randn(*shape, generator=self.stream) * deviation

    def conv(self, name: str, *shape: int, bias: bool = True, gain: float = 1.4, transposed: bool = False) -> None:
        """`shape` is that of the weight: [out, in, k, k], or for a transposed one [in, out, k, k]."""
        inputs = shape[0] if transposed else shape[1]
        taps = inputs * shape[2] * shape[3] / (4 if transposed else 1)
        self.tensors[f"{name}.weight"] = self.normal(*shape, deviation=gain / taps**0.5)
        if bias:
            self.tensors[f"{name}.bias"] = self.normal(shape[1] if transposed else shape[0], deviation=0.3)

    def norm(self, name: str, channels: int, *, affine: bool = True, statistics: bool = True) -> None:
        if affine:
            self.tensors[f"{name}.weight"] = 1 + self.normal(channels, deviation=0.3)
            self.tensors[f"{name}.bias"] = self.normal(channels, deviation=0.3)
        if statistics:
            self.tensors[f"{name}.running_mean"] = self.normal(channels, deviation=0.5)
            self.tensors[f"{name}.running_var"] = self.normal(channels).abs() + 0.5
            self.tensors[f"{name}.num_batches_tracked"] = torch.tensor(7)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The networks are so small that threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def weights() -> Weights:
    return Weights()


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Write a body under a name; .safetensors as such, all else with torch.save."""

    def write(body: Mapping[str, Any], name: str = "net.pth") -> Path:
        path = tmp_path / name
        if path.suffix == ".safetensors":
            from safetensors.torch import save_file

            save_file(dict(body), path)
        else:
            torch.save(body, path)
        return path

    return write


@pytest.fixture
def opened(saved: Callable[..., Path]) -> Callable[..., Source]:
    """Save a state dict and open it."""

    def go(body: Mapping[str, Any], file: str = "net.pth", **stated: Any) -> Source:
        return open_source(saved(body, file), Hints(**stated))

    return go


@pytest.fixture
def differs() -> Callable[[Source, Tensor, Tensor], float]:
    """The largest difference between what was opened and what was expected, which must not be empty or saturated."""

    def measure(source: Source, entry: Tensor, expected: Tensor) -> float:
        assert source.network is not None
        assert not source.network.training
        with torch.no_grad():
            found = source.network(entry)
        assert found.shape == expected.shape
        assert found.dtype == torch.float32
        assert expected.std() > 0.05
        if source.spec.value_range == (-1.0, 1.0):
            assert (expected.abs() < 0.98).double().mean() > 0.5, "saturated: errors would not show"
        return float((found.double() - expected).abs().max())

    return measure
