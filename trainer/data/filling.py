"""Decoding a data set into one raw file and its index."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import DataError, ImageError
from vfxgan.images import use_threads
from vfxgan.progress import ProgressStyle, progress
from vfxgan.trainer.data.cache import FORMAT, Entry
from vfxgan.trainer.data.decoding import Decoded
from vfxgan.trainer.data.survey import check_corrupt, cores, in_parallel, listed

GIB = 2**30
SPARE_BYTES = 256 * 2**20  # left on the disk for checkpoints and logs
DECODING_BYTES = 3 * GIB  # bounds how many pictures are decoded at once
BYTES_A_VALUE_IN_WORK = 16  # float32 at several stages


@dataclass(frozen=True)
class Item:
    """One picture to be cached; height and width are those that it is stored with."""

    name: str
    files: tuple[Path, ...]
    height: int
    width: int


@dataclass(frozen=True)
class Order:
    """What is to be cached.

    Attributes:
        folder: as the user gave it, for messages.
        digest: of the files' names and bytes.
        channels: of a stored picture, all sides of a pair together.
        peak: scene-linear light that stands at 1.
        smallest: the crop; windows are never smaller.
        facts: whatever else the stored numbers depend on; with the digest they are the cache's key.
        troubles: files that were found corrupt already, a sentence each.
        files: how many there were in all.
    """

    folder: str
    digest: str
    channels: int
    smallest: int
    peak: float
    facts: Mapping[str, Any]
    troubles: Sequence[str]
    files: int


@dataclass(frozen=True)
class Goal:
    """Where a cache is to stand and under which rules: see `Store`.

    Attributes:
        window: side of the square that is kept of each picture; None: all of it.
    """

    folder: Path
    key: str
    window: int | None
    seed: int
    bad_pixels: str
    style: ProgressStyle


def _bytes(items: Sequence[Item], channels: int, window: float = float("inf")) -> int:
    return sum(int(min(i.height, window) * min(i.width, window)) for i in items) * channels * 2


def largest_window(items: Sequence[Item], order: Order, budget: float, what: str) -> int | None:
    """The largest square window such that all fit; None where whole pictures do.

    Args:
        what: the beginning of the message that says what the budget in bytes is.

    Raises:
        DataError: windows of the size of the crop do not fit.
    """
    if _bytes(items, order.channels) <= budget:
        return None
    least = _bytes(items, order.channels, order.smallest)
    if least > budget:
        raise DataError(
            f"{what} not even {order.smallest}×{order.smallest} px of each of the {len(items)} pictures of "
            f"{order.folder}, for which {least / GIB:.3g} GiB are needed; give more, or crop smaller"
        )
    low, high = order.smallest, max(max(item.height, item.width) for item in items)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _bytes(items, order.channels, middle) <= budget else (low, middle)
    return low


@dataclass(frozen=True)
class _Told:
    """What the decoding of one item came to."""

    decoded: Decoded | None
    trouble: str = ""


class Filling:
    """One pass over a data set: decode in threads, each of which writes its pictures at their own offsets."""

    def __init__(self, items: Sequence[Item], decode: Callable[[Item], Decoded], order: Order, goal: Goal) -> None:
        self.items, self.decode, self.order, self.goal = items, decode, order, goal
        self.window = goal.window
        free = shutil.disk_usage(goal.folder).free - SPARE_BYTES
        if _bytes(items, order.channels, goal.window or float("inf")) > free:
            what = f"--cache {goal.folder}: the free space on its disk holds"
            self.window = largest_window(items, order, free, what)
        self.entries: list[Entry] = []
        offset = 0
        for item in items:
            entry = self._entry(item, offset)
            self.entries.append(entry)
            offset += entry.height * entry.width * order.channels
        self.total = offset

    def _entry(self, item: Item, offset: int) -> Entry:
        height, width = (min(side, self.window or side) for side in (item.height, item.width))
        name = int.from_bytes(hashlib.sha256(item.name.encode()).digest()[:8], "big")
        rng = np.random.default_rng((self.goal.seed, name))
        top, left = int(rng.integers(item.height - height + 1)), int(rng.integers(item.width - width + 1))
        return Entry(item.name, offset, height, width, top, left)

    def run(self) -> None:
        use_threads(1)  # pictures are decoded side by side, so each by itself
        part = self.goal.folder / f"{self.goal.key}.part"
        facts: dict[str, Any] = {"skipped": list(self.order.troubles), "bad": [], "clipped": 0, "negative": 0}
        kept = []
        self.file = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666)
        try:
            with progress(self.goal.style, "decoding pictures", len(self.items), every_s=1) as bar:
                # closing: no thread may write any more once the file is closed and its number is another file's
                with contextlib.closing(in_parallel(self._one, range(len(self.items)), self._threads())) as results:
                    for told, item, entry in zip(results, self.items, self.entries, strict=True):
                        if self._count(told, item, facts):
                            kept.append(entry)
                        bar.advance()
                self._check(facts)
                for trouble in facts["skipped"]:  # only now: a run that stops lists them in its one message
                    bar.warn(f"skipped: {trouble}")
            os.truncate(self.file, self.total * 2)
            os.fsync(self.file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(self.file)
        part.replace(self.goal.folder / f"{self.goal.key}.f16")
        self._write_index(facts, kept)

    def _threads(self) -> int:
        values = max(item.height * item.width for item in self.items) * self.order.channels
        return max(1, min(cores(), DECODING_BYTES // (values * BYTES_A_VALUE_IN_WORK)))

    def _one(self, index: int) -> _Told:
        item, entry = self.items[index], self.entries[index]
        try:
            decoded = self.decode(item)
        except ImageError as error:
            return _Told(None, str(error))
        if decoded.signal.shape != (self.order.channels, item.height, item.width):
            return _Told(None, f"{item.files[0]}: its header and its pixels differ in size; replace the file")
        window = decoded.signal[:, entry.top : entry.top + entry.height, entry.left : entry.left + entry.width]
        self._write(window, entry.offset * 2)
        return _Told(replace(decoded, signal=np.empty((0, 0, 0), np.float16)))

    def _write(self, values: NDArray[np.float16], offset: int) -> None:
        left = np.ascontiguousarray(values).view(np.uint8).data.cast("B")
        while left:  # a write may be cut short where the disk fills up; the next one then says so
            written = os.pwrite(self.file, left, offset)
            left, offset = left[written:], offset + written

    def _count(self, told: _Told, item: Item, facts: dict[str, Any]) -> bool:
        if told.decoded is None:
            facts["skipped"].append(told.trouble)
            return False
        if told.decoded.bad:
            facts["bad"].append([item.name, told.decoded.bad])
        facts["clipped"] += told.decoded.clipped
        facts["negative"] += told.decoded.negative
        return True

    def _check(self, facts: Mapping[str, Any]) -> None:
        check_corrupt(facts["skipped"], self.order.files, self.order.folder)
        if facts["bad"] and self.goal.bad_pixels == "error":
            names = listed([f"{name} ({count})" for name, count in facts["bad"]])
            raise DataError(
                f"--bad-pixels error: {len(facts['bad'])} pictures of {self.order.folder} hold NaN or Inf pixels: "
                f"{names}; repair them, or give --bad-pixels zero or clamp"
            )

    def _write_index(self, facts: Mapping[str, Any], kept: Sequence[Entry]) -> None:
        body = {
            "format": FORMAT,
            "folder": self.order.folder,
            "digest": self.order.digest,
            "channels": self.order.channels,
            "values": self.total,
            "window": self.window,
            "whole_gib": round(_bytes(self.items, self.order.channels) / GIB, 3),
            "files": self.order.files,
            "peak": self.order.peak,
            "bad_pixels": self.goal.bad_pixels,
            **facts,
            "entries": [entry.row() for entry in kept],
        }
        part = self.goal.folder / f"{self.goal.key}.json.part"
        part.write_text(json.dumps(body))
        part.replace(self.goal.folder / f"{self.goal.key}.json")
