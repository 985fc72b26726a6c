"""What the double of PDG does: it generates and cooks the work items of a Python Processor, as is documented.

There are no stubs of pdg. Names are those of `unstubbed.PDG`; anything else is an AttributeError.
"""

# The names are the host's own.
# ruff: noqa: N802

import types
from collections.abc import Callable
from enum import Enum
from typing import Any

from double.unstubbed import record


class workItemCookType(Enum):  # noqa: N801
    """https://www.sidefx.com/docs/houdini/tops/pdg/workItemCookType.html"""

    Automatic = 0
    Generate = 1
    InProcess = 2
    OutOfProcess = 3
    Service = 4


class workItemState(Enum):  # noqa: N801
    """https://www.sidefx.com/docs/houdini/tops/pdg/workItemState.html, those that the double gives."""

    Cooking = 0
    CookedCancel = 1


class WorkItem:
    """`_outputs` and `_expected`: (path, tag); `_state`: what an artist reads beside it."""

    def __init__(self, node: "Node", index: int, cook_type: workItemCookType) -> None:
        self.node, self.index, self._cook_type = node, index, cook_type
        self._cancels: Callable[[], bool] = lambda: False
        self._attributes: dict[str, Any] = {}
        self._expected: list[tuple[str, str]] = []
        self._outputs: list[tuple[str, str]] = []
        self._warnings: list[str] = []
        self._percents: list[float] = []
        self._states: list[str] = []
        self._command = ""

    @property
    def state(self) -> workItemState:
        """Cancelled by itself where `_cancels` says so."""
        return workItemState.CookedCancel if self._cancels() else workItemState.Cooking

    def addExpectedOutputFile(self, path: str, tag: str = "", own: bool = True) -> None:
        record("pdg.WorkItem.addExpectedOutputFile", path, tag, on=self)
        self._expected.append((path, tag))

    def addOutputFile(self, path: str, tag: str = "", hash_code: int = 0, own: bool = False) -> None:
        record("pdg.WorkItem.addOutputFile", path, tag, on=self)
        self._outputs.append((path, tag))

    def addWarning(self, message: str) -> None:
        record("pdg.WorkItem.addWarning", message, on=self)
        self._warnings.append(message)

    def setIntAttrib(self, name: str, value: int, index: int = 0) -> None:
        record("pdg.WorkItem.setIntAttrib", name, value, on=self)
        assert isinstance(value, int)
        self._attributes[name] = value

    def setStringAttrib(self, name: str, value: str, index: int = 0) -> None:
        record("pdg.WorkItem.setStringAttrib", name, value, on=self)
        assert isinstance(value, str)
        self._attributes[name] = value

    def stringAttribValue(self, name: str, index: int = 0) -> str:
        record("pdg.WorkItem.stringAttribValue", name, on=self)
        return str(self._attributes[name])

    def setCommand(self, command: str) -> None:
        record("pdg.WorkItem.setCommand", command, on=self)
        self._command = command

    def setCookPercent(self, percent: float) -> None:
        record("pdg.WorkItem.setCookPercent", percent, on=self)
        self._percents.append(percent)

    def setCustomState(self, state: str) -> None:
        record("pdg.WorkItem.setCustomState", state, on=self)
        self._states.append(state)


class WorkItemHolder:
    def __init__(self, node: "Node") -> None:
        self._node, self._items = node, []

    def addWorkItem(self, *args: Any, **options: Any) -> WorkItem:
        record("pdg.WorkItemHolder.addWorkItem", *args, on=self, **options)
        self._items.append(WorkItem(self._node, options["index"], options["cookType"]))
        return self._items[-1]


class GraphContext:
    """https://www.sidefx.com/docs/houdini/tops/pdg/GraphContext.html. A test sets `cancels`."""

    def __init__(self) -> None:
        self.cancels: Callable[[], bool] = lambda: False

    @property
    def canceling(self) -> bool:
        return self.cancels()


class Node:
    """A pdg.Node of a Python Processor TOP: runs the node's own callbacks, as text, with the documented variables."""

    def __init__(self, top: Any) -> None:
        self._top, self.context = top, GraphContext()

    def topNode(self) -> Any:
        return self._top

    def _generate(self) -> list[WorkItem]:
        holder = WorkItemHolder(self)
        self._run("generate", item_holder=holder, upstream_items=[], generation_type=None)
        return holder._items

    def _cook(self, item: WorkItem) -> None:
        self._run("cooktask", work_item=item)

    def _run(self, parm: str, **variables: Any) -> None:
        exec(compile(self._top.parm(parm).unexpandedString(), parm, "exec"), {"self": self, **variables})


def pdg_module() -> types.ModuleType:
    module = types.ModuleType("pdg")
    module.workItemCookType = workItemCookType  # type: ignore[attr-defined]
    module.workItemState = workItemState  # type: ignore[attr-defined]
    return module
