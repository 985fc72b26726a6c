"""What doubles are made of: objects and modules whose every use is checked against the stubs and recorded."""

import functools
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from double.stubs import Class, Function, Module

OBJECTS_OWN = set(dir(object)) | {"__init_subclass__", "__module__", "__doc__", "__annotations__", "__dict__"}


@dataclass(frozen=True)
class Call:
    """One call by a plug-in. `name`: `nuke.createNode`, `Node.setXYpos`; `on`: the object of a method."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    on: Any = None
    is_checked: bool = True  # False: the stub takes anything
    in_main_thread: bool = True


@dataclass
class Recording:
    """All calls of a test, in order."""

    calls: list[Call] = field(default_factory=list)

    def of(self, name: str) -> list[Call]:
        return [call for call in self.calls if call.name == name]

    def first_words(self, name: str) -> list[Any]:
        """The first argument of each call of that name."""
        return [call.args[0] for call in self.of(name)]


RECORDING = Recording()  # the fixture empties it
ANY_THREAD: set[str] = set()  # names that a host allows in any thread; where it is empty, all are


def use(name: str, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], on: Any = None) -> None:
    """Check a call and record it. Raises TypeError where it does not fit, RuntimeError in the wrong thread."""
    misfit = function.misfit(args, kwargs)
    if misfit:
        raise TypeError(f"{name}: {misfit}")
    is_main = threading.current_thread() is threading.main_thread()
    RECORDING.calls.append(Call(name, args, kwargs, on, function.is_checked, is_main))
    if not is_main and ANY_THREAD and name not in ANY_THREAD:
        raise RuntimeError(f"{name} was called from the thread {threading.current_thread().name}, not the main one")


def _checked(name: str, function: Function, behaviour: Callable[..., Any], on: Any) -> Callable[..., Any]:
    @functools.wraps(behaviour)
    def call(*args: Any, **kwargs: Any) -> Any:
        use(name, function, args, kwargs, on)
        return behaviour(*args, **kwargs)

    return call


class Doubled:
    """Base of a host's class. A subclass names itself as in the stubs, or sets `_stub_name`.

    Its public methods are what plug-ins may call; they and the double itself use each other's private ones, which are
    neither checked nor recorded.
    """

    _module: ClassVar[Module]
    _stub_name: ClassVar[str] = ""

    def __init_subclass__(cls, abstract: bool = False) -> None:
        if abstract or not cls.__module__.startswith("double"):  # a plug-in may add to what it inherits
            return
        stub = cls._stub()
        foreign = [name for name in vars(cls) if not _is_own(name) and name not in stub.members]
        assert not foreign, f"{cls._module.name}.{stub.name} has no {', '.join(foreign)} in the stubs"

    @classmethod
    def _stub(cls) -> Class:
        names = [each.__dict__.get("_stub_name") or each.__name__ for each in cls.__mro__]
        return next(cls._module.classes[name] for name in names if name in cls._module.classes)

    @classmethod
    def _make(cls, *args: Any) -> Any:
        """By the double itself: neither checked nor recorded."""
        made = object.__new__(cls)
        made.__init__(*args)
        return made

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        made, stub = super().__new__(cls), cls._stub()
        constructor = stub.members.get("__init__")
        assert constructor is not None, f"{stub.name} has no constructor in the stubs"
        use(f"{cls._module.name}.{stub.name}", constructor, args, kwargs, made)
        return made

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        stub = type(self)._stub()
        if name not in stub.members:
            raise AttributeError(f"{stub.name} has no {name} in the stubs of {self._module.name}")
        try:
            value = object.__getattribute__(self, name)
        except AttributeError:
            raise NotImplementedError(
                f"{stub.name}.{name} exists, and the double does not do it yet; write it"
            ) from None
        function = stub.members[name]
        return value if function is None else _checked(f"{stub.name}.{name}", function, value, self)


def _is_own(name: str) -> bool:
    return name in OBJECTS_OWN or (name.startswith("_") and not name.endswith("__"))


class DoubledModule(types.ModuleType):
    """A host's module: `provide` gives it what it can do."""

    def __init__(self, stub: Module) -> None:
        super().__init__(stub.name)
        self._stub = stub
        self._behaviour: dict[str, Any] = {}

    def _provide(self, **behaviour: Any) -> None:
        """Functions, classes and values by their names, which the stubs must have."""
        foreign = [name for name in behaviour if not self._stub.has(name)]
        assert not foreign, f"{self._stub.name} has no {', '.join(foreign)} in the stubs"
        self._behaviour |= behaviour

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if not self._stub.has(name):
            raise AttributeError(f"{self._stub.name} has no {name} in its stubs")
        if name not in self._behaviour:
            raise NotImplementedError(f"{self._stub.name}.{name} exists, and the double does not do it yet; write it")
        value = self._behaviour[name]
        function = self._stub.functions.get(name)
        return value if function is None else _checked(f"{self._stub.name}.{name}", function, value, None)
