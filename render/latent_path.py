"""Latents between the keys of a walk: straight, along the sphere, or as a spline through all of them.

Latents with many entries lie close to a sphere (normal ones by the law of large numbers). A straight line between two
cuts through its inside, where the network saw next to nothing in training: half-way, pictures go dull. The other two
ways keep to the sphere. For them, uniform latents are taken to normal ones and back by the two distributions'
quantiles, entry by entry, so that at every frame they are uniform, and in their interval.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from vfxgan.latents import latent
from vfxgan.render.walk import Interpolation, Walk
from vfxgan.spec import LatentInput

Array = NDArray[np.float64]

PARALLEL = 1e-6  # sine of the angle below which two keys span no arc
SMALLEST_SHARE = 2.0**-40  # of a distribution; an entry at the very end of its interval has no finite quantile


@dataclass(frozen=True)
class LatentPath:
    """A walk and the latents of its keys.

    Attributes:
        latents: [K, size] float32, as the seeds' own pictures have them.
        points: [K, size], what is interpolated: the same in float64, or their normal scores.
        half_width: of uniform latents whose points are scores; None where points are latents.
    """

    walk: Walk
    latents: NDArray[np.float32]
    points: Array
    half_width: float | None
    interpolation: Interpolation
    eased: bool

    def at(self, frame: int) -> NDArray[np.float32]:
        """The latent of a frame, [1, size] float32; on a key, the bits of that seed's own latent."""
        key, share = self.walk.locate(frame)
        if share == 0:
            own: NDArray[np.float32] = self.latents[key][None].copy()
            return own
        t = float(share)
        if self.eased:
            t = t * t * (3 - 2 * t)  # at rest on both keys
        point = _WAYS[self.interpolation](self, key, t)
        if self.half_width is not None:
            point = np.array([math.erf(value * math.sqrt(0.5)) for value in point]) * self.half_width
        return point.astype(np.float32)[None]

    def _neighbour(self, key: int, step: int) -> tuple[Array, float] | None:
        """The point of another key, counted from one, and its frame; None beyond the ends of a walk that has some."""
        other, count = key + step, len(self.points)
        if not self.walk.loops and not 0 <= other < count:
            return None
        return self.points[other % count], float(self.walk.places[other % count] + other // count * self.walk.period)

    def _after(self, key: int) -> tuple[Array, float]:
        after = self._neighbour(key, 1)
        assert after is not None
        return after

    def _straight(self, key: int, t: float) -> Array:
        start: Array = self.points[key]
        return start + t * (self._after(key)[0] - start)

    def _arc(self, key: int, t: float) -> Array:
        return slerp(self.points[key], self._after(key)[0], t)

    def _spline(self, key: int, t: float) -> Array:
        """A cubic on the sphere, by slerps in place of straight lines (Shoemake 1985, §4.2), and one for the length."""
        (end, arrives), start = self._after(key), self.points[key]
        third = (arrives - float(self.walk.places[key])) / 3
        leaving, arriving = self._speed(key), self._speed(key + 1)
        a, d = _direction(start), _direction(end)
        points = [a, along(a, leaving[0] * third), along(d, -arriving[0] * third), d]
        long, far = float(np.linalg.norm(start)), float(np.linalg.norm(end))
        lengths = [long, long + leaving[1] * third, far - arriving[1] * third, far]
        while len(points) > 1:
            points = [slerp(before, after, t) for before, after in pairwise(points)]
            lengths = [before + t * (after - before) for before, after in pairwise(lengths)]
        place: Array = points[0] * lengths[0]
        return place

    def _speed(self, key: int) -> tuple[Array, float]:
        """Change of direction and of length a frame, at a key: from the one before to the one after (Catmull-Rom).

        At an end, along its only way.
        """
        here = self._neighbour(key, 0)
        assert here is not None
        (before, start), (after, end) = self._neighbour(key, -1) or here, self._neighbour(key, 1) or here
        at = _direction(here[0])
        turn = bearing(at, _direction(after)) - bearing(at, _direction(before))
        longer = float(np.linalg.norm(after) - np.linalg.norm(before))
        return turn / (end - start), longer / (end - start)


def slerp(a: Array, b: Array, t: float) -> Array:
    """Along the great circle (Shoemake 1985, Animating rotation with quaternion curves, §3.3), lengths as well.

    Two points in one line have no circle of their own; between them it is the straight way.
    """
    angle = _angle(a, b)
    if math.sin(angle) < PARALLEL:
        return a + t * (b - a)
    return (math.sin((1 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle)


def bearing(a: Array, b: Array) -> Array:
    """Which way, and by which angle, a point on the unit sphere goes to another; no way where they are in one line."""
    angle = _angle(a, b)
    if math.sin(angle) < PARALLEL:
        return np.zeros_like(a)
    return (b - math.cos(angle) * a) * (angle / math.sin(angle))


def along(a: Array, way: Array) -> Array:
    """The point of the unit sphere that a `bearing` leads to."""
    angle = float(np.linalg.norm(way))
    return a if angle == 0 else math.cos(angle) * a + math.sin(angle) / angle * way


def _angle(a: Array, b: Array) -> float:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return math.acos(min(1.0, max(-1.0, float(a @ b) / lengths))) if lengths > 0 else 0.0


def _direction(point: Array) -> Array:
    length = float(np.linalg.norm(point))
    return point / length if length > 0 else point


_WAYS: dict[Interpolation, Callable[[LatentPath, int, float], Array]] = {
    "linear": LatentPath._straight,
    "slerp": LatentPath._arc,
    "spline": LatentPath._spline,
}


def latent_path(
    walk: Walk, spec: LatentInput, interval: float | None, interpolation: Interpolation, *, eased: bool
) -> LatentPath:
    """Join a walk with the latents of its keys; `interval` as `latent` takes it."""
    latents = np.concatenate([latent(seed, spec, interval) for seed in walk.seeds])
    half_width = spec.interval if interval is None else interval
    if spec.distribution == "normal" or interpolation == "linear":
        return LatentPath(walk, latents, latents.astype(np.float64), None, interpolation, eased)
    return LatentPath(walk, latents, _normal_scores(latents / half_width), half_width, interpolation, eased)


def _normal_scores(unit: Array) -> Array:
    """Uniform in -1 … 1 to normal, by equal shares of the two distributions."""
    shares = np.clip(unit.astype(np.float64) / 2 + 0.5, SMALLEST_SHARE, 1 - SMALLEST_SHARE)
    quantile = NormalDist().inv_cdf
    return np.array([[quantile(share) for share in row] for row in shares])
