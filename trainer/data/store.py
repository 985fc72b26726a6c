"""Decoded pictures on disk: one raw float16 file and an index a data set, made once, mapped by every process."""

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vfxgan.errors import DataError
from vfxgan.progress import ProgressStyle, say
from vfxgan.trainer.data.cache import FORMAT, Cache, open_cache
from vfxgan.trainer.data.decoding import Decoded
from vfxgan.trainer.data.filling import GIB, Filling, Goal, Item, Order, largest_window
from vfxgan.trainer.data.survey import check_corrupt
from vfxgan.trainer.options import RunOptions


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
        window = largest_window(items, order, self.limit_gib * GIB, f"--cache-gib {self.limit_gib:g}: it holds")
        key = self._key(order, window)
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
                    goal = Goal(self.folder, key, window, self.seed, self.bad_pixels, self.style)
                    Filling(items, decode, order, goal).run()
                    found = open_cache(self.folder, key)
        except OSError as error:
            raise DataError(
                f"--cache {self.folder}: decoded pictures cannot be stored ({error.strerror}); "
                "free some space, give another --cache, or a smaller --cache-gib"
            ) from error
        assert found is not None, "it was written a moment ago"
        return found

    def _key(self, order: Order, window: int | None) -> str:
        windows = {"window": window, "seed": self.seed} if window else {}
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
