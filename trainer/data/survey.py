"""A first look at a folder: sizes and checksums, before anything is decoded."""

import hashlib
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vfxgan.errors import DataError, ImageError
from vfxgan.progress import ProgressStyle, progress
from vfxgan.trainer.data.decoding import Header, read_header

MOST_CORRUPT = 0.01  # share of the files that may be skipped
LISTED = 10

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Surveyed:
    """A file that was looked at.

    Attributes:
        header: None where it cannot be read, and then `trouble` says why.
    """

    path: Path
    checksum: str
    header: Header | None
    trouble: str = ""


def survey(paths: Sequence[Path], style: ProgressStyle) -> list[Surveyed]:
    """Headers and SHA-256 of files, in order; one that cannot be read is marked, not raised."""
    with progress(style, "looking through pictures", len(paths), every_s=1) as bar:
        results = []
        for result in in_parallel(_look, paths):
            results.append(result)
            bar.advance()
    return results


def _look(path: Path) -> Surveyed:
    checksum = ""
    try:
        checksum = _checksum(path)
        return Surveyed(path, checksum, read_header(path))
    except ImageError as error:
        return Surveyed(path, checksum, None, str(error))
    except OSError as error:
        return Surveyed(path, checksum, None, f"{path}: {error.strerror}; check its permissions")


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def in_parallel(work: Callable[[T], R], items: Sequence[T], threads: int | None = None) -> Generator[R, None, None]:
    """Results in order, from threads; few are ahead of the reader, and an error ends the rest."""
    threads = threads or cores()
    with ThreadPoolExecutor(threads) as pool:
        try:
            waiting = [pool.submit(work, item) for item in items[: 2 * threads]]
            for index in range(len(items)):
                yield waiting.pop(0).result()
                if index + 2 * threads < len(items):
                    waiting.append(pool.submit(work, items[index + 2 * threads]))
        finally:
            pool.shutdown(cancel_futures=True)


def digest_of(files: Sequence[Surveyed], prefix: str = "") -> str:
    """SHA-256 over the names and bytes of files."""
    lines = "".join(f"{prefix}{file.path.name} {file.checksum}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def listed(things: Sequence[str]) -> str:
    """A list for one line of text; the rest of a long one is counted."""
    more = f" and {len(things) - LISTED} more" if len(things) > LISTED else ""
    return ", ".join(things[:LISTED]) + more


def check_corrupt(troubles: Sequence[str], count: int, folder: str) -> None:
    """Let a few corrupt files pass.

    Raises:
        DataError: more than 1 % of `count` files are corrupt; they are listed.
    """
    if len(troubles) > MOST_CORRUPT * count:
        raise DataError(
            f"--data {folder}: {len(troubles)} of {count} files cannot be used, more than {MOST_CORRUPT:.0%}: "
            f"{listed(troubles)}"
        )
