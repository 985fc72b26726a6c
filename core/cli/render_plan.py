"""What `vfxgan render --dry-run` prints: lines for people, or with `--progress json` one object for programs."""

import json
from typing import TYPE_CHECKING

from vfxgan.cli.verify_again import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vfxgan.errors import FramesFailed
    from vfxgan.recipe import Plain
    from vfxgan.render.frames import FrameMaker
    from vfxgan.render.plan import Finding, Frame
    from vfxgan.render.plate_plan import Line
    from vfxgan.render.request import Job


def print_plan(job: "Job", maker: "FrameMaker", as_json: bool = False) -> None:
    """Print what a render would do, and then stop as it would where it could not start.

    Args:
        as_json: as one object, with every frame: what it is made from, its path, and what is there now.
    Raises:
        TargetError: frames of another recipe are in the way.
        FramesFailed: the first plate that is there cannot be used as asked.
    """
    from vfxgan.render.plan import refuse_foreign
    from vfxgan.render.run import look_at_targets

    found = look_at_targets(job, maker)
    refused = _print_object(job, maker, found) if as_json else _print(job, maker, found)
    refuse_foreign(found, job.consent)
    if refused is not None:
        raise refused


def _print(job: "Job", maker: "FrameMaker", found: "list[tuple[Frame, Finding]]") -> "FramesFailed | None":
    from collections import Counter

    from vfxgan.render.devices import split_frames
    from vfxgan.render.runtimes.fingerprint import fingerprint_id

    first, last = job.frames[0], job.frames[-1]
    print(f"model      {job.model.path} ({job.model.spec.name}, SHA-256 {job.model.sha256})")
    until = f" … {last.path} ({last.source})" if last is not first else ""
    print(f"frames     {len(job.frames)}: {first.path} ({first.source}){until}")
    for note in job.notes:
        print(f"note       {note}")
    lines, refused = _of_plate(job, maker)
    for about, said in lines:
        print(f"{about:10s} {said}")
    for key, value in _options(job, maker).items():
        print(f"{key:10s} {value}")
    made_by = maker.fingerprint
    print(f"runtime    {fingerprint_id(made_by)}: {', '.join(f'{key} {value}' for key, value in made_by.items())}")
    if maker.runtime.about:
        print(f"running    {maker.runtime.about}")
    if len(job.devices) > 1:
        counts = ", ".join(str(len(share)) for share in split_frames(job.frames, len(job.devices)))
        print(f"devices    {', '.join(map(str, job.devices))}, one process each: {counts} frames")
    print(f"threads    {job.threads}, batch {job.batch}")
    kept = sum(job.consent.keeps(finding) for _, finding in found)
    states = Counter(finding.state.value for _, finding in found)
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    read = ", by their headers" if set(states) != {"missing"} else ""
    print(f"on disk    {told}, of {counted(len(found), 'frame')}{read}")
    unsigned = ", and those on disk without a signature that is valid today" if kept and job.sign is not None else ""
    print(f"to do      {len(found) - kept}{unsigned}")
    return refused


def _print_object(job: "Job", maker: "FrameMaker", found: "list[tuple[Frame, Finding]]") -> "FramesFailed | None":
    """What a host's plugin or a farm's script needs to know of each frame before there is one."""
    frames = [frame.facts | {"state": finding.state.value} for frame, finding in found]
    to_do = sum(not job.consent.keeps(finding) for _, finding in found)
    model = {"path": str(job.model.path), "name": job.model.spec.name, "sha256": job.model.sha256}
    print(json.dumps({"event": "planned", "model": model, "total": len(frames), "to_do": to_do, "frames": frames}))
    return _of_plate(job, maker)[1]


def _of_plate(job: "Job", maker: "FrameMaker") -> "tuple[list[Line], FramesFailed | None]":
    """What becomes of the first plate that is there, or why nothing does; those that are absent were said."""
    from vfxgan.errors import FramesFailed, ImageError
    from vfxgan.render.plates import PlateMaker

    frame = next((frame for frame in job.frames if frame.plate is not None and frame.plate.exists()), None)
    if frame is None or not isinstance(maker, PlateMaker):
        return [], None
    try:
        return maker.plan(frame), None
    except ImageError as error:
        return [("plate", str(error))], FramesFailed(f"the first plate cannot be used: {error}", [frame.number])


def _options(job: "Job", maker: "FrameMaker") -> "Mapping[str, Plain]":
    """Of the first frame whose plate can be read; those whose cannot will fail by name."""
    from vfxgan.errors import ImageError

    for frame in job.frames:
        try:
            return maker.recipe(frame).options
        except ImageError as error:
            reason = str(error)
    return {"options": f"unknown: {reason}"}
