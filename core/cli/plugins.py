"""`vfxgan plugins`: how Nuke and Houdini find the plug-ins of this installation."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vfxgan.hooks import Change

app = typer.Typer(help="Hook the plug-ins into Nuke or Houdini.", no_args_is_help=True, rich_markup_mode=None)


class Host(str, Enum):
    """Where a plug-in runs."""

    nuke = "nuke"
    houdini = "houdini"


HostName = Annotated[Host, typer.Argument(help="Which program.")]
Into = Annotated[
    Path | None,
    typer.Option(
        "--into", help="Nuke: its folder (default ~/.nuke). Houdini: its preferences, or a folder of packages."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


@app.callback()
def _group() -> None:
    pass


@app.command("install")
def install(host: HostName, into: Into = None, dry_run: DryRun = False) -> None:
    """Write the hook: one line in Nuke's init.py, or one package file for Houdini. Again: correct it."""
    from vfxgan import houdini_hook, nuke_hook
    from vfxgan.hooks import place_of

    hook = nuke_hook if host is Host.nuke else houdini_hook
    _make(hook.install(into, place_of(host.value)), dry_run, host)


@app.command("uninstall")
def uninstall(host: HostName, into: Into = None, dry_run: DryRun = False) -> None:
    """Remove exactly what install wrote."""
    from vfxgan import houdini_hook, nuke_hook

    hook = nuke_hook if host is Host.nuke else houdini_hook
    _make(hook.uninstall(into), dry_run, host)


@app.command("path")
def path(host: HostName) -> None:
    """Print the plug-in's folder, for $NUKE_PATH or a launcher of the studio's own."""
    from vfxgan.hooks import place_of

    print(place_of(host.value).plugin)


def _make(changes: "list[Change]", dry_run: bool, host: Host) -> None:
    for change in changes:
        if not dry_run:
            change.make()
        print(f"{'dry run: ' if dry_run else ''}{change.said}")
    if not dry_run and any(not change.is_none for change in changes):
        print(f"start {host.value.capitalize()} again")
