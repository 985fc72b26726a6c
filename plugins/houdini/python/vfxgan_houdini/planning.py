"""Which frames a render will make, said by vfxgan itself: a dry run, which also says what is wrong before the start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vfxgan_client import ClientError, Command, ask
from vfxgan_houdini.patterns import notation

WITHIN_S = 600.0  # headers of a long sequence on a slow disk


@dataclass(frozen=True)
class Planned:
    """A frame to be made. `path`: absolute; `seed`: None for plates."""

    number: int
    path: str
    seed: int | None


@dataclass(frozen=True)
class Plan:
    """All frames of a render, in its order; to_do: those that are not done yet."""

    model: str
    frames: tuple[Planned, ...]
    to_do: int

    @property
    def numbers(self) -> list[int]:
        """Ascending, each once; views of one frame share its number."""
        return sorted({frame.number for frame in self.frames})

    @property
    def first(self) -> int:
        return self.numbers[0]

    @property
    def last(self) -> int:
        return self.numbers[-1]


@dataclass(frozen=True)
class Chunk:
    """A part of a plan, for one work item."""

    frames: tuple[Planned, ...]

    @property
    def text(self) -> str:
        """For `--frames`."""
        return notation(frame.number for frame in self.frames)


def plan(command: Command, arguments: Sequence[str], folder: str, is_cancelled: Callable[[], bool]) -> Plan:
    """Ask vfxgan what `arguments` would render.

    Args:
        folder: where it runs; paths are relative to it.
        is_cancelled: called a few times a second, in this thread; what it raises ends the question, too.
    Raises:
        Withdrawn: `is_cancelled` said yes.
        ClientError: what vfxgan has against it, in its own words; or there is nothing to render.
    """
    told = ask(command, [*arguments, "--dry-run", "--progress=json"], folder, WITHIN_S, is_cancelled)
    frames = tuple(
        Planned(int(frame["frame"]), Path(folder, str(frame["path"])).as_posix(), frame.get("seed"))
        for frame in told["frames"]
    )
    if not frames:
        raise ClientError("there is nothing to render; check the frames")
    return Plan(str(told["model"]["name"]), frames, int(told["to_do"]))


def chunks(planned: Plan, size: int) -> list[Chunk]:
    """Cut into parts of so many frame numbers, ascending.

    Raises:
        ClientError: a size below 1.
    """
    if size < 1:
        raise ClientError(f"{size} frames per work item is too few; give 1 or more")
    numbers, parts = planned.numbers, []
    for start in range(0, len(numbers), size):
        wanted = set(numbers[start : start + size])
        frames = sorted((frame for frame in planned.frames if frame.number in wanted), key=lambda frame: frame.number)
        parts.append(Chunk(tuple(frames)))
    return parts
