"""Asks a command that answers at once, with JSON."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

from vfxgan_client.command import Command
from vfxgan_client.environment import run_environment
from vfxgan_client.errors import ClientError, Withdrawn
from vfxgan_client.processes import ask_to_stop, end_now, hold_stdin, killed_by, quiet_start
from vfxgan_client.streams import LastLines

LOOK_EVERY_S = 0.2  # whether the question was withdrawn
GRACE_S = 5.0  # of one that was


def ask(
    command: Command,
    arguments: Sequence[str],
    folder: str | None = None,
    timeout_s: float = 60,
    is_cancelled: Callable[[], bool] | None = None,
) -> Any:
    """Run `vfxgan …` and give what it prints: `["models", "--json"]`, `["inspect", "--json", frame]`.

    Args:
        folder: where it runs: a project file is looked for from there upward. None: this process's.
        is_cancelled: called a few times a second, in the caller's thread; once it says yes, the command is ended.
    Raises:
        Withdrawn: `is_cancelled` said yes.
        ClientError: it failed (its own line), gave no answer in time, or one that is no JSON.
    """
    out = answer(command, arguments, folder, timeout_s, is_cancelled)
    try:
        return json.loads(out)
    except ValueError as error:
        raise ClientError(
            f"{' '.join(['vfxgan', *arguments[:2]])} answered what is no JSON: {out.encode()[:80]!r}"
        ) from error


def answer(
    command: Command,
    arguments: Sequence[str],
    folder: str | None = None,
    timeout_s: float = 60,
    is_cancelled: Callable[[], bool] | None = None,
) -> str:
    """The same of a command that prints text: `["submit", "--to", "slurm", …]`. It ends when this process does."""
    shown = " ".join(["vfxgan", *arguments[:2]])
    try:
        process = subprocess.Popen(
            [command.program, *arguments],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=run_environment(os.environ),
            **quiet_start(),
        )
    except (OSError, ValueError) as error:
        raise ClientError(f"{shown} cannot be started ({error})") from error
    hold_stdin(process)
    with process:
        try:
            out, err = _all_it_says(process, shown, timeout_s, is_cancelled or (lambda: False))
        except BaseException:  # a Ctrl-C too: nothing is left behind
            end_now(process)
            raise
    if process.returncode:
        raise ClientError(_reason(err, process.returncode, shown))
    text: str = out.decode("utf-8", "replace")
    return text


def _all_it_says(
    process: subprocess.Popen[bytes], shown: str, timeout_s: float, is_cancelled: Callable[[], bool]
) -> tuple[bytes, bytes]:
    ends_s = time.monotonic() + timeout_s
    held, process.stdin = process.stdin, None  # communicate() would close it, which is how the command is ended
    try:
        while not is_cancelled():
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                raise ClientError(f"{shown} gave no answer in {timeout_s:g} s; try it in a terminal")
            try:
                return process.communicate(timeout=min(LOOK_EVERY_S, left_s))
            except subprocess.TimeoutExpired:
                continue
    finally:
        process.stdin = held
    _stop(process)
    raise Withdrawn(f"{shown} was cancelled")


def _stop(process: subprocess.Popen[bytes]) -> None:
    ask_to_stop(process)
    try:
        process.communicate(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        end_now(process)


def _reason(err: bytes, code: int, shown: str) -> str:
    lines = err.decode("utf-8", "replace").strip().splitlines()
    if lines:
        return " ".join(lines[-1].split()).replace(LastLines.OWN, "", 1)
    return f"{shown} " + (f"was killed by {killed_by(code)}" if code < 0 else f"failed with exit code {code}")
