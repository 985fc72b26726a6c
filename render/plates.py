"""One plate to one frame: its light through the network, whole, and back into its windows, type and colour space."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ImageError
from vfxgan.images import Picture
from vfxgan.margin import margin_px
from vfxgan.modelfile import ModelFile
from vfxgan.recipe import Recipe
from vfxgan.render.alpha import divide, multiply
from vfxgan.render.encode import Stored, store_pixels
from vfxgan.render.frames import Written, write_stamped
from vfxgan.render.options import AS_PLATE, BitDepth, OutputOptions
from vfxgan.render.plan import Frame
from vfxgan.render.plate_file import Plate, Spaces, carried, file_digest, find_spaces, plate_layout, read_plate
from vfxgan.render.runtimes import Runtime
from vfxgan.render.spaces import conversion_of, header_of
from vfxgan.render.translate import LUMINANCE, has_residual, network_to_light, plate_to_network
from vfxgan.spec import ImageInput

Array = NDArray[np.float32]

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

    model: ModelFile
    runtime: Runtime
    output: OutputOptions
    _known: dict[Path, _Known] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def recipe(self, frame: Frame) -> Recipe:
        """See `FrameMaker.recipe`."""
        return self._recipe(self._look(frame.plate))

    def _recipe(self, known: _Known) -> Recipe:
        options = self.output.for_recipe(known.spaces.config_id)
        return Recipe(self.model.sha256, None, options, self.runtime.fingerprint, plate=known.digest)

    def write(self, frame: Frame, path: Path) -> Written:
        """See `FrameMaker.write`."""
        known = self._look(frame.plate)
        assert frame.plate is not None
        assert self.output.bad_pixels is not None
        plate = read_plate(frame.plate, self.output.bad_pixels)
        if _state(frame.plate) != known.state:
            raise ImageError(f"{frame.plate}: changed while it was read; run the same command again when it is whole")
        picture, clipped, notes = self.draw(plate, known.spaces)
        write_stamped(path, picture, self._recipe(known), self.output)
        said = (known.spaces.note,) if known.spaces.note else ()
        return Written(clipped, plate.repaired, (*said, *plate.notes, *notes))

    def draw(self, plate: Plate, spaces: Spaces) -> tuple[Picture, int, tuple[str, ...]]:
        """The stored pixels of one plate, not stamped yet, how many values were clipped, and notes.

        Raises:
            ImageError: the plate does not fit the model, or the network gave NaN or infinity.
            RuntimeFailure: the runtime failed.
        """
        light = _in_light(plate, spaces)
        made, notes = self._made(light)
        depth = self.output.bit_depth if self.output.bit_depth != AS_PLATE else cast(BitDepth, plate.layout.type)
        stored = store_pixels(np.moveaxis(made, 0, -1), depth, spaces.from_light)
        return self._placed(stored, plate, spaces), stored.clipped, notes

    def _made(self, light: Array) -> tuple[Array, tuple[str, ...]]:
        """[C, H, W] linear Rec.709, premultiplied where it has alpha, to the same, enlarged."""
        spec = self.model.spec
        assert isinstance(spec.input, ImageInput)
        colour, alpha = (light[:-1], light[-1]) if len(light) in (2, 4) else (light, None)
        if alpha is None or spec.channels_out == 4 or spec.input.channels != 3:
            made = self._through(_with_channels(colour, alpha, spec.input.channels))
            return made, self._notes(alpha)
        divided = divide(_with_channels(colour, None, 3), alpha)
        return multiply(self._through(divided.colour), divided, spec.scale), ()

    def _notes(self, alpha: Array | None) -> tuple[str, ...]:
        spec = self.model.spec
        assert isinstance(spec.input, ImageInput)
        notes = []
        if alpha is not None and spec.channels_out == 3:
            notes.append(f"the plates' alpha is not carried: {spec.name!r} does not make RGB of RGB")
        elif alpha is not None and spec.input.channels != 4:
            notes.append(f"the plates' alpha is not carried: {spec.name!r} makes its own")
        if not has_residual(spec) and not spec.encoding.extended:
            peak = f"light outside 0 … {spec.encoding.peak:g}"
            notes.append(f"{spec.name!r} does not take RGB: {peak} is cut off before it")
        return tuple(notes)

    def _through(self, light: Array) -> Array:
        """[C, H, W] light, as the network takes it, to [C', s·H, s·W] light."""
        spec = self.model.spec
        x, residual = plate_to_network(light, spec)
        top, left, height, width = self._padding(light.shape[1], light.shape[2])
        bottom, right = height - light.shape[1] - top, width - light.shape[2] - left
        padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), mode="edge")
        y = self.runtime.infer(padded)
        rows = slice(top * spec.scale, (top + light.shape[1]) * spec.scale)
        columns = slice(left * spec.scale, (left + light.shape[2]) * spec.scale)
        return network_to_light(y[:, :, rows, columns], residual, spec)

    def _padding(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Rows above and columns left of a plate, and the height and width that the network sees."""
        wanted = margin_px(self.model.spec)
        down, across = self.runtime.input_shape[2:]
        top, rows = self._padded(height, wanted, down)
        left, columns = self._padded(width, wanted, across)
        return top, left, rows, columns

    def _padded(self, side: int, margin: int, static: int | None) -> tuple[int, int]:
        assert isinstance(self.model.spec.input, ImageInput)
        if static is None:
            multiple = self.model.spec.input.size_multiple
            return margin, -(-(side + 2 * margin) // multiple) * multiple
        if side > static:
            takes = "×".join(str(length) for length in reversed(self.runtime.input_shape[2:]))
            raise ImageError(
                f"{side} px are more than the {static} of the model's static {takes}, and plates are not tiled yet; "
                "export it for a larger size"
            )
        return min(margin, (static - side) // 2), static

    def _placed(self, stored: Stored, plate: Plate, spaces: Spaces) -> Picture:
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


def plate_maker(model: ModelFile, runtime: Runtime, output: OutputOptions) -> PlateMaker:
    """Join a model, an open runtime and output options.

    Raises:
        UsageError: a colour space that was asked for, or its config, is unknown.
    """
    for option, name in (("--in-colorspace", output.in_colorspace), ("--colorspace", output.colorspace)):
        if name is not None and name != AS_PLATE:
            conversion_of(name, output.ocio, option)
    return PlateMaker(model, runtime, output)


def _in_light(plate: Plate, spaces: Spaces) -> Array:
    """[C, H, W] linear Rec.709."""
    if spaces.to_light is None:
        return plate.pixels
    if len(plate.pixels) < 3:
        raise ImageError(f"grey plates have no colour space, and this one is in {spaces.to_light.space!r}")
    converted = spaces.to_light.apply(np.moveaxis(plate.pixels, 0, -1))
    return np.ascontiguousarray(np.moveaxis(converted, -1, 0))


def _with_channels(colour: Array, alpha: Array | None, channels: int) -> Array:
    """Grey or RGB to what the network takes, as in training: grey is repeated, and what has no alpha is opaque."""
    if channels == 1:
        return colour if len(colour) == 1 else np.tensordot(LUMINANCE, colour, 1)[None]
    planes = colour if len(colour) == 3 else np.repeat(colour, 3, axis=0)
    if channels == 3:
        return planes
    opaque = np.ones_like(planes[0]) if alpha is None else alpha
    return np.concatenate([planes, opaque[None]])


def _state(path: Path) -> tuple[int, int, int]:
    """Another one if the file is written to or replaced."""
    try:
        facts = path.stat()
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    return facts.st_size, facts.st_mtime_ns, facts.st_ino
