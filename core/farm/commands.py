"""Plain command lines, one a task: for Deadline 10, Tractor, make, and whatever else takes a list of commands."""

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from vfxgan.farm.job import FarmJob, Step
from vfxgan.ranges import to_fileseq
from vfxgan.whole_files import write_whole

FILE = "commands.txt"


def command_lines(job: FarmJob) -> list[str]:
    """One line for each task, in an order in which no line needs a later one; each word is quoted where it must be."""
    quoted = subprocess.list2cmdline if job.system == "windows" else shlex.join
    return [quoted(words) for step in job.steps for words in _tasks(step)]


def _tasks(step: Step) -> Iterator[tuple[str, ...]]:
    if not step.frames:
        yield step.command
    for chunk in step.chunks:
        yield step.command_of(to_fileseq(chunk))


def order_note(job: FarmJob) -> str:
    """Which lines need which: `line 1 Engine, then lines 2-51 Render, then line 52 Verify`."""
    parts, line = [], 1
    for step in job.steps:
        count = max(1, len(step.chunks))
        parts.append(f"lines {line}-{line + count - 1} {step.name}" if count > 1 else f"line {line} {step.name}")
        line += count
    return ", then ".join(parts)


def write_commands(job: FarmJob, folder: Path) -> list[Path]:
    """The lines as a file."""
    path = folder / FILE
    write_whole(path, "".join(f"{line}\n" for line in command_lines(job)).encode(errors="surrogateescape"))
    return [path]
