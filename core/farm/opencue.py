"""OpenCue: a job specification, made by OpenCue's own library (pyoutline) without a server, and sent to a Cuebot."""

import dataclasses
import logging
import math
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vfxgan.errors import MissingExtraError, SubmitError, UsageError
from vfxgan.farm.job import CHUNK, FarmJob, Step
from vfxgan.farm.plan import VERIFY
from vfxgan.ranges import to_fileseq
from vfxgan.whole_files import write_whole

FILE = "job.xml"
# Cuebot puts a chunk's frames there, in a notation that is also fileseq's: 0-9, or 1-9x2,20.
FRAMES = "#FRAMESPEC#"
HOSTS, CONFIGURATIONS = "CUEBOT_HOSTS", ("OPENCUE_CONFIG_FILE", "OPENCUE_CONF")
TIMEOUT_S = 120
MAX_CHARS = 4000  # of a command and of a range, in Cuebot's data base
MAX_FRAME = 999_999  # a frame's name there has six digits, and no sign
_TOKEN = re.compile(r"#(ZFRAME|IFRAME|FRAME_START|FRAME_END|FRAME_CHUNK|FRAMESPEC|FRAME|LAYER|JOB)#")
_NAME = re.compile(r"[A-Za-z0-9_.]{3,}")


@dataclass(frozen=True)
class Settings:
    """What OpenCue wants to know beside the job; None: as pyoutline finds it ($SHOW, $SHOT, $FACILITY, outline.cfg).

    Attributes:
        service: whose requirements the tasks have; `shell` is what every OpenCue has.
        tags: of hosts that may run them: `general|cloud`.
    """

    show: str | None = None
    shot: str | None = None
    facility: str | None = None
    service: str = "shell"
    tags: str | None = None


def write_opencue(job: FarmJob, folder: Path, words: Sequence[str] = ()) -> list[Path]:
    """The specification as a file.

    Args:
        words: `--show=`, `--shot=`, `--facility=`, `--service=`, `--tags=`.
    Raises:
        UsageError: something in the job that Cuebot would refuse or misread, or a word that is none of these.
        MissingExtraError: pyoutline is not installed.
        WriteError: it cannot be written.
    """
    path = folder / FILE
    write_whole(path, specification(job, _settings(words)).encode())
    return [path]


def submit_opencue(job: FarmJob, folder: Path, words: Sequence[str]) -> str:
    """Launch the specification; the name of the job there.

    Args:
        words: as `write_opencue`.
    Raises:
        UsageError: as `write_opencue`.
        SubmitError: no Cuebot is configured, it is not there, or it refuses the job.
    """
    text = specification(job, _settings(words))
    write_whole(folder / FILE, text.encode())
    _check_configured()
    with _installed():
        import opencue
        import opencue.api
        import opencue.exception
    opencue.Cuebot.setTimeout(TIMEOUT_S)
    try:
        with _quiet("opencue"):
            jobs = opencue.api.launchSpecAndWait(text)
    except opencue.exception.CueException as error:
        raise SubmitError(f"OpenCue: {' '.join(str(error).split())}; check {HOSTS}, or the job") from error
    return ", ".join(str(launched.name()) for launched in jobs)


def _check_configured() -> None:
    """The library would try this machine otherwise."""
    from opencue.config import config_base_directory

    files = [os.environ[name] for name in CONFIGURATIONS if os.environ.get(name)]
    if not os.environ.get(HOSTS) and not files and not Path(config_base_directory(), "opencue.yaml").exists():
        raise SubmitError(
            f"no Cuebot is configured: set {HOSTS}=cuebot.example.com:8443 or write opencue.yaml; "
            f"or write the job's files only: --write-only"
        )


def specification(job: FarmJob, settings: Settings) -> str:
    """The job as XML; nothing is written anywhere, and no server is asked.

    Source: OpenCue's cjsl-1.15.dtd, and what its JobSpec.java makes of it.

    Raises:
        UsageError, MissingExtraError: as `write_opencue`.
    """
    if job.system != "linux":
        raise UsageError(f"--to opencue: commands are written for Linux, and the farm's nodes run {job.system}")
    with _installed(), _quiet("outline"):
        import outline
        import outline.backend.cue
        import outline.cuerun
        import outline.modules.shell
    described = outline.Outline(
        name=_job_name(job.name), show=settings.show, shot=settings.shot, facility=settings.facility
    )
    layers: dict[str, Any] = {}
    for step in job.steps:
        layers[step.name] = outline.modules.shell.Shell(step.name, **_arguments(job, step, settings))
        described.add_layer(layers[step.name])
        for needed in step.needs:
            layers[step.name].depend_all(layers[needed])
    launcher = outline.cuerun.OutlineLauncher(
        described, priority=max(1, job.priority), maxretries=job.retries, nomail=True
    )
    with _quiet("outline"):  # its backend at once: the launcher would first make a session in the user's home
        return str(outline.backend.cue.serialize_simple(launcher))


def _arguments(job: FarmJob, step: Step, settings: Settings) -> dict[str, Any]:
    """Of a layer."""
    command = [shlex.quote(FRAMES if word == CHUNK else _checked(word)) for word in step.command]
    found: dict[str, Any] = {
        "command": command,
        "range": to_fileseq(step.frames) if step.frames else "1",
        "chunk": step.chunk if step.frames else 1,
        "cores": job.cores,
        "threadable": job.cores > 1,
        "service": settings.service,
        "env": dict(job.environment),
    }
    if settings.tags is not None:
        found["tags"] = settings.tags
    if step.timeout_s:
        found["timeout"] = math.ceil(step.timeout_s / 60)
    if job.gpus and step.name != VERIFY:
        found["gpus"] = job.gpus
    _check_fits(step, " ".join(command), found["range"])
    return found


def _check_fits(step: Step, command: str, frames: str) -> None:
    if step.frames and not 0 <= step.frames[0] <= step.frames[-1] <= MAX_FRAME:
        raise UsageError(
            f"--to opencue: frames {step.frames[0]} … {step.frames[-1]} are outside 0 … {MAX_FRAME}; "
            "seeds can go to others with --start-frame"
        )
    for what, text in (("command", command), ("list of frames", frames)):
        if len(text) > MAX_CHARS:
            raise UsageError(
                f"--to opencue: the {what} of {step.name} has {len(text)} characters, and Cuebot keeps {MAX_CHARS}; "
                "shorten paths, or submit fewer frames"
            )


def _checked(word: str) -> str:
    """What Cuebot would put something else for."""
    token = _TOKEN.search(word)
    if token:
        raise UsageError(f"{word!r}: {token[0]} means something to OpenCue; rename it")
    return word


def _job_name(name: str) -> str:
    """Cuebot adds show, shot and user in front; it takes small letters, digits, points and _, three at least."""
    plain = re.sub(r"[^a-z0-9_.]+", "_", name.lower()).strip("_.")
    return plain if len(plain) >= 3 else f"{plain}_job".strip("_")


def _settings(words: Sequence[str]) -> Settings:
    known = {f"--{field.name}": field.name for field in dataclasses.fields(Settings)}
    values = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in known or not value:
            raise UsageError(f"--extra {word}: OpenCue takes {', '.join(f'{option}=…' for option in known)}")
        if name != "--tags" and not _NAME.fullmatch(value):
            raise UsageError(f"--extra {word}: OpenCue's names have letters, digits, _ and points, three at least")
        values[known[name]] = value
    return Settings(**values)


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name).partition(".")[0], "opencue", "--to opencue") from error


@contextmanager
def _quiet(library: str) -> Iterator[None]:
    """What a library logs where nobody set up a log is not for stderr; what matters is raised."""
    logger, handler = logging.getLogger(library), logging.NullHandler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
