"""Our rounding to half is NumPy's, bit for bit."""

import numpy as np
import pytest

from vfxgan.render.half import clamp_to_half, store_half

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
