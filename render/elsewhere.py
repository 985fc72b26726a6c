"""A render that another machine is to run: checked here as far as that goes, and written as a command for there."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from vfxgan.cpu_isa import LEVELS, NATIVE
from vfxgan.errors import UsageError
from vfxgan.modelfile import ModelFile, packaged_models
from vfxgan.render.devices import check_devices, parse_devices
from vfxgan.render.options import AS_PLATE
from vfxgan.render.request import Job, RenderRequest, resolve
from vfxgan.render.runtimes import CPU_RUNTIMES, DEFAULT_RUNTIME, check_runtime_name
from vfxgan.render.runtimes.choice import AUTO
from vfxgan.render.spaces import config_of, conversion_of, find_conversion

# A path as the other machine names it.
PathThere = Callable[[str], str]
LONGEST_LIST = 1000  # characters of a list of seeds that goes into the command; a longer one stays in its file


def resolve_elsewhere(request: RenderRequest, cpu_isa: str | None) -> Job:
    """As `resolve`, without a look at what this machine has: the runtime is that of the other one.

    Raises:
        UsageError: as `resolve`, and whatever a render says before its first frame and needs no runtime for.
    """
    runtime = request.runtime or (None if request.like else DEFAULT_RUNTIME)
    if runtime is not None:
        _check_place(runtime, request.engine, request.devices, cpu_isa)
    here = replace(request, runtime=None, engine=None, devices=None)
    job = resolve(here)
    if request.plates is None:
        find_conversion(job.output)
    else:
        for option, name in (("--in-colorspace", job.output.in_colorspace), ("--colorspace", job.output.colorspace)):
            if name not in (None, AS_PLATE) and job.output.format != "png":
                conversion_of(str(name), job.output.ocio, option)
    return job if runtime is None else replace(job, runtime=runtime)


def _check_place(runtime: str, engine: Path | None, devices: str | None, cpu_isa: str | None) -> None:
    if runtime != AUTO:
        check_runtime_name(runtime)
    if engine is not None and runtime != "tensorrt":
        raise UsageError(f"--engine {engine} goes with --runtime tensorrt")
    if engine is not None and not engine.is_file():
        raise UsageError(f"--engine {engine}: no such file; check the path")
    if devices is not None and runtime != AUTO:
        check_devices(parse_devices(devices), runtime)
    if cpu_isa is not None and cpu_isa not in LEVELS:
        raise UsageError(f"--cpu-isa {cpu_isa!r} is unknown; use {', '.join(LEVELS[:-1])} or {LEVELS[-1]}")
    if cpu_isa not in (None, NATIVE) and runtime == "onnxruntime":
        raise UsageError(
            f"--cpu-isa {cpu_isa}: onnxruntime picks its kernels by what the CPU has and cannot be held; "
            "add --runtime openvino"
        )


def may_use_gpu(runtime: str) -> bool:
    """`auto` may."""
    return runtime not in CPU_RUNTIMES


def can_be_split(request: RenderRequest, job: Job) -> bool:
    """Whether `--frames` can choose among its frames: not where it is of one plate, or of the plate of one frame."""
    if request.plates is None:
        return bool(job.pattern.padding)
    return bool(job.pattern.padding) and job.frames[0].plates is not None and not (request.like and not request.frames)


def words_of(request: RenderRequest, job: Job, cpu_isa: str | None, there: PathThere) -> tuple[str, ...]:
    """The arguments of `vfxgan render` that make this job there, whatever the settings of that machine are.

    Without `--frames`: those are the chunk's. `--handles` is left out with it, since the frames include them.
    """
    values: list[tuple[str, object]] = [("--out", there(whole(request.out))), *_source(request, job, there)]
    values += [("--upscale", model_there(model, there)) for model in job.upscalers]
    values += [(option, value) for option, value in _output(request, job, there).items() if value is not None]
    values += [(option, value) for option, value in _running(request, job, cpu_isa, there).items() if value is not None]
    words = [model_there(job.model, there)]
    for option, value in values:
        words += _option(option, str(value))
    if request.sign is not None:
        words += ["--sign", *(there(whole(str(path))) for path in request.sign)]
    return (*words, *_flags(request))


def verify_words_of(request: RenderRequest, job: Job, cpu_isa: str | None, there: PathThere) -> tuple[str, ...]:
    """The arguments of `vfxgan verify OUT --frames …`: what its frames must be of, and what their repair needs."""
    words = ["--model", model_there(job.model, there)]
    if request.seeds is not None:
        words += ["--seeds", _seeds(request.seeds, job, there)]
        words += [] if request.start_frame is None else _option("--start-frame", str(request.start_frame))
    for upscaler in job.upscalers:
        words += _option("--upscale", model_there(upscaler, there))
    words += ["--cpu-isa", cpu_isa] if cpu_isa is not None else []
    if request.plates is not None:
        words += _option("--in", there(whole(request.plates)))
    words += ["--require-signed"] if request.sign is not None else []
    return (*words, *(("--mix-runtimes",) if request.consent.mix_runtimes else ()))


def model_there(model: ModelFile, there: PathThere) -> str:
    """A packaged model has another path there, and the same name."""
    name = next((name for name, path in packaged_models().items() if path == model.path), None)
    return name or there(whole(str(model.path)))


def whole(text: str) -> str:
    """A path from the root, without `..`: by its letters, unless a link on its way makes that another place."""
    straight = os.path.abspath(text)  # noqa: PTH100 - Path.resolve would follow links that the farm may not have
    real = os.path.realpath(text)
    return straight if os.path.realpath(straight) == real else real


def _option(option: str, value: str) -> list[str]:
    """A value that looks like an option stays a value."""
    return [f"{option}={value}"] if value.startswith("-") else [option, value]


def _source(request: RenderRequest, job: Job, there: PathThere) -> Iterator[tuple[str, str]]:
    if request.like is not None:
        yield "--like", there(whole(request.like))
    if request.plates is not None:
        yield "--in", there(whole(request.plates))
    elif request.seeds is not None:
        yield "--seeds", _seeds(request.seeds, job, there)
    if request.output.walk is not None:
        yield "--walk", str(job.output.walk)
        yield "--keys", str(job.output.keys)


def _seeds(text: str, job: Job, there: PathThere) -> str:
    """A list in a file is taken as it is now, unless it is too long for a command."""
    if not text.startswith("@"):
        return text
    from vfxgan.latents import parse_seeds

    listed = ",".join(map(str, parse_seeds(text)))
    return listed if len(listed) <= LONGEST_LIST else f"@{there(whole(text[1:]))}"


def _output(request: RenderRequest, job: Job, there: PathThere) -> dict[str, object]:
    output = request.output
    ocio = output.ocio or _ocio_here(request, job)
    if ocio is not None and not ocio.startswith("ocio://"):
        ocio = there(whole(ocio))
    return {
        "--bit-depth": output.bit_depth,
        "--compression": output.compression,
        "--colorspace": output.colorspace,
        "--in-colorspace": output.in_colorspace,
        "--ocio": ocio,
        "--encoding": output.encoding,
        "--bad-pixels": output.bad_pixels,
        "--z-interval": output.z_interval,
        "--interpolation": output.interpolation,
        "--layer": output.layer,
        "--part": output.part,
        "--view": output.view,
        "--mix": output.mix,
        "--regrain": output.regrain,
        "--temporal": output.temporal,
        "--tile": output.tile,
    }


def _ocio_here(request: RenderRequest, job: Job) -> str | None:
    """The config that holds here is meant there, too, where colour is converted at all, whatever $OCIO is there."""
    converts = request.plates is not None or find_conversion(job.output) is not None
    return config_of(None)[0] if converts and request.like is None else None


def _running(request: RenderRequest, job: Job, cpu_isa: str | None, there: PathThere) -> dict[str, object]:
    required = request.required
    if required is not None and required.startswith("@"):
        required = f"@{there(whole(required[1:]))}"
    return {
        "--start-frame": request.start_frame,
        "--runtime": None if request.like and request.runtime is None else job.runtime,
        "--engine": None if request.engine is None else there(whole(str(request.engine))),
        "--devices": request.devices,
        "--cpu-isa": cpu_isa,
        "--require-runtime": required,
        "--threads": request.threads,
        "--batch": None if request.batch == 1 else request.batch,
    }


def _flags(request: RenderRequest) -> Iterator[str]:
    output = request.output
    flags = {
        "--keep-channels": output.keep_channels,
        "--tile-exact": output.tile_mode == "exact",
        "--tile-anyway": output.tile_mode == "anyway",
        "--ease": output.ease,
        "--loop": output.loop,
        "--skip-missing": request.skip_missing,
        "--overwrite": request.consent.overwrite,
        "--mix-runtimes": request.consent.mix_runtimes,
    }
    return (flag for flag, given in flags.items() if given)
