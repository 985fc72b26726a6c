"""Pictures of where two frames differ, and by how much."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ImageError, TargetError, UsageError
from vfxgan.images import FORMAT_OF_EXTENSION, Picture, read_header, write_picture
from vfxgan.render import figures
from vfxgan.render.both import Both
from vfxgan.render.frame_light import in_window
from vfxgan.render.half import LARGEST_HALF
from vfxgan.render.pairs import Pair
from vfxgan.sequences import Pattern, parse_pattern
from vfxgan.synthetic import COMPOSITE, is_synthetic, label
from vfxgan.whole_files import check_writable

Array = NDArray[np.float32]

DIFFERENCE_KEY = "vfxgan:difference"
DEFAULT_GAIN = {".exr": 1.0, ".png": 10.0}
UNLIKE_COLOUR = (255, 0, 255)
NAMED_FILES = 3


@dataclass(frozen=True)
class Differences:
    """Where difference pictures go, and how bright they are.

    Attributes:
        gain: what |a − b| is multiplied by.
    """

    pattern: Pattern
    gain: float

    def write(self, pair: Pair, both: Both) -> None:
        """Write one: EXR holds |a − b| of each channel in half floats, PNG what the eye sees in the display window.

        Raises:
            WriteError: full disk, permissions.
        """
        attributes = {DIFFERENCE_KEY: f"absolute difference times {self.gain:g}"}
        if any(is_synthetic(read_header(path)) for path in (pair.a, pair.b)):
            attributes |= label(COMPOSITE, self.pattern.extension)
        if self.pattern.extension == ".png":
            seen = np.empty((both.window[3], both.window[2], 3), np.uint8)
            for top, a, b in both.bands():
                seen[top : top + len(a)] = self._seen(a, b, scene_linear=both.scene_linear)
            whole = in_window(seen, both.window, both.display)
            picture = Picture(whole, ("R", "G", "B"), attributes)
        else:
            x, y, width, height = both.window
            pixels = np.empty((height, width, len(both.channels)), np.float16)
            for top, a, b in both.bands():
                difference, _ = figures.absolute_difference(a, b)
                pixels[top : top + len(a)] = np.minimum(difference * np.float32(self.gain), LARGEST_HALF)
            attributes["compression"] = "zips"
            picture = Picture(pixels, both.channels, attributes, origin=(x, y), display=both.display)
        write_picture(self.pattern.path(pair.number), picture)

    def _seen(self, a: Array, b: Array, *, scene_linear: bool) -> NDArray[np.uint8]:
        """[H, W, 3] the difference of the signals; magenta where NaN or Inf are on one side."""
        unlike = np.isinf(figures.absolute_difference(a, b)[0]).any(axis=2)
        signal_a, signal_b = (figures.signal_of(x, scene_linear=scene_linear) for x in figures.finite_pair(a, b))
        seen = np.abs(signal_a - signal_b)
        colours = 3 if seen.shape[2] >= 3 else 1
        if seen.shape[2] > colours:  # alpha, depth and the like as grey
            seen = np.maximum(seen[..., :colours], seen[..., colours:].max(axis=2, keepdims=True))
        pixels = np.rint(np.clip(seen * np.float32(self.gain), 0, 1) * 255).astype(np.uint8)
        pixels = np.repeat(pixels, 3, axis=2) if colours == 1 else pixels
        pixels[unlike] = UNLIKE_COLOUR
        return pixels


def plan_differences(text: str, gain: float | None, pairs: Sequence[Pair], *, overwrite: bool) -> Differences:
    """Check where difference pictures are to go, and make the folder.

    Raises:
        UsageError: no pattern for several frames, an unknown extension, or a gain that is none.
        TargetError: files there are not difference pictures, or the folder cannot be written to.
    """
    pattern = parse_pattern(text, len(pairs), "--diff", FORMAT_OF_EXTENSION)
    if gain is not None and not 0 < gain <= 1e6:
        raise UsageError(f"--gain {gain:g} is outside 0 … 1000000 (0 excluded)")
    sources = {path.resolve() for pair in pairs for path in (pair.a, pair.b)}
    taken = []
    for pair in pairs:
        path = pattern.path(pair.number)
        if path.resolve() in sources:
            raise TargetError(f"--diff {text!r} would replace {path}, which is compared; write elsewhere")
        if path.exists() and not overwrite and not _is_ours(path):
            taken.append(str(path))
    if taken:
        more = f" and {len(taken) - NAMED_FILES} more" if len(taken) > NAMED_FILES else ""
        named = ", ".join(taken[:NAMED_FILES])
        raise TargetError(f"--diff: other work is in the way: {named}{more}; write elsewhere, or give --overwrite")
    check_writable(pattern.folder)
    return Differences(pattern, gain or DEFAULT_GAIN[pattern.extension])


def _is_ours(path: Path) -> bool:
    try:
        return DIFFERENCE_KEY in read_header(path)
    except ImageError:
        return False
