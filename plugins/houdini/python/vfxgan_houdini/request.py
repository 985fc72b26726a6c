"""What an artist asks for, as words of `vfxgan render`. No Houdini in here."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from vfxgan_client import ClientError


@dataclass(frozen=True)
class Request:
    """A render of seeds, or of an input sequence; empty where absent, which leaves it to vfxgan and the project file.

    Attributes:
        out, plates: patterns with `####`.
        frames: of the input sequence, `1001-1100`; of seeds, those frames alone.
        first_frame: where the first seed goes; empty: seed s goes to frame s.
        options: further words of the command line, quoted as in a terminal.
    """

    out: str
    seeds: str = ""
    plates: str = ""
    frames: str = ""
    first_frame: str = ""
    model: str = ""
    colorspace: str = ""
    in_colorspace: str = ""
    options: str = ""

    def arguments(self, frames: str | None = None) -> list[str]:
        """The command line; with `frames`, of a part.

        Raises:
            ClientError: the options end inside a quotation.
        """
        values = {
            "--model": self.model,
            "--seeds": self.seeds,
            "--in": self.plates,
            "--frames": self.frames if frames is None else frames,
            "--start-frame": self.first_frame,
            "--colorspace": self.colorspace,
            "--in-colorspace": self.in_colorspace,
            "--out": self.out,
        }
        # One word each, so that a value that begins with a dash is no option.
        given = [f"{option}={value.strip()}" for option, value in values.items() if value.strip()]
        try:
            return ["render", *given, *shlex.split(self.options)]
        except ValueError as error:
            raise ClientError(f"other options {self.options!r}: {error}; close it, or leave it out") from error

    def absolute(self, folder: str) -> Request:
        """The same with whole paths, for a process that works in another folder."""

        def whole(path: str) -> str:
            return Path(folder, path.strip()).as_posix() if path.strip() else ""

        seeds = self.seeds.strip()
        seeds = f"@{whole(seeds[1:])}" if seeds.startswith("@") else seeds
        return replace(self, out=whole(self.out), plates=whole(self.plates), seeds=seeds)
