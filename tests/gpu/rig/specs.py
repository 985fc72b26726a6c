"""Autospecs of a release's real classes: no attribute that is not there, no call that its signature does not take."""

from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import create_autospec

from signatures import check_call, signatures_of

Behaviour = Mapping[str, Callable[..., Any]]


_REAL: dict[str, Any] = {}  # classes that something stands in for now


def real_class(trt: Any, name: str) -> Any:
    """The release's own, also where something stands in for it."""
    return _REAL.setdefault(name, getattr(trt, name))


class Specs:
    """Makes objects of a release, and notes down every call.

    Attributes:
        calls: `Class.method` and its arguments, in order.
    """

    def __init__(self, trt: Any) -> None:
        self.trt = trt
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def object(self, class_name: str, behaviour: Behaviour | None = None, **values: Any) -> Any:
        """One object of a class.

        Args:
            behaviour: what methods do, by name; the others give None.
            values: of properties.
        """
        found = real_class(self.trt, class_name)
        made = create_autospec(found, instance=True, spec_set=True)
        for name in dir(found):
            overloads = signatures_of(name, getattr(found, name).__doc__)
            if overloads and not name.startswith("__"):
                answer = (behaviour or {}).get(name, lambda *args, **named: None)
                getattr(made, name).side_effect = self._checked(f"{class_name}.{name}", overloads, answer)
        for name in behaviour or {}:
            assert getattr(made, name).side_effect is not None, f"{class_name}.{name} has no signature to check"
        for name, value in values.items():
            setattr(made, name, value)
        return made

    def stand_in(self, class_name: str, make: Callable[..., Any]) -> None:
        """In the place of a class: its constructor's signature is checked, `make` gives the object."""
        overloads = signatures_of("__init__", real_class(self.trt, class_name).__init__.__doc__)
        assert overloads, class_name
        setattr(self.trt, class_name, self._checked(class_name, overloads, make))

    def _checked(self, what: str, overloads: Any, answer: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            check_call(self.trt, what, overloads, args, named)
            self.calls.append((what, args, named))
            return answer(*args, **named)

        return call

    def called(self, what: str) -> list[tuple[Any, ...]]:
        """The positional arguments of each call."""
        return [args for name, args, _ in self.calls if name == what]

    def order(self) -> list[str]:
        """What was called, in order."""
        return [name for name, _, _ in self.calls]
