"""What may be a plate: formats, types, orientations, windows and primaries; and what a PNG frame keeps of them."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from vfxgan.colour import decode, encode
from vfxgan.images import OpenImage, Picture, read_picture, write_picture

RGB, RGBA = ("R", "G", "B"), ("R", "G", "B", "A")


@pytest.fixture
def model(image_model: Any, tmp_path: Path) -> Path:
    return image_model(tmp_path / "m.onnx")


def codes(channels: int, dtype: type, height: int = 6, width: int = 9) -> np.ndarray:
    largest = np.iinfo(dtype).max
    return np.random.RandomState(0).randint(0, largest + 1, (height, width, channels)).astype(dtype)


def noise(channels: int = 3, height: int = 6, width: int = 9) -> np.ndarray:
    return np.random.RandomState(1).uniform(0.1, 0.9, (height, width, channels)).astype(np.float16)


def write(path: Path, pixels: np.ndarray, channels: tuple[str, ...] = (), **attributes: Any) -> Path:
    """With OpenImageIO itself: formats that vfxgan does not write."""
    kinds = {"uint8": "uint8", "uint16": "uint16", "float16": "half", "float32": "float"}
    height, width, count = pixels.shape
    spec = oiio.ImageSpec(width, height, count, oiio.TypeDesc(kinds[pixels.dtype.name]))
    spec.channelnames = channels or (("Y",), ("Y", "A"), RGB, RGBA)[count - 1]
    for name, value in attributes.items():
        if name == "tile":
            spec.tile_width = spec.tile_height = value
        elif isinstance(value, tuple):
            spec.attribute(name, oiio.TypeDesc(f"float[{len(value)}]"), value)
        else:
            spec.attribute(name.replace("__", ":"), value)
    target = oiio.ImageOutput.create(str(path))
    assert target.open(str(path), spec), target.geterror()
    assert target.write_image(np.ascontiguousarray(pixels)), target.geterror()
    assert target.close()
    return path


def rendered(cli: Any, model: Path, source: Path, out: str = "o.exr", *options: object) -> Picture:
    result = cli("render", model, "--in", source, "--out", out, "--overwrite", *options)
    assert result.code == 0, result
    assert cli("verify", out).code == 0
    return read_picture(Path(out))


@pytest.mark.parametrize("compression", ["none", "rle", "zips", "zip", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab"])
@pytest.mark.parametrize("tile", [0, 4])
def test_every_compression_is_read_lines_or_tiles(
    cli: Any, model: Path, tmp_path: Path, compression: str, tile: int
) -> None:
    layout = {"tile": tile} if tile else {}
    source = write(tmp_path / "a.exr", noise(4, 20, 30), compression=compression, **layout)
    plate = read_picture(source)
    made = rendered(cli, model, source)
    assert made.pixels.dtype == np.float16
    np.testing.assert_allclose(made.pixels.astype(float), plate.pixels.astype(float), rtol=2e-3, atol=1e-6)


def test_of_a_mipmap_the_largest_level_is_taken(cli: Any, model: Path, tmp_path: Path) -> None:
    whole = oiio.ImageBuf(noise(3, 32, 64))
    source = tmp_path / "a.exr"
    assert oiio.ImageBufAlgo.make_texture(oiio.MakeTxTexture, whole, str(source))
    made = rendered(cli, model, source)
    np.testing.assert_array_equal(made.pixels, noise(3, 32, 64))


@pytest.mark.parametrize(("dtype", "depth"), [(np.uint8, np.float16), (np.uint16, np.float32)])
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_integers_are_srgb_and_become_linear_light(
    cli: Any, model: Path, tmp_path: Path, dtype: type, depth: type, extension: str
) -> None:
    pixels = codes(3, dtype)
    source = write(tmp_path / f"a.{extension}", pixels)
    result = cli("render", model, "--in", source, "--out", "o.exr")
    assert "plates in sRGB become linear Rec.709 in EXR; --colorspace names another" in result.err
    made = read_picture(Path("o.exr"))
    assert made.pixels.dtype == depth
    assert made.attributes["colorInteropID"] == "lin_rec709_scene"
    light = decode(pixels.astype(np.float32) / np.float32(np.iinfo(dtype).max))
    np.testing.assert_allclose(made.pixels.astype(float), light, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_comes_back_as_it_was(cli: Any, model: Path, tmp_path: Path, dtype: type, channels: int) -> None:
    pixels = codes(channels, dtype)
    if channels == 4:
        pixels[..., 3] = np.iinfo(dtype).max
        pixels[0, :4, 3] = np.iinfo(dtype).max // 2
    source = write(tmp_path / "a.png", pixels, oiio__UnassociatedAlpha=1)
    made = rendered(cli, model, source, "o.png")
    assert made.pixels.dtype == dtype
    assert np.abs(made.pixels.astype(int) - pixels.astype(int)).max() <= (1 if dtype is np.uint8 else 4)


def test_png_frames_count_what_they_cut_off(cli: Any, model: Path, tmp_path: Path) -> None:
    light = noise()
    light[2, 3] = 4
    write_picture(tmp_path / "a.exr", Picture(light, RGB))
    result = cli("render", model, "--in", tmp_path / "a.exr", "--out", "o.png")
    assert "3 values in 1 frame were clipped to PNG's 0 … 1" in result.line
    made = read_picture(Path("o.png")).pixels
    assert made.dtype == np.uint16
    expected = np.rint(encode(np.clip(light.astype(np.float32), 0, 1)) * 65535)
    assert np.abs(made.astype(float) - expected).max() <= 40
    eight = rendered(cli, model, tmp_path / "a.exr", "p.png", "--bit-depth", "8")
    assert eight.pixels.dtype == np.uint8
    assert cli("verify", "o.png", "--rerender", 1, "--model", model, "--in", tmp_path / "a.exr").code == 0


def test_png_frames_are_the_display_window(cli: Any, image_model: Any, tmp_path: Path) -> None:
    model = image_model(tmp_path / "two.onnx", scale=2)
    pixels = np.concatenate([noise(3) * 0 + np.float16(0.5), np.ones((6, 9, 1), np.float16)], 2)
    for name, origin, display in (("in", (4, 2), (0, 0, 16, 12)), ("over", (-2, -1), (0, 0, 5, 4))):
        write_picture(tmp_path / f"{name}.exr", Picture(pixels, RGBA, origin=origin, display=display))
        result = cli("render", model, "--in", tmp_path / f"{name}.exr", "--out", f"{name}.png")
        assert "each frame is its display window, and overscan is cut off" in result.err
        made = read_picture(Path(f"{name}.png")).pixels
        assert made.shape == (2 * display[3], 2 * display[2], 4)
        covered = np.zeros(made.shape[:2], bool)
        top, left = max(0, 2 * origin[1]), max(0, 2 * origin[0])
        covered[top : 2 * origin[1] + 12, left : 2 * origin[0] + 18] = True
        np.testing.assert_array_equal(made[..., 3] > 0, covered)
        np.testing.assert_array_equal(made[..., 0] > 0, covered)


def test_a_png_that_its_alpha_hides_is_said(cli: Any, model: Path, tmp_path: Path) -> None:
    pixels = noise(4)
    for alpha, said in ((0, True), (1, False)):
        pixels[..., 3] = 0
        pixels[2, 3, 3] = alpha
        write_picture(tmp_path / "a.exr", Picture(pixels, RGBA))
        result = cli("render", model, "--in", tmp_path / "a.exr", "--out", f"{alpha}.png")
        assert result.code == 0, result
        assert ("alpha of some plates is 0 all over, so their PNG looks empty: write .exr" in result.err) is said
    assert "looks empty" not in cli("render", model, "--in", tmp_path / "a.exr", "--out", "o.exr").err


def test_png_holds_one_view_and_no_other_channels(cli: Any, model: Path, plates: Path) -> None:
    source = plates / "beachball" / "singlepart.0001.exr"
    result = cli("render", model, "--in", source, "--out", "o.png")
    assert result.code == 3
    assert "holds several views (right, left), a PNG one; give --view, or write .exr" in result.err
    result = cli("render", model, "--in", source, "--out", "o.png", "--keep-channels")
    assert result.code == 2
    assert "a PNG holds no other channels" in result.line


@pytest.mark.parametrize("unassociated", [0, 1])
def test_alpha_of_a_tiff_is_what_the_file_says(cli: Any, model: Path, tmp_path: Path, unassociated: int) -> None:
    pixels = np.zeros((4, 6, 4), np.uint8)
    pixels[...] = (120, 60, 30, 128)
    source = write(tmp_path / "a.tif", pixels, oiio__UnassociatedAlpha=unassociated)
    made = rendered(cli, model, source).pixels.astype(float)
    alpha = 128 / 255
    straight = np.array([120, 60, 30]) / 255 / (1 if unassociated else alpha)
    expected = decode(np.float32(straight)) * alpha
    np.testing.assert_allclose(made[1, 1], [*expected, alpha], rtol=2e-3)


def test_float_and_half_tiffs_are_linear(cli: Any, model: Path, tmp_path: Path) -> None:
    light = noise().astype(np.float32) * 5
    source = write(tmp_path / "a.tif", light)
    result = cli("render", model, "--in", source, "--out", "o.exr")
    assert "taken as linear Rec.709; --in-colorspace names another" in result.err
    made = read_picture(Path("o.exr")).pixels
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, light, rtol=1e-5)
    half = rendered(cli, model, half_tiff(tmp_path / "h.tif", noise()), "h.exr").pixels
    assert half.dtype == np.float16
    np.testing.assert_allclose(half.astype(float), noise().astype(float), rtol=1e-3)


def half_tiff(path: Path, pixels: np.ndarray) -> Path:
    """16-bit floats, which OpenImageIO reads but does not write."""
    height, width, count = pixels.shape
    data = pixels.astype("<f2").tobytes()
    fields = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 0), (259, 3, 1, 1), (262, 3, 1, 2),
              (273, 4, 1, 8), (277, 3, 1, count), (278, 3, 1, height), (279, 4, 1, len(data)), (284, 3, 1, 1),
              (339, 3, 3, 6)]  # fmt: skip
    directory = 8 + len(data)
    extra = directory + 2 + 12 * len(fields) + 4
    entries = b"".join(
        struct.pack("<HHII", tag, kind, number, extra + value if number > 1 else value)
        for tag, kind, number, value in fields
    )
    tail = struct.pack("<3H", 16, 16, 16) + struct.pack("<3H", 3, 3, 3)
    head = b"II*\0" + struct.pack("<I", directory)
    path.write_bytes(head + data + struct.pack("<H", len(fields)) + entries + bytes(4) + tail)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_plates_that_lie_on_their_side_are_put_upright(cli: Any, model: Path, tmp_path: Path, orientation: int) -> None:
    pixels = codes(3, np.uint8, 4, 6)
    source = write(tmp_path / "a.tif", pixels, Orientation=orientation)
    made = rendered(cli, model, source, "o.png").pixels
    buffer = oiio.ImageBuf(pixels)
    buffer.specmod().attribute("Orientation", orientation)
    upright = oiio.ImageBufAlgo.reorient(buffer).get_pixels(oiio.UINT8)
    np.testing.assert_array_equal(made, upright)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_dpx_is_read_in_the_space_that_is_named(cli: Any, model: Path, tmp_path: Path, bits: int) -> None:
    pixels = codes(3, np.uint8 if bits == 8 else np.uint16)
    source = write(tmp_path / "a.dpx", pixels, oiio__BitsPerSample=bits)
    space = "ARRI LogC3 (EI800)"
    made = rendered(cli, model, source, "o.exr", "--in-colorspace", space)
    assert made.pixels.dtype == (np.float32 if bits == 16 else np.float16)
    stored = read_picture(source).pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    expected = oiio.ImageBufAlgo.colorconvert(
        oiio.ImageBuf(stored), space, "lin_rec709", colorconfig="ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4"
    ).get_pixels(oiio.FLOAT)
    np.testing.assert_allclose(made.pixels.astype(float), expected, rtol=5e-3, atol=2e-4)
    again = rendered(cli, model, source, "log.exr", "--in-colorspace", space, "--colorspace", space)
    np.testing.assert_allclose(again.pixels.astype(float), stored, atol=2e-3)
    refused = cli("render", model, "--in", source, "--out", "p.exr")
    assert refused.code == 2
    assert "a DPX does not say which space it is in; name it: --in-colorspace" in refused.line


def png(path: Path, depth: int, colour: int, row: bytes) -> Path:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 2, depth, colour, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(range(12))) if colour == 3 else b""
    data = chunk(b"IDAT", zlib.compress((b"\0" + row) * 2))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + palette + data + chunk(b"IEND", b""))
    return path


def tiff(path: Path, photometric: int, samples: int, bits: int) -> Path:
    """Uncompressed, 8 px × 2, of 0x55 bytes."""
    row = 8 * samples * bits // 8
    fields = [(256, 3, 1, 8), (257, 3, 1, 2), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, photometric),
              (273, 4, 1, 8), (277, 3, 1, samples), (278, 3, 1, 2), (279, 4, 1, 2 * row)]  # fmt: skip
    directory = 8 + 2 * row
    if photometric == 3:
        fields.append((320, 3, 768, directory + 2 + 12 * 10 + 4))
    entries = b"".join(struct.pack("<HHII", *field) for field in sorted(fields))
    body = struct.pack("<H", len(fields)) + entries + bytes(4) + (bytes(1536) if photometric == 3 else b"")
    path.write_bytes(b"II*\0" + struct.pack("<I", directory) + b"\x55" * (2 * row) + body)
    return path


def test_pictures_that_are_no_plates_are_refused_by_name(cli: Any, model: Path, tmp_path: Path) -> None:
    cases = {
        png(tmp_path / "palette.png", 8, 3, bytes(8)): "is a palette; convert it to RGB",
        png(tmp_path / "bit.png", 1, 0, bytes(1)): "is 1 bit; convert it to RGB",
        tiff(tmp_path / "palette.tif", 3, 1, 8): "is a palette; convert it to RGB",
        tiff(tmp_path / "cmyk.tif", 5, 4, 8): "is CMYK; convert it to RGB",
        tiff(tmp_path / "bit.tif", 1, 1, 1): "is 1 bit; convert it to RGB",
    }
    for source, reason in cases.items():
        result = cli("render", model, "--in", source, "--out", "o.exr")
        assert result.code == 3, result
        assert f"{source}: {reason}" in result.err
    assert not Path("o.exr").exists()


def test_luminance_and_chroma_are_refused_by_name(cli: Any, model: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.exr", noise(3, 6, 8), ("Y", "RY", "BY"))
    result = cli("render", model, "--in", tmp_path / "a.exr", "--out", "o.exr")
    assert result.code == 3
    assert "holds luminance and chroma (Y, RY, BY); convert it to RGB" in result.err
    data = (tmp_path / "a.exr").read_bytes()  # as such files mostly are: a quarter of the chroma
    for name in (b"\0BY\0", b"\0RY\0"):
        place = data.index(name) + len(name) + 8
        assert data[place : place + 8] == struct.pack("<2i", 1, 1)
        data = data[:place] + struct.pack("<2i", 2, 2) + data[place + 8 :]
    (tmp_path / "b.exr").write_bytes(data)
    result = cli("render", model, "--in", tmp_path / "b.exr", "--out", "o.exr")
    assert result.code == 3
    assert "holds luminance and chroma, which is subsampled; convert it to RGB" in result.err


def test_integer_and_deep_plates_are_refused_by_name(cli: Any, model: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.exr", Picture(np.ones((4, 4, 3), np.uint32), RGB))
    result = cli("render", model, "--in", tmp_path / "a.exr", "--out", "o.exr")
    assert "stores uint values; plates are half, float, or 8 or 16 bit" in result.err
    spec = oiio.ImageSpec(8, 6, 2, oiio.FLOAT)
    spec.deep, spec.channelnames = True, ("A", "Z")
    samples, target = oiio.DeepData(), oiio.ImageOutput.create("openexr")
    samples.init(spec)
    assert target.open(str(tmp_path / "d.exr"), spec)
    assert target.write_deep_image(samples)
    target.close()
    result = cli("render", model, "--in", tmp_path / "d.exr", "--out", "o.exr")
    assert result.code == 3
    assert "holds deep samples; flatten it" in result.err


def test_a_file_of_another_kind_under_a_plates_name_is_named(cli: Any, model: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.bmp", codes(3, np.uint8))
    (tmp_path / "a.bmp").rename(tmp_path / "a.exr")
    (tmp_path / "b.exr").write_bytes(b"")
    (tmp_path / "c.exr").write_text("not a picture")
    for name, reason in (("a", "is no EXR, PNG, TIFF or DPX"), ("b", "is empty"), ("c", "is no EXR, PNG")):
        result = cli("render", model, "--in", tmp_path / f"{name}.exr", "--out", "o.exr")
        assert result.code == 3, result
        assert f"{name}.exr: {reason}" in result.err


def test_any_primaries_come_back_and_mean_the_light_they_are(cli: Any, model: Path, tmp_path: Path) -> None:
    pixels = noise() + np.float16(0.2)
    primaries = (0.7, 0.3, 0.17, 0.72, 0.13, 0.04, 0.3457, 0.3585)  # a wide space of white D50
    source = tmp_path / "a.exr"
    write_picture(source, Picture(pixels, RGB, {"chromaticities": primaries}))
    made = rendered(cli, model, source)
    np.testing.assert_allclose(made.pixels.astype(float), pixels.astype(float), rtol=2e-3)
    np.testing.assert_allclose(made.attributes["chromaticities"], primaries, atol=1e-6)
    white = np.ones((4, 4, 3), np.float32)
    write_picture(tmp_path / "w.exr", Picture(white, RGB, {"chromaticities": primaries}))
    linear = rendered(cli, model, tmp_path / "w.exr", "w.exr.exr", "--colorspace", "lin_rec709")
    np.testing.assert_allclose(linear.pixels, 1, atol=1e-4)  # its white is white
    assert linear.attributes["colorInteropID"] == "lin_rec709_scene"


@pytest.mark.parametrize("primaries", [None, (0.7, 0.3, 0.2, 0.7, 0.14, 0.05, 0.31, 0.33)])
def test_a_plate_that_calls_itself_data_is_taken_as_light_and_said_so(
    cli: Any, model: Path, tmp_path: Path, primaries: tuple[float, ...] | None
) -> None:
    facts: dict[str, Any] = {"colorInteropID": "data"} | ({} if primaries is None else {"chromaticities": primaries})
    write_picture(tmp_path / "a.exr", Picture(noise(), ("R", "G", "B"), facts))
    result = cli("render", model, "--in", tmp_path / "a.exr", "--out", "o.exr")
    assert result.code == 0, result
    taken = "linear Rec.709" if primaries is None else "linear light of their chromaticities"
    assert (
        f"call themselves data (colorInteropID) are no colour by their own word, and are taken as {taken}" in result.err
    )
    assert "--in-colorspace names another" in result.err
    named = cli("render", model, "--in", tmp_path / "a.exr", "--out", "p.exr", "--in-colorspace", "ACEScg")
    assert "data" not in named.err


def test_primaries_agree_with_the_colour_library(cli: Any, model: Path, tmp_path: Path) -> None:
    pixels = noise().astype(np.float32)
    # ACEScg's primaries, moved by more than what is known by name.
    primaries = (0.7134, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)
    write_picture(tmp_path / "a.exr", Picture(pixels, RGB, {"chromaticities": primaries}))
    made = rendered(cli, model, tmp_path / "a.exr", "o.exr", "--colorspace", "lin_rec709").pixels
    expected = oiio.ImageBufAlgo.colorconvert(oiio.ImageBuf(pixels), "ACEScg", "lin_rec709").get_pixels(oiio.FLOAT)
    np.testing.assert_allclose(made, expected, atol=3e-3)


@pytest.mark.parametrize(
    "primaries", [(0.0,) * 8, (0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3), (1, 0, 0, 1, 0, 0, 0.3, 0), (np.nan,) * 8]
)
def test_primaries_that_span_no_space_are_refused(cli: Any, model: Path, tmp_path: Path, primaries: Any) -> None:
    write_picture(tmp_path / "a.exr", Picture(noise(), RGB, {"chromaticities": tuple(map(float, primaries))}))
    result = cli("render", model, "--in", tmp_path / "a.exr", "--out", "o.exr")
    assert result.code == 3
    assert "span no space; name one with --in-colorspace" in result.err
    assert cli("render", model, "--in", tmp_path / "a.exr", "--out", "o.exr", "--in-colorspace", "ACEScg").code == 0


def test_grey_plates_take_part_in_colour_spaces(cli: Any, model: Path, tmp_path: Path) -> None:
    grey = noise(1)
    write_picture(tmp_path / "a.exr", Picture(grey, ("Y",)))
    made = rendered(cli, model, tmp_path / "a.exr", "o.exr", "--in-colorspace", "ACEScct")
    np.testing.assert_allclose(made.pixels.astype(float), np.repeat(grey, 3, 2).astype(float), rtol=3e-3)
    source = write(tmp_path / "a.png", codes(1, np.uint8))
    np.testing.assert_array_equal(rendered(cli, model, source, "o.png").pixels, np.repeat(codes(1, np.uint8), 3, 2))


@pytest.mark.parametrize(
    ("window", "box", "reason"),
    [
        (b"displayWindow", (1 << 22, 0, (1 << 22) + 8, 5), "a window of 9×6 at 4194304, 0 cannot be used at ×1"),
        (b"displayWindow", (0, 0, (1 << 22) - 1, 3), "cannot be read as an image"),
        (b"dataWindow", (-(1 << 30), -(1 << 30), 1 << 30, 1 << 30), "cannot be read as an image"),
        (b"dataWindow", (0, 0, 199999, 5), "cut short or damaged"),
        (b"dataWindow", (0, 0, 99999, 99999), ""),
    ],
)
def test_windows_that_no_honest_file_has_are_one_line(
    cli: Any, model: Path, tmp_path: Path, window: bytes, box: tuple[int, ...], reason: str
) -> None:
    source = tmp_path / "a.exr"
    write_picture(source, Picture(noise(), RGB))
    data = source.read_bytes()
    place = data.index(window + b"\0box2i\0") + len(window) + 7 + 4
    source.write_bytes(data[:place] + struct.pack("<4i", *box) + data[place + 16 :])
    result = cli("render", model, "--in", source, "--out", "o.exr", "--progress", "none")
    assert result.code == 3, result
    assert f"frame 0: {source}: " in result.err
    assert reason in result.err
    assert all(len(line) < 500 for line in result.err.splitlines())


@pytest.mark.parametrize("extension", ["exr", "png", "tif", "dpx"])
def test_damaged_plates_end_in_a_frame_or_in_a_line(cli: Any, model: Path, tmp_path: Path, extension: str) -> None:
    pixels = noise() if extension == "exr" else codes(3, np.uint16)
    facts = {"chromaticities": (0.7, 0.3, 0.17, 0.72, 0.13, 0.04, 0.3457, 0.3585), "view": "left"}
    whole = write(tmp_path / f"a.{extension}", pixels, **facts if extension == "exr" else {}).read_bytes()
    (tmp_path / "p").mkdir()
    random = np.random.RandomState(7)
    count = 12 if extension == "dpx" else 30  # its header says little else than sizes, and large ones take long
    for number in range(count):
        data = bytearray(whole[: random.randint(1, len(whole))] if number % 4 == 0 else whole)
        for place in random.randint(0, len(data), 3):
            data[place] = random.choice([0, 1, 127, 128, 255])
        (tmp_path / "p" / f"{number:04d}.{extension}").write_bytes(data)
    options = ("--in-colorspace", "ACEScct") if extension == "dpx" else ()
    source = tmp_path / "p" / f"####.{extension}"
    result = cli("render", model, "--in", source, "--out", "o/####.exr", "--bad-pixels", "zero", *options)
    assert result.code in (0, 3), result
    made = len(list(Path("o").iterdir()))
    assert result.code == 0 or f"{count - made} of {count} frames failed" in result.line
    assert result.code == 3 or made == count
    assert made == 0 or cli("verify", "o").code == 0


def test_more_parts_than_anybody_needs_are_refused(cli: Any, model: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.exr"
    many = [Picture(np.zeros((1, 1, 3), np.float16), RGB, {"oiio:subimagename": f"p{n}"}) for n in range(600)]
    write_picture(source, Picture(**{**many[0].__dict__, "parts": tuple(many[1:])}))
    result = cli("render", model, "--in", source, "--out", "o.exr")
    assert "has 600 parts, more than 512; split the file" in result.err


def test_names_in_a_file_cannot_write_to_the_terminal(cli: Any, model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.exr", noise(4), (*RGB, "evil\x1b[2J\nname"))
    result = cli("render", model, "--in", source, "--out", "o.exr", "--progress", "none")
    assert "1 other channels stay behind (evil [2J name)" in result.err
    assert "\x1b" not in result.err
    result = cli("render", model, "--in", source, "--out", "p.exr", "--layer", "x", "--progress", "none")
    assert result.code == 2
    assert "\x1b" not in result.err


def test_headers_in_latin_1_are_carried_as_text(cli: Any, model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.exr", noise(4), (*RGB, "maskX"), shotBy="(C) ABCX", compression="none")
    data = source.read_bytes()
    for before, after in ((b"ABCX", b"Ren\xe9"), (b"maskX\0", b"mask\xe9\0"), (b"shotBy\0", b"shotB\xff\0")):
        assert before in data
        data = data.replace(before, after)
    source.write_bytes(data)
    made = rendered(cli, model, source, "o.exr", "--keep-channels")
    assert made.attributes["shotBÿ"] == "(C) René"
    assert made.channels == (*RGB, "maské")


def test_pages_of_text_in_a_header_are_carried_up_to_a_limit(
    cli: Any, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a.exr"
    write_picture(source, Picture(noise(), RGB, {"shotNotes": "x" * (2 << 20)}))
    assert len(rendered(cli, model, source).attributes["shotNotes"]) == 2 << 20
    monkeypatch.setattr("vfxgan.image_reading.MAX_HEADER_CHARS", 1 << 20)
    result = cli("render", model, "--in", source, "--out", "p.exr")
    assert result.code == 3
    assert "its header holds 2 MiB of text; replace the file" in result.err


@pytest.mark.parametrize("name", ["t01", "t02", "t03", "t04", "t05", "t06", "t07", "t08", "grid-overscan"])
def test_windows_of_real_plates_scale(cli: Any, image_model: Any, tmp_path: Path, plates: Path, name: str) -> None:
    model = image_model(tmp_path / "two.onnx", scale=2)
    source = plates / "windows" / f"{name}.exr"
    assert cli("render", model, "--in", source, "--out", "o.exr", "--compression", "none").code == 0
    with OpenImage(source) as plate, OpenImage(Path("o.exr")) as made:
        first, second = plate.parts[0], made.parts[0]
        assert second.data == tuple(2 * side for side in first.data)
        assert second.display == tuple(2 * side for side in first.display)
        assert second.attributes["PixelAspectRatio"] == first.attributes["PixelAspectRatio"]


def test_a_plate_in_xyz_comes_back(cli: Any, model: Path, plates: Path) -> None:
    source = plates / "range" / "XYZ.exr"
    made, plate = rendered(cli, model, source), read_picture(source)
    np.testing.assert_allclose(made.attributes["chromaticities"], plate.attributes["chromaticities"])
    light = plate.pixels.astype(float)
    assert np.abs(made.pixels.astype(float) - light).max() < 2e-3 * light.max()
    assert np.median(np.abs(made.pixels.astype(float) - light) / np.maximum(light, 1e-3)) < 1e-3


def test_types_of_metadata_survive(cli: Any, model: Path, plates: Path) -> None:
    source = plates / "photos" / "Carrots.exr"
    with OpenImage(source) as image:
        before = image.parts[0]
    rendered(cli, model, source)
    with OpenImage(Path("o.exr")) as image:
        after = image.parts[0]
    for name in ("adoptedNeutral", "chromaticities", "cameraMake", "FNumber", "ExposureTime", "screenWindowCenter"):
        assert after.attributes[name] == before.attributes[name]
        assert str(after.types[name]) == str(before.types[name])


def test_every_type_of_metadata_that_exr_has_is_carried(cli: Any, model: Path, tmp_path: Path) -> None:
    facts = {
        "framesPerSecond": ("rational", (24000, 1001)),
        "smpte:KeyCode": ("keycode", (1, 2, 3, 4, 5, 6, 7)),
        "smpte:TimeCode": ("timecode", (18356486, 4)),
        "twist": ("matrix33", tuple(map(float, range(9)))),
        "worldToCamera": ("matrix", tuple(map(float, range(16)))),
        "region": ("box2i", (0, 0, 5, 6)),
        "crew": ("string[3]", ("a", "b", "c")),
        "position": ("point", (1.0, 2.0, 3.0)),
        "take": ("int", 7),
        "DateTime": ("string", "2012:01:23 13:52:44"),
        "PixelAspectRatio": ("float", 2.0),
    }
    types = {name: oiio.TypeDesc(kind) for name, (kind, _) in facts.items()}
    values = {name: value for name, (_, value) in facts.items()}
    write_picture(tmp_path / "a.exr", Picture(noise(), RGB, values, types))
    with OpenImage(tmp_path / "a.exr") as image:
        before = image.parts[0]
    rendered(cli, model, tmp_path / "a.exr")
    with OpenImage(Path("o.exr")) as image:
        after = image.parts[0]
    for name in facts:
        assert after.attributes[name] == before.attributes[name]
        assert after.types[name] == before.types[name]
