"""Batches made ahead of the loop, in worker processes; what an iteration gets does not depend on how many."""

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vfxgan.errors import VfxganError
from vfxgan.trainer.data.samples import Sample, Samples

AHEAD = 4  # batches a worker keeps ready
ROLLBACK_STRIDE = 1 << 40  # a repeated stretch of iterations draws other samples


@dataclass(frozen=True)
class Share:
    """Which samples a process takes: `batch` slots an iteration, from `rank`·`batch` on."""

    batch: int
    rank: int = 0
    rollbacks: int = 0


@dataclass(frozen=True)
class Places:
    """The (iteration, slot) of each batch, in order."""

    start: int
    end: int
    share: Share

    def __len__(self) -> int:
        return self.end - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        offset = self.share.rollbacks * ROLLBACK_STRIDE
        first = self.share.rank * self.share.batch
        for iteration in range(self.start, self.end):
            yield [(iteration + offset, first + slot) for slot in range(self.share.batch)]


class Loader:
    """Iterate over the batches of `places`, on `device`.

    Attributes:
        waited_s: seconds that the loop has stood waiting for data since the count was last taken.
    """

    def __init__(self, samples: Samples, places: Places, workers: int, device: torch.device) -> None:
        self.device = device
        self.waited_s = 0.0
        ahead: dict[str, Any] = {}
        if workers:
            # spawn: the parent holds OpenImageIO's and torch's threads, which a fork would copy in an unknown state
            ahead = {"multiprocessing_context": "spawn", "prefetch_factor": AHEAD, "worker_init_fn": _settle_worker}
        self._batches = DataLoader(
            _Sound(samples),
            batch_sampler=places,
            collate_fn=_stack,
            num_workers=workers,
            **ahead,
        )

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        batches = iter(self._batches)
        while True:
            start = time.perf_counter()
            arrays = next(batches, None)
            if arrays is None:
                return
            if isinstance(arrays, VfxganError):
                raise arrays
            batch = {name: self._place(array) for name, array in arrays.items()}
            self.waited_s += time.perf_counter() - start
            yield batch

    def _place(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            tensor = tensor.pin_memory().to(self.device, non_blocking=True)
        tensor = tensor.float()
        return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


class _Sound(Dataset[Sample | VfxganError]):
    """Our own errors come back as values: raised in a worker, they would reach the user with its traceback inside."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __getitem__(self, place: Any) -> Sample | VfxganError:
        try:
            return self.samples[place]
        except VfxganError as error:
            return error


def _stack(samples: list[Sample | VfxganError]) -> dict[str, NDArray[Any]] | VfxganError:
    for sample in samples:
        if isinstance(sample, VfxganError):
            return sample
    whole = [sample for sample in samples if not isinstance(sample, VfxganError)]
    # arrays, not tensors: they come through a pipe, where tensors would need shared memory that containers are short of
    return {name: np.stack([sample[name] for sample in whole]) for name in whole[0]}


def _settle_worker(_index: int) -> None:
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the loop ends it in order


def default_workers(device: torch.device) -> int:
    """One on the CPU, where the cores are the loop's; four a GPU."""
    return 4 if device.type == "cuda" else 1
