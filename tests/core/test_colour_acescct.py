"""ACEScct is the standard's, invertible for every finite half, and its primaries are those of OpenColorIO's configs."""

import math

import numpy as np
import OpenImageIO as oiio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfxgan.acescct import AP1_TO_REC709, REC709_TO_AP1, convert_primaries, decode_acescct, encode_acescct

BITS = np.arange(0x7C00, dtype=np.uint16)
ALL_FINITE_HALVES = np.concatenate([BITS, BITS | 0x8000]).view(np.float16).astype(np.float32)
CONFIG = "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4"


def encoded(linear: np.ndarray) -> np.ndarray:
    return encode_acescct(linear.copy(), np.empty_like(linear), np.empty_like(linear))


def decoded(curve: np.ndarray) -> np.ndarray:
    return decode_acescct(curve.copy(), np.empty_like(curve), np.empty_like(curve))


def converted(rgb: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return convert_primaries(rgb, matrix, np.empty_like(rgb), np.empty_like(rgb))


def test_the_curve_is_the_standards() -> None:
    linear = np.concatenate([np.linspace(-2, 0.02, 500), np.geomspace(0.005, 65504, 500)])
    line = 10.5402377416545 * linear + 0.0729055341958355
    log = (np.log2(np.maximum(linear, 0.001)) + 9.72) / 17.52
    expected = np.where(linear <= 0.0078125, line, log)
    np.testing.assert_allclose(encoded(linear.astype(np.float32)), expected, rtol=1e-6, atol=1e-7)
    # Middle grey, and the standard's top of 0 … 1.
    np.testing.assert_allclose(encoded(np.float32([0.18, 222.861])), [0.4135884, 1.0], atol=1e-6)


def test_every_finite_half_survives() -> None:
    back = decoded(encoded(ALL_FINITE_HALVES))
    np.testing.assert_array_equal(back.astype(np.float16), ALL_FINITE_HALVES.astype(np.float16))
    assert not decoded(encoded(np.zeros(7, np.float32))).any()


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_any_float_stays_finite_and_comes_back_in_order(values: list[float]) -> None:
    linear = np.sort(np.array(values, np.float32))
    curve = encoded(linear)
    back = decoded(curve)
    assert np.isfinite(curve).all()
    assert np.isfinite(back).all()
    assert (np.diff(back) >= 0).all()
    usual = np.abs(linear) < 1e30
    np.testing.assert_allclose(back[usual], linear[usual], rtol=2e-5, atol=2e-9)


def test_primaries_are_those_of_the_built_in_config() -> None:
    pixels = np.concatenate([np.eye(3), np.random.RandomState(0).uniform(-0.5, 4, (20, 3))]).astype(np.float32)
    picture = oiio.ImageBuf(oiio.ImageSpec(len(pixels), 1, 3, oiio.FLOAT))
    picture.set_pixels(oiio.ROI(0, len(pixels), 0, 1, 0, 1, 0, 3), pixels[None])
    expected = oiio.ImageBufAlgo.colorconvert(picture, "lin_rec709", "ACEScg", colorconfig=CONFIG)
    ours = converted(np.ascontiguousarray(pixels.T), REC709_TO_AP1)
    np.testing.assert_allclose(ours.T, expected.get_pixels(oiio.FLOAT)[0], atol=2e-6)


def test_greys_stay_grey_and_primaries_come_back() -> None:
    grey = np.repeat(np.float32([[0.0, 0.18, 1.0, 65504.0, -3.0]]), 3, axis=0)
    np.testing.assert_allclose(converted(grey, REC709_TO_AP1), grey, rtol=3e-7)
    colours = np.random.RandomState(0).uniform(-1, 10, (3, 200)).astype(np.float32)
    back = converted(converted(colours, REC709_TO_AP1), AP1_TO_REC709)
    np.testing.assert_allclose(back, colours, atol=1e-5)
    assert REC709_TO_AP1.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-9)


def test_the_largest_floats_are_held_within_the_type() -> None:
    largest = float(np.finfo(np.float32).max)
    for signs in ((1, 1, 1), (1, -1, -1), (-1, 1, -1)):
        extreme = np.float32([[sign * largest] for sign in signs])
        for matrix in (REC709_TO_AP1, AP1_TO_REC709):
            with np.errstate(over="raise", invalid="raise"):
                made = converted(extreme, matrix)
            assert np.isfinite(made).all()
            exact = matrix @ np.array(signs, float)[:, None]
            np.testing.assert_allclose(made / largest, np.clip(exact, -1, 1), rtol=1e-5)
    assert math.isfinite(decoded(np.float32([1e30]))[0])
