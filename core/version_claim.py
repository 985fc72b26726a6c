"""A version's folder that is made for nobody else to take, and given back while nothing is in it."""

import itertools
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Claim:
    """A folder that was made here.

    Attributes:
        above: the folders that were made for it to stand in, the innermost first.
        is_kept: a job that was submitted will write there, so that it is not given back.
    """

    folder: Path
    above: tuple[Path, ...] = ()
    is_kept: bool = False

    def give_back(self) -> None:
        """Remove what was made and is empty; what somebody put something into stays."""
        if not self.is_kept:
            _remove_empty(Path(folder) for folder, _, _ in os.walk(self.folder, topdown=False))
            _remove_empty(self.above)


def claim_folder(folder: Path) -> Claim:
    """Make a folder, and those above it that are not there.

    Raises:
        FileExistsError: somebody has it.
        OSError: it cannot be made; nothing that was made for it is left.
    """
    made: list[Path] = []
    try:
        for parent in reversed(list(itertools.takewhile(lambda above: not above.exists(), folder.parents))):
            with suppress(FileExistsError):  # somebody was faster: it is theirs
                parent.mkdir()
                made.insert(0, parent)
        folder.mkdir()
    except OSError:
        _remove_empty(made)
        raise
    return Claim(folder, tuple(made))


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # not empty: it is in use
            folder.rmdir()
