"""Decoded pictures on disk: one raw float16 file and an index a data set, made once, mapped by every process."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import DataError, ImageError
from vfxgan.images import use_threads
from vfxgan.progress import ProgressStyle, progress, say
from vfxgan.trainer.data.cache import FORMAT, Cache, Entry, open_cache
from vfxgan.trainer.data.decoding import Decoded
from vfxgan.trainer.data.survey import check_corrupt, cores, in_parallel, listed
from vfxgan.trainer.options import RunOptions

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
class Store:
    """Where decoded pictures are kept, and the rules for it.

    Attributes:
        limit_gib: most that one data set may take; above it, a window of each picture is kept.
        bad_pixels: "zero", "clamp" or "error": what becomes of NaN and Inf.
        seed: the run's; samples and windows follow from it.
        own: the folder belongs to one run, so that what its data set left before a change is removed.
    """

    folder: Path
    limit_gib: float
    bad_pixels: str
    seed: int
    style: ProgressStyle
    own: bool = False

    @classmethod
    def of(cls, options: RunOptions, run_folder: Path, style: ProgressStyle) -> "Store":
        """The store of a run: `--cache`, or cache/ in the run's folder."""
        folder = Path(options.cache) if options.cache else run_folder / "cache"
        return cls(folder, options.cache_gib, options.bad_pixels, options.seed, style, own=options.cache is None)

    def fill(self, items: Sequence[Item], decode: Callable[[Item], Decoded], order: Order) -> Cache:
        """Decode what is not there yet; other processes wait, then open what the first one made.

        Raises:
            DataError: more than 1 % of the files are corrupt, bad pixels with `--bad-pixels error`, a full disk, or a
                limit that holds not even the crops.
        """
        check_corrupt(order.troubles, order.files, order.folder)
        limit = _largest_window(items, order, self.limit_gib * GIB, f"--cache-gib {self.limit_gib:g}: it holds")
        key = self._key(order, limit)
        found = open_cache(self.folder, key)
        if found is not None:
            return found
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _locked(self.folder, self.style):
                if self.own:
                    _remove_outdated(self.folder, order)
                found = open_cache(self.folder, key)
                if found is None:
                    _Filling(self, items, decode, order, key, limit).run()
                    found = open_cache(self.folder, key)
        except OSError as error:
            raise DataError(
                f"--cache {self.folder}: decoded pictures cannot be stored ({error.strerror}); "
                "free some space, give another --cache, or a smaller --cache-gib"
            ) from error
        assert found is not None, "it was written a moment ago"
        return found

    def _key(self, order: Order, limit: int | None) -> str:
        windows = {"window": limit, "seed": self.seed} if limit else {}
        facts = {
            "format": FORMAT,
            "digest": order.digest,
            "channels": order.channels,
            "peak": order.peak,
            "bad_pixels": self.bad_pixels,
            **order.facts,
            **windows,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


@contextlib.contextmanager
def _locked(folder: Path, style: ProgressStyle) -> Iterator[None]:
    """One process at a time; the system lets go of the lock when its holder dies."""
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if style == "bar":
                say(f"waiting for another process that decodes into {folder}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_outdated(folder: Path, order: Order) -> None:
    """Caches of the same folder with other files in it, and what a killed writer left."""
    for left in folder.glob("*.part"):
        left.unlink()
    for index in folder.glob("*.json"):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            facts = json.loads(index.read_text())
            if facts["folder"] == order.folder and facts["digest"] != order.digest:
                index.unlink()
                index.with_suffix(".f16").unlink(missing_ok=True)


def _bytes(items: Sequence[Item], channels: int, window: float = float("inf")) -> int:
    return sum(int(min(i.height, window) * min(i.width, window)) for i in items) * channels * 2


def _largest_window(items: Sequence[Item], order: Order, budget: float, what: str) -> int | None:
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


class _Filling:
    """One pass over a data set: decode in threads, each of which writes its pictures at their own offsets."""

    def __init__(
        self,
        store: Store,
        items: Sequence[Item],
        decode: Callable[[Item], Decoded],
        order: Order,
        key: str,
        limit: int | None,
    ) -> None:
        self.store, self.items, self.decode, self.order, self.key = store, items, decode, order, key
        free = shutil.disk_usage(store.folder).free - SPARE_BYTES
        if _bytes(items, order.channels, limit or float("inf")) > free:
            limit = _largest_window(items, order, free, f"--cache {store.folder}: the free space on its disk holds")
        self.limit = limit
        self.entries: list[Entry] = []
        offset = 0
        for item in items:
            entry = self._entry(item, offset)
            self.entries.append(entry)
            offset += entry.height * entry.width * order.channels
        self.total = offset

    def _entry(self, item: Item, offset: int) -> Entry:
        height, width = (min(side, self.limit or side) for side in (item.height, item.width))
        name = int.from_bytes(hashlib.sha256(item.name.encode()).digest()[:8], "big")
        rng = np.random.default_rng((self.store.seed, name))
        top, left = int(rng.integers(item.height - height + 1)), int(rng.integers(item.width - width + 1))
        return Entry(item.name, offset, height, width, top, left)

    def run(self) -> None:
        use_threads(1)  # pictures are decoded side by side, so each by itself
        part = self.store.folder / f"{self.key}.part"
        facts: dict[str, Any] = {"skipped": list(self.order.troubles), "bad": [], "clipped": 0, "negative": 0}
        kept = []
        self.file = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666)
        try:
            with progress(self.store.style, "decoding pictures", len(self.items)) as bar:
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
        part.replace(self.store.folder / f"{self.key}.f16")
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
        return _Told(replace(decoded, signal=window[:0, :0, :0]))

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
        if facts["bad"] and self.store.bad_pixels == "error":
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
            "window": self.limit,
            "whole_gib": round(_bytes(self.items, self.order.channels) / GIB, 3),
            "files": self.order.files,
            "peak": self.order.peak,
            "bad_pixels": self.store.bad_pixels,
            **facts,
            "entries": [entry.row() for entry in kept],
        }
        part = self.store.folder / f"{self.key}.json.part"
        part.write_text(json.dumps(body))
        part.replace(self.store.folder / f"{self.key}.json")
