"""Asks a command that answers at once, with JSON."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from typing import Any

from vfxgan_client.command import Command
from vfxgan_client.environment import clean_environment
from vfxgan_client.errors import ClientError
from vfxgan_client.processes import end_now, killed_by, quiet_start
from vfxgan_client.streams import LastLines


def ask(command: Command, arguments: Sequence[str], folder: str | None = None, timeout_s: float = 60) -> Any:
    """Run `vfxgan …` and give what it prints: `["models", "--json"]`, `["inspect", "--json", frame]`.

    Args:
        folder: where it runs: a project file is looked for from there upward. None: this process's.
    Raises:
        ClientError: it failed (its own line), gave no answer in time, or one that is no JSON.
    """
    out = answer(command, arguments, folder, timeout_s)
    try:
        return json.loads(out)
    except ValueError as error:
        raise ClientError(
            f"{' '.join(['vfxgan', *arguments[:2]])} answered what is no JSON: {out.encode()[:80]!r}"
        ) from error


def answer(command: Command, arguments: Sequence[str], folder: str | None = None, timeout_s: float = 60) -> str:
    """The same of a command that prints text: `["submit", "--to", "slurm", …]`."""
    shown = " ".join(["vfxgan", *arguments[:2]])
    try:
        process = subprocess.Popen(
            [command.program, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(os.environ),
            **quiet_start(),
        )
    except (OSError, ValueError) as error:
        raise ClientError(f"{shown} cannot be started ({error})") from error
    with process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            end_now(process)
            raise ClientError(f"{shown} gave no answer in {timeout_s:g} s; try it in a terminal") from error
    if process.returncode:
        raise ClientError(_reason(err, process.returncode, shown))
    text: str = out.decode("utf-8", "replace")
    return text


def _reason(err: bytes, code: int, shown: str) -> str:
    lines = err.decode("utf-8", "replace").strip().splitlines()
    if lines:
        return " ".join(lines[-1].split()).replace(LastLines.OWN, "", 1)
    return f"{shown} " + (f"was killed by {killed_by(code)}" if code < 0 else f"failed with exit code {code}")
