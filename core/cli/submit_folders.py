"""Where the files of farm jobs go: no job's files replace those of another in silence."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vfxgan.cli.submit_plan import Planned

FOLDER = "farm"


def folders_of(jobs: "Sequence[Planned]", given: Path | None, *, is_many: bool, is_named: bool) -> list[Path]:
    """Where each job's files go: to the folder of its name, with a number where that is another job's, in any case.

    Args:
        given: folder of one job, or of all folders.
        is_named: by `--name`; a job that has neither that nor a shot, and so the name of its frames' folder by
            chance, is the job of these frames; any other is the job of its name.
    """
    if given is not None and not is_many:
        return [given]
    root = given or Path(FOLDER)
    there = _folders_in(root)
    taken: set[str] = set()
    folders = []
    for part in jobs:
        by_chance = not (is_many or is_named or part.render.shot)
        out = part.render.part.out if by_chance else None
        for name in _names(part.job.name):
            alike = {root / name, *there[name.casefold()]}
            if name.casefold() not in taken and not any(_is_anothers(folder, part.job.name, out) for folder in alike):
                break
        taken.add(name.casefold())
        folders.append(root / name)
    return folders


def _folders_in(root: Path) -> dict[str, list[Path]]:
    """By their names in small letters; none where they cannot be listed: each is still tried by its own name."""
    found: dict[str, list[Path]] = defaultdict(list)
    try:
        for path in root.iterdir():
            found[path.name.casefold()].append(path)
    except OSError:
        return found
    return found


def _names(name: str) -> Iterator[str]:
    """`exr`, `exr-2`, …"""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._") or "job"
    yield plain
    yield from (f"{plain}-{number}" for number in count(2))


def _is_anothers(folder: Path, name: str, out: str | None) -> bool:
    """Whether a folder holds files, and they are not known to be those of this job; logs alone are nobody's.

    Args:
        out: of its frames; None: it is known by its name.
    """
    from vfxgan.farm.written import read_written

    try:
        if all(path.suffix == ".log" for path in folder.iterdir()):
            return False
    except FileNotFoundError:
        return folder.is_symlink()
    except OSError:  # no folder, or not ours to look into
        return True
    written = read_written(folder)
    return written is None or (written.name != name if out is None else written.out != out)
