"""Samples a second that one worker process makes, against decoding the file anew for every sample.

The peer reads the whole picture through OpenImageIO, encodes it, cuts the same crop, and degrades it as we do: what a
data set without a cache does. Figures are of CPU time, so that other work on the machine counts less.

python benchmarks/training_data.py [--json FILE]
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import torch

from vfxgan.images import Picture, write_picture
from vfxgan.trainer.data.augment import Augment, choose_place
from vfxgan.trainer.data.decoding import Reading, decode_picture
from vfxgan.trainer.data.degraded import degrade_bicubic, open_degraded
from vfxgan.trainer.data.pairs import open_pairs
from vfxgan.trainer.data.samples import Sample, Samples, sample_rng
from vfxgan.trainer.data.single import open_pictures
from vfxgan.trainer.data.store import Store

CPU_SECONDS = 2.0
FLIP, TURN = Augment(flip=True), Augment(flip=True, turns=True)


@dataclass(frozen=True)
class Case:
    """A set as a recipe opens it, and one sample made from its files."""

    name: str
    open_set: Callable[[Path, Store], Samples]
    picture: tuple[int, int]
    peer: Callable[[list[Path], np.random.Generator], Sample] | None = None


def cut(path: Path, side: int, augment: Augment, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    signal = decode_picture(path, Reading(3, 1.0, "zero")).signal
    return choose_place(signal.shape[1:], (side, side), augment, rng).cut(signal, (side, side))


def single(files: list[Path], rng: np.random.Generator) -> Sample:
    return {"real": cut(files[int(rng.integers(len(files)))], 128, FLIP, rng) * 2 - 1}


def pair(files: list[Path], rng: np.random.Generator) -> Sample:
    index = int(rng.integers(len(files)))
    return {name: cut(files[index], 256, FLIP, rng) * 2 - 1 for name in ("source", "target")}


def degraded(files: list[Path], rng: np.random.Generator) -> Sample:
    high = cut(files[int(rng.integers(len(files)))], 192, TURN, rng)
    return {"low": degrade_bicubic(torch.from_numpy(high)[None], 4)[0].numpy(), "high": high}


def pairs_of(augment: Augment) -> Callable[[Path, Store], Samples]:
    return lambda f, s: open_pairs(f, f, crop=256, channels=(3, 3), peak=1.0, augment=augment, store=s)


def degraded_of(scale: int, degradation: Any) -> Callable[[Path, Store], Samples]:
    return lambda f, s: open_degraded(
        f, scale=scale, crop=192, degradation=degradation, peak=1.0, augment=TURN, store=s
    )


CASES = (
    Case(
        "single 128", lambda f, s: open_pictures(f, size=128, channels=3, peak=1.0, augment=FLIP, store=s),
        (128, 128), single,
    ),
    Case("pairs 256 of 1K", pairs_of(FLIP), (1024, 1024), pair),
    Case("pairs 256 of 1K, zoom 1.12", pairs_of(Augment(flip=True, scale=(1.0, 1.12))), (1024, 1024)),
    Case("pairs 256 of 1K, exposure", pairs_of(Augment(flip=True, exposure_stops=1.0)), (1024, 1024)),
    Case("degraded 192 ×4, bicubic", degraded_of(4, "bicubic"), (1080, 1920), degraded),
    Case("degraded 192 ×2, bicubic", degraded_of(2, "bicubic"), (1080, 1920)),
    Case("degraded 192 ×4, real", degraded_of(4, "real"), (1080, 1920)),
)  # fmt: skip


def write_pictures(folder: Path, size: tuple[int, int], count: int = 12) -> list[Path]:
    """Half EXR, zips: patches of noise."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"plate.{number:04}.exr" for number in range(count)]
    for number, path in enumerate(paths):
        coarse = np.random.default_rng(number).random((size[0] // 8 + 1, size[1] // 8 + 1, 3), np.float32)
        pixels = np.kron(coarse, np.ones((8, 8, 1), np.float32))[: size[0], : size[1]].astype(np.float16)
        write_picture(path, Picture(np.ascontiguousarray(pixels), ("R", "G", "B"), {"compression": "zips"}))
    return paths


def rate(make: Callable[[int], Any]) -> float:
    make(0)
    count, start = 0, time.process_time()
    while time.process_time() - start < CPU_SECONDS:
        count += 1
        make(count)
    return count / (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    facts: dict[str, Any] = {
        "machine": platform.processor() or platform.machine(),
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "openimageio": oiio.VERSION_STRING,
        "numpy": np.__version__,
        "samples_per_cpu_s": {},
    }
    print(json.dumps({key: value for key, value in facts.items() if isinstance(value, str)}))
    with tempfile.TemporaryDirectory() as name:
        for case in CASES:
            files = write_pictures(Path(name) / f"{case.picture[1]}x{case.picture[0]}", case.picture)
            start, cpu = time.perf_counter(), time.process_time()
            samples = case.open_set(files[0].parent, Store(Path(name) / "cache", 8.0, "zero", 0, "none"))
            opening = f"{time.perf_counter() - start:.2f} s, CPU {time.process_time() - cpu:.2f} s"
            ours = rate(lambda slot, samples=samples: samples[0, slot])  # type: ignore[misc]
            found = {"ours": round(ours)}
            line = f"{case.name}: {ours:.0f} samples/s; {len(files)} pictures opened in {opening}"
            if case.peer is not None:
                peer = rate(lambda slot, case=case, files=files: case.peer(files, sample_rng(0, 0, slot)))  # type: ignore[misc]
                found["decoding_each"], found["ratio"] = round(peer, 1), round(ours / peer, 1)
                line += f"; decoding each time {peer:.1f}, ratio {ours / peer:.1f}"
            facts["samples_per_cpu_s"][case.name] = found
            print(line)
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
