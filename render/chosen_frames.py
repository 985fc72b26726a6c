"""`--frames` of a render of seeds or of a walk: some of the frames that it has, chosen by their numbers."""

from collections.abc import Mapping, Sequence

from vfxgan.errors import UsageError
from vfxgan.ranges import OPENJD, to_fileseq
from vfxgan.render.walk import Walk
from vfxgan.sequences import parse_frames

MAX_CHARS = 60


def choose_frames(seeds: Mapping[int, int], text: str) -> tuple[dict[int, int], tuple[str, ...]]:
    """The frames of these numbers, in their order, and what is to be said.

    A number between the first and the last frame that no seed goes to is a hole, as `--seeds @picks.txt` has, and
    nothing to do: a farm's chunk may lie in one, wholly or in part. A chunk of Open Job Description's may also begin
    before the first or end after the last, since `Frames` of a template can be set to anything; a person's range may
    not, and nor may one that lies outside altogether.

    Args:
        seeds: by frame number.
    Raises:
        UsageError: not a range, or a number before the first frame or after the last.
    """
    wanted = parse_frames(text)
    first, last = min(seeds), max(seeds)
    outside = [number for number in wanted if not first <= number <= last]
    if outside and not (text.startswith(OPENJD) and len(outside) < len(wanted)):
        raise UsageError(f"--frames {text}: no seed goes to frame {_short(outside)}; seeds go to {_short(list(seeds))}")
    without = [number for number in wanted if number not in seeds]
    notes = (f"no seed goes to frame {_short(without)}",) if without else ()
    return {number: seeds[number] for number in wanted if number in seeds}, notes


def choose_frames_of_walk(walk: Walk, text: str | None) -> tuple[list[int], tuple[str, ...]]:
    """The same for a walk: all of its span, or the frames of these numbers; a loop has no outside.

    Raises:
        UsageError: not a range, or a number outside the span; in Open Job Description's notation, all of them.
    """
    if text is None:
        return list(range(walk.first, walk.last + 1)), ()
    wanted = parse_frames(text)
    outside = walk.outside(wanted)
    if not outside:
        return wanted, ()
    if not (text.startswith(OPENJD) and len(outside) < len(wanted)):
        raise UsageError(
            f"--frames: frame {outside[0]} is outside the walk {walk.span_text}; widen --walk (keys that are given "
            "frames stay where they are: 0@1001,50@1100), or --loop"
        )
    note = f"frame {_short(outside)} is outside the walk {walk.span_text}"
    return [number for number in wanted if walk.first <= number <= walk.last], (note,)


def _short(numbers: Sequence[int]) -> str:
    text = to_fileseq(numbers)
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS].rpartition(',')[0]}, …"
