"""Which picture of one folder belongs to which of another."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vfxgan.errors import DataError
from vfxgan.trainer.data.survey import Surveyed, listed

_LAST_DIGITS = re.compile(r"(\d+)\D*$")


@dataclass(frozen=True)
class Pair:
    """Two pictures, or the two halves of one; height and width are those of each side.

    Attributes:
        grey: whether source and target have one colour channel only.
    """

    name: str
    files: tuple[Path, ...]
    height: int
    width: int
    grey: tuple[bool, bool]


def frame_number(path: Path) -> int | None:
    """The last digits of a name without its extension: `plate_v2.0101.exr` is frame 101."""
    found = _LAST_DIGITS.search(path.stem)
    return int(found[1]) if found else None


def _stem(path: Path) -> str:
    return path.stem


def match_folders(
    sources: Sequence[Surveyed], targets: Sequence[Surveyed], source: Path, target: Path
) -> tuple[list[Pair], list[str]]:
    """Match by name without extension; what is left then, by frame number.

    Returns:
        The pairs, and a sentence for each whose header cannot be read.
    Raises:
        DataError: some have no partner, several, or one of another size; all are listed.
    """
    matched, misfits = _match(sources, targets, source, target)
    pairs, troubles = [], []
    for one, other in matched:
        if one.header is None or other.header is None:
            troubles.append(one.trouble or other.trouble)
            continue
        a, b = one.header, other.header
        if (a.width, a.height) != (b.width, b.height):
            misfits.append(f"{a.path.name} is {a.width}×{a.height} but {b.path.name} is {b.width}×{b.height}")
            continue
        pairs.append(Pair(a.path.name, (a.path, b.path), a.height, a.width, (a.grey, b.grey)))
    if misfits:
        raise DataError(
            f"{source} and {target}: {len(misfits)} do not match in name or size: {listed(misfits)}; "
            "pairs need equal names, or equal frame numbers, and equal sizes"
        )
    return pairs, troubles


def _match(
    sources: Sequence[Surveyed], targets: Sequence[Surveyed], source: Path, target: Path
) -> tuple[list[tuple[Surveyed, Surveyed]], list[str]]:
    matched: list[tuple[Surveyed, Surveyed]] = []
    misfits: list[str] = []
    left = (list(sources), list(targets))
    keys: tuple[tuple[Callable[[Path], object], str], ...] = ((_stem, "name"), (frame_number, "frame number"))
    for key, what in keys:
        found: dict[object, tuple[list[Surveyed], list[Surveyed]]] = {}
        for side, files in enumerate(left):
            for file in files:
                found.setdefault(key(file.path), ([], []))[side].append(file)
        left = ([], [])
        for value, (ones, others) in found.items():
            if value is None or not ones or not others:
                left[0].extend(ones)
                left[1].extend(others)
            elif len(ones) == len(others) == 1:
                matched.append((ones[0], others[0]))
            else:
                names = " ".join(file.path.name for file in (*ones, *others))
                misfits.append(f"{names} share the {what} {value}")
    for files, other in zip(left, (target, source), strict=True):
        misfits += [f"{file.path.name} has no partner in {other}" for file in files]
    return sorted(matched, key=lambda pair: pair[0].path.name), misfits


def split_halves(files: Sequence[Surveyed], folder: Path) -> list[Pair]:
    """Side-by-side pictures: the left half is the source, the right one the target.

    Raises:
        DataError: some are of odd width; all are listed.
    """
    headers = [file.header for file in files if file.header is not None]
    odd = [f"{header.path.name} ({header.width}×{header.height})" for header in headers if header.width % 2]
    if odd:
        raise DataError(f"--data {folder}: {len(odd)} side-by-side pictures are of odd width: {listed(odd)}; trim them")
    return [Pair(h.path.name, (h.path,), h.height, h.width // 2, (h.grey, h.grey)) for h in headers]
