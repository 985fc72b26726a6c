"""Which frames a sequence has to have, and what has to be in each: from a pattern, ranges, seeds and plates."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vfxgan.errors import UsageError
from vfxgan.images import FORMAT_OF_EXTENSION, PLATE_FORMATS
from vfxgan.latents import parse_seeds
from vfxgan.ranges import to_fileseq
from vfxgan.render.chosen_frames import choose_frames
from vfxgan.render.plan import Frame
from vfxgan.render.plate_frames import number_in
from vfxgan.render.verify import is_sheet
from vfxgan.sequences import Pattern, frames_on_disk, parse_frames, parse_pattern
from vfxgan.views import NAME, has_views, of_view, views_on_disk

NAMED_FILES = 3
_NUMBERED = re.compile(r"(.*?)(-?\d+)(\.[A-Za-z]+)")


@dataclass(frozen=True)
class SequenceRequest:
    """A sequence as the command line names it; None where absent, which leaves what is on disk.

    Attributes:
        out: folder, file or pattern; %V for views.
        seeds, start_frame: as the render had them.
        plates: pattern of those that the frames were made from.
    """

    out: str
    frames: str | None = None
    seeds: str | None = None
    start_frame: int | None = None
    plates: str | None = None


@dataclass(frozen=True)
class Expected:
    """The answer.

    Attributes:
        pattern: of all, as `render --out` takes it.
        frames: in the order of their numbers; with a seed or plate where it is known which has to be in it.
        views: that have files of their own; empty for none.
        notes: what else is in the folders.
    """

    pattern: str
    frames: tuple[Frame, ...]
    views: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Of all frames, the views' folders included."""
        folder = Path(self.pattern).parent
        while self.views and has_views(str(folder)):
            folder = folder.parent
        return folder


def find_expected(request: SequenceRequest) -> Expected:
    """What has to be there.

    Raises:
        UsageError: not a sequence, ranges that are none, or nothing there and nothing named.
    """
    text = pattern_of(request.out)
    views = _views(text, request.plates)
    patterns = {view: parse_pattern(of_view(text, view), 1) for view in views}
    sources = {view: _source(request.plates, view) for view in views}
    there = {view: _on_disk(pattern) for view, pattern in patterns.items()}
    wanted, notes = _wanted(request, there, sources)
    if len(wanted) > 1 and any(not pattern.padding for pattern in patterns.values()):
        parse_pattern(text, len(wanted))  # says so
    frames = [
        Frame(number, patterns[view].path(number), seed, _plate(sources[view], number), sources[view], view)
        for number, seed in sorted(wanted.items())
        for view in views
    ]
    notes += _others(patterns, there, set(wanted))
    return Expected(text, tuple(frames), tuple(view for view in views if view), tuple(notes))


def pattern_of(out: str) -> str:
    """The pattern that a folder, file or pattern stands for.

    Raises:
        UsageError: a folder without frames, or with several sequences.
    """
    folder = Path(out)
    if not folder.is_dir():
        return out
    found: dict[tuple[str, str], int] = {}
    for path in sorted(folder.iterdir()):
        match = _NUMBERED.fullmatch(path.name)
        if match and _is_picture(path):
            key, digits = (match[1], match[3]), len(match[2].removeprefix("-"))
            found[key] = min(digits, found.get(key, digits))
    texts = [f"{head}{'#' * digits}{tail}" for (head, tail), digits in found.items()]
    if not texts:
        raise UsageError(
            f"{out!r}: no frames there; give a folder, a file, or a pattern in quotes ('shot010/####.exr')"
        )
    if len(texts) > 1:
        raise UsageError(
            f"{out!r} holds several sequences ({', '.join(texts)}); name one: '{folder / texts[0]}' (quoted)"
        )
    return str(folder / texts[0])


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in FORMAT_OF_EXTENSION and not path.name.startswith(".") and path.is_file()


def _views(text: str, plates: str | None) -> tuple[str, ...]:
    """Those on disk, and those of the plates; one without a name where files are of no view."""
    if not has_views(text):
        return ("",)
    found = set(views_on_disk(plates)) if plates is not None and has_views(plates) else set()
    if not found or NAME in text:
        found |= set(views_on_disk(text))
    if not found:
        raise UsageError(f"{text!r}: no frames there for any view; check the path")
    return tuple(sorted(found))


def _source(plates: str | None, view: str) -> Pattern | None:
    return None if plates is None else parse_pattern(of_view(plates, view), 1, "--in", PLATE_FORMATS)


def _on_disk(pattern: Pattern) -> dict[int, Path]:
    found = frames_on_disk(pattern)
    return found if pattern.padding else {number_in(path): path for path in found.values()}


def _plate(source: Pattern | None, number: int) -> Path | None:
    return None if source is None else source.path(number)


def _wanted(
    request: SequenceRequest, there: dict[str, dict[int, Path]], sources: dict[str, Pattern | None]
) -> tuple[dict[int, int | None], list[str]]:
    """Seeds by frame number, None where they are not known; and what is to be said."""
    if request.seeds is not None:
        if request.plates is not None:
            raise UsageError(f"--seeds {request.seeds} and --in {request.plates!r} are two sources; give one")
        start, seeds = request.start_frame, parse_seeds(request.seeds)
        pairs = {seed if start is None else start + place: seed for place, seed in enumerate(seeds)}
        if request.frames is not None:
            pairs, _ = choose_frames(pairs, request.frames)
        return dict(pairs), []
    if request.start_frame is not None:
        raise UsageError(f"--start-frame {request.start_frame} goes with --seeds")
    if request.frames is not None:
        return dict.fromkeys(parse_frames(request.frames)), []
    plates = {number for source in sources.values() if source is not None for number in _on_disk(source)}
    found = {number for numbers in there.values() for number in numbers}
    is_one = Path(request.out).is_file() and found <= plates
    if plates and not is_one:
        return dict.fromkeys(plates), []
    if not found:
        raise UsageError(f"{request.out!r}: no frames there; say which have to be, with --frames 1001-1100")
    holes = sorted(set(range(min(found), max(found))) - found) if max(found) - min(found) < 10 * len(found) else []
    said = [f"{named(holes)}: not there; --frames says whether they have to be"] if holes else []
    return dict.fromkeys(found), said


def _others(patterns: dict[str, Pattern], there: dict[str, dict[int, Path]], wanted: set[int]) -> list[str]:
    """What is in the folders beside the frames that have to be there."""
    numbered = [there[view] for view, pattern in patterns.items() if pattern.padding]
    outside = sorted({number for numbers in numbered for number in numbers} - wanted)
    notes = [f"{named(outside)}: there, too, and not looked at"] if outside else []
    strange = []
    # A file without a number is what was asked about, and not what lies beside it.
    for folder in sorted({pattern.folder for pattern in patterns.values() if pattern.padding}):
        ours = {path for numbers in there.values() for path in numbers.values()}
        if folder.is_dir():
            strange += [path for path in sorted(folder.iterdir()) if _is_picture(path) and path not in ours]
    strange = [path for path in strange[: 10 * NAMED_FILES] if not is_sheet(path)]
    if strange:
        more = ", …" if len(strange) > NAMED_FILES else ""
        notes.append(f"no frames of the sequence: {', '.join(map(str, strange[:NAMED_FILES]))}{more}")
    return notes


def named(numbers: Iterable[int]) -> str:
    """`frame 7`, `frames 7,9-12`."""
    listed = list(dict.fromkeys(numbers))
    return f"frame{'s' * (len(listed) != 1)} {short(listed)}"


def short(numbers: Iterable[int], limit: int = 60) -> str:
    """`1003,1007-1010`, cut off where it is long."""
    text = to_fileseq(numbers)
    return text if len(text) <= limit else f"{text[:limit].rpartition(',')[0]}, …"
