"""The network's signal and back: exhaustively over halves, and for floats of any size, whatever the encoding."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfxgan.colour import encode, encoded_peak
from vfxgan.errors import ImageError
from vfxgan.render.options import NetworkEncoding
from vfxgan.render.translate import BLOCK_VALUES, enlarge, network_to_light, plate_to_network
from vfxgan.spec import ModelSpec

BITS = np.arange(0x7C00, dtype=np.uint16)
ALL_FINITE_HALVES = np.concatenate([BITS, BITS | 0x8000]).view(np.float16).astype(np.float32)
ENCODINGS: tuple[NetworkEncoding | None, ...] = (None, "linear", "srgb", "acescct")
RANGES = ((0.0, 1.0), (-1.0, 1.0))


def spec_of(value_range: tuple[float, float] = (0.0, 1.0), channels: int = 3, **encoding: Any) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "name": "identity",
            "kind": "translator",
            "architecture": "none",
            "input": {"kind": "image", "channels": channels},
            "channels_out": max(channels, 3),
            "value_range": value_range,
            "encoding": encoding,
        }
    )


def through(light: np.ndarray, spec: ModelSpec, encoding: NetworkEncoding | None) -> np.ndarray:
    x, residual = plate_to_network(light, spec, encoding)
    low, high = spec.value_range
    if not spec.encoding.extended:
        assert low <= x.min() <= x.max() <= high
    return network_to_light(x[0], residual, spec, encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("value_range", RANGES)
@pytest.mark.parametrize("peak", [1.0, 16.0, 100.0])
def test_every_finite_half_comes_back_within_half_an_ulp(
    encoding: NetworkEncoding | None, value_range: tuple[float, float], peak: float
) -> None:
    light = np.repeat(ALL_FINITE_HALVES.reshape(1, -1, 256), 3, axis=0)
    back = through(light, spec_of(value_range, peak=peak), encoding)
    exponent = np.maximum(np.frexp(np.abs(light))[1], -13)
    assert (np.abs(back - light) <= np.ldexp(np.float32(0.5), exponent - 11)).all()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_colours_come_back_as_exactly_as_their_brightest_channel_allows(encoding: NetworkEncoding | None) -> None:
    stream = np.random.RandomState(0)
    light = np.exp(stream.uniform(-9, 11, (3, 40, 50))).astype(np.float32) * stream.choice([-1, 1], (3, 40, 50))
    back = through(light.astype(np.float32), spec_of((-1.0, 1.0), peak=16.0), encoding)
    brightest = np.abs(light).max(axis=0)
    allowed = 1e-5 * (brightest if encoding == "acescct" else np.abs(light)) + 1e-7
    assert (np.abs(back - light) <= allowed).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-3.4e38, 3.4e38), min_size=3, max_size=30),
    st.sampled_from(list(itertools.product(ENCODINGS, RANGES, (False, True), (1.0, 16.0)))),
)
def test_nothing_finite_ever_becomes_nan_or_infinite(values: list[float], case: Any) -> None:
    encoding, value_range, extended, peak = case
    light = np.array(values[: len(values) // 3 * 3], np.float32).reshape(3, 1, -1)
    spec = spec_of(value_range, peak=peak, extended=extended)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        x, residual = plate_to_network(light, spec, encoding)
        back = network_to_light(x[0], residual, spec, encoding)
    assert np.isfinite(x).all()
    assert residual is None or np.isfinite(residual).all()
    assert np.isfinite(back).all()


@pytest.mark.parametrize("encoding", [None, "linear", "srgb"])
def test_light_up_to_the_largest_floats_comes_back(encoding: NetworkEncoding | None) -> None:
    wide = np.repeat(np.geomspace(1e-3, 1e38, 600, dtype=np.float32).reshape(1, 20, 30), 3, axis=0)
    for light in (wide, -wide):
        np.testing.assert_allclose(through(light, spec_of(), encoding), light, rtol=3e-5)


def test_what_a_network_says_beyond_all_bounds_is_light_that_can_be_stored() -> None:
    raw = np.float32([1e38, -1e38, 300, -300, 5, 0]).reshape(1, 2, 3).repeat(3, axis=0)
    for encoding, peak in itertools.product(ENCODINGS, (1.0, 1000.0)):
        with np.errstate(over="raise"):
            assert np.isfinite(network_to_light(raw, None, spec_of(peak=peak), encoding)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_network_that_gives_nan_or_infinity_is_refused(bad: float) -> None:
    raw = np.zeros((3, 4, 5), np.float32)
    raw[1, 3, 2] = bad
    with pytest.raises(ImageError, match="the network gave NaN or infinity"):
        network_to_light(raw, None, spec_of())


def test_the_models_own_encoding_is_the_extended_one_over_its_peak() -> None:
    light = np.random.RandomState(0).uniform(0, 20, (3, 30, 40)).astype(np.float32)
    x, residual = plate_to_network(light, spec_of((-1.0, 1.0), peak=16.0))
    expected = encode(light) / np.float32(encoded_peak(16.0))
    np.testing.assert_allclose((x[0] + 1) / 2, np.clip(expected, 0, 1), atol=1e-6)
    assert residual is not None
    np.testing.assert_allclose(residual, expected - np.clip(expected, 0, 1), atol=1e-6)
    assert plate_to_network(np.minimum(light, 15), spec_of(peak=16.0))[1] is None


def test_what_is_asked_for_stands_in_place_of_the_models_own() -> None:
    light = np.full((3, 2, 2), 0.18, np.float32)
    expected = {None: encode(light[0, :1, :1])[0, 0] / encoded_peak(16.0), "linear": 0.18 / 16, "srgb": 0.4613561,
                "acescct": 0.4135884}  # fmt: skip
    for encoding, value in expected.items():
        x, _ = plate_to_network(light, spec_of(peak=16.0), encoding)
        np.testing.assert_allclose(x, value, rtol=1e-5)


def test_acescct_takes_colours_in_its_own_primaries_and_grey_as_it_is() -> None:
    red = np.float32([0.5, 0, 0]).reshape(3, 1, 1)
    x, _ = plate_to_network(red, spec_of(), "acescct")
    ap1 = 0.5 * np.array([0.6130974, 0.0701937, 0.0206156])
    np.testing.assert_allclose(x.ravel(), (np.log2(ap1) + 9.72) / 17.52, atol=1e-5)
    grey, _ = plate_to_network(np.full((1, 1, 1), 0.18, np.float32), spec_of(channels=1), "acescct")
    assert grey.item() == pytest.approx(0.4135884, abs=1e-6)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_region_is_a_part_of_the_whole_bit_for_bit(encoding: NetworkEncoding | None) -> None:
    stream = np.random.RandomState(0)
    light = (stream.gamma(0.4, 3, (3, 40, BLOCK_VALUES // 64)) - 0.05).astype(np.float32)
    spec = spec_of((-1.0, 1.0), peak=4.0)
    x, residual = plate_to_network(light, spec, encoding)
    back = network_to_light(x[0], residual, spec, encoding)
    assert residual is not None
    for rows, columns in ((slice(3, 20), slice(0, 500)), (slice(0, 1), slice(7, 8)), (slice(11, 40), slice(101, 340))):
        part, around = plate_to_network(light[:, rows, columns], spec, encoding)
        np.testing.assert_array_equal(part, x[:, :, rows, columns])
        np.testing.assert_array_equal(0 if around is None else around, residual[:, rows, columns])
        made = network_to_light(part[0], around, spec, encoding)
        np.testing.assert_array_equal(made, back[:, rows, columns])


def test_alpha_is_never_encoded() -> None:
    light = np.random.RandomState(0).uniform(-0.2, 1.2, (4, 5, 6)).astype(np.float32)
    for encoding, value_range in itertools.product(ENCODINGS, RANGES):
        spec = spec_of(value_range, channels=4, peak=16.0)
        x, residual = plate_to_network(light, spec, encoding)
        assert residual is None
        made = network_to_light(x[0], residual, spec, encoding)
        np.testing.assert_allclose(made[3], np.clip(light[3], 0, 1), atol=1e-6)


def test_enlarging_keeps_within_the_neighbours() -> None:
    planes = np.random.RandomState(0).standard_normal((2, 6, 7)).astype(np.float32)
    for scale in (1, 2, 3, 4):
        large = enlarge(planes, scale)
        assert large.shape == (2, 6 * scale, 7 * scale)
        assert planes.min() <= large.min() <= large.max() <= planes.max()


def test_enlarging_the_largest_floats_of_either_sign_stays_finite() -> None:
    largest = np.finfo(np.float32).max
    planes = largest * np.random.RandomState(0).choice([-1, 0, 1], (2, 9, 9)).astype(np.float32)
    with np.errstate(over="raise", invalid="raise"):
        for scale in (2, 3):
            assert np.isfinite(enlarge(planes, scale)).all()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlarging_is_bilinear(scale: int) -> None:
    planes = np.random.RandomState(0).standard_normal((5, 6)).astype(np.float32)
    rows, columns = ((np.arange(side * scale) + 0.5) / scale - 0.5 for side in planes.shape)
    across = np.array([np.interp(columns, np.arange(6), row) for row in planes])
    expected = np.array([np.interp(rows, np.arange(5), column) for column in across.T]).T
    np.testing.assert_allclose(enlarge(planes, scale), expected, atol=1e-6)
    np.testing.assert_array_equal(enlarge(np.full((3, 4, 4), 0.3, np.float32), scale), np.float32(0.3))
