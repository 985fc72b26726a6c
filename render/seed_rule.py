"""Which seed belongs to which frame, where nobody says it: what most frames of a sequence have in common; and lists."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vfxgan.latents import SEED_LIMIT

SHARE = 0.75  # of the frames that a rule has to hold for
ENOUGH = 4  # frames, before a rule may be another than one seed on for each frame


@dataclass(frozen=True)
class SeedRule:
    """Seed = step · frame + first; of `--seeds 0-99` 1 and 0, of `--seeds 0-198x2 --start-frame 1001` 2 and -2002."""

    step: int
    first: int

    def seed(self, frame: int) -> int | None:
        """None where that would be no seed."""
        seed = self.step * frame + self.first
        return seed if 0 <= seed < SEED_LIMIT else None


def find_rule(seeds: Mapping[int, int]) -> SeedRule | None:
    """The rule that the seeds of some frames follow; None for picks, which follow none.

    Args:
        seeds: by frame number.
    """
    found = _holds(seeds, 1)
    if found is not None and (len(seeds) > 1 or found.first == 0):
        return found
    if len(seeds) < ENOUGH:
        return None
    steps = Counter(
        (there - here) // (after - before)
        for (before, here), (after, there) in pairwise(sorted(seeds.items()))
        if (there - here) % (after - before) == 0
    )
    return _holds(seeds, steps.most_common(1)[0][0]) if steps else None


def _holds(seeds: Mapping[int, int], step: int) -> SeedRule | None:
    if not seeds:
        return None
    first, count = Counter(seed - step * frame for frame, seed in sorted(seeds.items())).most_common(1)[0]
    return SeedRule(step, first) if step and count >= SHARE * len(seeds) else None


def seeds_text(seeds: Sequence[int]) -> str:
    """Seeds in their order, as `--seeds` takes them: `5-9`, `9-1x2`, or one by one."""
    steps = {after - before for before, after in pairwise(seeds)}
    if len(steps) != 1 or steps == {0}:
        return ",".join(map(str, seeds))
    step = abs(steps.pop())
    return f"{seeds[0]}-{seeds[-1]}" + (f"x{step}" if step > 1 else "")
