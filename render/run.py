"""A resolved job, from the first look at the target to the last frame."""

import time
from collections.abc import Collection
from dataclasses import replace

from vfxgan.errors import FramesFailed, ImageError, TakenError
from vfxgan.images import use_threads
from vfxgan.progress import Progress, pace
from vfxgan.render.certificates import read_credentials
from vfxgan.render.chain import ChainedRuntime, Link
from vfxgan.render.devices import CPU
from vfxgan.render.frames import FrameMaker, Written
from vfxgan.render.memory import frames_at_once, free_bytes
from vfxgan.render.pipeline import Made, Pace, Tally, make_frames
from vfxgan.render.plan import Consent, Finding, Frame, State, examine, look, refuse_foreign
from vfxgan.render.plates import plate_maker
from vfxgan.render.request import Job
from vfxgan.render.runtimes import Runtime, RuntimeOptions, load_runtime
from vfxgan.render.seeds import seed_maker
from vfxgan.render.shared_tasks import SharedTasks
from vfxgan.render.signing import FrameSigner, remove_stale_sidecar
from vfxgan.spec import LatentInput
from vfxgan.whole_files import check_writable

NAMED_FAILURES = 20
STALE = "manifests of frames that were replaced were of other bytes, and were removed; --sign makes new ones"
LOOKED_AT = 3  # frames of a sequence, for how much memory one takes


def open_runtime(job: Job) -> Runtime:
    """The runtime of a job, with one stream a worker, and those of its upscalers with it."""
    streams, device = job.threads, job.devices[0]
    gpu = 0 if device == CPU else device
    runtime = load_runtime(job.runtime, job.model, RuntimeOptions(streams, job.engine, gpu))
    if not job.upscalers:
        return runtime
    links = [Link(model, load_runtime(job.runtime, model, RuntimeOptions(streams, gpu=gpu))) for model in job.upscalers]
    return ChainedRuntime(runtime, links)


def survey(job: Job, maker: FrameMaker) -> list[tuple[Frame, Finding]]:
    """What stands at each target, by its header.

    Raises:
        TargetError: frames of another recipe are in the way.
    """
    found = look_at_targets(job, maker)
    refuse_foreign(found, job.consent)
    return found


def look_at_targets(job: Job, maker: FrameMaker) -> list[tuple[Frame, Finding]]:
    """As `survey`, and refuses nothing."""
    return [(frame, _glance(frame, maker)) for frame in job.frames]


def _glance(frame: Frame, maker: FrameMaker) -> Finding:
    """A recipe costs a look at the whole plate, so it is only asked for where something stands at the target."""
    if not frame.path.exists():
        return Finding(State.MISSING)
    try:
        recipe = maker.recipe(frame)
    except ImageError as error:  # that frame will fail by its name, and the others are made
        return Finding(State.UNKNOWN, str(error))
    return look(frame.path, recipe)


def prepare(job: Job, runtime: Runtime) -> FrameMaker:
    """Join what a frame needs, for `survey` and `render`.

    Raises:
        UsageError: `--require-runtime` asks for another fingerprint.
    """
    use_threads(1)
    make = seed_maker if isinstance(job.model.spec.input, LatentInput) else plate_maker
    maker: FrameMaker = make(job.model, runtime, job.output, SharedTasks(job.threads))
    if job.required is not None:
        job.required.check(maker.fingerprint)
    return maker


def open_signer(job: Job) -> FrameSigner | None:
    """What `--sign` names, read and tried; None without it.

    Raises:
        UsageError: certificate and key cannot sign.
        MissingExtraError: the extra `sign` is not installed.
    """
    return None if job.sign is None else FrameSigner(read_credentials(*job.sign), job.model.spec.name)


def render(job: Job, maker: FrameMaker, progress: Progress, signer: FrameSigner | None = None) -> Tally:
    """Make the frames that are not done.

    Args:
        signer: signs them; those that are done and have no manifest that holds are made again for it.
    Raises:
        TargetError: the folder cannot be written to.
        WriteError: the disk is full.
        Interrupted: Ctrl-C or SIGTERM.
        FramesFailed: some frames failed; each was named.
    """
    for note in job.notes:
        progress.warn(note)
    for folder in dict.fromkeys(frame.path.parent for frame in job.frames):
        left = check_writable(folder)
        if left:
            progress.warn(
                f"{folder}: {counted(left, 'unfinished file')} of runs that were killed {_were(left)} removed"
            )
    work = _Work(maker, job.consent, signer)
    largest = max(maker.memory_bytes(frame) for frame in job.frames[:LOOKED_AT])
    free = free_bytes()
    ours = None if free is None else free // job.processes
    hands = Pace(job.threads, job.batch, frames_at_once(job.threads, largest, ours))
    tally = make_frames(job.frames, work, hands, maker.tasks, progress)
    if tally.failed:
        raise frames_failed(tally.failed, tally.failures, len(job.frames))
    return tally


def frames_failed(numbers: Collection[int], count: int, total: int) -> FramesFailed:
    """The error at the end of a render; each of the `count` frames was named before."""
    named = ", ".join(map(str, sorted(set(numbers))[:NAMED_FAILURES]))
    more = " …" if len(set(numbers)) > NAMED_FAILURES else ""
    rest = "the others are done" if count < total else "none is done"
    return FramesFailed(f"{count} of {counted(total, 'frame')} failed: {named}{more}; {rest}", numbers)


def counted(number: int, noun: str) -> str:
    """`1 frame`, `2 frames`."""
    return f"{number} {noun}{'s' * (number != 1)}"


class _Work:
    """One frame: kept if it is there and whole, else made."""

    def __init__(self, maker: FrameMaker, consent: Consent, signer: FrameSigner | None) -> None:
        self.maker, self.consent, self.signer = maker, consent, signer

    def __call__(self, frame: Frame) -> Made:
        finding = examine(frame.path, self.maker.recipe(frame))
        if self.consent.keeps(finding):
            return self._kept(frame)
        if self.consent.refuses(finding):  # it was not there when the run began
            raise ImageError(f"{frame.path} appeared meanwhile ({finding.reason}); it was left alone")
        if finding.state is State.FOREIGN and not frame.path.is_file():
            raise ImageError(f"{frame.path} is {finding.reason}; remove it")
        try:
            may_replace = finding.state is not State.MISSING or self.consent.overwrite
            written = self._write(frame, may_replace=may_replace)
        except TakenError:  # by another run; if it makes the same frame, that is the frame
            if self.consent.keeps(examine(frame.path, self.maker.recipe(frame))):
                return self._kept(frame)
            raise
        mended = _mended(frame, finding.reason) if finding.state is State.BROKEN else ""
        return Made("rendered", written.clipped, written.repaired, written.notes, mended)

    def _kept(self, frame: Frame) -> Made:
        """A frame that is there and whole. With `--sign` it is made again unless its signature holds.

        What is signed is what was made just now: a recipe covers neither the rest of a header nor who wrote it, so to
        sign what is there would be to vouch for whatever was done to it.
        """
        signature = None if self.signer is None else self.signer.look(frame.path)
        if self.signer is None or (signature is not None and not signature.problem and not signature.expired):
            return Made("kept")
        written = self._write(frame, may_replace=True)
        problem = "" if signature is None else signature.problem
        mended = _mended(frame, problem) if problem else ""
        return Made("rendered", written.clipped, written.repaired, written.notes, mended, signed=not problem)

    def _write(self, frame: Frame, *, may_replace: bool) -> Written:
        if self.signer is None:
            written = self.maker.write(frame, frame.path, may_replace=may_replace)
            stale = remove_stale_sidecar(frame.path)
            return replace(written, notes=(*written.notes, STALE)) if stale else written
        signing = self.signer.signing(frame)
        written = self.maker.write(frame, frame.path, may_replace=may_replace, before_replace=signing)
        signing.finish()
        return written


def _mended(frame: Frame, reason: str) -> str:
    """For messages; of the reason all but what to do: that was done."""
    return f"{frame.path} was broken ({reason.partition(';')[0]}), and was made again"


def summary(job: Job, tally: Tally, started: float) -> str:
    """The line at the end of a render."""
    seconds = max(time.monotonic() - started, 1e-6)
    parts = [f"{counted(tally.done, 'frame')} in {job.pattern.text}"]
    if tally.kept:
        parts.append(f"{tally.rendered} rendered, {tally.kept} {_were(tally.kept)} done before")
    if tally.signed:
        unsigned = f"{tally.signed} without a signature that is valid today"
        parts.append(f"{unsigned} {_were(tally.signed)} made again, to be signed")
    if tally.mended:
        parts.append(f"{tally.mended} {_were(tally.mended)} broken and made again")
    if tally.rendered:
        parts.append(pace(tally.rendered / seconds, "a frame", " frames/s"))
    if tally.clipped_values:
        limit = "PNG's 0 … 1" if job.output.format == "png" else "half's ±65504"
        values, frames = counted(tally.clipped_values, "value"), counted(tally.clipped_frames, "frame")
        parts.append(f"{values} in {frames} {_were(tally.clipped_values)} clipped to {limit}")
    if tally.repaired_pixels:
        pixels, plates = counted(tally.repaired_pixels, "pixel"), counted(tally.repaired_frames, "plate")
        value = "0" if job.output.bad_pixels == "zero" else "the nearest finite value, NaN to 0"
        parts.append(f"{pixels} of NaN or Inf in {plates} {_were(tally.repaired_pixels)} set to {value}")
    return "; ".join(parts)


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
