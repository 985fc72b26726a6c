"""A farm job as every engine gets it: steps of commands, some of them split into chunks of frames."""

from dataclasses import dataclass, field

# An argument that an engine replaces by the chunk's frames, as render's --frames takes them: 0-9, or 40 for one.
CHUNK = "<frames of the chunk>"


@dataclass(frozen=True)
class Step:
    """One step of a job.

    Attributes:
        name: unique in its job; a letter, then letters, digits, - and _.
        command: words, never a shell's line; `CHUNK` stands for a chunk's frames, and is a word of its own.
        frames: that the step is split over, ascending, each once; empty: the step is one task.
        chunk: frames a task, at most.
        target_seconds: that a task is to take, for engines that can find the chunk for it; 0: as `chunk` says.
        timeout_s: after which a task is stopped; 0: never.
        needs: names of the steps that must have succeeded before this one starts.
    """

    name: str
    command: tuple[str, ...]
    frames: tuple[int, ...] = ()
    chunk: int = 1
    target_seconds: int = 0
    timeout_s: int = 0
    needs: tuple[str, ...] = ()

    @property
    def chunks(self) -> list[tuple[int, ...]]:
        """The frames of each task, for engines that do not split them themselves; none where there is one task."""
        return [self.frames[start : start + self.chunk] for start in range(0, len(self.frames), self.chunk)]

    def command_of(self, chunk: str) -> tuple[str, ...]:
        """The command of one task; `chunk` as `--frames` takes it."""
        return tuple(chunk if word == CHUNK else word for word in self.command)


@dataclass(frozen=True)
class FarmJob:
    """One job.

    Attributes:
        name: for people; any text without control characters.
        steps: in an order in which no step needs a later one.
        cores: that a task takes, `--threads` of a render.
        gpus: that a task takes.
        system: of the farm's nodes: linux or windows.
        priority: 0 … 100, the higher the sooner; engines have scales of their own.
        retries: of a task that failed.
        environment: variables that commands are started with, beside the farm's own.
    """

    name: str
    steps: tuple[Step, ...]
    cores: int = 1
    gpus: int = 0
    system: str = "linux"
    priority: int = 50
    retries: int = 2
    environment: tuple[tuple[str, str], ...] = field(default=())
