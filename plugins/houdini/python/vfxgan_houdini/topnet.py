"""Makes a TOP network with a Python Processor whose work items render, and reads what an artist set on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import hou

from vfxgan_client import ClientError
from vfxgan_houdini import scene
from vfxgan_houdini.cops import set_parm
from vfxgan_houdini.request import Request

# Node, parameters and the variables of its callbacks: https://www.sidefx.com/docs/houdini/nodes/top/pythonprocessor.html
PROCESSOR = "pythonprocessor"
GENERATE = "from vfxgan_houdini import tops\n\ntops.generate(self, item_holder)\n"
COOK = "from vfxgan_houdini import tops\n\ntops.cook(work_item)\n"
# vfxgan keeps frames that are whole and redoes the others; PDG would take any file of that name for done.
CACHE_PARM, CACHE_MODE = "pdg_cachemode", "Write Files"


@dataclass(frozen=True)
class Settings:
    """What is set on the node.

    Attributes:
        chunk: frames per work item.
        on_farm: work items are command lines for a scheduler.
    """

    request: Request
    chunk: int
    on_farm: bool


def make_network(first: int, last: int, out: str, colorspace: str) -> hou.OpNode:
    """A network in /tasks with the node in it, set to render seeds into the scene's frame range.

    Raises:
        ClientError: this Houdini cannot have it.
    """
    tasks = cast("hou.OpNode | None", hou.node("/tasks"))
    if tasks is None:
        raise ClientError("this scene has no /tasks, where TOP networks go")
    try:
        network = tasks.createNode("topnet", "vfxgan")
        node = network.createNode(PROCESSOR, "vfxgan")
    except hou.OperationFailed as error:
        raise ClientError(f"no TOP network could be made ({error})") from error
    add_parms(node)
    for name, value in {
        "vfxgan_seeds": f"0-{max(last - first, 0)}",
        "vfxgan_first_frame": str(first),
        "vfxgan_colorspace": colorspace,
        "vfxgan_out": out,
    }.items():
        set_parm(node, name, value)
    set_parm(node, "generate", GENERATE)
    set_parm(node, "cooktask", COOK)
    _always_cook(node)
    network.moveToGoodPosition()
    node.setCurrent(True, clear_all_selected=True)
    return node


def add_parms(node: hou.OpNode) -> None:
    """The node's own parameters, in a folder of their own."""
    texts = {
        "seeds": ("Seeds", "0-99, 0-99x2, 1,5,9 or @picks.txt; empty where there is an input sequence"),
        "first_frame": ("First Frame", "Where the first seed goes; empty: seed 7 goes to frame 7"),
        "in": ("Input Sequence", "plate.####.exr, to be upscaled or translated; empty where there are seeds"),
        "frames": ("Frames", "Of the input sequence, 1001-1100; empty: those on disk. Of seeds: those frames alone"),
        "model": (
            "Model",
            "A model file, or the name of a packaged model; empty: the project's, else ours",
        ),
        "in_colorspace": ("Input Colour Space", "Empty: as the files say"),
        "colorspace": ("Colour Space", "Empty: seeds lin_rec709, an input sequence its own"),
        "out": ("Output", "Where frames go, with #### for the frame: $HIP/render/fire.####.exr"),
        "options": ("Other Options", "Words of vfxgan render, quoted as in a terminal: --mix 0.6 --upscale"),
    }
    parms: list[hou.ParmTemplate] = [
        hou.StringParmTemplate(f"vfxgan_{name}", label, 1, help=text) for name, (label, text) in texts.items()
    ]
    parms += [
        hou.IntParmTemplate(
            "vfxgan_chunk", "Frames per Work Item", 1, default_value=(10,), min=1, max=100, min_is_strict=True
        ),
        hou.ToggleParmTemplate(
            "vfxgan_farm", "Command Lines for the Scheduler", help="Off: rendered by this Houdini's own machine"
        ),
    ]
    group = node.parmTemplateGroup()
    group.append(hou.FolderParmTemplate("vfxgan", "vfxgan", parm_templates=parms))
    node.setParmTemplateGroup(group)


def read(node: hou.OpNode) -> Settings:
    """What is set, with variables filled in.

    Raises:
        ClientError: the node has not its parameters.
    """

    def text(name: str) -> str:
        return scene.expanded(_parm(node, name).unexpandedString())

    request = Request(
        text("out"),
        seeds=text("seeds"),
        plates=text("in"),
        frames=text("frames"),
        first_frame=text("first_frame"),
        model=text("model"),
        colorspace=text("colorspace"),
        in_colorspace=text("in_colorspace"),
        options=text("options"),
    )
    return Settings(request, _parm(node, "chunk").evalAsInt(), bool(_parm(node, "farm").evalAsInt()))


def _parm(node: hou.OpNode, name: str) -> hou.Parm:
    parm = node.parm(f"vfxgan_{name}")
    if parm is None:
        raise ClientError(f"{node.path()} has no parameter vfxgan_{name}; make the node with the shelf tool")
    return parm


def _always_cook(node: hou.OpNode) -> None:
    parm = node.parm(CACHE_PARM)
    if parm is not None and CACHE_MODE in parm.menuLabels():
        parm.set(parm.menuItems()[parm.menuLabels().index(CACHE_MODE)])
