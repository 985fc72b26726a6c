"""The selected Read's frames through a model, and back beside it."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("twice")

LIST_OF_NUKE_17 = [  # as an ACES 1.3 config of Nuke's shows there
    "scene_linear\tscene_linear (ACEScg)",
    "default\tdefault (ACES2065-1)",
    "ACES2065-1\tColorspaces/ACES/ACES2065-1\t\taces2065_1,aces,ACES - ACES2065-1,lin_ap0",
    "ACEScg\tColorspaces/ACES/ACEScg\t\tACES - ACEScg,lin_ap1,lin_ap1_scene",
    "Linear Rec.709 (sRGB)\tColorspaces/Linear/Linear Rec.709 (sRGB)\t\tlin_rec709_srgb,lin_rec709",
    "sRGB - Texture\tColorspaces/Utility/sRGB - Texture\t\tsrgb_texture",
]


@pytest.fixture
def read(select: Callable[..., Any], plate: Path) -> Any:
    """Of four frames, selected."""
    return select("Read", place=(100, 50), file=str(plate), first=1001, last=1004, colorspace="lin_rec709")


def test_a_read_is_enlarged_and_read_back_beside_itself(artist: Any, entries: ModuleType, read: Any, cli: Any) -> None:
    artist.will_answer()
    entries.process()
    made = artist.wait_for_read(2)
    shown = artist.panels[0]
    assert (shown["model"], shown["frames"], shown["in_colourspace"]) == (
        "twice (upscaler, x2)",
        "1001-1004",
        "lin_rec709",
    )
    assert made._knobs["file"]._value == f"{artist.folder}/vfxgan/bg_twice_v001/bg_twice.%04d.exr"
    values = {name: made._knobs[name]._value for name in ("first", "last", "origfirst", "origlast", "colorspace")}
    assert values == {"first": 1001, "last": 1004, "origfirst": 1001, "origlast": 1004, "colorspace": "lin_rec709"}
    assert (made._place[0] > 180, made._place[1]) == (True, 50)
    assert '"size": "64x64"' in cli("inspect", made._knobs["file"]._value % 1002, "--json").out
    assert artist.host.said == []


def test_the_frames_come_in_the_space_of_the_read_by_the_values_of_a_new_nuke(
    artist: Any, entries: ModuleType, plate: Path, select: Callable[..., Any]
) -> None:
    from double import nuke as double

    double.COLORSPACES[:] = LIST_OF_NUKE_17
    select("Read", file=str(plate), first=1001, last=1002, colorspace="scene_linear")
    artist.will_answer()
    entries.process()
    made = artist.wait_for_read(2)
    assert artist.panels[0]["in_colourspace"] == "ACEScg"
    assert made._knobs["colorspace"]._value == "ACEScg"


def test_the_project_s_upscaler_goes_before_the_packaged_one(
    artist: Any, entries: ModuleType, twice: Path, folder: Path, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VFXGAN_MODEL")
    (folder / "vfxgan.toml").write_text('upscaler = "twice.onnx"\n', encoding="utf-8")
    artist.will_cancel()
    entries.process()
    artist.wait_for(lambda: bool(artist.panels))
    assert artist.panels[0]["model"] == "twice (upscaler, x2)"


def test_a_raw_read_is_taken_to_be_in_the_working_space(artist: Any, entries: ModuleType, read: Any) -> None:
    artist.host.root._knobs["workingSpaceLUT"]._set("ACES - ACEScg")
    read._knobs["raw"]._set(True)
    artist.will_cancel()
    entries.process()
    artist.wait_for(lambda: bool(artist.panels))
    assert artist.panels[0]["in_colourspace"] == "ACEScg"


def test_a_space_that_the_knob_does_not_have_stops_with_the_list_before_anything_is_rendered(
    artist: Any, entries: ModuleType, read: Any
) -> None:
    artist.will_answer(in_colourspace="Linear ARRI Wide Gamut 4")
    artist.will_cancel()
    entries.process()
    artist.wait_for(lambda: len(artist.panels) == 2)
    assert artist.host.said == [
        "vfxgan: no colorspace of the Read is Linear ARRI Wide Gamut 4; this script's colour management offers: "
        "scene_linear, ACES - ACEScg, lin_rec709, Utility - sRGB - Texture, default (scene_linear)"
    ]
    assert not (artist.folder / "vfxgan").exists()


def test_the_new_read_is_in_the_group_of_the_old_one_and_takes_its_frame_mode(
    artist: Any, entries: ModuleType, read: Any
) -> None:
    group = artist.host.add_node("Group", name="Prep")
    read._group = group
    read._knobs["frame_mode"]._set("offset")
    read._knobs["frame"]._set("-1000")
    artist.will_answer(frames="1001-1002")
    entries.process()
    made = artist.wait_for_read(2)
    assert made.parent() is group
    assert [made._knobs[name]._value for name in ("frame_mode", "frame", "last")] == ["offset", "-1000", 1002]


def test_cancel_after_the_last_frame_makes_no_read(
    artist: Any, entries: ModuleType, read: Any, silent: Any, is_alive: Any
) -> None:
    pid = silent("inspect")
    artist.will_answer(frames="1001-1001", in_colourspace="")
    entries.process()
    artist.wait_for(lambda: pid() > 0)
    artist.cancel()
    assert (artist.reads, artist.host.said) == ([read], [])
    assert not is_alive(pid())


def test_a_read_that_is_gone_at_the_end_is_no_reason_to_lose_the_frames(
    artist: Any, entries: ModuleType, read: Any
) -> None:
    artist.will_answer()
    entries.process()
    artist.wait_for(lambda: any(task._message.startswith("0 of 4") for task in artist.host.tasks))
    artist.host.nodes.remove(read)
    made = artist.wait_for_read(1)
    assert made._place == [1000, 500], "the middle of the node graph"


def test_expressions_dots_spaces_quotes_and_letters_beyond_ascii_in_a_file_name(
    artist: Any, entries: ModuleType, select: Callable[..., Any], plate: Path
) -> None:
    odd = plate.parent.with_name("Grün & 'roh' – 計画; `touch x`")
    plate.parent.rename(odd)
    artist.host.expressions["[getenv PLATES]"] = str(odd)
    select("Read", file="[getenv PLATES]/../" + odd.name + "/bg.####.exr", first=1001, last=1002)
    artist.will_answer(out=f"{artist.folder}/été ' ; rm -rf 計画/up.%04d.exr", in_colourspace="lin_rec709")
    entries.process()
    made = artist.wait_for_read(2)
    folder = Path(made._knobs["file"]._value).parent
    assert folder.name == "été ' ; rm -rf 計画"
    assert sorted(frame.name for frame in folder.iterdir()) == ["up.1001.exr", "up.1002.exr"]


def test_a_single_picture_gives_a_single_picture(
    artist: Any, entries: ModuleType, select: Callable[..., Any], plate: Path
) -> None:
    still = artist.folder / "still.exr"
    Path(str(plate) % 1001).rename(still)
    select("Read", file=str(still))
    artist.will_answer()
    entries.process()
    made = artist.wait_for_read(2)
    assert artist.panels[0]["frames"] == ""
    assert made._knobs["file"]._value == f"{artist.folder}/vfxgan/still_twice_v001/still_twice.exr"
    assert [made._knobs[name]._value for name in ("first", "last")] == [1, 1]


def test_plates_that_are_not_all_there_are_named_and_the_others_are_read(
    artist: Any, entries: ModuleType, read: Any, plate: Path
) -> None:
    Path(str(plate) % 1003).unlink()
    artist.will_answer()
    entries.process()
    artist.wait_for(lambda: bool(artist.host.said) and len(artist.reads) == 2)
    assert "1003" in artist.host.said[0]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("/p/bg.mov", "Read1 reads a movie (.mov); vfxgan takes frames: write it to EXR first"),
        ("/p/bg.%04d.cin", "Read1 reads .cin; vfxgan takes .exr, .png, .tif, .tiff, .dpx"),
        ("/p/bg_%v.%04d.exr", "Read1 reads views by their first letter (%v); vfxgan takes %V, their names"),
        ("bg.%04d.exr", "Read1 reads bg.%04d.exr, which is no whole path; give it one, so that it is found elsewhere"),
        ("", "Read1 reads no file; choose one"),
    ],
)
def test_what_vfxgan_cannot_take_is_said_before_anything_is_started(
    artist: Any, entries: ModuleType, select: Callable[..., Any], file: str, line: str
) -> None:
    select("Read", name="Read1", file=file)
    entries.process()
    assert artist.host.said == [f"vfxgan: {line}"]
    assert artist.host.tasks == []


def test_proxy_mode_with_proxy_files_is_refused(artist: Any, entries: ModuleType, read: Any) -> None:
    read._knobs["proxy"]._set("/p/half.%04d.exr")
    artist.host.root._is_proxy = True
    entries.process()
    assert artist.host.said == [
        f"vfxgan: {read._knobs['name']._value} has proxy files and proxy mode is on; switch it off, so that it gives "
        "its plates"
    ]


def test_wrong_answers_are_refused_in_one_line(artist: Any, entries: ModuleType, read: Any) -> None:
    right = {"frames": "1001-1002", "out": f"{artist.folder}/up.%04d.exr", "mix": 1.0}
    wrong = [
        ({"frames": "all"}, "frames 'all' is no range; write 1001-1100, 1001-1100x2 or 1001,1005"),
        ({"mix": 1.5}, "mix 1.5 is outside 0 … 1"),
        (
            {"out": read._knobs["file"]._value},
            f"output {read._knobs['file']._value} is the plate itself; choose another name",
        ),
    ]
    for answer, _ in wrong:
        artist.will_answer(**{**right, **answer})
    artist.will_cancel()
    entries.process()
    artist.wait_for(lambda: len(artist.panels) == len(wrong) + 1)
    assert artist.host.said == [f"vfxgan: {line}" for _, line in wrong]


def test_views_go_through_together(artist: Any, entries: ModuleType, plate: Path, select: Callable[..., Any]) -> None:
    for view in ("left", "right"):
        for number in (1001, 1002):
            place = artist.folder / "stereo" / view / f"bg.{number}.exr"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(Path(str(plate) % number).read_bytes())
    select("Read", file=f"{artist.folder}/stereo/%V/bg.%04d.exr", first=1001, last=1002, colorspace="lin_rec709")
    artist.will_answer()
    entries.process()
    made = artist.wait_for_read(2)
    assert made._knobs["file"]._value.endswith("bg_twice_%V.%04d.exr")
    folder = Path(made._knobs["file"]._value).parent
    assert len(list(folder.iterdir())) == 4
