"""From what a render was asked for to the steps of a farm job: engine, frames in chunks, verify."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from vfxgan.errors import UsageError
from vfxgan.farm.job import CHUNK, FarmJob, Step
from vfxgan.ranges import to_fileseq

ENGINE, RENDER, VERIFY = "Engine", "Render", "Verify"
MAX_NAME = 128  # of Open Job Description and of AWS Deadline Cloud, the shortest of all engines
UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # of Unicode: control characters, halves of one, line and paragraph breaks
MAX_WORD_BYTES = 100_000  # the kernel takes 128 KiB for one argument
# Where a submission keeps each of these, what it may be, and of what.
FIELDS = {
    "--chunk": "chunk",
    "--target-seconds": "target_seconds",
    "--timeout": "timeout_s",
    "--cores": "cores",
    "--gpus": "gpus",
    "--priority": "priority",
    "--retries": "retries",
}
LIMITS = {
    "--chunk": (1, 100_000, "frames"),
    "--target-seconds": (0, 86_400, "seconds"),
    "--timeout": (0, 30 * 86_400, "seconds"),
    "--cores": (1, 1024, "cores"),
    "--gpus": (0, 64, "GPUs"),
    "--priority": (0, 100, "(the higher the sooner)"),
    "--retries": (0, 100, "retries"),
}


@dataclass(frozen=True)
class RenderPart:
    """A render as the farm is to run it: all paths are whole, and as the farm's nodes name them.

    Attributes:
        arguments: of `vfxgan render`, without `--frames` and `--progress`.
        frames: ascending; empty where the render is one that cannot be split.
        model: file, or name of a packaged model.
        out: pattern of the frames.
    """

    arguments: tuple[str, ...]
    frames: tuple[int, ...]
    model: str
    out: str


@dataclass(frozen=True)
class FarmOptions:
    """What a submission says beside the render.

    Attributes:
        command: the `vfxgan` of the farm's nodes.
        build_engine: arguments of `vfxgan export MODEL --trt`, for a first step that builds an engine; None: no such
            step.
        verify: arguments of `vfxgan verify OUT --frames …`, for a last step; None: no such step.
    """

    name: str
    command: str = "vfxgan"
    system: str = "linux"
    chunk: int = 10
    target_seconds: int = 0
    timeout_s: int = 0
    cores: int = 4
    gpus: int = 0
    priority: int = 50
    retries: int = 2
    build_engine: tuple[str, ...] | None = None
    verify: tuple[str, ...] | None = ()

    def check(self) -> None:
        """Raises UsageError: every number that is out of range, in one message, or a name that no farm takes."""
        check_numbers(numbers_of(self))
        problem = _name_problem(self.name)
        if problem:
            raise UsageError(problem)


def numbers_of(given: object) -> dict[str, int | None]:
    """By their options, of what has the attributes of `FIELDS`; None where absent."""
    return {option: getattr(given, name) for option, name in FIELDS.items()}


def check_numbers(given: Mapping[str, int | None]) -> None:
    """By their options; None is absent. Raises UsageError: all that are out of range, in one message."""
    problems = [_outside(option, value) for option, value in given.items() if value is not None]
    if any(problems):
        raise UsageError("; ".join(filter(None, problems)))


def plan_job(render: RenderPart, options: FarmOptions, progress: str | None) -> FarmJob:
    """The job: an engine if asked for, then the frames, then a look at all of them.

    Args:
        progress: what `--progress` each command gets; None: none, which is a line every ten seconds in a log.
    Raises:
        UsageError: a number out of range, or a word that no engine can pass on.
    """
    options.check()
    vfxgan = (options.command, "--no-project")  # all of it is in the words that follow
    shown = ("--progress", progress) if progress else ()
    steps = []
    if options.build_engine is not None:
        words = (*vfxgan, "export", render.model, "--trt", *options.build_engine, *shown)
        steps.append(Step(ENGINE, words, timeout_s=options.timeout_s))
    chunk = ("--frames", CHUNK) if render.frames else ()
    steps.append(
        Step(
            RENDER,
            (*vfxgan, "render", *render.arguments, *chunk, *shown),
            render.frames,
            options.chunk,
            options.target_seconds,
            options.timeout_s,
            needs=tuple(step.name for step in steps),
        )
    )
    if options.verify is not None:
        frames = ("--frames", to_fileseq(render.frames)) if render.frames else ()
        words = (*vfxgan, "verify", render.out, *frames, *options.verify, *shown)
        steps.append(Step(VERIFY, words, timeout_s=options.timeout_s, needs=(RENDER,)))
    for word in (word for step in steps for word in step.command):
        _check_word(word)
    return FarmJob(
        options.name,
        tuple(steps),
        cores=options.cores,
        gpus=options.gpus,
        system=options.system,
        priority=options.priority,
        retries=options.retries,
    )


def _outside(option: str, value: int) -> str:
    least, most, unit = LIMITS[option]
    return "" if least <= value <= most else f"{option} {value} is outside {least} … {most} {unit}"


def _name_problem(name: str) -> str:
    if not name.strip():
        return "--name is empty; give the job a name"
    if any(unicodedata.category(letter) in UNPRINTABLE for letter in name):
        return f"--name {name!r}: holds control characters; leave them out"
    return f"--name: {len(name)} characters, a job's name has {MAX_NAME} at most" if len(name) > MAX_NAME else ""


def _check_word(word: str) -> None:
    """A line break in a word ends a line of some engine's file, whatever quotes stand around it."""
    if any(unicodedata.category(letter) in UNPRINTABLE for letter in word):
        raise UsageError(f"{word!r}: holds control characters, which farms do not pass on; rename it")
    size = len(word.encode(errors="surrogateescape"))
    if size > MAX_WORD_BYTES:
        raise UsageError(
            f"{word[:40]!r}…: {size} bytes, and a command's argument has {MAX_WORD_BYTES} at most; submit fewer frames"
        )
