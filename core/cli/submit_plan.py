"""From submit's options and a render to a farm job; from a file of shots to many, or to none."""

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from vfxgan.cli.export_options import build_options
from vfxgan.cli.submit_render import FarmRender, farm_render, options_of_render, parse

if TYPE_CHECKING:
    from vfxgan.farm.job import FarmJob
    from vfxgan.project import FarmSettings

DEFAULT_CHUNK = 10
MAX_NAMED = 5  # wrong rows, in one message
SHOT_TOKEN = "{shot}"


@dataclass(frozen=True)
class Asked:
    """Submit's own options, as given; None where absent.

    Attributes:
        arguments: the rest of the line, which is render's.
    """

    arguments: tuple[str, ...]
    shots: Path | None
    name: str | None
    chunk: int | None
    target_seconds: int | None
    timeout_s: int | None
    cores: int | None
    gpus: int | None
    priority: int | None
    retries: int | None
    build_engine: str | None
    verify: bool
    manifest: Path | None


@dataclass(frozen=True)
class Planned:
    """One job.

    Attributes:
        where: the row that it is of, for messages; "" for the command line.
    """

    job: "FarmJob"
    render: FarmRender
    where: str = ""


@contextmanager
def planned(asked: Asked, progress: str | None, *, claim: bool) -> Iterator[list[Planned]]:
    """All jobs, before any of them is written; what was claimed for one is given back if another is wrong.

    Args:
        progress: what `--progress` the farm's commands are given.
        claim: make the folders of `--version next`.
    Raises:
        UsageError: what is wrong; of several shots, the first few, each with its line and column.
    """
    from vfxgan.farm.plan import check_numbers, numbers_of

    check_numbers(numbers_of(asked))
    with ExitStack() as claims:
        if asked.shots is None:
            yield [_one(claims, asked, asked.arguments, None, progress, claim)]
        else:
            yield _of_shots(claims, asked, progress, claim)


def _of_shots(claims: ExitStack, asked: Asked, progress: str | None, claim: bool) -> list[Planned]:
    from vfxgan.errors import UsageError, VfxganError
    from vfxgan.farm.shots import arguments_of, read_shots

    assert asked.shots is not None
    if asked.name is not None:
        raise UsageError(f"--name {asked.name!r} is for one job; those of --shots are named by their shot")
    if asked.manifest is not None and SHOT_TOKEN not in str(asked.manifest):
        raise UsageError(f"--manifest {asked.manifest}: is one file for all shots; write '{SHOT_TOKEN}.json'")
    options = options_of_render()
    jobs, problems = [], []
    for shot in read_shots(asked.shots, options):
        words = [*asked.arguments, *arguments_of(shot, options)]
        try:
            one = _one(claims, asked, words, shot.name, progress, claim)
        except (VfxganError, typer.TyperException) as error:
            said = error.format_message() if isinstance(error, typer.TyperException) else str(error)
            problems.append(f"{shot.where}{_column(said, list(shot.cells))} ({shot.name}): {said.rstrip('.')}")
        else:
            jobs.append(Planned(one.job, one.render, shot.where))
    problems += _collisions(jobs)
    if problems:
        more = f"; and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
        raise UsageError("; ".join(problems[:MAX_NAMED]) + more)
    return jobs


def _column(message: str, columns: Sequence[str]) -> str:
    """The column whose option a message names first."""
    places = {column: message.find(f"--{column}") for column in columns}
    found = sorted((place, column) for column, place in places.items() if place >= 0)
    return f", column {found[0][1]}" if found else ""


def _collisions(jobs: Sequence[Planned]) -> list[str]:
    """Rows that would write the same files, however their patterns are written."""
    problems: list[str] = []
    owners: dict[str, Planned] = {}
    for job in jobs:
        others = [owners.setdefault(name, job) for name in _files(job)]
        other = next((other for other in others if other is not job), None)
        if other is not None:
            out = job.render.part.out
            problems.append(f"{job.where}, column out: {out!r}: {other.where} writes frames of that name, too")
    return problems


def _files(job: Planned) -> Iterator[str]:
    """A job's frames here, links to folders resolved, all views' as one; the pattern where it is of one picture."""
    from vfxgan.render.elsewhere import whole
    from vfxgan.sequences import parse_pattern
    from vfxgan.views import of_view

    real = cache(os.path.realpath)
    out, frames = of_view(whole(job.render.out), "every view"), job.render.part.frames
    pattern = parse_pattern(out, len(frames)) if frames else None
    for path in [Path(out)] if pattern is None else map(pattern.path, frames):
        yield os.path.join(real(path.parent), path.name)  # noqa: PTH118 - of many thousands


def _one(
    claims: ExitStack, asked: Asked, arguments: Sequence[str], shot: str | None, progress: str | None, claim: bool
) -> Planned:
    from vfxgan.errors import UsageError
    from vfxgan.farm.plan import plan_job
    from vfxgan.path_map import WINDOWS, looks_like_windows
    from vfxgan.project import find_project

    project = find_project()
    settings = project.farm

    def there(text: str) -> str:
        named = project.path_map.to(settings.system, text)
        if settings.system == WINDOWS and not looks_like_windows(named):
            raise UsageError(
                f"{text!r} is no path of Windows, which the farm's nodes run (farm.system), and no row of [[paths]] in "
                "vfxgan.toml maps it; add one"
            )
        return named

    found = claims.enter_context(farm_render(arguments, shot, asked.cores, there, claim=claim))
    return Planned(plan_job(found.part, _options(asked, found, settings, shot, there), progress), found)


def _options(
    asked: Asked, found: FarmRender, settings: "FarmSettings", shot: str | None, there: Callable[[str], str]
) -> Any:
    from vfxgan.farm.plan import FarmOptions

    name = _first(asked.name, shot, found.shot, _folder_name(found.out))
    return FarmOptions(
        name=name,
        command=settings.command,
        system=settings.system,
        chunk=_first(asked.chunk, settings.chunk, DEFAULT_CHUNK),
        target_seconds=_first(asked.target_seconds, settings.target_seconds, 0),
        timeout_s=_first(asked.timeout_s, 0),
        cores=found.threads,
        gpus=_first(asked.gpus, found.devices if found.gpu else 0),
        priority=_first(asked.priority, settings.priority),
        retries=_first(asked.retries, settings.retries),
        build_engine=None if asked.build_engine is None else _engine_words(asked.build_engine, found),
        verify=(*found.verify, *_manifest(asked, name, there)) if asked.verify else None,
    )


def _folder_name(out: str) -> str:
    """Of the folder that frames go to; views' own folders are passed over."""
    from vfxgan.views import has_views

    names = [folder.name for folder in Path(out).absolute().parents]
    return next((name for name in names if name and not has_views(name)), "render")


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _engine_words(text: str, found: FarmRender) -> tuple[str, ...]:
    """Options of `vfxgan export MODEL --trt`, read by its own parser."""
    from pydantic import ValidationError

    from vfxgan.errors import UsageError
    from vfxgan.spec import describe

    option = f"--build-engine {text!r}"
    if found.runtime not in ("tensorrt", "auto"):
        raise UsageError(f"{option}: the render's runtime is {found.runtime}; add --runtime tensorrt")
    if found.is_packaged or found.has_upscalers:
        what = "has several models" if found.has_upscalers else "uses a packaged model, beside which nothing is written"
        raise UsageError(f"{option}: this render {what}; build the engines beforehand: vfxgan export MODEL.onnx --trt")
    try:
        words = shlex.split(text)
        given = parse("export", [found.part.model, "--trt", *words])
    except (ValueError, typer.TyperException) as error:
        said = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        raise UsageError(f"{option}: {said.rstrip('.')}; see: vfxgan export --help") from error
    wrong = [name for name in ("out", "check", "dry_run", "torchscript", "houdini") if given[name]]
    if wrong or given["progress"].value != "bar":
        raise UsageError(f"{option}: --{(wrong or ['progress'])[0].replace('_', '-')} is nothing for this step")
    of_engine = ("tile", "profile", "workspace", "opt_level", "hardware_compat", "version_compat")
    try:
        build_options(True, given["batch"], *(given[name] for name in of_engine))
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from error
    except ValidationError as error:
        raise UsageError(f"{option}: {describe(error)}") from error
    if found.any_size and not (given["tile"] or given["profile"]):
        raise UsageError(f"{option}: the model takes pictures of any size, an engine does not: give '--tile HxW'")
    return tuple(words)


def _manifest(asked: Asked, name: str, there: Callable[[str], str]) -> tuple[str, ...]:
    from vfxgan.render.elsewhere import whole

    if asked.manifest is None:
        return ()
    return ("--manifest", there(whole(str(asked.manifest).replace(SHOT_TOKEN, name))))
