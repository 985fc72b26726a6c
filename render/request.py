"""A render as asked for, and as resolved: model, frames, options. Nothing is opened or written here."""

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from vfxgan.errors import UsageError
from vfxgan.latents import parse_seeds
from vfxgan.modelfile import ModelFile, find_model, read_model
from vfxgan.render.like import Like, read_like
from vfxgan.render.options import OutputOptions, OutputRequest, resolve_output
from vfxgan.render.plan import Consent, Frame
from vfxgan.render.runtimes import DEFAULT_RUNTIME, check_runtime_name
from vfxgan.sequences import Pattern, parse_pattern

MAX_THREADS = 1024


@dataclass(frozen=True)
class RenderRequest:
    """The command line, as given; None where absent."""

    out: str
    seeds: str | None = None
    model: str | None = None
    like: str | None = None
    runtime: str | None = None
    start_frame: int | None = None
    threads: int | None = None
    batch: int = 1
    output: OutputRequest = field(default_factory=OutputRequest)
    consent: Consent = field(default_factory=Consent)


@dataclass(frozen=True)
class Job:
    """The same, resolved and checked."""

    model: ModelFile
    frames: tuple[Frame, ...]
    pattern: Pattern
    output: OutputOptions
    runtime: str
    threads: int
    batch: int
    consent: Consent
    like: Like | None


def resolve(request: RenderRequest) -> Job:
    """Check a request as far as possible without a runtime.

    Raises:
        UsageError: options that do not go together, bad seeds, a bad pattern.
        ModelError: the model cannot be read.
    """
    like = read_like(request.like, request.model) if request.like else None
    if like is not None:
        filled = like.fill(request.seeds, request.runtime, request.output)
        request = replace(request, seeds=filled.seeds, runtime=filled.runtime, output=filled.output)
    seeds = parse_seeds(_given(request.seeds))
    pattern = parse_pattern(request.out, len(seeds))
    model = like.model if like else read_model(find_model(request.model))
    output = resolve_output(request.output, pattern.extension, model.spec)
    if like is not None:
        like.check_format(output)
    return Job(
        model=model,
        frames=tuple(frames_of(seeds, pattern, request.start_frame)),
        pattern=pattern,
        output=output,
        runtime=check_runtime_name(request.runtime or DEFAULT_RUNTIME),
        threads=_checked("--threads", usable_cores() if request.threads is None else request.threads),
        batch=_checked("--batch", request.batch),
        consent=request.consent,
        like=like,
    )


def frames_of(seeds: list[int], pattern: Pattern, start_frame: int | None) -> list[Frame]:
    """Seed s to frame s, or the i-th seed of the list to frame `start_frame` + i.

    Raises:
        UsageError: two seeds for one file.
    """
    numbers = seeds if start_frame is None else [start_frame + place for place in range(len(seeds))]
    frames = [Frame(number, seed, pattern.path(number)) for number, seed in zip(numbers, seeds, strict=True)]
    path, count = Counter(frame.path for frame in frames).most_common(1)[0]
    if count > 1:
        raise UsageError(f"--seeds: {count} seeds go to one frame, {path}; list each once, or give --start-frame")
    return frames


def usable_cores() -> int:
    """Cores that this process may use, by affinity and by the container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, -(-int(quota) // int(period))))


def _given(seeds: str | None) -> str:
    if seeds is None:
        raise UsageError("no seeds: give --seeds 0-499, --seeds @picks.txt, or --like FRAME.exr")
    return seeds


def _checked(option: str, value: int) -> int:
    if not 1 <= value <= MAX_THREADS:
        raise UsageError(f"{option} {value} is outside 1 … {MAX_THREADS}")
    return value
