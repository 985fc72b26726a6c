"""The lines of a TOML file's keys, which `tomllib` does not tell."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import tomllib
from hypothesis import given, settings
from hypothesis import strategies as st

from vfxgan.project_lines import line_of, lines_of_keys

# No k in them, so that a key's name stands where the key is, and nowhere else.
LETTERS = st.text(alphabet="ab [{#,=]}.'é", max_size=6)
BASIC = st.builds('"{}"'.format, st.one_of(LETTERS, st.just(r"\"#\\"), st.just(r"é\n")))
LITERAL = LETTERS.map(lambda text: f"'{text.replace(chr(39), '')}'")
LONG = st.sampled_from(['"""\na # [x]\n"" b\\\n  c"""', "'''\n[[y]]\nz = 1'''", '"""a"""""', "''''a'''", '""""b"""'])
PLAIN = st.sampled_from(["1", "-2.5", "true", "1979-05-27 07:32:00Z", "0xff", "inf"])
BETWEEN = st.sampled_from(["", "\n", " # a ] comment, with = and }\n", "\n\n  "])


@st.composite
def arrays(draw: Any, values: st.SearchStrategy[str]) -> str:
    words = draw(st.lists(values, max_size=3))
    text = "".join(draw(BETWEEN) + word + draw(BETWEEN) + "," for word in words)
    return f"[{text if draw(st.booleans()) or not words else text[:-1]}{draw(BETWEEN)}]"


def inline_table(values: list[str]) -> str:
    return "{" + ", ".join(f"KEY = {value}" for value in values) + "}"


SIMPLE = st.one_of(BASIC, LITERAL, LONG, PLAIN)
VALUES = st.recursive(
    SIMPLE, lambda inner: st.one_of(arrays(inner), st.lists(inner, max_size=3).map(inline_table)), max_leaves=5
)


@st.composite
def documents(draw: Any) -> str:
    """Statements whose keys are k0, k1, … in the order of the text."""
    statements = []
    for kind in draw(st.lists(st.sampled_from(["pair", "dotted", "quoted", "table", "inner", "rows"]), max_size=7)):
        value = draw(VALUES)
        statements.append(
            {
                "pair": f"KEY = {value}",
                "dotted": f"KEY . KEY = {value} # said",
                "quoted": f"'KEY'.\"KEY\"={value}",
                "table": "[KEY]",
                "inner": "[ KEY.KEY ] # a table",
                "rows": "[[rows]]",
            }[kind]
            + draw(st.sampled_from(["\n", "\n\n", "\n# KEYLESS = 1\n"]))
        )
    text = "".join(statements)
    for number in range(text.count("KEY")):
        text = re.sub(r"KEY(?!LESS)", f"k{number}", text, count=1)
    return text


def paths_in(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths_in(child, (*path, key))


@given(documents())
@settings(max_examples=150, deadline=None)
def test_every_key_is_found_on_its_line(text: str) -> None:
    lines, rows = lines_of_keys(text), re.compile(r"^\[\[rows]]", re.MULTILINE)
    for path in paths_in(tomllib.loads(text)):
        assert path in lines
        if isinstance(path[-1], str) and path[-1] != "rows":
            at = re.search(rf"\b{path[-1]}\b", text)
        elif path[0] == "rows" and len(path) == 2:
            at = list(rows.finditer(text))[int(path[1])]
        else:
            continue
        assert at is not None
        assert lines[path] == text.count("\n", 0, at.start()) + 1


def test_elements_of_arrays_have_lines() -> None:
    lines = lines_of_keys('paths = [\n  {linux = "/a"}, # one\n\n  {linux = "/b",\n   windows = "B:"},\n]\n')
    assert lines[("paths", 0, "linux")] == 2
    assert lines[("paths", 1)] == 4
    assert lines[("paths", 1, "windows")] == 5


def test_tables_inside_rows_belong_to_the_last_row() -> None:
    lines = lines_of_keys("[[a]]\n[a.b]\nc = 1\n[[a]]\n[a.b]\nc = 1\n")
    assert (lines[("a", 0, "b", "c")], lines[("a", 1, "b", "c")]) == (3, 6)


def test_lines_end_as_windows_writes_them() -> None:
    assert lines_of_keys("a = 1\r\n\r\n[b]\r\nc = 2\r\n")[("b", "c")] == 4


def test_a_key_that_is_not_there_has_its_tables_line() -> None:
    lines = lines_of_keys("a = 1\n[farm]\n")
    assert line_of(lines, ("farm", "chunk")) == 2
    assert line_of(lines, ("output", "pattern")) == 1


@pytest.mark.parametrize(
    "text", ["a = 1\nb", "a = 1\nb = [1", "a = 1\n=", "a = 1\nb = {c", "a = 1\n[[", "a = 1\nb = @@,["]
)
def test_text_that_is_no_toml_ends_what_is_known(text: str) -> None:
    assert lines_of_keys(text)[("a",)] == 1


def test_deep_nesting_is_no_crash() -> None:
    assert lines_of_keys(f"a = 1\nb = {'[' * 100_000}")[("a",)] == 1
