"""Make the elements data set: many processes, one EXR an element."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from vfxgan.errors import Interrupted, TargetError
from vfxgan.images import Picture, use_threads, write_picture
from vfxgan.progress import Progress
from vfxgan.trainer.elements import element

CHUNK = 16


@dataclass(frozen=True)
class ElementsJob:
    """What to make: elements 0 … count−1 of data set `seed`, `size` pixels square, as `folder/000000.exr` …"""

    folder: Path
    count: int
    size: int
    seed: int

    def path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.exr"


def write_elements(job: ElementsJob, progress: Progress, processes: int | None = None) -> None:
    """Write what is not there yet; a rerun after an interruption goes on where it stopped.

    Files are half EXR, zips, scene-linear premultiplied RGBA, the same bytes for the same seed and index.

    Raises:
        TargetError: the folder holds the elements of other settings, or other files under these names.
        WriteError: the disk is full, or not writable.
        Interrupted: Ctrl-C; elements in hand were finished.
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
                f"interrupted: at least {made} of {job.count} elements are whole; run it again"
            ) from error


def _run(chunks: list[tuple[ElementsJob, list[int]]], processes: int) -> Iterator[int]:
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


def _write_chunk(work: tuple[ElementsJob, list[int]]) -> int:
    job, indices = work
    use_threads(1)
    for index in indices:
        write_picture(job.path(index), element_picture(job.seed, index, job.size))
    return len(indices)


def element_picture(seed: int, index: int, size: int) -> Picture:
    """One element as it is stored: [size, size, 4] half, scene-linear Rec.709, premultiplied."""
    pixels = element(seed, index, size).astype(np.float16)
    return Picture(pixels, ("R", "G", "B", "A"), {"compression": "zips", "oiio:ColorSpace": "lin_rec709_scene"})


def _claim(job: ElementsJob) -> None:
    """Mark the folder with what it holds, so that two settings never mix in one."""
    text = f"vfxgan elements: seed {job.seed}, size {job.size}\n"
    mark = job.folder / "elements.txt"
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        if mark.exists():
            if mark.read_text(encoding="utf-8") != text:
                held = mark.read_text(encoding="utf-8").strip()
                raise TargetError(f"{job.folder} holds other elements ({held}); choose another --out")
            return
        if any(job.folder.glob("*.exr")):
            raise TargetError(f"{job.folder} holds EXR files that are not from this command; choose another --out")
        mark.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TargetError(f"--out {job.folder}: cannot be written ({error.strerror}); choose another folder") from error
