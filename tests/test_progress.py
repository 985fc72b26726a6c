"""Progress lines as programs and farms read them."""

import json

import pytest

from vfxgan.progress import progress


def test_json_gives_one_object_a_line_from_started_to_finished(capfd):
    with progress("json", "render", 2) as bar:
        bar.advance(frame=7, path="a.0007.exr")
        bar.warn("odd")
        bar.advance(frame=8)
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["started", "progress", "warning", "progress", "finished"]
    assert (events[1]["frame"], events[1]["done"], events[1]["total"]) == (7, 1, 2)
    assert events[-1] == {"event": "finished", "done": 2, "total": 2}


def test_json_names_the_reason_of_a_failure(capfd):
    with pytest.raises(ValueError, match="disk"), progress("json", "render", 2):
        raise ValueError("disk is full")
    last = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert (last["event"], last["reason"]) == ("failed", "disk is full")


def test_openjd_lines_are_those_of_the_worker(capfd):
    with progress("openjd", "render", 2) as bar:
        bar.advance()
        bar.advance()
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "openjd_progress: 50.0"
    assert lines[1].startswith("openjd_status: render 1/2")
    assert lines[2] == "openjd_progress: 100.0"


@pytest.mark.parametrize("style", ["json", "openjd"])
def test_of_many_small_steps_a_line_a_second_is_told_and_the_last(capfd, style):
    with progress(style, "training", 1000, every_s=1) as bar:
        for _ in range(1000):
            bar.advance()
    told = [line for line in capfd.readouterr().out.splitlines() if "progress" in line]
    assert 2 <= len(told) < 100
    assert "1000" in told[-1] or told[-1].endswith(" 100.0")


def test_what_was_done_before_does_not_count_in_the_rate(capfd):
    with progress("json", "training", 1_000_000) as bar:
        bar.skip(999_998)
        bar.advance()
    event = json.loads(capfd.readouterr().out.splitlines()[1])
    assert event["done"] == 999_999
    assert event["fps"] < 900_000


@pytest.mark.parametrize(
    ("style", "line"),
    [
        ("json", '{"event": "waiting", "done": 0, "total": 1, "note": "40 s", "elapsed_s": 40}'),
        ("openjd", "openjd_status: build 0/1, 40 s"),
    ],
)
def test_what_is_waited_for_is_told_at_intervals_while_nothing_is_finished(capfd, monkeypatch, style, line):
    with progress(style, "build", 1) as bar:
        bar.tell("too early for a line", elapsed_s=0)
        monkeypatch.setattr("vfxgan.progress.TELL_EVERY_S", 0)
        bar.tell("40 s", elapsed_s=40)
    lines = capfd.readouterr().out.splitlines()
    assert line in lines
    assert not any("too early" in line for line in lines)
