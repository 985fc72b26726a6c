"""What the callbacks of a Python Processor TOP call: work items that render a part of the frames each.

The only module that touches PDG's own objects, of which there are no type stubs. What is used of them, and where it is
described:

- work items: addExpectedOutputFile, addOutputFile, addWarning, setCommand, setCookPercent, setCustomState,
  setIntAttrib, setStringAttrib, stringAttribValue, node, state: https://www.sidefx.com/docs/houdini/tops/pdg/WorkItem.html
- item_holder.addWorkItem(cookType=…): https://www.sidefx.com/docs/houdini/tops/pdg/WorkItemHolder.html
- pdg.workItemCookType: https://www.sidefx.com/docs/houdini/tops/pdg/workItemCookType.html
- pdg.workItemState: https://www.sidefx.com/docs/houdini/tops/pdg/workItemState.html
- node.topNode, node.context.canceling: https://www.sidefx.com/docs/houdini/tops/pdg/GraphContext.html
- file tags: https://www.sidefx.com/docs/houdini/tops/filetags.html
- __PDG_PYTHON__ in commands: https://www.sidefx.com/docs/houdini/tops/jobapi.html
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vfxgan_client import ClientError, Event, FrameFailed, Progress, Waiting, Warned, find_command
from vfxgan_houdini import item
from vfxgan_houdini.following import follow, pace
from vfxgan_houdini.planning import Chunk, chunks, plan

WORK = "vfxgan"  # the attribute that says what a work item renders


class Stopped(Exception):
    """The network's cook was cancelled."""


def generate(node: Any, item_holder: Any) -> None:
    """onGenerate: one work item for each part of the frames, with its files as expected outputs.

    Raises:
        ClientError: what vfxgan has against the render; PDG shows it on the node. Withdrawn: the cook was cancelled.
    """
    import pdg  # type: ignore[import-not-found]

    from vfxgan_houdini import scene, topnet

    folder = scene.folder()
    settings = topnet.read(node.topNode())
    request = settings.request.absolute(folder)
    command = find_command()
    cook_type = pdg.workItemCookType.OutOfProcess if settings.on_farm else pdg.workItemCookType.InProcess
    planned = plan(command, request.arguments(), folder, lambda: bool(node.context.canceling))
    for index, chunk in enumerate(chunks(planned, settings.chunk)):
        work_item = item_holder.addWorkItem(index=index, cookType=cook_type)
        words = request.arguments(chunk.text)
        _describe(work_item, chunk, words, folder)
        if settings.on_farm:
            work_item.setCommand(_one_line(["__PDG_PYTHON__", str(Path(item.__file__).absolute()), folder, *words]))


def _describe(work_item: Any, chunk: Chunk, words: Sequence[str], folder: str) -> None:
    files = [frame.path for frame in chunk.frames]
    work_item.setStringAttrib(WORK, json.dumps({"arguments": list(words), "folder": folder, "files": files}))
    work_item.setStringAttrib("vfxgan_frames", chunk.text)
    work_item.setIntAttrib("vfxgan_first", chunk.frames[0].number)
    work_item.setIntAttrib("vfxgan_last", chunk.frames[-1].number)
    for file in files:
        work_item.addExpectedOutputFile(file, item.TAG)


def _one_line(words: Sequence[str]) -> str:
    """One text, as PDG's schedulers cut it into words again: like a POSIX shell, on Windows like its programs."""
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def cook(work_item: Any) -> None:
    """onCookTask: render the part, in a process of vfxgan's own, and give its files as outputs.

    Raises:
        ClientError: it failed, in its own words.
        Stopped: the cook, or this work item, was cancelled; finished frames are whole.
    """
    import pdg

    work = json.loads(work_item.stringAttribValue(WORK))

    def look() -> None:
        if work_item.node.context.canceling or work_item.state == pdg.workItemState.CookedCancel:
            raise Stopped("the cook was cancelled; finished frames are whole, and the next cook goes on")

    def see(event: Event) -> None:
        _report(work_item, event)

    follow(find_command(), work["arguments"], work["folder"], see, look)
    for file in work["files"]:
        if not Path(file).is_file():
            raise ClientError(f"{file} was to be rendered, and is not there; cook again")
        work_item.addOutputFile(file, item.TAG)


def _report(work_item: Any, event: Event) -> None:
    if isinstance(event, Progress):
        work_item.setCookPercent(100.0 * event.done / max(event.total, 1))
        work_item.setCustomState(pace(event))
    elif isinstance(event, Waiting):
        work_item.setCustomState(event.note)
    elif isinstance(event, Warned):
        work_item.addWarning(event.message)
    elif isinstance(event, FrameFailed):
        work_item.addWarning(event.line)
