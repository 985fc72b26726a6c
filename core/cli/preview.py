"""`vfxgan render --preview`: from the options to the file, around a render."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vfxgan.cli.shared import BackgroundChoice, ProgressChoice
from vfxgan.errors import FramesFailed, Interrupted, UsageError, VfxganError, WriteError

if TYPE_CHECKING:
    from vfxgan.render.preview import Preview, PreviewRequest
    from vfxgan.render.request import Job


def preview_request(
    path: Path | None,
    view: str | None,
    size: int | None,
    fps: float | None,
    background: BackgroundChoice | None,
    clean: bool,
) -> "PreviewRequest | None":
    """The options, None without `--preview`.

    Raises:
        UsageError: one of the others was given alone.
    """
    from vfxgan.render.preview import PreviewRequest

    given = {"view": view, "size": size, "fps": fps, "background": background and background.value}
    given = {name: value for name, value in given.items() if value is not None}
    if path is None:
        alone = [*given, *(["clean"] if clean else [])]
        if alone:
            raise UsageError(f"--preview-{alone[0]} goes with --preview; give that a .png or .mp4, or leave it out")
        return None
    return PreviewRequest(path, numbers=not clean, **given)  # type: ignore[arg-type]


def plan(request: "PreviewRequest | None", job: "Job") -> "Preview | None":
    """Check it against the job, before anything is started; errors as `plan_preview`."""
    if request is None:
        return None
    from vfxgan.render.preview import plan_preview

    return plan_preview(request, job.frames, job.threads, job.output, overwrite=job.consent.overwrite)


@contextmanager
def previewed(preview: "Preview | None", style: ProgressChoice) -> Iterator[None]:
    """What runs inside makes the frames; then their preview is written, also where some of them failed.

    Raises:
        TargetError: before the start, its folder cannot be written to.
        WriteError: the frames are done, and the preview could not be written.
        Interrupted: so they are, and Ctrl-C or SIGTERM came while it was written.
    """
    if preview is None:
        yield
        return
    preview.check_folder()
    try:
        yield
    except FramesFailed as failure:
        _write(preview, failure.numbers, style, "the frames that did not fail are done")
        raise
    _write(preview, frozenset(), style, "the frames are done")


def _write(preview: "Preview", failed: frozenset[int], style: ProgressChoice, state: str) -> None:
    from vfxgan.interrupts import sigterm_interrupts
    from vfxgan.progress import ProgressStyle, progress, say

    # Machine lines have told of the frames by now, and programs that read them expect no second start.
    shown: ProgressStyle = "bar" if style is ProgressChoice.bar else "none"
    try:
        with sigterm_interrupts(), progress(shown, "preview", preview.steps) as bar:
            line = preview.write(failed, bar)
    except KeyboardInterrupt as error:
        raise Interrupted(f"interrupted: {state}, the preview is not; the same command writes it") from error
    except VfxganError as error:
        if failed:  # what failed first decides how this ends
            say(f"warning: {error}")
            return
        raise WriteError(f"{error}; {state}, the same command tries the preview again") from error
    if style is not ProgressChoice.none:
        say(line)
