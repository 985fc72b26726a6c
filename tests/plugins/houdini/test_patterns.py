"""Patterns of Houdini and of vfxgan; numbers of frames in few words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfxgan.sequences import parse_frames

pytestmark = pytest.mark.usefixtures("host_paths")


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        ("$HIP/fire.$F4.exr", "$HIP/fire.####.exr"),
        ("fire.${F4}.exr", "fire.####.exr"),
        ("fire.$F.exr", "fire.#.exr"),
        ("fire.$F4_left.exr", "fire.$F4_left.exr"),
        ("$FPS/$FF.$FSTART.exr", "$FPS/$FF.$FSTART.exr"),
        ("fire.####.exr", "fire.####.exr"),
    ],
)
def test_the_frame_of_houdini_is_kept_from_being_filled_in(written: str, ours: str) -> None:
    from vfxgan_houdini.patterns import hashed

    assert hashed(written) == ours


@pytest.mark.parametrize(
    ("ours", "written"),
    [
        ("/s/fire.####.exr", "/s/fire.$F4.exr"),
        ("/s/fire.%04d.exr", "/s/fire.$F4.exr"),
        ("/s/fire.@@@.exr", "/s/fire.$F3.exr"),
        ("/s/fire.#.exr", "/s/fire.$F.exr"),
        ("/s@home/#1/fire.####.exr", "/s@home/#1/fire.$F4.exr"),
        ("/s/me@home.####.exr", "/s/me@home.$F4.exr"),
        ("/s/fire.exr", "/s/fire.exr"),
    ],
)
def test_a_node_reads_our_pattern_as_houdini_writes_it(ours: str, written: str) -> None:
    from vfxgan_houdini.patterns import for_houdini

    assert for_houdini(ours) == written


@given(st.sets(st.integers(-50, 2000), min_size=1, max_size=60))
def test_few_words_say_the_same_frames_to_vfxgan(numbers: set[int]) -> None:
    from vfxgan_houdini.patterns import notation

    assert parse_frames(notation(numbers)) == sorted(numbers)


def test_a_run_of_frames_is_one_word() -> None:
    from vfxgan_houdini.patterns import notation

    assert notation([3, 1, 2, 7, 9, 10]) == "1-3,7,9-10"


class TestRequest:
    def test_a_value_that_begins_with_a_dash_is_no_option(self) -> None:
        from vfxgan_houdini.request import Request

        assert Request("-o/####.exr", seeds="-5").arguments() == ["render", "--seeds=-5", "--out=-o/####.exr"]

    def test_other_options_are_words_as_in_a_terminal(self) -> None:
        from vfxgan_houdini.request import Request

        words = Request("o", plates="p", options="--mix 0.6 --layer 'a b' ; rm -rf /").arguments("7")
        options = ["--mix", "0.6", "--layer", "a b", ";", "rm", "-rf", "/"]
        assert words == ["render", "--in=p", "--frames=7", "--out=o", *options]

    def test_an_open_quotation_is_named(self) -> None:
        from vfxgan_client import ClientError
        from vfxgan_houdini.request import Request

        with pytest.raises(ClientError, match='other options "--layer \'a": No closing quotation; close it'):
            Request("o", seeds="1", options="--layer 'a").arguments()

    def test_paths_are_whole_for_another_folder(self, tmp_path: Path) -> None:
        from vfxgan_houdini.request import Request

        whole = Request("o/####.exr", seeds="@picks.txt", plates="").absolute(str(tmp_path))
        assert (whole.out, whole.seeds, whole.plates) == (
            f"{tmp_path}/o/####.exr",
            f"@{tmp_path}/picks.txt",
            "",
        )


def test_progress_is_said_as_people_say_it() -> None:
    from vfxgan_client import Progress
    from vfxgan_houdini.following import pace

    assert pace(Progress(12, 50, 4.2, 9.0)) == "12 of 50 frames, 4.2 a second, 9 s left"
    assert pace(Progress(1, 2, 0.25)) == "1 of 2 frames, 4.0 s each"
    assert pace(Progress(2, 2, 3, 0.0)) == "2 of 2 frames, 3.0 a second"
