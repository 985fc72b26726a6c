"""One picture of a plate to one picture of a frame: its light through the network and back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ImageError
from vfxgan.images import Pixels
from vfxgan.margin import margin_px
from vfxgan.modelfile import ModelFile
from vfxgan.render.alpha import Divided, divide, multiply
from vfxgan.render.encode import store_pixels
from vfxgan.render.options import BitDepth, OutputOptions
from vfxgan.render.plate_file import Spaces
from vfxgan.render.plate_image import PlateImage
from vfxgan.render.runtimes import Runtime
from vfxgan.render.translate import LUMINANCE, enlarge, has_residual, network_to_light, plate_to_network
from vfxgan.spec import ImageInput

Array = NDArray[np.float32]


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
class ImageMaker:
    """A model on an open runtime, and how its pictures are made. Safe to use from several threads."""

    model: ModelFile
    runtime: Runtime
    output: OutputOptions

    def draw(self, image: PlateImage, spaces: Spaces, depth: BitDepth, number: int) -> Drawn:
        """Make a picture.

        Args:
            depth: of the file: half, float (linear, premultiplied); 8, 16 (sRGB, not premultiplied).
            number: of the frame; grain is keyed by it.
        Raises:
            ImageError: the plate does not fit the model, or the network gave NaN or infinity.
            RuntimeFailure: the runtime failed.
        """
        return self.finish(self.raw(image, spaces), image, spaces, depth, number)

    def raw(self, image: PlateImage, spaces: Spaces) -> Array:
        """What the network gives for a picture, nothing done to it yet.

        Returns:
            [C', s·H, s·W] float32 in the network's range, for the data window.
        Raises:
            ImageError, RuntimeFailure: as `draw`.
        """
        colour, _, _ = self._network_colour(image, spaces)
        x, _ = plate_to_network(colour, self.model.spec, self.output.encoding)
        return self._through(x)[0]

    def finish(self, raw: Array, image: PlateImage, spaces: Spaces, depth: BitDepth, number: int) -> Drawn:
        """From the network's raw picture to the stored one; arguments and errors as `raw` and `draw`."""
        spec = self.model.spec
        colour, alpha, divided = self._network_colour(image, spaces)
        _, residual = plate_to_network(colour, spec, self.output.encoding)
        large = None if residual is None else enlarge(residual, spec.scale)
        made = network_to_light(raw, large, spec, self.output.encoding)
        if divided is not None:
            made = multiply(made, divided, spec.scale)
        notes = self._notes(alpha) if divided is None else ()
        stored = store_pixels(np.moveaxis(made, 0, -1), depth, spaces.from_light)
        return Drawn(stored.pixels, stored.clipped, notes)

    def _network_colour(self, image: PlateImage, spaces: Spaces) -> tuple[Array, Array | None, Divided | None]:
        """What the network is to see, the plate's alpha, and the division by it where there was one."""
        spec = self.model.spec
        assert isinstance(spec.input, ImageInput)
        light = _in_light(image, spaces)
        colour, alpha = (light[:-1], light[-1]) if len(light) in (2, 4) else (light, None)
        if alpha is None or spec.channels_out == 4 or spec.input.channels != 3:
            return _with_channels(colour, alpha, spec.input.channels), alpha, None
        divided = divide(_with_channels(colour, None, 3), alpha)
        return divided.colour, alpha, divided

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

    def _through(self, x: Array) -> Array:
        """[1, C, H, W] to [1, C', s·H, s·W], edges repeated before and cut off after."""
        height, width, scale = x.shape[2], x.shape[3], self.model.spec.scale
        top, left, rows, columns = self._padding(height, width)
        bottom, right = rows - height - top, columns - width - left
        y = self.runtime.infer(np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), mode="edge"))
        return y[:, :, top * scale : (top + height) * scale, left * scale : (left + width) * scale]

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


def _in_light(image: PlateImage, spaces: Spaces) -> Array:
    """[C, H, W] linear Rec.709."""
    planes = np.ascontiguousarray(np.moveaxis(image.pixels, -1, 0), np.float32)
    if spaces.to_light is None:
        return planes
    if len(planes) < 3:
        raise ImageError(f"grey plates have no colour space, and this one is in {spaces.to_light.space!r}")
    converted = spaces.to_light.apply(np.moveaxis(planes, 0, -1))
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
