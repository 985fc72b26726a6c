"""Frames of other work where a farm is asked to write, seen at submission: without a runtime, by headers alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from vfxgan.errors import ImageError
from vfxgan.images import read_header
from vfxgan.recipe import Plain, read_stamp
from vfxgan.render.plan import Finding, State, look, refuse_foreign
from vfxgan.render.request import Job
from vfxgan.render.runtimes import Runtime
from vfxgan.render.seeds import seed_maker
from vfxgan.render.shared_tasks import SharedTasks
from vfxgan.spec import LatentInput


class _OtherMachines:
    """Stands for the runtime that a node will have: its fingerprint is not known here, and is not looked at."""

    fingerprint: Mapping[str, Plain] = {}


def refuse_other_work(job: Job) -> None:
    """What each chunk would refuse: frames of another recipe, where `--overwrite` was not given.

    Of plates, and where upscalers follow, the model alone is compared: the rest needs each plate, or a runtime.

    Raises:
        TargetError: the first few, how many more, and what can be done.
    """
    frames = () if job.consent.overwrite else [frame for frame in job.frames if frame.path.exists()]
    if not frames:
        return
    if isinstance(job.model.spec.input, LatentInput) and not job.upscalers:
        maker = seed_maker(job.model, cast(Runtime, cast(Any, _OtherMachines())), job.output, SharedTasks(1))
        found = [(frame, look(frame.path, maker.recipe(frame))) for frame in frames]
    else:
        found = [(frame, _by_its_model(frame.path, job.model.sha256)) for frame in frames]
    refuse_foreign([(frame, finding) for frame, finding in found if finding.state is State.FOREIGN], job.consent)


def _by_its_model(path: Path, sha256: str) -> Finding:
    if not path.is_file():
        return Finding(State.FOREIGN, "not a file")
    try:
        stamp = read_stamp(read_header(path))
    except ImageError:  # cut short, and made again; or somebody's, which the chunk finds out
        return Finding(State.BROKEN)
    if stamp is None:
        return Finding(State.FOREIGN, "no recipe in it")
    model = stamp.recipe.model
    same = model == sha256
    return Finding(State.UNKNOWN) if same else Finding(State.FOREIGN, f"model {model[:12]}…, not {sha256[:12]}…")
