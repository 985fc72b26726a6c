"""A panel of knobs: the one place that touches `nukescripts`, which has no published stubs. Main thread only.

Used of it: `PythonPanel(title)`, `.addKnob(knob)`, `.showModalDialog()`, which is true for OK; as documented at
https://learn.foundry.com/nuke/developers/latest/pythondevguide/custom_panels.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Union

import nuke

Answers = dict[str, Any]  # by the fields' names


class _Dialog(Protocol):
    def addKnob(self, knob: nuke.Knob) -> object: ...  # noqa: N802 - Nuke's own names

    def showModalDialog(self) -> bool: ...  # noqa: N802


@dataclass(frozen=True)
class Text:
    """A line of text."""

    name: str
    label: str
    value: str = ""
    tooltip: str = ""

    def knob(self) -> nuke.Knob:
        return nuke.String_Knob(self.name, self.label)


@dataclass(frozen=True)
class File(Text):
    """A file name, with Nuke's file browser; its answer has no expressions."""

    def knob(self) -> nuke.Knob:
        return nuke.File_Knob(self.name, self.label)


@dataclass(frozen=True)
class Choice(Text):
    """One of several; `value` is one of them."""

    choices: tuple[str, ...] = ()

    def knob(self) -> nuke.Knob:
        return nuke.Enumeration_Knob(self.name, self.label, list(self.choices))


@dataclass(frozen=True)
class Tick:
    """Yes or no."""

    name: str
    label: str
    value: bool = False
    tooltip: str = ""

    def knob(self) -> nuke.Knob:
        knob = nuke.Boolean_Knob(self.name, self.label)
        knob.setFlag(nuke.STARTLINE)
        return knob


@dataclass(frozen=True)
class Number:
    """A number with a fraction."""

    name: str
    label: str
    value: float = 0.0
    tooltip: str = ""

    def knob(self) -> nuke.Knob:
        return nuke.Double_Knob(self.name, self.label)


Field = Union[Text, Tick, Number]  # Python 3.9 has no `|` of types at run time


def ask_for(title: str, fields: Sequence[Field]) -> Answers | None:
    """Show a panel until OK or Cancel.

    Returns:
        The answers by the fields' names; None for Cancel.
    """
    import nukescripts  # type: ignore[import-not-found]  # here: it needs a window

    dialog: _Dialog = nukescripts.PythonPanel(title)
    knobs = {}
    for field in fields:
        knob = field.knob()
        knob.setValue(field.value)
        knob.setTooltip(field.tooltip)
        dialog.addKnob(knob)
        knobs[field.name] = knob
    if not dialog.showModalDialog():
        return None
    return {name: _answer(knob) for name, knob in knobs.items()}


def with_answers(fields: Sequence[Field], answers: Answers) -> list[Field]:
    """The same panel, as it was when OK was pressed."""
    return [replace(field, value=answers[field.name]) for field in fields]


def _answer(knob: nuke.Knob) -> Any:
    """A file knob's without expressions; it keeps the place of the frame's number."""
    value = knob.getEvaluatedValue() if isinstance(knob, nuke.File_Knob) else knob.value()
    return value.strip() if isinstance(value, str) else value
