"""Views, layers and parts: which pictures of a plate are processed, and where they go."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from vfxgan.images import OpenImage, Picture, read_picture, write_picture

RGB, RGBA = ("R", "G", "B"), ("R", "G", "B", "A")
MULTI_VIEW = {"types": {"multiView": oiio.TypeDesc("string[2]")}}


@pytest.fixture
def model(image_model: Any, tmp_path: Path) -> Path:
    return image_model(tmp_path / "m.onnx")


def noise(channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).uniform(0.1, 0.9, (8, 10, channels)).astype(np.float16)


def single_part(path: Path) -> Path:
    """Right is the default view; one layer in both, and a channel of none."""
    names = (*RGBA, "left.R", "left.G", "left.B", "left.A", "diffuse.right.R", "diffuse.right.G", "diffuse.right.B",
             "diffuse.left.R", "diffuse.left.G", "diffuse.left.B", "mask")  # fmt: skip
    pixels = noise(len(names))
    pixels[..., [3, 7]] = 1
    write_picture(path, Picture(pixels, names, {"multiView": ("right", "left")}, **MULTI_VIEW))
    return path


def multi_part(path: Path) -> Path:
    def part(name: str, view: str, seed: int, channels: tuple[str, ...] = RGB) -> Picture:
        return Picture(noise(len(channels), seed), channels, {"oiio:subimagename": name, "view": view})

    first = part("rgba.left", "left", 1)
    others = (part("rgba.right", "right", 2), part("diffuse.left", "left", 3), part("diffuse.right", "right", 4))
    write_picture(path, Picture(**{**first.__dict__, "parts": (*others, part("Z.left", "left", 5, ("Z",)))}))
    return path


def channels_of(path: Path) -> dict[str, np.ndarray]:
    """By part and name."""
    with OpenImage(path) as image:
        return {
            f"{part.name}:{name}" if len(image.parts) > 1 else name: image.read(part, [index])[..., 0]
            for part in image.parts
            for index, name in enumerate(part.channels)
        }


def rendered(cli: Any, model: Path, source: Path, *options: object) -> dict[str, np.ndarray]:
    result = cli("render", model, "--in", source, "--out", "o.exr", "--overwrite", *options)
    assert result.code == 0, result
    assert cli("verify", "o.exr").code == 0
    return channels_of(Path("o.exr"))


def test_all_views_of_a_single_part_are_processed_under_their_names(cli: Any, model: Path, tmp_path: Path) -> None:
    source = single_part(tmp_path / "a.exr")
    made, plate = rendered(cli, model, source), channels_of(source)
    assert set(made) == {*RGBA, *(f"left.{letter}" for letter in RGBA)}
    for name, plane in made.items():
        np.testing.assert_array_equal(plane, plate[name])
    with OpenImage(Path("o.exr")) as image:
        assert image.parts[0].attributes["multiView"] == ("right", "left")


def test_all_views_of_several_parts_are_processed_into_such_parts(cli: Any, model: Path, tmp_path: Path) -> None:
    source = multi_part(tmp_path / "a.exr")
    made, plate = rendered(cli, model, source), channels_of(source)
    assert set(made) == {f"rgba.{view}:{letter}" for view in ("left", "right") for letter in RGB}
    for name, plane in made.items():
        np.testing.assert_array_equal(plane, plate[name])
    with OpenImage(Path("o.exr")) as image:
        assert [part.view for part in image.parts] == ["left", "right"]


def test_one_view_may_be_chosen(cli: Any, model: Path, tmp_path: Path) -> None:
    source = single_part(tmp_path / "a.exr")
    assert set(rendered(cli, model, source, "--view", "left")) == {f"left.{letter}" for letter in RGBA}
    assert set(rendered(cli, model, source, "--view", "right")) == set(RGBA)
    assert set(rendered(cli, model, multi_part(tmp_path / "b.exr"), "--view", "right")) == set(RGB)
    result = cli("render", model, "--in", source, "--out", "p.exr", "--view", "middle")
    assert result.code == 2
    assert "has no view 'middle'; it has right, left" in result.err


def test_a_layer_is_found_by_its_channels_or_by_its_part(cli: Any, model: Path, tmp_path: Path) -> None:
    source = single_part(tmp_path / "a.exr")
    assert set(rendered(cli, model, source, "--layer", "diffuse")) == {
        f"diffuse.{view}.{letter}" for view in ("left", "right") for letter in RGB
    }
    parts = multi_part(tmp_path / "b.exr")
    made, plate = rendered(cli, model, parts, "--layer", "diffuse"), channels_of(parts)
    assert set(made) == {f"diffuse.{view}:{letter}" for view in ("left", "right") for letter in RGB}
    np.testing.assert_array_equal(made["diffuse.right:G"], plate["diffuse.right:G"])
    result = cli("render", model, "--in", source, "--out", "p.exr", "--layer", "specular")
    assert "has no layer 'specular' with colour; it has diffuse" in result.err


def test_a_matte_may_be_processed_by_its_name(cli: Any, model: Path, tmp_path: Path) -> None:
    source = single_part(tmp_path / "a.exr")
    made = rendered(cli, model, source, "--layer", "mask")
    assert set(made) == {f"mask.{letter}" for letter in RGB}
    np.testing.assert_array_equal(made["mask.G"], channels_of(source)["mask"])


def test_a_matte_of_several_views_is_one_layer(cli: Any, model: Path, tmp_path: Path, plates: Path) -> None:
    source = plates / "beachball" / "singlepart.0001.exr"
    made, plate = rendered(cli, model, source, "--layer", "whitebarmask"), channels_of(source)
    views = ("left", "right")
    assert set(made) == {f"whitebarmask.{view}.{letter}" for view in views for letter in RGB}
    np.testing.assert_array_equal(made["whitebarmask.left.G"], plate["whitebarmask.left.mask"])
    assert set(rendered(cli, model, source, "--layer", "whitebarmask", "--view", "left")) == {
        f"whitebarmask.left.{letter}" for letter in RGB
    }
    result = cli("render", model, "--in", source, "--out", "p.exr", "--layer", "nope")
    assert "has no layer 'nope' with colour; it has rgba, Z, whitebarmask" in result.err


def test_the_default_view_of_a_matte_may_have_no_name(cli: Any, model: Path, tmp_path: Path) -> None:
    names = (*RGB, "bars.mask", "bars.left.mask")
    picture = Picture(noise(5), names, {"multiView": ("right", "left")}, **MULTI_VIEW)
    write_picture(tmp_path / "a.exr", picture)
    made = rendered(cli, model, tmp_path / "a.exr", "--layer", "bars")
    np.testing.assert_array_equal(made["bars.R"], picture.pixels[..., 3])
    np.testing.assert_array_equal(made["bars.left.R"], picture.pixels[..., 4])


@pytest.mark.parametrize(
    ("channels", "kind"),
    [
        (("Z",), "depth"),
        (("id",), "ids"),
        (("N.R", "N.G", "N.B"), "normals"),
        (("P.R", "P.G", "P.B"), "position"),
        (("motion.R", "motion.G", "motion.B"), "motion"),
        (("CryptoObject00.R", "CryptoObject00.G", "CryptoObject00.B"), "Cryptomatte"),
        (("mask",), ""),
        (("diffuse.R", "diffuse.G", "diffuse.B"), ""),
    ],
)
def test_data_that_is_processed_as_colour_is_said(
    cli: Any, model: Path, tmp_path: Path, channels: tuple[str, ...], kind: str
) -> None:
    write_picture(tmp_path / "a.exr", Picture(noise(3 + len(channels)), (*RGB, *channels)))
    layer = channels[0].partition(".")[0]
    result = cli("render", model, "--in", tmp_path / "a.exr", "--out", "o.exr", "--layer", layer)
    assert result.code == 0, result
    said = f"{layer} is {kind} by its name, and goes through the network as if it were colour"
    assert (said in result.err) is bool(kind)
    assert "as if it were" not in cli("render", model, "--in", tmp_path / "a.exr", "--out", "p.exr").err


def test_views_that_are_only_carried_are_said(cli: Any, model: Path, tmp_path: Path) -> None:
    for source in (single_part(tmp_path / "a.exr"), multi_part(tmp_path / "b.exr")):
        line = ("render", model, "--in", source, "--overwrite", "--out", "o.exr")
        said = "view right is only carried, not processed: these frames mix two looks; leave out --view"
        assert said in cli(*line, "--view", "left", "--keep-channels").err
        for options in (("--view", "left"), ("--keep-channels",)):
            assert "only carried" not in cli(*line, *options).err


def test_a_part_is_chosen_by_name_or_number(cli: Any, model: Path, tmp_path: Path) -> None:
    source = multi_part(tmp_path / "a.exr")
    plate = channels_of(source)
    for choice, name in (("diffuse.right", "diffuse.right"), ("2", "diffuse.left"), ("0", "rgba.left")):
        made = rendered(cli, model, source, "--part", choice)
        np.testing.assert_array_equal(made["R"], plate[f"{name}:R"])
    made = rendered(cli, model, source, "--part", "Z.left")
    np.testing.assert_array_equal(made["B"], plate["Z.left:Z"])
    result = cli("render", model, "--in", source, "--out", "p.exr", "--part", "7")
    assert "has no part '7'; it has 0 rgba.left, 1 rgba.right, 2 diffuse.left" in result.err


def test_the_rest_of_a_layer_comes_along_when_kept(cli: Any, model: Path, tmp_path: Path) -> None:
    for source in (single_part(tmp_path / "a.exr"), multi_part(tmp_path / "b.exr")):
        made, plate = rendered(cli, model, source, "--layer", "diffuse", "--keep-channels"), channels_of(source)
        assert list(made) == list(plate)
        for name, plane in made.items():
            np.testing.assert_array_equal(plane, plate[name])


def test_a_file_of_layers_alone_asks_which(cli: Any, model: Path, tmp_path: Path) -> None:
    names = tuple(f"{layer}.{letter}" for layer in ("diffuse", "specular") for letter in RGB)
    write_picture(tmp_path / "a.exr", Picture(noise(6), names))
    result = cli("render", model, "--in", tmp_path / "a.exr", "--out", "o.exr")
    assert result.code == 3
    assert "has several layers and no main one; give --layer: diffuse, specular" in result.err
    assert set(rendered(cli, model, tmp_path / "a.exr", "--layer", "specular")) == {f"specular.{n}" for n in RGB}
    write_picture(tmp_path / "b.exr", Picture(noise(3), tuple(f"beauty.{letter}" for letter in RGB)))
    assert set(rendered(cli, model, tmp_path / "b.exr")) == {f"beauty.{letter}" for letter in RGB}


def test_choices_are_in_the_recipe_and_hold_when_a_frame_is_made_again(cli: Any, model: Path, tmp_path: Path) -> None:
    source = single_part(tmp_path / "a.exr")
    for options in (("--layer", "diffuse"), ("--view", "left"), ("--part", "0", "--keep-channels")):
        rendered(cli, model, source, *options)
        result = cli("verify", "o.exr", "--rerender", 1, "--model", model, "--in", source)
        assert result.code == 0, result
        assert cli("render", model, "--like", "o.exr", "--in", source, "--out", "p.exr", "--overwrite").code == 0
        assert Path("p.exr").read_bytes() == Path("o.exr").read_bytes()
    result = cli("render", model, "--in", source, "--out", "o.exr")
    assert result.code == 2
    assert "o.exr" in result.line


def test_bad_pixels_are_named_with_their_view(cli: Any, model: Path, tmp_path: Path) -> None:
    pixels = noise(6)
    pixels[2, 3, 4] = np.nan
    facts = {"multiView": ("right", "left")}
    names = (*RGB, "left.R", "left.G", "left.B")
    write_picture(tmp_path / "a.exr", Picture(pixels, names, facts, **MULTI_VIEW))
    result = cli("render", model, "--in", tmp_path / "a.exr", "--out", "o.exr")
    assert "1 pixels of left hold NaN or Inf, the first at x 3, y 2" in result.err
    assert cli("render", model, "--in", tmp_path / "a.exr", "--out", "o.exr", "--view", "right").code == 0


@pytest.fixture
def eyes(tmp_path: Path) -> Path:
    for view, seed in (("left", 10), ("right", 20)):
        (tmp_path / "plate" / view).mkdir(parents=True)
        for number in (1001, 1002):
            picture = Picture(noise(seed=seed + number), RGB)
            write_picture(tmp_path / "plate" / view / f"shot_{view[0]}.{number}.exr", picture)
    return tmp_path / "plate"


def test_a_view_in_the_path_has_a_file_of_its_own(cli: Any, model: Path, eyes: Path) -> None:
    result = cli(
        "render", model, "--in", eyes / "%V" / "shot_%v.####.exr", "--out", "up/%v/%V.####.exr", "--progress", "json"
    )
    assert result.code == 0, result
    assert sorted(str(path) for path in Path("up").rglob("*.exr")) == [
        "up/l/left.1001.exr", "up/l/left.1002.exr", "up/r/right.1001.exr", "up/r/right.1002.exr",
    ]  # fmt: skip
    for view in ("left", "right"):
        plate = read_picture(eyes / view / f"shot_{view[0]}.1002.exr").pixels
        np.testing.assert_array_equal(read_picture(Path(f"up/{view[0]}/{view}.1002.exr")).pixels, plate)
    events = [json.loads(line) for line in result.out.splitlines()]
    assert {event["view"] for event in events if event["event"] == "progress"} == {"left", "right"}
    source = eyes / "%V" / "shot_%v.####.exr"
    assert cli("verify", "up/l", "--rerender", 2, "--model", model, "--in", source).code == 0


def test_views_in_paths_go_with_ranges_and_a_choice(cli: Any, model: Path, eyes: Path) -> None:
    (eyes / "left" / "shot_l.1002.exr").unlink()
    source = eyes / "%V" / "shot_%v.####.exr"
    result = cli("render", model, "--in", source, "--out", "up/####.%V.exr", "--frames", "1001-1002")
    assert result.code == 3
    assert "frame 1002 left: " in result.err
    assert "1 of 4 frames failed: 1002; the others are done" in result.line
    assert len(list(Path("up").iterdir())) == 3
    result = cli("render", model, "--in", source, "--out", "r/####.%V.exr", "--view", "right")
    assert result.code == 0, result
    assert sorted(path.name for path in Path("r").iterdir()) == ["1001.right.exr", "1002.right.exr"]
    letters = cli("render", model, "--in", eyes / "right" / "shot_%v.####.exr", "--out", "s/####.%v.exr")
    assert letters.code == 0, letters
    assert sorted(path.name for path in Path("s").iterdir()) == ["1001.r.exr", "1002.r.exr"]


@pytest.mark.parametrize(
    ("source", "out", "options", "reason"),
    [
        ("plate/%V/shot_%v.####.exr", "up/####.exr", [], "--in 'plate/%V/shot_%v.####.exr' has %V"),
        ("plate/left/shot_l.####.exr", "up/%V.####.exr", [], "--out 'up/%V.####.exr' has %V"),
        ("plate/left/shot_%v.####.exr", "up/%V.####.exr", [], "only the views' first letters"),
        ("none/%V.####.exr", "up/%V.####.exr", [], "no plates there for any view"),
        ("plate/%V/shot_%v.####.exr", "up/%V.####.exr", ["--view", "mono"], "has left, right"),
    ],
)
def test_a_view_in_one_path_alone_is_refused(
    cli: Any, model: Path, eyes: Path, source: str, out: str, options: list[str], reason: str
) -> None:
    result = cli("render", model, "--in", source, "--out", out, *options)
    assert result.code == 2, result
    assert reason in result.line
    assert not Path("up").exists()


def test_both_views_of_the_beachball_are_processed(cli: Any, model: Path, plates: Path) -> None:
    source = plates / "beachball" / "singlepart.0004.exr"
    made, plate = rendered(cli, model, source), channels_of(source)
    assert list(made) == [*RGBA, *(f"left.{letter}" for letter in RGBA)]
    for name in ("A", "left.A"):
        np.testing.assert_array_equal(made[name], plate[name])
    for name in ("R", "left.R"):
        np.testing.assert_allclose(made[name].astype(float), plate[name].astype(float), atol=2e-3, rtol=2e-3)
