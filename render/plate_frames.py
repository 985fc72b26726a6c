"""Which plates are rendered, and to which files: ranges, handles, holes and views."""

import itertools
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import fileseq

from vfxgan.errors import UsageError
from vfxgan.images import PLATE_FORMATS
from vfxgan.render.like import Like
from vfxgan.render.plan import Frame
from vfxgan.sequences import MAX_FRAMES, Pattern, frames_on_disk, parse_frames, parse_pattern
from vfxgan.views import LETTER, NAME, check_views, has_views, of_view, views_on_disk

MAX_RANGE_CHARS = 60
MAX_NAMED = 1000  # of absent frames


@dataclass(frozen=True)
class PlateRequest:
    """What the command line says of plates.

    Attributes:
        source, out: patterns.
        frames: a range, None for what is on disk.
        skip_missing: frames of that range that are not on disk are no failure.
        handles: frames more on each side of it, where they are on disk.
        view: None for all.
    """

    source: str
    out: str
    frames: str | None
    skip_missing: bool
    handles: int
    view: str | None


@dataclass(frozen=True)
class FoundFrames:
    """The answer.

    Attributes:
        pattern: of the frames; of the first view where there are several.
        notes: what is to be said before the start.
        by_file: views are files, and what a file holds needs no choice of a view.
    """

    frames: list[Frame]
    pattern: Pattern
    notes: tuple[str, ...] = ()
    by_file: bool = False


def find_plate_frames(request: PlateRequest, like: Like | None) -> FoundFrames:
    """Each plate to the frame of its number; with a frame to make again, the one plate that it was made from.

    Raises:
        UsageError: no plates, no pattern for several of them, or a frame would replace a plate.
    """
    by_file = has_views(request.source) if like else check_views(request.source, request.out)
    views = _views(request) if by_file else ("",)
    frames, notes, patterns = [], [], []
    for view in views:
        source = parse_pattern(of_view(request.source, view), 1, "--in", PLATE_FORMATS)
        plates, said = _plates(source, request)
        around = source if source.padding else None  # a single file has no neighbours
        if like is None:
            patterns.append(parse_pattern(of_view(request.out, view), len(plates)))
            notes += [f"{source.text}: {note}" for note in said]
            frames += [
                Frame(number, patterns[-1].path(number), plate=path, plates=around, view=view)
                for number, path in plates.items()
            ]
        else:
            frames += [Frame(n, Path(), plate=path, plates=around, view=view) for n, path in plates.items()]
    if like is not None:
        return _of_like(frames, like, request.out, by_file)
    frames.sort(key=_order(frames))
    _check_targets(frames, request.out)
    return FoundFrames(frames, patterns[0], tuple(notes), by_file)


def _of_like(frames: list[Frame], like: Like, out: str, by_file: bool) -> FoundFrames:
    own_number = number_in(like.frame)
    nearest_first = sorted(frames, key=lambda frame: frame.number != own_number)
    found = like.find_plate(frame.plate for frame in nearest_first if frame.plate is not None)
    frame = next(frame for frame in nearest_first if frame.plate == found)
    pattern = parse_pattern(of_view(out, frame.view), 1)
    path, keyed_by = pattern.path(frame.number), like.recipe.frame
    again = Frame(frame.number, path, plate=found, plates=frame.plates, view=frame.view, keyed_by=keyed_by)
    _check_targets([again], out)
    return FoundFrames([again], pattern, (), by_file)


def _views(request: PlateRequest) -> tuple[str, ...]:
    found = views_on_disk(request.source)
    if not found:
        raise UsageError(f"--in {request.source!r}: no plates there for any view; check the path")
    if request.view is None:
        return found
    wanted = request.view if NAME in request.source else request.view[:1]
    if wanted not in found:
        raise UsageError(f"--view {request.view!r}: --in {request.source!r} has {', '.join(found)}")
    return (wanted,)


def _plates(source: Pattern, request: PlateRequest) -> tuple[dict[int, Path], list[str]]:
    """Plates by number, and what is to be said of them."""
    found = frames_on_disk(source)
    if request.frames is None:
        if not found:
            raise UsageError(
                f"--in {source.text!r}: no plates there; give a file, or a pattern in quotes: 'plate/####.exr'"
            )
        said = [f"--handles {request.handles} adds nothing: all plates are rendered"] * (request.handles > 0)
        holes = _holes(list(found))
        said += [f"frames {short_range(holes)} are absent, and no frames of theirs are made"] * bool(holes)
        return (found if source.padding else {number_in(path): path for path in found.values()}), said
    if not source.padding:
        raise UsageError(f"--frames {request.frames} needs a pattern, and --in {source.text!r} is one file")
    wanted = parse_frames(request.frames)
    first, last, count = min(wanted), max(wanted), request.handles
    before = [number for number in range(first - count, first) if number in found]
    after = [number for number in range(last + 1, last + 1 + count) if number in found]
    missing = [number for number in wanted if number not in found]
    said = _short_handles(found, first, last, count)
    if missing:
        done = "skipped" if request.skip_missing else "absent, and fail; --skip-missing leaves them out"
        said.append(f"{len(missing)} of {len(wanted)} plates ({short_range(missing)}) are {done}")
    if missing and request.skip_missing:
        wanted = [number for number in wanted if number in found]
    if not wanted and not found:  # a hole in a shot is no mistake; a path without any plate is
        raise UsageError(f"--frames {request.frames}: none of these plates is there ({source.text}); check the path")
    return {number: source.path(number) for number in [*before, *wanted, *after]}, said


def _short_handles(found: Collection[int], first: int, last: int, count: int) -> list[str]:
    """What is to be said where there are fewer plates around a range than were asked for."""
    around = itertools.chain(range(max(first - count, 0), first), range(last + 1, last + 1 + count))
    absent = list(itertools.islice((number for number in around if number not in found), MAX_NAMED))
    return [f"--handles {count} is cut short: frames {short_range(absent)} are absent"] if absent else []


def _holes(numbers: Sequence[int]) -> list[int]:
    """What is missing between the first and the last; plates on twos, threes, … have their step."""
    gaps = [after - before for before, after in itertools.pairwise(numbers)]
    if not gaps or max(gaps) == min(gaps) or numbers[-1] - numbers[0] > MAX_FRAMES:
        return []
    there = set(numbers)
    return [number for number in range(numbers[0], numbers[-1], min(gaps)) if number not in there]


def short_range(numbers: Sequence[int]) -> str:
    """`1003,1007-1010`, cut off where it is long."""
    text = str(fileseq.framesToFrameRange(sorted(numbers)))
    return text if len(text) <= MAX_RANGE_CHARS else f"{text[:MAX_RANGE_CHARS].rpartition(',')[0]}, …"


def _order(frames: Sequence[Frame]) -> Callable[[Frame], int]:
    """All views of a frame, then the next frame, in the order asked for."""
    place: dict[int, int] = {}
    for frame in frames:
        place.setdefault(frame.number, len(place))
    return lambda frame: place[frame.number]


def _check_targets(frames: Sequence[Frame], out: str) -> None:
    plates = {frame.plate.resolve() for frame in frames if frame.plate is not None}
    targets: set[Path] = set()
    for frame in frames:
        target = frame.path.resolve()
        if target in plates:
            raise UsageError(f"--out {out!r} would replace the plate {frame.path}; write elsewhere")
        if target in targets:
            mark = f"two views begin with the same letter; give {NAME}" if LETTER in out else "list each frame once"
            raise UsageError(f"--out {out!r}: two frames go to {frame.path}; {mark}")
        targets.add(target)


def number_in(path: Path) -> int:
    """`shot.1001.exr` is frame 1001; a file without a number is frame 0."""
    digits = re.search(r"\d+$", path.stem)
    return int(digits[0]) if digits else 0
