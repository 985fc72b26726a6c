"""The engines that a job can be submitted to; each is a file here, which is imported when it is asked for."""

import importlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from vfxgan.errors import UsageError
from vfxgan.farm.job import FarmJob
from vfxgan.farm.written import refuse_strangers, remember


class Write(Protocol):
    """`write_NAME`: the files that describe a job; words of the engine's own where it submits."""

    def __call__(self, job: FarmJob, folder: Path, *words: Sequence[str]) -> list[Path]: ...


class Submit(Protocol):
    """`submit_NAME`: starts the engine's own command on those files, with extra words of its own; the job's id.

    `line_NAME`: the line that does so by hand.
    """

    def __call__(self, job: FarmJob, folder: Path, words: Sequence[str]) -> str: ...


@dataclass(frozen=True)
class Engine:
    """One of them.

    Attributes:
        progress: what `--progress` its tasks are given; None: lines in a log, one every ten seconds.
        submits: it has something to be submitted with.
        by_hand: and a line that does so.
        cannot: options of `vfxgan submit` that it has nothing for.
        files: a regular expression for the names of all files that it writes or removes.
    """

    name: str
    progress: str | None = None
    submits: bool = True
    by_hand: bool = False
    cannot: tuple[str, ...] = ()
    files: str = ""

    def check(self, given: Iterable[str]) -> None:
        """Raises UsageError: an option was given that would be lost."""
        lost = [option for option in given if option in self.cannot]
        if lost:
            raise UsageError(f"{', '.join(lost)}: --to {self.name} has nothing that could take it; leave it out")

    def refuse_strangers(self, folder: Path) -> None:
        """Raises UsageError: `write` would replace or remove a file that is not as we wrote it."""
        refuse_strangers(folder, re.compile(self.files))

    def write_and_remember(self, job: FarmJob, folder: Path, words: Sequence[str], out: str) -> list[Path]:
        """As `write`, after `refuse_strangers`; what was written is known as ours also where the rest fails.

        Args:
            out: pattern of the job's frames.
        """
        try:
            return self.write(job, folder, words)
        finally:
            remember(folder, job.name, out, re.compile(self.files))

    def write(self, job: FarmJob, folder: Path, words: Sequence[str]) -> list[Path]:
        """Raises UsageError: something in the job, or a word of its own command, that this engine cannot say."""
        return cast(Write, self._function("write"))(job, folder, *([words] if self.submits else []))

    def line(self, job: FarmJob, folder: Path, words: Sequence[str]) -> str:
        """What submits the written files by hand; "" where there is no such line."""
        return cast(Submit, self._function("line"))(job, folder, words) if self.by_hand else ""

    def submit(self, job: FarmJob, folder: Path, words: Sequence[str]) -> str:
        """After `write`. Raises VfxganError: the engine's command is not there, or refuses the job."""
        return cast(Submit, self._function("submit"))(job, folder, words)

    def _function(self, verb: str) -> object:
        return getattr(importlib.import_module(f"vfxgan.farm.{self.name}"), f"{verb}_{self.name}")


SCRIPTS = r"(Engine|Render|Verify)(-\d+)?\.sbatch|submit\.sh"
# Of a list of commands, whatever takes the list decides about these.
OF_A_MANAGER = ("--target-seconds", "--timeout", "--gpus", "--priority", "--retries")
ENGINES = {
    engine.name: engine
    for engine in (
        Engine("openjd", "openjd", submits=False, cannot=("--priority", "--retries"), files=r"template\.json"),
        Engine("deadline", "openjd", by_hand=True, files=r"(template|parameter_values|asset_references)\.json"),
        Engine(
            "slurm",
            by_hand=True,
            cannot=("--target-seconds",),
            files=SCRIPTS,
        ),
        Engine("opencue", cannot=("--target-seconds",), files=r"job\.xml"),
        Engine("commands", submits=False, cannot=OF_A_MANAGER, files=r"commands\.txt"),
    )
}


def find_engine(name: str) -> Engine:
    """Raises UsageError: there is none of that name."""
    if name not in ENGINES:
        raise UsageError(f"--to {name!r} is unknown; use {', '.join(ENGINES)}")
    return ENGINES[name]
