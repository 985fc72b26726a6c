"""`vfxgan`: the application, and the one place where an error becomes a line and an exit code."""

import itertools
import os
import re
import signal
import sys
import traceback
from typing import Annotated

import typer

from vfxgan import __version__
from vfxgan.cli import (
    compare,
    dataset,
    evaluate,
    export,
    files,
    models,
    plugins,
    project,
    render,
    submit,
    train,
    verify,
)
from vfxgan.cli.option_groups import SectionedCommand
from vfxgan.cli.optional_values import with_values
from vfxgan.errors import VfxganError
from vfxgan.no_project import ignore_project
from vfxgan.parent import stop_with_stdin
from vfxgan.progress import fail_before_start, forget_displays

INTERRUPTED = 130

app = typer.Typer(
    help="Train GANs on plates, export them to ONNX, render them to scene-linear EXR: the same bytes every time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
# In the order of the help: what most people come for first.
app.command("render", cls=SectionedCommand)(render.render)
app.command("submit", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(submit.submit)
app.command("contact-sheet")(files.contact_sheet)
app.command("verify")(verify.verify)
app.command("compare")(compare.compare)
app.command("inspect")(files.inspect)
app.command("models")(models.models)
app.command("doctor")(models.doctor)
app.command("project")(project.project)
app.add_typer(plugins.app, name="plugins")
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
    no_project: Annotated[bool, typer.Option("--no-project", help="Read no vfxgan.toml; farm tasks do not.")] = False,
) -> None:
    if debug:
        os.environ["VFXGAN_DEBUG"] = "1"
    ignore_project(no_project)


def main() -> None:
    """Entry point of the `vfxgan` command; returns by `sys.exit` with the codes of docs/commands.md."""
    stop_with_stdin()
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
    forget_displays()

    def failed(error: BaseException, line: str, code: int) -> int:
        fail_before_start(_progress_style(arguments), _one_line(line))
        return _fail(error, line, code)

    try:
        outcome = app(args=with_values(arguments), prog_name="vfxgan", standalone_mode=False, obj=tuple(arguments))
    except VfxganError as error:
        return failed(error, str(error), error.exit_code)
    except typer.TyperException as error:
        message = error.format_message()
        if message.startswith("Usage:"):  # a command that was called without any argument
            print(message, file=sys.stderr)
            return 2
        return failed(error, _usage_line(message, arguments), error.exit_code)
    except (KeyboardInterrupt, typer.Abort) as error:
        return failed(error, str(error) or "interrupted", INTERRUPTED)
    if outcome == INTERRUPTED:  # typer's own answer to a Ctrl-C that no command caught
        return failed(KeyboardInterrupt(), "interrupted; run the same command again", INTERRUPTED)
    return outcome if isinstance(outcome, int) else 0


def _usage_line(message: str, arguments: list[str]) -> str:
    """A `#` that starts a word is a comment to a shell, so an unquoted pattern arrives as nothing at all."""
    line = _in_our_words(" ".join(message.replace("Value error, ", "").split()), arguments)
    if arguments and arguments[-1] in ("--out", "--in"):
        return (
            f"{line} If it was a pattern such as ####.exr, quote it ('####.exr'): a shell reads a bare # as a comment."
        )
    commands = _commands_of(arguments)
    return f"{line.rstrip('.')}; see: {' '.join(['vfxgan', *commands, '--help'])}"


# What the parser says of a value, and what we say.
_REWORDED = (
    (re.compile(r"greater than or equal to (.+)"), r"is below \1"),
    (re.compile(r"less than or equal to (.+)"), r"is above \1"),
    (re.compile(r"a valid number, .*"), "is no number"),
    (re.compile(r"a valid integer, .*"), "is no whole number"),
)


def _in_our_words(line: str, arguments: list[str]) -> str:
    told = re.fullmatch(r"Invalid value for '(--[\w-]+)'[^:]*: Input should be (.+)", line)
    if told is None:
        return line
    option, should = told.groups()
    for theirs, ours in _REWORDED:
        if theirs.fullmatch(should):
            return f"{option} {_value_of(option, arguments)} {theirs.sub(ours, should)}"
    return line


def _value_of(option: str, arguments: list[str]) -> str:
    """The last that the line gives it, as it stands there; "" for none."""
    values = [after for word, after in itertools.pairwise(arguments) if word == option]
    values += [word.partition("=")[2] for word in arguments if word.startswith(f"{option}=")]
    return values[-1] if values else ""


def _progress_style(arguments: list[str]) -> str:
    """As the line asks for it, before or without its being parsed; one process of `--devices` has its own lines."""
    return "" if "--as-device" in arguments else _value_of("--progress", arguments)


def _commands_of(arguments: list[str]) -> list[str]:
    """The command that was called, as far as there is one: `render`, `train srgan`."""
    words = [word for word in arguments if not word.startswith("-")][:2]
    groups = {str(inner.name) for inner in app.registered_groups}
    if not words or words[0] not in groups | {str(command.name) for command in app.registered_commands}:
        return []
    is_known = len(words) > 1 and words[1] in _command_names(app) | train.FAMILIES
    return words if words[0] in groups and is_known else words[:1]


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
        print(f"vfxgan: {_one_line(line)}", file=sys.stderr, flush=True)
    return code


def _one_line(text: str) -> str:
    """Joined; spaces inside stay, since they may be a path's."""
    return " ".join(part.strip() for part in text.splitlines() if part.strip())


if __name__ == "__main__":  # how a render on several devices starts the others
    main()
