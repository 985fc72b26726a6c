"""The node that shows the frames: a File COP, of Copernicus in Houdini 20.5 and later, of /img before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import hou

from vfxgan_client import ClientError
from vfxgan_houdini.patterns import for_houdini

# Copernicus' File COP: https://www.sidefx.com/docs/houdini/nodes/cop/file.html
# The older one: https://www.sidefx.com/docs/houdini19.5/nodes/cop2/file.html
COPERNICUS = (20, 5, 0)


def load(pattern: str, name: str) -> hou.OpNode:
    """Make a network with a File COP that reads the frames of this pattern (`####`).

    Raises:
        ClientError: this Houdini has no such node or parameter, or the path cannot be written into one.
    """
    if "$" in str(Path(pattern).parent) or "`" in pattern:
        raise ClientError(f"{pattern}: a File COP would take its $ or ` for a variable; load the frames by hand")
    path = for_houdini(pattern)
    try:
        if hou.applicationVersion() >= COPERNICUS:
            return _file_node("/obj", "copnet", name, {"filename": path, "aovs": 1, "aov1": "C"})
        return _file_node("/img", "img", name, {"filename1": path})
    except hou.OperationFailed as error:
        raise ClientError(f"no File COP could be made ({error}); load {path} by hand") from error


def _file_node(where: str, network: str, name: str, parms: Mapping[str, int | str]) -> hou.OpNode:
    parent = cast("hou.OpNode | None", hou.node(where))
    if parent is None:
        raise ClientError(f"this scene has no {where}, where the File COP would go; load {parms} by hand")
    inside = parent.createNode(network, f"vfxgan_{name}", force_valid_node_name=True)
    node = inside.createNode("file", name, force_valid_node_name=True)
    for key, value in parms.items():
        set_parm(node, key, value)
    inside.moveToGoodPosition()
    node.setCurrent(True, clear_all_selected=True)
    return node


def set_parm(node: hou.OpNode, name: str, value: int | str) -> None:
    """Set one parameter.

    Raises:
        ClientError: this version's node has none of that name.
    """
    parm = node.parm(name)
    if parm is None:
        raise ClientError(f"{node.path()} has no parameter {name!r} in this Houdini; set it to {value!r} by hand")
    parm.set(value)
