"""One seed to one frame: latent, network, light, pixels, recipe, file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vfxgan.errors import WriteError
from vfxgan.images import (
    LOSSY_COMPRESSIONS,
    Picture,
    decoded_digest,
    pixel_digest,
    read_picture,
    write_picture,
)
from vfxgan.latents import latent
from vfxgan.modelfile import ModelFile
from vfxgan.recipe import PIXELS_KEY, Recipe, stamp_attributes
from vfxgan.render.encode import store
from vfxgan.render.light import Light
from vfxgan.render.options import OutputOptions
from vfxgan.render.runtimes import Runtime
from vfxgan.render.spaces import Conversion, find_conversion, header_of
from vfxgan.spec import LatentInput

CHANNELS = ("R", "G", "B", "A")


@dataclass(frozen=True)
class FrameMaker:
    """All that frames of one render share. Safe to use from several threads.

    Attributes:
        conversion: None where light is stored as it is.
    """

    model: ModelFile
    runtime: Runtime
    output: OutputOptions
    conversion: Conversion | None

    def recipe(self, seed: int) -> Recipe:
        """What the frame of this seed is made from."""
        config_id = self.conversion.config_id if self.conversion else None
        return Recipe(self.model.sha256, seed, self.output.for_recipe(config_id), self.runtime.fingerprint)

    def draw(self, seed: int) -> tuple[Picture, int]:
        """The stored pixels of one seed, not stamped yet, and how many values were clipped.

        Raises:
            ImageError: the network gave NaN or infinity.
            RuntimeFailure: the runtime failed.
        """
        source = self.model.spec.input
        assert isinstance(source, LatentInput)
        output = self.runtime.infer(latent(seed, source, self.output.z_interval))
        stored = store(Light(output, self.model.spec), self.output.bit_depth, self.conversion)
        channels = CHANNELS[: self.model.spec.channels_out]
        return Picture(stored.pixels, channels, self._header()), stored.clipped

    def write(self, seed: int, path: Path) -> int:
        """Draw a seed and put it in place, whole or not at all.

        Returns:
            How many values the file's type could not hold.
        Raises:
            WriteError: the disk is full, or the file cannot be written.
        """
        picture, clipped = self.draw(seed)
        if self._is_lossy:
            self._write_lossy(path, picture, seed)
        else:
            digest = pixel_digest(picture.pixels, picture.channels)
            write_picture(path, self._stamped(picture, seed, digest))
        return clipped

    def _write_lossy(self, path: Path, picture: Picture, seed: int) -> None:
        """The digest is of the pixels as they decode, so they are encoded once to see it, and again to carry it."""
        stamped = self._stamped(picture, seed, decoded_digest(path, picture))

        def unchanged(temporary: Path) -> None:
            decoded = read_picture(temporary)
            if pixel_digest(decoded.pixels, decoded.channels) != stamped.attributes[PIXELS_KEY]:
                raise WriteError(f"{path}: decodes to other pixels each time; use another --compression")

        write_picture(path, stamped, before_replace=unchanged)

    def _stamped(self, picture: Picture, seed: int, digest: str) -> Picture:
        stamp = stamp_attributes(self.recipe(seed), digest)
        return Picture(picture.pixels, picture.channels, {**picture.attributes, **stamp})

    def _header(self) -> dict[str, Any]:
        if self.output.format == "png":
            return {"oiio:UnassociatedAlpha": 1}
        return {"compression": self.output.compression, **header_of(self.output, self.conversion)}

    @property
    def _is_lossy(self) -> bool:
        kind = self.output.compression.partition(":")[0]
        return kind in LOSSY_COMPRESSIONS and not (kind == "pxr24" and self.output.bit_depth == "half")


def frame_maker(model: ModelFile, runtime: Runtime, output: OutputOptions) -> FrameMaker:
    """Join a model, an open runtime and output options.

    Raises:
        UsageError: the colour space or its config is unknown.
    """
    return FrameMaker(model, runtime, output, find_conversion(output))
