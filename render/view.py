"""From scene-linear light to what a monitor shows: a view of an OpenColorIO config."""

from dataclasses import dataclass

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from vfxgan.errors import ImageError, UsageError
from vfxgan.render.frame_light import srgb_bytes
from vfxgan.render.spaces import DEFAULT_CONFIG, SOURCE_SPACE, config_of

Array = NDArray[np.float32]

SRGB_DISPLAY = "sRGB - Display"
MAX_NAMED_VIEWS = 6


@dataclass(frozen=True)
class View:
    """A display transform.

    Attributes:
        config: as OpenImageIO takes it.
        display: of that config.
        name: of the view.
    """

    config: str
    display: str
    name: str

    def apply(self, light: Array) -> NDArray[np.uint8]:
        """[H, W, 3] linear Rec.709 to [H, W, 3] 8-bit display values. Safe on several threads.

        Raises:
            ImageError: the config's view does not take linear Rec.709.
        """
        source, shown = oiio.ImageBuf(np.ascontiguousarray(light)), oiio.ImageBuf()
        done = oiio.ImageBufAlgo.ociodisplay(
            shown, source, self.display, self.name, SOURCE_SPACE, "", False, False, "", "", self.config, nthreads=1
        )
        if not done:
            raise ImageError(f"cannot be shown by the view {self.name!r} ({' '.join(shown.geterror().split())})")
        values = np.asarray(shown.get_pixels(oiio.FLOAT), np.float32)
        return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)

    def show(self, light: Array, *, display_referred: bool) -> NDArray[np.uint8]:
        """As `apply`; a picture that was sRGB already comes back as it was."""
        return srgb_bytes(light) if display_referred else self.apply(light)


def find_view(name: str | None, ocio: str | None) -> View:
    """A view of the config, on sRGB in the built-in one, else on the config's default display.

    Args:
        name: None for the display's default: in the built-in config ACES 1.0's SDR view, which rolls highlights off.
        ocio: path of a config; None is $OCIO, else the built-in one.
    Raises:
        UsageError: the config cannot be read, or has no such view.
    """
    config, origin = config_of(ocio)
    colours = oiio.ColorConfig(config)
    trouble = colours.geterror()  # without this look, a config that is missing becomes another one
    if trouble:
        raise UsageError(f"{origin}: {' '.join(trouble.split())}; correct the path")
    display = SRGB_DISPLAY if config == DEFAULT_CONFIG else colours.getDefaultDisplayName()
    views = list(colours.getViewNames(display))
    chosen = colours.getDefaultViewName(display) if name is None else _named(name, views)
    if not chosen:
        named = "; ".join(views[:MAX_NAMED_VIEWS])
        raise UsageError(f"--preview-view {name!r}: {origin} has no such view on {display!r}; it has: {named}")
    return View(config, display, chosen)


def _named(name: str, views: list[str]) -> str | None:
    """A view by its name, case aside, or by a beginning that only one has."""
    exact = [view for view in views if view.lower() == name.lower()]
    close = [view for view in views if view.lower().startswith(name.lower())]
    found = exact or close
    return found[0] if len(found) == 1 else None
