"""The line on which each key of a TOML file stands; `tomllib` does not say."""

import re
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 100  # of keys in keys
Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL = re.compile(r"'[^'\n]*'")
_LONG_BASIC = re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"""("{0,2})', re.DOTALL)
_LONG_LITERAL = re.compile(r"'''(?:[^']|'(?!''))*'''('{0,2})", re.DOTALL)
_PLAIN = re.compile(r"[^,\]}#\r\n]+")


def parse_toml(text: str) -> dict[str, Any]:
    """What the file says; the parser is loaded where there is a file, and not before.

    Raises:
        ValueError: it is no TOML; its class is the parser's own.
        RecursionError: it is nested too deeply.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(text)


def lines_of_keys(text: str) -> dict[Path, int]:
    """The line, from 1, of each key, table and element of an array: `("farm", "chunk")`, `("paths", 0, "linux")`.

    Args:
        text: that `tomllib` has read without complaint. Of anything else, the lines up to where it stops being TOML.
    """
    scan = _Scan(text)
    with suppress(_Lost, RecursionError):  # what was found by then is right, the rest falls back on the tables above
        scan.document()
    return scan.lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """Of the key, else of the innermost table that holds it, else 1."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1


class _Lost(Exception):
    """The text is not the TOML that it was taken for."""


@dataclass
class _Scan:
    """A reader that goes through the text once."""

    text: str
    place: int = 0
    lines: dict[Path, int] = field(default_factory=dict)
    counts: dict[Path, int] = field(default_factory=dict)  # tables so far, of each array of tables
    seen: tuple[int, int] = (0, 1)  # a place, and its line

    def document(self) -> None:
        self.text, table = self.text.replace("\r\n", "\n"), Path()
        while True:
            self._skip(_BLANK)
            if self.place >= len(self.text):
                return
            if self._at("["):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        is_array = self.text.startswith("[[", self.place)
        start = self.place
        self.place += 2 if is_array else 1
        *outer, last = self._dotted()
        path = (*self._through(outer, start), last)
        if is_array:
            number = self.counts.get(path, 0)
            self.counts[path] = number + 1
            self._note(path, start)
            path = (*path, number)
        self._note(path, start)
        self._expect("]]" if is_array else "]")
        return path

    def _pair(self, table: Path) -> None:
        start = self.place
        keys = self._dotted()
        self._expect("=")
        path = (*table, *keys)
        for length in range(len(table) + 1, len(path) + 1):
            self._note(path[:length], start)
        self._value(path)

    def _through(self, keys: list[str], place: int) -> Path:
        """Where a header's outer keys lead: into the last table of an array of tables."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            self._note(path, place)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def _dotted(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            keys.append(self._key())
            if len(keys) > MAX_DEPTH:  # nobody's settings; and all of its outer tables would take memory
                raise _Lost
            self._skip(_SPACE)
            if not self._at("."):
                return keys
            self.place += 1

    def _key(self) -> str:
        for pattern in (_BARE, _BASIC, _LITERAL):
            found = pattern.match(self.text, self.place)
            if found is not None:
                self.place = found.end()
                return found.group() if pattern is _BARE else _unquoted(found.group())
        raise _Lost

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        if self._at("["):
            self._array(path)
        elif self._at("{"):
            self._inline_table(path)
        else:
            patterns = (_LONG_BASIC, _LONG_LITERAL, _BASIC, _LITERAL, _PLAIN)
            found = next((hit for pattern in patterns if (hit := pattern.match(self.text, self.place))), None)
            if found is None:
                raise _Lost
            self.place = found.end()

    def _array(self, path: Path) -> None:
        self.place += 1
        number = 0
        while True:
            self._skip(_BLANK)
            if self._at("]"):
                break
            self._note((*path, number), self.place)
            self._value((*path, number))
            number += 1
            self._skip(_BLANK)
            if self._at(","):
                self.place += 1
            elif not self._at("]"):
                raise _Lost
        self.place += 1

    def _inline_table(self, path: Path) -> None:
        self.place += 1
        while True:
            self._skip(_BLANK)
            if self._at("}"):
                break
            self._pair(path)
            self._skip(_BLANK)
            if self._at(","):
                self.place += 1
            elif not self._at("}"):
                raise _Lost
        self.place += 1

    def _note(self, path: Path, place: int) -> None:
        before, line = self.seen
        line += self.text.count("\n", before, place)
        self.seen = (place, line)
        self.lines.setdefault(path, line)

    def _at(self, mark: str) -> bool:
        return self.text.startswith(mark, self.place)

    def _expect(self, mark: str) -> None:
        self._skip(_SPACE)
        if not self._at(mark):
            raise _Lost
        self.place += len(mark)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.place)
        assert found is not None
        self.place = found.end()


def _unquoted(text: str) -> str:
    if text[0] == "'" or "\\" not in text:
        return text[1:-1]
    return next(iter(parse_toml(f"{text} = 0")))
