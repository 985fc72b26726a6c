"""The render that a submission is of: its command line read by render's own parser, checked, and made whole."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import typer

from vfxgan.cli import export, render
from vfxgan.cli.option_groups import SectionedCommand
from vfxgan.cli.render_project import with_project
from vfxgan.cli.render_request import request_of
from vfxgan.cli.submit_sign import sign_notes

if TYPE_CHECKING:
    from vfxgan.farm.plan import RenderPart
    from vfxgan.version_claim import Claim
    from vfxgan.versions import Target

DEFAULT_CORES = 4
# Of render, those that mean nothing in a chunk of a farm job, or that the job sets itself.
NOT_FOR_FARMS = {
    "preview": "a chunk sees its own frames only; make a sheet or a film of all with vfxgan contact-sheet afterwards",
    "dry_run": "give submit's own --dry-run",
    "progress": "the engine says how",
    "as_device": "it is vfxgan's own",
}


@dataclass(frozen=True)
class FarmRender:
    """A render, ready to be planned.

    Attributes:
        out: pattern, as this machine names it.
        shot: of the output convention.
        gpu: its runtime may be one for GPUs; `devices` of them.
        threads: of a task.
        any_size: the model has no size of its own.
        verify: arguments of `vfxgan verify` that say what the frames must be of.
        notes: what is to be said before it is submitted.
        claim: of the version that `--version next` gave.
    """

    part: "RenderPart"
    out: str
    shot: str | None
    runtime: str
    gpu: bool
    devices: int
    threads: int
    is_packaged: bool
    has_upscalers: bool
    any_size: bool
    verify: tuple[str, ...]
    notes: tuple[str, ...]
    claim: "Claim | None" = None


def options_of_render() -> dict[str, bool]:
    """Options that a row of shots may set, without their dashes; whether each is a flag."""
    names: dict[str, bool] = {}
    for parameter in _parser("render").params:
        is_one_value = parameter.param_type_name == "option" and parameter.nargs == 1
        if is_one_value and parameter.name not in (*NOT_FOR_FARMS, "shot"):
            names |= {opt.removeprefix("--"): parameter.is_flag for opt in parameter.opts if opt.startswith("--")}
    return {name: is_flag for name, is_flag in names.items() if not name.startswith("preview") and name != "help"}


def parse(command: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Values by the names of the command's arguments. Raises what its parser raises for a wrong line."""
    return dict(_parser(command).make_context(command, list(arguments)).params)


@lru_cache(maxsize=2)
def _parser(name: str) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    cls: Any = SectionedCommand if name == "render" else None
    app.command(name, cls=cls)(render.render if name == "render" else export.export)
    return typer.main.get_command(app)


@contextmanager
def farm_render(
    arguments: Sequence[str], shot: str | None, cores: int | None, there: Callable[[str], str], *, claim: bool
) -> Iterator[FarmRender]:
    """Everything that `vfxgan render` checks before it opens a runtime, and the same render for the farm's nodes.

    Args:
        shot: of a row, for the output convention; None: as the arguments say.
        cores: threads of a task, where `--cores` says so.
        there: a path as the nodes name it.
        claim: make the folder of `--version next`; it is given back after an error inside.
    Raises:
        UsageError, ModelError, ImageError: as `vfxgan render`.
    """
    from vfxgan.render.elsewhere import resolve_elsewhere
    from vfxgan.render.in_the_way import refuse_other_work
    from vfxgan.versions import given_back

    given = parse("render", arguments)
    _refuse(given)
    if shot is not None and given["out"] is None:
        given["shot"] = shot
    completed = with_project(given, claim=claim)
    with given_back(completed.target):
        params = completed.params
        if cores is not None or params["threads"] is None:
            params["threads"] = DEFAULT_CORES if cores is None else cores
        request = request_of(params)
        job = resolve_elsewhere(request, params["cpu_isa"])
        refuse_other_work(job)
        yield _described(params, request, job, there, completed.target)


def _refuse(given: Mapping[str, Any]) -> None:
    from vfxgan.errors import UsageError

    plain = {"progress": "bar", "dry_run": False}
    for name, why in NOT_FOR_FARMS.items():
        value = getattr(given[name], "value", given[name])
        if value is not None and value != plain.get(name):
            raise UsageError(f"--{name.replace('_', '-')} is not for submit: {why}")


def _described(
    params: Mapping[str, Any], request: Any, job: Any, there: Callable[[str], str], target: "Target | None"
) -> FarmRender:
    from vfxgan.errors import UsageError
    from vfxgan.farm.plan import RenderPart
    from vfxgan.modelfile import packaged_models
    from vfxgan.render.elsewhere import can_be_split, may_use_gpu, model_there, verify_words_of, whole, words_of

    if not job.frames:
        raise UsageError(f"nothing to submit: {'; '.join(job.notes)}")
    frames = sorted({frame.number for frame in job.frames}) if can_be_split(request, job) else []
    part = RenderPart(
        words_of(request, job, params["cpu_isa"], there),
        tuple(frames),
        model_there(job.model, there),
        there(whole(request.out)),
    )
    gpu = may_use_gpu(job.runtime) and not (request.devices or "").startswith("cpu")
    if gpu and not request.consent.mix_runtimes:
        _check_requirement(job)
    return FarmRender(
        part=part,
        out=request.out,
        shot=target.shot if target else None,
        runtime=job.runtime,
        gpu=gpu,
        devices=len(request.devices.split(",")) if request.devices else 1,
        threads=params["threads"],
        is_packaged=job.model.path in packaged_models().values(),
        has_upscalers=bool(job.upscalers),
        any_size=job.model.spec.size is None,
        verify=verify_words_of(request, job, params["cpu_isa"], there) if frames else (),
        notes=(
            *job.notes,
            *((target.note,) if target and target.note else ()),
            *_cpu_note(job.runtime, request, params["cpu_isa"]),
            *sign_notes(request.sign, there),
        ),
        claim=target.claimed if target else None,
    )


def _check_requirement(job: Any) -> None:
    """A job for GPUs says which kind, so that it never comes to be of several in silence."""
    from vfxgan.errors import UsageError

    required = job.required
    if required is not None and (required.short_id or required.whole or "device" in required.values):
        return
    found = "" if required is None else f" --require-runtime {required.text} names no GPU;"
    runtime = "tensorrt" if job.runtime == "auto" else job.runtime
    raise UsageError(
        f"--runtime {job.runtime}:{found} unlike GPUs give unlike frames; say which this job is for: --require-runtime "
        f"'runtime={runtime},device=\"NVIDIA L40S\"' as vfxgan doctor names it on a node, or @FRAME.exr of a frame "
        "made there (or allow any with --mix-runtimes)"
    )


def _cpu_note(runtime: str, request: Any, cpu_isa: str | None) -> Iterator[str]:
    from vfxgan.render.runtimes import CPU_RUNTIMES

    if runtime in CPU_RUNTIMES and request.required is None and cpu_isa is None:
        yield (
            f"{runtime}: nodes with unlike CPUs may give unlike bits, which a chunk that resumes and the verify step "
            "refuse; --runtime openvino --cpu-isa avx2 makes them one kind, as do "
            "runtime and cpu_isa in vfxgan.toml"
        )
