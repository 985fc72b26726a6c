"""Which seed belongs to which frame, from frames alone."""

from hypothesis import given
from hypothesis import strategies as st

from vfxgan.latents import SEED_LIMIT, parse_seeds
from vfxgan.render.seed_rule import SeedRule, find_rule, seeds_text

SEEDS = st.lists(st.integers(0, SEED_LIMIT - 1), min_size=1, max_size=40, unique=True)


@given(
    SEEDS
    | st.builds(lambda a, n, s: list(range(a, a + n * s, s)), st.integers(0, 999), st.integers(1, 9), st.integers(1, 5))
)
def test_seeds_written_as_a_list_are_read_as_they_were(seeds: list[int]) -> None:
    assert parse_seeds(seeds_text(seeds)) == seeds
    assert parse_seeds(seeds_text(seeds[::-1])) == seeds[::-1]


@given(
    step=st.sampled_from([1, 2, 3, -1, -2]),
    first=st.integers(100, 10_000),
    frames=st.sets(st.integers(-50, 50), min_size=8, max_size=60),
    strange=st.integers(0, 2**32 - 1),
)
def test_a_rule_is_found_though_a_frame_in_eight_is_another(
    step: int, first: int, frames: set[int], strange: int
) -> None:
    seeds = {frame: step * frame + 200 + first for frame in frames}
    assert find_rule({**seeds, min(frames): strange}) == SeedRule(step, 200 + first)


def test_what_follows_no_rule_has_none() -> None:
    assert find_rule({}) is None
    assert find_rule({1: 7}) is None
    assert find_rule({7: 7}) == SeedRule(1, 0)
    assert find_rule({1: 7, 2: 205, 3: 31, 4: 4}) is None
    assert find_rule({1: 5, 2: 5, 3: 5, 4: 5}) is None  # one seed again and again is no rule, but a copy
    assert find_rule({1: 5, 2: 6, 3: 100}) is None
    assert SeedRule(-1, 3).seed(4) is None
