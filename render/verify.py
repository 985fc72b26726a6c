"""Are frames on disk what they say? By their own digests, and by making a sample of them again."""

import math
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vfxgan.errors import ImageError, Interrupted, UsageError, VfxganError
from vfxgan.images import FORMAT_OF_EXTENSION, PLATE_FORMATS, Picture, read_header, read_picture
from vfxgan.modelfile import find_model, read_model
from vfxgan.recipe import read_stamp
from vfxgan.render import figures
from vfxgan.render.chain import read_upscaler
from vfxgan.render.contact_sheet import SHEET_KEY
from vfxgan.render.options import OutputRequest
from vfxgan.render.plan import find_problem
from vfxgan.render.preview import PREVIEW_KEY
from vfxgan.render.request import RenderRequest, resolve, usable_cores
from vfxgan.render.run import open_runtime, prepare
from vfxgan.render.runtimes import Runtime
from vfxgan.render.signing import unsigned
from vfxgan.sequences import frames_on_disk, parse_pattern
from vfxgan.views import has_views, of_view, views_on_disk


@dataclass(frozen=True)
class Checked:
    """One frame and what is wrong with it; "" for nothing."""

    path: Path
    problem: str
    seed: int | None = None


@dataclass(frozen=True)
class Compared:
    """One frame beside a second rendering of it.

    Attributes:
        same_bytes: the two files are equal.
        reasons: why they may differ (another runtime, another machine); empty where they must not.
        psnr_db: infinite where the pixels are equal.
        unmade: why there is no second rendering; "" where there is one.
    """

    path: Path
    same_bytes: bool
    reasons: tuple[str, ...] = ()
    psnr_db: float = -math.inf
    unmade: str = ""

    @property
    def problem(self) -> str:
        """What is wrong with the frame; "" for nothing."""
        if self.unmade:
            return f"cannot be rendered again: {self.unmade}"
        fails = not self.same_bytes and not self.reasons
        return f"rendered again it differs (PSNR {self.psnr_db:.1f} dB)" if fails else ""


def find_frames(text: str) -> list[Path]:
    """The frames that a folder, a pattern or a file name stands for.

    Raises:
        UsageError: there is none.
    """
    path = Path(text)
    if path.is_dir():
        found = sorted(item for item in path.iterdir() if _is_frame(item))
    elif has_views(text):
        patterns = [parse_pattern(of_view(text, view), 1) for view in views_on_disk(text)]
        found = [frame for pattern in patterns for frame in frames_on_disk(pattern).values()]
    elif set("#@%$") & set(path.name):
        found = list(frames_on_disk(parse_pattern(text, 2)).values())
    else:
        found = [path] if path.is_file() else []
    if not found:
        raise UsageError(
            f"{text!r}: no frames there; give a folder, a file, or a pattern in quotes ('shot010/####.exr')"
        )
    return found


def _is_frame(path: Path) -> bool:
    if path.suffix.lower() not in FORMAT_OF_EXTENSION or path.name.startswith(".") or not path.is_file():
        return False
    return path.stem[-1:].isdecimal() or not is_sheet(path)  # a frame of a sequence ends in its number


def is_sheet(path: Path) -> bool:
    """A preview or contact sheet that somebody put beside the frames."""
    try:
        return not {SHEET_KEY, PREVIEW_KEY}.isdisjoint(read_header(path))
    except ImageError:
        return False


def check_frames(paths: Sequence[Path]) -> Iterator[Checked]:
    """Check each frame by its own digests, in order, on all cores."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        yield from pool.map(_check, paths)


def _check(path: Path) -> Checked:
    problem = find_problem(path)
    return Checked(path, problem) if problem else Checked(path, "", seed_of(path))


def seed_of(path: Path) -> int | None:
    """The seed in a frame's recipe, None where there is none to be read."""
    try:
        stamp = read_stamp(read_header(path))
    except ImageError:
        return None
    return stamp.recipe.seed if stamp else None


def sample(paths: Sequence[Path], count: int) -> list[Path]:
    """`count` frames spread evenly over a sequence, the same ones every time."""
    if count >= len(paths):
        return list(paths)
    return [paths[(2 * place + 1) * len(paths) // (2 * count)] for place in range(count)]


def rerender(
    paths: Sequence[Path], model: str | None, plates: str | None = None, upscalers: Sequence[str] = ()
) -> Iterator[Compared]:
    """Make frames again from their recipes and compare the files.

    Args:
        plates: pattern of the plates, for frames that were made from plates.
        upscalers: those that the frames' generator was followed by; none: they are looked for.
    Returns:
        One entry a frame; also where it cannot be made again, as its plate, model or runtime is not at hand.
    """
    with ExitStack() as open_things, tempfile.TemporaryDirectory(prefix="vfxgan-verify-") as folder:
        runtimes: dict[tuple[str, ...], Runtime] = {}
        output = OutputRequest(upscale=tuple(upscalers))
        for path in paths:
            again = Path(folder) / f"again{path.suffix}"
            request = RenderRequest(
                out=str(again), like=str(path), model=model, plates=plates, threads=1, output=output
            )
            try:
                yield _compare(request, path, again, runtimes, open_things)
            except Interrupted:
                raise
            except VfxganError as error:
                reason = str(error).removeprefix(f"--like {path}: ").removeprefix(f"{path} ")
                yield Compared(path, False, unmade=reason)


def _compare(
    request: RenderRequest, path: Path, again: Path, runtimes: dict[tuple[str, ...], Runtime], open_things: ExitStack
) -> Compared:
    job = resolve(request)
    key = (job.model.sha256, job.runtime, *(upscaler.sha256 for upscaler in job.upscalers))
    if key not in runtimes:
        runtimes[key] = open_things.enter_context(open_runtime(job))
    maker = prepare(job, runtimes[key])
    assert job.like is not None
    maker.write(job.frames[0], again)
    reasons = tuple(job.like.differences(maker.recipe(job.frames[0])))
    same = again.read_bytes() == unsigned(path)  # a signature is another one each time
    return Compared(path, same, reasons, math.inf if same else psnr_db(read_picture(path), read_picture(again)))


def check_sources(model: str | None, plates: str | None, upscalers: Sequence[str]) -> None:
    """What frames are to be made again from, before any of them is looked at.

    Raises:
        UsageError: `--in` is no pattern of plates, or none are there.
        ModelError: a model that was named cannot be read.
    """
    if model is not None:
        read_model(find_model(model))
    for upscaler in upscalers:
        read_upscaler(upscaler)
    if plates is None:
        return
    views = views_on_disk(plates) if has_views(plates) else ("",)
    patterns = [parse_pattern(of_view(plates, view), 1, "--in", PLATE_FORMATS) for view in views]
    if not any(frames_on_disk(pattern) for pattern in patterns):
        raise UsageError(f"--in {plates!r}: no plates there; give a file, or a pattern in quotes: 'plate/####.exr'")


def psnr_db(reference: Picture, other: Picture) -> float:
    """Peak signal-to-noise ratio over all channels.

    The peak is the largest value of an integer type; for floats the brightest value there is, but at least 1.
    """
    a, b = reference.pixels, other.pixels
    if a.shape != b.shape:
        return -math.inf
    is_integer = np.issubdtype(a.dtype, np.integer)
    return figures.psnr_db(a, b, float(np.iinfo(a.dtype).max) if is_integer else figures.peak_of(a))
