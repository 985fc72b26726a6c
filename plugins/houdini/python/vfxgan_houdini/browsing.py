"""Looking at many seeds before a few are rendered to keep: frames in a folder of their own, and a sheet of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import hou

from vfxgan_client import ClientError, Command
from vfxgan_houdini import questions
from vfxgan_houdini.asking import interruptable
from vfxgan_houdini.planning import plan
from vfxgan_houdini.request import Request
from vfxgan_houdini.watching import watch

PREVIEW = "--preview"


def browse(command: Command, folder: str, model: str, seeds: str) -> list[int]:
    """Show the seeds in MPlay, and ask which ones are wanted.

    Raises:
        ClientError: vfxgan failed, or MPlay is not there.
        NotAnswered: none was chosen.
        hou.OperationInterrupted: Escape.
    """
    place = Path(tempfile.mkdtemp(prefix="vfxgan-browse-", dir=_temporary_folder()))
    try:
        asked = replace(Request("", seeds=seeds, model=model).absolute(folder), out=str(place / "####.exr"))
        sheet = place / "sheet.png"
        with interruptable("seeds") as is_cancelled:
            planned = plan(command, asked.arguments(), folder, is_cancelled)
        title = f"vfxgan: {planned.model}, {len(planned.frames)} seeds"
        watched = watch(command, [*asked.arguments(), f"{PREVIEW}={sheet}"], folder, title)
        _open(sheet)
        done = [frame.seed for frame in planned.frames if frame.number not in watched.failed]
        return questions.choose_seeds([seed for seed in done if seed is not None])
    finally:
        shutil.rmtree(place, ignore_errors=True)  # on Windows MPlay may still hold the sheet


def _temporary_folder() -> str | None:
    folder = hou.text.expandString("$HOUDINI_TEMP_DIR")
    return folder if Path(folder).is_dir() else None


def _open(sheet: Path) -> None:
    """MPlay comes with Houdini, and is to have Houdini's own environment."""
    program = Path(hou.text.expandString("$HFS"), "bin", "mplay.exe" if sys.platform == "win32" else "mplay")
    try:
        subprocess.Popen([program, sheet], stdin=subprocess.DEVNULL)
    except OSError as error:
        raise ClientError(f"the contact sheet cannot be shown: {program} cannot be started ({error})") from error
