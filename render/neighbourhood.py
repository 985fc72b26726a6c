"""A plate and the plates around it, to one stabilised frame; raw outputs and flows are kept for the next frames."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ImageError
from vfxgan.render.image_maker import Drawn, ImageMaker
from vfxgan.render.options import BitDepth
from vfxgan.render.plate_file import Spaces
from vfxgan.render.plate_image import PlateImage
from vfxgan.render.plate_light import PlateLight
from vfxgan.render.temporal import Average, Flows, Guide, find_flows, find_motion, guide_of

KEPT_BYTES = 1 << 30  # of raw outputs
KEPT_FLOW_BYTES = 1 << 28
ALONE = "some frames have no neighbour on disk: they are as without --temporal"
UNFIT = "on some frames no neighbour fits (a cut, or it moves too far): they are as without --temporal"

T = TypeVar("T", bound="HasSize")
Key = tuple[str, ...]
Load = Callable[[str], tuple[PlateImage, Spaces]]


@dataclass(frozen=True)
class Neighbour:
    """A plate near another one.

    Attributes:
        offset: frames from that one; never 0.
        digest: SHA-256 of its file.
        load: reads the picture of a label (`PlateImage.label`); raises ImageError, and then that other frame fails.
    """

    offset: int
    digest: str
    load: Load


@dataclass(frozen=True)
class Shot:
    """What is kept of a plate: its raw output, [C', s·H, s·W] float32, and what its movement is found by."""

    raw: NDArray[np.float32]
    guide: Guide

    @property
    def nbytes(self) -> int:
        return self.raw.nbytes + self.guide.encoded.nbytes


class HasSize(Protocol):
    """What `Kept` keeps."""

    @property
    def nbytes(self) -> int: ...


@dataclass
class _Entry(Generic[T]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    thing: T | None = None


class Kept(Generic[T]):
    """The latest things, each made once while it is kept. Safe to use from several threads.

    What is kept changes no bit: a thing follows from its key and the model alone.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[Key, _Entry[T]] = OrderedDict()

    def get(self, key: Key, make: Callable[[], T | None]) -> T | None:
        """What belongs to a key, made now if it is not kept; nothing (None) is made anew each time."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
        with entry.lock:  # a second thread that wants the same one waits for it
            if entry.thing is None:
                entry.thing = make()
            thing = entry.thing
        with self._lock:
            self._forget()
        return thing

    def _forget(self) -> None:
        """The oldest, until the rest is within the limit; those that are being made take no room yet."""
        kept = sum(entry.thing.nbytes for entry in self._entries.values() if entry.thing is not None)
        for key, entry in list(self._entries.items()):
            if kept <= self._limit:
                return
            if entry.thing is not None:
                kept -= entry.thing.nbytes
                del self._entries[key]


class Stabiliser:
    """Draws pictures that are stabilised with their neighbours: in place of `ImageMaker.draw`."""

    def __init__(self, images: ImageMaker, reach: int) -> None:
        self._images, self._reach = images, reach
        self._shots: Kept[Shot] = Kept(KEPT_BYTES)
        self._flows: Kept[Flows] = Kept(KEPT_FLOW_BYTES)

    @property
    def offsets(self) -> tuple[int, ...]:
        """Of the neighbours, in frames."""
        return tuple(offset for offset in range(-self._reach, self._reach + 1) if offset)

    def draw(
        self,
        image: PlateImage,
        spaces: Spaces,
        depth: BitDepth,
        number: int,
        *,
        digest: str,
        neighbours: Sequence[Neighbour],
    ) -> Drawn:
        """Make a picture.

        Args:
            digest: SHA-256 of the plate's file.
            neighbours: those within reach, in any order.
        Raises:
            ImageError, OutOfMemory, RuntimeFailure: as `ImageMaker.draw`, of the plate or of a neighbour.
        """
        own = self._shot(digest, image.label, lambda _: (image, spaces))
        average, fitting = Average(own.raw, self._images.model.spec.scale), 0
        for neighbour in sorted(neighbours, key=lambda neighbour: neighbour.offset):
            with naming_neighbour(neighbour.offset):
                other = self._shot(neighbour.digest, image.label, neighbour.load)
            flows = self._flows_between((digest, own), (neighbour.digest, other), image.label)
            motion = find_motion(own.guide, other.guide, flows)
            if motion is not None:
                # Less the further away, so that no frame comes or goes at once as the neighbourhood moves on.
                average.add(other.raw, motion, 1 - abs(neighbour.offset) / (self._reach + 1))
                fitting += 1
        drawn = self._images.finish(average.result(), image, spaces, depth, number)
        return drawn if fitting else replace(drawn, notes=(*drawn.notes, UNFIT if neighbours else ALONE))

    def _shot(self, digest: str, label: str, load: Load) -> Shot:
        def make() -> Shot:
            image, spaces = load(label)
            raw = self._images.raw(image, spaces)
            raw.flags.writeable = False
            return Shot(raw, guide_of(PlateLight(image, spaces)))

        shot = self._shots.get((digest, label), make)
        assert shot is not None
        return shot

    def _flows_between(self, own: tuple[str, Shot], other: tuple[str, Shot], label: str) -> Flows | None:
        """Both plates of a pair need the same two flows."""
        first, second = sorted((own, other), key=lambda plate: plate[0])
        flows = self._flows.get((first[0], second[0], label), lambda: find_flows(first[1].guide, second[1].guide))
        return flows if flows is None or first is own else flows.swapped


@contextmanager
def naming_neighbour(offset: int) -> Iterator[None]:
    """An error about a neighbour says that it is one: the frame that fails has a plate of its own."""
    try:
        yield
    except ImageError as error:
        raise ImageError(f"its neighbour at {offset:+d}, which --temporal needs: {error}") from error


def neighbours_digest(neighbours: Sequence[tuple[int, str]]) -> str:
    """For the recipe: one digest over offsets and SHA-256 of the plates around a frame."""
    lines = "\n".join(f"{offset:+d} {digest}" for offset, digest in sorted(neighbours))
    return hashlib.sha256(lines.encode()).hexdigest()
