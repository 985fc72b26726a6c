"""Our rounding to half is NumPy's, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfxgan.render.half import clamp_to_half, store_half, store_planes_as_half

HALVES = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)


@pytest.mark.parametrize("sign", [1, -1])
def test_every_half_every_tie_and_their_neighbours_round_alike(sign: int) -> None:
    ties = (HALVES[1:] + HALVES[:-1]) / 2
    up, down = np.nextafter(ties, np.float32(np.inf)), np.nextafter(ties, np.float32(0))
    noise = np.exp(np.random.RandomState(0).uniform(-20, 11, 100_000)).astype(np.float32)
    values = sign * np.concatenate([HALVES, ties, up, down, noise]).astype(np.float32)
    out = np.empty((values.size, 2), np.float16)  # strided, as in a picture
    store_half(values.copy(), out[:, 1], (np.empty_like(values), np.empty_like(values)))
    np.testing.assert_array_equal(out[:, 1].view(np.uint16), values.astype(np.float16).view(np.uint16))


def test_what_would_become_infinite_is_held_and_counted() -> None:
    values = np.array([65504, 65519, 65520, 1e6, -1e9, 1], np.float32)
    assert clamp_to_half(values) == 3
    with np.errstate(over="raise"):
        assert np.isfinite(values.astype(np.float16)).all()
    assert list(values[[2, 3, 4]]) == [65504, 65504, -65504]


def as_half(values: np.ndarray) -> np.ndarray:
    out = np.empty(values.shape, np.float16)
    store_half(values.copy(), out, (np.empty_like(values), np.empty_like(values)))
    return out.view(np.uint16)


def test_signs_are_kept_among_others_and_of_zero() -> None:
    subnormal = np.float32([1e-45, 2.0**-26, 2.0**-25, 3 * 2.0**-25, 2.0**-24, 2.0**-14, 6.1e-5])
    values = np.concatenate([subnormal, -subnormal, np.float32([0, -0.0, 65504, -65504, 1, -1])])
    np.testing.assert_array_equal(as_half(values), values.astype(np.float16).view(np.uint16))
    for alone in values:
        expected = np.float32([alone]).astype(np.float16).view(np.uint16)
        np.testing.assert_array_equal(as_half(np.float32([alone])), expected)


def test_every_float_of_nineteen_leading_bits_rounds_alike_whatever_follows() -> None:
    # The last 13 bits go: what matters of them is whether they are below, at or above the half of a step.
    leading = np.arange(1 << 19, dtype=np.uint32) << np.uint32(13)
    for rest in (0, 1, 0x0FFF, 0x1000, 0x1001, 0x1FFF):
        values = (leading | np.uint32(rest)).view(np.float32)
        values = values[np.abs(values) < 65520]
        np.testing.assert_array_equal(as_half(values), values.astype(np.float16).view(np.uint16))


@given(st.lists(st.floats(-65504, 65504, width=32), min_size=1, max_size=40))
def test_any_values_together_round_as_numpy_rounds_them(values: list[float]) -> None:
    array = np.array(values, np.float32)
    np.testing.assert_array_equal(as_half(array), array.astype(np.float16).view(np.uint16))


def test_a_picture_is_stored_in_parts_as_in_one() -> None:
    stream = np.random.RandomState(0)
    planes = (stream.standard_normal((3, 300, 1000)) * 10.0 ** stream.uniform(-8, 6, (3, 300, 1000))).astype(np.float32)
    for source in (planes, np.ascontiguousarray(np.moveaxis(planes, 0, -1)).transpose(2, 0, 1)):
        out = np.empty((300, 1000, 3), np.float16)
        held = store_planes_as_half(source, out)
        assert held == np.count_nonzero(np.abs(planes) >= 65520) > 0
        expected = np.moveaxis(np.clip(planes, -65504, 65504), 0, -1).astype(np.float16)
        np.testing.assert_array_equal(out.view(np.uint16), expected.view(np.uint16))
