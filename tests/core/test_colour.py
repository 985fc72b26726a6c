"""The encoding is invertible, the toe is exact, and both are what the standards say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfxgan.colour import apply_toe, decode, encode, encoded_peak

BITS = np.arange(0x7C00, dtype=np.uint16)
ALL_FINITE_HALVES = np.concatenate([BITS, BITS | 0x8000]).view(np.float16)


def test_every_finite_half_survives_encoding_and_decoding() -> None:
    linear = ALL_FINITE_HALVES.astype(np.float32)
    back = decode(encode(linear))
    np.testing.assert_array_equal(back.astype(np.float16), ALL_FINITE_HALVES)
    exponent = np.maximum(np.frexp(np.abs(linear))[1], -13)
    spacing = np.ldexp(np.float32(1), exponent - 11)
    assert (np.abs(back - linear) <= spacing / 2).all()


def test_the_encoding_is_srgb_up_to_one() -> None:
    encoded = np.linspace(0, 1, 4096)
    expected = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(decode(encoded.astype(np.float32)), expected, rtol=2e-6, atol=1e-9)
    assert decode(np.float32([0.5]))[0] == pytest.approx(0.21404114, rel=1e-6)


def test_the_encoding_is_smooth_at_one() -> None:
    x = np.array([0.999, 1.0, 1.001], np.float64)
    below, above = np.diff(encode(x.astype(np.float32)).astype(np.float64)) / np.diff(x)
    assert abs(above / below - 1) < 0.01


def test_black_decodes_to_exactly_black_in_arrays_of_any_length() -> None:
    for length in (1, 3, 16, 17, 1000):
        assert not decode(np.zeros(length, np.float32)).any()


@given(st.lists(st.floats(-60000, 60000, width=32), min_size=1, max_size=40))
def test_a_value_decodes_the_same_wherever_it_stands(values: list[float]) -> None:
    encoded = np.clip(np.array(values, np.float32), -5.8, 5.8)
    whole = decode(encoded)
    single = [decode(encoded[place : place + 1])[0] for place in range(len(values))]
    np.testing.assert_array_equal(whole, np.array(single, np.float32))


@given(st.floats(1, 60000))
def test_the_peak_stands_at_the_top_of_the_range(peak: float) -> None:
    assert abs(decode(np.float32([encoded_peak(peak)]))[0] / peak - 1) < 1e-5


@given(st.floats(0.001, 0.25), st.lists(st.floats(0, 4, width=32), min_size=1, max_size=40))
def test_the_toe_removes_haze_and_leaves_the_rest(toe: float, values: list[float]) -> None:
    value = np.sort(np.array(values, np.float32))
    toed = apply_toe(value, toe)
    assert not toed[value < toe * 0.999].any()
    np.testing.assert_array_equal(toed[value > toe * 2.001], value[value > toe * 2.001])
    assert (np.diff(toed) >= -1e-7).all()
    assert (toed <= value).all()


def test_the_toe_gives_the_same_in_place() -> None:
    value = np.linspace(0, 1, 999, dtype=np.float32)
    copy = value.copy()
    np.testing.assert_array_equal(apply_toe(copy, 0.02, np.empty_like(copy)), apply_toe(value, 0.02))
