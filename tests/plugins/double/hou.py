"""What the double of Houdini does: nodes with parameters, messages, and operations that can be interrupted."""

# The names are the host's own.
# ruff: noqa: N802

import re
from collections.abc import Callable
from typing import Any

from double.recording import ANY_THREAD, Doubled, DoubledModule
from double.stubs import Class, read_stubs

STUBS = read_stubs("hou")


class Error(Exception):
    """hou.Error."""


class OperationFailed(Error):
    """hou.OperationFailed."""


class OperationInterrupted(Error):
    """hou.OperationInterrupted."""


class HouDouble(Doubled, abstract=True):
    """Of one class of Houdini."""

    _module = STUBS


class EnumValue(HouDouble):
    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        return self._name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EnumValue) and other._name == self._name

    def __hash__(self) -> int:
        return hash(self._name)


class Enumeration:
    """`hou.severityType`, `hou.fileType` …: the values that the stubs have."""

    def __init__(self, stub: Class) -> None:
        self._stub = stub

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self._stub.members.get(name, 0) is not None:
            raise AttributeError(f"{self._stub.name} has no {name} in the stubs of hou")
        return EnumValue._make(f"{self._stub.name}.{name}")


class Parm(HouDouble):
    def __init__(self, name: str, node: Any, value: Any = "", menu: tuple[str, ...] = ()) -> None:
        self._name, self._node, self._value, self._menu = name, node, value, menu

    def name(self) -> str:
        return self._name

    def node(self) -> Any:
        return self._node

    def set(self, value: Any, language: Any = None, follow_parm_reference: bool = True) -> None:
        self._set(value)

    def _set(self, value: Any) -> None:
        if self._menu and isinstance(value, str) and value not in self._menu:
            raise TypeError(f"{self._name} has no item {value!r}, but {self._menu}")  # Houdini raises TypeError as well
        self._value = value

    def eval(self) -> Any:
        return self._value

    def evalAsString(self) -> str:
        return str(self._value)

    def unexpandedString(self) -> str:
        return str(self._value)

    def menuItems(self) -> tuple[str, ...]:
        return self._menu

    def menuLabels(self) -> tuple[str, ...]:
        return tuple(item.replace("_", " ").title() for item in self._menu)

    def evalAsInt(self) -> int:
        return int(self._value)

    def pressButton(self, arguments: Any = None) -> None:
        pass


class OpNode(HouDouble):
    """A node of any type; HOST.parms says which parameters a type has."""

    def __init__(self, kind: str = "", name: str = "", parent: Any = None) -> None:
        self._kind, self._name, self._parent = kind, name or f"{kind}1", parent
        self._children: list[OpNode] = []
        self._inputs: dict[int, Any] = {}
        self._place, self._group = (0.0, 0.0), ParmTemplateGroup._make()
        self._parms = {
            parm: Parm._make(parm, self, *(value if isinstance(value, tuple) else (value,)))
            for parm, value in HOST.parms.get(kind, {}).items()
        }

    def name(self) -> str:
        return self._name

    def setName(self, name: str, unique_name: bool = False) -> None:
        self._name = name

    def path(self) -> str:
        return self._path()

    def _path(self) -> str:
        return f"{self._parent._path()}/{self._name}" if self._parent is not None else ""

    def parent(self) -> Any:
        return self._parent

    def children(self) -> tuple[Any, ...]:
        return tuple(self._children)

    def node(self, path: str) -> Any:
        return self._find(path)

    def _find(self, path: str) -> Any:
        found: Any = self
        for part in filter(None, path.split("/")):
            if part == "..":
                found = found._parent
            else:
                found = next((child for child in found._children if child._name == part), None)
            if found is None:
                return None
        return found

    def createNode(self, kind: str, name: str | None = None, *more: Any, **options: Any) -> "OpNode":
        if kind not in HOST.parms:
            raise OperationFailed(f"Invalid node type name: {kind}")
        valid = name and (re.sub(r"\W", "_", name) if options.get("force_valid_node_name") else name)
        if valid and re.search(r"\W", valid):
            raise OperationFailed(f"Invalid node name: {valid}")
        child: OpNode = OpNode._make(kind, valid or f"{kind}{1 + len(self._children)}", self)
        self._children.append(child)
        return child

    def parm(self, name: str) -> Parm | None:
        return self._parms.get(name)

    def evalParm(self, name: str) -> Any:
        if name not in self._parms:
            raise OperationFailed(f"Invalid parameter name: {name}")
        return self._parms[name]._value

    def setParms(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if name not in self._parms:
                raise OperationFailed(f"Invalid parameter name: {name}")
            self._parms[name]._set(value)

    def parmTemplateGroup(self) -> "ParmTemplateGroup":
        return self._group

    def setParmTemplateGroup(self, group: "ParmTemplateGroup", rename_conflicting_parms: bool = False) -> None:
        for template in group._all():
            self._parms.setdefault(template._name, Parm._make(template._name, self, template._default))

    def setCurrent(self, on: bool, clear_all_selected: bool = False) -> None:
        HOST.selected = [self] if clear_all_selected else [*HOST.selected, self]

    def setInput(self, index: int, item: Any, output_index: int = 0) -> None:
        self._inputs[index] = item

    def moveToGoodPosition(self, *args: Any, **kwargs: Any) -> Any:
        return self._place

    def destroy(self, disable_safety_checks: bool = False) -> None:
        self._parent._children.remove(self)


class ParmTemplate(HouDouble):
    """Of every kind; a folder holds others."""

    def __init__(self, name: str = "", label: str = "", *more: Any, **options: Any) -> None:
        default = options.get("default_value", self._nothing)
        self._name, self._default = name, default[0] if isinstance(default, tuple) else default
        self._inside = tuple(options.get("parm_templates", ()))

    _nothing: Any = ""


class StringParmTemplate(ParmTemplate):
    pass


class IntParmTemplate(ParmTemplate):
    _nothing = 0


class ToggleParmTemplate(ParmTemplate):
    _nothing = 0


class FolderParmTemplate(ParmTemplate):
    pass


class ParmTemplateGroup(HouDouble):
    def __init__(self) -> None:
        self._templates: list[ParmTemplate] = []

    def append(self, template: ParmTemplate) -> None:
        self._templates.append(template)

    def _all(self) -> list[ParmTemplate]:
        return [inner for template in self._templates for inner in template._inside or (template,)]


class InterruptableOperation(HouDouble):
    """Progress of a long call. Escape is pressed where HOST.escape says so of it."""

    def __init__(self, operation_name: str, long_operation_name: Any = None, *more: Any, **options: Any) -> None:
        self._name, self._fractions, self._notes = operation_name, [], []
        HOST.operations.append(self)

    def __enter__(self) -> "InterruptableOperation":
        return self

    def __exit__(self, *reason: Any) -> None:
        pass

    def updateProgress(self, percentage: float = -1.0) -> None:
        self._update(percentage)

    def updateLongProgress(self, percentage: float = -1.0, long_op_status: str | None = None) -> None:
        self._notes.append(long_op_status)
        self._update(percentage)

    def _update(self, fraction: float) -> None:
        if not -1.0 <= fraction <= 1.0:
            raise ValueError(f"Houdini's progress goes from 0 to 1, not to {fraction}")
        self._fractions.append(fraction)
        if HOST.escape(self):
            raise OperationInterrupted("the operation was interrupted")


class Ui(HouDouble):
    """hou.ui; with no GUI it is not there."""

    _stub_name = "ui"

    def displayMessage(self, text: str, *args: Any, **kwargs: Any) -> int:
        HOST.said.append(text)
        return HOST.button

    def setStatusMessage(self, message: str, severity: Any = None) -> None:
        HOST.said.append(message)

    def readInput(self, text: str, *args: Any, **kwargs: Any) -> tuple[int, str]:
        return HOST.button, HOST.texts.pop(0)

    def readMultiInput(self, text: str, *args: Any, **kwargs: Any) -> tuple[int, tuple[str, ...]]:
        """What a test typed, `a|b|c`; else what stood there."""
        return HOST.button, tuple(HOST.texts.pop(0).split("|") if HOST.texts else kwargs["initial_contents"])

    def selectFile(self, *args: Any, **kwargs: Any) -> str:
        return HOST.texts.pop(0)

    def selectFromList(self, choices: Any, *args: Any, **kwargs: Any) -> tuple[int, ...]:
        HOST.lists.append(tuple(choices))
        return HOST.chosen.pop(0)


class Text(HouDouble):
    """hou.text: variables of the session, and $F as Houdini does it."""

    _stub_name = "text"

    def expandString(self, text: str, expand_tilde: bool = True) -> str:
        variables = {"HIP": HOST.hip.rpartition("/")[0], "F4": f"{int(HOST.span[0]):04d}", **HOST.environment}
        return re.sub(r"\$(\w+)", lambda found: variables.get(found.group(1), ""), text)


class HipFile(HouDouble):
    _stub_name = "hipFile"

    def path(self) -> str:
        return HOST.hip

    def basename(self) -> str:
        return HOST.hip.rpartition("/")[2]


class Playbar(HouDouble):
    _stub_name = "playbar"

    def frameRange(self) -> tuple[float, float]:
        return HOST.span


class Host:
    """One session of the double."""

    def __init__(self) -> None:
        # By a node's type: its parameters with their values, or (value, items of the menu).
        self.parms: dict[str, dict[str, Any]] = {
            "root": {},
            "obj": {},
            "img": {},
            "copnet": {},
            "tasks": {},
            "file": {"filename1": "", "file": "", "filename": "", "aovs": 0, "aov1": ""},
            "topnet": {},
            "pythonprocessor": {
                "generate": "",
                "cooktask": "",
                "pdg_cachemode": ("automatic", ("automatic", "read_files", "write_files")),
            },
        }
        self.hip, self.span = "/hip/untitled.hip", (1.0, 240.0)
        self.said: list[str] = []
        self.texts: list[str] = []
        self.button = 0
        self.lists: list[tuple[str, ...]] = []  # those that were shown
        self.chosen: list[tuple[int, ...]] = []  # what a test chooses of them
        self.version = (20, 5, 370)
        self.escape: Callable[[InterruptableOperation], bool] = lambda operation: False  # looked at by each update
        self.operations: list[InterruptableOperation] = []
        self.environment: dict[str, str] = {}
        self.selected: list[OpNode] = []


HOST = Host()


def hou_module(gui: bool) -> DoubledModule:
    """A fresh session, and the module of it."""
    HOST.__init__()  # type: ignore[misc]
    ANY_THREAD.clear()
    module, host = DoubledModule(STUBS), HOST
    root: OpNode = OpNode._make("root", "", None)
    root._children += [OpNode._make(name, name, root) for name in ("obj", "img", "tasks")]
    module._provide(
        **{name: Enumeration(STUBS.classes[name]) for name in ("severityType", "fileType", "fileChooserMode")}
    )
    module._provide(
        Error=Error,
        OperationFailed=OperationFailed,
        OperationInterrupted=OperationInterrupted,
        EnumValue=EnumValue,
        Parm=Parm,
        OpNode=OpNode,
        InterruptableOperation=InterruptableOperation,
        ParmTemplate=ParmTemplate,
        ParmTemplateGroup=ParmTemplateGroup,
        StringParmTemplate=StringParmTemplate,
        IntParmTemplate=IntParmTemplate,
        ToggleParmTemplate=ToggleParmTemplate,
        FolderParmTemplate=FolderParmTemplate,
        text=Text._make(),
        hipFile=HipFile._make(),
        playbar=Playbar._make(),
        node=root._find,
        root=lambda: root,
        selectedNodes=lambda include_hidden=False: tuple(host.selected),
        isUIAvailable=lambda: gui,
        fps=lambda: 24.0,
        frame=lambda full_precision=False: host.span[0],
        getenv=lambda name, default_value=None: host.environment.get(name, default_value),
        putenv=lambda name, value: host.environment.update({name: value}),
        applicationVersion=lambda include_patch=False: host.version,
        applicationVersionString=lambda: "20.5.370",
        expandString=lambda text, expand_tilde=False: text.replace("$HIP", host.hip.rpartition("/")[0]),
    )
    if gui:
        module._provide(ui=Ui._make())
    return module
