"""Open Job Description 2023-09: one JSON template that its own command runs, and that AWS Deadline Cloud takes."""

import json
from pathlib import Path
from typing import Any

from vfxgan.errors import UsageError
from vfxgan.farm.job import FarmJob, Step
from vfxgan.farm.plan import LIMITS, VERIFY
from vfxgan.ranges import OPENJD, is_contiguous, to_openjd
from vfxgan.whole_files import write_whole

FILE = "template.json"
FRAMES, CHUNK_SIZE, TARGET_SECONDS = "Frames", "ChunkSize", "TargetSeconds"
MAX_PARAMETER_CHARS = 1024  # of a text parameter; a longer range stands in the template itself
# For the frames in flight; a chunk that is stopped has only whole frames, and runs again from there.
NOTICE_S = 120


def write_openjd(job: FarmJob, folder: Path) -> list[Path]:
    """The template as a file.

    Raises:
        UsageError: a word that the notation would read as its own.
        WriteError: it cannot be written.
    """
    path = folder / FILE
    write_whole(path, (json.dumps(template(job), indent=2, ensure_ascii=False) + "\n").encode())
    return [path]


def template(job: FarmJob) -> dict[str, Any]:
    """The job as plain data. Source: openjd-specifications, 2023-09 Template Schemas, and RFC 0001 for chunks."""
    for text in (job.name, *(word for step in job.steps for word in step.command)):
        if "{{" in text or "}}" in text:
            raise UsageError(f"{text!r}: {{{{ and }}}} mean something to Open Job Description; rename it")
    split = next((step for step in job.steps if step.frames), None)
    whole: dict[str, Any] = {"specificationVersion": "jobtemplate-2023-09"}
    if split is not None:
        whole["extensions"] = ["TASK_CHUNKING"]
    whole["name"] = job.name
    if split is not None:
        whole["parameterDefinitions"] = _parameters(split)
    if job.environment:
        whole["jobEnvironments"] = [{"name": "Variables", "variables": dict(job.environment)}]
    return whole | {"steps": [_step(step, job) for step in job.steps]}


def _parameters(step: Step) -> list[dict[str, Any]]:
    frames = to_openjd(step.frames)
    text = {
        "name": FRAMES,
        "type": "STRING",
        "default": frames,
        "minLength": 1,
        "description": "Frames to render: 0-499, or 0-9,20-40:5. Those of the submission are the default.",
    }
    numbers = (
        (CHUNK_SIZE, "--chunk", step.chunk, "Frames of a task."),
        (TARGET_SECONDS, "--target-seconds", step.target_seconds, "Seconds a task is to take; 0: ChunkSize holds."),
    )
    return [text] * (len(frames) <= MAX_PARAMETER_CHARS) + [
        {
            "name": name,
            "type": "INT",
            "minValue": LIMITS[option][0],
            "maxValue": LIMITS[option][1],
            "default": value,
            "description": about,
        }
        for name, option, value, about in numbers
    ]


def _step(step: Step, job: FarmJob) -> dict[str, Any]:
    found: dict[str, Any] = {"name": step.name}
    if step.needs:
        found["dependencies"] = [{"dependsOn": name} for name in step.needs]
    found["hostRequirements"] = _host(job, gpus=0 if step.name == VERIFY else job.gpus)
    if step.frames:
        found["parameterSpace"] = {"taskParameterDefinitions": [_chunks(step)]}
    # A prefix makes --frames read this notation: its 0-9:3 is a step, where fileseq has a stagger.
    command, *arguments = step.command_of(f"{OPENJD}{{{{Task.Param.{FRAMES}}}}}")
    action: dict[str, Any] = {"command": command, "args": arguments}
    if step.timeout_s:
        action["timeout"] = step.timeout_s
    action["cancelation"] = {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": NOTICE_S}
    return found | {"script": {"actions": {"onRun": action}}}


def _chunks(step: Step) -> dict[str, Any]:
    """Frames with gaps go in sets, not runs: on twos, runs would be of one frame each."""
    frames = to_openjd(step.frames)
    return {
        "name": FRAMES,
        "type": "CHUNK[INT]",
        "range": f"{{{{Param.{FRAMES}}}}}" if len(frames) <= MAX_PARAMETER_CHARS else frames,
        "chunks": {
            "defaultTaskCount": f"{{{{Param.{CHUNK_SIZE}}}}}",
            "targetRuntimeSeconds": f"{{{{Param.{TARGET_SECONDS}}}}}",
            "rangeConstraint": "CONTIGUOUS" if is_contiguous(step.frames) else "NONCONTIGUOUS",
        },
    }


def _host(job: FarmJob, gpus: int) -> dict[str, Any]:
    amounts = [{"name": "amount.worker.vcpu", "min": job.cores}]
    if gpus:
        amounts.append({"name": "amount.worker.gpu", "min": gpus})
    return {"amounts": amounts, "attributes": [{"name": "attr.worker.os.family", "anyOf": [job.system]}]}
