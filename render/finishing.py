"""From the network's raw picture back to light: what lay beyond its range, alpha, the share of it, grain."""

import numpy as np
from numpy.typing import NDArray

from vfxgan.render.alpha import multiply
from vfxgan.render.grain import NO_GRAIN, Grain
from vfxgan.render.lanczos import LANCZOS_MARGIN_PX, lanczos, mixed
from vfxgan.render.options import OutputOptions
from vfxgan.render.plate_light import NetworkLight, PlateLight, Region
from vfxgan.render.translate import enlarge, has_residual, network_to_light, plate_to_network
from vfxgan.spec import ModelSpec

Array = NDArray[np.float32]

MARGIN_PX = 2  # of the plate, around a strip: bilinear sees one neighbour, and emission is told by its neighbours


class Finishing:
    """What is done to every strip of one picture. Safe to use from several threads.

    Args:
        source: the plate.
        seen: what the network saw of it.
        number: of the frame.
        grain: to add to the frame.
    """

    def __init__(
        self,
        spec: ModelSpec,
        output: OutputOptions,
        source: PlateLight,
        seen: NetworkLight,
        number: int,
        grain: Grain = NO_GRAIN,
    ) -> None:
        self._spec, self._output, self._source, self._seen, self._number = spec, output, source, seen, number
        self._margin = MARGIN_PX if output.mix is None else LANCZOS_MARGIN_PX
        self._grain = grain

    def light(self, top: int, raw: Array) -> Array:
        """One strip.

        Args:
            top: its first row, in px of the plate.
            raw: [C', s·h, s·W] in the network's range.
        Returns:
            [C, s·h, s·W] linear Rec.709, premultiplied where it has alpha.
        """
        scale, encoding, margin = self._spec.scale, self._output.encoding, self._margin
        around = Region(top - margin, -margin, raw.shape[1] // scale + 2 * margin, self._source.width + 2 * margin)
        large = None
        if has_residual(self._spec):
            _, residual = plate_to_network(self._seen.colour(around), self._spec, encoding)
            large = None if residual is None else self._inner(enlarge(residual, scale))
        made = network_to_light(raw, large, self._spec, encoding)
        if self._output.mix is not None:
            made = mixed(made, self._plate(around, len(made)), self._output.mix)
        return self._with_alpha(self._with_grain(made, top), around)

    def _with_grain(self, made: Array, top: int) -> Array:
        """Before colour is multiplied by alpha, so that grain is, too."""
        if self._grain.is_none or len(made) < 3:
            return made
        (x, y, _, _), (left, above, _, _) = self._source.image.data, self._source.image.display
        scale = self._spec.scale
        before = made[:3].copy() if len(made) > 3 else None
        self._grain.add(made[:3], self._number, (x - left) * scale, (y - above + top) * scale)
        if before is not None:  # the network made colour and alpha, premultiplied
            made[:3] = before + (made[:3] - before) * made[3]
        return made

    def _with_alpha(self, made: Array, around: Region) -> Array:
        divided = self._seen.divided
        if divided is None:
            return made
        colour, alpha = self._stored(around)
        assert alpha is not None
        return multiply(made, colour, alpha, self._spec.scale, self._margin, means_nothing=divided.means_nothing)

    def _plate(self, around: Region, channels: int) -> Array:
        """The plate itself at the frame's size: colour by Lanczos, divided as for the network; alpha as beside it."""
        scale = self._spec.scale
        if self._seen.divided is not None:
            return self._inner(lanczos(self._seen.colour(around), scale))
        colour, alpha = self._stored(around)
        large = self._inner(lanczos(colour, scale))[:channels]
        if channels <= 3:
            return large
        matte = np.ones_like(large[0]) if alpha is None else self._inner(enlarge(alpha, scale))
        return np.concatenate([large, matte[None]])

    def _stored(self, region: Region) -> tuple[Array, Array | None]:
        """RGB, premultiplied, and alpha."""
        light = self._source.light(region)
        colour, alpha = (light[:-1], light[-1]) if self._source.has_alpha else (light, None)
        return (colour if len(colour) == 3 else np.repeat(colour, 3, axis=0)), alpha

    def _inner(self, planes: Array) -> Array:
        edge = self._margin * self._spec.scale
        return planes[..., edge:-edge, edge:-edge]
