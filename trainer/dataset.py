"""Make a data set of procedural pictures: many processes, one EXR a picture."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np

from vfxgan.errors import Interrupted, TargetError
from vfxgan.images import Picture, use_threads, write_picture
from vfxgan.progress import Progress
from vfxgan.trainer.elements import element
from vfxgan.trainer.leaves import leaves

CHUNK = 16


@dataclass(frozen=True)
class DatasetJob:
    """What to make: pictures 0 … count−1 of data set `seed`, `size` pixels square, as `folder/000000.exr` …"""

    kind: Literal["elements", "leaves"]
    folder: Path
    count: int
    size: int
    seed: int

    def path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.exr"


def write_dataset(job: DatasetJob, progress: Progress, processes: int | None = None) -> None:
    """Write what is not there yet; a rerun after an interruption goes on where it stopped.

    Files are half EXR, zips, scene-linear, the same bytes for the same seed and index: light above 1 is kept, so that
    training can choose another exposure.

    Raises:
        TargetError: the folder holds the pictures of other settings, or other files under these names.
        WriteError: the disk is full, or not writable.
        Interrupted: Ctrl-C; pictures in hand were finished.
    """
    _claim(job)
    todo = [index for index in range(job.count) if not job.path(index).exists()]
    chunks = [(job, todo[start : start + CHUNK]) for start in range(0, len(todo), CHUNK)]
    with progress:
        progress.skip(job.count - len(todo))
        made = job.count - len(todo)
        try:
            for done in _run(chunks, processes or os.cpu_count() or 1):
                made += done
                for _ in range(done):
                    progress.advance()
        except KeyboardInterrupt as error:
            raise Interrupted(
                f"interrupted: at least {made} of {job.count} {job.kind} are whole; run it again"
            ) from error


def _run(chunks: list[tuple[DatasetJob, list[int]]], processes: int) -> Iterator[int]:
    if processes == 1 or len(chunks) <= 1:
        yield from map(_write_chunk, chunks)
        return
    # spawn: the parent holds OpenImageIO's threads, which a fork would copy in an unknown state
    with ProcessPoolExecutor(processes, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        try:
            yield from pool.map(_write_chunk, chunks)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write_chunk(work: tuple[DatasetJob, list[int]]) -> int:
    job, indices = work
    use_threads(1)
    for index in indices:
        write_picture(job.path(index), PICTURES[job.kind](job.seed, index, job.size))
    return len(indices)


def element_picture(seed: int, index: int, size: int) -> Picture:
    """One element as it is stored: [size, size, 4] half, scene-linear Rec.709, premultiplied."""
    pixels = element(seed, index, size).astype(np.float16)
    return Picture(pixels, ("R", "G", "B", "A"), {"compression": "zips", "oiio:ColorSpace": "lin_rec709_scene"})


def leaves_picture(seed: int, index: int, size: int) -> Picture:
    """One dead-leaves picture as it is stored: [size, size, 3] half, scene-linear Rec.709."""
    pixels = leaves(seed, index, size).astype(np.float16)
    return Picture(pixels, ("R", "G", "B"), {"compression": "zips", "oiio:ColorSpace": "lin_rec709_scene"})


PICTURES: dict[str, Callable[[int, int, int], Picture]] = {"elements": element_picture, "leaves": leaves_picture}


def _claim(job: DatasetJob) -> None:
    """Mark the folder with what it holds, so that two settings never mix in one."""
    text = f"vfxgan {job.kind}: seed {job.seed}, size {job.size}\n"
    mark = job.folder / f"{job.kind}.txt"
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        if mark.exists():
            if mark.read_text(encoding="utf-8") != text:
                held = mark.read_text(encoding="utf-8").strip()
                raise TargetError(f"{job.folder} holds other {job.kind} ({held}); choose another --out")
            return
        if any(job.folder.glob("*.exr")):
            raise TargetError(f"{job.folder} holds EXR files that are not from this command; choose another --out")
        mark.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TargetError(f"--out {job.folder}: cannot be written ({error.strerror}); choose another folder") from error
