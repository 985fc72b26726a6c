"""One seed to one frame: latent, network, light, pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vfxgan.images import Picture
from vfxgan.latents import latent
from vfxgan.modelfile import ModelFile
from vfxgan.recipe import Recipe
from vfxgan.render.encode import store
from vfxgan.render.frames import Written, write_stamped
from vfxgan.render.light import Light
from vfxgan.render.options import OutputOptions
from vfxgan.render.plan import Frame
from vfxgan.render.runtimes import Runtime
from vfxgan.render.spaces import Conversion, find_conversion, header_of
from vfxgan.spec import LatentInput

CHANNELS = ("R", "G", "B", "A")


@dataclass(frozen=True)
class SeedMaker:
    """All that frames of seeds share: a `FrameMaker`.

    Attributes:
        conversion: None where light is stored as it is.
    """

    model: ModelFile
    runtime: Runtime
    output: OutputOptions
    conversion: Conversion | None

    def recipe(self, frame: Frame) -> Recipe:
        """See `FrameMaker.recipe`."""
        config_id = self.conversion.config_id if self.conversion else None
        return Recipe(self.model.sha256, frame.seed, self.output.for_recipe(config_id), self.runtime.fingerprint)

    def draw(self, seed: int) -> tuple[Picture, int]:
        """The stored pixels of one seed, not stamped yet, and how many values were clipped.

        Raises:
            ImageError: the network gave NaN or infinity.
            RuntimeFailure: the runtime failed.
        """
        source, depth = self.model.spec.input, self.output.bit_depth
        assert isinstance(source, LatentInput)
        assert depth != "plate"
        output = self.runtime.infer(latent(seed, source, self.output.z_interval))
        stored = store(Light(output, self.model.spec), depth, self.conversion)
        channels = CHANNELS[: self.model.spec.channels_out]
        return Picture(stored.pixels, channels, self._header()), stored.clipped

    def write(self, frame: Frame, path: Path, *, may_replace: bool = True) -> Written:
        """See `FrameMaker.write`."""
        assert frame.seed is not None
        picture, clipped = self.draw(frame.seed)
        write_stamped(path, picture, self.recipe(frame), self.output, may_replace=may_replace)
        return Written(clipped)

    def _header(self) -> dict[str, Any]:
        if self.output.format == "png":
            return {"oiio:UnassociatedAlpha": 1}
        return {"compression": self.output.compression, **header_of(self.output, self.conversion)}


def seed_maker(model: ModelFile, runtime: Runtime, output: OutputOptions) -> SeedMaker:
    """Join a model, an open runtime and output options.

    Raises:
        UsageError: the colour space or its config is unknown.
    """
    return SeedMaker(model, runtime, output, find_conversion(output))
