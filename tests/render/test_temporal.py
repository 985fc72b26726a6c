"""`--temporal`: a frame is stabilised with its neighbourhood, and depends on nothing beyond that."""

import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

pytest.importorskip("cv2", reason="OpenCV, of the temporal extra, is not installed")

from vfxgan.colour import encode
from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.recipe import read_stamp
from vfxgan.render import neighbourhood
from vfxgan.render.neighbourhood import Kept, Neighbour, Shot, neighbours_digest
from vfxgan.render.plates import PlateMaker
from vfxgan.render.temporal import Average, Guide, Motion, find_flows, find_motion

SHIFT = (3.0, -2.0)  # px a frame


def texture(height: int, width: int, x: float, y: float, seed: int = 0) -> np.ndarray:
    """[H, W, 3] of waves, moved by any share of a pixel."""
    stream = np.random.RandomState(seed)
    down, across = np.mgrid[:height, :width].astype(np.float64)
    light = np.full((height, width, 3), 0.4)
    for _ in range(24):
        a, b = stream.uniform(-0.5, 0.5, 2)
        phase, strength = stream.uniform(0, 7, 3), stream.uniform(0.2, 1, 3)
        light += 0.06 * strength * np.sin(((across - x) * a + (down - y) * b)[..., None] + phase)
    return np.clip(light, 0.02, 1)


def shot(folder: str, numbers: range, *, size: tuple[int, int] = (48, 64), seed: int = 0) -> str:
    Path(folder).mkdir()
    for number in numbers:
        pixels = texture(*size, SHIFT[0] * number, SHIFT[1] * number, seed).astype(np.float16)
        write_picture(Path(folder) / f"{number:04d}.exr", Picture(pixels, ("R", "G", "B")))
    return f"{folder}/####.exr"


def guide(pixels: np.ndarray, data: Any = None, display: Any = None) -> Guide:
    height, width, _ = pixels.shape
    window = (0, 0, width, height)
    return Guide(encode(np.moveaxis(pixels.astype(np.float32), -1, 0)), data or window, display or window)


def motion_of(here: Guide, there: Guide) -> Any:
    return find_motion(here, there, find_flows(here, there))


def done(result: Any) -> None:
    assert result.code == 0, result


def light(path: str) -> Any:
    return read_picture(Path(path)).pixels.astype(np.float64)


@pytest.fixture
def shaky(image_model: Any) -> Path:
    """A translator whose output flickers as a picture moves under it: it works on blocks of 4×4 px."""
    made: Path = image_model(Path("shaky.onnx"), "shaky", input={"kind": "image", "channels": 3, "size_multiple": 4})
    return made


def test_a_required_runtime_is_that_of_stabilised_frames_too(cli: Any, shaky: Path) -> None:
    source = shot("p", range(1, 4))
    done(cli("render", shaky, "--in", source, "--out", "o/####.exr", "--temporal", 1))
    again = ("render", shaky, "--in", source, "--out", "q/####.exr", "--temporal", 1, "--require-runtime")
    done(cli(*again, "@o/0002.exr"))
    plain = cli(*again[:-3], "--require-runtime", "@o/0002.exr", "--dry-run")
    assert plain.code == 2  # without OpenCV in it, that is another fingerprint
    assert "opencv" in plain.err


def test_three_chunks_have_the_bytes_of_one_run(cli: Any, shaky: Path, frames_of: Any) -> None:
    source = shot("p", range(1, 10))
    line = ("render", shaky, "--in", source, "--temporal", "2")
    done(cli(*line, "--out", "whole/####.exr", "--threads", 2))
    for chunk, threads in (("1-3", 1), ("9-6", 2), ("4,5", 1)):
        done(cli(*line, "--out", "chunks/####.exr", "--frames", chunk, "--threads", threads))
    assert len(frames_of(Path("whole"))) == 9
    assert frames_of(Path("whole")) == frames_of(Path("chunks"))
    done(cli("verify", "whole", "--rerender", 3, "--model", shaky, "--in", source))


def test_a_frame_depends_on_its_neighbourhood_alone(cli: Any, shaky: Path) -> None:
    source = shot("p", range(1, 8))
    done(cli("render", shaky, "--in", source, "--temporal", "1", "--out", "a/####.exr", "--frames", "4"))
    for number in (1, 2, 6, 7):
        write_picture(Path(f"p/{number:04d}.exr"), Picture(np.zeros((48, 64, 3), np.float16), ("R", "G", "B")))
    done(cli("render", shaky, "--in", source, "--temporal", "1", "--out", "b/####.exr", "--frames", "4"))
    assert Path("a/0004.exr").read_bytes() == Path("b/0004.exr").read_bytes()
    done(cli("render", shaky, "--in", "p/0004.exr", "--out", "alone.exr"))
    assert not np.array_equal(light("a/0004.exr"), light("alone.exr"))


def test_flicker_falls_and_more_so_with_more_neighbours(cli: Any, shaky: Path) -> None:
    """Between frames that are 4 times the shift apart the blocks fit again; what is left is flicker."""
    source = shot("p", range(1, 10))
    flicker = []
    for reach in (0, 1, 2):
        done(cli("render", shaky, "--in", source, "--temporal", reach, "--out", f"o{reach}/####.exr"))
        flicker.append(warping_error(f"o{reach}"))
    plain, one, two = flicker
    assert one < 0.75 * plain
    assert two < 0.6 * plain


def warping_error(folder: str) -> float:
    """Mean change between neighbours along the known motion, inside the picture."""
    across, down = int(SHIFT[0]), int(SHIFT[1])
    errors = []
    for number in range(3, 7):
        here, there = light(f"{folder}/{number:04d}.exr"), light(f"{folder}/{number + 1:04d}.exr")
        moved = np.roll(there, (-down, -across), (0, 1))
        errors.append(np.abs(moved - here)[10:-10, 10:-10].mean())
    return float(np.mean(errors))


def test_a_still_shot_through_a_steady_network_stays_as_it_is(cli: Any, image_model: Any) -> None:
    Path("p").mkdir()
    pixels = texture(48, 64, 0, 0).astype(np.float16)
    for number in (1, 2, 3):
        write_picture(Path(f"p/{number:04d}.exr"), Picture(pixels, ("R", "G", "B")))
    model = image_model(Path("m.onnx"), scale=2)
    for reach in (0, 1):
        done(cli("render", model, "--in", "p/####.exr", "--temporal", reach, "--out", f"o{reach}/####.exr"))
    np.testing.assert_allclose(light("o1/0002.exr"), light("o0/0002.exr"), atol=0.002)


def test_across_a_cut_nothing_is_mixed(cli: Any, shaky: Path) -> None:
    shot("p", range(1, 4))
    shutil.copytree("p", "q")
    for path in sorted(Path(shot("other", range(4, 7), seed=9)).parent.glob("*.exr")):
        shutil.copy(path, "p")
    for source in ("p", "q"):
        done(cli("render", shaky, "--in", f"{source}/####.exr", "--temporal", "2", "--out", f"{source}o/####.exr"))
    for number in (1, 2, 3):
        np.testing.assert_array_equal(light(f"po/{number:04d}.exr"), light(f"qo/{number:04d}.exr"))


def test_frames_that_nothing_stabilises_are_said_once_and_are_as_without_it(cli: Any, shaky: Path) -> None:
    shot("cut", range(1, 2))
    shutil.copy(Path(shot("other", range(4, 5), seed=9)).parent / "0004.exr", "cut/0002.exr")
    shot("lone", range(1, 2))
    line = ("render", shaky, "--in")
    unfit = "on some frames no neighbour fits (a cut, or it moves too far): they are as without --temporal"
    for source, said in (("cut", unfit), ("lone", "some frames have no neighbour on disk: they are as without")):
        result = cli(*line, f"{source}/####.exr", "--temporal", "1", "--out", f"{source}1/####.exr")
        assert result.code == 0, result
        assert result.err.count(said) == 1
        done(cli(*line, f"{source}/####.exr", "--out", f"{source}0/####.exr"))
        for path in Path(f"{source}0").glob("*.exr"):
            np.testing.assert_array_equal(light(str(path)), light(f"{source}1/{path.name}"))
    fits = cli(*line, shot("whole", range(1, 4)), "--temporal", "1", "--out", "o/####.exr")
    assert "without --temporal" not in fits.err


def test_moving_data_windows_are_followed_in_the_display(cli: Any, shaky: Path) -> None:
    """The same shot, cut to windows that move: where they see the same, the motion found is the same."""
    here = texture(160, 200, 0, 0)
    there = texture(160, 200, 5, 3)
    display = (0, 0, 200, 160)
    cut_here = guide(here[20:120, 30:140], (30, 20, 110, 100), display)
    cut_there = guide(there[35:140, 22:150], (22, 35, 128, 105), display)
    motion = motion_of(cut_here, cut_there)
    assert motion is not None
    trusted = motion.weight > 0.5
    assert trusted.mean() > 0.6
    assert float(np.abs(motion.x[trusted] - (5 + 30 - 22)).mean()) < 0.1
    assert float(np.abs(motion.y[trusted] - (3 + 20 - 35)).mean()) < 0.1
    assert not motion.weight[:11].any()  # those rows are above the other's window
    raw = np.moveaxis(here[20:120, 30:140], -1, 0).astype(np.float32)
    average = Average(raw, 1)
    average.add(np.moveaxis(there[35:140, 22:150], -1, 0).astype(np.float32), motion, 1.0)
    np.testing.assert_allclose(average.result(), raw, atol=0.04)


def test_motion_is_enlarged_with_the_picture() -> None:
    here, there = texture(64, 80, 0, 0), texture(64, 80, 4, -2)
    motion = motion_of(guide(here), guide(there))
    assert motion is not None
    large_here, large_there = texture_twice(0, 0), texture_twice(4, -2)
    average = Average(large_here, 2)
    average.add(large_there, motion, 1.0)
    inner = (slice(None), slice(20, -20), slice(20, -20))
    np.testing.assert_allclose(average.result()[inner], large_here[inner], atol=0.02)
    assert float(np.abs(large_there - large_here)[inner].max()) > 0.2


def texture_twice(x: float, y: float) -> np.ndarray:
    """[3, 128, 160]: the waves of `texture` at twice the size."""
    stream = np.random.RandomState(0)
    down, across = (np.mgrid[:128, :160] + 0.5) / 2 - 0.5
    light = np.full((128, 160, 3), 0.4)
    for _ in range(24):
        a, b = stream.uniform(-0.5, 0.5, 2)
        phase, strength = stream.uniform(0, 7, 3), stream.uniform(0.2, 1, 3)
        light += 0.06 * strength * np.sin(((across - x) * a + (down - y) * b)[..., None] + phase)
    return np.moveaxis(np.clip(light, 0.02, 1), -1, 0).astype(np.float32)


def test_a_neighbour_weighs_less_the_further_away_it_is(cli: Any, image_model: Any) -> None:
    """Of a still shot one neighbour is a little brighter: so much of that is in the frame as the neighbour weighs."""
    model = image_model(Path("m.onnx"))
    pixels, brighter = texture(48, 64, 0, 0).astype(np.float32), 0.004
    for folder, odd in (("near", 4), ("far", 5)):
        Path(folder).mkdir()
        for number in range(1, 6):
            stored = pixels + np.float32(brighter * (number == odd))
            write_picture(Path(f"{folder}/{number:04d}.exr"), Picture(stored, ("R", "G", "B")))
        options = ("--temporal", "2", "--frames", "3", "--out", f"{folder}.####.exr")
        done(cli("render", model, "--in", f"{folder}/####.exr", *options))
    weights = [float((light(f"{folder}.0003.exr") - pixels).mean()) / brighter for folder in ("near", "far")]
    total = 1 + 2 * (2 / 3) + 2 * (1 / 3)
    np.testing.assert_allclose(weights, [2 / 3 / total, 1 / 3 / total], rtol=0.1)


def test_what_is_moved_stays_within_what_the_network_gave() -> None:
    raw = np.zeros((1, 24, 24), np.float32)
    raw[:, :, 12:] = 400  # between pixels a cubic overshoots here
    half = np.full((24, 24), 0.5, np.float32)
    average = Average(np.zeros_like(raw), 1)
    average.add(raw, Motion(half, half, np.ones_like(half)), 1.0)
    made = average.result()
    assert made.min() == 0
    assert made.max() == 200
    assert np.unique(made).size > 2


def test_beyond_the_others_window_nothing_is_trusted_though_it_is_black_there_too() -> None:
    pixels = texture(64, 64, 0, 0)
    pixels[:24] = 0
    display = (0, 0, 64, 64)
    motion = motion_of(guide(pixels, display=display), guide(pixels[16:], (0, 16, 64, 48), display))
    assert motion is not None
    assert not motion.weight[:15].any()
    assert motion.weight[18:].mean() > 0.8


def test_other_sizes_and_windows_far_apart_have_no_motion() -> None:
    pixels = texture(40, 40, 0, 0)
    assert motion_of(guide(pixels), guide(pixels, display=(0, 0, 80, 40))) is None
    far = (4000, 0, 40, 40)
    assert motion_of(guide(pixels, display=(0, 0, 9, 9)), guide(pixels, far, (0, 0, 9, 9))) is None


def test_flow_has_the_same_bits_every_time_and_on_any_number_of_threads() -> None:
    import cv2

    here, there = guide(texture(96, 128, 0, 0)), guide(texture(96, 128, 2.5, 1.25))

    def digest() -> str:
        motion = motion_of(here, there)
        assert motion is not None
        return hashlib.sha256(b"".join(plane.tobytes() for plane in (motion.x, motion.y, motion.weight))).hexdigest()

    first = digest()
    cv2.setNumThreads(4)
    assert digest() == first
    assert cv2.getNumThreads() == 1


def test_flows_are_the_same_from_either_side() -> None:
    here, there = guide(texture(70, 90, 0, 0)), guide(texture(70, 90, 4, -2))
    one, other = find_flows(here, there), find_flows(there, here)
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.swapped.onward, other.onward)
    np.testing.assert_array_equal(one.swapped.back, other.back)


def test_what_is_kept_changes_nothing_and_is_made_once() -> None:
    made: list[str] = []

    def shot_of(name: str) -> Shot:
        made.append(name)
        return Shot(np.zeros((1, 10, 10), np.float32), guide(np.zeros((10, 10, 3))))

    kept: Kept[Shot] = Kept(3 * shot_of("").nbytes)
    made.clear()
    for name in "abcabcdbcda":
        kept.get((name, ""), lambda name=name: shot_of(name))  # type: ignore[misc]
    assert made == list("abcda")
    nothing: Kept[Shot] = Kept(0)
    for _ in range(2):
        nothing.get(("z", ""), lambda: shot_of("z"))
    assert made == list("abcdazz")


def test_frames_do_not_depend_on_what_is_kept(
    cli: Any, shaky: Path, frames_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = shot("p", range(1, 5))
    done(cli("render", shaky, "--in", source, "--temporal", "2", "--out", "kept/####.exr", "--threads", 2))
    monkeypatch.setattr(neighbourhood, "KEPT_BYTES", 0)
    monkeypatch.setattr(neighbourhood, "KEPT_FLOW_BYTES", 0)
    done(cli("render", shaky, "--in", source, "--temporal", "2", "--out", "anew/####.exr", "--threads", 1))
    assert frames_of(Path("kept")) == frames_of(Path("anew"))


def test_the_beachball_is_followed_though_its_windows_move(plates: Path) -> None:
    guides = []
    for number in (1, 2):
        picture = read_picture(plates / "beachball" / f"singlepart.{number:04d}.exr")
        pixels = picture.pixels[::2, ::2, :4]  # half the size, to be quick
        (x, y), (height, width) = picture.origin, pixels.shape[:2]
        guides.append(guide(pixels, (x // 2, y // 2, width, height), (0, 0, 1024, 778)))
    motion = motion_of(*guides)
    assert motion is not None
    ball = guides[0].encoded[3] > 0.9
    assert float(motion.weight[ball].mean()) > 0.5
    offset = [b - a for a, b in zip(guides[0].data[:2], guides[1].data[:2], strict=True)]
    assert offset == [52, 61]  # as far as the window moved, but for a few px, is where the ball is in it
    assert np.abs(np.median(motion.x[ball])) < 8
    assert np.abs(np.median(motion.y[ball])) < 8


def test_a_changed_neighbour_makes_a_frame_foreign(cli: Any, shaky: Path) -> None:
    source = shot("p", range(1, 5))
    line = ("render", shaky, "--in", source, "--temporal", "1", "--out", "o/####.exr")
    done(cli(*line))
    assert "4 were done before" in cli(*line).err
    before = Path("o/0002.exr").read_bytes()
    stamp = read_stamp(read_picture(Path("o/0002.exr")).attributes)
    assert stamp is not None
    digests = [(d, hashlib.sha256(Path(f"p/{2 + d:04d}.exr").read_bytes()).hexdigest()) for d in (-1, 1)]
    assert stamp.recipe.neighbours == neighbours_digest(digests)
    assert "opencv" in stamp.recipe.fingerprint
    shutil.copy("p/0001.exr", "p/0003.exr")
    refused = cli(*line)
    assert refused.code == 2
    assert "0002.exr (made with other neighbouring plates, or with fewer or more of them)" in refused.line
    assert Path("o/0002.exr").read_bytes() == before
    again = cli("verify", "o/0002.exr", "--rerender", 1, "--model", shaky, "--in", source)
    assert "the plates around its own are others" in again.err
    Path("p/0003.exr").unlink()
    assert cli(*line).code == 2
    done(cli(*line, "--overwrite"))


def test_a_neighbour_that_cannot_be_used_fails_the_frames_around_it_by_name(cli: Any, shaky: Path) -> None:
    source = shot("p", range(1, 8))
    pixels = texture(48, 64, 0, 0).astype(np.float16)
    pixels[3, 4] = np.nan
    write_picture(Path("p/0002.exr"), Picture(pixels, ("R", "G", "B")))
    Path("p/0007.exr").write_bytes(Path("p/0007.exr").read_bytes()[:900])
    result = cli("render", shaky, "--in", source, "--temporal", "1", "--out", "o/####.exr")
    assert result.code == 3
    assert "5 of 7 frames failed: 1, 2, 3, 6, 7" in result.line
    assert (
        "frame 3 (p/0003.exr): its neighbour at -1, which --temporal needs: p/0002.exr: 1 pixels hold NaN or Inf"
        in result.err
    )
    assert "frame 6 (p/0006.exr): its neighbour at +1, which --temporal needs: p/0007.exr" in result.err
    assert sorted(path.name for path in Path("o").iterdir()) == ["0004.exr", "0005.exr"]
    repaired = cli("render", shaky, "--in", source, "--temporal", "1", "--out", "r/####.exr", "--bad-pixels", "zero")
    assert "2 of 7 frames failed: 6, 7" in repaired.line


def test_a_neighbour_that_is_replaced_before_it_is_read_fails_the_frame(
    cli: Any, shaky: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, other = shot("p", range(1, 4)), shot("other", range(1, 4), seed=3)
    read = PlateMaker.read

    def meanwhile(maker: PlateMaker, plate: Path, view: str) -> Any:
        shutil.copy(Path(other).with_name(plate.name), plate)
        return read(maker, plate, view)

    line = ("render", shaky, "--in", source, "--temporal", "1", "--frames", "1", "--out", "o/####.exr")
    with monkeypatch.context() as patched:
        patched.setattr(PlateMaker, "read", meanwhile)
        result = cli(*line)
    assert result.code == 3
    assert "p/0002.exr: changed while it was used; run the same command again when it is whole" in result.err
    assert not Path("o/0001.exr").exists()
    done(cli(*line))
    done(cli("verify", "o"))


def test_a_neighbour_that_is_a_pipe_is_named_and_not_waited_for(start: Any, shaky: Path) -> None:
    source = shot("p", range(1, 4), size=(16, 16))
    Path("p/0001.exr").unlink()
    os.mkfifo("p/0001.exr")
    process = start("render", shaky, "--in", source, "--temporal", "1", "--out", "o/####.exr")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "frame 1: p/0001.exr: is a pipe, no image file" in err
    assert "its neighbour at -1, which --temporal needs: p/0001.exr: is a pipe" in err
    assert "2 of 3 frames failed: 1, 2; the others are done" in err


def test_views_go_each_by_itself(cli: Any, shaky: Path) -> None:
    Path("p").mkdir()
    names = ("R", "G", "B", "left.R", "left.G", "left.B")
    for number in (1, 2, 3):
        right, left = (texture(48, 64, 3 * number, 0, seed) for seed in (1, 2))
        both = np.concatenate([right, left], 2).astype(np.float16)
        header, types = {"multiView": ("right", "left")}, {"multiView": oiio.TypeDesc("string[2]")}
        write_picture(Path(f"p/{number:04d}.exr"), Picture(both, names, header, types))
    line = ("render", shaky, "--in", "p/####.exr", "--temporal", "1")
    done(cli(*line, "--out", "o/####.exr"))
    done(cli(*line, "--out", "left/####.exr", "--view", "left"))
    both, alone = read_picture(Path("o/0002.exr")), read_picture(Path("left/0002.exr"))
    picked = [both.channels.index(name) for name in names[3:]]
    np.testing.assert_array_equal(both.pixels[..., picked], alone.pixels)


def test_a_stabilised_frame_is_made_again_from_its_recipe(cli: Any, shaky: Path) -> None:
    source = shot("p", range(1, 6))
    done(cli("render", shaky, "--in", source, "--temporal", "2", "--mix", "0.7", "--out", "o/####.exr"))
    done(cli("render", "--model", shaky, "--like", "o/0003.exr", "--in", source, "--out", "again.exr"))
    assert Path("again.exr").read_bytes() == Path("o/0003.exr").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--in", "p/0001.exr", "--temporal", "1"), "--temporal 1 needs the plates around each: --in 'p/0001.exr'"),
        (("--in", "p/####.exr", "--temporal", "9"), "--temporal 9 is outside 0 … 8 frames on each side"),
    ],
)
def test_what_cannot_be_stabilised_is_refused_in_one_line(cli: Any, shaky: Path, options: Any, message: str) -> None:
    shot("p", range(1, 3), size=(16, 16))
    result = cli("render", shaky, "--out", "o/####.exr", *options)
    assert result.code == 2
    assert message in result.line


def test_without_opencv_the_extra_is_named_before_the_start(
    cli: Any, shaky: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = shot("p", range(1, 3), size=(16, 16))
    monkeypatch.setitem(sys.modules, "cv2", None)
    result = cli("render", shaky, "--in", source, "--temporal", "1", "--out", "o/####.exr")
    assert result.code == 1
    assert "OpenCV is not installed, and --temporal needs it: pip install 'vfxgan[temporal]'" in result.line
    assert not Path("o").exists()


def test_a_neighbour_is_named_by_its_offset() -> None:
    around = [Neighbour(offset, "ab", lambda _: pytest.fail("read")) for offset in (1, -1)]
    assert neighbours_digest([(n.offset, n.digest) for n in around]) == neighbours_digest([(-1, "ab"), (1, "ab")])
    assert neighbours_digest([(1, "ab")]) != neighbours_digest([(2, "ab")])
