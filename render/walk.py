"""A walk: a path through seeds over a span of frames. Which frame lies where on it; the latents are `latent_path`'s."""

import bisect
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal, TypeVar

from vfxgan.errors import UsageError
from vfxgan.latents import SEED_LIMIT, parse_seeds

Key = TypeVar("Key")
Interpolation = Literal["linear", "slerp", "spline"]

# Keeps the latents' distribution at every frame, for both kinds of latent; see docs/time.md.
DEFAULT_INTERPOLATION: Interpolation = "slerp"
OF_ITS_KEYS = "keys"  # a span that was not given: from the first key to the last
MAX_KEYS = 1000
MAX_SPAN = 1_000_000


@dataclass(frozen=True)
class Walk:
    """Where the keys are.

    Attributes:
        first, last: frames of the span; a loop's frame after `last` is its `first`.
        seeds: of the keys, in the order of their frames; a seed may come again.
        places: frame of each key; between frames where keys are spread evenly and do not fall on one.
        explicit: the places were given, not spread.
    """

    first: int
    last: int
    seeds: tuple[int, ...]
    places: tuple[Fraction, ...]
    loops: bool
    explicit: bool

    @property
    def period(self) -> int:
        """Frames of the span."""
        return self.last - self.first + 1

    @property
    def span_text(self) -> str:
        """As `--walk` takes it."""
        return f"{self.first}-{self.last}"

    @property
    def keys_text(self) -> str:
        """As `--keys` takes it."""
        if self.explicit:
            return ",".join(f"{seed}@{place}" for seed, place in zip(self.seeds, self.places, strict=True))
        return ",".join(map(str, self.seeds))

    def locate(self, frame: int) -> tuple[int, Fraction]:
        """The key at or before a frame, and how far it is from there to the next: 0 … 1, 1 excluded.

        The key after a loop's last is its first. Without a loop, the frames before the first key stand on it, and
        those after the last on that.
        """
        start, position = self.places[0], Fraction(frame)
        if self.loops:
            position = start + (position - start) % self.period
        if position <= start:
            return 0, Fraction(0)
        key = bisect.bisect_right(self.places, position) - 1
        here = self.places[key]
        if key + 1 < len(self.places):
            return key, (position - here) / (self.places[key + 1] - here)
        return key, (position - here) / (start + self.period - here) if self.loops else Fraction(0)

    def outside(self, wanted: Iterable[int]) -> list[int]:
        """Those of these frames that are not of the span; a loop has no outside."""
        return [] if self.loops else [frame for frame in wanted if not self.first <= frame <= self.last]


def parse_walk(span: str, keys: str, *, loops: bool) -> Walk:
    """Read `--walk` and `--keys`.

    Args:
        span: `1001-1100`, or "keys" for: from the first key to the last.
        keys: `0,50,100`, spread evenly over the span (of a loop, so that the way back is as long as the others);
            `0@1001,50@1040,100@1100`; or `@picks.txt`, as `--seeds` takes it.
    Raises:
        UsageError: not such texts, or keys and span that do not fit each other.
    """
    seeds, given = _parse_keys(keys)
    if len(seeds) < 2:
        raise UsageError(f"--keys {keys!r}: a walk needs two keys or more; write 0,50,100")
    if given is None and span == OF_ITS_KEYS:
        raise UsageError(
            f"--walk needs its frames, since --keys {keys!r} names none: --walk 1001-1100; --frames then chooses which "
            "of them are rendered in this run"
        )
    first, last = (given[0], given[-1]) if given is not None and span == OF_ITS_KEYS else _parse_span(span)
    places = _spread(first, last, len(seeds), loops) if given is None else tuple(map(Fraction, given))
    if any(here >= after for here, after in pairwise(places)):
        raise UsageError(f"--keys {keys!r}: each key needs a later frame than the one before")
    if places[0] < first or places[-1] > last:
        raise UsageError(f"--keys {keys!r}: there are keys outside the walk {first}-{last}; widen --walk")
    return Walk(first, last, seeds, places, loops, given is not None)


def _parse_keys(text: str) -> tuple[tuple[int, ...], list[int] | None]:
    """Seeds, and their frames if they have them."""
    if text.startswith("@"):
        return tuple(_not_too_many(parse_seeds(text))), None
    parts = _not_too_many([part.strip() for part in text.split(",")])
    found = [re.fullmatch(r"(\d{1,10})(?:@(-?\d{1,9}))?", part) for part in parts]
    remedy = "write 0,50,100 or 0@1001,50@1040,100@1100"
    for part, match in zip(parts, found, strict=True):
        if match is None or int(match[1]) >= SEED_LIMIT:
            raise UsageError(f"--keys {text!r}: {part!r} is no key; seeds are 0 … {SEED_LIMIT - 1}; {remedy}")
    matches = [match for match in found if match is not None]
    with_frames = [match[2] is not None for match in matches]
    if any(with_frames) and not all(with_frames):
        raise UsageError(f"--keys {text!r}: some keys have frames and some have none; {remedy}")
    frames = [int(match[2]) for match in matches] if all(with_frames) else None
    return tuple(int(match[1]) for match in matches), frames


def _not_too_many(keys: list[Key]) -> list[Key]:
    if len(keys) > MAX_KEYS:
        raise UsageError(f"--keys: {len(keys)} keys; a walk takes {MAX_KEYS}")
    return keys


def _parse_span(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"\s*(-?\d{1,9})\s*-\s*(-?\d{1,9})\s*", text)
    if match is None:
        raise UsageError(f"--walk {text!r} is not a span of frames; write --walk 1001-1100")
    first, last = int(match[1]), int(match[2])
    if not first < last or last - first >= MAX_SPAN:
        raise UsageError(f"--walk {text!r}: a walk goes forward over 2 … {MAX_SPAN} frames; write --walk 1001-1100")
    return first, last


def _spread(first: int, last: int, count: int, loops: bool) -> tuple[Fraction, ...]:
    step = Fraction(last + 1 - first, count) if loops else Fraction(last - first, count - 1)
    return tuple(first + place * step for place in range(count))
