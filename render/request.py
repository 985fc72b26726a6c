"""A render as asked for, and as resolved: model, frames, options. Nothing is opened or written here."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from vfxgan.errors import UsageError
from vfxgan.latents import parse_seeds
from vfxgan.modelfile import DEFAULT_MODEL, DEFAULT_UPSCALER, ModelFile, find_model, read_model
from vfxgan.render.chain import check_size, read_upscaler
from vfxgan.render.chosen_frames import choose_frames, choose_frames_of_walk
from vfxgan.render.chosen_pictures import check_choice
from vfxgan.render.devices import Device
from vfxgan.render.like import Like, read_like
from vfxgan.render.options import OutputOptions, OutputRequest, resolve_output, resolve_plate_output, walk_of
from vfxgan.render.place import find_place
from vfxgan.render.plan import Consent, Frame
from vfxgan.render.plate_frames import FoundFrames, PlateRequest, find_plate_frames
from vfxgan.render.requirement import Requirement, parse_requirement
from vfxgan.sequences import Pattern, parse_pattern

MAX_THREADS = 1024


@dataclass(frozen=True)
class RenderRequest:
    """The command line, as given; None where absent."""

    out: str
    seeds: str | None = None
    plates: str | None = None
    frames: str | None = None
    skip_missing: bool = False
    handles: int = 0
    model: str | None = None
    like: str | None = None
    runtime: str | None = None
    engine: Path | None = None
    start_frame: int | None = None
    devices: str | None = None
    required: str | None = None
    threads: int | None = None
    batch: int = 1
    sign: tuple[Path, Path] | None = None
    output: OutputRequest = field(default_factory=OutputRequest)
    consent: Consent = field(default_factory=Consent)


@dataclass(frozen=True)
class Job:
    """The same, resolved and checked.

    Attributes:
        notes: what is to be said before the start.
        place_note: how `--runtime auto` came to the runtime.
        processes: that share this machine's memory for it (`--devices`).
    """

    model: ModelFile
    frames: tuple[Frame, ...]
    pattern: Pattern
    output: OutputOptions
    runtime: str
    engine: Path | None
    devices: tuple[Device, ...]
    required: Requirement | None
    threads: int
    batch: int
    consent: Consent
    like: Like | None
    sign: tuple[Path, Path] | None = None
    upscalers: tuple[ModelFile, ...] = ()
    notes: tuple[str, ...] = ()
    place_note: str = ""
    processes: int = 1


def resolve(request: RenderRequest) -> Job:
    """Check a request as far as possible without a runtime.

    Raises:
        UsageError: options that do not go together, bad seeds, a bad pattern.
        ModelError: the model cannot be read.
    """
    like, upscaler_names = read_like(request.like, request.model) if request.like else None, request.output.upscale
    if like is not None:
        filled = like.fill(request.seeds, request.plates, request.frames, request.runtime, request.output)
        request = replace(
            request, seeds=filled.seeds, frames=filled.frames, runtime=filled.runtime, output=filled.output
        )
    _check_source(request)
    again = like if request.frames is None else None  # with --frames, others are made like it
    found = _plate_frames(request, again) if request.plates is not None else _seed_frames(request)
    frames, pattern = found.frames, found.pattern
    if found.by_file:  # the view is a file's; inside it is whatever it holds
        request = replace(request, output=replace(request.output, view=None))
    default = DEFAULT_MODEL if request.plates is None else DEFAULT_UPSCALER
    model = like.model if like else read_model(find_model(request.model, default))
    resolved = resolve_output if request.plates is None else resolve_plate_output
    output = resolved(request.output, pattern.extension, model.spec)
    check_choice(frames, output)
    upscalers = like.find_upscalers(upscaler_names) if like else tuple(map(read_upscaler, upscaler_names))
    check_size(model.spec, upscalers)
    output = replace(output, upscale=",".join(upscaler.sha256 for upscaler in upscalers) or None)
    if like is not None:
        like.check_format(output)
    place = find_place(request.runtime, request.engine, request.devices, (model, *upscalers))
    return Job(
        model=model,
        frames=tuple(frames),
        pattern=pattern,
        output=output,
        runtime=place.runtime,
        engine=request.engine,
        devices=place.devices,
        required=None if request.required is None else parse_requirement(request.required),
        threads=_checked("--threads", usable_cores() if request.threads is None else request.threads),
        batch=_checked("--batch", request.batch),
        consent=request.consent,
        like=like,
        sign=request.sign,
        upscalers=upscalers,
        notes=found.notes,
        place_note=place.note,
    )


def _check_source(request: RenderRequest) -> None:
    if request.plates is None:
        _check_seeds(request)
    elif request.seeds is not None:
        raise UsageError(f"--seeds {request.seeds} and --in {request.plates!r} are two sources; give one")
    elif request.start_frame is not None:
        raise UsageError(f"--start-frame {request.start_frame} is for seeds; plates keep their frame numbers")


def _check_seeds(request: RenderRequest) -> None:
    if request.output.walk is not None:
        if request.seeds is not None:
            raise UsageError(f"--seeds {request.seeds} and --walk are two sources; a walk's seeds are its --keys")
        if request.start_frame is not None:
            raise UsageError(f"--start-frame {request.start_frame} is for seeds; a walk says its frames: 1001-1100")
        return
    if request.seeds is None:
        raise UsageError(
            "no seeds and no plates: give --seeds 0-499, --seeds @picks.txt, --walk 1001-1100 with --keys, "
            "--in 'plate/####.exr', or --like FRAME.exr"
        )


def _seed_frames(request: RenderRequest) -> FoundFrames:
    if request.output.walk is not None:
        numbers, notes = choose_frames_of_walk(walk_of(request.output), request.frames)
        pattern = parse_pattern(request.out, len(numbers))
        return FoundFrames([Frame(number, pattern.path(number)) for number in numbers], pattern, notes)
    assert request.seeds is not None
    seeds = parse_seeds(request.seeds)
    start = request.start_frame
    pairs = {seed if start is None else start + place: seed for place, seed in enumerate(seeds)}
    chosen, notes = choose_frames(pairs, request.frames) if request.frames is not None else (pairs, ())
    pattern = parse_pattern(request.out, len(chosen))
    return FoundFrames([Frame(number, pattern.path(number), seed) for number, seed in chosen.items()], pattern, notes)


def _plate_frames(request: RenderRequest, like: Like | None) -> FoundFrames:
    assert request.plates is not None
    if Path(request.plates).suffix.lower() == ".dpx" and request.output.in_colorspace is None:
        raise UsageError(f"--in {request.plates!r}: a DPX does not say which space it is in; name it: --in-colorspace")
    asked = PlateRequest(
        request.plates, request.out, request.frames, request.skip_missing, request.handles, request.output.view
    )
    found = find_plate_frames(asked, like)
    if request.output.temporal and any(frame.plates is None for frame in found.frames):
        raise UsageError(
            f"--temporal {request.output.temporal} needs the plates around each: --in {request.plates!r} is one file, "
            "give a pattern in quotes: 'plate/####.exr', and choose frames with --frames"
        )
    return found


def usable_cores() -> int:
    """Cores that this process may use, by affinity and by the container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, -(-int(quota) // int(period))))


def _checked(option: str, value: int) -> int:
    if not 1 <= value <= MAX_THREADS:
        raise UsageError(f"{option} {value} is outside 1 … {MAX_THREADS}")
    return value
