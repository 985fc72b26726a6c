"""`vfxgan render --preview`: frames as a monitor shows them, on a sheet or in a film."""

import shutil
import signal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from vfxgan.images import Picture, read_header, read_picture, write_picture
from vfxgan.render.frame_light import read_light
from vfxgan.render.preview import MISSING_RED, PREVIEW_KEY, arrange, exact_rate, spread

OUT = "up/####.exr"
# 18 % grey in 8 bits: ACES 1.0 brings it to a tenth of white, which sRGB stores as 0.356; sRGB alone stores 0.461.
ACES_OF_018, SRGB_OF_018 = 91, 118


@pytest.fixture
def model(image_model: Any, tmp_path: Path) -> Path:
    return image_model(tmp_path / "m.onnx")


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """Three grey plates of 96×64: 0.18, 0 and 400."""
    (tmp_path / "plate").mkdir()
    for number, value in ((1001, 0.18), (1002, 0.0), (1003, 400.0)):
        _write(tmp_path / "plate" / f"{number}.exr", np.full((64, 96, 3), value, np.float16))
    return tmp_path / "plate" / "####.exr"


def _write(path: Path, pixels: Any, **fields: Any) -> None:
    names = {1: ("Y",), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}[pixels.shape[2]]
    attributes = {"colorInteropID": "lin_rec709_scene"} | fields.pop("attributes", {})
    write_picture(path, Picture(pixels, names, attributes, **fields))


def render(cli: Any, model: Path, shot: object, *options: object) -> Any:
    return cli("render", model, "--in", shot, "--out", OUT, "--compression", "zips", *options)


def cells(sheet: Any, count: int) -> list[Any]:
    """The middle values of the frames on a sheet of 96×64 frames."""
    layout, shown = arrange(count, 1.5, 1920, (96, 64))
    assert shown == count
    corners = (layout.corner(place) for place in range(count))
    return [sheet[top + 32, left + 48].tolist() for top, left in corners]


def test_a_sheet_shows_each_frame_through_the_aces_view(cli: Any, model: Path, shot: Path) -> None:
    result = render(cli, model, shot, "--preview", "p.png")
    assert result.code == 0, result
    assert "preview p.png: 3 frames, " in result.err
    assert "ACES 1.0 - SDR Video" in result.err
    grey, black, bright = cells(read_picture(Path("p.png")).pixels, 3)
    assert grey == [ACES_OF_018] * 3
    assert max(black) <= 1
    assert min(bright) == 255


def test_another_view_is_chosen_by_the_beginning_of_its_name(cli: Any, model: Path, shot: Path) -> None:
    assert render(cli, model, shot, "--preview", "p.png", "--preview-view", "un-tone").code == 0
    assert cells(read_picture(Path("p.png")).pixels, 3)[0] == [SRGB_OF_018] * 3


def test_png_frames_are_shown_as_they_are(cli: Any, tiny: Path) -> None:
    assert cli("render", tiny, "--seeds", "7", "--out", "a.png", "--bit-depth", "8", "--preview", "p.png").code == 0
    frame, sheet = read_picture(Path("a.png")).pixels, read_picture(Path("p.png")).pixels
    alpha = frame[..., 3:] / 255
    light = np.where(
        frame[..., :3] <= 10.31, frame[..., :3] / 255 / 12.92, ((frame[..., :3] / 255 + 0.055) / 1.055) ** 2.4
    )
    over_black = light * alpha
    expected = np.where(over_black <= 0.0031308, over_black * 12.92, 1.055 * over_black ** (1 / 2.4) - 0.055)
    assert np.abs(sheet[2:34, 2:34] - expected * 255).max() <= 1


def test_alpha_is_laid_over_the_background(cli: Any, image_model: Any, tmp_path: Path) -> None:
    model = image_model(tmp_path / "m.onnx")
    pixels = np.full((64, 96, 4), 0.25, np.float16)  # a quarter of white
    _write(tmp_path / "1.exr", pixels)
    values = {}
    for background in ("black", "grey"):
        options = ("--preview", "p.png", "--preview-view", "Un-tone-mapped", "--preview-background", background)
        assert render(cli, model, tmp_path / "1.exr", *options).code == 0
        values[background] = cells(read_picture(Path("p.png")).pixels, 1)[0][0]
    for background, light in (("black", 0.25), ("grey", 0.25 + 0.75 * 0.18)):
        assert values[background] == round(255 * (1.055 * light ** (1 / 2.4) - 0.055)), background


def test_the_display_window_is_shown_and_overscan_cut(cli: Any, model: Path, tmp_path: Path) -> None:
    pixels = np.zeros((80, 60, 3), np.float16)
    pixels[8:, :] = 0.18  # what lies in the display window
    _write(tmp_path / "1.exr", pixels, origin=(-12, -8), display=(0, 0, 96, 64))
    shown = read_light(tmp_path / "1.exr").light
    assert shown.shape == (64, 96, 4)
    assert (shown[:, :48, 0] == np.float32(np.float16(0.18))).all()
    assert (shown[:, 48:] == 0).all()
    assert render(cli, model, tmp_path / "1.exr", "--preview", "p.png").code == 0
    assert read_picture(Path("p.png")).pixels[2 + 32, 2 + 47].tolist() == [ACES_OF_018] * 3
    assert read_picture(Path("p.png")).pixels[2 + 32, 2 + 49].max() <= 1


def test_a_data_window_outside_the_display_window_shows_nothing(tmp_path: Path) -> None:
    _write(tmp_path / "1.exr", np.ones((8, 8, 3), np.float16), origin=(200, 5), display=(0, 0, 96, 64))
    assert not read_light(tmp_path / "1.exr").light.any()


def test_acescg_frames_look_as_rec709_ones(cli: Any, model: Path, tmp_path: Path) -> None:
    _write(tmp_path / "1.exr", np.tile(np.array([0.4, 0.1, 0.05], np.float16), (64, 96, 1)))
    shown = []
    for space in ("lin_rec709", "ACEScg"):
        out = f"{space}.exr"
        options = ("--colorspace", space, "--preview", f"{space}.png", "--bit-depth", "float")
        assert cli("render", model, "--in", tmp_path / "1.exr", "--out", out, *options).code == 0
        shown.append(np.array(cells(read_picture(Path(f"{space}.png")).pixels, 1)[0]))
    assert np.abs(shown[0] - shown[1]).max() <= 1
    assert shown[0][0] > shown[0][1] > shown[0][2]


def test_a_frame_that_failed_is_a_marked_gap(cli: Any, model: Path, shot: Path) -> None:
    bad = shot.with_name("1002.exr")
    bad.write_bytes(bad.read_bytes()[:-60])
    result = render(cli, model, shot, "--preview", "p.png")
    assert result.code == 3
    assert "preview p.png: 3 frames, 1 of them marked as missing" in result.err
    assert "1 of 3 frames failed: 1002" in result.line
    assert cells(read_picture(Path("p.png")).pixels, 3)[1] == list(MISSING_RED)


def test_where_all_frames_failed_there_is_no_preview(cli: Any, model: Path, shot: Path) -> None:
    for path in shot.parent.iterdir():
        path.write_bytes(b"")
    result = render(cli, model, shot, "--preview", "p.png")
    assert result.code == 3
    assert "warning: p.png: not one of 3 frames can be shown" in result.err
    assert not Path("p.png").exists()


def test_anamorphic_frames_are_shown_wide(cli: Any, model: Path, tmp_path: Path) -> None:
    _write(tmp_path / "1.exr", np.full((64, 96, 3), 0.18, np.float16), attributes={"PixelAspectRatio": 2.0})
    assert render(cli, model, tmp_path / "1.exr", "--preview", "p.png").code == 0
    assert read_picture(Path("p.png")).pixels.shape[1] == 2 * 96 + 4


def test_a_film_is_what_review_tools_expect(cli: Any, model: Path, shot: Path) -> None:
    av = pytest.importorskip("av", reason="films need the review extra")
    assert render(cli, model, shot, "--preview", "p.mp4", "--preview-size", "90", "--preview-clean").code == 0
    data = Path("p.mp4").read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")  # it plays before all of it is there
    with av.open("p.mp4") as container:
        stream = container.streams.video[0]
        coder = stream.codec_context
        assert (stream.frames, stream.average_rate, coder.pix_fmt) == (3, 24, "yuv420p")
        assert (coder.color_primaries, coder.color_trc, coder.colorspace, coder.color_range) == (1, 1, 1, 1)
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert [picture.shape for picture in pictures] == [(60, 90, 3)] * 3
    for picture, value in zip(pictures, (ACES_OF_018, 0, 255), strict=True):
        assert np.abs(picture.astype(int) - value).max() <= 3


def test_sides_of_a_film_are_even(cli: Any, model: Path, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="films need the review extra")
    _write(tmp_path / "1.exr", np.full((65, 97, 3), 0.18, np.float16))
    assert render(cli, model, tmp_path / "1.exr", "--preview", "p.mp4").code == 0
    with av.open("p.mp4") as container:
        coder = container.streams.video[0].codec_context
        assert (coder.width % 2, coder.height % 2) == (0, 0)


def test_the_same_frames_give_the_same_film(cli: Any, model: Path, shot: Path) -> None:
    pytest.importorskip("av", reason="films need the review extra")
    assert render(cli, model, shot, "--preview", "p.mp4", "--threads", "1").code == 0
    first = Path("p.mp4").read_bytes()
    result = render(cli, model, shot, "--preview", "p.mp4", "--threads", "3")
    assert "0 rendered, 3 were done before" in result.line
    assert Path("p.mp4").read_bytes() == first


def test_films_carry_their_frame_numbers_unless_clean(cli: Any, model: Path, shot: Path) -> None:
    av = pytest.importorskip("av", reason="films need the review extra")
    lowest = {}
    for name, options in (("n.mp4", ()), ("c.mp4", ("--preview-clean",))):
        assert render(cli, model, shot, "--preview", name, *options).code == 0
        with av.open(name) as container:
            lowest[name] = [frame.to_ndarray(format="rgb24")[-11:, :27] for frame in container.decode(video=0)]
    assert lowest["n.mp4"][1].max() > 150  # on the black frame
    assert lowest["c.mp4"][1].max() <= 3
    assert not np.array_equal(lowest["n.mp4"][1], lowest["n.mp4"][2])


def test_previews_are_replaced_and_other_files_are_not(cli: Any, model: Path, shot: Path) -> None:
    pytest.importorskip("av", reason="films need the review extra")
    for name in ("p.png", "p.mp4"):
        assert render(cli, model, shot, "--preview", name).code == 0
        assert render(cli, model, shot, "--preview", name).code == 0
    write_picture(Path("work.png"), Picture(np.zeros((4, 4, 3), np.uint8), ("R", "G", "B")))
    Path("work.mp4").write_bytes(b"somebody's")
    for name in ("work.png", "work.mp4"):
        before = Path(name).read_bytes()
        result = render(cli, model, shot, "--preview", name)
        assert result.code == 2
        assert f"--preview '{name}' exists and is no preview" in result.line
        assert Path(name).read_bytes() == before
        assert render(cli, model, shot, "--preview", name, "--overwrite").code == 0
        assert Path(name).read_bytes() != before
    assert read_header(Path("work.png"))[PREVIEW_KEY] == "3 frames"


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--preview", "p.mov"], "--preview 'p.mov': write .png for a contact sheet, .mp4 for a film"),
        (["--preview", "plate/1001.png/../1001.png", "--preview-size", "9"], "--preview-size 9 is outside 64 … 8192"),
        (["--preview", "p.mp4", "--preview-fps", "0"], "--preview-fps 0 is outside 1 … 240"),
        (["--preview", "p.png", "--preview-view", "nice"], "has no such view on 'sRGB - Display'; it has: ACES 1.0"),
        (["--preview", "p.png", "--preview-view", "ACES"], "--preview-view 'ACES'"),
        (["--preview-view", "Raw"], "--preview-view goes with --preview"),
        (["--preview-clean"], "--preview-clean goes with --preview"),
    ],
)
def test_wrong_options_are_one_line_before_the_start(
    cli: Any, model: Path, shot: Path, options: list[str], part: str
) -> None:
    result = render(cli, model, shot, *options)
    assert result.code == 2, result
    assert part in result.line
    assert not Path("up").exists()


def test_a_preview_is_never_put_over_a_frame(cli: Any, tiny: Path) -> None:
    result = cli("render", tiny, "--seeds", "1", "--out", "a.png", "--preview", "a.png", "--overwrite")
    assert result.code == 2
    assert "--preview 'a.png' is one of the frames" in result.line


def test_a_film_without_its_library_names_the_extra(
    cli: Any, model: Path, shot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    result = render(cli, model, shot, "--preview", "p.mp4")
    assert result.code == 1
    assert "pip install 'vfxgan[review]'" in result.line
    assert not Path("up").exists()
    assert render(cli, model, shot, "--preview", "p.png").code == 0


def test_a_frame_of_another_shape_is_fitted_into_the_films(cli: Any, model: Path, shot: Path) -> None:
    av = pytest.importorskip("av", reason="films need the review extra")
    _write(shot.with_name("1002.exr"), np.full((64, 64, 3), 0.18, np.float16))
    assert render(cli, model, shot, "--preview", "p.mp4", "--preview-clean").code == 0
    with av.open("p.mp4") as container:
        pictures = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert [picture.shape for picture in pictures] == [(64, 96, 3)] * 3
    assert np.abs(pictures[1][:, 20:76] - ACES_OF_018).max() <= 4
    assert pictures[1][:, :12].max() <= 4
    assert pictures[1][:, -12:].max() <= 4


CONFIG = """ocio_profile_version: 2.1
roles: {default: lin_rec709, scene_linear: lin_rec709}
displays:
  wall:
    - !<View> {name: half, colorspace: halved}
    - !<View> {name: plain, colorspace: lin_rec709}
active_displays: [wall]
active_views: [half, plain]
colorspaces:
  - !<ColorSpace> {name: lin_rec709, encoding: scene-linear}
  - !<ColorSpace>
    name: halved
    from_scene_reference: !<MatrixTransform> {matrix: [0.5, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 1]}
"""


def test_a_shows_own_views_are_found_through_its_config(
    cli: Any, model: Path, shot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("show.ocio").write_text(CONFIG)
    monkeypatch.setenv("OCIO", "show.ocio")
    _write(shot.with_name("1001.exr"), np.full((64, 96, 3), 0.5, np.float16))
    for options, value in (((), 64), (("--preview-view", "plain"), 128)):
        assert render(cli, model, shot, "--preview", "p.png", *options).code == 0
        assert cells(read_picture(Path("p.png")).pixels, 3)[0] == [value] * 3
    result = render(cli, model, shot, "--preview", "p.png", "--preview-view", "ACES")
    assert "has no such view on 'wall'; it has: half; plain" in result.line


def test_a_preview_beside_the_frames_is_none_of_them(cli: Any, model: Path, shot: Path) -> None:
    assert render(cli, model, shot, "--preview", "up/all.png").code == 0
    result = cli("verify", "up", "--progress", "none")
    assert result.code == 0, result
    assert "3 frames are whole" in result.out


def test_a_dry_run_makes_no_preview_and_no_folder(cli: Any, model: Path, shot: Path) -> None:
    assert render(cli, model, shot, "--preview", "review/p.png", "--dry-run").code == 0
    assert not Path("review").exists()
    assert render(cli, model, shot, "--preview", "review/p.png").code == 0
    assert [path.name for path in Path("review").iterdir()] == ["p.png"]


@pytest.mark.parametrize("names", [("left.R", "left.G", "left.B"), ("right.R", "right.G", "right.B")])
def test_of_a_stereo_frame_the_view_that_was_rendered_is_shown(
    cli: Any, model: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    view = names[0].partition(".")[0]
    channels = ("R", "G", "B", "right.R", "right.G", "right.B")
    pixels = np.concatenate([np.full((64, 96, 3), 0.18), np.zeros((64, 96, 3))], axis=2).astype(np.float16)
    attributes = {"multiView": ("left", "right")}
    types = {"multiView": oiio.TypeDesc("string[2]")}
    write_picture(tmp_path / "1.exr", Picture(pixels, channels, attributes, types))
    assert render(cli, model, tmp_path / "1.exr", "--view", view, "--preview", "p.png").code == 0
    shown = cells(read_picture(Path("p.png")).pixels, 1)[0]
    assert shown == [ACES_OF_018] * 3 if view == "left" else max(shown) <= 1


def test_of_views_in_files_of_their_own_the_first_is_shown(cli: Any, model: Path, tmp_path: Path) -> None:
    for view, value in (("left", 0.18), ("right", 0.0)):
        (tmp_path / view).mkdir()
        for number in (1, 2):
            _write(tmp_path / view / f"{number}.exr", np.full((64, 96, 3), value, np.float16))
    result = cli("render", model, "--in", tmp_path / "%V" / "#.exr", "--out", "up/%V/#.exr", "--preview", "p.png")
    assert result.code == 0, result
    assert "preview p.png: 2 frames, " in result.err
    assert cells(read_picture(Path("p.png")).pixels, 2) == [[ACES_OF_018] * 3] * 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_a_preview_is_drawn_leaves_the_frames_and_no_half_preview(
    start: Any, cli: Any, model: Path, shot: Path, number: signal.Signals
) -> None:
    for frame in range(1, 150):
        shutil.copy(shot.with_name("1001.exr"), shot.with_name(f"{frame:04d}.exr"))
    assert render(cli, model, shot).code == 0
    command = ("render", model, "--in", shot, "--out", OUT, "--compression", "zips", "--threads", "1")
    process = start(*command, "--preview", "review/p.mp4", "--preview-size", "64")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("preview 1/152"):
            process.send_signal(number)
            break
    _, err = process.communicate()
    assert process.returncode == 130
    assert "interrupted: the frames are done, the preview is not; the same command writes it" in err
    assert list(Path("review").iterdir()) == []
    assert len(list(Path("up").iterdir())) == 152


def test_a_sheet_has_room_for_so_many_frames_and_shows_the_rest_evenly() -> None:
    layout, count = arrange(2000, 16 / 9, 1920, (1920, 1080))
    assert layout.cell_width_px >= 96
    assert 150 < count < 2000
    assert max(layout.size) <= 1920
    assert layout.rows * layout.columns >= count
    picks = spread(list(range(2000)), count)  # type: ignore[arg-type]
    assert (picks[0], picks[-1]) == (0, 1999)
    steps = np.diff(np.array(picks, int))
    assert steps.max() - steps.min() <= 1
    layout, count = arrange(12, 1.0, 1920, (128, 128))
    assert (count, layout.cell_width_px) == (12, 128)
    assert layout.columns > layout.rows


@pytest.mark.parametrize(
    ("fps", "rate"),
    [(24, Fraction(24)), (23.976, Fraction(24000, 1001)), (29.97, Fraction(30000, 1001)), (12.5, Fraction(25, 2))],
)
def test_broadcast_rates_are_exact(fps: float, rate: Fraction) -> None:
    assert exact_rate(fps) == rate
