"""Seeds, frame ranges and file names as an artist types them, checked before anything is started.

These checks are for the answer at once, in the panel. The command makes them again, and more of them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from vfxgan_nuke.errors import Refusal

FRAMES = (".exr", ".png")  # that vfxgan writes
PLATES = (".exr", ".png", ".tif", ".tiff", ".dpx")  # that it reads
MOST = 1_000_000
SEED_LIMIT = 2**32
_PADDINGS = (re.compile(r"%0?\d*d"), re.compile(r"#+"), re.compile(r"@+|\$F\d*"))  # Nuke has the first two
_RANGE = re.compile(r"(-?\d+)(?:-(-?\d+)(?:x(\d+))?)?")
# In a file knob, brackets and dollars are expressions, and a backslash takes the meaning of what follows.
_EXPRESSION = re.compile(r"[\[\]$\\\"\n]")


def check_seeds(text: str) -> None:
    """Seeds as `vfxgan render --seeds` takes them: `0-99`, `0-99x2,205`, `@picks.txt`.

    Raises:
        Refusal: they are not, or there are none.
    """
    if text.startswith("@"):
        if not Path(text[1:]).is_file():
            raise Refusal(f"seeds {text}: there is no such file; write 0-99, 7,205,31 or @ and a file of seeds")
        return
    for seed in _numbers("seeds", text, "write 0-99, 0-99x2 or 7,205,31"):
        if not 0 <= seed < SEED_LIMIT:
            raise Refusal(f"seeds {text}: {seed} is outside 0 … {SEED_LIMIT - 1}")


def check_frames(text: str) -> None:
    """Frames as `vfxgan render --frames` takes them: `1001-1100`, `1001-1100x2,1150`."""
    _numbers("frames", text, "write 1001-1100, 1001-1100x2 or 1001,1005")


def count_seeds(text: str) -> int:
    """How many `check_seeds` let through; not of a file, `@picks.txt`."""
    return sum(abs(last - first) // step + 1 for first, last, step in _runs("seeds", text, ""))


def first_of_range(text: str, seeds: str) -> int:
    """The frame of the first of these seeds, which go to one frame after another: `1001-1004`, `1001`.

    Args:
        text: first and last frame, as many as there are seeds; or the first alone.
    Raises:
        Refusal: it is neither.
    """
    match = re.fullmatch(r"(-?\d+)(?:-(-?\d+))?", text.replace(" ", ""))
    if match is None:
        raise Refusal(f"range {text!r}: seeds go to one frame after another; write 1001-1100, or 1001, the first")
    first = int(match.group(1))
    if match.group(2) is None:
        return first
    if seeds.startswith("@"):
        raise Refusal(f"range {text}: a file of seeds says how many there are; write {first}, the first frame")
    frames, count = int(match.group(2)) - first + 1, count_seeds(seeds)
    if frames != count:
        raise Refusal(
            f"range {text} and seeds {seeds}: {max(frames, 0)} frames and {count} seeds; write the range as "
            f"{first}-{first + count - 1}, or as {first}, the first frame"
        )
    return first


def _numbers(what: str, text: str, remedy: str) -> list[int]:
    """The ends of each run, not all that lie between them."""
    return [end for first, last, _ in _runs(what, text, remedy) for end in (first, last)]


def _runs(what: str, text: str, remedy: str) -> list[tuple[int, int, int]]:
    """First, last and step of each part."""
    runs = []
    for part in text.replace(" ", "").split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise Refusal(f"{what} {text!r} is no range; {remedy}")
        first, last, step = int(match.group(1)), int(match.group(2) or match.group(1)), int(match.group(3) or 1)
        if step == 0:
            raise Refusal(f"{what} {text!r}: a step of 0 has no end; {remedy}")
        if abs(last - first) // step >= MOST:
            raise Refusal(f"{what} {text!r}: more than {MOST} in one run; {remedy}")
        runs.append((first, last, step))
    return runs


def check_target(text: str) -> None:
    """A file name that frames may be written to, and that a Read node can hold.

    Raises:
        Refusal: it is none, or its folder cannot be written to.
    """
    if not text:
        raise Refusal("there is no output; name a sequence, such as /shots/010/elements/fire.%04d.exr")
    if _EXPRESSION.search(nuke_name(text)):
        raise Refusal(f'output {text}: Nuke takes [ ] $ \\ " in a file name for an expression; choose another name')
    path = Path(text)
    if path.suffix.lower() not in FRAMES:
        raise Refusal(f"output {text}: vfxgan writes .exr and .png; end the name with one of them")
    if not path.is_absolute():
        raise Refusal(f"output {text}: give the whole path; Nuke's own folder is no place for frames")
    _check_folder(folder_of(text), standing_folder(text))


def check_sequence(text: str) -> None:
    """An output that is for more than one frame."""
    if not is_sequence(text):
        example = Path(text).with_suffix(f".%04d{Path(text).suffix}")
        raise Refusal(f"output {text} names one file, and there are several frames; write {example}")


def is_sequence(text: str) -> bool:
    """Does the file's name have a place for the frame's number?"""
    return any(padding.search(Path(text).name) for padding in _PADDINGS)


def folder_of(pattern: str) -> Path:
    """The folder of a sequence, up to where views are told apart."""
    folder = Path(pattern).parent
    while "%V" in str(folder):
        folder = folder.parent
    return folder


def standing_folder(pattern: str) -> Path:
    """Of a sequence's folder and those above it, the first that is there."""
    folder = folder_of(pattern)
    return next(place for place in (folder, *folder.parents) if place.exists())


def _check_folder(folder: Path, standing: Path) -> None:
    """It may not be there yet: then what matters is the folder that it will be made in."""
    if not standing.is_dir():
        raise Refusal(f"output folder {folder}: {standing} is a file; choose another folder")
    if not os.access(standing, os.W_OK | os.X_OK):
        raise Refusal(f"output folder {folder}: {standing} cannot be written to; choose another folder")


def shot_of(script: str) -> str:
    """The shot by the script's name, without version and task: `sh010_comp_v003.nk` is `sh010`; "" for no script."""
    stem = Path(script).stem if script else ""
    return re.sub(r"(?:[._-](?:comp|precomp|slapcomp|roto|prep|lookdev))?(?:[._-]v\d+.*)?$", "", stem, flags=re.I)


def beside_script(script: str, name: str, suffix: str = "") -> str:
    """Where frames go without a project file: a new version in a folder beside the script; "" for no script."""
    if not script:
        return ""
    folder, version = Path(script).parent / "vfxgan", 1
    while (folder / f"{name}_v{version:03d}").exists():
        version += 1
    return (folder / f"{name}_v{version:03d}" / f"{name}{suffix}.%04d.exr").as_posix()


def file_name(name: str) -> str:
    """A model's or a node's name as part of a file's."""
    return re.sub(r"[^\w.-]+", "_", name).strip("_.") or "vfxgan"


def nuke_name(pattern: str) -> str:
    """The same sequence in the notation of Nuke's file knobs: `%04d`, and slashes on every system."""

    def padded(match: re.Match[str]) -> str:
        marks = match.group()
        if marks[0] == "%":
            return marks
        return f"%0{int(marks[2:] or 1) if marks[0] == '$' else len(marks)}d"

    path = Path(pattern)
    padding = next((padding for padding in _PADDINGS if padding.search(path.name)), None)
    return path.as_posix() if padding is None else (path.parent / padding.sub(padded, path.name)).as_posix()
