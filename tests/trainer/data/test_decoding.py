"""Files of every kind to the encoded signal."""

import numpy as np
import OpenImageIO as oiio
import pytest

from vfxgan.colour import encode, encoded_peak
from vfxgan.errors import ImageError
from vfxgan.images import read_picture
from vfxgan.trainer.data.decoding import Reading, decode_picture, read_header

RGB, RGBA, GREY = (Reading(channels, 1.0, "zero") for channels in (3, 4, 1))
HALF_STEP = 6e-4  # float16 just below 1, and rounding before it


def planes(pixels):
    return np.asarray(pixels, np.float32).transpose(2, 0, 1)


def test_exr_is_scene_linear_and_its_peak_stands_at_one(tmp_path, save):
    pixels = np.array([[[0, 0.18, 1], [4, 16, 20]]], np.float16)
    decoded = decode_picture(save(tmp_path / "a.exr", pixels), Reading(3, 16.0, "zero"))
    wanted = np.clip(encode(planes(pixels)) / encoded_peak(16.0), 0, 1)
    assert decoded.signal.dtype == np.float16
    assert decoded.signal.astype(np.float32) == pytest.approx(wanted, abs=HALF_STEP)
    assert decoded.signal[1, 0, 1] == 1
    assert (decoded.clipped, decoded.negative, decoded.bad) == (True, False, 0)


@pytest.mark.parametrize("peak", [1.0, 2.5, 16.0])
def test_half_and_float_files_decode_alike(tmp_path, save, noise, peak):
    pixels = noise(9, 7, 4) * np.float16(20) - np.float16(1)
    half = decode_picture(save(tmp_path / "half.exr", pixels), Reading(4, peak, "zero"))
    full = decode_picture(save(tmp_path / "float.exr", pixels.astype(np.float32)), Reading(4, peak, "zero"))
    assert np.array_equal(half.signal, full.signal)
    assert (half.clipped, half.negative) == (full.clipped, full.negative) == (True, True)


def test_light_at_the_peak_exactly_does_not_count_as_clipped(tmp_path, save):
    for dtype in (np.float16, np.float32):
        path = save(tmp_path / f"{np.dtype(dtype).name}.exr", np.full((2, 2, 3), 2.5, dtype))
        assert not decode_picture(path, Reading(3, 2.5, "zero")).clipped


def test_a_data_window_lies_in_its_display_window_with_nothing_around_it(tmp_path, save):
    pixels = np.full((4, 6, 3), 1, np.float16)
    path = save(tmp_path / "a.exr", pixels, display=(10, 20, 12, 9), origin=(8, 23))
    header = read_header(path)
    assert (header.width, header.height) == (12, 9)
    signal = decode_picture(path, RGBA).signal
    wanted = np.zeros((4, 9, 12))
    wanted[:, 3:7, :4] = 1  # two columns lie left of the display window; a picture without alpha is opaque where it is
    assert np.array_equal(signal, wanted)


def test_a_data_window_outside_its_display_window_gives_an_empty_picture(tmp_path, save):
    path = save(tmp_path / "a.exr", np.ones((4, 4, 4), np.float16), display=(0, 0, 5, 5), origin=(20, 20))
    assert not decode_picture(path, RGBA).signal.any()


def test_other_formats_know_offsets_but_no_window(tmp_path, save):
    path = save(tmp_path / "a.tif", np.full((4, 6, 3), 255, np.uint8), origin=(3, 2))
    assert decode_picture(path, RGB).signal.shape == (3, 4, 6)


def test_a_display_window_beyond_all_limits_is_refused_before_it_is_allocated(tmp_path, save):
    path = save(tmp_path / "a.exr", np.ones((2, 2, 3), np.float16), display=(0, 0, 1_000_000, 1_000_000))
    with pytest.raises(ImageError, match=r"a\.exr: a display window of 1000000×1000000 cannot be used"):
        read_header(path)


@pytest.mark.parametrize(("dtype", "extension"), [(np.uint8, "png"), (np.uint16, "png"), (np.uint8, "tif")])
def test_opaque_integers_are_the_signal_as_they_are(tmp_path, save, dtype, extension):
    top = np.iinfo(dtype).max
    codes = np.linspace(0, top, 60).astype(dtype).reshape(4, 5, 3)
    signal = decode_picture(save(tmp_path / f"a.{extension}", codes), RGB).signal
    assert signal.astype(np.float32) == pytest.approx(planes(codes) / top, abs=HALF_STEP)


def test_straight_alpha_of_integers_is_multiplied_in_light(tmp_path, save):
    codes = np.full((3, 3, 4), 188, np.uint8)
    codes[..., 3] = 128
    light = ((188 / 255 + 0.055) / 1.055) ** 2.4 * 128 / 255
    wanted = 1.055 * light ** (1 / 2.4) - 0.055
    for name in ("a.png", "a.tif"):
        signal = decode_picture(save(tmp_path / name, codes, oiio__UnassociatedAlpha=1), RGBA).signal
        assert signal[0, 0, 0] == pytest.approx(wanted, abs=HALF_STEP), name
        assert signal[3, 0, 0] == pytest.approx(128 / 255, abs=HALF_STEP), name


def test_associated_alpha_of_a_tiff_is_divided_out_before_decoding(tmp_path, save):
    straight = save(tmp_path / "a.png", np.full((2, 2, 4), [200, 100, 40, 128], np.uint8), oiio__UnassociatedAlpha=1)
    codes = np.rint(np.array([200, 100, 40, 255]) * 128 / 255).astype(np.uint8)
    associated = save(tmp_path / "a.tif", np.tile(codes, (2, 2, 1)))
    one, other = (decode_picture(path, RGBA).signal.astype(np.float32) for path in (straight, associated))
    assert one == pytest.approx(other, abs=2 / 255)


def test_a_jpeg_decodes_within_its_loss(tmp_path, save):
    ramp = np.broadcast_to(np.linspace(20, 230, 64)[None, :, None], (48, 64, 3)).astype(np.uint8)
    signal = decode_picture(save(tmp_path / "a.jpg", ramp, Compression="jpeg:95"), RGB).signal
    assert signal.astype(np.float32) == pytest.approx(planes(ramp) / 255, abs=4 / 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_that_a_camera_noted_is_undone(tmp_path, save, orientation):
    upright = np.arange(6, dtype=np.uint8).reshape(2, 3, 1).repeat(3, axis=2) * 40
    # what the camera stored, from what it saw: TIFF 6.0, tag 274
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1), 7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    path = save(tmp_path / "a.tif", stored, Orientation=orientation)
    header = read_header(path)
    assert (header.height, header.width) == (2, 3)
    signal = decode_picture(path, RGB).signal
    assert signal.astype(np.float32) == pytest.approx(planes(upright) / 255, abs=HALF_STEP)


@pytest.mark.parametrize("names", [("Y",), ("A",), ("matte.left",), ("Y", "A"), ("Y", "Z"), ("A", "Y")])
def test_one_grey_channel_is_repeated(tmp_path, save, names):
    pixels = np.full((3, 4, len(names)), 0.25, np.float16)
    path = save(tmp_path / "a.exr", pixels, names)
    assert read_header(path).grey
    signal = decode_picture(path, RGBA).signal
    assert signal[:3] == pytest.approx(encode(np.float32([0.25]))[0], abs=HALF_STEP)
    assert np.all(signal[3] == (0.25 if "A" in names and len(names) == 2 else 1))
    assert decode_picture(path, GREY).signal.shape == (1, 3, 4)


def test_colour_asked_for_in_one_channel_is_its_luminance(tmp_path, save):
    path = save(tmp_path / "a.exr", np.full((2, 2, 3), [0, 0.5, 0], np.float16))
    assert decode_picture(path, GREY).signal[0] == pytest.approx(encode(np.float32([0.5 * 0.7152]))[0], abs=HALF_STEP)


@pytest.mark.parametrize("names", [("u", "v"), ("Z", "B", "id"), ("Y", "RY", "BY")])
def test_a_file_without_colour_is_refused_with_its_channels(tmp_path, save, names):
    path = save(tmp_path / "a.exr", np.ones((2, 2, len(names)), np.float16), names)
    with pytest.raises(ImageError, match=r"a\.exr: has (.*); give RGB, RGBA or one grey channel") as raised:
        read_header(path)
    assert all(name in str(raised.value) for name in names)


def test_colour_is_found_by_name_among_other_layers(tmp_path, save):
    names = ("left.R", "Z", "B", "left.G", "G", "A", "R")
    pixels = np.broadcast_to(np.arange(7, dtype=np.float16) / 8, (2, 2, 7))
    signal = decode_picture(save(tmp_path / "a.exr", pixels, names), RGBA).signal[:, 0, 0]
    wanted = [*encode(np.float32([6 / 8, 4 / 8, 2 / 8])), 5 / 8]
    assert signal == pytest.approx(wanted, abs=HALF_STEP)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize(("rule", "infinite"), [("zero", 0), ("error", 0), ("clamp", 1)])
def test_bad_pixels_are_counted_and_follow_the_rule(tmp_path, save, dtype, rule, infinite):
    pixels = np.full((3, 4, 4), 0.5, dtype)
    pixels[0, 0] = np.nan
    pixels[1, 2, 1] = np.inf
    pixels[2, 3, 0] = -np.inf
    decoded = decode_picture(save(tmp_path / "a.exr", pixels), Reading(4, 4.0, rule))
    assert decoded.bad == 3
    assert np.array_equal(decoded.signal[:, 0, 0], [0, 0, 0, 0])
    assert (decoded.signal[1, 1, 2], decoded.signal[0, 2, 3]) == (infinite, 0)
    assert np.isfinite(decoded.signal).all()


def test_a_file_cut_short_is_named(tmp_path, save, noise):
    path = save(tmp_path / "a.exr", noise(64, 64))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert read_header(path).width == 64
    with pytest.raises(ImageError, match=r"a\.exr: cut short or damaged"):
        decode_picture(path, RGB)


def test_a_rendered_plate_of_twenty_channels_decodes_in_its_place(plates):
    path = plates / "beachball" / "singlepart.0001.exr"
    header = read_header(path)
    assert (header.width, header.height, header.grey) == (2048, 1556, False)
    decoded = decode_picture(path, RGBA)
    picture = read_picture(path)
    assert picture.channels[:4] == ("R", "G", "B", "A")
    assert len(picture.channels) == 20
    alpha = decoded.signal[3]
    assert np.array_equal(alpha[245 : 245 + 876, 654 : 654 + 911], np.clip(picture.pixels[..., 3], 0, 1))
    assert not alpha[:245].any()
    assert not alpha[:, :654].any()


@pytest.mark.parametrize("number", range(1, 9))
def test_every_arrangement_of_windows_gives_the_display_window(plates, number):
    path = plates / "windows" / f"t{number:02}.exr"
    header = read_header(path)
    size = {3: (370, 280), 4: (370, 280), 5: (340, 260), 6: (402, 302), 7: (481, 371), 8: (501, 401)}.get(
        number, (400, 300)
    )
    assert (header.width, header.height) == size
    assert decode_picture(path, RGB).signal.shape == (3, size[1], size[0])


def test_real_files_with_bad_pixels_and_all_halves_come_out_finite(plates):
    for name in ("AllHalfValues.exr", "BrightRingsNanInf.exr", "WideFloatRange.exr"):
        decoded = decode_picture(plates / "range" / name, Reading(3, 16.0, "clamp"))
        assert np.isfinite(decoded.signal).all()
        assert decoded.clipped
        assert (decoded.bad > 0) == (name != "WideFloatRange.exr")


def test_values_of_another_type_are_refused(tmp_path):
    spec = oiio.ImageSpec(2, 2, 3, "int16")
    target = oiio.ImageOutput.create(str(tmp_path / "ids.tif"))
    assert target.open(str(tmp_path / "ids.tif"), spec)
    assert target.write_image(np.ones((2, 2, 3), np.int16))
    assert target.close()
    with pytest.raises(ImageError, match=r"ids\.tif: stores int16 values; convert it to half, float, or 8 or 16 bits"):
        read_header(tmp_path / "ids.tif")


def test_of_several_parts_the_first_with_colour_is_taken(tmp_path):
    parts = []
    for name, channels in (("depth", ("Z",) * 2), ("beauty", ("R", "G", "B"))):
        spec = oiio.ImageSpec(4, 3, len(channels), "half")
        spec.channelnames = channels if name == "beauty" else ("Z", "ZBack")
        spec.attribute("name", name)
        parts.append(spec)
    path = str(tmp_path / "a.exr")
    target = oiio.ImageOutput.create(path)
    assert target.open(path, parts)
    assert target.write_image(np.ones((3, 4, 2), np.float16))
    assert target.open(path, parts[1], "AppendSubimage")
    assert target.write_image(np.full((3, 4, 3), 0.5, np.float16))
    assert target.close()
    signal = decode_picture(tmp_path / "a.exr", RGB).signal
    assert signal == pytest.approx(np.full((3, 3, 4), encode(np.float32([0.5]))[0]), abs=HALF_STEP)
