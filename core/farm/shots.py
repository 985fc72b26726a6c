"""`--shots shots.csv`: a row a job; a column each for the shot's name and for options of `vfxgan render`."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vfxgan.errors import UsageError
from vfxgan.project_keys import name_problem

SHOT = "shot"
YES, NO = ("yes", "true", "1"), ("no", "false", "0")
MAX_ROWS = 10_000


@dataclass(frozen=True)
class Shot:
    """One row.

    Attributes:
        where: for messages: `shots.csv:3`.
        cells: by the names of columns; empty ones are left out.
    """

    name: str
    where: str
    cells: Mapping[str, str]


def read_shots(path: Path, options: Mapping[str, bool]) -> list[Shot]:
    """Rows of a CSV file (UTF-8, commas, a row of names first), checked as far as that goes without a render.

    Args:
        options: that a column may be named after, without their dashes; whether one is a flag.
    Raises:
        UsageError: the file cannot be read, or a row is wrong: with its line and column.
    """
    rows = _rows(path)
    line, header = next(rows, (1, []))
    names = [name.strip() for name in header]
    _check_header(f"{path}:{line}", names, options)
    shots: list[Shot] = []
    lines: dict[str, str] = {}
    for line, row in rows:
        where = f"{path}:{line}"
        shot = _shot(where, names, row, options)
        if shot.name in lines:
            raise UsageError(f"{where}, column {SHOT}: {shot.name!r} stands in {lines[shot.name]} already")
        lines[shot.name] = where
        shots.append(shot)
        if len(shots) > MAX_ROWS:
            raise UsageError(f"{path}: more than {MAX_ROWS} rows; submit them in several files")
    if not shots:
        raise UsageError(f"{path}: no shots in it; write a row of names (shot,seeds,out), then a row a shot")
    return shots


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, each with the line that it begins on."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader, begins = csv.reader(file, strict=True), 1
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield begins, row
                begins = reader.line_num + 1
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text ({error.reason}); save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: is not CSV ({error}); check its quotes") from error
    except OSError as error:
        raise UsageError(f"--shots {path}: cannot be read ({error.strerror}); check the path") from error


def _check_header(where: str, names: Sequence[str], options: Mapping[str, bool]) -> None:
    if SHOT not in names:
        raise UsageError(f"{where}: no column {SHOT!r}; {_remedy(names)}")
    for name in names:
        if name != SHOT and name not in options:
            plain = name.strip("-").lower()
            remedy = f"write {plain}" if plain in options else "write it without dashes, as seeds"
            raise UsageError(f"{where}, column {name!r}: is no option of vfxgan render; {remedy}")
        if names.count(name) > 1:
            raise UsageError(f"{where}, column {name!r}: is there twice")


def _remedy(names: Sequence[str]) -> str:
    """What a spreadsheet made of the first row, or of its cells."""
    other = next((name for name in names if name.lower() == SHOT), None)
    if other is not None:
        return f"write it without capitals, not {other!r}"
    for mark, called in ((";", "';'"), ("\t", "tabs")):
        if len(names) == 1 and mark in names[0]:
            return f"its cells have {called} between them, not commas; save it with commas"
    return "the first row names the columns, such as shot,seeds,out"


def _shot(where: str, names: Sequence[str], row: Sequence[str], options: Mapping[str, bool]) -> Shot:
    if len(row) > len(names) and any(cell.strip() for cell in row[len(names) :]):
        raise UsageError(f"{where}: {len(row)} cells for {len(names)} columns; put a cell with a comma in quotes")
    cells = {name: cell.strip() for name, cell in zip(names, row, strict=False) if cell.strip()}
    shot = cells.pop(SHOT, "")
    problem = name_problem(shot)
    if problem:
        raise UsageError(f"{where}, column {SHOT}: {shot!r} {problem}")
    for name, cell in cells.items():
        if "\0" in cell:
            raise UsageError(f"{where}, column {name}: {cell!r} holds a NUL character; write the cell again")
        if options[name] and cell.lower() not in (*YES, *NO):
            raise UsageError(f"{where}, column {name}: {cell!r} is neither yes nor no")
    return Shot(shot, where, cells)


def arguments_of(shot: Shot, options: Mapping[str, bool]) -> list[str]:
    """The cells as a command line of render, each value joined to its option: what looks like an option stays one."""
    words = [f"--{name}" for name, cell in shot.cells.items() if options[name] and cell.lower() in YES]
    return words + [f"--{name}={cell}" for name, cell in shot.cells.items() if not options[name]]
