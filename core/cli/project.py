"""`vfxgan project`: the settings that hold in the working folder, and where each comes from."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vfxgan.project import Project
    from vfxgan.versions import Target


def project(
    shot: Annotated[str | None, typer.Option("--shot", help="Fill {shot} of the output convention with it.")] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="v003, next or latest. Default: next, which stays free.")
    ] = None,
    view: Annotated[str | None, typer.Option("--view", help="Of {view}; %V for one file each.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="For {model}: a model file or its name.")] = None,
    claim: Annotated[
        bool, typer.Option("--claim", help="Make the folder of the next version, so that nobody else gets it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """The project's settings, where each comes from, and where a render of the shot goes."""
    import json

    from vfxgan.errors import UsageError
    from vfxgan.project import look_for_project
    from vfxgan.project_report import report, settings_of

    found = look_for_project()
    problems = list(found.settings.problems) if found.settings else []
    target = None
    if found.output is not None:
        try:
            target = _target(found, shot, version, view, model, claim)
        except UsageError as error:
            if shot or version or view or model or claim:  # asked for, so that it is no mere lack
                raise
            problems += [] if "give --" in str(error) else [str(error)]
    elif shot or version or view or claim:
        found.convention()
    if as_json:
        print(json.dumps(_facts(found, settings_of(found), target, shot, problems)))
    else:
        print("\n".join(report(found, target, problems)))
    if problems:
        raise typer.Exit(1)


def _target(
    found: "Project", shot: str | None, version: str | None, view: str | None, model: str | None, claim: bool
) -> "Target":
    from vfxgan.convention import has
    from vfxgan.versions import NEXT, choose_target

    pattern = found.convention()
    name = _model_name(found, model) if has(pattern, "model") else None
    return choose_target(found, shot, version or (NEXT if has(pattern, "version") else None), view, name, claim=claim)


def _model_name(found: "Project", model: str | None) -> str:
    from vfxgan.modelfile import find_model, read_model

    return read_model(find_model(model)).spec.name


def _facts(
    found: "Project", settings: dict[str, Any], target: "Target | None", shot: str | None, problems: list[str]
) -> dict[str, Any]:
    return {
        "file": str(found.file) if found.file else None,
        "settings": settings,
        "shot": target.shot if target else shot or found.shot,
        "version": target.version if target else None,
        "output": target.out if target else None,
        "problems": problems,
    }
