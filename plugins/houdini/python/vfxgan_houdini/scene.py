"""Values that the open scene gives: its folder, its frame range, paths with variables, the project's convention."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import hou

from vfxgan_client import ClientError, Command
from vfxgan_houdini.asking import ask_interruptably
from vfxgan_houdini.patterns import hashed

FILE_PARMS = ("filename", "filename1")  # of the File COP, of the older one
WITHOUT_A_CONVENTION = "$HIP/render/vfxgan/{name}.####.exr"


@dataclass(frozen=True)
class Convention:
    """What the project file says; empty where it says nothing. `problems`: why there is no output path."""

    output: str
    colorspace: str
    problems: tuple[str, ...]


def folder() -> str:
    """The scene's folder ($HIP): where vfxgan runs, and from where it looks for the project file.

    Raises:
        ClientError: it is not there, as of a scene that was never saved.
    """
    path = hou.text.expandString("$HIP")
    if not Path(path).is_dir():
        raise ClientError(f"$HIP is {path!r}, which is no folder; save the scene first")
    return path


def frame_range() -> tuple[int, int]:
    """First and last frame of the global range."""
    first, last = hou.playbar.frameRange()
    return int(first), int(last)


def selected_pictures() -> str:
    """What a selected File COP reads, as it stands there; empty where none is selected."""
    # hou.OpNode is not there before 20.5, and an APEX node has no parameters.
    nodes = [cast("hou.OpNode", node) for node in hou.selectedNodes() if hasattr(node, "parm")]
    parms = [parm for node in nodes for name in FILE_PARMS for parm in [node.parm(name)] if parm is not None]
    return next((path for parm in parms for path in [parm.unexpandedString().strip()] if path), "")


def expanded(text: str) -> str:
    """Variables ($HIP, $JOB, …) filled in; `$F4` becomes `####`, not the current frame."""
    return hou.text.expandString(hashed(text))


def convention(command: Command, folder: str, model: str = "") -> Convention:
    """Ask vfxgan what the project file above the scene says. The shot is $SHOT, where the session has that variable.

    Args:
        model: that the frames will be made with; its name may be a part of their path.
    Raises:
        ClientError: the model cannot be read.
        hou.OperationInterrupted: Escape.
    """
    values = {"--model": model, "--shot": hou.getenv("SHOT") or ""}
    given = [f"{option}={value}" for option, value in values.items() if value]
    told: dict[str, Any] = ask_interruptably(command, ["project", "--json", *given], folder, "the project's settings")
    problems = [*(told.get("problems") or ()), told.get("lacks")]
    return Convention(
        str(told.get("output") or ""),
        str(told["settings"].get("colorspace") or ""),
        tuple(str(problem) for problem in problems if problem),
    )


def output(said: Convention, name: str) -> str:
    """The project's pattern, else one in the scene's folder. name: of the model, or what is made."""
    return said.output or WITHOUT_A_CONVENTION.format(name=name)
