"""One plate to one frame: its light through the network, whole, and back into its windows, type and colour space."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from vfxgan.errors import ImageError
from vfxgan.images import Picture
from vfxgan.modelfile import ModelFile
from vfxgan.recipe import Recipe
from vfxgan.render.frames import Written, write_stamped
from vfxgan.render.image_maker import Drawn, ImageMaker
from vfxgan.render.options import AS_PLATE, BitDepth, OutputOptions
from vfxgan.render.plan import Frame
from vfxgan.render.plate_file import Plate, Spaces, carried, file_digest, find_spaces, plate_layout, read_plate
from vfxgan.render.plate_image import PlateImage
from vfxgan.render.runtimes import Runtime
from vfxgan.render.shared_tasks import SharedTasks
from vfxgan.render.spaces import conversion_of, header_of

CHANNELS = ("R", "G", "B", "A")


@dataclass(frozen=True)
class _Known:
    """What a plate's recipe needs; holds while the file is the one it was."""

    state: tuple[int, int, int]
    digest: str
    spaces: Spaces


@dataclass(frozen=True)
class PlateMaker:
    """All that frames of plates share: a `FrameMaker`."""

    images: ImageMaker
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

    def recipe(self, frame: Frame) -> Recipe:
        """See `FrameMaker.recipe`."""
        return self._recipe(self._look(frame.plate))

    def _recipe(self, known: _Known) -> Recipe:
        options = self.images.recorded.for_recipe(known.spaces.config_id)
        return Recipe(self.model.sha256, None, options, self.runtime.fingerprint, plate=known.digest)

    def write(self, frame: Frame, path: Path, *, may_replace: bool = True) -> Written:
        """See `FrameMaker.write`."""
        known = self._look(frame.plate)
        assert frame.plate is not None
        assert self.output.bad_pixels is not None
        plate = read_plate(frame.plate, self.output.bad_pixels)
        if _state(frame.plate) != known.state:
            raise ImageError(f"{frame.plate}: changed while it was read; run the same command again when it is whole")
        depth = self.output.bit_depth if self.output.bit_depth != AS_PLATE else cast(BitDepth, plate.layout.type)
        image = PlateImage(plate.pixels, plate.layout.data, plate.layout.display)
        drawn = self.images.draw(image, known.spaces, depth, frame.number)
        placed = self._placed(drawn, plate, known.spaces)
        write_stamped(path, placed, self._recipe(known), self.output, may_replace=may_replace)
        said = (known.spaces.note,) if known.spaces.note else ()
        return Written(drawn.clipped, plate.repaired, (*said, *plate.notes, *drawn.notes))

    def _placed(self, stored: Drawn, plate: Plate, spaces: Spaces) -> Picture:
        scale, layout = self.model.spec.scale, plate.layout
        attributes, types = carried(layout, colour=spaces.keeps_header)
        colour: dict[str, Any] = {} if spaces.keeps_header else header_of(self.output, spaces.from_light)
        x, y, _, _ = layout.data
        return Picture(
            stored.pixels,
            CHANNELS[: stored.pixels.shape[2]],
            {**attributes, **colour, "compression": self.output.compression},
            types,
            (x * scale, y * scale),
            tuple(side * scale for side in layout.display),  # type: ignore[arg-type]
        )

    def _look(self, plate: Path | None) -> _Known:
        assert plate is not None
        state = _state(plate)
        with self._lock:
            known = self._known.get(plate)
        if known is None or known.state != state:
            known = _Known(state, file_digest(plate), find_spaces(plate_layout(plate), plate, self.output))
            with self._lock:
                self._known[plate] = known
        return known


def plate_maker(model: ModelFile, runtime: Runtime, output: OutputOptions, tasks: SharedTasks) -> PlateMaker:
    """Join a model, an open runtime and output options.

    Raises:
        UsageError: a colour space that was asked for, or its config, is unknown; the model cannot be tiled so.
    """
    for option, name in (("--in-colorspace", output.in_colorspace), ("--colorspace", output.colorspace)):
        if name is not None and name != AS_PLATE:
            conversion_of(name, output.ocio, option)
    images = ImageMaker(model, runtime, output, tasks)
    images.check()
    return PlateMaker(images)


def _state(path: Path) -> tuple[int, int, int]:
    """Another one if the file is written to or replaced."""
    try:
        facts = path.stat()
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    return facts.st_size, facts.st_mtime_ns, facts.st_ino
