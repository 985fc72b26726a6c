"""Where the files of farm jobs go: no job's files replace those of another in silence."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from vfxgan.cli.submit_plan import Planned

FOLDER = "farm"
MAX_LOOKED_AT = 1_000_000  # bytes of a file, in which a job names its frames


def folders_of(jobs: "Sequence[Planned]", given: Path | None, *, is_many: bool, is_named: bool) -> list[Path]:
    """Where each job's files go; those of many shots in a folder each, which no other has, whatever its case.

    Args:
        given: folder of one job, or of all folders.
        is_named: by `--name`; a job that is named after the folder of its frames alone gets a number where that name
            is another render's already.
    """
    if given is not None and not is_many:
        return [given]
    taken: set[str] = set()
    folders = []
    for part in jobs:
        by_chance = not (is_many or is_named or part.render.shot)
        for name in _names(part.job.name):
            folder = (given or Path(FOLDER)) / name
            if name.casefold() not in taken and not (by_chance and _is_anothers(folder, part.render.part.out)):
                break
        taken.add(name.casefold())
        folders.append(folder)
    return folders


def _names(name: str) -> Iterator[str]:
    """`exr`, `exr-2`, …"""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._") or "job"
    yield plain
    yield from (f"{plain}-{number}" for number in count(2))


def _is_anothers(folder: Path, out: str) -> bool:
    """Whether a folder holds a job's files, and none of them names these frames, in any engine's way of quoting."""
    if not folder.is_dir():
        return False
    quoted = {out, json.dumps(out)[1:-1], shlex.quote(out), escape(out)}
    texts = [_text(path) for path in folder.iterdir() if path.is_file() and path.suffix != ".log"]
    return bool(texts) and not any(form in text for text in texts for form in quoted)


def _text(path: Path) -> str:
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        return file.read(MAX_LOOKED_AT)
