"""Questions to vfxgan that Houdini waits for: Escape ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import hou

from vfxgan_client import Command, ask

WITHIN_S = 60.0


@contextmanager
def interruptable(what: str) -> Iterator[Callable[[], bool]]:
    """For what takes an `is_cancelled`: it looks whether Escape was pressed, and raises what Houdini does then.

    Raises:
        hou.OperationInterrupted: Escape; the question's process was ended.
    """
    with hou.InterruptableOperation("Asking vfxgan", f"vfxgan: {what}", open_interrupt_dialog=True) as operation:

        def look() -> bool:
            operation.updateLongProgress(0.0, what)
            return False

        yield look


def ask_interruptably(command: Command, arguments: Sequence[str], folder: str, what: str) -> Any:
    """As `vfxgan_client.ask`.

    Args:
        what: is asked for, for the artist.
    Raises:
        hou.OperationInterrupted: Escape.
        ClientError: it gave no answer, in its own words.
    """
    with interruptable(what) as is_cancelled:
        return ask(command, arguments, folder, WITHIN_S, is_cancelled)
