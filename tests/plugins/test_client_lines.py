"""Lines of a child as events: whatever comes, cut anywhere, in any pieces."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LINES = [
    {"event": "started", "label": "render", "total": 2},
    {
        "event": "progress",
        "done": 1,
        "total": 2,
        "fps": 0.0,
        "eta_s": None,
        "frame": 7,
        "path": "a/7.exr",
        "state": "kept",
    },
    {
        "event": "progress",
        "done": 2,
        "total": 2,
        "fps": 1.5,
        "eta_s": 0.0,
        "frame": 8,
        "path": "a/8.exr",
        "state": "failed",
    },
    {"event": "waiting", "done": 2, "total": 2, "note": "building", "elapsed_s": 11},
    {"event": "warning", "message": "größe"},
    {"event": "failed", "done": 1, "total": 2, "reason": "two\nlines"},
]
ALL = "".join(json.dumps(line) + "\n" for line in LINES).encode()

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(
    ["label", "total", "done", "fps", "eta_s", "frame", "path", "state", "note", "message", "reason"]
)
events = st.fixed_dictionaries({"event": st.sampled_from([line["event"] for line in LINES])})
settled = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def client(host_paths: list[Path]) -> Any:
    import vfxgan_client
    import vfxgan_client.streams

    return vfxgan_client


def events_of(client: Any, data: bytes) -> list[Any]:
    from vfxgan_client.events import parse_line

    found = []
    for line in client.streams.lines_of(io.BufferedReader(io.BytesIO(data))):
        found += parse_line(line or b"", "/shots")
    return found


def test_each_line_is_its_event(client: Any) -> None:
    from vfxgan_client.events import Outcome

    assert events_of(client, ALL) == [
        client.Started("render", 2),
        client.FrameDone("/shots/a/7.exr", 7, "kept", None),
        client.Progress(1, 2, 0.0, None),
        client.FrameFailed("/shots/a/8.exr", 8, ""),
        client.Progress(2, 2, 1.5, 0.0),
        client.Waiting("building"),
        client.Warned("größe"),
        Outcome(1, 2, "two lines"),
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_ends_of_lines_of_any_system_are_read(client: Any, end: bytes) -> None:
    assert events_of(client, ALL.replace(b"\n", end)) == events_of(client, ALL)


@settled
@given(cut=st.integers(0, len(ALL)))
def test_what_is_cut_anywhere_gives_the_events_before_the_cut(client: Any, cut: int) -> None:
    whole, part = events_of(client, ALL), events_of(client, ALL[:cut])
    assert part == whole[: len(part)]
    assert len(events_of(client, ALL[: ALL.rfind(b"\n", 0, cut) + 1])) <= len(part)


@settled
@given(data=st.binary(max_size=200))
def test_any_bytes_are_no_error(client: Any, data: bytes) -> None:
    events_of(client, data)


@settled
@given(event=events, facts=st.dictionaries(keys, json_values, max_size=10))
def test_events_with_any_facts_are_no_error(client: Any, event: dict[str, Any], facts: dict[str, Any]) -> None:
    events_of(client, json.dumps({**facts, **event}).encode())


@settled
@given(lines=st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=6))
def test_lines_that_are_too_long_are_left_out_and_the_others_stay(client: Any, lines: list[bytes]) -> None:
    stream = io.BufferedReader(io.BytesIO(b"".join(line + b"\n" for line in lines)))
    expected = [line.rstrip(b"\r") if len(line) <= 10 else None for line in lines]
    assert list(client.streams.lines_of(stream, longest=10)) == expected


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        ("frame 1 (seed 7): NaN", "frame 1 (seed 7): NaN"),
        ("frame 1 left: NaN", "frame 1 left: NaN"),
        ("[Errno 13] Permission denied", "frame 1: [Errno 13] Permission denied"),
        ("a/0013.exr: is damaged", "frame 1: a/0013.exr: is damaged"),
        ("frame 13 is absent", "frame 1: frame 13 is absent"),
    ],
)
def test_a_failed_frame_is_told_with_its_number_once(client: Any, reason: str, line: str) -> None:
    assert client.FrameFailed("/shots/a/1.exr", 1, reason).line == line
