"""One plate to one frame: each of its pictures through the network, and all of them back into a file like the plate."""

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from vfxgan.errors import ImageError
from vfxgan.images import OpenImage, Picture, check_file
from vfxgan.modelfile import ModelFile
from vfxgan.recipe import Plain, Recipe
from vfxgan.render.flow import opencv_version
from vfxgan.render.frames import BeforeReplace, Written, write_stamped
from vfxgan.render.image_maker import Drawn, ImageMaker
from vfxgan.render.neighbourhood import Neighbour, Stabiliser, naming_neighbour, neighbours_digest
from vfxgan.render.options import AS_PLATE, BitDepth, OutputOptions
from vfxgan.render.plan import Frame
from vfxgan.render.plate_file import Spaces, file_digest, find_spaces
from vfxgan.render.plate_frame import Made, assemble
from vfxgan.render.plate_image import PlateImage
from vfxgan.render.plate_layers import Chosen, choose_pictures
from vfxgan.render.plate_notes import notes
from vfxgan.render.plate_plan import Line, plate_plan
from vfxgan.render.plate_reading import Read, check_picture, depth_of, open_plate, read_image
from vfxgan.render.runtimes import Runtime
from vfxgan.render.shared_tasks import SharedTasks
from vfxgan.render.spaces import conversion_of

FLOAT_BYTES = 4


@dataclass(frozen=True)
class _Known:
    """What a plate's recipe needs; holds while the file is the one it was."""

    state: tuple[int, int, int]
    digest: str
    spaces: Spaces


@dataclass(frozen=True)
class PlateMaker:
    """All that frames of plates share: a `FrameMaker`.

    Attributes:
        stabiliser: in time; None where each plate is drawn by itself.
    """

    images: ImageMaker
    stabiliser: Stabiliser | None = None
    _known: dict[Path, _Known] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def model(self) -> ModelFile:
        return self.images.model

    @property
    def runtime(self) -> Runtime:
        return self.images.runtime

    @property
    def tasks(self) -> SharedTasks:
        return self.images.tasks

    @property
    def output(self) -> OutputOptions:
        return self.images.output

    @property
    def _scale(self) -> int:
        return self.model.spec.scale

    def memory_bytes(self, frame: Frame) -> int:
        """See `FrameMaker.memory_bytes`. A plate that cannot be read takes nothing, and fails by its name later."""
        assert frame.plate is not None
        try:
            with open_plate(frame.plate) as image:
                read = [(chosen.part, len(chosen.channels)) for chosen in self._chosen(image)]
                if self.output.keep_channels:
                    read = [(part, len(part.channels)) for part in image.parts]
                planes = sum(math.prod(part.data[2:]) * count for part, count in read)
        except ImageError:
            return 0
        # The frame in its own type and its copy on the way to the file; of neighbours in time, float32 each.
        neighbours = 0 if self.stabiliser is None else len(tuple(self.stabiliser.offsets)) + 1
        return planes * FLOAT_BYTES * (1 + self._scale**2 * (2 + neighbours))

    def recipe(self, frame: Frame) -> Recipe:
        """See `FrameMaker.recipe`."""
        return self._recipe(frame, self._look(frame.plate), self._neighbours(frame))

    @property
    def fingerprint(self) -> Mapping[str, Plain]:
        """See `FrameMaker.fingerprint`: stabilised frames depend on the library of the flow, too."""
        flow: Mapping[str, Plain] = {} if self.stabiliser is None else {"opencv": opencv_version()}
        return {**self.runtime.fingerprint, **flow}

    def _recipe(self, frame: Frame, known: _Known, neighbours: Sequence[Neighbour]) -> Recipe:
        around = None
        if self.stabiliser is not None:
            around = neighbours_digest([(neighbour.offset, neighbour.digest) for neighbour in neighbours])
        return Recipe(
            self.model.sha256,
            None,
            self.images.recorded.for_recipe(known.spaces.config_id),
            self.fingerprint,
            plate=known.digest,
            frame=frame.grain if self.output.regrain else None,
            neighbours=around,
        )

    def plan(self, frame: Frame) -> list[Line]:
        """What would become of a plate, by its header alone.

        Raises:
            ImageError: it cannot be used as asked.
        """
        known = self._look(frame.plate)
        assert frame.plate is not None
        with self._opened(frame.plate, known) as (image, pictures):
            return plate_plan(image, pictures, known.spaces, self.images, self._depth(pictures[0]))

    def write(
        self, frame: Frame, path: Path, *, may_replace: bool = True, before_replace: BeforeReplace | None = None
    ) -> Written:
        """See `FrameMaker.write`."""
        known, neighbours = self._look(frame.plate), self._neighbours(frame)
        assert frame.plate is not None
        picture, written = self._picture(frame, frame.plate, known, neighbours)
        recipe = self._recipe(frame, known, neighbours)
        write_stamped(path, picture, recipe, self.output, may_replace=may_replace, before_replace=before_replace)
        return written

    def read(self, plate: Path, view: str) -> tuple[PlateImage, Spaces]:
        """One picture of a plate, such as a neighbour in time.

        Args:
            view: `PlateImage.label` of the picture whose like is wanted.
        Raises:
            ImageError: it cannot be read, or has no such picture.
        """
        known = self._look(plate)
        with self._opened(plate, known) as (image, pictures):
            found = next((chosen for chosen in pictures if _label(chosen, pictures) == view), None)
            if found is None:
                raise ImageError(f"{plate}: has no view {view!r}, as other frames have; render it apart")
            return self._read(image, found, pictures).image, known.spaces

    def _neighbours(self, frame: Frame) -> tuple[Neighbour, ...]:
        """The plates around a frame's that are on disk; none where it is not stabilised."""
        if self.stabiliser is None or frame.plates is None:
            return ()
        found = []
        for offset in self.stabiliser.offsets:
            plate = frame.plates.path(frame.number + offset)
            if plate.exists():
                with naming_neighbour(offset):
                    digest = self._look(plate).digest
                found.append(Neighbour(offset, digest, partial(self._read_neighbour, plate, digest)))
        return tuple(found)

    def _read_neighbour(self, plate: Path, digest: str, view: str) -> tuple[PlateImage, Spaces]:
        found = self.read(plate, view)
        if self._look(plate).digest != digest:
            raise ImageError(f"{plate}: changed while it was used; run the same command again when it is whole")
        return found

    def _picture(
        self, frame: Frame, plate: Path, known: _Known, neighbours: Sequence[Neighbour]
    ) -> tuple[Picture, Written]:
        made: list[Made] = []
        said: list[str] = []
        clipped = repaired = 0
        with self._opened(plate, known) as (image, pictures):
            for chosen in pictures:
                read = self._read(image, chosen, pictures)
                drawn = self._draw(frame, read, self._depth(chosen), known, neighbours)
                made.append(Made.of(chosen, drawn.pixels, read.image))
                clipped, repaired = clipped + drawn.clipped, repaired + read.repaired
                said += [note for note in drawn.notes if note not in said]
                del read
            picture, beyond = assemble(image, made, known.spaces, self.output, self._scale)
            said = [*notes(image, made, known.spaces, self.output), *said]
        return picture, Written(clipped + beyond, repaired, tuple(said))

    def _draw(self, frame: Frame, read: Read, depth: BitDepth, known: _Known, neighbours: Sequence[Neighbour]) -> Drawn:
        picture = (read.image, known.spaces, depth, frame.grain)
        if self.stabiliser is None:
            return self.images.draw(*picture)
        return self.stabiliser.draw(*picture, digest=known.digest, neighbours=neighbours)

    def _depth(self, chosen: Chosen) -> BitDepth:
        """Of the frame: as was asked for, else the plate's."""
        if self.output.bit_depth != AS_PLATE:
            return self.output.bit_depth
        if self.output.format == "png":
            return "8" if chosen.part.widest(chosen.channels) == "uint8" else "16"
        return depth_of(chosen.part, chosen)

    def _read(self, image: OpenImage, chosen: Chosen, pictures: tuple[Chosen, ...]) -> Read:
        assert self.output.bad_pixels is not None
        check_picture(chosen, image, self._scale)
        return read_image(image, chosen, self.output.bad_pixels, _label(chosen, pictures))

    @contextmanager
    def _opened(self, plate: Path, known: _Known) -> Iterator[tuple[OpenImage, tuple[Chosen, ...]]]:
        """A plate, open, and its pictures; after the block the file must be the one it was."""
        changed = f"{plate}: changed while it was read; run the same command again when it is whole"
        try:
            with open_plate(plate) as image:
                yield image, self._chosen(image)
        except ImageError as error:
            if _state(plate) != known.state:
                raise ImageError(changed) from error
            raise
        if _state(plate) != known.state:
            raise ImageError(changed)

    def _chosen(self, image: OpenImage) -> tuple[Chosen, ...]:
        pictures = choose_pictures(image.parts, image.path, self.output)
        if self.output.format == "png" and len(pictures) > 1:
            views = ", ".join(chosen.view for chosen in pictures)
            raise ImageError(f"{image.path}: holds several views ({views}), a PNG one; give --view, or write .exr")
        return pictures

    def _look(self, plate: Path | None) -> _Known:
        assert plate is not None
        state = _state(plate)
        with self._lock:
            known = self._known.get(plate)
        if known is None or known.state != state:
            digest = file_digest(plate)
            with open_plate(plate) as image:
                first = self._chosen(image)[0]
                known = _Known(state, digest, find_spaces(first.part, image.format, plate, self.output))
            with self._lock:
                self._known[plate] = known
        return known


def plate_maker(model: ModelFile, runtime: Runtime, output: OutputOptions, tasks: SharedTasks) -> PlateMaker:
    """Join a model, an open runtime and output options.

    Raises:
        UsageError: a colour space that was asked for, or its config, is unknown; the model cannot be tiled so.
        MissingExtraError: the frames are to be stabilised, and OpenCV is not installed.
    """
    for option, name in (("--in-colorspace", output.in_colorspace), ("--colorspace", output.colorspace)):
        if name is not None and name != AS_PLATE and output.format != "png":
            conversion_of(name, output.ocio, option)
    images = ImageMaker(model, runtime, output, tasks)
    images.check()
    if output.temporal is None:
        return PlateMaker(images)
    opencv_version()
    return PlateMaker(images, Stabiliser(images, output.temporal))


def _label(chosen: Chosen, pictures: tuple[Chosen, ...]) -> str:
    return (chosen.view or chosen.layer) if len(pictures) > 1 else ""


def _state(path: Path) -> tuple[int, int, int]:
    """Another one if the file is written to or replaced."""
    facts = check_file(path)
    return facts.st_size, facts.st_mtime_ns, facts.st_ino
