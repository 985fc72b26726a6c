"""Ranges in two notations: Open Job Description's own parser reads ours, and we read its."""

import fileseq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfxgan.ranges import from_openjd, is_contiguous, to_fileseq, to_openjd
from vfxgan.sequences import parse_frames

NUMBERS = st.sets(st.integers(-50, 80), min_size=1, max_size=40)


@settings(deadline=None)
@given(NUMBERS)
def test_open_job_description_reads_what_we_write_and_we_what_it_writes(numbers: set[int]) -> None:
    model = pytest.importorskip("openjd.model", reason="openjd-cli is of the dev extra")
    theirs = model.IntRangeExpr.from_str(to_openjd(numbers))
    assert list(theirs) == sorted(numbers)
    assert sorted(fileseq.FrameSet(from_openjd(str(theirs)))) == sorted(numbers)


@settings(deadline=None)
@given(NUMBERS)
def test_frames_reads_what_we_write(numbers: set[int]) -> None:
    assert parse_frames(to_fileseq(numbers)) == sorted(numbers)
    assert parse_frames(f"openjd:{to_openjd(numbers)}") == sorted(numbers)


@pytest.mark.parametrize(
    ("numbers", "openjd", "fileseq_text"),
    [
        ([5], "5", "5"),
        ([4, 5], "4-5", "4-5"),
        ([4, 9], "4,9", "4,9"),
        (range(0, 10, 3), "0-9:3", "0-9x3"),
        ([*range(10), *range(20, 41, 5)], "0-9,20-40:5", "0-9,20-40x5"),
        ([0, 5, 6, 7], "0,5-7", "0,5-7"),
        (range(-5, 3), "-5-2", "-5-2"),
    ],
)
def test_ranges_are_written_shortly(numbers: list[int], openjd: str, fileseq_text: str) -> None:
    assert to_openjd(numbers) == openjd
    assert to_fileseq(numbers) == fileseq_text


@pytest.mark.parametrize(("text", "ours"), [("10-1:-3", "10-1x3"), (" 1 - 5 , 7 ", "1-5,7"), ("-10--5", "-10--5")])
def test_its_other_ways_of_writing_are_read(text: str, ours: str) -> None:
    assert from_openjd(text) == ours


@pytest.mark.parametrize("text", ["", "1-", "5-1", "1-5:-1", "1-5:0", "1-5x2", "a", "1,,2", "1;2"])
def test_what_is_no_such_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no range|counts away"):
        from_openjd(text)


def test_contiguous_means_without_gaps() -> None:
    assert is_contiguous([3, 4, 5])
    assert is_contiguous([7])
    assert not is_contiguous([3, 5])
