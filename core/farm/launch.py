"""Start an engine's own command. There is no shell between it and us."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from vfxgan.errors import SubmitError

TOLD_CHARS = 600
TIMEOUT_S = 600


def as_word(path: Path) -> str:
    """A path that no command takes for an option."""
    text = str(path)
    return f"./{text}" if text.startswith("-") else text


def launch(words: Sequence[str], remedy: str, folder: Path | None = None) -> str:
    """What it printed.

    Args:
        words: the first is the command, found by PATH.
        remedy: where it is not installed: `pip install deadline`.
        folder: to start it in; None: the working folder.
    Raises:
        SubmitError: it is not there, or it failed: with what it said last.
    """
    command = shutil.which(words[0])
    if command is None:
        raise SubmitError(f"{words[0]}: not found on PATH; {remedy}, or write the job's files only: --write-only")
    try:
        done = subprocess.run(
            [command, *words[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            cwd=folder,
            env={**os.environ, "NO_COLOR": "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise SubmitError(f"{words[0]}: said nothing for {TIMEOUT_S} s and was stopped; is its server up?") from error
    except OSError as error:
        raise SubmitError(f"{command}: cannot be started ({error.strerror}); check its permissions") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["it said nothing"]
        raise SubmitError(f"{' '.join(words[:3])} failed ({done.returncode}): {lines[-1].strip()[-TOLD_CHARS:]}")
    return done.stdout
