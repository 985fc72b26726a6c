"""The plate enlarged by Lanczos: as the formula says, without rings, and the same from strips as from the whole."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfxgan.render.lanczos import LANCZOS_MARGIN_PX, lanczos, mixed


def kernel(x: float) -> float:
    if x == 0:
        return 1.0
    if abs(x) >= 3:
        return 0.0
    return 3 * math.sin(math.pi * x) * math.sin(math.pi * x / 3) / (math.pi * x) ** 2


def line(values: list[float], scale: int) -> list[float]:
    """One line by the formula, value by value in double precision."""
    made = []
    for place in range(len(values) * scale):
        centre = (place + 0.5) / scale - 0.5
        taps = range(math.floor(centre) - 3, math.floor(centre) + 5)
        at = {tap: values[min(max(tap, 0), len(values) - 1)] for tap in taps}
        weight = {tap: kernel(centre - tap) for tap in taps}
        value = sum(at[tap] * weight[tap] for tap in taps) / sum(weight.values())
        near = at[math.floor(centre)], at[math.ceil(centre)]
        made.append(min(max(value, min(near)), max(near)))
    return made


def picture(height: int, width: int, seed: int = 0) -> Any:
    return np.random.RandomState(seed).gamma(0.5, 2, (2, height, width)).astype(np.float32) - 0.1


@pytest.mark.parametrize("scale", [2, 3, 4, 7, 16])
def test_every_value_is_what_the_formula_gives(scale: int) -> None:
    planes = picture(5, 7)
    made = lanczos(planes, scale)
    for plane, large in zip(planes.astype(float), made, strict=True):
        wide = np.array([line(list(row), scale) for row in plane])
        expected = np.array([line(list(column), scale) for column in wide.T]).T
        np.testing.assert_allclose(large, expected, atol=2e-6)


def test_a_scale_of_one_changes_nothing() -> None:
    planes = picture(4, 4)
    assert lanczos(planes, 1) is planes


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_region_with_its_margin_gives_what_the_whole_picture_gives(scale: int) -> None:
    planes, margin = picture(40, 33), LANCZOS_MARGIN_PX
    whole = lanczos(planes, scale)
    part = lanczos(planes[:, 11 - margin : 20 + margin, 7 - margin : 19 + margin], scale)
    inside = part[:, margin * scale : -margin * scale, margin * scale : -margin * scale]
    np.testing.assert_array_equal(inside, whole[:, 11 * scale : 20 * scale, 7 * scale : 19 * scale])


def test_an_edge_of_400_neither_glows_nor_gets_a_black_ring() -> None:
    edge = np.full((1, 16, 16), 0.02, np.float32)
    edge[:, 5:11, 6:] = 400
    made = lanczos(edge, 4)
    assert made.min() == np.float32(0.02)
    assert made.max() == 400
    # Steeper than bilinear all the same: of a ramp of one pixel, 9 % and 91 % in place of 12 % and 88 %.
    across = lanczos(edge[:, 7:8], 4)[0, 0, 20:28] / 400
    assert across[2] < 0.1
    assert across[5] > 0.9


@given(st.integers(2, 8), st.floats(-(2.0**100), 2.0**100, width=32))
def test_a_flat_area_stays_exactly_as_it_is(scale: int, value: float) -> None:
    flat = np.full((1, 4, 5), value, np.float32)
    np.testing.assert_array_equal(lanczos(flat, scale), np.full((1, 4 * scale, 5 * scale), value, np.float32))


def test_the_largest_floats_stay_finite() -> None:
    largest = np.finfo(np.float32).max
    planes = largest * np.random.RandomState(0).choice([-1, 0, 1], (1, 9, 9)).astype(np.float32)
    made = lanczos(planes, 3)
    assert np.isfinite(made).all()
    assert np.isfinite(mixed(made, -made, 0.5)).all()


def test_centres_stay_where_they_are() -> None:
    ramp = np.tile(np.arange(20, dtype=np.float32), (1, 4, 1))
    for scale in (2, 3, 4):
        made = lanczos(ramp, scale)[0, 0]
        expected = (np.arange(20 * scale) + 0.5) / scale - 0.5
        inner = slice(4 * scale, -4 * scale)
        np.testing.assert_allclose(made[inner], expected[inner], atol=0.02)


@given(st.floats(0, 1))
def test_a_mix_lies_between_its_pictures_and_its_ends_are_theirs_alone(share: float) -> None:
    network, plate = np.full(3, 5, np.float32), np.full(3, -1, np.float32)
    np.testing.assert_allclose(mixed(network, plate, share), 6 * share - 1, rtol=1e-5, atol=1e-6)
    broken = np.full(3, np.inf, np.float32)
    np.testing.assert_array_equal(mixed(broken, plate, 0), plate)
    np.testing.assert_array_equal(mixed(network, broken, 1), network)
