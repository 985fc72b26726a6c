"""Frames as a monitor shows them, all on one sheet or as a film: `vfxgan render --preview`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import ImageError, TargetError, UsageError, WriteError
from vfxgan.images import Picture, read_header, write_picture
from vfxgan.progress import Progress
from vfxgan.render.contact_sheet import Background, board, put_on
from vfxgan.render.digits import draw_number
from vfxgan.render.frame_light import FrameLight, read_light, resized
from vfxgan.render.movie import is_our_movie, require_encoder, write_movie
from vfxgan.render.options import OutputOptions
from vfxgan.render.ordered import in_order
from vfxgan.render.plan import Frame
from vfxgan.render.sheet import GAP_PX, Cell, Layout, draw_sheet
from vfxgan.render.view import View, find_view
from vfxgan.synthetic import COMPOSITE, label
from vfxgan.whole_files import check_writable

Bytes = NDArray[np.uint8]

PREVIEW_KEY = "vfxgan:preview"
DEFAULT_SIZE_PX = 1920
SIZES_PX = (64, 8192)
LEAST_CELL_PX = 96
NTSC_TOLERANCE = 0.005
MISSING_GREY, MISSING_RED = 24, (160, 40, 40)


@dataclass(frozen=True)
class PreviewRequest:
    """The options, as given.

    Attributes:
        size: long side of the sheet or film, in px.
        numbers: frame numbers are put into a film's corner; sheets have them below each frame.
    """

    path: Path
    view: str | None = None
    size: int = DEFAULT_SIZE_PX
    fps: float = 24.0
    background: Background = "black"
    numbers: bool = True


@dataclass(frozen=True)
class Preview:
    """The same, checked, and ready to be drawn when the frames are there."""

    request: PreviewRequest
    view: View
    frames: tuple[Frame, ...]
    threads: int
    output: OutputOptions
    problems: list[str] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """How many frames are drawn at most, for progress."""
        return len(self.frames)

    def check_folder(self) -> None:
        """Make its folder if need be.

        Raises:
            TargetError: it cannot be written to.
        """
        check_writable(self.request.path.parent)

    def write(self, failed: frozenset[int], progress: Progress) -> str:
        """Draw it.

        Args:
            failed: numbers of frames that have no picture of this run; a mark stands in their place.
        Returns:
            What was written, in one line.
        Raises:
            WriteError: no frame can be read, or the file cannot be written.
        """
        aspect, height = self._shape(failed)
        if self.request.path.suffix.lower() == ".png":
            return self._write_sheet(failed, aspect, height, progress)
        return self._write_movie(failed, aspect, height, progress)

    def _shape(self, failed: frozenset[int]) -> tuple[float, int]:
        """Width over height, and height in px, of the first frame that can be read."""
        for frame in self.frames:
            if frame.number not in failed:
                try:
                    shown = read_light(frame.path, self.output, at_least=1)
                except ImageError:
                    continue
                return shown.width * shown.pixel_aspect / shown.height, shown.height
        raise WriteError(f"{self.request.path}: not one of {len(self.frames)} frames can be shown; see what failed")

    def _write_sheet(self, failed: frozenset[int], aspect: float, height: int, progress: Progress) -> str:
        layout, count = arrange(len(self.frames), aspect, self.request.size, (round(aspect * height), height))
        frames = spread(self.frames, count)

        def cell(place: int) -> Cell:
            frame = frames[place]
            tile = self._tile(frame, failed, layout.cell_height_px, layout.cell_width_px)
            progress.advance(frame=frame.number)
            return Cell(tile, frame.number)

        sheet = draw_sheet(count, layout, cell)
        said = f"{count} of {len(self.frames)} frames" if count < len(self.frames) else f"{count} frames"
        attributes = {PREVIEW_KEY: said, **label(COMPOSITE, ".png")}
        write_picture(self.request.path, Picture(sheet, ("R", "G", "B"), attributes))
        return self._line(said, sheet.shape[1], sheet.shape[0])

    def _write_movie(self, failed: frozenset[int], aspect: float, height: int, progress: Progress) -> str:
        width = aspect * height
        scale = min(1.0, self.request.size / max(width, height))
        size = even(height * scale), even(width * scale)

        def draw(frame: Frame) -> Bytes:
            tile = self._tile(frame, failed, *size)
            if self.request.numbers:
                burn_in(tile, frame.number)
            progress.advance(frame=frame.number)
            return tile

        pictures = in_order(draw, self.frames, self.threads)
        write_movie(self.request.path, pictures, size, exact_rate(self.request.fps), len(self.frames))
        return self._line(f"{len(self.frames)} frames", size[1], size[0])

    def _line(self, said: str, width: int, height: int) -> str:
        gaps = f", {len(self.problems)} of them marked as missing" if self.problems else ""
        return f"preview {self.request.path}: {said}{gaps}, {width}×{height}, {self.view.name}"

    def _tile(self, frame: Frame, failed: frozenset[int], height: int, width: int) -> Bytes:
        """[height, width, 3] sRGB of one frame, or the mark of a missing one."""
        try:
            if frame.number in failed:
                raise ImageError(f"frame {frame.number} failed")
            return self._fitted(read_light(frame.path, self.output, at_least=max(height, width)), height, width)
        except ImageError as error:
            self.problems.append(str(error))
            return missing(height, width)

    def _fitted(self, frame: FrameLight, height: int, width: int) -> Bytes:
        own_height, own_width = frame.height, frame.width * frame.pixel_aspect
        scale = min(height / own_height, width / own_width)
        size = min(height, max(1, round(own_height * scale))), min(width, max(1, round(own_width * scale)))
        behind = board(self.request.background, *size)
        put_on(behind, resized(frame.light, size))
        tile = np.zeros((height, width, 3), np.uint8)
        top, left = (height - size[0]) // 2, (width - size[1]) // 2
        shown = self.view.show(behind, display_referred=frame.display_referred)
        tile[top : top + size[0], left : left + size[1]] = shown
        return tile


def plan_preview(
    request: PreviewRequest, frames: Sequence[Frame], threads: int, output: OutputOptions, *, overwrite: bool
) -> Preview:
    """Check a preview before anything is rendered; where each view has its own files, the first view is shown.

    Raises:
        UsageError: unknown extension or view, or a size or rate out of bounds.
        TargetError: the file is somebody's, or one of the frames.
        MissingExtraError: a film needs the extra `review`.
    """
    suffix = request.path.suffix.lower()
    if suffix not in (".png", ".mp4"):
        raise UsageError(f"--preview {str(request.path)!r}: write .png for a contact sheet, .mp4 for a film")
    if not SIZES_PX[0] <= request.size <= SIZES_PX[1]:
        raise UsageError(f"--preview-size {request.size} is outside {SIZES_PX[0]} … {SIZES_PX[1]} px")
    if not 1 <= request.fps <= 240:
        raise UsageError(f"--preview-fps {request.fps:g} is outside 1 … 240")
    view = find_view(request.view, output.ocio)
    if suffix == ".mp4":
        require_encoder()
    files = {path.resolve() for frame in frames for path in (frame.path, frame.plate) if path is not None}
    if request.path.resolve() in files:
        raise TargetError(f"--preview {str(request.path)!r} is one of the frames; name another file")
    if request.path.exists() and not overwrite and not _is_ours(request.path):
        raise TargetError(
            f"--preview {str(request.path)!r} exists and is no preview; name another file, or give --overwrite"
        )
    of_first_view = tuple(frame for frame in frames if frame.view == frames[0].view)
    return Preview(request, view, of_first_view, threads, output)


def _is_ours(path: Path) -> bool:
    if path.suffix.lower() == ".mp4":
        return is_our_movie(path)
    try:
        return PREVIEW_KEY in read_header(path)
    except ImageError:
        return False


def arrange(count: int, aspect: float, size: int, largest: tuple[int, int]) -> tuple[Layout, int]:
    """The sheet of the largest cells that fit 16:9, and how many frames have room on it.

    Args:
        aspect: of a frame, width over height.
        size: long side of the sheet in px.
        largest: width and height of a frame; cells are not larger.
    """
    least = min(LEAST_CELL_PX, largest[0])
    count = min(count, (size // least + 1) ** 2)
    while True:
        layouts = (_layout(count, columns, aspect, size, largest) for columns in range(1, count + 1))
        best = max(layouts, key=lambda layout: (layout.cell_width_px, -_off_shape(layout)))
        if best.cell_width_px >= least or count == 1:
            return best, count
        count = max(1, count * 9 // 10)


def _off_shape(layout: Layout) -> float:
    """How far a sheet is from 16:9."""
    height, width = layout.size
    return abs(math.log(width / height * 9 / 16))


def _layout(count: int, columns: int, aspect: float, size: int, largest: tuple[int, int]) -> Layout:
    rows = -(-count // columns)
    width = min(largest[0], (size - GAP_PX) // columns - GAP_PX)
    while width > 1:
        layout = Layout(columns, rows, width, max(1, round(width / aspect)))
        if layout.size[0] <= (size * 9 // 16 if count > 1 else size) and layout.size[1] <= size:
            return layout
        width = min(width - 1, int(width * 0.99))
    return Layout(columns, rows, 1, 1)


def spread(frames: Sequence[Frame], count: int) -> list[Frame]:
    """`count` of them, evenly, the first and the last among them."""
    if count == 1:
        return [frames[0]]
    return [frames[place * (len(frames) - 1) // (count - 1)] for place in range(count)]


def even(length: float) -> int:
    """The nearest even number: colour is stored for two by two pixels."""
    return max(2, 2 * round(length / 2))


def exact_rate(fps: float) -> Fraction:
    """23.976 is 24000/1001 and its likes are what they stand for."""
    whole = round(fps)
    ntsc = Fraction(whole * 1000, 1001)
    if fps != whole and abs(fps - float(ntsc)) < NTSC_TOLERANCE:
        return ntsc
    return Fraction(fps).limit_denominator(1000)


def burn_in(tile: Bytes, number: int) -> None:
    """Put the number into the lower left corner, on a dark ground."""
    scale = max(1, tile.shape[0] // 360)
    mask = np.pad(draw_number(number, scale), 2 * scale)
    mask = mask[: tile.shape[0], : tile.shape[1]]
    corner = tile[tile.shape[0] - mask.shape[0] :, : mask.shape[1]]
    corner //= 4
    corner[mask] = 200


def missing(height: int, width: int) -> Bytes:
    """A dark frame, crossed out: one that is not there must not look like black."""
    tile = np.full((height, width, 3), MISSING_GREY, np.uint8)
    y, x = np.indices((height, width)) / np.array([[[max(1, height - 1)]], [[max(1, width - 1)]]])
    thickness = 1.5 / min(height, width) + 0.004
    tile[(np.abs(y - x) < thickness) | (np.abs(y + x - 1) < thickness)] = MISSING_RED
    return tile
