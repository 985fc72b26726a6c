"""AWS Deadline Cloud: an Open Job Description template in a job bundle's folder, submitted by its own command.

Files are reached over storage that workers share; nothing is uploaded.
"""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vfxgan.errors import SubmitError
from vfxgan.farm.job import FarmJob
from vfxgan.farm.launch import as_word, launch
from vfxgan.farm.openjd import write_openjd
from vfxgan.whole_files import write_whole

VALUES, ASSETS = "parameter_values.json", "asset_references.json"
_JOB_ID = re.compile(r"\bjob-[0-9a-f]{32}\b")


def write_deadline(job: FarmJob, folder: Path, _words: Sequence[str] = ()) -> list[Path]:
    """The bundle: template, the queue's own values, and that there is nothing to upload.

    A bundle has no place for the command's own words; `line_deadline` has them.

    Source: AWS Deadline Cloud developer guide, Open Job Description job bundles.

    Raises:
        UsageError: as `write_openjd`.
        WriteError: they cannot be written.
    """
    values = {"deadline:priority": job.priority, "deadline:maxRetriesPerTask": job.retries}
    told = [{"name": name, "value": value} for name, value in values.items()]
    nothing: dict[str, Any] = {"inputs": {"filenames": [], "directories": []}, "outputs": {"directories": []}}
    files = {VALUES: {"parameterValues": told}, ASSETS: {"assetReferences": nothing}}
    written = write_openjd(job, folder)
    for name, content in files.items():
        path = folder / name
        write_whole(path, (json.dumps(content, indent=2) + "\n").encode())
        written.append(path)
    return written


def submit_deadline(job: FarmJob, folder: Path, words: Sequence[str]) -> str:
    """Run `deadline bundle submit` on the folder; the job's id.

    Args:
        words: more of that command's options, such as `--farm-id=farm-…`.
    Raises:
        SubmitError: the command is not there, refuses the bundle, or names no job.
    """
    said = launch(_command(job, folder, words), "pip install deadline")
    found = _JOB_ID.search(said)
    if found is None:
        raise SubmitError(f"deadline bundle submit named no job: {' '.join(said.split())[-300:] or 'it said nothing'}")
    return found[0]


def line_deadline(job: FarmJob, folder: Path, words: Sequence[str]) -> str:
    """What submits the bundle by hand."""
    return shlex.join(_command(job, folder, words))


def _command(job: FarmJob, folder: Path, words: Sequence[str]) -> list[str]:
    options = ("--priority", str(job.priority), "--max-retries-per-task", str(job.retries), "--yes")
    return ["deadline", "bundle", "submit", *options, *words, as_word(folder)]
