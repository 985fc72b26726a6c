"""A generator's pictures through upscalers, in memory: as a render to float EXR and a render of that would be."""

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from vfxgan.errors import UsageError
from vfxgan.modelfile import ModelFile, find_model, read_model
from vfxgan.recipe import Plain
from vfxgan.render.encode import Stored, store
from vfxgan.render.image_maker import ImageMaker
from vfxgan.render.light import Light
from vfxgan.render.options import BitDepth, OutputOptions
from vfxgan.render.plate_file import Spaces
from vfxgan.render.plate_image import PlateImage
from vfxgan.render.runtimes import Runtime
from vfxgan.render.runtimes.protocol import Array
from vfxgan.render.shared_tasks import SharedTasks
from vfxgan.render.spaces import Conversion
from vfxgan.spec import ImageInput, ModelSpec

LARGEST_SIDE_PX = 32768


@dataclass(frozen=True)
class Link:
    """An upscaler, opened."""

    model: ModelFile
    runtime: Runtime


class ChainedRuntime:
    """A generator's runtime, with those of the upscalers behind it: opened and closed together, one fingerprint."""

    def __init__(self, generator: Runtime, links: Sequence[Link]) -> None:
        self._generator, self.links = generator, tuple(links)
        self._open = ExitStack()
        self.fingerprint: Mapping[str, Plain] = dict(generator.fingerprint) | {
            f"{name} of upscaler {place}": value
            for place, link in enumerate(self.links, start=1)
            for name, value in link.runtime.fingerprint.items()
            if generator.fingerprint.get(name) != value
        }
        self.input_shape = generator.input_shape
        self.batch = generator.batch
        self.about = "; ".join(
            filter(None, (runtime.about for runtime in (generator, *(link.runtime for link in links))))
        )

    def __enter__(self) -> "ChainedRuntime":
        for runtime in (self._generator, *(link.runtime for link in self.links)):
            self._open.enter_context(runtime)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def infer(self, x: Array) -> Array:
        """The generator's; see `Runtime.infer`."""
        return self._generator.infer(x)


@dataclass(frozen=True)
class Chain:
    """The upscalers that a generator's light goes through, in turn."""

    makers: tuple[ImageMaker, ...]

    @property
    def scale(self) -> int:
        """Of all of them together."""
        return math.prod(maker.model.spec.scale for maker in self.makers)

    @property
    def recorded(self) -> OutputOptions:
        """What a recipe holds: of one upscaler the tiles that it comes to, of several those that were asked for."""
        return self.makers[0].recorded if len(self.makers) == 1 else self.makers[0].output

    def store(
        self, light: Light, depth: BitDepth, conversion: Conversion | None, number: int
    ) -> tuple[Stored, tuple[str, ...]]:
        """The last upscaler's picture in the file's type, and what is to be said of it; arguments as `encode.store`.

        Args:
            number: of the frame.
        Raises:
            ImageError, RuntimeFailure: as `ImageMaker.draw`.
        """
        pixels, clipped, notes = store(light, "float").pixels, 0, set[str]()
        for maker in self.makers:
            is_last = maker is self.makers[-1]
            height, width, _ = pixels.shape
            window = (0, 0, width, height)
            spaces = Spaces(None, conversion if is_last else None, keeps_header=False, note="")
            drawn = maker.draw(PlateImage(pixels, window, window), spaces, depth if is_last else "float", number)
            pixels, clipped = drawn.pixels, drawn.clipped
            notes.update(drawn.notes)
        return Stored(np.ascontiguousarray(pixels), clipped), tuple(sorted(notes))


def chain_of(runtime: Runtime, output: OutputOptions, tasks: SharedTasks) -> Chain | None:
    """The chain behind a generator's runtime, None where there is none.

    Raises:
        UsageError: an upscaler cannot be tiled as asked.
    """
    if not isinstance(runtime, ChainedRuntime):
        return None
    makers = tuple(ImageMaker(link.model, link.runtime, output, tasks) for link in runtime.links)
    for maker in makers:
        maker.check()
    return Chain(makers)


def read_upscaler(name: str) -> ModelFile:
    """The model that `--upscale` names.

    Raises:
        ModelError: it cannot be read.
        UsageError: it does not take pictures.
    """
    model = read_model(find_model(name))
    source = model.spec.input
    if not isinstance(source, ImageInput) or source.channels not in (1, 3, 4):
        raise UsageError(
            f"--upscale {name}: {model.spec.name!r} does not make pictures of pictures; give an upscaler, and MODEL "
            "before --upscale"
        )
    return model


def check_size(generator: ModelSpec, upscalers: Sequence[ModelFile]) -> None:
    """Raises UsageError where the last picture would be larger than files and viewers take."""
    side = max(generator.size or (0,))
    for model in upscalers:
        side *= model.spec.scale
    if side > LARGEST_SIDE_PX:
        raise UsageError(f"--upscale: pictures would be {side} px wide or high, above {LARGEST_SIDE_PX}; use fewer")
