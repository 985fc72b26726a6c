"""`vfxgan`: the application, and the one place where an error becomes a line and an exit code."""

import os
import signal
import sys
import traceback
from typing import Annotated

import typer

from vfxgan import __version__
from vfxgan.cli import compare, dataset, evaluate, export, files, models, render, train
from vfxgan.cli.optional_values import with_values
from vfxgan.errors import VfxganError

INTERRUPTED = 130

app = typer.Typer(
    help="Train GANs on plates, export them to ONNX, render them to scene-linear EXR: the same bytes every time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
# In the order of the help: what most people come for first.
app.command("render")(render.render)
app.command("contact-sheet")(files.contact_sheet)
app.command("verify")(files.verify)
app.command("compare")(compare.compare)
app.command("inspect")(files.inspect)
app.command("models")(models.models)
app.command("doctor")(models.doctor)
app.add_typer(dataset.app, name="dataset")
app.add_typer(train.app, name="train")
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"vfxgan {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if debug:
        os.environ["VFXGAN_DEBUG"] = "1"


def main() -> None:
    """Entry point of the `vfxgan` command; returns by `sys.exit` with the codes of docs/commands.md."""
    code = run(sys.argv[1:])
    # The outcome is settled: a second Ctrl-C while Python shuts down would only add a traceback to it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line.

    Returns:
        0 done, 1 failed, 2 bad usage, 3 some frames failed, 130 interrupted.
    """
    # A shell that starts a job in the background may have SIGINT ignored; a render must still stop on it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        outcome = app(args=with_values(arguments), prog_name="vfxgan", standalone_mode=False, obj=tuple(arguments))
    except VfxganError as error:
        return _fail(error, str(error), error.exit_code)
    except typer.TyperException as error:
        message = error.format_message()
        if message.startswith("Usage:"):  # a command that was called without any argument
            print(message, file=sys.stderr)
            return 2
        return _fail(error, _usage_line(message, arguments), error.exit_code)
    except (KeyboardInterrupt, typer.Abort) as error:
        return _fail(error, str(error) or "interrupted", INTERRUPTED)
    if outcome == INTERRUPTED:  # typer's own answer to a Ctrl-C that no command caught
        return _fail(KeyboardInterrupt(), "interrupted; run the same command again", INTERRUPTED)
    return outcome if isinstance(outcome, int) else 0


def _usage_line(message: str, arguments: list[str]) -> str:
    """A `#` that starts a word is a comment to a shell, so an unquoted pattern arrives as nothing at all."""
    line = " ".join(message.replace("Value error, ", "").split())
    if arguments and arguments[-1] in ("--out", "--in"):
        return (
            f"{line} If it was a pattern such as ####.exr, quote it ('####.exr'): a shell reads a bare # as a comment."
        )
    commands = [word for word in arguments[:2] if word in _command_names(app) | train.FAMILIES]
    return f"{line.rstrip('.')}; see: {' '.join(['vfxgan', *commands, '--help'])}"


def _command_names(group: typer.Typer) -> set[str]:
    """Of the group and of the groups in it."""
    names = {str(command.name) for command in group.registered_commands}
    for inner in group.registered_groups:
        names |= {str(inner.name)} | (_command_names(inner.typer_instance) if inner.typer_instance else set())
    return names


def _fail(error: BaseException, line: str, code: int) -> int:
    if code == INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.environ.get("VFXGAN_DEBUG"):
        traceback.print_exception(error)
    if line:
        print(f"vfxgan: {' '.join(line.split())}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":  # how a render on several devices starts the others
    main()
