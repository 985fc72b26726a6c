"""`vfxgan compare A B`: figures, limits, difference pictures and plots of two sequences."""

import csv
import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.render.compare import Compared, compare_frames
from vfxgan.render.pairs import find_pairs

pytest.importorskip("skimage", reason="SSIM needs the review extra")

RGB, RGBA = ("R", "G", "B"), ("R", "G", "B", "A")


def write(path: str, pixels: Any, channels: tuple[str, ...] = RGB, **fields: Any) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_picture(Path(path), Picture(pixels, channels, **fields))


def noise(seed: int, channels: int = 3, size: tuple[int, int] = (16, 24), peak: float = 1.0) -> Any:
    return (np.random.RandomState(seed).rand(*size, channels) * peak).astype(np.float16)


@pytest.fixture
def pair(tmp_path: Path) -> None:
    """Four frames a side; B's 1002 differs in one value of one pixel."""
    for number in range(1001, 1005):
        pixels = noise(number, 4)
        pixels[5, 7, 1] = 0.25
        write(f"a/f.{number}.exr", pixels, RGBA)
        pixels[5, 7, 1] = 0.75 if number == 1002 else 0.25
        write(f"b/g.{number}.exr", pixels, RGBA)


def facts_of(cli: Any, *arguments: object) -> dict[int, dict[str, Any]]:
    result = cli("compare", *arguments, "--json")
    assert result.code == 0, result
    return {row["frame"]: row for row in json.loads(result.out)["frames"]}


@pytest.mark.usefixtures("pair")
def test_the_largest_error_is_found_with_its_place(cli: Any) -> None:
    rows = facts_of(cli, "a", "b")
    assert list(rows) == [1001, 1002, 1003, 1004]
    assert [row["equal"] for row in rows.values()] == [True, False, True, True]
    row = rows[1002]
    assert (row["x"], row["y"], row["channel"]) == (7, 5, "G")
    assert row["max_error"] == 0.5
    assert row["differing"] == 1 / (16 * 24)


@pytest.mark.usefixtures("pair")
def test_psnr_is_that_of_the_definition_and_its_peak_is_said(cli: Any) -> None:
    a, b = (read_picture(Path(path)).pixels.astype(np.float64) for path in ("a/f.1002.exr", "b/g.1002.exr"))
    row = facts_of(cli, "a/f.1002.exr", "b/g.1002.exr")[1002]
    assert row["peak"] == 1.0
    assert row["psnr_db"] == pytest.approx(10 * math.log10(1 / np.mean((a - b) ** 2)), abs=1e-6)
    for side in "ab":
        write(f"{side}.exr", noise(3, peak=60.0 if side == "a" else 59.0))
    bright = facts_of(cli, "a.exr", "b.exr")[0]
    assert bright["peak"] == float(noise(3, peak=60.0).max())
    result = cli("compare", "a.exr", "b.exr")
    assert f"against A's brightest value (at least 1, here {bright['peak']:.4g}" in result.out


@pytest.mark.parametrize("height", [16, 131, 134, 300])
def test_ssim_is_of_the_encoded_signal_however_the_picture_is_cut(cli: Any, height: int) -> None:
    from skimage.metrics import structural_similarity

    a, b = (noise(1, size=(height, 24), peak=40.0) for _ in range(2))
    b[-7:, 2:9] *= np.float16(0.5)
    b[3:9, 4:12] *= np.float16(1.25)
    write("a.exr", a)
    write("b.exr", b)

    def encoded(x: Any) -> Any:
        x = x.astype(np.float64)
        srgb = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.minimum(x, 1) ** (1 / 2.4) - 0.055)
        return srgb + (1.055 / 2.4) * np.log(np.maximum(x, 1))

    expected = structural_similarity(
        encoded(a), encoded(b), data_range=1.0, channel_axis=-1, gaussian_weights=True, use_sample_covariance=False
    )
    row = facts_of(cli, "a.exr", "b.exr")[0]
    assert row["ssim"] == pytest.approx(expected, abs=1e-4)
    assert row["encoded_psnr_db"] == pytest.approx(-10 * math.log10(np.mean((encoded(a) - encoded(b)) ** 2)), abs=1e-3)


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        (["--max-error", "0.6"], 0, ""),
        (["--max-error", "0.4"], 1, "1 of 4 frames differ by more than asked: 1002 (max error 0.5 at 7, 5, G)"),
        (["--min-psnr", "30"], 0, ""),
        (["--min-psnr", "90"], 1, "1002 (PSNR "),
        (["--min-ssim", "0.9999"], 1, "1002 (SSIM "),
        (["--max-error", "0", "--frames", "1003-1004"], 0, ""),
    ],
)
def test_limits_decide_the_exit_code(cli: Any, options: list[str], code: int, part: str) -> None:
    result = cli("compare", "a", "b", *options, "--progress", "none")
    assert result.code == code, result
    assert part in result.line


@pytest.mark.usefixtures("pair")
def test_missing_frames_are_listed(cli: Any) -> None:
    Path("a/f.1001.exr").unlink()
    Path("b/g.1004.exr").unlink()
    result = cli("compare", "a/f.####.exr", "b", "--progress", "none")
    assert result.code == 3
    assert "frames only in a/f.####.exr: 1004; frames only in b: 1001; 2 others were compared" in result.line
    result = cli("compare", "a", "b", "--max-error", "0.1", "--progress", "none")
    assert result.code == 1
    assert "warning: frames only in a: 1004" in result.err
    assert cli("compare", "a", "b", "--frames", "1003", "--progress", "none").code == 0


@pytest.mark.usefixtures("pair")
def test_a_broken_frame_is_named_and_the_others_are_compared(cli: Any) -> None:
    whole = Path("b/g.1003.exr").read_bytes()
    Path("b/g.1003.exr").write_bytes(whole[:-40])
    result = cli("compare", "a", "b")
    assert result.code == 3
    assert "warning: frame 1003: b/g.1003.exr: cut short or damaged" in result.err
    assert "frames that cannot be compared: 1003; 3 others were compared" in result.line


@pytest.mark.parametrize(
    ("fields_a", "fields_b", "part"),
    [
        ({}, {"size": (16, 25)}, "b.exr: is 25×16 at 0, 0, and a.exr is 24×16 at 0, 0; only frames of one size"),
        ({}, {"display": (0, 0, 48, 32)}, "b.exr: is 48×32 at 0, 0, and a.exr is 24×16"),
        (
            {"space": "lin_rec709_scene"},
            {"space": "lin_ap1_scene"},
            "b.exr: is in lin_ap1_scene, and a.exr in lin_rec709_scene; render both with one --colorspace",
        ),
        ({}, {"channels": ("u.R", "u.G", "u.B")}, "no channel in common"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(
    cli: Any, fields_a: dict[str, Any], fields_b: dict[str, Any], part: str
) -> None:
    for name, fields in (("a.exr", fields_a), ("b.exr", fields_b)):
        attributes = {"colorInteropID": fields["space"]} if "space" in fields else {}
        pixels = noise(1, size=fields.get("size", (16, 24)))
        write(name, pixels, fields.get("channels", RGB), attributes=attributes, display=fields.get("display"))
    result = cli("compare", "a.exr", "b.exr")
    assert result.code == 3
    assert part in result.err


def test_exr_and_png_are_not_compared_with_each_other(cli: Any) -> None:
    write("a.exr", noise(1))
    write("b.png", (noise(1) * 255).astype(np.uint8))
    result = cli("compare", "a.exr", "b.png")
    assert result.code == 3
    assert "b.png: one is scene-linear, the other sRGB (a.exr)" in result.err


def test_8_and_16_bit_are_compared_as_0_to_1(cli: Any) -> None:
    pixels = (noise(1).astype(np.float32) * 255).astype(np.uint8)
    write("a.png", pixels)
    write("b.png", pixels.astype(np.uint16) * 257)
    assert facts_of(cli, "a.png", "b.png")[0]["max_error"] < 1e-6
    pixels[2, 3, 0] ^= 1
    write("b.png", pixels)
    assert facts_of(cli, "a.png", "b.png")[0]["max_error"] == pytest.approx(1 / 255, rel=1e-4)


def test_data_windows_are_compared_where_they_lie(cli: Any) -> None:
    whole = noise(1, size=(16, 24))
    whole[:, :4] = 0
    write("a.exr", whole, display=(0, 0, 24, 16))
    write("b.exr", whole[:, 4:], origin=(4, 0), display=(0, 0, 24, 16))
    assert facts_of(cli, "a.exr", "b.exr")[0]["equal"]
    write("b.exr", whole[:, 8:], origin=(8, 0), display=(0, 0, 24, 16))
    row = facts_of(cli, "a.exr", "b.exr")[0]
    assert 4 <= row["x"] < 8
    assert row["max_error"] == float(whole[:, 4:8].max())
    assert row["notes"] == ["data windows differ; where only one has pixels, the other counts as 0"]


def test_nan_and_inf_in_the_same_place_are_equal_and_else_counted(cli: Any) -> None:
    a, b = noise(1), noise(1)
    for side in (a, b):
        side[2, 3] = (np.nan, np.inf, -np.inf)
    write("a.exr", a)
    write("b.exr", b)
    row = facts_of(cli, "a.exr", "b.exr")[0]
    assert row["equal"]
    assert row["unlike"] == 0
    b[2, 3, 1], b[9, 1, 2] = -np.inf, np.nan
    write("b.exr", b)
    row = facts_of(cli, "a.exr", "b.exr")[0]
    assert (row["unlike"], row["max_error"], row["y"], row["x"], row["channel"]) == (2, None, 2, 3, "G")
    assert row["psnr_db"] is None  # the values that can be compared are equal
    result = cli("compare", "a.exr", "b.exr", "--min-psnr", "20", "--progress", "none")
    assert result.code == 1
    assert "2 values are NaN or Inf on one side" in result.line


def test_channels_are_chosen_by_name_and_strays_are_noted(cli: Any) -> None:
    colour, depth = noise(1), np.full((16, 24, 1), 7, np.float16)
    write("a.exr", np.concatenate([colour, depth], axis=2), (*RGB, "Z"))
    write("b.exr", np.concatenate([colour, depth + 1], axis=2), (*RGB, "Z"))
    assert facts_of(cli, "a.exr", "b.exr")[0]["equal"]
    for channels in ("Z", "all"):
        row = facts_of(cli, "a.exr", "b.exr", "--channels", channels)[0]
        assert (row["max_error"], row["channel"]) == (1.0, "Z")
    assert facts_of(cli, "a.exr", "b.exr", "--channels", "Z")[0]["ssim"] is None
    result = cli("compare", "a.exr", "b.exr", "--channels", "Q")
    assert "a.exr: has no Q; it has R, G, B, Z" in result.err
    write("b.exr", noise(1, 4), RGBA)
    result = cli("compare", "a.exr", "b.exr", "--progress", "none")
    assert "note: only B has A, which is not compared" in result.out


@pytest.mark.usefixtures("pair")
def test_difference_pictures_show_where_and_how_much(cli: Any) -> None:
    assert cli("compare", "a", "b", "--diff", "d/####.exr").code == 0
    assert sorted(path.name for path in Path("d").iterdir()) == [f"{number}.exr" for number in range(1001, 1005)]
    assert not read_picture(Path("d/1001.exr")).pixels.any()
    difference = read_picture(Path("d/1002.exr"))
    assert difference.channels == RGBA
    assert np.argwhere(difference.pixels).tolist() == [[5, 7, 1]]
    assert float(difference.pixels[5, 7, 1]) == 0.5
    assert cli("compare", "a", "b", "--diff", "d/####.exr", "--gain", "4").code == 0  # ours are replaced
    assert float(read_picture(Path("d/1002.exr")).pixels[5, 7, 1]) == 2.0
    assert cli("compare", "a", "b", "--diff", "d/####.png").code == 0
    seen = read_picture(Path("d/1002.png")).pixels
    assert np.argwhere(seen).tolist() == [[5, 7, 1]]


def test_nan_on_one_side_is_magenta_in_a_difference_picture(cli: Any) -> None:
    a, b = noise(1), noise(1)
    b[9, 1, 2] = np.nan
    write("a.exr", a)
    write("b.exr", b)
    assert cli("compare", "a.exr", "b.exr", "--diff", "d.png").code == 0
    seen = read_picture(Path("d.png")).pixels
    assert seen[9, 1].tolist() == [255, 0, 255]
    assert np.count_nonzero(seen.any(axis=2)) == 1


@pytest.mark.usefixtures("pair")
def test_a_plot_and_a_table_are_written_and_only_such_are_replaced(cli: Any) -> None:
    pytest.importorskip("matplotlib", reason="plots need the review extra")
    for _ in range(2):
        assert cli("compare", "a", "b", "--plot", "p.png", "--csv", "t.csv").code == 0
    assert read_picture(Path("p.png")).pixels.shape[1] == 1200
    with Path("t.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == ["1001", "1002", "1003", "1004"]
    assert (rows[0]["psnr_db"], rows[1]["channel"]) == ("inf", "G")
    for name, option in (("work.png", "--plot"), ("work.csv", "--csv")):
        Path(name).write_text("somebody's")
        result = cli("compare", "a", "b", option, name)
        assert result.code == 2
        assert f"{option} '{name}' exists and is no" in result.line
        assert Path(name).read_text() == "somebody's"
        assert cli("compare", "a", "b", option, name, "--overwrite").code == 0


def test_equal_frames_and_infinite_errors_are_marks_in_a_plot_and_missing_ones_gaps(
    cli: Any, recwarn: pytest.WarningsRecorder
) -> None:
    pytest.importorskip("matplotlib", reason="plots need the review extra")
    from matplotlib.figure import Figure

    from vfxgan.render import compare_plot

    for number in (1, 2, 3, 7, 8):
        pixels = noise(number)
        write(f"a/{number}.exr", pixels)
        pixels[0, 0, 0] = {1: pixels[0, 0, 0], 2: np.nan}.get(number, 5)
        write(f"b/{number}.exr", pixels)
    drawn: list[Any] = []

    class Kept(Figure):  # type: ignore[misc]
        def savefig(self, *arguments: Any, **options: Any) -> None:
            drawn.extend(self.axes)
            super().savefig(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare_plot, "require_plots", lambda: Kept)
        assert cli("compare", "a", "b", "--plot", "p.png").code == 0
    psnr, _, errors = drawn
    curve, equal = psnr.lines[:2]
    assert list(curve.get_xdata()) == [1, 2, 3, 4, 7, 8]
    assert np.isnan(curve.get_ydata()[[0, 3]]).all()
    assert list(equal.get_xdata()) == [1]
    assert [list(line.get_xdata()) for line in errors.lines[1:]] == [[2], [1]]  # infinite above, none below
    assert not [warning for warning in recwarn if "matplotlib" in str(warning.filename)]


@pytest.mark.usefixtures("pair")
def test_a_table_has_a_line_for_each_frame(cli: Any) -> None:
    result = cli("compare", "a", "b", "--progress", "none")
    lines = result.out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["1001", "1002", "1003", "1004"]
    assert "7, 5, G" in lines[2]
    assert lines[6] == "4 frames, 3 of them equal; largest error 0.5 in frame 1002"


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["a", "none"], "B 'none': nothing there"),
        (["a", "b", "--frames", "9"], "--frames 9: frame 9 is neither in 'a' nor in 'b'"),
        (["a", "c"], "B 'c' has several frames 7 (x.7.exr and y.7.exr); give a pattern in quotes"),
        (["a", "c/x.#.exr"], "have no frame in common: 1001 … 1004 and 7 … 7"),
        (["a", "b", "--diff", "d.exr"], "--diff 'd.exr' names one file, but there are 4 frames"),
        (["a", "b", "--diff", "a/f.####.exr"], "--diff 'a/f.####.exr' would replace a/f.1001.exr"),
        (["a", "b", "--diff", "w/####.exr"], "--diff: other work is in the way: w/1002.exr"),
        (["a", "b", "--gain", "2"], "--gain 2 goes with --diff"),
        (["a", "b", "--diff", "d/####.exr", "--gain", "0"], "--gain 0 is outside"),
        (["a", "b", "--plot", "p.pdf"], "--plot 'p.pdf': a plot is a .png"),
        (["a", "b", "--csv", "none/t.csv"], "--csv none/t.csv: its folder is not there"),
    ],
)
def test_wrong_arguments_are_one_line(cli: Any, arguments: list[str], part: str) -> None:
    for name in ("c/x.7.exr", "c/y.7.exr", "w/1002.exr"):
        write(name, noise(1))
    result = cli("compare", *arguments)
    assert result.code == 2, result
    assert len(result.err.strip().splitlines()) == 1
    assert part in result.line


def test_a_missing_library_names_the_extra(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    write("a.exr", noise(1))
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    result = cli("compare", "a.exr", "a.exr", "--progress", "none")
    assert result.code == 1
    assert "scikit-image is not installed, and SSIM needs it: pip install 'vfxgan[review]'" in result.line


@pytest.mark.usefixtures("pair")
def test_figures_do_not_depend_on_threads_and_come_in_order() -> None:
    pairs = find_pairs("a", "b", None).pairs
    one, three = (list(compare_frames(pairs, None, threads)) for threads in (1, 3))
    assert one == three
    assert [row.pair.number for row in one] == [1001, 1002, 1003, 1004]


def test_memory_does_not_grow_with_the_number_of_frames() -> None:
    for number in range(40):
        write(f"a/{number:04d}.exr", noise(number, size=(64, 64)))
    pairs = find_pairs("a", "a", None).pairs
    peaks = []
    list(compare_frames(pairs[:4], None, 2))  # what is loaded once
    for count in (8, 40):
        tracemalloc.start()
        rows = list(compare_frames(pairs[:count], None, 2))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert all(isinstance(row, Compared) and row.ssim == 1.0 for row in rows)
    assert peaks[1] < 1.3 * peaks[0] + 64 * 1024
