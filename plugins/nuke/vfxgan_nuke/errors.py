"""What the plug-in refuses: one line for the artist, shown as it is."""

from __future__ import annotations


class Refusal(Exception):
    """Something that was asked for cannot be done; the line says what to change."""


class RenderFailed(Exception):
    """A render that was started did not come to its end.

    Attributes:
        code: the command's exit code: 2 is bad usage, before any frame; negative: killed by that signal.
    """

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class RenderCancelled(Exception):
    """The artist stopped it; frames that are done are whole."""
