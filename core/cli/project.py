"""`vfxgan project`: the settings that hold in the working folder, and where each comes from."""

from pathlib import Path
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
        bool,
        typer.Option(
            "--claim", help="Make the folder of the next version, for nobody else, and print its frames alone."
        ),
    ] = False,
    init: Annotated[
        bool, typer.Option("--init", help="Write a vfxgan.toml here with every key as a comment; none is replaced.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """The project's settings, where each comes from, and where a render of the shot goes.

    Problems in the file are listed; with --json they are a part of the answer, otherwise the exit code is 2. Where
    --claim cannot claim, it is 2 as well.
    """
    import json

    from vfxgan.convention import Missing
    from vfxgan.errors import UsageError
    from vfxgan.progress import say
    from vfxgan.project_report import report

    if init:
        from vfxgan.project_example import write_example

        print(write_example(Path.cwd()))
        return
    if claim:
        _claim(shot, version, view, model, as_json)
        return
    found, problems = _look(as_json)
    target, lacks = None, ""
    if found.output is not None or shot or version or view:
        try:
            target = _target(found, shot, version, view, model, claim=False)
        except Missing as error:
            lacks = str(error)
    if as_json:
        print(json.dumps(_facts(found, target, shot, lacks, problems)))
        return
    print("\n".join(report(found, target, lacks, problems)), flush=True)
    if target is not None and target.note:
        say(f"warning: {target.note}")
    if problems:
        raise UsageError(f"{found.file}: {len(problems)} problem{'s' * (len(problems) != 1)}, see above")


def _claim(shot: str | None, version: str | None, view: str | None, model: str | None, as_json: bool) -> None:
    """The next version's folder, or an error: a script that goes on has one of its own."""
    import json

    from vfxgan.errors import UsageError
    from vfxgan.progress import say
    from vfxgan.project import find_project
    from vfxgan.versions import NEXT, has_version_folder

    if version not in (None, NEXT):
        raise UsageError(f"--claim and --version {version!r}: the next version is claimed; leave out --version")
    found = find_project()
    pattern = found.convention("nothing is claimed: name a file with one in $VFXGAN_PROJECT")
    if not has_version_folder(pattern):
        raise UsageError(f"--claim: {found.line('output.pattern')}: the pattern has no folder with {{version}} to make")
    target = _target(found, shot, version, view, model, claim=True)
    if as_json:
        print(json.dumps(_facts(found, target, shot, "", [])))
        return
    print(target.out, flush=True)
    if target.note:
        say(f"warning: {target.note}")
    assert target.claimed is not None
    say(f"{target.claimed.folder} is claimed; remove the empty folder to give the version back")


def _look(as_json: bool) -> "tuple[Project, list[str]]":
    """What is right in the file, and what is not; a plugin hears of a file that cannot be read as of any problem."""
    from vfxgan.errors import UsageError
    from vfxgan.project import Project, look_for_project

    try:
        found = look_for_project()
    except UsageError as error:
        if not as_json:
            raise
        return Project(), [str(error)]
    return found, list(found.settings.problems) if found.settings else []


def _target(
    found: "Project", shot: str | None, version: str | None, view: str | None, model: str | None, *, claim: bool
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
    found: "Project", target: "Target | None", shot: str | None, lacks: str, problems: list[str]
) -> dict[str, Any]:
    from vfxgan.project_report import settings_of

    return {
        "file": str(found.file) if found.file else None,
        "settings": settings_of(found),
        "shot": target.shot if target else shot or found.shot,
        "version": target.version if target else None,
        "output": target.out if target else None,
        "lacks": lacks or None,
        "problems": problems,
    }
