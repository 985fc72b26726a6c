"""Slurm: a batch script for each step, an array task for each chunk, and a last step that waits for all of them."""

import math
import re
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from vfxgan.errors import SubmitError, UsageError, WriteError
from vfxgan.farm.job import CHUNK, FarmJob, Step
from vfxgan.farm.launch import as_word, launch
from vfxgan.farm.plan import ENGINE, RENDER, VERIFY
from vfxgan.ranges import to_fileseq
from vfxgan.whole_files import write_whole

MAX_ARRAY = 1000  # tasks of one array: Slurm's own default (MaxArraySize 1001); a step with more becomes several
NOTICE_S = 120  # before the time limit, for the frames in flight
PRIORITY, NICE = 50, 20  # that is plain, and what each point below it costs; only operators may go above
THROTTLE = "--throttle"
SUBMIT = "submit.sh"
# Of sbatch, those that the scripts set themselves and cannot work without.
_OWN = ("--array", "--dependency", "--wrap", "--parsable", "--chdir", "--ntasks", "--wait", "--signal", "--open-mode")
_OURS = re.compile(rf"({ENGINE}|{RENDER}|{VERIFY})(-\d+)?\.sbatch")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPTION = re.compile(r"--[a-z][a-z0-9-]*(=.*)?")

# Frames that are whole stay, so a task that runs again goes on where it was. Slurm itself does so when it preempts a
# task or loses a node; this is for a task that fails, or that comes near the end of its time.
_AGAIN = """\
late=
trap 'late=1; kill -TERM "$child"' USR1
trap : TERM  # the command gets its own, and finishes the frames in flight
{command} &
child=$!
wait "$child"
code=$?
while [ "$code" -gt 128 ] && kill -0 "$child" 2>/dev/null; do  # it was this script that a signal woke up
    wait "$child"
    code=$?
done
case "$code" in
    0 | 2) again= ;;  # done; or bad usage, which no second try makes better
    130 | 143) again=$late ;;  # stopped, by the time limit or by somebody who does not want it any more
    *) again=1 ;;  # failed, or was killed
esac
if [ -n "$again" ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt {retries} ]; then
    echo "exit code $code: once more, by scontrol requeue"
    scontrol requeue "{task}"
fi
exit "$code"
"""


def write_slurm(job: FarmJob, folder: Path, words: Sequence[str] = ()) -> list[Path]:
    """A script for each step, several where one array would have too many tasks; and one that submits them, in order.

    Args:
        words: more of sbatch's options, such as `--partition=render`; `--throttle=8` runs so many tasks at a time.
    Raises:
        UsageError: the nodes are Windows, a variable or the folder has a name that cannot be, or a word is no option,
            or one that the job sets itself.
        WriteError: they cannot be written.
    """
    files = {
        path: script(job, step, chunks, words, folder) for step in job.steps for path, chunks in _parts(step, folder)
    }
    files[folder / SUBMIT] = _submit_script(job, folder, words)
    _remove_stale(folder, files)
    for path, text in files.items():
        write_whole(path, text.encode(errors="surrogateescape"))
    return list(files)


def _remove_stale(folder: Path, files: Collection[Path]) -> None:
    """Scripts of an earlier job here that had other parts: nobody is to submit those beside the new ones."""
    stale = [path for path in folder.glob("*.sbatch") if _OURS.fullmatch(path.name) and path not in files]
    for path in stale:
        try:
            path.unlink()
        except OSError as error:
            raise WriteError(f"{path}: of an earlier job, cannot be removed ({error.strerror}); remove it") from error


def line_slurm(_job: FarmJob, folder: Path, _words: Sequence[str]) -> str:
    """What submits the files by hand."""
    return shlex.join(["sh", as_word(folder / SUBMIT)])


def _submit_script(job: FarmJob, folder: Path, words: Sequence[str]) -> str:
    """What `submit_slurm` does, for whoever submits by hand."""
    options = shlex.join(["sbatch", "--parsable", *_options(words)[1]])
    lines = ["#!/bin/sh", "# Submits this job: each script, after those that it needs.", "set -eu"]
    lines.append('CDPATH= cd -- "$(dirname -- "$0")"')
    queued: dict[str, list[str]] = {}
    for step in job.steps:
        needed = "".join(f":${{{variable}%%;*}}" for name in step.needs for variable in queued[name])
        after = f' "--dependency=afterok{needed}" --kill-on-invalid-dep=yes' if needed else ""
        for path, _ in _parts(step, folder):
            variable = f"job{sum(map(len, queued.values())) + 1}"
            lines.append(f"{variable}=$({options}{after} {shlex.quote(path.name)})")
            lines.append(f'echo "{step.name} ${{{variable}%%;*}}"')
            queued.setdefault(step.name, []).append(variable)
    return "\n".join([*lines, ""])


def submit_slurm(job: FarmJob, folder: Path, words: Sequence[str]) -> str:
    """Run `sbatch` on each script, from the folder; what was queued, `Render 12, Verify 13`.

    Args:
        words: as `write_slurm`; given to sbatch again, since $SBATCH_PARTITION and the like would win over a script.
    Raises:
        UsageError: as `write_slurm`.
        SubmitError: sbatch is not there, or refuses a script; it says what was queued before.
    """
    options = _options(words)[1]
    queued: dict[str, list[str]] = {}
    for step in job.steps:
        needed = [number for name in step.needs for number in queued[name]]
        after = [f"--dependency=afterok:{':'.join(needed)}", "--kill-on-invalid-dep=yes"] if needed else []
        for path, _ in _parts(step, folder):
            said = _launched(["sbatch", "--parsable", *options, *after, path.name], folder, queued)
            queued.setdefault(step.name, []).append(said.strip().partition(";")[0])
    return _said(queued)


def _launched(words: Sequence[str], folder: Path, queued: dict[str, list[str]]) -> str:
    try:
        return launch(words, "submit from a node that has Slurm's commands", folder)
    except SubmitError as error:
        if not queued:
            raise
        numbers = " ".join(number for ids in queued.values() for number in ids)
        raise SubmitError(f"{error}; already queued: {_said(queued)} (scancel {numbers})") from error


def _said(queued: dict[str, list[str]]) -> str:
    return ", ".join(f"{name} {' '.join(ids)}" for name, ids in queued.items())


def _parts(step: Step, folder: Path) -> list[tuple[Path, list[tuple[int, ...]]]]:
    """The scripts of a step, and the chunks of each; none of a step that is one task."""
    chunks = step.chunks
    if len(chunks) <= MAX_ARRAY:
        return [(folder / f"{step.name}.sbatch", chunks)]
    starts = range(0, len(chunks), MAX_ARRAY)
    return [
        (folder / f"{step.name}-{place}.sbatch", chunks[start : start + MAX_ARRAY])
        for place, start in enumerate(starts, 1)
    ]


def script(
    job: FarmJob, step: Step, chunks: Sequence[tuple[int, ...]], words: Sequence[str] = (), folder: Path = Path()
) -> str:
    """A step, or a part of it, as `sbatch` takes it.

    Args:
        words: more of sbatch's options.
        folder: of the logs.
    Raises:
        UsageError: as `write_slurm`.
    """
    if job.system != "linux":
        raise UsageError(f"--to slurm: its nodes run Linux, and vfxgan.toml says that the farm's are {job.system}")
    again = step.name != VERIFY and job.retries > 0
    throttle, options = _options(words)
    own = _directives(job, step, chunks, throttle, again=again)
    log = f"--output={_log_folder(folder)}/{step.name}-{'%A_%a' if chunks else '%j'}.log"
    lines = ["#!/bin/bash", *(f"#SBATCH {_quoted(option)}" for option in (*own, log, *options))]
    # What whoever submits has in their own shell is not for the Python of the nodes.
    lines += ["unset PYTHONPATH PYTHONHOME", *(_export(name, value) for name, value in job.environment)]
    if chunks:
        listed = "\n".join(shlex.quote(to_fileseq(chunk)) for chunk in chunks)
        lines += [f"chunks=(\n{listed}\n)", "frames=${chunks[${SLURM_ARRAY_TASK_ID:?start this with sbatch}]}"]
    command = " ".join('"$frames"' if word == CHUNK else shlex.quote(word) for word in step.command)
    task = "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" if chunks else "$SLURM_JOB_ID"
    tail = _AGAIN.format(command=command, retries=job.retries, task=task) if again else f"exec {command}\n"
    return "\n".join([*lines, tail])


def _directives(
    job: FarmJob, step: Step, chunks: Sequence[tuple[int, ...]], throttle: int, *, again: bool
) -> list[str]:
    minutes = math.ceil(step.timeout_s / 60)
    notice = min(NOTICE_S, minutes * 15) if minutes else NOTICE_S
    gpus = 0 if step.name == VERIFY else job.gpus
    return [
        f"--job-name={_plain(job.name)}-{step.name}",
        *([f"--array=0-{len(chunks) - 1}" + f"%{throttle}" * (throttle > 0)] if chunks else []),
        "--ntasks=1",
        f"--cpus-per-task={job.cores}",
        *([f"--gres=gpu:{gpus}"] if gpus else []),
        *([f"--time={minutes}"] if minutes else []),
        *([f"--nice={(PRIORITY - job.priority) * NICE}"] if job.priority < PRIORITY else []),
        "--requeue",
        "--open-mode=append",
        f"--signal=B:{'USR1' if again else 'TERM'}@{notice}",
        "--export=ALL",
    ]


def _log_folder(folder: Path) -> str:
    """As sbatch reads it, to which `%` begins a token, and a backslash ends all of them."""
    text = str(folder.absolute())
    if "\\" in text or not text.isprintable():
        raise UsageError(f"{text!r}: sbatch cannot write logs to a folder of that name; give another with --job")
    return text.replace("%", "%%")


def _quoted(option: str) -> str:
    """As a directive's line holds it: sbatch splits it at spaces outside quotes, and knows backslashes and `#`."""
    plain = re.fullmatch(r"[^\s\"'#\\]*", option)
    return option if plain else '"' + re.sub(r'["\\]', r"\\\g<0>", option) + '"'


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)


def _export(name: str, value: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a variable; write letters, digits and _")
    return f"export {name}={shlex.quote(value)}"


def _options(words: Sequence[str]) -> tuple[int, list[str]]:
    """How many tasks may run at a time, 0 for all, and the rest of the words, each of which is a whole option."""
    throttle, options = 0, []
    for word in words:
        name, _, value = word.partition("=")
        if not _OPTION.fullmatch(word):
            raise UsageError(f"--extra {word!r}: give sbatch's options one by one, as --extra=--partition=render")
        if name in _OWN:
            raise UsageError(f"--extra {word}: the job sets {name} itself; leave it out")
        if name != THROTTLE:
            options.append(word)
        elif value.isdecimal() and 0 < int(value) <= MAX_ARRAY:
            throttle = int(value)
        else:
            raise UsageError(f"--extra {word}: give 1 … {MAX_ARRAY} tasks at a time, as {THROTTLE}=8")
    return throttle, options
