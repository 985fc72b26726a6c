"""`--keep-channels`: what is not processed goes along, scaled by what it is, in its own type."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.images import OpenImage, Picture, write_picture
from vfxgan.recipe import read_stamp

RGB = ("R", "G", "B")
SCALE = 2


@pytest.fixture
def model(image_model: Any, tmp_path: Path) -> Path:
    return image_model(tmp_path / "m.onnx", scale=SCALE)


def noise(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).uniform(0.1, 0.9, (height, width, channels)).astype(np.float16)


def integers(height: int, width: int, channels: int = 1) -> np.ndarray:
    codes = np.random.RandomState(3).randint(0, 2**32, (height, width, channels), dtype=np.uint64).astype(np.uint32)
    codes[0, 0] = 0x7F800001  # as a float it would be a signalling NaN
    return codes


def channels_of(path: Path, part: int = 0) -> dict[str, np.ndarray]:
    with OpenImage(path) as image:
        layout = image.parts[part]
        return {name: image.read(layout, [index])[..., 0] for index, name in enumerate(layout.channels)}


def repeated(plane: np.ndarray) -> np.ndarray:
    return plane.repeat(SCALE, 0).repeat(SCALE, 1)


def kept(cli: Any, model: Path, source: Path, out: str = "o.exr", *options: object) -> dict[str, np.ndarray]:
    result = cli("render", model, "--in", source, "--out", out, "--keep-channels", *options)
    assert result.code == 0, result
    assert cli("verify", out).code == 0
    return channels_of(Path(out))


def with_channels(path: Path, blocks: dict[tuple[str, ...], np.ndarray], **attributes: Any) -> Path:
    height, width = next(iter(blocks.values())).shape[:2]
    names = (*RGB, *(name for group in blocks for name in group))
    write_picture(path, Picture(noise(height, width, 3), names, attributes, more=tuple(blocks.values())))
    return path


def test_without_it_one_line_counts_what_stays_behind(cli: Any, model: Path, tmp_path: Path) -> None:
    source = with_channels(tmp_path / "a.exr", {("Z",): noise(6, 8, 1).astype(np.float32), ("id",): integers(6, 8)})
    result = cli("render", model, "--in", source, "--out", "o.exr")
    assert "2 other channels stay behind (Z, id); --keep-channels carries them" in result.err
    assert set(channels_of(Path("o.exr"))) == set(RGB)


@pytest.mark.parametrize("compression", ["none", "rle", "zip", "zips", "piz", "b44"])
def test_ids_beside_floats_keep_all_of_their_bits(cli: Any, model: Path, tmp_path: Path, compression: str) -> None:
    ids = integers(6, 8, 2)
    depth = np.random.RandomState(1).uniform(0, 1e6, (6, 8, 1)).astype(np.float32)
    source = with_channels(tmp_path / "a.exr", {("Z",): depth, ("objectId", "mat.id"): ids})
    made = kept(cli, model, source, "o.exr", "--compression", compression)
    for place, name in enumerate(("objectId", "mat.id")):
        assert made[name].dtype == np.uint32
        np.testing.assert_array_equal(made[name], repeated(ids[..., place]))
    assert made["Z"].dtype == np.float32
    np.testing.assert_array_equal(made["Z"], repeated(depth[..., 0]))
    assert made["R"].dtype == np.float16


def test_a_compression_that_would_change_ids_is_refused_by_name(cli: Any, model: Path, tmp_path: Path) -> None:
    source = with_channels(tmp_path / "a.exr", {("id",): integers(6, 8)})
    result = cli("render", model, "--in", source, "--out", "o.exr", "--keep-channels", "--compression", "dwaa")
    assert result.code != 0
    assert "dwaa does not carry 32-bit integers (id) beside floats unharmed; use --compression none" in result.err
    assert not Path("o.exr").exists()


@pytest.mark.parametrize(
    ("compression", "name", "dtype"),
    [("dwaa", "CryptoObject00.r", np.float32), ("pxr24", "Z", np.float32), ("b44", "Z", np.float16)],
)
def test_a_lossy_compression_of_data_is_refused(
    cli: Any, model: Path, tmp_path: Path, compression: str, name: str, dtype: type
) -> None:
    facts = {"cryptomatte/1a2b3c4/name": "CryptoObject"}
    source = with_channels(tmp_path / "a.exr", {(name,): np.ones((6, 8, 1), dtype)}, **facts)
    result = cli("render", model, "--in", source, "--out", "o.exr", "--keep-channels", "--compression", compression)
    assert result.code == 3
    assert f"{compression} would change data channels ({name}); use --compression zips" in result.err


@pytest.mark.parametrize("compression", ["dwaa", "dwab:60", "htj2k256", "pxr24"])
def test_what_a_lossy_compression_leaves_alone_is_exact(
    cli: Any, model: Path, tmp_path: Path, compression: str
) -> None:
    depth = np.random.RandomState(4).uniform(0, 9, (300, 20, 1)).astype(np.float16)
    names = tuple(f"diffuse.{letter}" for letter in RGB)
    source = with_channels(tmp_path / "a.exr", {("Z",): depth, names: noise(300, 20, 3)})
    made = kept(cli, model, source, "o.exr", "--compression", compression)
    np.testing.assert_array_equal(made["Z"], repeated(depth[..., 0]))
    assert cli("verify", "o.exr", "--rerender", 1, "--model", model, "--in", source).code == 0


def test_cryptomatte_is_found_by_its_manifest_and_left_exact(cli: Any, model: Path, tmp_path: Path) -> None:
    hashes = np.random.RandomState(5).uniform(-1e30, 1e30, (6, 8, 4)).astype(np.float32)
    names = tuple(f"CryptoObject00.{letter}" for letter in "rgba")
    manifest = {
        "cryptomatte/1a2b3c4/name": "CryptoObject",
        "cryptomatte/1a2b3c4/hash": "MurmurHash3_32",
        "cryptomatte/1a2b3c4/manifest": '{"ball": "3f8a1c2d"}',
    }
    source = with_channels(tmp_path / "a.exr", {names: hashes}, **manifest)
    made = kept(cli, model, source)
    for place, name in enumerate(names):
        np.testing.assert_array_equal(made[name], repeated(hashes[..., place]))
    with OpenImage(Path("o.exr")) as image:
        header = image.parts[0].attributes
    assert {key: header[key] for key in manifest} == manifest
    assert cli("render", model, "--in", source, "--out", "p.exr").code == 0
    with OpenImage(Path("p.exr")) as image:  # what it tells of is not in that file
        assert not any(key.startswith("cryptomatte/") for key in image.parts[0].attributes)


@pytest.mark.parametrize(
    "name", ["Z", "ZBack", "depth.Z", "P.x", "worldPosition.Y", "object_id", "ID", "N.z", "IndexOB"]
)
def test_data_is_never_mixed_between_pixels(cli: Any, model: Path, tmp_path: Path, name: str) -> None:
    values = np.random.RandomState(2).uniform(-100, 100, (5, 7, 1)).astype(np.float32)
    source = with_channels(tmp_path / "a.exr", {(name,): values})
    np.testing.assert_array_equal(kept(cli, model, source)[name], repeated(values[..., 0]))


@pytest.mark.parametrize("name", ["mask", "holes.mask", "roto.A", "key.matte", "sky.m"])
def test_mattes_stay_within_their_neighbours(cli: Any, model: Path, tmp_path: Path, name: str) -> None:
    matte = np.zeros((6, 8, 1), np.float16)
    matte[:, 4:] = 1
    made = kept(cli, model, with_channels(tmp_path / "a.exr", {(name,): matte}))[name].astype(float)
    np.testing.assert_allclose(made[3], [0, 0, 0, 0, 0, 0, 0, 0.25, 0.75, 1, 1, 1, 1, 1, 1, 1], atol=1e-3)


def test_motion_and_disparity_grow_with_the_picture(cli: Any, model: Path, tmp_path: Path) -> None:
    groups = {
        ("forward.u", "forward.v"): (SCALE, SCALE),
        ("motion.x", "motion.y", "motion.z"): (SCALE, SCALE, 1),
        ("Vector.X", "Vector.Y", "Vector.Z", "Vector.W"): (SCALE,) * 4,
        ("disparityL.x", "disparityL.y"): (SCALE, SCALE),
        ("disparity", "disparityR", "right.disparity"): (SCALE,) * 3,
        ("motionVec.x", "Motion_Vectors01.y", "motionVec.z"): (SCALE, SCALE, 1),
    }
    blocks = {names: np.full((5, 6, len(names)), 3.5, np.float16) for names in groups}
    made = kept(cli, model, with_channels(tmp_path / "a.exr", blocks))
    for names, factors in groups.items():
        for name, factor in zip(names, factors, strict=True):
            np.testing.assert_array_equal(made[name], 3.5 * factor)


def test_nan_and_inf_in_carried_data_stay_where_they_are(cli: Any, model: Path, tmp_path: Path) -> None:
    depth = np.full((6, 8, 1), 2, np.float32)
    depth[0, 0], depth[5, 7], depth[3, 3] = np.inf, -np.inf, np.nan
    spec = np.repeat(np.full((6, 8, 1), 0.5, np.float16), 3, 2)
    spec[2, 2], spec[4, 4] = np.nan, np.inf
    matte = np.linspace(0, 1, 48, dtype=np.float16).reshape(6, 8, 1)
    matte[2, 5] = np.nan
    names = tuple(f"specular.{letter}" for letter in RGB)
    made = kept(cli, model, with_channels(tmp_path / "a.exr", {("Z",): depth, names: spec, ("mask",): matte}))
    np.testing.assert_array_equal(made["Z"], repeated(depth[..., 0]))
    np.testing.assert_array_equal(made["specular.G"], repeated(spec[..., 1]))
    np.testing.assert_array_equal(np.isnan(made["mask"]), repeated(np.isnan(matte[..., 0])))


def test_colour_layers_are_enlarged_without_rings(cli: Any, model: Path, tmp_path: Path) -> None:
    light = np.full((8, 10, 3), 0.18, np.float16)
    light[:, 5:] = 400
    names = tuple(f"diffuse.{letter}" for letter in RGB)
    made = kept(cli, model, with_channels(tmp_path / "a.exr", {names: light}))["diffuse.R"].astype(float)
    assert made.min() == pytest.approx(0.18, rel=1e-3)
    assert made.max() == 400
    assert made[:, :8].max() == pytest.approx(0.18, rel=1e-3)


def test_a_translator_passes_them_through_bit_by_bit(cli: Any, image_model: Any, tmp_path: Path) -> None:
    codes = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(256, 256, 1)
    names = ("forward.u", "diffuse.R", "mask", "Z")
    source = with_channels(tmp_path / "a.exr", {names: np.repeat(codes, 4, 2), ("id",): integers(256, 256)})
    made = kept(cli, image_model(tmp_path / "one.onnx"), source)
    for name in names:
        np.testing.assert_array_equal(made[name], codes[..., 0])
    np.testing.assert_array_equal(made["id"], integers(256, 256)[..., 0])


def test_what_is_carried_is_held_once(tmp_path: Path) -> None:
    from vfxgan.render.carry import carried_blocks

    blocks = {("Z",): noise(700, 900, 1).astype(np.float32), tuple(f"x.{n}" for n in "RGB"): noise(700, 900, 3)}
    source = with_channels(tmp_path / "a.exr", blocks)
    with OpenImage(source) as image:
        part = image.parts[0]
        left = [index for index, name in enumerate(part.channels) if name not in RGB]
        plate = sum(block.nbytes for block in blocks.values())
        tracemalloc.start()
        made, clipped = carried_blocks(image, part, left, SCALE)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert clipped == 0
    assert sum(pixels.nbytes for _, pixels in made) == SCALE**2 * plate
    assert peak < (1 + SCALE**2) * plate + (8 << 20)


def test_parts_come_back_with_their_names_and_attributes(cli: Any, model: Path, tmp_path: Path) -> None:
    def named(name: str, pixels: np.ndarray, channels: tuple[str, ...], **more: Any) -> Picture:
        facts = {"oiio:subimagename": name, "compression": "zip", **more}
        return Picture(pixels, channels, facts, origin=(2, 3), display=(0, 0, 20, 16))

    parts = (named("ids", integers(6, 8), ("id",), pass_="ids"), named("depth", noise(6, 8, 1), ("Z",), note="far"))
    first = named("rgba", noise(6, 8, 4), (*RGB, "A"))
    source = tmp_path / "a.exr"
    write_picture(source, Picture(**{**first.__dict__, "parts": parts}))
    assert cli("render", model, "--in", source, "--out", "o.exr", "--keep-channels").code == 0
    assert cli("verify", "o.exr").code == 0
    with OpenImage(Path("o.exr")) as image:
        assert [part.name for part in image.parts] == ["rgba", "ids", "depth"]
        assert [part.formats for part in image.parts] == [("half",) * 4, ("uint",), ("half",)]
        assert [part.data for part in image.parts] == [(4, 6, 16, 12)] * 3
        assert [part.display for part in image.parts] == [(0, 0, 40, 32)] * 3
        assert image.parts[1].attributes["pass_"] == "ids"
        assert image.parts[2].attributes["note"] == "far"
        assert read_stamp(image.parts[0].attributes) is not None
        np.testing.assert_array_equal(image.read(image.parts[1], [0])[..., 0], repeated(integers(6, 8)[..., 0]))


def test_a_carried_channel_that_changes_is_not_the_frame_that_was_rendered(
    cli: Any, model: Path, tmp_path: Path
) -> None:
    source = with_channels(tmp_path / "a.exr", {("Z",): np.ones((6, 8, 1), np.float32)})
    kept(cli, model, source)
    with OpenImage(Path("o.exr")) as image:
        part = image.parts[0]
        rgb, depth = image.read(part, [0, 1, 2]), image.read(part, [3])
    header = {name: value for name, value in part.attributes.items() if name.startswith("vfxgan")}
    depth[0, 0] = 1.5
    write_picture(Path("o.exr"), Picture(rgb, (*RGB, "Z"), header, more=(depth,)))
    assert "not those that were rendered" in cli("verify", "o.exr").err
    again = cli("render", model, "--in", source, "--out", "o.exr", "--keep-channels")
    assert "1 rendered" in again.line or "1 frame in" in again.line
    assert cli("verify", "o.exr").code == 0


def test_such_frames_are_made_again_byte_for_byte(cli: Any, model: Path, tmp_path: Path) -> None:
    source = with_channels(tmp_path / "a.exr", {("Z",): np.ones((6, 8, 1), np.float32), ("id",): integers(6, 8)})
    kept(cli, model, source)
    result = cli("verify", "o.exr", "--rerender", 1, "--model", model, "--in", source)
    assert result.code == 0, result
    assert cli("render", model, "--like", "o.exr", "--in", source, "--out", "p.exr").code == 0
    assert Path("p.exr").read_bytes() == Path("o.exr").read_bytes()


def test_all_twenty_channels_of_the_beachball_come_along(cli: Any, model: Path, plates: Path) -> None:
    source = plates / "beachball" / "singlepart.0001.exr"
    made, plate = kept(cli, model, source), channels_of(source)
    assert list(made) == list(plate)
    assert {plane.dtype for plane in made.values()} == {np.dtype(np.float16)}
    np.testing.assert_array_equal(made["left.Z"], repeated(plate["left.Z"]))
    finite = np.isfinite(plate["disparityL.x"])
    assert finite.any()
    middle = made["disparityL.x"].astype(float).reshape(876, 2, 911, 2).mean((1, 3))
    assert np.abs(middle[finite] / 2 - plate["disparityL.x"][finite].astype(float)).mean() < 1


def test_inspect_and_contact_sheets_know_such_frames(cli: Any, model: Path, tmp_path: Path) -> None:
    source = with_channels(tmp_path / "a.exr", {("Z",): np.ones((6, 8, 1), np.float32), ("id",): integers(6, 8)})
    kept(cli, model, source, "up/0001.exr")
    told = cli("inspect", "up/0001.exr").out
    assert "float16, float32, uint32" in told
    assert str(integers(6, 8).max()) in told
    assert "match" in told
    result = cli("contact-sheet", "up", "--to", "sheet.png")
    assert result.code == 0, result
    assert "warning" not in result.err


@pytest.mark.parametrize(
    "names",
    [
        ("ViewLayer.IndexOB.X", "ViewLayer.IndexMA.X", "IndexOB"),
        ("ViewLayer.CryptoObject00.r", "ViewLayer.CryptoObject00.g", "uCryptoless.cryptomatte.R"),
        ("ZDepth", "Depth", "cam.depth"),
        ("__Pworld.x", "__Pworld.y", "__Pworld.z"),
        ("Denoising Normal.X", "Denoising Normal.Y", "World_Position.X"),
    ],
)
def test_data_is_known_by_its_last_name_or_any_part_of_its_layers(
    cli: Any, model: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    data = np.random.RandomState(6).uniform(-1e9, 1e9, (6, 8, len(names))).astype(np.float32)
    made = kept(cli, model, with_channels(tmp_path / "a.exr", {names: data}))
    for place, name in enumerate(names):
        np.testing.assert_array_equal(made[name], repeated(data[..., place]))


def test_motion_that_its_type_cannot_hold_is_counted(cli: Any, model: Path, tmp_path: Path) -> None:
    motion = np.full((6, 8, 2), 100, np.float16)
    motion[0, 0] = 65504, -60000
    motion[5, 7] = np.inf, np.nan
    source = with_channels(tmp_path / "a.exr", {("forward.u", "forward.v"): motion})
    result = cli("render", model, "--in", source, "--out", "o.exr", "--keep-channels")
    assert result.code == 0, result
    made = channels_of(Path("o.exr"))
    assert (made["forward.u"][0, 0], made["forward.v"][0, 0]) == (65504, -65504)
    clipped = sum(np.count_nonzero(np.abs(made[name].astype(float)) == 65504) for name in ("forward.u", "forward.v"))
    assert f"{clipped} values in 1 frame were clipped to half's ±65504" in result.line
    np.testing.assert_array_equal(np.isinf(made["forward.u"]), repeated(np.isinf(motion[..., 0])))
    near = made["forward.u"][9, 13]  # beside the infinite one: the nearest value, and as much larger as all others
    assert near == 100 * SCALE


def test_integers_are_ids_whatever_their_name(cli: Any, model: Path, tmp_path: Path) -> None:
    names = ("forward.u", "mask", "diffuse.R")
    codes = integers(6, 8, 3)
    made = kept(cli, model, with_channels(tmp_path / "a.exr", {names: codes}))
    for place, name in enumerate(names):
        np.testing.assert_array_equal(made[name], repeated(codes[..., place]))


def test_strips_of_a_carried_colour_layer_leave_no_seam(
    cli: Any, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vfxgan.render import carry

    names = tuple(f"diffuse.{letter}" for letter in RGB)
    source = with_channels(tmp_path / "a.exr", {names: noise(40, 8, 3), ("mask",): noise(40, 8, 1, seed=1)})
    whole = kept(cli, model, source)
    monkeypatch.setattr(carry, "STRIP_VALUES", 7 * 8 * SCALE**2)
    strips = kept(cli, model, source, "p.exr")
    for name in (*names, "mask"):
        np.testing.assert_array_equal(strips[name], whole[name])


def test_a_part_that_is_carried_alone_has_its_own_windows(cli: Any, model: Path, tmp_path: Path) -> None:
    def part(name: str, channels: tuple[str, ...], origin: tuple[int, int], height: int, width: int) -> Picture:
        facts = {"oiio:subimagename": name}
        pixels = noise(height, width, len(channels))
        return Picture(pixels, channels, facts, origin=origin, display=(0, 0, 20, 16))

    first = part("rgba", (*RGB, "A"), (2, 3), 6, 8)
    source = tmp_path / "a.exr"
    write_picture(source, Picture(**{**first.__dict__, "parts": (part("depth", ("Z",), (-1, 5), 7, 4),)}))
    assert cli("render", model, "--in", source, "--out", "o.exr", "--keep-channels").code == 0
    with OpenImage(Path("o.exr")) as image:
        assert [part.data for part in image.parts] == [(4, 6, 16, 12), (-2, 10, 8, 14)]
        assert [part.display for part in image.parts] == [(0, 0, 40, 32)] * 2
