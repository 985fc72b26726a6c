"""A decoded data set as it lies on disk; opened lazily, so that it travels to other processes as a path."""

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import DataError
from vfxgan.trainer.data.survey import listed

FORMAT = 1  # raised whenever the numbers in a cache, or their order, change


@dataclass(frozen=True)
class Entry:
    """One stored picture.

    Attributes:
        offset: of its first value in the file, in values.
        top, left: of the window that was kept, in the whole picture.
    """

    name: str
    offset: int
    height: int
    width: int
    top: int
    left: int

    def row(self) -> list[Any]:
        return [self.name, self.offset, self.height, self.width, self.top, self.left]


@dataclass(frozen=True)
class Cache:
    """A data set, mapped.

    Attributes:
        path: raw float16, pictures [channels, H, W] in 0…1 one behind the other.
        notes: what was counted while decoding, a sentence each.
    """

    path: Path
    channels: int
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def picture(self, index: int) -> NDArray[np.float16]:
        """[channels, H, W] float16 in 0…1, read as it is looked at."""
        entry = self.entries[index]
        values = _mapped(self.path)[entry.offset : entry.offset + entry.height * entry.width * self.channels]
        return values.reshape(self.channels, entry.height, entry.width)

    def size(self, index: int) -> tuple[int, int]:
        return self.entries[index].height, self.entries[index].width


@functools.lru_cache(maxsize=8)  # one mapping a process and file
def _mapped(path: Path) -> NDArray[np.float16]:
    return np.asarray(np.memmap(path, np.float16, mode="r"))


def open_cache(folder: Path, key: str) -> Cache | None:
    """The cache of a key, or None where it is not there, or not whole."""
    data = folder / f"{key}.f16"
    try:
        facts = json.loads((folder / f"{key}.json").read_text())
        whole = facts["format"] == FORMAT and data.stat().st_size == facts["values"] * 2
        entries = tuple(Entry(*row) for row in facts["entries"])
        return Cache(data, facts["channels"], entries, tuple(_notes(facts))) if whole else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _notes(facts: dict[str, Any]) -> list[str]:
    notes = []
    if facts["skipped"]:
        notes.append(f"{len(facts['skipped'])} of {facts['files']} files cannot be used and were skipped")
    if facts["bad"]:
        made = "made 0" if facts["bad_pixels"] == "zero" else "clamped (NaN made 0)"
        names = listed([f"{name} ({count})" for name, count in facts["bad"]])
        total = sum(count for _, count in facts["bad"])
        notes.append(f"{total} NaN or Inf pixels in {_pictures(len(facts['bad']))}, {made}: {names}")
    if facts["clipped"]:
        notes.append(f"light above --peak {facts['peak']:g} in {_pictures(facts['clipped'])}, clipped there")
    if facts["negative"]:
        notes.append(f"negative light in {_pictures(facts['negative'])}, clipped at 0")
    if facts["window"]:
        notes.append(
            f"decoded, the pictures take {facts['whole_gib']:.3g} GiB, more than --cache-gib or the disk allow: "
            f"of each, a window of at most {facts['window']}×{facts['window']} px is used"
        )
    return notes


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


def hold_out(cache: Cache, count: int, folder: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Split into pictures for training and pictures held out, as indices.

    The names' hashes decide, so that a picture that is added moves at most one other from one side to the other.

    Raises:
        DataError: nothing would be left to train on.
    """
    if count >= len(cache):
        raise DataError(
            f"--data {folder}: {len(cache)} usable pictures, of which {count} are to be held out; add more, or lower "
            "--held-out"
        )
    order = sorted(range(len(cache)), key=lambda index: _rank(cache.entries[index].name))
    return tuple(sorted(order[count:])), tuple(order[:count])


def _rank(name: str) -> str:
    return hashlib.sha256(Path(name).stem.encode()).hexdigest()


def chosen(training: Sequence[int], rng: np.random.Generator) -> int:
    """One of the pictures for training."""
    return training[int(rng.integers(len(training)))]
