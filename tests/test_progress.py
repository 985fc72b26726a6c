"""Progress lines as programs and farms read them."""

import json

import pytest

from vfxgan.progress import pace, progress


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


@pytest.mark.parametrize("state", ["kept", "failed"])
def test_frames_that_were_not_rendered_do_not_count_in_the_rate(capfd, state):
    with progress("json", "render", 1_000_002) as bar:
        for _ in range(100):
            bar.advance(state=state)
        bar.advance(state="rendered")
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()][1:-1]
    assert {(event["fps"], event["eta_s"]) for event in events[:-1]} == {(0.0, None)}
    last = events[-1]
    assert last["done"] == 101
    assert last["eta_s"] == pytest.approx((last["total"] - last["done"]) / last["fps"], rel=0.2)  # of one, not of 101


def test_slow_steps_are_told_by_their_seconds():
    assert [pace(rate) for rate in (20.04, 1.0, 0.08, 0.0)] == ["20.0/s", "1.0/s", "12.5 s each", "-"]
    assert pace(0.08, "a frame") == "12.5 s a frame"


@pytest.mark.parametrize("command", ["render", "verify", "compare", "dataset make", "train srgan"])
def test_a_failure_before_the_start_is_one_event(cli, command):
    result = cli(*command.split(), "nope", "--out", "x/####.exr", "--nope", "--progress", "json")
    assert result.code == 2
    (event,) = map(json.loads, result.out.splitlines())
    assert (event["event"], event["done"], event["total"]) == ("failed", 0, 0)
    assert result.line == f"vfxgan: {event['reason']}"


@pytest.mark.parametrize("option", [["--progress", "json"], ["--progress=json"]])
def test_plates_that_are_not_there_are_one_event(cli, option):
    result = cli("render", "--in", "nope/####.exr", "--out", "x/####.exr", *option)
    (event,) = map(json.loads, result.out.splitlines())
    assert event["event"] == "failed"
    assert event["reason"].startswith("--in 'nope/####.exr': no plates there")


def test_a_failure_before_the_start_fails_an_openjd_task(cli):
    result = cli("render", "--in", "nope/####.exr", "--out", "x/####.exr", "--progress", "openjd")
    assert result.out.startswith("openjd_fail: --in 'nope/####.exr': no plates there")
    assert len(result.out.splitlines()) == 1


def test_a_failure_after_the_start_is_told_once(cli, tiny, tmp_path):
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "0001.exr").mkdir()
    result = cli("render", tiny, "--seeds", "1", "--out", "o/####.exr", "--overwrite", "--progress", "json")
    assert result.code == 3
    events = [json.loads(line)["event"] for line in result.out.splitlines()]
    assert events.count("failed") == 1
    assert events[0] == "started"


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
