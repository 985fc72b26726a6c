"""Ranges of whole numbers as farms write them, and as `--frames` takes them (fileseq's notation)."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

# Before a range in Open Job Description's notation, whose `0-9:3` is a step; to fileseq it is a stagger.
OPENJD = "openjd:"
_ELEMENT = re.compile(r"\s*(-?\d{1,10})\s*(?:-\s*(-?\d{1,10})\s*(?::\s*(-?\d{1,10})\s*)?)?")


def from_openjd(text: str) -> str:
    """`0-9:3,20` as fileseq writes it: `0-9x3,20`. A descending range has a negative step there, and none here.

    Raises:
        ValueError: not a range expression of Open Job Description 2023-09, §3.4.1.1.1.
    """
    return ",".join(_element(part) for part in text.split(","))


def _element(text: str) -> str:
    match = _ELEMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no range of Open Job Description")
    first, last, step = int(match[1]), match[2], int(match[3] or 1)
    if last is None:
        return str(first)
    if step == 0 or (int(last) - first) * step < 0:
        raise ValueError(f"{text!r} counts away from its end")
    return f"{first}-{int(last)}" if abs(step) == 1 else f"{first}-{int(last)}x{abs(step)}"


def to_openjd(numbers: Iterable[int]) -> str:
    """Ascending numbers as Open Job Description writes them: `0-9,20-40:5`; ranges that do not overlap."""
    return ",".join(_text(run, ":") for run in _runs(sorted(set(numbers))))


def to_fileseq(numbers: Iterable[int]) -> str:
    """The same for `--frames` and for most render managers: `0-9,20-40x5`."""
    return ",".join(_text(run, "x") for run in _runs(sorted(set(numbers))))


def is_contiguous(numbers: Sequence[int]) -> bool:
    """Each is the one before it and one more."""
    return all(after == before + 1 for before, after in pairwise(numbers))


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Cut where the step changes; two numbers alone, with a gap between them, are two runs."""
    runs: list[list[int]] = [[]]
    for number in numbers:
        run = runs[-1]
        if len(run) < 2 or number - run[-1] == run[-1] - run[-2]:
            run.append(number)
        elif len(run) == 2 and run[1] - run[0] > 1:
            runs.append([run.pop(), number])
        else:
            runs.append([number])
    return [run for run in runs if run]


def _text(run: Sequence[int], mark: str) -> str:
    if len(run) == 1:
        return str(run[0])
    step = run[1] - run[0]
    if len(run) == 2 and step > 1:
        return f"{run[0]},{run[1]}"
    return f"{run[0]}-{run[-1]}" if step == 1 else f"{run[0]}-{run[-1]}{mark}{step}"
