"""Each file of a sequence, read once: is it whole, what does it say of itself, and which bytes is it."""

import functools
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vfxgan.digests import file_sha256
from vfxgan.errors import ImageError
from vfxgan.images import OpenImage, Part
from vfxgan.recipe import Stamp, read_stamp
from vfxgan.render.inspect import colorspace_of
from vfxgan.render.plan import Finding, Frame, State, find_problem, judge_unreadable
from vfxgan.render.plate_file import file_digest
from vfxgan.render.request import usable_cores
from vfxgan.render.signing import sidecar_of

NO_FILE = "not a file"
CHANGED = "it changed while it was read: something still writes it; verify again when that is over"


@dataclass(frozen=True)
class Form:
    """What a compositor asks of a file before its pixels.

    Attributes:
        resolution: width and height of the display window.
        data_window: x, y, width, height.
        channels: of all parts, those of further parts as `part:name`.
        types: of the channels, each once.
        colorspace: as its header names it; None where it does not.
    """

    resolution: tuple[int, int]
    data_window: tuple[int, int, int, int]
    channels: tuple[str, ...]
    types: tuple[str, ...]
    colorspace: str | None


@dataclass(frozen=True)
class Seen:
    """One file.

    Attributes:
        finding: what it is if it is none of ours: missing, cut short, no recipe; None for a frame with a recipe.
        problem: of such a frame, by its own digests; "" for nothing.
        plate: SHA-256 of the plate that has to be in it; None where that is not known.
        sha256: of its bytes; "" where nobody asked.
        signature: bytes and SHA-256 of the C2PA manifest beside it; None where there is none, or nobody asked.
    """

    frame: Frame
    finding: Finding | None = None
    stamp: Stamp | None = None
    problem: str = ""
    plate: str | None = None
    size_bytes: int = 0
    sha256: str = ""
    form: Form | None = None
    signature: tuple[int, str] | None = None


class PlateDigests:
    """SHA-256 of plates, each read once; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[Path, threading.Lock] = {}
        self._digests: dict[Path, str] = {}

    def of(self, path: Path | None) -> str | None:
        """None where there is no plate.

        Raises:
            ImageError: it cannot be read.
        """
        if path is None or not path.exists():
            return None
        with self._lock:
            lock = self._locks.setdefault(path, threading.Lock())
        with lock:  # a second thread that wants the same one waits for it
            if path not in self._digests:
                self._digests[path] = file_digest(path)
            return self._digests[path]


def survey_files(frames: Sequence[Frame], plates: PlateDigests, *, hashed: bool) -> Iterator[Seen]:
    """Look at each frame, in order, on all cores.

    Args:
        hashed: the SHA-256 of each file, too.
    """
    with ThreadPoolExecutor(usable_cores()) as pool:
        yield from pool.map(functools.partial(_see, plates=plates, hashed=hashed), frames)


def _see(frame: Frame, plates: PlateDigests, hashed: bool) -> Seen:
    path = frame.path
    if not path.exists():
        return Seen(frame, Finding(State.MISSING))
    if not path.is_file():
        return Seen(frame, Finding(State.FOREIGN, NO_FILE))
    before, sha256 = _state(path), ""
    try:
        # The hash goes first: it reads the file from disk in one go, and decoding then finds it in memory.
        sha256 = file_sha256(path) if hashed else ""
        stamp, form = _header(path)
        problem = find_problem(path).replace(str(path), path.name) if stamp is not None else ""
    except (ImageError, OSError):
        return Seen(frame, _of_unreadable(path), size_bytes=before[0], sha256=sha256)
    if _state(path) != before:
        return Seen(frame, Finding(State.BROKEN, CHANGED), size_bytes=before[0])
    if stamp is None:
        nothing = Finding(State.FOREIGN, "no recipe in it")
        return Seen(frame, nothing, size_bytes=before[0], sha256=sha256, form=form)
    signature = _signature(sidecar_of(path)) if hashed and path.suffix.lower() == ".exr" else None
    return Seen(frame, None, stamp, problem, _plate(frame, stamp, plates), before[0], sha256, form, signature)


def _signature(sidecar: Path) -> tuple[int, str] | None:
    """Whether it holds is `render.signature_check`'s to say."""
    return (sidecar.stat().st_size, file_sha256(sidecar)) if sidecar.is_file() else None


def _plate(frame: Frame, stamp: Stamp, plates: PlateDigests) -> str | None:
    try:
        return plates.of(frame.plate) if stamp.recipe.plate is not None else None
    except ImageError:  # the frame is none the worse for it; that plate is named by whoever wants to use it
        return None


def _header(path: Path) -> tuple[Stamp | None, Form]:
    with OpenImage(path) as image:
        first = image.parts[0]
        types = dict.fromkeys(kind for part in image.parts for kind in part.formats)
        channels = [
            name if part is first else f"{_label(part)}:{name}" for part in image.parts for name in part.channels
        ]
        resolution = (first.display[2], first.display[3])
        form = Form(resolution, first.data, tuple(channels), tuple(types), colorspace_of(first))
        return read_stamp(first.attributes), form


def _label(part: Part) -> str:
    return part.name or str(part.index)


def _of_unreadable(path: Path) -> Finding:
    """As a render would judge it: cut short, and to be made again, or not an image, and somebody's."""
    try:
        return judge_unreadable(path)
    except OSError as error:
        return Finding(State.FOREIGN, f"cannot be read ({error.strerror}); check its permissions")


def _state(path: Path) -> tuple[int, int, int]:
    """Another one if the file is written to, replaced or removed."""
    try:
        facts = path.stat()
    except OSError:
        return 0, 0, 0
    return facts.st_size, facts.st_mtime_ns, facts.st_ino
