"""Names of host modules that have no published stubs, each with the page that documents it.

What is written here was compared with the documentation by reading, not by a type checker: plug-ins keep to these.
"""

# The names are the host's own.
# ruff: noqa: N802, N803

import types
from typing import Any

from double.recording import RECORDING, Call

PDG: dict[str, str] = {
    # https://www.sidefx.com/docs/houdini/tops/pdg/WorkItem.html
    "WorkItem.addExpectedOutputFile": "path, tag, own",
    "WorkItem.addOutputFile": "path, tag, hash_code, own",
    "WorkItem.setIntAttrib": "name, value, index",
    "WorkItem.setStringAttrib": "name, value, index",
    "WorkItem.stringAttribValue": "name, index",
    "WorkItem.setCommand": "command",
    "WorkItem.setCookPercent": "percent",
    "WorkItem.setCustomState": "state",
    "WorkItem.addWarning": "message",
    # https://www.sidefx.com/docs/houdini/tops/pdg/WorkItemHolder.html, and for the names of its options
    # https://www.sidefx.com/docs/houdini/tops/pdg/WorkItemOptions.html; what that calls deprecated is left out.
    "WorkItemHolder.addWorkItem": "options, *, batch, batchOffset, batchSize, cloneMode, cloneOutputFiles, "
    "cloneTarget, cookType, index, isDynamicBatch, isNoGenerate, name, parent, parentArray, parentArrayOffset, "
    "preserveType, priority",
}
NUKESCRIPTS: dict[str, str] = {
    # https://learn.foundry.com/nuke/developers/160/pythondevguide/custom_panels.html and
    # https://learn.foundry.com/nuke/developers/160/pythondevguide/_autosummary/nukescripts.PythonPanel.html
    "PythonPanel": "title, id, scrollable",
    "PythonPanel.addKnob": "knob",
    "PythonPanel.showModalDialog": "defaultKnobText",
    "PythonPanel.knobs": "",
    "PythonPanel.knobChanged": "knob",
}


def record(name: str, *args: Any, on: Any = None, **kwargs: Any) -> None:
    """For the doubles of these modules: checks the name, the number of arguments and keywords against the list."""
    module, _, short = name.partition(".")
    listed = {"nukescripts": NUKESCRIPTS, "pdg": PDG}[module]
    if short not in listed:
        raise AttributeError(f"{name} is not in the list of names with documentation; see double/unstubbed.py")
    places, _, others = listed[short].partition("*")
    positional, keywords = ([each.strip() for each in part.split(",") if each.strip()] for part in (places, others))
    unknown = [each for each in kwargs if each not in (*positional, *keywords)]
    if unknown or len(args) > len(positional):
        raise TypeError(f"{name} takes ({listed[short]}), not {[*args, *unknown]}; see double/unstubbed.py")
    RECORDING.calls.append(Call(name, args, kwargs, on, is_checked=False))


class PythonPanel:
    """nukescripts.PythonPanel: knobs under a title. A test sets `PythonPanel.answer`."""

    answer: Any = staticmethod(lambda panel: True)

    def __init__(self, title: str = "", id: str = "", scrollable: bool = True) -> None:
        record("nukescripts.PythonPanel", title, id, scrollable, on=self)
        self._title, self._knobs = title, {}

    def addKnob(self, knob: Any) -> Any:
        record("nukescripts.PythonPanel.addKnob", knob, on=self)
        self._knobs[knob._name] = knob
        return knob

    def knobs(self) -> dict[str, Any]:
        return dict(self._knobs)

    def knobChanged(self, knob: Any) -> None:
        """For panels to override."""

    def showModalDialog(self, defaultKnobText: str = "") -> bool:
        record("nukescripts.PythonPanel.showModalDialog", defaultKnobText, on=self)
        return bool(type(self).answer(self))


def nukescripts_module() -> types.ModuleType:
    module = types.ModuleType("nukescripts")
    PythonPanel.answer = staticmethod(lambda panel: True)
    module.PythonPanel = PythonPanel  # type: ignore[attr-defined]
    module.panels = types.ModuleType("nukescripts.panels")  # type: ignore[attr-defined]
    module.panels.PythonPanel = PythonPanel
    return module
