"""What the project file adds to a `vfxgan render`: paths as this system names them, defaults, and where frames go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vfxgan.project import Project
    from vfxgan.versions import Target

# By the names of render's arguments.
_PATHS = {
    "out": "--out",
    "plates": "--in",
    "like": "--like",
    "engine": "--engine",
    "ocio": "--ocio",
    "preview": "--preview",
}
_FILES_AFTER_AT = {"seeds": "--seeds", "keys": "--keys", "require_runtime": "--require-runtime"}
_FOR_EXR = ("colorspace", "bit_depth", "compression")


@dataclass(frozen=True)
class Completed:
    """The options of a render with the project's in them.

    Attributes:
        params: by the names of render's arguments, for `request_of`.
        target: what the output convention gave; None where `--out` did.
        added: the options that are the project's: `colorspace ACEScg (/show/vfxgan.toml:3)`.
    """

    params: dict[str, Any]
    target: "Target | None" = None
    added: tuple[str, ...] = ()


def cpu_isa_of(given: Mapping[str, Any]) -> str | None:
    """`--cpu-isa` of a render, else the project's, for the one runtime that can be held; it loads nothing heavy.

    Raises:
        UsageError: problems in the file.
    """
    from vfxgan.project import find_project

    project = find_project()
    runtime = given["runtime"] or (None if given["like"] is not None else project.runtime)
    return given["cpu_isa"] or (project.cpu_isa if runtime == "openvino" else None)


def with_project(given: Mapping[str, Any], *, claim: bool) -> Completed:
    """Options as parsed, completed by `vfxgan.toml`. What was given, and what a frame's recipe says, stays.

    Args:
        given: by the names of render's arguments; `--model` and `--upscale` are left to whoever reads the files.
        claim: as `choose_target`.
    Raises:
        UsageError: no `--out` and no convention, or `--out` and parts of one; problems in the file.
        TargetError: the next version's folder cannot be made.
    """
    from vfxgan.errors import UsageError
    from vfxgan.project import find_project

    project = find_project()
    params = dict(given) | _mapped(project, given)
    target = None
    if params["out"] is None:
        target = _target(project, params, claim=claim)
        params["out"] = target.out
    elif params["shot"] is not None or params["version"] is not None:
        option = "--shot" if params["shot"] is not None else "--version"
        raise UsageError(f"--out {params['out']!r} and {option} both say where frames go; give one")
    params["shot"] = params["version"] = None
    defaults = _defaults(project, params) | {"cpu_isa": cpu_isa_of(params)}
    added = {name: value for name, value in defaults.items() if params[name] is None and value is not None}
    notes = tuple(f"{name} {value} ({project.line(name)})" for name, value in added.items())
    return Completed(params | added, target, notes)


def explicit(arguments: Sequence[str], completed: Completed) -> list[str]:
    """A command line of render that says itself where its frames go: what `--version next` found, once and for all."""
    if completed.target is None:
        return list(arguments)
    words, skips = [], False
    for word in arguments:
        if skips or word.startswith(("--shot=", "--version=")):
            skips = False
        elif word in ("--shot", "--version"):
            skips = True
        else:
            words.append(word)
    place = words.index("render") + 1
    return [*words[:place], "--out", completed.target.out, *words[place:]]


def _mapped(project: "Project", given: Mapping[str, Any]) -> dict[str, Any]:
    from vfxgan.path_map import localised

    mapped: dict[str, Any] = {}
    for name, option in _PATHS.items():
        if given[name] is not None:
            kind = type(given[name])
            mapped[name] = localised(project.path_map, option, str(given[name]))
            mapped[name] = Path(mapped[name]) if issubclass(kind, Path) else mapped[name]
    for name, option in _FILES_AFTER_AT.items():
        if str(given[name] or "").startswith("@"):
            mapped[name] = "@" + localised(project.path_map, option, given[name][1:])
    if given["sign"] is not None:
        mapped["sign"] = tuple(Path(localised(project.path_map, "--sign", str(file))) for file in given["sign"])
    return mapped


def _target(project: "Project", params: Mapping[str, Any], *, claim: bool) -> "Target":
    from vfxgan.convention import VIEWS, has
    from vfxgan.versions import choose_target
    from vfxgan.views import has_views

    view = VIEWS if params["plates"] is not None and has_views(params["plates"]) else params["view"]
    model = _model_name(params) if has(project.convention(), "model") else None
    return choose_target(project, params["shot"], params["version"], view, model, claim=claim)


def _model_name(params: Mapping[str, Any]) -> str:
    from vfxgan.modelfile import DEFAULT_MODEL, DEFAULT_UPSCALER, find_model, read_model
    from vfxgan.render.like import read_like

    named = params["model"] or params["model_option"]
    if params["like"] is not None:
        return read_like(params["like"], named).model.spec.name
    return read_model(find_model(named, DEFAULT_MODEL if params["plates"] is None else DEFAULT_UPSCALER)).spec.name


def _defaults(project: "Project", params: Mapping[str, Any]) -> dict[str, Any]:
    import os

    names = ["threads"]
    if params["like"] is None:  # a frame that is made again has all of them in its recipe
        names += ["runtime"]
        names += ["in_colorspace"] if params["plates"] is not None else []
        names += _FOR_EXR if Path(params["out"]).suffix.lower() == ".exr" else []
    names += [] if os.environ.get("OCIO") else ["ocio"]
    return {name: getattr(project, name) for name in names}
