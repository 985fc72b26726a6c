"""Frame sequences on disk: patterns such as `shot010/####.exr`, through fileseq."""

import functools
import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import fileseq

from vfxgan.errors import UsageError
from vfxgan.images import FORMAT_OF_EXTENSION
from vfxgan.picture import is_utf8
from vfxgan.ranges import OPENJD, from_openjd

MAX_FRAMES = 1_000_000


@dataclass(frozen=True)
class Pattern:
    """Where frames go.

    Attributes:
        text: as the user wrote it.
        padding: digits a frame number is padded to; 0 where the pattern names one single file.
    """

    text: str
    padding: int

    @property
    def folder(self) -> Path:
        return Path(self.text).parent

    @property
    def extension(self) -> str:
        return Path(self.text).suffix.lower()

    def path(self, frame: int) -> Path:
        """The file of one frame; negative numbers keep their sign before the padding."""
        if not self.padding:
            return Path(self.text)
        return Path(_sequence(self.text).frame(frame))


@functools.lru_cache(maxsize=8)  # parsing costs more than naming a frame, and a shot has thousands
def _sequence(text: str) -> fileseq.FileSequence:
    # fileseq reads #### as sixteen digits unless told that one # is one digit.
    return fileseq.FileSequence(text, pad_style=fileseq.PAD_STYLE_HASH1)


def parse_pattern(
    text: str, frames: int, option: str = "--out", extensions: Iterable[str] = tuple(FORMAT_OF_EXTENSION)
) -> Pattern:
    """Check a pattern before anything is started.

    Args:
        text: `####`, `%04d`, `@@@@` and `$F4` are the same.
        frames: how many frames it is for; several need padding.
        option: that gave it, for messages.
        extensions: that it may have.
    Raises:
        UsageError: a folder, an unknown extension, no padding for several frames, or not a pattern.
    """
    path = Path(text)
    _refuse_folder(path, text, option)
    if path.suffix.lower() not in extensions:
        known = " or ".join(extensions)
        verb = "write" if option == "--out" else "give"
        raise UsageError(f"{option} {text!r}: unknown extension {path.suffix!r}; {verb} {known}")
    if not is_utf8(text):
        raise UsageError(f"{option} {text!r}: the path is no UTF-8 text, which image files need; rename it")
    if found := sorted(set("#@%$") & set(str(path.parent))):
        raise UsageError(
            f"{option} {text!r}: the padding belongs in the file name, not in the folder, whose name cannot hold "
            f"{' or '.join(found)}"
        )
    if not set("#@%$") & set(path.name):
        if frames > 1:
            example = path.with_name(f"{path.stem}.####{path.suffix}")
            raise UsageError(
                f"{option} {text!r} names one file, but there are {frames} frames; write '{example}' (quoted)"
            )
        return Pattern(text, 0)
    if set("<>") & set(text):  # fileseq takes them for a mark of its own, and leaves them out of the path
        raise UsageError(f"{option} {text!r}: a sequence's path cannot hold < or >; rename the folder or the file")
    try:
        sequence = _sequence(text)
    except fileseq.FileSeqException as error:
        raise UsageError(f"{option} {text!r} is not a sequence pattern ({error}); write 'shot010/####.exr'") from error
    padding = sequence.zfill()
    if padding <= 0 or any(mark in sequence.basename() + sequence.extension() for mark in "#@%$"):
        raise UsageError(f"{option} {text!r} has padding in two places or none; write 'shot010/####.exr'")
    return Pattern(text, padding)


def _refuse_folder(path: Path, text: str, option: str) -> None:
    if path.suffix and not path.is_dir():
        return
    what = "is a folder" if path.is_dir() else "has no extension"
    example = f"{text}.exr" if set("#@%$") & set(path.name) else path / "####.exr"
    raise UsageError(f"{option} {text!r} {what}; give a pattern of files, quoted: '{example}'")


def parse_frames(text: str) -> list[int]:
    """Frame numbers in the order given: `1001-1100`, `1001-1100x2`, `5,9`, `-5-10`; `openjd:0-9:3` is `0-9x3`.

    Raises:
        UsageError: not a range, or more frames than a shot has.
    """
    remedy = "write 1001-1100, 1001-1100x2 or 1001,1005"
    for first, last in re.findall(r"(-?\d+)\s*-\s*(-?\d+)", text):
        if abs(int(last) - int(first)) >= MAX_FRAMES:
            raise UsageError(f"--frames {text!r}: more than {MAX_FRAMES} frames; {remedy}")
    try:
        numbers = list(fileseq.FrameSet(from_openjd(text.removeprefix(OPENJD)) if text.startswith(OPENJD) else text))
    except (fileseq.ParseException, ValueError, OverflowError, MemoryError) as error:
        raise UsageError(f"--frames {text!r} is not a range of frames; {remedy}") from error
    if not numbers or any(int(number) != number for number in numbers):
        raise UsageError(f"--frames {text!r} is not a range of whole frames; {remedy}")
    return [int(number) for number in numbers]


def frames_on_disk(pattern: Pattern) -> dict[int, Path]:
    """The frames that match the pattern and exist, by number. Hidden files (temporaries) are none."""
    if not pattern.folder.is_dir():
        return {}
    if not pattern.padding:
        return {0: Path(pattern.text)} if Path(pattern.text).is_file() else {}
    sequence = _sequence(pattern.text)
    head, tail = Path(sequence.dirname() + sequence.basename() + "x").name[:-1], sequence.extension()
    found = {}
    for path in pattern.folder.iterdir():
        middle = path.name[len(head) : len(path.name) - len(tail)]
        digits = middle.removeprefix("-")
        if path.name != f"{head}{middle}{tail}" or not digits or set(digits) - set(string.digits):
            continue
        if pattern.path(int(middle)).name == path.name:
            found[int(middle)] = path
    return dict(sorted(found.items()))
