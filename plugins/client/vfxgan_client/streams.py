"""Reads a child's output in bounded memory, whatever it prints."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import IO

LONGEST_LINE = 1 << 20  # bytes; a line of progress has a few hundred
PIECE = 1 << 16


def lines_of(stream: IO[bytes], longest: int = LONGEST_LINE) -> Iterator[bytes | None]:
    """The lines of a pipe as they come, without their ends; the last one may lack its own.

    Yields None in the place of a line that is longer than `longest`.
    """
    begun, is_too_long = bytearray(), False
    while True:
        piece = stream.read1(PIECE)  # type: ignore[attr-defined]  # a pipe of Popen is a BufferedReader
        if not piece:
            break
        *ends, rest = piece.split(b"\n")
        for end in ends:
            begun += end
            yield None if is_too_long or len(begun) > longest else bytes(begun).rstrip(b"\r")
            begun, is_too_long = bytearray(), False
        begun += rest
        if len(begun) > longest:
            begun, is_too_long = bytearray(), True
    if begun and not is_too_long:
        yield bytes(begun)


class LastLines:
    """The last lines of stderr: among them, why a command failed that could not say so in JSON."""

    OWN = "vfxgan: "  # how the command begins the line of an error

    def __init__(self, count: int = 50, longest: int = 4096) -> None:
        self._lines: collections.deque[str] = collections.deque(maxlen=count)
        self._longest = longest

    def read(self, stream: IO[bytes]) -> None:
        """Body of a thread: until the pipe is closed."""
        with stream:
            for line in lines_of(stream):
                text = "" if line is None else line[: self._longest].decode("utf-8", "replace").strip()
                if text:
                    self._lines.append(text)

    @property
    def lines(self) -> list[str]:
        return list(self._lines)

    @property
    def reason(self) -> str:
        """The command's own last line, else the last of all, else nothing."""
        lines = self.lines
        own = [line[len(self.OWN) :] for line in lines if line.startswith(self.OWN)]
        return (own or lines or [""])[-1]
