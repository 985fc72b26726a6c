"""The dialogs: Houdini's own, filled with what the scene and the project say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import hou

from vfxgan_client import ClientError
from vfxgan_houdini.models import Model

TITLE = "vfxgan"
ANOTHER_FILE = "Another file…"


class NotAnswered(Exception):
    """The artist closed a dialog."""


def ask_values(text: str, fields: Mapping[str, str], button: str = "Render") -> dict[str, str]:
    """One line of text for each field.

    Args:
        fields: label → what stands there at first.
    Raises:
        NotAnswered: Cancel, Escape, or closed.
    """
    pressed, values = hou.ui.readMultiInput(
        text,
        tuple(fields),
        buttons=(button, "Cancel"),
        default_choice=0,
        close_choice=1,
        title=TITLE,
        initial_contents=tuple(fields.values()),
    )
    if pressed != 0:
        raise NotAnswered
    return {label: value.strip() for label, value in zip(fields, values)}


def choose_model(models: Sequence[Model]) -> str:
    """One of the models at hand, or a file; its path.

    Raises:
        NotAnswered: none was chosen.
    """
    lines = (*(model.line for model in models), ANOTHER_FILE)
    chosen = hou.ui.selectFromList(
        lines,
        default_choices=(0,),
        exclusive=True,
        message="Which model?",
        title=TITLE,
        column_header="Model",
        clear_on_cancel=True,
    )
    if not chosen:
        raise NotAnswered
    if chosen[0] < len(models):
        return models[chosen[0]].path
    path = hou.ui.selectFile(title="Model file", pattern="*.onnx", chooser_mode=hou.fileChooserMode.Read)
    if not path.strip():
        raise NotAnswered
    return hou.text.expandString(path.strip())


def choose_sequence() -> str:
    """Pictures on disk, as `$HIP/plate.$F4.exr`.

    Raises:
        NotAnswered: none were chosen.
    """
    path = hou.ui.selectFile(
        title="Sequence to process",
        collapse_sequences=True,
        file_type=hou.fileType.Image,
        chooser_mode=hou.fileChooserMode.Read,
    ).strip()
    if not path:
        raise NotAnswered
    return path


def choose_seeds(seeds: Sequence[int]) -> list[int]:
    """Some of them.

    Raises:
        NotAnswered: none.
    """
    chosen = hou.ui.selectFromList(
        tuple(f"seed {seed}" for seed in seeds),
        message="Which seeds are to be rendered at full quality? Their numbers are below the pictures.",
        title=TITLE,
        column_header="Seeds",
        num_visible_rows=20,
        clear_on_cancel=True,
    )
    if not chosen:
        raise NotAnswered
    return [seeds[place] for place in chosen]


def tell(text: str, details: Sequence[str] = ()) -> None:
    """Say how it went."""
    hou.ui.displayMessage(text, title=TITLE, details="\n".join(details) or None)


def tell_failure(error: Exception) -> None:
    """Say what failed, in its own words."""
    hou.ui.displayMessage(str(error), severity=hou.severityType.Error, title=TITLE)


def whole_number(label: str, text: str) -> int:
    """Raises ClientError where it is none."""
    try:
        return int(text)
    except ValueError as error:
        raise ClientError(f"{label} {text!r} is no whole number; write one such as 1001") from error
