"""What the double of Nuke does: knobs, nodes, menus, progress, and the rule of the main thread.

A node has knobs with values; an enumeration takes its own values only. What is called from another thread than the
main one is refused, but for what Nuke documents as safe there; `run_events` does what such threads left to it.
"""

# The names are the host's own.
# ruff: noqa: N801, N802, N803

import queue
import threading
from collections.abc import Callable
from typing import Any

from double.recording import ANY_THREAD, RECORDING, Call, Doubled, DoubledModule
from double.stubs import read_stubs

STUBS = read_stubs("nuke")
SAFE_IN_THREADS = {
    "nuke.executeInMainThread",  # https://learn.foundry.com/nuke/developers/160/pythondevguide/threading.html
    "nuke.executeInMainThreadWithResult",
    "nuke.ProgressTask",
    "ProgressTask.setProgress",
    "ProgressTask.setMessage",
    "ProgressTask.isCancelled",
}
DEFAULT_COLORSPACES = (
    "default (scene_linear)",
    "scene_linear",
    "ACES - ACEScg",
    "lin_rec709",
    "Utility - sRGB - Texture",
)
COLORSPACES = list(DEFAULT_COLORSPACES)  # of this session: a test may set others before it adds nodes


class NukeDouble(Doubled, abstract=True):
    """Of one class of Nuke."""

    _module = STUBS


class Knob(NukeDouble):
    """A knob with a value, whatever its type."""

    _default: Any = None

    def __init__(self, name: str = "", label: str | None = None, value: Any = None) -> None:
        self._name, self._label = name, name if label is None else label
        self._value = self._default if value is None else value
        self._node: Any = None
        self._enabled = self._visible = True
        self._tooltip = ""

    def name(self) -> str:
        return self._name

    def label(self) -> str:
        return self._label

    def setLabel(self, label: str) -> None:
        self._label = label

    def node(self) -> Any:
        return self._node

    def value(self) -> Any:
        return self._value

    def getValue(self, channel: int = 0) -> Any:
        return self._value

    def setValue(self, value: Any) -> bool:
        self._set(value)
        return True

    def _set(self, value: Any) -> None:
        self._value = value

    def toScript(self) -> str:
        return str(self._value)

    def setEnabled(self, enabled: bool) -> None:
        self._enabled = enabled

    def enabled(self) -> bool:
        return self._enabled

    def setVisible(self, visible: bool) -> None:
        self._visible = visible

    def visible(self) -> bool:
        return self._visible

    def setTooltip(self, text: str) -> None:
        self._tooltip = text

    def setFlag(self, flag: int) -> None:
        pass

    def clearFlag(self, flag: int) -> None:
        pass


class String_Knob(Knob):
    _default = ""

    def _set(self, value: Any) -> None:
        if not isinstance(value, str):
            raise TypeError(f"{self._name} takes a text, not {value!r}")
        self._value = value


class Multiline_Eval_String_Knob(String_Knob):
    pass


class EvalString_Knob(String_Knob):
    def evaluate(self) -> str:
        return str(self._value)


class File_Knob(EvalString_Knob):
    def getEvaluatedValue(self) -> str:
        """As Nuke documents it: without expressions, with the place of the frame's number."""
        return HOST.evaluated(self._value)

    def fromUserText(self, text: str) -> None:
        """`plate.####.exr 1001-1010`: the range goes to the node's first and last."""
        path, _, span = text.rpartition(" ")
        first, _, last = span.partition("-")
        if not (path and first.isdigit() and (last or first).isdigit()):
            self._set(text)
            return
        self._set(path)
        for name, value in (
            ("first", first),
            ("origfirst", first),
            ("last", last or first),
            ("origlast", last or first),
        ):
            self._node._knobs[name]._set(int(value))


class Int_Knob(Knob):
    _default = 0

    def _set(self, value: Any) -> None:
        self._value = int(value)


class Double_Knob(Knob):
    _default = 0.0

    def _set(self, value: Any) -> None:
        self._value = float(value)


class Boolean_Knob(Knob):
    _default = False

    def _set(self, value: Any) -> None:
        self._value = bool(value)


class Enumeration_Knob(Knob):
    def __init__(self, name: str = "", label: str | None = None, values: Any = ()) -> None:
        super().__init__(name, label, values[0] if values else "")
        self._values = list(values)

    def values(self) -> list[str]:
        return list(self._values)

    def setValues(self, values: list[str]) -> None:
        self._values = list(values)
        if self._value not in self._values:
            self._value = self._values[0] if self._values else ""

    def numValues(self) -> int:
        return len(self._values)

    def _set(self, value: Any) -> None:
        chosen = self._values[value] if isinstance(value, int) and value < len(self._values) else value
        if chosen not in self._values:
            raise TypeError(f"{self._name} has no value {value!r}, but {self._values}")
        self._value = chosen


class _Colorspaces(Enumeration_Knob):
    """A Read's: lines of fields that tabs separate, the first being the value; a whole line leaves Nuke in error."""

    _stub_name = "Enumeration_Knob"

    def _set(self, value: Any) -> None:
        if value not in [line.split("\t")[0] for line in self._values]:
            raise TypeError(f"{self._name} has no value {value!r}, but {self._values}")
        self._value = value


class Tab_Knob(Knob):
    pass


class Text_Knob(Knob):
    _default = ""


class PyScript_Knob(Knob):
    _default = ""


class Node(NukeDouble):
    """A node of any class, with that class's knobs."""

    def __init__(self, kind: str = "NoOp", name: str = "") -> None:
        self._kind, self._place, self._inputs = kind, [0, 0], [None]
        self._group: Any = None  # None: the root
        self._knobs: dict[str, Knob] = {}
        for knob in _knobs_of(kind, name):
            knob._node = self
            self._knobs[knob._name] = knob

    def Class(self) -> str:
        return self._kind

    def name(self) -> str:
        return str(self._knobs["name"]._value)

    def fullName(self) -> str:
        name = str(self._knobs["name"]._value)
        return name if self._group is None else f"{self._group.fullName()}.{name}"

    def parent(self) -> Any:
        return HOST.root if self._group is None else self._group

    def setName(self, name: str, uncollide: bool = True, updateExpressions: bool = False) -> None:
        self._knobs["name"]._set(name)

    def knob(self, name: str, follow_link: bool = True) -> Knob | None:
        return self._knobs.get(name)

    def knobs(self) -> dict[str, Knob]:
        return dict(self._knobs)

    def addKnob(self, knob: Knob) -> None:
        knob._node = self
        self._knobs[knob._name] = knob

    def __getitem__(self, name: str) -> Knob:
        if name not in self._knobs:
            raise NameError(f"knob {name} does not exist")  # Nuke's own type and words
        return self._knobs[name]

    def xpos(self) -> int:
        return self._place[0]

    def ypos(self) -> int:
        return self._place[1]

    def screenWidth(self) -> int:
        return 80

    def screenHeight(self) -> int:
        return 78

    def setXYpos(self, x: int, y: int) -> None:
        self._place = [x, y]

    def setXpos(self, x: int) -> None:
        self._place[0] = x

    def setYpos(self, y: int) -> None:
        self._place[1] = y

    def isSelected(self) -> bool:
        return bool(self._knobs["selected"]._value)

    def setSelected(self, selected: bool) -> None:
        self._knobs["selected"]._set(selected)

    def input(self, index: int) -> Any:
        return self._inputs[index] if index < len(self._inputs) else None

    def setInput(self, index: int, node: Any) -> bool:
        self._inputs += [None] * (index + 1 - len(self._inputs))
        self._inputs[index] = node
        return True

    def firstFrame(self) -> int:
        return int(self._knobs["first"]._value)

    def lastFrame(self) -> int:
        return int(self._knobs["last"]._value)

    def showControlPanel(self, forceFloat: bool = False) -> None:
        pass

    def hideControlPanel(self) -> None:
        pass


class Group(Node):
    """A node with a node graph of its own; `with group:` makes nodes in it."""

    def nodes(self) -> list[Any]:
        return [node for node in HOST.nodes if node._group is (None if self is HOST.root else self)]

    def __enter__(self) -> "Group":
        HOST.groups.append(self)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        HOST.groups.pop()


class Root(Group):
    """The script. A test sets `_is_proxy`."""

    _is_proxy = False

    def proxy(self) -> bool:
        return self._is_proxy


class Undo(NukeDouble):
    """Whether changes are kept for it."""

    @staticmethod
    def disable() -> None:
        HOST.undo_is_off += 1

    @staticmethod
    def enable() -> None:
        HOST.undo_is_off -= 1


class Nodes:
    """`nuke.nodes`: of any class, without a panel, selection or connections."""

    def __getattr__(self, kind: str) -> Any:
        def make(**knobs: Any) -> Node:
            RECORDING.calls.append(Call(f"nuke.nodes.{kind}", (), knobs, is_checked=False))
            if threading.current_thread() is not threading.main_thread():
                raise RuntimeError(f"nuke.nodes.{kind} was called from another thread than the main one")
            return HOST.add_node(kind, **knobs)

        return make


def _knobs_of(kind: str, name: str) -> list[Knob]:
    knobs: list[Knob] = [String_Knob._make("name", None, name), Boolean_Knob._make("selected")]
    knobs += [String_Knob._make("label"), Int_Knob._make("tile_color"), Boolean_Knob._make("disable")]
    if kind in ("Read", "Write"):
        knobs += [File_Knob._make("file"), _Colorspaces._make("colorspace", None, COLORSPACES)]
        knobs += [Int_Knob._make(each, None, 1) for each in ("first", "last")] + [Boolean_Knob._make("raw")]
    if kind == "Read":
        knobs += [Int_Knob._make(each, None, 1) for each in ("origfirst", "origlast")]
        knobs += [Boolean_Knob._make("origset"), Boolean_Knob._make("premultiplied"), File_Knob._make("proxy")]
        knobs += [Enumeration_Knob._make("frame_mode", None, ["expression", "start at", "offset"])]
        knobs += [String_Knob._make("frame")]
        knobs += [Enumeration_Knob._make("on_error", None, ["error", "black", "checkerboard", "nearest frame"])]
        knobs += [
            Enumeration_Knob._make(each, None, ["hold", "loop", "bounce", "black"]) for each in ("before", "after")
        ]
    if kind == "Root":
        knobs += [Int_Knob._make("first_frame", None, 1), Int_Knob._make("last_frame", None, 100)]
        knobs += [Double_Knob._make("fps", None, 24.0), File_Knob._make("project_directory")]
        knobs += [Enumeration_Knob._make("colorManagement", None, ["Nuke", "OCIO"])]
        knobs += [_Colorspaces._make("workingSpaceLUT", None, COLORSPACES)]
    return knobs


class MenuItem(NukeDouble):
    """A command of a menu."""

    def __init__(self, name: str = "", command: Any = None) -> None:
        self._name, self._command, self._enabled = name, command, True

    def name(self) -> str:
        return self._name

    def setEnabled(self, enabled: bool) -> None:
        self._enabled = enabled

    def invoke(self) -> None:
        """As by a click. A text is Python to run, as in Nuke."""
        if callable(self._command):
            self._command()
        else:
            exec(str(self._command), {})


class Menu(MenuItem):
    """A menu, a toolbar, or a branch of one. `a/b` in a name makes the branch `a`."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self._items: dict[str, Any] = {}

    def name(self) -> str:
        return self._name

    def addMenu(self, name: str, icon: str = "", tooltip: str = "", index: int = -1) -> "Menu":
        branch, _, last = name.rpartition("/")
        items = self._branch(branch)._items
        return items.setdefault(last, Menu._make(last))  # type: ignore[no-any-return]

    def addCommand(self, name: str, command: Any = None, shortcut: str = "", icon: str = "", **more: Any) -> MenuItem:
        branch, _, last = name.rpartition("/")
        item: MenuItem = MenuItem._make(last, command)
        self._branch(branch)._items[last] = item
        return item

    def addSeparator(self, **options: Any) -> None:
        pass

    def findItem(self, name: str) -> Any:
        return self._find(name)

    def menu(self, name: str) -> Any:
        return self._find(name)

    def items(self) -> list[Any]:
        return list(self._items.values())

    def removeItem(self, name: str) -> None:
        branch, _, last = name.rpartition("/")
        self._branch(branch)._items.pop(last, None)

    def clearMenu(self) -> None:
        self._items.clear()

    def _branch(self, path: str) -> "Menu":
        menu = self
        for part in filter(None, path.split("/")):
            menu = menu._items.setdefault(part, Menu._make(part))
        return menu

    def _find(self, path: str) -> Any:
        found: Any = self
        for part in path.split("/"):
            found = found._items.get(part) if isinstance(found, Menu) else None
        return found


class ToolBar(Menu):
    pass


class ProgressTask(NukeDouble):
    """What a person sees of a background run. Tests press its cancel button: `task._is_cancelled = True`."""

    def __init__(self, name: str = "") -> None:
        self._name, self._percent, self._message, self._is_cancelled = name, 0, "", False
        self._is_shown = True
        HOST.tasks.append(self)

    def setProgress(self, percent: int) -> None:
        if not isinstance(percent, int) or not 0 <= percent <= 100:
            raise TypeError(f"setProgress takes a whole number of per cent, not {percent!r}")
        self._percent = percent

    def setMessage(self, message: str) -> None:
        self._message = message

    def isCancelled(self) -> bool:
        return self._is_cancelled


class HeldTask:
    """What a plug-in holds of a bar: Nuke takes the bar away once nobody holds it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._task = ProgressTask(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def __del__(self) -> None:
        self._task._is_shown = False


class Host:
    """One session of the double: its script, menus, and what a test presses and answers."""

    def __init__(self) -> None:
        self.root: Root = Root._make("Root", "root")
        self.nodes: list[Node] = []
        self.menus: dict[str, Menu] = {name: Menu._make(name) for name in ("Nuke", "Pane", "Nodes", "Viewer")}
        self.toolbars: dict[str, ToolBar] = {"Nodes": ToolBar._make("Nodes")}
        self.tasks: list[ProgressTask] = []
        self.answer = True  # to nuke.ask
        self.texts: list[str | None] = []  # what a person gives to getInput, getFilename; None: cancelled
        self.said: list[str] = []  # by message, warning, error, tprint …
        self.bars_behind: list[int] = []  # how many bars stood when each of them was said
        self.expressions: dict[str, str] = {}  # what `[getenv SHOW]` in a file's name stands for
        self.groups: list[Group] = []  # that `with` has entered
        self.undo_is_off = 0
        self.is_modified = False
        self.this: Node | None = None
        self.paths: list[str] = []
        self._events: queue.Queue[Callable[[], Any]] = queue.Queue()

    @property
    def bars(self) -> int:
        """How many progress bars are shown."""
        return sum(task._is_shown for task in self.tasks)

    def say(self, text: str) -> None:
        self.said.append(text)
        self.bars_behind.append(self.bars)

    def add_node(self, kind: str, name: str = "", **knobs: Any) -> Node:
        """A node that was there before, with these values."""
        node: Node = (Group if kind == "Group" else Node)._make(kind, name or f"{kind}{1 + len(self.nodes)}")
        group = self.groups[-1] if self.groups else None
        node._group = None if group is self.root else group
        for knob, value in knobs.items():
            node._knobs[knob]._set(value)
        self.nodes.append(node)
        self.is_modified = True
        return node

    def center(self, gui: bool) -> list[int]:
        """Of what is seen of the node graph; without a window there is none."""
        if not gui:
            raise RuntimeError("there is no node graph without a window")
        return [1000, 500]

    def modified(self, state: bool | None = None) -> bool:
        """Has the script changed since it was saved? Adding or deleting a node changes it."""
        if state is not None:
            self.is_modified = state
        return self.is_modified

    def delete(self, node: Node) -> None:
        self.nodes.remove(node)
        self.is_modified = True

    def evaluated(self, text: str) -> str:
        """A file's name, with its expressions replaced."""
        for expression, value in self.expressions.items():
            text = text.replace(expression, value)
        return text

    def press(self, node: Node, button: str) -> None:
        """A PyScript button of a node: its text is Python."""
        self.this = node
        exec(str(node._knobs[button]._value), {})

    def run_events(self, until: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """The main thread's loop: does what other threads ask for, until it is so. Fails after the time."""
        import time

        end = time.monotonic() + timeout_s
        while not until():
            assert time.monotonic() < end, "the time for it is over"
            try:
                self._events.get(timeout=0.01)()
            except queue.Empty:
                continue

    def in_main_thread(self, call: Any, args: Any = (), kwargs: Any = None) -> None:
        arguments = args if isinstance(args, tuple) else (args,)
        self._events.put(lambda: call(*arguments, **(kwargs or {})))

    def in_main_thread_with_result(self, call: Any, args: Any = (), kwargs: Any = None) -> Any:
        arguments = args if isinstance(args, tuple) else (args,)
        if threading.current_thread() is threading.main_thread():
            raise RuntimeError("executeInMainThreadWithResult in the main thread hangs Nuke")
        done, results = threading.Event(), []

        def answer() -> None:
            try:
                results.append(call(*arguments, **(kwargs or {})))
            finally:
                done.set()

        self._events.put(answer)
        done.wait()
        return results[0] if results else None

    def create(self, kind: str, knobs: str = "", inpanel: bool = True) -> Node:
        """As `nuke.createNode`: it is selected, and nothing else."""
        for node in self.nodes:
            node._knobs["selected"]._set(False)
        words = knobs.split()
        node = self.add_node(kind, **dict(zip(words[::2], words[1::2], strict=True)))
        node._knobs["selected"]._set(True)
        return node

    def selected(self) -> list[Node]:
        return [node for node in self.nodes if node._knobs["selected"]._value]

    def one_selected(self) -> Node:
        if not self.selected():
            raise ValueError("no node selected")  # Nuke's own
        return self.selected()[-1]

    def give_text(self, *args: Any, **kwargs: Any) -> str | None:
        return self.texts.pop(0) if self.texts else None


HOST = Host()


def nuke_module(gui: bool) -> DoubledModule:
    """A fresh session, and the module of it."""
    COLORSPACES[:] = DEFAULT_COLORSPACES
    HOST.__init__()  # type: ignore[misc]
    ANY_THREAD.clear()
    ANY_THREAD.update(SAFE_IN_THREADS)
    module, host = DoubledModule(STUBS), HOST
    kinds = [Knob, String_Knob, Multiline_Eval_String_Knob, EvalString_Knob, File_Knob, Int_Knob, Double_Knob]
    kinds += [Boolean_Knob, Enumeration_Knob, Text_Knob, Tab_Knob, PyScript_Knob]
    others = [Node, Group, Root, Menu, MenuItem, ToolBar, Undo]
    module._provide(**{kind.__name__: kind for kind in [*kinds, *others]})
    module._provide(**dict.fromkeys(("message", "warning", "error", "critical", "debug"), host.say))
    module._provide(
        GUI=gui,
        ProgressTask=HeldTask,
        NUKE_VERSION_MAJOR=15,
        NUKE_VERSION_MINOR=1,
        NUKE_VERSION_STRING="15.1v1",
        INVISIBLE=0x400,
        STARTLINE=0x1000,
        tprint=lambda *words, **options: host.say(" ".join(map(str, words))),
        ask=lambda prompt: host.say(prompt) or host.answer,
        getInput=host.give_text,
        getFilename=host.give_text,
        root=lambda: host.root,
        allNodes=lambda *args, **kwargs: [node for node in host.nodes if not args or node._kind == args[0]],
        toNode=lambda name: next((node for node in host.nodes if node.fullName() == name), None),
        nodes=Nodes(),
        center=lambda: host.center(gui),
        modified=host.modified,
        filename=lambda node, i=0: host.evaluated(node._knobs["file"]._value) or None,
        thisNode=lambda: host.this,
        selectedNode=host.one_selected,
        selectedNodes=lambda kind="": [node for node in host.selected() if kind in ("", node._kind)],
        createNode=host.create,
        delete=host.delete,
        menu=lambda name: host.menus[name],
        toolbar=lambda name, create=True: host.toolbars.setdefault(name, ToolBar._make(name)),
        pluginAddPath=lambda path, addToSysPath=True: host.paths.insert(0, path),
        pluginPath=lambda: list(host.paths),
        scriptName=lambda: str(host.root._knobs["name"]._value),
        executeInMainThread=host.in_main_thread,
        executeInMainThreadWithResult=host.in_main_thread_with_result,
    )
    return module
