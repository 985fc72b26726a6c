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

    def write(self, pair: Pair, both: Both, difference: Array) -> None:
        """Write one: EXR holds |a − b| of each channel in half floats, PNG what the eye sees of it.

        Raises:
            WriteError: full disk, permissions.
        """
        said = f"absolute difference times {self.gain:g}"
        if self.pattern.extension == ".png":
            picture = Picture(self._seen(both, difference), ("R", "G", "B"), {DIFFERENCE_KEY: said})
        else:
            pixels = np.minimum(difference * np.float32(self.gain), LARGEST_HALF).astype(np.float16)
            attributes = {DIFFERENCE_KEY: said, "compression": "zips"}
            x, y, _, _ = both.window
            picture = Picture(pixels, both.channels, attributes, origin=(x, y), display=both.display)
        write_picture(self.pattern.path(pair.number), picture)

    def _seen(self, both: Both, difference: Array) -> NDArray[np.uint8]:
        """[H, W, 3] of the display window: the difference of the signals; NaN and Inf on one side are magenta."""
        a, b = figures.finite_pair(both.a, both.b)
        seen = np.abs(
            figures.signal_of(a, scene_linear=both.scene_linear) - figures.signal_of(b, scene_linear=both.scene_linear)
        )
        colour = seen[..., :3] if seen.shape[2] >= 3 else np.repeat(seen[..., :1], 3, axis=2)
        rest = seen[..., 3:] if seen.shape[2] > 3 else seen[..., 1:2]
        if rest.shape[2]:  # alpha, depth and the like as grey
            colour = np.maximum(colour, rest.max(axis=2, keepdims=True))
        unlike = np.isinf(difference).any(axis=2, keepdims=True).astype(np.float32)
        shown = in_window(np.concatenate([colour, unlike], axis=2), both.window, both.display)
        pixels = np.rint(np.clip(shown[..., :3] * np.float32(self.gain), 0, 1) * 255).astype(np.uint8)
        pixels[shown[..., 3] > 0] = UNLIKE_COLOUR
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
