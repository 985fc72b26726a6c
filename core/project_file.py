"""`vfxgan.toml` read and checked; each problem with its line."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vfxgan.errors import UsageError
from vfxgan.path_map import SYSTEMS, PathMap, Roots, check_root
from vfxgan.project_keys import BY_NAME, PATHS, ROWS, TABLES, shown
from vfxgan.project_lines import line_of, lines_of_keys, parse_toml

SETTINGS_FILE = "vfxgan.toml"
PROJECT_VARIABLE = "VFXGAN_PROJECT"
MAX_BYTES = 64 << 10  # a row of the path map takes about 100
MAX_LINE = 4000  # characters; a key of many dots takes the parser time by the square of their number
NAMED_PROBLEMS = 3

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device"}
_Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Settings:
    """What the file says.

    Attributes:
        values: of the keys that are right, by their names: `farm.chunk`.
        rows: of the path map that are right.
        problems: one text each: `shot/vfxgan.toml:12: farm.chunk is 0, not 1 … 100000`.
    """

    file: Path
    text: str
    values: Mapping[str, Any]
    rows: tuple[Roots, ...] = ()
    problems: tuple[str, ...] = ()

    @cached_property
    def lines(self) -> dict[_Place, int]:
        """Where each key stands."""
        return lines_of_keys(self.text)

    def line(self, name: str) -> int:
        """Where a key stands, by its name."""
        return line_of(self.lines, tuple(int(word) if word.isdecimal() else word for word in name.split(".")))

    def refuse_problems(self) -> None:
        """Raises UsageError if there are any: the first few, and how many more."""
        if self.problems:
            more = len(self.problems) - NAMED_PROBLEMS
            said = "; ".join(self.problems[:NAMED_PROBLEMS])
            raise UsageError(said + (f"; and {more} more: vfxgan project lists them" if more > 0 else ""))


def locate() -> Path | None:
    """The file that $VFXGAN_PROJECT names, else that of the working folder or the nearest one above; None: no file.

    Raises:
        UsageError: the working folder is gone.
    """
    named = os.environ.get(PROJECT_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    try:
        here = Path.cwd()
    except FileNotFoundError as error:
        raise UsageError("the working folder was removed; change into another one") from error
    # A link that leads nowhere is somebody's mistake, and no reason to take the next file above.
    return next((folder / SETTINGS_FILE for folder in (here, *here.parents) if _is_there(folder / SETTINGS_FILE)), None)


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except OSError:  # also a folder above that may not be looked into
        return False
    return True


def read_settings(file: Path) -> Settings:
    """Read and check the file.

    Raises:
        UsageError: it cannot be read, or is no TOML; what is wrong with its keys is in `problems`.
    """
    text = _read(file)
    try:
        document = parse_toml(text)
    except ValueError as error:
        at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", str(error))
        line = (at[1] if at and at[1] else str(text.count("\n") + 1)) if at else "1"
        reason = str(error).replace(at.group(), "") if at else str(error)
        key, equals, _ = text.split("\n")[int(line) - 1].partition("=")
        if reason == "Cannot overwrite a value" and equals:
            reason = f"{key.strip()} is set twice"
        raise UsageError(f"{file}:{line}: cannot be read ({' '.join(reason.split())}); correct it") from error
    except RecursionError as error:
        raise UsageError(f"{file}: cannot be read (nested too deeply); correct it or remove it") from error
    rows, wrong = _rows(document.pop(ROWS, []))
    values = {}
    for place, value in _flat(document, ()):
        name = ".".join(place)
        problem = _problem(place, value)
        if problem:
            wrong.append((place, problem))
        else:
            values[name] = value
    for name in PATHS:
        problem = PathMap(rows).unmapped(values[name]) if name in values else ""
        if problem:
            wrong.append(
                (tuple(name.split(".")), f"{name} is {shown(values.pop(name))}: {problem.removeprefix('is ')}")
            )
    lines = lines_of_keys(text) if wrong else {}
    found = sorted((line_of(lines, place), said) for place, said in wrong)
    return Settings(file, text, values, rows, tuple(f"{file}:{line}: {said}" for line, said in found))


def _read(file: Path) -> str:
    origin = f" (from ${PROJECT_VARIABLE})" if os.environ.get(PROJECT_VARIABLE) else ""
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            hint = f"; name the {SETTINGS_FILE} in it" if origin and stat.S_ISDIR(mode) else "; remove or rename it"
            raise UsageError(f"{file}{origin}: is {_KINDS.get(stat.S_IFMT(mode), 'no file')}, not a file{hint}")
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file}{origin}: cannot be read ({error.strerror}); correct it or remove it") from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{file}{origin}: has more than {MAX_BYTES >> 10} KiB; this is no settings file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{file}:{line}: cannot be read (not UTF-8 text); save it as UTF-8") from error
    for number, words in enumerate(text.split("\n"), 1):
        if len(words) > MAX_LINE:
            raise UsageError(f"{file}:{number}: has more than {MAX_LINE} characters; this is no settings file")
    return text


def _flat(table: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Keys with their tables' names before them; what is no table of ours is left whole."""
    for key, value in table.items():
        place = (*above, key)
        if isinstance(value, dict) and ".".join(place) in TABLES:
            yield from _flat(value, place)
        else:
            yield place, value


def _problem(place: tuple[str, ...], value: Any) -> str:
    name = ".".join(place)
    if name in BY_NAME and "." not in place[-1]:
        said = BY_NAME[name].check(value)
        return f"{name} {said}" if said else ""
    if name in TABLES:
        return f"{name} is {shown(value)}, not a table; write [{name}]"
    import difflib

    known = [*BY_NAME, *TABLES, ROWS]
    close = difflib.get_close_matches(name, known, n=1) or difflib.get_close_matches(
        place[-1], [key.rpartition(".")[2] for key in known], n=1
    )
    named = next((key for key in known if close and key.endswith(close[0])), None)
    return f"unknown key {name[:80]!r}" + (f"; did you mean {named}?" if named else "; docs/project.md lists them all")


def _rows(value: Any) -> tuple[tuple[Roots, ...], list[tuple[_Place, str]]]:
    """The path map's rows that are right, and what is wrong with the others."""
    if not isinstance(value, list) or any(not isinstance(row, dict) for row in value):
        return (), [((ROWS,), f"{ROWS} is {shown(value)}, not a list of tables; write [[{ROWS}]]")]
    rows: list[Roots] = []
    wrong: list[tuple[_Place, str]] = []
    for place, row in enumerate(value):
        said = list(_row_problems(row))
        wrong += [((ROWS, place, *key), f"{ROWS} row {place + 1}: {text}") for key, text in said]
        if not said:
            rows.append(Roots(**row))
    return tuple(rows), wrong


def _row_problems(row: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in row.items():
        if key not in SYSTEMS:
            yield (key,), f"unknown side {shown(key)}; there are {', '.join(SYSTEMS)}"
        elif not isinstance(value, str):
            yield (key,), f"{key} is {shown(value)}, not text"
        elif problem := check_root(key, value):
            yield (key,), f"{key} {shown(value)} {problem}"
    given = [key for key in row if key in SYSTEMS]
    if len(given) < 2 and len(given) == len(row):  # an unknown side is most likely the other one, misspelt
        lacks = next(system for system in SYSTEMS if system not in given)
        yield (), f"has {'only ' + given[0] if given else 'no side'}; name the same folder on another system: {lacks} ="
