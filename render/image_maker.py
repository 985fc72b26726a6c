"""One picture of a plate to one picture of a frame: its light through the network, tile by tile, and back.

Only the plate and the frame are held whole, each in its file's own type; all between is tiles, and strips of rows.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ImageError, OutOfMemory, RuntimeFailure
from vfxgan.images import Pixels
from vfxgan.modelfile import ModelFile
from vfxgan.render.encode import STORED_TYPES, store_planes
from vfxgan.render.finishing import Finishing
from vfxgan.render.grain import NO_GRAIN, Grain
from vfxgan.render.options import BitDepth, OutputOptions
from vfxgan.render.plate_file import Spaces
from vfxgan.render.plate_image import PlateImage
from vfxgan.render.plate_light import NetworkLight, PlateLight, Region
from vfxgan.render.regrain import missing_grain
from vfxgan.render.runtimes import Runtime
from vfxgan.render.shared_tasks import SharedTasks
from vfxgan.render.tiles import LARGEST_PX, Cell, Cells, TileRule, check_one_tile, tile_rules
from vfxgan.render.translate import has_residual, plate_to_network
from vfxgan.spec import ImageInput

Array = NDArray[np.float32]

STRIP_ROWS = 64  # of the plate, finished at once
STRIPS_AHEAD = 4  # in memory at a time, on however many cores


@dataclass(frozen=True)
class Drawn:
    """A picture ready to be written.

    Attributes:
        pixels: [s·H, s·W, C] in the file's type; C is 3 (RGB) or 4 (RGB, alpha).
        clipped: values that the type could not hold.
        notes: sentences that hold for the whole run.
    """

    pixels: Pixels
    clipped: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Work:
    """One picture on its way.

    Attributes:
        rows, columns: of the data window, cut into tiles.
    """

    source: PlateLight
    seen: NetworkLight
    rows: Cells
    columns: Cells


@dataclass(frozen=True)
class ImageMaker:
    """A model on an open runtime, and how its pictures are made. Safe to use from several threads.

    Attributes:
        tasks: where tiles lie open for threads that have nothing else to do.
    """

    model: ModelFile
    runtime: Runtime
    output: OutputOptions
    tasks: SharedTasks = field(default_factory=SharedTasks)

    @cached_property
    def rules(self) -> tuple[TileRule, TileRule]:
        """How rows and columns are cut.

        Raises:
            UsageError: the model cannot be tiled as asked.
        """
        height, width = self.runtime.input_shape[2:]
        return tile_rules(self.model.spec, (height, width), self.output.tile, self.output.tile_mode)

    @cached_property
    def recorded(self) -> OutputOptions:
        """The output options with the tiles that they come to: what a recipe holds."""
        rows, columns = self.rules
        if rows.side_px is None or rows.whole_display:
            return replace(self.output, tile=0, tile_mode=None)
        # A static size that is no square is in the model's own file or engine.
        side = rows.side_px if rows.side_px == columns.side_px else None
        return replace(self.output, tile=side, tile_mode=self.output.tile_mode or "measured")

    def check(self) -> None:
        """Raises UsageError if the model cannot be tiled as asked: before anything is read."""
        _ = self.rules

    def draw(self, image: PlateImage, spaces: Spaces, depth: BitDepth, number: int) -> Drawn:
        """Make a picture.

        Args:
            depth: of the file: half, float (linear, premultiplied); 8, 16 (sRGB, not premultiplied).
            number: of the frame; grain is keyed by it.
        Raises:
            ImageError: the plate does not fit the model, or the network gave NaN or infinity.
            OutOfMemory: tiles are too large for this machine.
            RuntimeFailure: the runtime failed.
        """
        work = self._work(image, spaces)
        with _naming_the_tile(work):
            return self._finished(self._strips(work), work, spaces, depth, number)

    def raw(self, image: PlateImage, spaces: Spaces) -> Array:
        """What the network gives for a picture, nothing done to it yet.

        Returns:
            [C', s·H, s·W] float32 in the network's range, for the data window.
        Raises:
            ImageError, OutOfMemory, RuntimeFailure: as `draw`.
        """
        work, scale = self._work(image, spaces), self.model.spec.scale
        whole = np.empty(
            (self.model.spec.channels_out, work.source.height * scale, work.source.width * scale), np.float32
        )
        with _naming_the_tile(work):
            for top, strip in self._strips(work):
                whole[:, top * scale : top * scale + strip.shape[1]] = strip
        return whole

    def finish(self, raw: Array, image: PlateImage, spaces: Spaces, depth: BitDepth, number: int) -> Drawn:
        """From the network's raw picture to the stored one; arguments and errors as `raw` and `draw`."""
        scale, height = self.model.spec.scale, image.pixels.shape[0]
        tops = range(0, height, STRIP_ROWS)
        strips = ((top, raw[:, top * scale : min(top + STRIP_ROWS, height) * scale]) for top in tops)
        return self._finished(strips, self._work(image, spaces), spaces, depth, number)

    def _work(self, image: PlateImage, spaces: Spaces) -> _Work:
        spec = self.model.spec
        assert isinstance(spec.input, ImageInput)
        source = PlateLight(image, spaces)
        makes_alpha = spec.channels_out == 4 or spec.input.channels != 3
        seen = NetworkLight(source, spec.input.channels, divided=source.has_alpha and not makes_alpha)
        (x, y, width, height), (left, top, across, down) = image.data, image.display
        rows = self.rules[0].cells(y - top, height, down)
        columns = self.rules[1].cells(x - left, width, across)
        check_one_tile(spec, rows, columns)
        return _Work(source, seen, rows, columns)

    def _finished(
        self, strips: Iterator[tuple[int, Array]], work: _Work, spaces: Spaces, depth: BitDepth, number: int
    ) -> Drawn:
        spec = self.model.spec
        grain = self._grain(work) if self.output.regrain else NO_GRAIN
        finishing = Finishing(spec, self.output, work.source, work.seen, number, grain)
        channels = 4 if work.seen.divided is not None else spec.channels_out
        height, width = work.source.height * spec.scale, work.source.width * spec.scale
        pixels = np.empty((height, width, channels), STORED_TYPES[depth])

        def store(top: int, strip: Array) -> int:
            light = finishing.light(top, strip)
            rows = slice(top * spec.scale, top * spec.scale + light.shape[1])
            return store_planes(light, pixels[rows], spaces.from_light)

        parts = (partial(store, top, strip) for top, strip in strips)
        clipped = sum(self.tasks.in_order(parts, STRIPS_AHEAD))
        notes = self._notes(work)
        if self.output.regrain and grain is NO_GRAIN:
            notes = (*notes, "no grain was found on some plates, so none is put back on them")
        elif self.output.regrain and grain.is_none:
            notes = (*notes, "the network keeps the grain of some plates: none is missing, so none is put back on them")
        return Drawn(pixels, clipped, notes)

    def _grain(self, work: _Work) -> Grain:
        assert self.output.regrain is not None
        plain = replace(self, output=replace(self.output, regrain=None))

        def draw(image: PlateImage) -> Array:
            return plain.draw(image, Spaces(None, None, True, ""), "float", 0).pixels

        return missing_grain(work.source, draw, self.model.spec.scale, self.output.regrain)

    def _strips(self, work: _Work) -> Iterator[tuple[int, Array]]:
        """The raw picture from its top: the first row, in px of the plate, and [C', s·h, s·W]."""
        scale, kept = self.model.spec.scale, None
        results = self._tiles(work)
        for row in work.rows.tiles:
            strip = np.zeros(
                (self.model.spec.channels_out, (row.stop - row.start) * scale, work.source.width * scale), np.float32
            )
            for column in work.columns.tiles:
                part = next(results)
                column.fade(part, scale, axis=2)
                strip[:, :, column.start * scale : column.stop * scale] += part
            row.fade(strip, scale, axis=1)
            if kept is not None:
                strip[:, : kept.shape[1]] += kept
            end = row.stop if row.after is None else max(row.after - row.blend, row.start)
            kept = strip[:, (end - row.start) * scale :].copy() if end < row.stop else None
            for top in range(row.start, end, STRIP_ROWS):
                yield top, strip[:, (top - row.start) * scale : (min(top + STRIP_ROWS, end) - row.start) * scale]

    def _tiles(self, work: _Work) -> Iterator[Array]:
        """The used part of each tile's output, row by row: [C', h, w], to be written to."""
        places = [(row, column) for row in work.rows.tiles for column in work.columns.tiles]
        groups = list(_batches(places, self.runtime.batch))
        parts: Iterator[Callable[[], list[Array]]] = (partial(self._infer, work, group) for group in groups)
        for made in self.tasks.in_order(parts):
            yield from made

    def _infer(self, work: _Work, places: Sequence[tuple[Cell, Cell]]) -> list[Array]:
        spec, inputs = self.model.spec, []
        for row, column in places:
            colour = work.seen.colour(Region(row.first, column.first, row.side, column.side))
            inputs.append(plate_to_network(colour, spec, self.output.encoding)[0])
        made = self.runtime.infer(inputs[0] if len(inputs) == 1 else np.concatenate(inputs))
        used = [
            y[:, row.used(spec.scale), column.used(spec.scale)] for y, (row, column) in zip(made, places, strict=True)
        ]
        if not all(np.isfinite(float(part.min()) + float(part.max())) for part in used):
            raise ImageError("the network gave NaN or infinity on this plate")
        return used

    def _notes(self, work: _Work) -> tuple[str, ...]:
        spec = self.model.spec
        assert isinstance(spec.input, ImageInput)
        notes = []
        carried = work.seen.divided is not None or not work.source.has_alpha
        if not carried and spec.channels_out == 3:
            notes.append(f"the plates' alpha is not carried: {spec.name!r} does not make RGB of RGB")
        elif not carried and spec.input.channels != 4:
            notes.append(f"the plates' alpha is not carried: {spec.name!r} makes its own")
        if not has_residual(spec) and not spec.encoding.extended:
            peak = f"light outside 0 … {spec.encoding.peak:g}"
            notes.append(f"{spec.name!r} does not take RGB: {peak} is cut off before it")
        return tuple(notes)


def _batches(places: Sequence[tuple[Cell, Cell]], most: int) -> Iterator[Sequence[tuple[Cell, Cell]]]:
    """Neighbours of one size, as many as the runtime takes at a time."""
    batch: list[tuple[Cell, Cell]] = []
    for place in places:
        if batch and (len(batch) == most or _size(batch[0]) != _size(place)):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _size(place: tuple[Cell, Cell]) -> tuple[int, int]:
    return place[0].side, place[1].side


MEMORY_WORDS = ("out of memory", "bad_alloc", "failed to allocate", "cannot allocate", "alloc_failed", "outofmemory")


def _is_memory(error: BaseException) -> bool:
    """What runtimes say has no type of its own."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower().replace("out_of_memory", "out of memory")
    return any(word in text for word in MEMORY_WORDS)


@contextmanager
def _naming_the_tile(work: _Work) -> Iterator[None]:
    """Raises OutOfMemory, with the tile to try, where memory did not suffice."""
    try:
        yield
    except (MemoryError, RuntimeFailure) as error:
        if isinstance(error, OutOfMemory) or not _is_memory(error):
            raise
        raise _out_of_memory((work.rows.tiles[0], work.columns.tiles[0]), work.rows.rule) from error


def _out_of_memory(place: tuple[Cell, Cell], rule: TileRule) -> OutOfMemory:
    rows, columns = _size(place)
    half = max(min(max(rows, columns) // 2, LARGEST_PX) // rule.multiple, 1) * rule.multiple
    anyway = " --tile-anyway" if rule.whole_display else ""
    remedy = f"give --tile {half}{anyway}" if not rule.static else "export it for a smaller size"
    return OutOfMemory(f"not enough memory for {columns}×{rows} px at a time; {remedy}, or fewer --threads")
