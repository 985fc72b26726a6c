"""One seed, or one frame of a walk through seeds, to one frame: latent, network, light, pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfxgan.images import Picture
from vfxgan.latents import latent
from vfxgan.modelfile import ModelFile
from vfxgan.recipe import Plain, Recipe
from vfxgan.render.chain import Chain, chain_of
from vfxgan.render.encode import Stored, store
from vfxgan.render.frames import BeforeReplace, Written, write_stamped
from vfxgan.render.latent_path import LatentPath, latent_path
from vfxgan.render.light import Light
from vfxgan.render.options import OutputOptions, walk_of
from vfxgan.render.plan import Frame
from vfxgan.render.runtimes import Runtime
from vfxgan.render.shared_tasks import SharedTasks
from vfxgan.render.spaces import Conversion, find_conversion, header_of
from vfxgan.spec import LatentInput

FLOAT_BYTES = 4
CHANNELS = ("R", "G", "B", "A")


@dataclass(frozen=True)
class SeedMaker:
    """All that frames of seeds, or of a walk, share: a `FrameMaker`.

    Attributes:
        conversion: None where light is stored as it is.
        path: of the walk, None for seeds.
        chain: of upscalers, None for none.
    """

    model: ModelFile
    runtime: Runtime
    output: OutputOptions
    conversion: Conversion | None
    path: LatentPath | None
    chain: Chain | None
    tasks: SharedTasks

    def memory_bytes(self, frame: Frame) -> int:
        """See `FrameMaker.memory_bytes`: of a chain, the last picture, twice."""
        height, width = self.model.spec.size or (0, 0)
        scale = 1 if self.chain is None else self.chain.scale
        return 2 * height * width * scale**2 * self.model.spec.channels_out * FLOAT_BYTES

    @property
    def fingerprint(self) -> Mapping[str, Plain]:
        """See `FrameMaker.fingerprint`."""
        return self.runtime.fingerprint

    def recipe(self, frame: Frame) -> Recipe:
        """See `FrameMaker.recipe`."""
        config_id = self.conversion.config_id if self.conversion else None
        output = self.output if self.chain is None else self.chain.recorded
        options, number = output.for_recipe(config_id), None if self.path is None else frame.number
        return Recipe(self.model.sha256, frame.seed, options, self.runtime.fingerprint, frame=number)

    def draw(self, frame: Frame) -> tuple[Picture, Written]:
        """The stored pixels of one frame, not stamped yet, and what is to be said of them.

        Raises:
            ImageError: the network gave NaN or infinity.
            RuntimeFailure: the runtime failed.
        """
        stored, notes = self._stored(Light(self.runtime.infer(self._latent(frame)), self.model.spec), frame.number)
        channels = CHANNELS[: stored.pixels.shape[2]]
        return Picture(stored.pixels, channels, self._header()), Written(stored.clipped, notes=notes)

    def write(
        self, frame: Frame, path: Path, *, may_replace: bool = True, before_replace: BeforeReplace | None = None
    ) -> Written:
        """See `FrameMaker.write`."""
        picture, written = self.draw(frame)
        recipe = self.recipe(frame)
        write_stamped(path, picture, recipe, self.output, may_replace=may_replace, before_replace=before_replace)
        return written

    def _latent(self, frame: Frame) -> NDArray[np.float32]:
        if self.path is not None:
            return self.path.at(frame.number)
        source = self.model.spec.input
        assert isinstance(source, LatentInput)
        assert frame.seed is not None
        return latent(frame.seed, source, self.output.z_interval)

    def _stored(self, light: Light, number: int) -> tuple[Stored, tuple[str, ...]]:
        depth = self.output.bit_depth
        assert depth != "plate"
        if self.chain is not None:
            return self.chain.store(light, depth, self.conversion, number)
        return store(light, depth, self.conversion), ()

    def _header(self) -> dict[str, Any]:
        if self.output.format == "png":
            return {"oiio:UnassociatedAlpha": 1}
        return {"compression": self.output.compression, **header_of(self.output, self.conversion)}


def seed_maker(model: ModelFile, runtime: Runtime, output: OutputOptions, tasks: SharedTasks) -> SeedMaker:
    """Join a model, an open runtime and output options.

    Raises:
        UsageError: the colour space or its config is unknown.
    """
    path, chain = _path(model, output), chain_of(runtime, output, tasks)
    return SeedMaker(model, runtime, output, find_conversion(output), path, chain, tasks)


def _path(model: ModelFile, output: OutputOptions) -> LatentPath | None:
    if output.walk is None:
        return None
    assert isinstance(model.spec.input, LatentInput)
    assert output.interpolation is not None
    return latent_path(
        walk_of(output), model.spec.input, output.z_interval, output.interpolation, eased=output.ease is not None
    )
