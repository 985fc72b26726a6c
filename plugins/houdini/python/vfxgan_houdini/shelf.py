"""What the buttons of the shelf call: one function each, and each shows its own errors."""

from __future__ import annotations

import functools
from collections.abc import Callable

import hou

from vfxgan_client import ClientError, Command, find_command
from vfxgan_houdini import cops, questions, scene
from vfxgan_houdini.asking import interruptable
from vfxgan_houdini.browsing import browse
from vfxgan_houdini.models import PLATES, SEEDS, models_of
from vfxgan_houdini.planning import Plan, plan
from vfxgan_houdini.request import Request
from vfxgan_houdini.topnet import make_network
from vfxgan_houdini.watching import Watched, watch


def tool(function: Callable[[], None]) -> Callable[[], None]:
    """A button: what fails is said in a window, a closed dialog or Escape ends it quietly."""

    @functools.wraps(function)
    def pressed() -> None:
        try:
            function()
        except questions.NotAnswered:
            hou.ui.setStatusMessage("vfxgan: nothing was started")
        except hou.OperationInterrupted:
            hou.ui.setStatusMessage("vfxgan: stopped; finished frames are whole, the same again renders the rest")
        except ClientError as error:
            questions.tell_failure(error)

    return pressed


@tool
def generate_elements() -> None:
    """Seeds to frames."""
    command, folder = find_command(), scene.folder()
    first, last = scene.frame_range()
    _generate(command, folder, seeds=f"0-{max(last - first, 0)}", first_frame=str(first))


@tool
def browse_seeds() -> None:
    """A contact sheet of many seeds; those that are picked go on to `generate_elements`."""
    command, folder = find_command(), scene.folder()
    model = questions.choose_model(models_of(command, SEEDS, folder))
    asked = questions.ask_values("Seeds to look at", {"Seeds": "0-99"}, button="Browse")
    picks = browse(command, folder, model, asked["Seeds"])
    _generate(command, folder, seeds=",".join(map(str, picks)), first_frame="", model=model)


@tool
def process_sequence() -> None:
    """What the selected File COP reads, or pictures on disk: upscaled or translated."""
    command, folder = find_command(), scene.folder()
    model = questions.choose_model(models_of(command, PLATES, folder))
    plates = scene.selected_pictures() or questions.choose_sequence()
    said = scene.convention(command, folder, model)
    first, last = scene.frame_range()
    asked = questions.ask_values(
        _about(said),
        {
            "Input": plates,
            "Frames (empty: all on disk)": f"{first}-{last}",
            "Input colour space (empty: as the files say)": "",
            "Colour space (empty: as the input)": "",
            "Output": scene.output(said, "processed"),
            "Other options": "",
        },
    )
    source, frames, in_space, space, out, options = asked.values()
    request = Request(
        scene.expanded(out),
        plates=scene.expanded(source),
        frames=frames,
        model=model,
        colorspace=space,
        in_colorspace=in_space,
        options=options,
    )
    _render(command, folder, request)


@tool
def make_top_network() -> None:
    """A TOP network whose work items render."""
    command, folder = find_command(), scene.folder()
    said = scene.convention(command, folder)
    first, last = scene.frame_range()
    node = make_network(first, last, scene.output(said, "elements"), said.colorspace)
    questions.tell(f"{node.path()} is made: choose seeds or an input sequence there, then cook it.")


def _generate(command: Command, folder: str, seeds: str, first_frame: str, model: str = "") -> None:
    model = model or questions.choose_model(models_of(command, SEEDS, folder))
    said = scene.convention(command, folder, model)
    asked = questions.ask_values(
        _about(said),
        {
            "Seeds": seeds,
            "First frame (empty: seed 7 goes to frame 7)": first_frame,
            "Colour space": said.colorspace or "lin_rec709",
            "Output": scene.output(said, "elements"),
            "Other options": "",
        },
    )
    chosen, start, space, out, options = asked.values()
    request = Request(
        scene.expanded(out), seeds=chosen, first_frame=start, model=model, colorspace=space, options=options
    )
    _render(command, folder, request)


def _about(said: scene.Convention) -> str:
    """Above the fields; with what is wrong with the project file, and what it lacks to name an output."""
    text = "$HIP and $JOB may be used; #### or $F4 is the frame."
    return "\n".join([text, *said.problems])


def _render(command: Command, folder: str, request: Request) -> None:
    request = request.absolute(folder)
    with interruptable("which frames there are to render") as is_cancelled:
        planned = plan(command, request.arguments(), folder, is_cancelled)
    watched = watch(command, request.arguments(), folder, f"vfxgan: {planned.model}, {len(planned.frames)} frames")
    _show(request.out, planned, watched)


def _show(pattern: str, planned: Plan, watched: Watched) -> None:
    count, first, last = len(planned.frames), planned.first, planned.last
    done = f"frame {first}: {pattern}" if count == 1 else f"{count} frames, {first} to {last}: {pattern}"
    if watched.failed:
        done = f"{watched.done} of {done}\n{len(watched.failed)} failed: {next(iter(watched.failed.values()))}"
    try:
        node = cops.load(pattern, planned.model)
    except ClientError as error:
        questions.tell(f"{done}\n{error}", watched.notes)
        return
    questions.tell(f"{done}\nin {node.path()}", watched.notes)
