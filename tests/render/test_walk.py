"""A walk through seeds: each frame follows from its number and the walk's definition, and from nothing else."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.errors import UsageError
from vfxgan.images import read_picture
from vfxgan.latents import latent
from vfxgan.recipe import read_stamp
from vfxgan.render.latent_path import latent_path
from vfxgan.render.walk import parse_walk
from vfxgan.spec import LatentInput

UNIFORM = LatentInput(size=400, distribution="uniform", interval=0.8)
NORMAL = LatentInput(size=400, distribution="normal", interval=1.0)
WAYS = ("linear", "slerp", "spline")


def path_of(keys: str, span: str, spec: LatentInput, way: Any, *, loops: bool = False, eased: bool = False) -> Any:
    return latent_path(parse_walk(span, keys, loops=loops), spec, None, way, eased=eased)


def read(path: str) -> Any:
    return read_picture(Path(path))


@pytest.mark.parametrize("options", [(), ("--loop", "--ease", "--interpolation", "spline")])
def test_a_chunk_gives_the_bytes_of_the_whole_walk(cli: Any, tiny: Path, frames_of: Any, options: Any) -> None:
    walk = ("render", tiny, "--walk", "1001-1012", "--keys", "0,7,3", *options)
    assert cli(*walk, "--out", "whole/####.exr", "--threads", 2).code == 0
    for chunk in ("1001-1004", "1012,1005-1008", "1009-1011x2", "1010"):
        assert cli(*walk, "--out", "chunks/####.exr", "--frames", chunk, "--threads", 1).code == 0
    assert len(frames_of(Path("whole"))) == 12
    assert frames_of(Path("whole")) == frames_of(Path("chunks"))


@pytest.mark.parametrize("spec", [UNIFORM, NORMAL], ids=["uniform", "normal"])
@pytest.mark.parametrize("way", WAYS)
def test_a_frame_on_a_key_has_the_bits_of_that_seeds_latent(spec: LatentInput, way: str) -> None:
    path = path_of("5,9,2,9", "0-30", spec, way)
    for frame, seed in ((0, 5), (10, 9), (20, 2), (30, 9)):
        np.testing.assert_array_equal(path.at(frame), latent(seed, spec))
    loop = path_of("5,9,2", "0-29", spec, way, loops=True)
    for frame, seed in ((0, 5), (10, 9), (20, 2), (30, 5), (-10, 2)):
        np.testing.assert_array_equal(loop.at(frame), latent(seed, spec))


def test_a_frame_on_a_key_has_the_pixels_of_that_seed(cli: Any, tiny: Path) -> None:
    assert cli("render", tiny, "--seeds", "7", "--out", "still.exr").code == 0
    assert cli("render", tiny, "--walk", "--keys", "0@1,7@4,3@9", "--out", "w/####.exr").code == 0
    np.testing.assert_array_equal(read("w/0004.exr").pixels, read("still.exr").pixels)
    assert not np.array_equal(read("w/0005.exr").pixels, read("still.exr").pixels)


@pytest.mark.parametrize("way", WAYS)
def test_uniform_latents_stay_in_their_interval(way: str) -> None:
    path = path_of("0,1,2,3,4", "0-400", UNIFORM, way)
    largest = max(float(np.abs(path.at(frame)).max()) for frame in range(401))
    assert 0.7 < largest <= np.float32(0.8)


@pytest.mark.parametrize("way", ["slerp", "spline"])
@pytest.mark.parametrize("spec", [UNIFORM, NORMAL], ids=["uniform", "normal"])
def test_latents_between_keys_are_spread_as_those_of_seeds(spec: LatentInput, way: str) -> None:
    path = path_of("0,1,2,3", "0-30", spec, way)
    expected = spec.interval / np.sqrt(3) if spec.distribution == "uniform" else spec.interval
    for frame in range(31):
        assert float(path.at(frame).std()) == pytest.approx(expected, rel=0.08), frame
    half_way = path_of("0,1,2,3", "0-30", spec, "linear").at(5)
    assert float(half_way.std()) < 0.78 * expected  # what the straight line loses


def test_a_uniform_latent_half_way_is_uniform() -> None:
    spec = LatentInput(size=20_000, distribution="uniform", interval=1.0)
    counts, _ = np.histogram(path_of("0,1", "0-10", spec, "slerp").at(5), bins=10, range=(-1, 1))
    np.testing.assert_allclose(counts, 2000, rtol=0.08)


@pytest.mark.parametrize("way", WAYS)
def test_a_loop_closes_without_a_double_frame_or_a_jump(way: str) -> None:
    path = path_of("4,8,6", "1-60", NORMAL, way, loops=True)
    frames = np.concatenate([path.at(frame) for frame in range(1, 62)])
    np.testing.assert_array_equal(frames[-1], frames[0])
    steps = np.linalg.norm(np.diff(frames, axis=0), axis=1)
    assert steps.min() > 0
    assert steps.max() / steps.min() < 2.5


def test_a_spline_turns_no_corner_at_a_key() -> None:
    def turn(way: str) -> float:
        path = path_of("1,2,3", "0-200", NORMAL, way)
        before, at, after = (path.at(frame)[0].astype(float) for frame in (99, 100, 101))
        arriving, leaving = at - before, after - at
        return float(arriving @ leaving / (np.linalg.norm(arriving) * np.linalg.norm(leaving)))

    assert turn("spline") > 0.99
    assert turn("slerp") < 0.5


def test_an_eased_walk_rests_on_its_keys() -> None:
    def step(frame: int, *, eased: bool) -> float:
        path = path_of("1,2,3", "0-40", NORMAL, "slerp", eased=eased)
        return float(np.linalg.norm(path.at(frame + 1) - path.at(frame)))

    assert step(20, eased=True) < 0.2 * step(20, eased=False)
    assert step(30, eased=True) > 1.3 * step(30, eased=False)


def test_keys_are_evenly_spread_or_where_they_are_put() -> None:
    assert parse_walk("1001-1100", "0,50,100", loops=False).places == (1001, Fraction(2101, 2), 1100)
    assert parse_walk("1001-1100", "0,50", loops=True).places == (1001, 1051)
    placed = parse_walk("keys", "0@1001, 50@1040,100@1100", loops=False)
    assert (placed.span_text, placed.keys_text) == ("1001-1100", "0@1001,50@1040,100@1100")
    held = parse_walk("-5-20", "3@0,4@10", loops=False)
    assert [held.locate(frame)[0] for frame in (-5, 0, 5, 10, 20)] == [0, 0, 0, 1, 1]
    assert held.locate(-5)[1] == held.locate(20)[1] == 0
    around = parse_walk("1-10", "3@3,4@8", loops=True)
    assert around.locate(1) == (1, Fraction(3, 5))  # on its way from 8 to 13, which is 3 again


def test_a_frame_is_made_again_from_its_recipe(cli: Any, tiny: Path) -> None:
    walk = ("--walk", "1-9", "--keys", "0,5", "--ease", "--loop", "--interpolation", "spline", "--z-interval", "0.3")
    assert cli("render", tiny, *walk, "--out", "w/####.exr", "--bit-depth", "float").code == 0
    stamp = read_stamp(read("w/0004.exr").attributes)
    assert stamp is not None
    assert stamp.recipe.source == {"frame": 4}
    assert {"walk": "1-9", "keys": "0,5", "ease": "in-out", "loop": "closed"}.items() <= stamp.recipe.options.items()
    assert cli("render", "--model", tiny, "--like", "w/0004.exr", "--out", "again.exr").code == 0
    assert Path("again.exr").read_bytes() == Path("w/0004.exr").read_bytes()
    others = cli("render", "--model", tiny, "--like", "w/0004.exr", "--frames", "2-3", "--out", "v/####.exr")
    assert others.code == 0, others
    assert Path("v/0003.exr").read_bytes() == Path("w/0003.exr").read_bytes()
    assert cli("verify", "w", "--rerender", 4, "--model", tiny).code == 0
    assert '"frame": 4' in cli("inspect", "w/0004.exr", "--json").out
    assert cli("contact-sheet", "w").code == 0


def test_a_walk_goes_on_where_it_was_and_replaces_nothing_else(cli: Any, tiny: Path) -> None:
    walk = ("render", tiny, "--out", "w/####.exr", "--walk", "1-6")
    assert cli(*walk, "--keys", "0,5", "--frames", "1-3").code == 0
    Path("w/0002.exr").write_bytes(Path("w/0002.exr").read_bytes()[:500])
    again = cli(*walk, "--keys", "0,5")
    assert "4 rendered, 2 were done before" in again.err
    other = cli(*walk, "--keys", "0,6")
    assert other.code == 2
    assert "keys 0,5, not 0,6" in other.line
    assert "frame 3 of a walk, not seed 3" in cli("render", tiny, "--seeds", "3", "--out", "w/####.exr").line


def test_picks_can_be_the_keys(cli: Any, tiny: Path) -> None:
    Path("picks.txt").write_text("12\n7  # the good one\n")
    assert cli("render", tiny, "--walk", "1-4", "--keys", "@picks.txt", "--out", "a/####.png").code == 0
    assert cli("render", tiny, "--walk", "1-4", "--keys", "12,7", "--out", "b/####.png").code == 0
    assert Path("a/0003.png").read_bytes() == Path("b/0003.png").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--walk", "1-9"), "--walk needs its seeds; give --keys 0,50,100"),
        (("--walk", "--keys", "0,5"), "--walk needs its frames, since --keys '0,5' names none"),
        (("--walk", "1-9", "--keys", "5"), "a walk needs two keys or more"),
        (("--walk", "1-9", "--keys", "5,x"), "'x' is no key"),
        (("--walk", "1-9", "--keys", "5,4294967296"), "'4294967296' is no key; seeds are 0 … 4294967295"),
        (("--walk", "1-9", "--keys", "5@1,6"), "some keys have frames and some have none"),
        (("--walk", "1-9", "--keys", "5@4,6@4"), "each key needs a later frame than the one before"),
        (("--walk", "1-9", "--keys", "5@4,6@12"), "there are keys outside the walk 1-9"),
        (("--walk", "9-1", "--keys", "5,6"), "a walk goes forward"),
        (("--walk", "nine", "--keys", "5,6"), "is not a span of frames"),
        (("--walk", "1-9", "--keys", "5,6", "--frames", "3-12"), "frame 10 is outside the walk 1-9"),
        (("--walk", "1-9", "--keys", "5,6", "--interpolation", "cubic"), "use linear, slerp, spline"),
        (("--walk", "1-9", "--keys", "5,6", "--seeds", "3"), "--seeds 3 and --walk are two sources"),
        (("--walk", "1-9", "--keys", "5,6", "--start-frame", "3"), "--start-frame 3 is for seeds"),
        (("--seeds", "3", "--keys", "5,6"), "--keys '5,6' goes with --walk"),
        (("--seeds", "3", "--loop"), "--loop goes with --walk"),
        (("--in", "a.exr", "--walk", "1-9", "--keys", "5,6"), "plates"),
    ],
)
def test_a_walk_that_cannot_be_is_refused_in_one_line(cli: Any, tiny: Path, options: Any, message: str) -> None:
    result = cli("render", tiny, "--out", "w/####.exr", *options)
    assert result.code == 2
    assert message in result.line
    assert not Path("w").exists()


def test_too_many_keys_are_refused() -> None:
    with pytest.raises(UsageError, match="1001 keys; a walk takes 1000"):
        parse_walk("1-9999", ",".join(map(str, range(1001))), loops=False)
