"""The Read node of frames that were rendered. For the main thread only."""

from __future__ import annotations

import nuke

from vfxgan_nuke.colourspaces import choose
from vfxgan_nuke.errors import Refusal
from vfxgan_nuke.rendering import Rendered
from vfxgan_nuke.script import lines_of
from vfxgan_nuke.sequences import is_sequence, nuke_name

GAP_PX = 40  # of the node graph
NODE_PX = (80, 100)  # room for one with its thumbnail


def make_read(rendered: Rendered, beside: str = "", like: str = "") -> nuke.Node:
    """Make one, set.

    Its `premultiplied` is off, since it would divide by alpha before a conversion and multiply after: an EXR is
    premultiplied in linear light, where that changes nothing but the last bits, and a PNG is not premultiplied.

    Args:
        beside: full name of a node, in whose node graph and beside which it goes; "" or one that is gone: the middle
            of what is seen.
        like: full name of the Read of its plates, whose frame mode it takes, so that both show the same moment.
    Raises:
        Refusal: no value of its colorspace knob is the frames' space; then there is no node.
    """
    neighbour = nuke.toNode(beside) if beside else None
    graph = neighbour.parent() if neighbour is not None else nuke.root()
    with graph:
        read = nuke.nodes.Read()
    try:
        value = choose(rendered.colourspace, lines_of(read))
    except Refusal:
        nuke.delete(read)
        raise
    read["file"].setValue(nuke_name(rendered.out))
    first, last = (rendered.first, rendered.last) if is_sequence(rendered.out) else (1, 1)  # as Nuke itself
    for name, number in (("first", first), ("last", last), ("origfirst", first), ("origlast", last)):
        read[name].setValue(number)
    _set_if_there(read, "origset", True)
    read["colorspace"].setValue(value)
    read["raw"].setValue(False)
    read["premultiplied"].setValue(False)
    _take_frame_mode(read, nuke.toNode(like) if like else None)
    _place(read, neighbour, graph)
    return read


def _set_if_there(node: nuke.Node, name: str, value: object) -> None:
    knob = node.knob(name)
    if knob is not None:
        knob.setValue(value)


def _take_frame_mode(read: nuke.Node, source: nuke.Node | None) -> None:
    if source is None or not source["frame"].value():
        return
    for name in ("frame_mode", "frame"):
        read[name].setValue(source[name].value())


def _place(node: nuke.Node, neighbour: nuke.Node | None, graph: nuke.Group) -> None:
    if neighbour is not None:
        x, y = neighbour.xpos() + max(neighbour.screenWidth(), NODE_PX[0]) + GAP_PX, neighbour.ypos()
    elif nuke.GUI:
        x, y = (int(number) for number in nuke.center())
    else:  # nobody sees a node graph
        return
    others = [(other.xpos(), other.ypos()) for other in graph.nodes() if other.fullName() != node.fullName()]
    while any(abs(x - left) < NODE_PX[0] and abs(y - top) < NODE_PX[1] for left, top in others):
        x += NODE_PX[0] + GAP_PX
    node.setXYpos(x, y)
