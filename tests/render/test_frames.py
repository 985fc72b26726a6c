"""What is in a frame: colour, alpha, channels and header."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.colour import apply_toe, decode, encoded_peak
from vfxgan.images import Picture, read_picture
from vfxgan.latents import latent
from vfxgan.spec import LatentInput

# SMPTE: linear Rec.709 (D65) to ACEScg (AP1), Bradford adapted; as in the ACES configs.
REC709_TO_ACESCG = np.array(
    [[0.613097, 0.339523, 0.047379], [0.070194, 0.916354, 0.013452], [0.020616, 0.109570, 0.869815]]
)


def rendered(cli: Any, model: Path, out: str, *options: object) -> Picture:
    result = cli("render", model, "--seeds", "3", "--out", out, *options)
    assert result.code == 0, result
    return read_picture(Path(out))


def network_output(model: Path, seed: int, interval: float = 0.5) -> np.ndarray:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return session.run(None, {"latent": latent(seed, LatentInput(size=16, interval=interval))})[0][0]


def test_a_frame_is_the_inverse_of_the_encoding(cli: Any, tiny: Path) -> None:
    unit = (network_output(tiny, 3) + 1) / 2
    encoded = apply_toe((unit[:3] * encoded_peak(16)).astype(np.float32), 0.02)
    expected = np.concatenate([decode(encoded), apply_toe(unit[3:], 0.02)])
    picture = rendered(cli, tiny, "a.exr", "--bit-depth", "float")
    assert picture.channels == ("R", "G", "B", "A")
    np.testing.assert_allclose(picture.pixels, np.moveaxis(expected, 0, -1), rtol=1e-5, atol=1e-6)
    assert 1 < picture.pixels[..., :3].max() <= 16.001
    half = rendered(cli, tiny, "b.exr").pixels
    np.testing.assert_array_equal(half, picture.pixels.astype(np.float16))


def test_the_latent_interval_can_be_narrowed(cli: Any, tiny: Path) -> None:
    unit = (network_output(tiny, 3, interval=0.1)[3] + 1) / 2
    picture = rendered(cli, tiny, "a.exr", "--bit-depth", "float", "--z-interval", "0.1")
    np.testing.assert_allclose(picture.pixels[..., 3], apply_toe(unit, 0.02), rtol=1e-5, atol=1e-6)


def test_a_model_without_alpha_gives_three_channels(cli: Any, make_model: Any, tmp_path: Path) -> None:
    model = make_model(tmp_path / "rgb.onnx", channels=3)
    assert rendered(cli, model, "a.exr").channels == ("R", "G", "B")
    assert rendered(cli, model, "a.png").pixels.shape == (32, 32, 3)


def test_acescg_is_the_known_matrix_and_says_so(cli: Any, tiny: Path) -> None:
    rec709 = rendered(cli, tiny, "a.exr", "--bit-depth", "float")
    acescg = rendered(cli, tiny, "b.exr", "--bit-depth", "float", "--colorspace", "acescg")
    np.testing.assert_allclose(
        acescg.pixels[..., :3], rec709.pixels[..., :3] @ REC709_TO_ACESCG.T, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_array_equal(acescg.pixels[..., 3], rec709.pixels[..., 3])
    assert rec709.attributes["colorInteropID"] == "lin_rec709_scene"
    assert acescg.attributes["colorInteropID"] == "lin_ap1_scene"
    np.testing.assert_allclose(acescg.attributes["chromaticities"][:2], (0.713, 0.293), rtol=1e-6)


def test_a_log_space_is_converted_unpremultiplied(cli: Any, tiny: Path) -> None:
    linear = rendered(cli, tiny, "a.exr", "--bit-depth", "float", "--colorspace", "ACEScg").pixels
    log = rendered(cli, tiny, "b.exr", "--bit-depth", "float", "--colorspace", "ACEScct").pixels
    inside = (linear[..., 3] > 0.1) & (linear[..., :3].min(-1) / np.maximum(linear[..., 3], 0.1) > 0.01)
    assert inside.any()
    straight = linear[inside][:, :3] / linear[inside][:, 3:]
    expected = (np.log2(straight) + 9.72) / 17.52 * linear[inside][:, 3:]
    np.testing.assert_allclose(log[inside][:, :3], expected, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize(("depth", "largest"), [("16", 65535), ("8", 255)])
def test_a_png_is_unpremultiplied_in_linear_light(cli: Any, tiny: Path, depth: str, largest: int) -> None:
    light = rendered(cli, tiny, "a.exr", "--bit-depth", "float").pixels.astype(np.float64)
    picture = rendered(cli, tiny, "a.png", "--bit-depth", depth)
    colour, alpha = light[..., :3], light[..., 3:]
    straight = np.clip(np.divide(colour, alpha, out=colour.copy(), where=alpha > 0), 0, 1)
    srgb = np.where(straight <= 0.0031308, straight * 12.92, 1.055 * straight ** (1 / 2.4) - 0.055)
    expected = np.rint(np.concatenate([srgb, alpha], -1) * largest)
    assert np.abs(picture.pixels.astype(np.float64) - expected).max() <= 1


def test_clipped_values_are_counted(cli: Any, tiny: Path) -> None:
    light = rendered(cli, tiny, "a.exr", "--bit-depth", "float").pixels
    colour, alpha = light[..., :3], light[..., 3:]
    straight = np.divide(colour, alpha, out=colour.copy(), where=alpha > 0)
    result = cli("render", tiny, "--seeds", "3", "--out", "b.png")
    assert f"{np.count_nonzero(straight > 1 + 1e-6)} values in 1 frame were clipped" in result.line


def test_seeds_of_a_file_keep_their_order_from_the_start_frame(cli: Any, tiny: Path, tmp_path: Path) -> None:
    Path("picks.txt").write_text("9 4  # the best\n7\n")
    result = cli("render", tiny, "--seeds", "@picks.txt", "--start-frame", "1001", "--out", "o/####.exr")
    assert result.code == 0, result
    named = cli("render", tiny, "--seeds", "@picks.txt", "--out", "p/####.exr")
    assert named.code == 0
    for frame, seed in ((1001, 9), (1002, 4), (1003, 7)):
        assert (tmp_path / f"o/{frame}.exr").read_bytes() == (tmp_path / f"p/000{seed}.exr").read_bytes()


def test_a_picks_file_with_a_repeated_seed_is_refused(cli: Any, tiny: Path) -> None:
    Path("picks.txt").write_text("1 2 1")
    result = cli("render", tiny, "--seeds", "@picks.txt", "--out", "o/####.exr")
    assert result.code == 2
    assert "seed 1 is listed twice" in result.line
