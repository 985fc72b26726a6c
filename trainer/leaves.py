"""Dead-leaves pictures: the training set of the built-in upscaler, which anyone can make.

A picture is a pile of shapes that hide each other, of sizes that follow a power law, as things in photographs do. What
is learned from such pictures carries over to photographs; flat discs alone carry less, so leaves here have texture,
shading and shadows, thin lines lie among them, some are out of focus, and a few are lights. All of it is scene-linear,
edges are mixed in light as a lens mixes them, and values above 1 are kept: clipping belongs to the exposure.

Source:
    Lee, Mumford and Huang 2001, "Occlusion models for natural images", IJCV 41; Achddou, Gousseau and Ladjal 2021,
    "Synthetic images as a regularity prior for image restoration neural networks", SSVM.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]  # [H, W]
Distance = Callable[[Plane, Plane], Plane]  # px from a shape's outline at (u, v) px from its centre, negative inside

MARGIN_PX = 8  # drawn around the picture and cut off: the lens's blur wraps there
MAX_LEAVES = 4000
COVERED = 0.004  # where a smaller share of light than this comes from behind, nothing more is drawn
BRIGHTEST = 64.0
KINDS = np.cumsum([0.3, 0.25, 0.15, 0.22, 0.08])  # shares of the shapes, summed up


@dataclass(frozen=True)
class Leaf:
    """One shape of the pile.

    Attributes:
        y, x: of the centre; `reach` is the radius beyond which nothing of it is.
        softness_px: width of its edge; above 1 it is out of focus.
        colours: [2, 3] scene-linear, mixed by the texture.
        contrast: of the texture, in natural logarithms.
        shading: change of brightness across the leaf, along u and v.
        shadow: how much light it takes from what is just beside it, and over how many px.
    """

    y: float
    x: float
    reach: float
    angle: float
    distance: Distance
    softness_px: float
    colours: NDArray[np.float32]
    contrast: float
    shading: tuple[float, float]
    shadow: tuple[float, float]


def leaves(seed: int, index: int, size: int) -> NDArray[np.float32]:
    """Draw one picture, the same one for the same arguments.

    Args:
        seed: of the whole set, 0…2³²-1.
        index: of the picture in the set, 0…2³²-1.
        size: S, pixels per side.
    Returns:
        [S, S, 3] float32, scene-linear, linear Rec.709 primaries, 0 … 64; the median is near mid-grey.
    """
    rng = np.random.RandomState([seed, index])
    side = size + 2 * MARGIN_PX
    pile = _Pile(rng, side)
    light = pile.draw()
    light *= np.float32(np.exp(rng.normal(math.log(0.2), 0.6)) / max(float(np.median(light)), 1e-3))
    light = _blur(np.minimum(light, BRIGHTEST, dtype=np.float32), rng.uniform(0.25, 0.85))
    light = light[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    if rng.uniform() < 0.6:
        light = _grain(rng, light)
    return np.asarray(np.clip(light, 0, BRIGHTEST), np.float32)


class _Pile:
    """The leaves of one picture, drawn front to back until nothing shows through."""

    def __init__(self, rng: np.random.RandomState, side: int) -> None:
        self.rng, self.side = rng, side
        self.smallest = math.exp(rng.uniform(math.log(2.0), math.log(14.0)))
        self.largest = 0.6 * side
        hues = rng.randint(3, 9)
        brightness = rng.uniform(0.3, 1.1) * rng.standard_normal((hues, 1))
        colour = rng.uniform(0.03, 0.35) * rng.standard_normal((hues, 3))
        cast = rng.uniform(0.0, 0.2) * rng.standard_normal((1, 3))
        self.palette = np.exp(brightness + colour + cast)
        self.tint = rng.uniform(0.02, 0.15)
        self.lights = rng.choice([0.0, 0.04, 0.4], p=[0.4, 0.4, 0.2])
        self.blurred = rng.choice([0.05, 0.3, 0.7], p=[0.5, 0.35, 0.15])
        self.roughness = math.exp(rng.normal(math.log(0.18), 0.7))
        self.line_share = rng.choice([0.02, 0.15, 0.5], p=[0.4, 0.45, 0.15])
        self.textures = _Textures(rng, side)

    def draw(self) -> NDArray[np.float32]:
        light = np.zeros((self.side, self.side, 3), np.float32)
        through = np.ones((self.side, self.side), np.float32)
        for number in range(MAX_LEAVES):
            self._add(self._leaf(), light, through)
            if number % 64 == 63 and through.mean() < COVERED:
                break
        behind = self._colours()[0]
        light += through[..., None] * behind
        return light

    def _leaf(self) -> Leaf:
        rng = self.rng
        # Inverse of the distribution of density r⁻³ between the two radii.
        share = rng.uniform()
        radius = (self.smallest**-2 + share * (self.largest**-2 - self.smallest**-2)) ** -0.5
        distance, reach = _line(rng, radius) if rng.uniform() < self.line_share else _shape(rng, radius)
        soft = rng.uniform() < self.blurred
        softness = math.exp(rng.uniform(math.log(1.5), math.log(9.0))) if soft else rng.uniform(0.8, 1.2)
        shaded, shadowed = rng.uniform() < 0.5, rng.uniform() < 0.3
        steep = rng.normal(0, 0.35, 2) / radius if shaded else (0.0, 0.0)
        shadow = (rng.uniform(0.1, 0.6), rng.uniform(1, 1 + 0.3 * min(radius, 30))) if shadowed else (0.0, 0.0)
        y, x = rng.uniform(-reach / 2, self.side + reach / 2, 2)
        return Leaf(
            y, x, reach + softness + 3 * shadow[1], rng.uniform(0, 2 * math.pi), distance, softness, self._colours(),
            self.roughness * math.exp(rng.normal(0, 0.6)), (float(steep[0]), float(steep[1])), shadow,
        )  # fmt: skip

    def _colours(self) -> NDArray[np.float32]:
        rng = self.rng
        first = self.palette[rng.randint(len(self.palette))] * np.exp(rng.normal(0, 0.4))
        pair = first * np.exp(rng.normal(0, self.tint, (2, 3)) + rng.normal(0, 0.25, (2, 1)))
        if rng.uniform() < self.lights:
            pair *= rng.uniform(3, 20)
        return np.asarray(pair, np.float32)

    def _add(self, leaf: Leaf, light: NDArray[np.float32], through: Plane) -> None:
        top, left = max(int(leaf.y - leaf.reach), 0), max(int(leaf.x - leaf.reach), 0)
        low, right = min(int(leaf.y + leaf.reach) + 2, self.side), min(int(leaf.x + leaf.reach) + 2, self.side)
        if top >= low or left >= right:
            return
        behind = through[top:low, left:right]
        if behind.max() < COVERED:
            return
        dy = np.arange(top, low, dtype=np.float32)[:, None] - np.float32(leaf.y)
        dx = np.arange(left, right, dtype=np.float32)[None] - np.float32(leaf.x)
        c, s = np.float32(math.cos(leaf.angle)), np.float32(math.sin(leaf.angle))
        u, v = c * dx + s * dy, c * dy - s * dx
        distance = leaf.distance(u, v)
        # not np.clip, which costs as much again on arrays as small as these
        cover = np.minimum(np.maximum(np.float32(0.5) - distance / np.float32(leaf.softness_px), 0), 1)
        if leaf.softness_px > 1.5:
            cover = cover * cover * (3 - 2 * cover)
        texture = self.textures.window(self.rng, leaf, *cover.shape)
        shade = np.exp(np.minimum(np.maximum(np.float32(leaf.contrast) * texture, -1.5), 1.5))
        if leaf.shading != (0.0, 0.0):
            shade *= np.clip(1 + np.float32(leaf.shading[0]) * u + np.float32(leaf.shading[1]) * v, 0.1, 3)
        seen = behind * cover * shade
        mix = np.minimum(np.maximum(np.float32(0.5) + np.float32(0.6) * texture, 0), 1)
        for channel in range(3):
            first, second = leaf.colours[:, channel]
            light[top:low, left:right, channel] += seen * (first + (second - first) * mix)
        behind *= 1 - cover
        if leaf.shadow[0]:
            behind *= 1 - np.float32(leaf.shadow[0]) * np.exp(-np.maximum(distance, 0) / np.float32(leaf.shadow[1]))


def _shape(rng: np.random.RandomState, radius: float) -> tuple[Distance, float]:
    """An outline of about this radius, and how far it reaches from its centre."""
    kind = int(np.searchsorted(KINDS, rng.random_sample(), "right"))
    stretch = math.exp(rng.normal(0, 0.35))
    a, b = np.float32(radius * stretch), np.float32(radius / stretch)
    if kind == 0:  # ellipse
        return lambda u, v: (np.hypot(u / a, v / b) - 1) * min(a, b), float(max(a, b))
    if kind == 1:  # convex polygon
        turns = np.sort(rng.uniform(0, 2 * math.pi, rng.randint(3, 8)))
        sides = [(np.float32(math.cos(t)), np.float32(math.sin(t)), np.float32(radius * rng.uniform(0.5, 1)))
                 for t in turns]  # fmt: skip
        # A gap in the directions would leave it open; this circle closes it.
        return lambda u, v: np.maximum.reduce(
            [np.hypot(u, v) - a * np.float32(1.2), *(u * x + v * y - far for x, y, far in sides)]
        ), float(1.2 * a)
    if kind == 2:  # rectangle
        return lambda u, v: np.maximum(np.abs(u) - a, np.abs(v) - b), float(np.hypot(a, b))
    if kind == 3:  # lobes
        waves = [(k, rng.normal(0, 0.35 / k), rng.uniform(0, 2 * math.pi)) for k in range(2, 7)]

        def lobes(u: Plane, v: Plane) -> Plane:
            turn = np.arctan2(v, u)
            rim = 1 + sum(np.float32(height) * np.cos(k * turn + np.float32(phase)) for k, height, phase in waves)
            return np.asarray(np.hypot(u, v) - np.float32(radius) * np.clip(rim, 0.2, 1.8), np.float32)

        return lobes, 1.8 * radius
    thick = np.float32(rng.uniform(0.05, 0.4) * radius + 0.4)  # ring
    return lambda u, v: np.abs(np.hypot(u, v) - np.float32(radius)) - thick, float(radius + thick)


def _line(rng: np.random.RandomState, radius: float) -> tuple[Distance, float]:
    """A thin line, straight or bent: hair, wire, scratch, stroke."""
    length = np.float32(radius * rng.uniform(2, 8) + 3)
    half = np.float32(0.35 + rng.exponential(0.9))
    bend = np.float32(rng.normal(0, 0.25))

    def line(u: Plane, v: Plane) -> Plane:
        along = u / length
        off = v - bend * length * along * along
        return np.asarray(np.hypot(np.maximum(np.abs(u) - length, 0), off) - half, np.float32)

    return line, float(length * (1 + abs(bend)) + half)


class _Textures:
    """Fields of unit deviation that leaves take windows of; sharp, and as an unfocused lens would show them."""

    def __init__(self, rng: np.random.RandomState, side: int) -> None:
        self.side = side
        fields = [_field(rng, side) for _ in range(4)]
        self.sharp = [np.tile(field, (2, 2)) for field in fields]
        self.soft = [np.tile(_unfocused(field, 2.5), (2, 2)) for field in fields]

    def window(self, rng: np.random.RandomState, leaf: Leaf, height: int, width: int) -> Plane:
        """[height, width] from anywhere in one of them."""
        bank = self.sharp if leaf.softness_px < 1.5 else self.soft
        row, column = rng.randint(0, self.side, 2)
        return bank[rng.randint(len(bank))][row : row + height, column : column + width]


def _field(rng: np.random.RandomState, side: int) -> Plane:
    """[side, side], periodic: clouds of some roughness and direction, plain, in patches or in creases; or stripes."""
    across, down = np.fft.rfftfreq(side)[None], np.fft.fftfreq(side)[:, None]
    kind = rng.choice(4, p=[0.45, 0.2, 0.15, 0.2])
    if kind == 3:
        cycles = np.round(rng.uniform(-0.3, 0.3, 2) * side)  # whole numbers: it is periodic
        place = np.arange(side) / side
        phase = 2 * math.pi * (cycles[0] * place[None] + cycles[1] * place[:, None])
        wave = np.sin(phase + rng.uniform(0, 2) * np.asarray(_clouds(rng, side, np.hypot(across, down), 3.0)))
        return np.asarray(np.tanh(rng.uniform(0.5, 4) * wave) * 1.2, np.float32)
    stretch, angle = math.exp(abs(rng.normal(0, 0.9))), rng.uniform(0, math.pi)
    along = across * math.cos(angle) + down * math.sin(angle)
    aside = down * math.cos(angle) - across * math.sin(angle)
    field = _clouds(rng, side, np.hypot(along * stretch, aside), rng.uniform(1.0, 2.8))
    if kind == 1:
        field = np.tanh(rng.uniform(1, 5) * (field - np.float32(rng.normal(0, 0.7))))
    elif kind == 2:
        field = np.sqrt(field**2 + np.float32(0.02))
    return np.asarray((field - field.mean()) / (field.std() + 1e-3), np.float32)


def _clouds(rng: np.random.RandomState, side: int, cycles: NDArray[np.float64], slope: float) -> Plane:
    """Noise of power spectrum 1/f^slope, zero mean and unit deviation, periodic."""
    gain = np.maximum(cycles, 2 / side) ** (-slope / 2)
    gain[0, 0] = 0
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((side, side))) * gain, s=(side, side))
    return np.asarray(field / field.std(), np.float32)


def _unfocused(field: Plane, sigma_px: float) -> Plane:
    """Gaussian blur of [S, S], wrapping at the borders."""
    side = field.shape[0]
    squared = np.fft.rfftfreq(side)[None] ** 2 + np.fft.fftfreq(side)[:, None] ** 2
    gain = np.exp(-2 * (math.pi * sigma_px) ** 2 * squared)
    return np.asarray(np.fft.irfft2(np.fft.rfft2(field) * gain, s=field.shape), np.float32)


def _blur(light: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """A sharp lens: Gaussian, σ below 1 px, on [S, S, C]. Taps are positive, so that a light does not ring."""
    taps = np.exp(-0.5 * (np.arange(-3, 4) / sigma_px) ** 2).astype(np.float32)
    taps /= taps.sum()
    for axis in (0, 1):
        light = sum((tap * np.roll(light, shift, axis) for shift, tap in enumerate(taps, -3)), np.zeros_like(light))
    return light


def _grain(rng: np.random.RandomState, light: NDArray[np.float32]) -> NDArray[np.float32]:
    """A sensor's noise: its variance grows with the light."""
    slope, floor = 10 ** rng.uniform(-5.5, -3.7), 10 ** rng.uniform(-8, -6)
    deviation = np.sqrt(np.float32(slope) * np.maximum(light, 0) + np.float32(floor))
    return np.asarray(light + deviation * rng.standard_normal(light.shape).astype(np.float32), np.float32)
