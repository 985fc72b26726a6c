"""Frames that a command is to look at: named, or by the project's output convention."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vfxgan.project import Project

Out = Annotated[
    str | None,
    typer.Argument(
        help="Folder, file, or quoted pattern: 'shot010/####.exr'. Default: by vfxgan.toml's output convention."
    ),
]
Shot = Annotated[str | None, typer.Option("--shot", help="Without OUT: {shot} of the convention in vfxgan.toml.")]
Version = Annotated[str | None, typer.Option("--version", help="Without OUT: v003 or latest. Default: latest.")]


def frames_to_read(out: str | None, shot: str | None, version: str | None, model: str | None = None) -> str:
    """Folder, file or pattern, as this system names it.

    Args:
        model: that made the frames, for `{model}`; None: the one that a render would take.
    Raises:
        UsageError: both OUT and parts of the convention, or neither and no convention; no version is there yet.
    """
    from vfxgan.errors import UsageError
    from vfxgan.project import find_project

    project = find_project()
    if out is None:
        return _by_convention(project, shot, version, model)
    if shot is not None or version is not None:
        option = "--shot" if shot is not None else "--version"
        raise UsageError(f"OUT {out!r} and {option} both say where frames are; give one")
    return localised_path(out, "OUT", project)


def localised_path(text: str, option: str, project: "Project | None" = None) -> str:
    """A path of the command line as this system names it; errors as `localised`."""
    from vfxgan.path_map import localised
    from vfxgan.project import find_project

    return localised((project or find_project()).path_map, option, text)


def _by_convention(project: "Project", shot: str | None, version: str | None, model: str | None) -> str:
    from vfxgan.convention import has
    from vfxgan.errors import UsageError
    from vfxgan.modelfile import find_model, read_model
    from vfxgan.versions import LATEST, NEXT, choose_target

    pattern = project.convention("name the frames: 'shot010/####.exr'")
    if version == NEXT:
        raise UsageError("--version next is for render; name the version to look at: v003 or latest")
    wanted = version or (LATEST if has(pattern, "version") else None)
    name = read_model(find_model(model)).spec.name if has(pattern, "model") else None
    return choose_target(project, shot, wanted, None, name).out
