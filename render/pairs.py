"""Two sequences beside each other: which of their frames belong together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vfxgan.errors import UsageError
from vfxgan.images import PLATE_FORMATS
from vfxgan.sequences import frames_on_disk, parse_frames, parse_pattern


@dataclass(frozen=True)
class Pair:
    """One frame of both sides."""

    number: int
    a: Path
    b: Path


@dataclass(frozen=True)
class Pairs:
    """What belongs together, and what is on one side alone."""

    pairs: tuple[Pair, ...]
    only_a: tuple[int, ...]
    only_b: tuple[int, ...]


def find_pairs(a: str, b: str, frames: str | None) -> Pairs:
    """Match two files, folders or patterns by frame number; two single files whatever their numbers.

    Raises:
        UsageError: nothing there, two sequences in one folder, or no frame on both sides.
    """
    left, right = _sources(a, "A"), _sources(b, "B")
    if Path(a).is_file() and Path(b).is_file():
        (number, first), second = next(iter(left.items())), next(iter(right.values()))
        return Pairs((Pair(number, first, second),), (), ())
    if frames is not None:
        wanted = parse_frames(frames)
        left, right = ({n: side[n] for n in wanted if n in side} for side in (left, right))
        lost = [n for n in wanted if n not in left and n not in right]
        if lost:
            raise UsageError(f"--frames {frames}: frame {lost[0]} is neither in {a!r} nor in {b!r}")
    numbers = [number for number in left if number in right]
    if not numbers:
        raise UsageError(f"{a!r} and {b!r} have no frame in common: {_span(left)} and {_span(right)}")
    return Pairs(
        tuple(Pair(number, left[number], right[number]) for number in numbers),
        tuple(number for number in left if number not in right),
        tuple(number for number in right if number not in left),
    )


def _sources(text: str, side: str) -> dict[int, Path]:
    path = Path(text)
    if path.is_dir():
        return _in_folder(path, side)
    if set("#@%$") & set(path.name):
        found = frames_on_disk(parse_pattern(text, 2, side, PLATE_FORMATS))
    else:
        found = {_number_in(path) or 0: path} if path.is_file() else {}
    if not found:
        raise UsageError(f"{side} {text!r}: nothing there; give a folder, a file, or a pattern in quotes: 'a/####.exr'")
    return found


def _in_folder(folder: Path, side: str) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        number = _number_in(path)
        if number is None or path.name.startswith(".") or path.suffix.lower() not in PLATE_FORMATS:
            continue
        if number in found:
            both = f"{found[number].name} and {path.name}"
            raise UsageError(f"{side} {str(folder)!r} has several frames {number} ({both}); give a pattern in quotes")
        found[number] = path
    if not found:
        raise UsageError(f"{side} {str(folder)!r}: no numbered frames in it; give a file or a pattern in quotes")
    return dict(sorted(found.items()))


def _number_in(path: Path) -> int | None:
    digits = re.search(r"(?:(?<=[^\w])-|^-)?\d+$", path.stem)
    return int(digits[0]) if digits else None


def _span(frames: Mapping[int, Path]) -> str:
    numbers = sorted(frames)
    return f"{numbers[0]} … {numbers[-1]}" if numbers else "none of those frames"
