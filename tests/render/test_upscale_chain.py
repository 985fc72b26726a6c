"""`--upscale`: a generator's pictures go through an upscaler in memory, as through two commands and a float EXR."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.modelfile import find_model, read_model
from vfxgan.recipe import read_stamp


def read(path: str) -> Any:
    return read_picture(Path(path))


def done(result: Any) -> None:
    assert result.code == 0, result


@pytest.mark.parametrize(
    ("options", "of_the_first"),
    [
        ((), ()),
        (("--bit-depth", "float", "--colorspace", "ACEScg"), ()),
        (("--mix", "0.4"), ()),
        (("--tile-exact",), ()),
        (("--z-interval", "0.2", "--compression", "zip"), ("--z-interval", "0.2")),
    ],
    ids=["plain", "space", "mix", "tiles", "z"],
)
def test_in_memory_is_as_two_commands(cli: Any, tiny: Path, options: Any, of_the_first: Any) -> None:
    done(cli("render", tiny, "--seeds", "3", "--upscale", "--out", "chain.exr", *options))
    done(cli("render", tiny, "--seeds", "3", "--out", "first.exr", "--bit-depth", "float", *of_the_first))
    of_the_second = [word for word in options if word not in of_the_first]
    depth = () if "--bit-depth" in options else ("--bit-depth", "half")
    done(cli("render", "upscaler", "--in", "first.exr", "--out", "second.exr", *of_the_second, *depth))
    chain, second = read("chain.exr"), read("second.exr")
    assert chain.pixels.shape == (64, 64, 4)
    assert chain.pixels.dtype == second.pixels.dtype
    np.testing.assert_array_equal(chain.pixels, second.pixels)  # a float EXR holds the generator's light to the bit
    assert chain.attributes.get("colorInteropID") == second.attributes.get("colorInteropID")


def test_a_png_is_the_exr_as_a_display_shows_it(cli: Any, tiny: Path) -> None:
    for out, depth in (("a.exr", "float"), ("a.png", "16")):
        done(cli("render", tiny, "--seeds", "3", "--upscale", "--out", out, "--bit-depth", depth))
    light, shown = read("a.exr").pixels.astype(np.float64), read("a.png").pixels / 65535
    alpha = light[..., 3:]
    assert shown.shape == (64, 64, 4)
    np.testing.assert_allclose(shown[..., 3:], alpha, atol=1e-5)
    colour = np.clip(np.divide(light[..., :3], alpha, where=alpha > 0, out=light[..., :3].copy()), 0, 1)
    expected = np.where(colour <= 0.0031308, colour * 12.92, 1.055 * colour ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(shown[..., :3], expected, atol=3e-5)


def test_upscalers_follow_each_other(cli: Any, tiny: Path, image_model: Any) -> None:
    by_three = image_model(Path("three.onnx"), scale=3)
    done(cli("render", tiny, "--upscale", "--upscale", by_three, "--seeds", "1", "--out", "a.exr"))
    assert read("a.exr").pixels.shape == (192, 192, 4)
    digests = [read_model(find_model(name)).sha256 for name in ("upscaler", "three.onnx")]
    assert read_stamp(read("a.exr").attributes).recipe.options["upscale"] == ",".join(digests)
    done(cli("render", "--model", tiny, "--like", "a.exr", "--upscale", "--upscale=three.onnx", "--out", "b.exr"))
    assert Path("b.exr").read_bytes() == Path("a.exr").read_bytes()


def test_a_walk_is_enlarged_and_its_chunks_are_the_whole(cli: Any, tiny: Path, frames_of: Any) -> None:
    walk = ("render", tiny, "--walk", "1-6", "--keys", "0,5", "--upscale")
    done(cli(*walk, "--out", "whole/####.png", "--threads", 2))
    done(cli(*walk, "--out", "chunks/####.png", "--threads", 1, "--frames", "4-6"))
    done(cli(*walk, "--out", "chunks/####.png", "--threads", 2, "--frames", "1-3"))
    assert frames_of(Path("whole")) == frames_of(Path("chunks"))


def test_a_chained_frame_is_made_again_from_its_recipe(cli: Any, tiny: Path, image_model: Any) -> None:
    chained = ("render", tiny, "--seeds", "0-2", "--out", "a/####.exr", "--mix", "0.5")
    done(cli(*chained, "--upscale", "--tile", "48"))
    assert "3 were done before" in cli(*chained, "--tile", "48", "--upscale").err
    done(cli("verify", "a", "--rerender", 2, "--model", tiny))  # the packaged upscaler is at hand
    done(cli("render", "--model", tiny, "--like", "a/0001.exr", "--out", "again.exr"))
    assert Path("again.exr").read_bytes() == Path("a/0001.exr").read_bytes()
    other = cli(*chained, "--upscale", image_model(Path("m.onnx"), scale=2))
    assert other.code == 2
    assert "other work is in the way" in other.line
    assert "upscale " in other.line


def test_an_upscaler_that_is_not_at_hand_is_asked_for(cli: Any, tiny: Path, image_model: Any) -> None:
    mine = image_model(Path("mine.onnx"), scale=2)
    done(cli("render", tiny, "--seeds", "1", "--upscale", mine, "--out", "a.exr"))
    missing = cli("render", "--model", tiny, "--like", "a.exr", "--out", "b.exr")
    assert missing.code == 1
    assert "needs the upscaler with SHA-256" in missing.line
    assert "give it with --upscale" in missing.line
    wrong = cli("render", "--model", tiny, "--like", "a.exr", "--upscale", "--out", "b.exr")
    assert wrong.code == 2
    assert "but the frame has upscaler" in wrong.line
    done(cli("render", "--model", tiny, "--like", "a.exr", "--upscale", mine, "--out", "b.exr"))
    assert Path("b.exr").read_bytes() == Path("a.exr").read_bytes()
    done(cli("verify", "a.exr", "--rerender", 1, "--model", tiny, "--upscale", mine))


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        (("--in", "p.exr", "--upscale"), 2, "--upscale is for seeds, not for plates"),
        (("--seeds", "1", "--upscale", "elements"), 2, "does not make pictures of pictures; give an upscaler"),
        (("--seeds", "1", "--upscale", "none.onnx"), 1, "none.onnx: no such model file"),
        (("--seeds", "1", "--mix", "0.5"), 2, "--mix 0.5 is for plates (--in) and --upscale, not for seeds"),
        (("--seeds", "1", "--upscale", "--mix", "2"), 2, "--mix 2.0 is outside 0 … 1"),
        (("--seeds", "1", "--upscale", "--temporal", "1"), 2, "--temporal 1 is for plates (--in), not for seeds"),
        (("--seeds", "1", *["--upscale"] * 11), 2, "pictures would be 65536 px wide or high"),
    ],
)
def test_a_chain_that_cannot_be_is_refused_in_one_line(
    cli: Any, tiny: Path, line: Any, code: int, message: str
) -> None:
    write_picture(Path("p.exr"), Picture(np.zeros((8, 8, 3), np.float16), ("R", "G", "B")))
    result = cli("render", tiny, "--out", "o/####.exr", *line)
    assert result.code == code
    assert message in result.line
