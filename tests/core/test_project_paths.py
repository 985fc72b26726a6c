"""One folder under the names of three systems."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vfxgan.errors import UsageError
from vfxgan.path_map import PathMap, Roots, check_root, localised, looks_like_windows

SHOW = PathMap(
    (
        Roots("/mnt/show", "P:\\show", "/Volumes/show"),
        Roots("/mnt/show/cache", "C:\\cache"),
        Roots("/mnt/lib", "\\\\srv\\lib"),
    ),
    here="linux",
)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (r"P:\show\sh010\v001\####.exr", "/mnt/show/sh010/v001/####.exr"),
        ("p:/SHOW/sh010/%04d.exr", "/mnt/show/sh010/%04d.exr"),
        (r"P:\show", "/mnt/show"),
        ("P:\\show\\", "/mnt/show"),
        (r"P:\\show\/a", "/mnt/show/a"),
        (r"\\?\P:\show\a", "/mnt/show/a"),
        (r"\\srv\lib\m.onnx", "/mnt/lib/m.onnx"),
        ("//SRV/lib/m.onnx", "/mnt/lib/m.onnx"),
        (r"\\?\UNC\srv\lib\m.onnx", "/mnt/lib/m.onnx"),
        (r"C:\cache\x", "/mnt/show/cache/x"),
        ("/Volumes/show/a", "/mnt/show/a"),
        ("/mnt/show/a", "/mnt/show/a"),
        (r"P:\show\a\..\b", "/mnt/show/a/../b"),
    ],
)
def test_a_path_from_another_system_is_found_here(there: str, here: str) -> None:
    assert SHOW.local(there) == here


@pytest.mark.parametrize(
    "text",
    [
        r"P:\shows\a",  # another folder that starts with the same letters
        r"P:\sho",
        r"Q:\show\a",
        "P:show/a",  # on Windows, from wherever drive P is at the moment
        r"P:\show\..\other\a",  # climbs out
        r"a\P:\show\b",
        "show/a",
        "/volumes/show/a",  # only Windows takes any case
        "/mnt/shows",
        "ocio://default",
        "",
        "####.exr",
    ],
)
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert SHOW.local(text) == text


def test_the_longest_root_wins_both_ways() -> None:
    assert SHOW.to("windows", "/mnt/show/cache/a") == r"C:\cache\a"
    assert SHOW.to("windows", "/mnt/show/cached") == r"P:\show\cached"
    assert SHOW.local(r"c:\CACHE\a") == "/mnt/show/cache/a"


def test_a_path_goes_to_the_farms_system_from_any() -> None:
    assert SHOW.to("windows", "/mnt/lib/a/####.exr") == r"\\srv\lib\a\####.exr"
    assert SHOW.to("macos", "P:/show/a") == "/Volumes/show/a"
    assert SHOW.to("macos", "/mnt/lib/a") == "/mnt/lib/a"  # no name there
    assert PathMap((Roots("/mnt/show", "P:/show"),)).to("windows", "/mnt/show/a/b") == "P:/show/a/b"


def test_a_local_path_is_not_mapped_twice() -> None:
    nested = PathMap((Roots("/mnt/show", macos="/mnt"),), here="linux")
    assert nested.local("/mnt/other") == "/mnt/show/other"
    assert nested.local(nested.local("/mnt/other")) == "/mnt/show/other"


def test_of_two_rows_for_one_folder_the_first_leads_there() -> None:
    both = PathMap((Roots("/mnt/show", "P:"), Roots("/mnt/show", r"\\srv\show")), here="linux")
    assert both.local(r"\\srv\show\a") == both.local(r"P:\a") == "/mnt/show/a"
    assert both.to("windows", "/mnt/show/a") == r"P:\a"


def test_a_whole_drive_and_the_whole_disk_are_roots_too() -> None:
    disk = PathMap((Roots("/", "Z:\\"),), here="linux")
    assert disk.local(r"z:\a\b") == "/a/b"
    assert disk.to("windows", "/a/b") == r"Z:\a\b"
    assert disk.local("Z:\\") == "/"


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\\0", exclude_categories=("Cc", "Cs")), min_size=1
).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, max_size=4)
DRIVES = st.sampled_from("CDEFGHIJ")


@st.composite
def path_maps(draw: st.DrawFn) -> PathMap:
    """Roots that do not lie in each other, as drives and as servers."""
    count = draw(st.integers(1, 4))
    rows = []
    for number in range(count):
        windows = f"{'CDEFGHIJ'[number]}:" + draw(st.sampled_from(["", "\\show", "\\a\\b"]))
        windows = draw(st.sampled_from([windows, f"\\\\srv{number}\\share"]))
        rows.append(Roots(f"/mnt/{number}" + draw(st.sampled_from(["", "/deep/er"])), windows))
    return PathMap(tuple(rows), here="linux")


@given(path_maps(), PATHS, st.data())
def test_there_and_back_is_the_same_path(path_map: PathMap, words: list[str], data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(path_map.rows))
    here = "/".join([str(row.linux), *words])
    there = path_map.to("windows", here)
    assert there == "\\".join([str(row.windows).rstrip("\\"), *words]) or not words
    assert path_map.local(there) == here
    assert path_map.local(there.replace("\\", "/")) == here
    assert path_map.local(str(row.windows).upper() + there[len(str(row.windows)) :]) == here


@given(path_maps(), st.text())
def test_any_text_comes_through_and_a_second_time_changes_nothing(path_map: PathMap, text: str) -> None:
    once = path_map.local(text)
    assert path_map.local(once) == once


@given(path_maps(), st.data())
def test_only_whole_folder_names_fit(path_map: PathMap, data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(path_map.rows))
    longer = str(row.linux) + data.draw(NAMES)
    assume(not any(longer == other.linux for other in path_map.rows))
    assert path_map.to("windows", longer) == longer


def test_a_windows_path_that_no_row_knows_is_no_file_of_that_name() -> None:
    with pytest.raises(UsageError, match=r"^--out 'Q:.+ is a Windows path that no row of \[\[paths]]"):
        localised(SHOW, "--out", r"Q:\a\####.exr")
    assert localised(SHOW, "--out", r"p:\show\####.exr") == "/mnt/show/####.exr"
    assert localised(PathMap(here="windows"), "--out", r"Q:\a\####.exr") == r"Q:\a\####.exr"


@pytest.mark.parametrize(
    ("system", "text", "fits"),
    [
        ("windows", "P:", True),
        ("windows", "P:/show", True),
        ("windows", r"\\srv\share", True),
        ("windows", "//srv/share", True),
        ("windows", "P:show", False),
        ("windows", "/mnt/show", False),
        ("windows", "show", False),
        ("linux", "/mnt/show", True),
        ("linux", "mnt/show", False),
        ("linux", r"P:\show", False),
        ("macos", "/Volumes/show", True),
    ],
)
def test_a_root_is_a_whole_path_of_its_system(system: str, text: str, fits: bool) -> None:
    assert (check_root(system, text) == "") is fits


def test_what_starts_as_windows_paths_do() -> None:
    assert [
        text for text in ("P:\\a", "P:/a", "\\\\srv\\a", "/a", "a:b", "P:", "//srv/a") if looks_like_windows(text)
    ] == [
        "P:\\a",
        "P:/a",
        "\\\\srv\\a",
    ]
