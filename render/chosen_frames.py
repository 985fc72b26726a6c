"""`--frames` of a render of seeds: some of the frames that the seeds go to, chosen by their numbers."""

from collections.abc import Mapping, Sequence

from vfxgan.errors import UsageError
from vfxgan.ranges import OPENJD, to_fileseq
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


def _short(numbers: Sequence[int]) -> str:
    text = to_fileseq(numbers)
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS].rpartition(',')[0]}, …"
