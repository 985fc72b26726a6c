"""Procedural smoke and fire elements: the training set of the small puff generator.

Every picture is one field of "thickness" (a soft dome, pushed about by fractal noise) cut at zero, so that alpha is
exactly 0 outside the puff. Smoke lights that field as a relief; fire reads it as a temperature. Positions run over
-1…1 (y down) and frequencies are in cycles per picture, so that every size gives the same kind of picture; only the
finest detail depends on `size`.

Noise here is band-limited on purpose: a small GAN cannot learn single-pixel speckle, and spends its capacity trying.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]  # [S, S], one value per pixel

FIRE_SHARE = 0.48
MIXED_SHARE = 0.05
PEAK_RANGE = (8.5, 15.0)  # scene-linear; smoke behind a fire adds less than 1, so that no element exceeds 16
EMPTY_BORDER_PX = 2
TABLE_KELVIN = np.arange(800.0, 5001.0, 25.0)


@dataclass(frozen=True)
class Puff:
    """The random outline of one puff: what fire and smoke have in common."""

    x: float
    y: float
    width: float
    height: float
    angle_rad: float
    lean: float
    swirl_rad: float
    warp: float

    @classmethod
    def smoke(cls, rng: np.random.RandomState) -> Puff:
        radius, stretch = rng.uniform(0.5, 0.88), np.exp(rng.normal(0.0, 0.22))
        x, y = np.clip(rng.normal((0.0, 0.04), 0.1), -0.25, 0.25)
        turn, lean, swirl, warp = (
            rng.uniform(-1.2, 1.2),
            rng.normal(0.0, 0.2),
            rng.normal(0.0, 0.9),
            rng.uniform(0.05, 0.14),
        )
        return cls(float(x), float(y), radius / stretch, radius * stretch, turn, lean, swirl, warp)

    @classmethod
    def fire(cls, rng: np.random.RandomState) -> Puff:
        radius, stretch = rng.uniform(0.46, 0.74), rng.uniform(0.95, 1.6) ** 0.5
        x, y = float(np.clip(rng.normal(0.0, 0.11), -0.28, 0.28)), rng.uniform(0.15, 0.42)
        turn, lean, swirl, warp = (
            rng.normal(0.0, 0.15),
            rng.normal(0.0, 0.22),
            rng.normal(0.0, 0.35),
            rng.uniform(0.06, 0.14),
        )
        return cls(x, y, radius / stretch, radius * stretch, turn, lean, swirl, warp)


def element(seed: int, index: int, size: int) -> NDArray[np.float32]:
    """Draw one smoke or fire element, the same one for the same arguments.

    Args:
        seed: of the whole set, 0…2³²-1.
        index: of the element in the set, 0…2³²-1.
        size: S, pixels per side; 64 or more.
    Returns:
        [S, S, 4] float32 premultiplied RGBA over black, scene-linear, linear Rec.709 primaries. Alpha is 0…1 and
        exactly 0 outside the puff and in the outermost 2 px. Smoke has RGB <= alpha; fire emits, and peaks between
        8 and 16.
    """
    rng = np.random.RandomState([seed, index])
    draw = rng.uniform()
    if draw < FIRE_SHARE:
        return _fire(rng, Puff.fire(rng), size)
    if draw < FIRE_SHARE + MIXED_SHARE:
        return _fire_under_smoke(rng, size)
    return _smoke(rng, Puff.smoke(rng), size)


def _fire_under_smoke(rng: np.random.RandomState, size: int) -> NDArray[np.float32]:
    flame = replace(Puff.fire(rng), y=rng.uniform(0.35, 0.5))
    plume = Puff(flame.x + 0.3 * flame.lean, flame.y - 0.5, 0.72, 0.6, 0.0, flame.lean, 0.4, 0.12)
    fire, smoke = _fire(rng, flame, size), _smoke(rng, plume, size)
    return np.asarray(fire + smoke * (1 - fire[..., 3:]), dtype=np.float32)


def _smoke(rng: np.random.RandomState, puff: Puff, size: int) -> NDArray[np.float32]:
    thin = rng.uniform() ** 1.5
    depth, opacity = 8.0 - 5.0 * thin, 0.98 - 0.3 * thin
    albedo = rng.choice([0.15, 0.35, 0.65, 0.95], p=[0.15, 0.2, 0.3, 0.35]) * rng.uniform(0.85, 1.15)
    warmth = float(np.clip(rng.normal(0.0, 0.11), -0.3, 0.3))
    light = np.array([rng.uniform(-0.6, 0.6), -1.0, rng.uniform(0.5, 1.0)])

    u, v, radius = _outline(rng, puff, size)
    billows = np.zeros((size, size), np.float32)
    for cells, weight in ((4, 0.62), (8, 0.38), (15, 0.2)):
        billows += weight * _cells(rng, cells, u, v)
    wisps = _sample(_fractal(rng, size, 3.0), u, v)
    relief = 1.0 - radius + (1.15 - 0.3 * thin) * billows + (0.13 + 0.17 * thin) * wisps
    relief = _soften(relief - _edge_push(u, v), 0.9)
    density = _onset(relief, 0.55) * _border_fade(size)
    alpha = -opacity * np.expm1(-depth * density)

    shade = _relief_light(relief, density, light, shadow=1.5 - 0.8 * thin)
    tint = min(albedo, 1.0) * np.array([1 + warmth, 1.0, 1 - warmth]) / (1 + abs(warmth))
    return _rgba(alpha[..., None] * np.clip(shade[..., None] * tint, 0, 1), alpha)


def _fire(rng: np.random.RandomState, puff: Puff, size: int) -> NDArray[np.float32]:
    hottest_kelvin = 1500.0 + 2900.0 * rng.uniform() ** 1.4
    tongues, steepness, opacity = rng.uniform(0.22, 0.42), rng.uniform(3.6, 5.4), rng.uniform(0.6, 0.97)
    peak = rng.uniform(*PEAK_RANGE)

    u, v, radius = _outline(rng, puff, size, flame=True)
    rise = np.clip((puff.y - v) / (2 * puff.height), 0, 1)
    lick = _sample(_fractal(rng, size, 3.0, stretch=2.4), u, v)
    crease = np.sqrt(_sample(_band(rng, size, 3.5, stretch=2.2), u, v) ** 2 + 0.05)
    heat = 1.0 - radius + tongues * (0.45 + 1.1 * rise) * lick + 0.45 * (crease - 0.8)
    heat = _soften(heat - _edge_push(u, v), 0.9)
    heat = _onset(heat, 0.2) * _border_fade(size)
    # Saturating, so that the core is an area and not one hot pixel.
    heat = 1 - np.exp(-1.5 * heat)
    heat /= heat.max()

    # Squared: a thin flame shines more than it hides, and leaves no dark rim over a bright plate. expm1, so that
    # alpha is 0 only where light is.
    alpha = -opacity * np.expm1(-3.5 * heat**2)
    kelvin = 1050.0 + (hottest_kelvin - 1050.0) * heat**1.2
    rgb = (
        np.stack([np.interp(kelvin, TABLE_KELVIN, channel) for channel in BLACK_BODY.T], axis=-1)
        * (heat**steepness)[..., None]
    )
    return _rgba(rgb * (peak / rgb.max()), alpha)


def _outline(rng: np.random.RandomState, puff: Puff, size: int, flame: bool = False) -> tuple[Field, Field, Field]:
    """Warped positions u, v and the distance from the puff's centre, 1 at its rim; each [S, S]."""
    axis = ((np.arange(size) + 0.5) * (2.0 / size) - 1.0).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    rise = np.clip(puff.y - y, 0, 1.2) if flame else np.float32(0.4)
    stretch = 1.8 if flame else 1.0
    slope = 3.6 if flame else 4.2
    u = x + puff.warp * (0.5 + 1.2 * rise) * _fractal(rng, size, slope, stretch)
    v = y + puff.warp * _fractal(rng, size, slope, stretch)

    dx, dy = u - puff.x, v - puff.y
    dx = dx + puff.lean * dy
    turn = puff.angle_rad + puff.swirl_rad * np.exp(-(dx**2 + dy**2) / 0.15)
    dx, dy = dx * np.cos(turn) - dy * np.sin(turn), dx * np.sin(turn) + dy * np.cos(turn)
    if flame:
        # A drop: blunt below its centre, drawn out and narrowing above.
        up = np.clip(-dy / puff.height, 0, None)
        dx, dy = dx * (1 + 0.35 * up), np.where(dy < 0, dy * 0.62, dy * 1.25)
    return u, v, np.hypot(dx / puff.width, dy / puff.height)


def _fractal(rng: np.random.RandomState, size: int, slope: float, stretch: float = 1.0) -> Field:
    """Noise of power spectrum 1/f^slope, zero mean and unit deviation; `stretch` > 1 draws it out vertically."""
    cycles = _cycles(size, stretch)
    return _noise(rng, size, np.where(cycles > 0, np.maximum(cycles, 1.0) ** (-slope / 2), 0.0))


def _band(rng: np.random.RandomState, size: int, cycles: float, stretch: float = 1.0) -> Field:
    """Noise of about one frequency, `cycles` per picture, zero mean and unit deviation."""
    octaves = np.log2(np.maximum(_cycles(size, stretch), 1e-3) / cycles)
    return _noise(rng, size, np.exp(-((octaves / 0.45) ** 2)) / cycles)


def _cycles(size: int, stretch: float) -> NDArray[np.float64]:
    return np.asarray(
        np.hypot(np.fft.rfftfreq(size, 1 / size)[None], stretch * np.fft.fftfreq(size, 1 / size)[:, None])
    )


def _noise(rng: np.random.RandomState, size: int, amplitude: NDArray[np.float64]) -> Field:
    # 0.16 cycles per pixel: at Nyquist, 0.5, nothing is left.
    spectrum = (
        np.fft.rfft2(rng.standard_normal((size, size)))
        * amplitude
        * np.exp(-((_cycles(size, 1.0) / (0.16 * size)) ** 2))
    )
    noise = np.fft.irfft2(spectrum, s=(size, size))
    return np.asarray((noise - noise.mean()) / noise.std(), dtype=np.float32)


def _soften(field: Field, sigma_px: float) -> Field:
    """Gaussian blur: warping squeezes noise below the pixel, and this takes that out again."""
    size = field.shape[0]
    gain = np.exp(-2 * (np.pi * sigma_px * _cycles(size, 1.0) / size) ** 2)
    return np.asarray(np.fft.irfft2(np.fft.rfft2(field) * gain, s=field.shape), dtype=np.float32)


def _sample(field: Field, u: Field, v: Field) -> Field:
    """Bilinear look-up of a periodic field at positions -1…1."""
    size = field.shape[0]
    column, row = (u + 1) * (size / 2) - 0.5, (v + 1) * (size / 2) - 0.5
    j, i = np.floor(column).astype(np.intp), np.floor(row).astype(np.intp)
    b, a = (column - j).astype(np.float32), (row - i).astype(np.float32)
    top, low, left, right = i % size * size, (i + 1) % size * size, j % size, (j + 1) % size
    flat = field.ravel()
    upper = flat[top + left] * (1 - b) + flat[top + right] * b
    return np.asarray(upper * (1 - a) + (flat[low + left] * (1 - b) + flat[low + right] * b) * a, dtype=np.float32)


def _cells(rng: np.random.RandomState, cells: int, u: Field, v: Field) -> Field:
    """Round lumps, about `cells` across the picture: 0 on average, highest at each lump's middle, creased between.

    Source:
        Worley 1996, "A cellular texture basis function", SIGGRAPH; the nearest point is taken by a soft minimum, so
        that creases have a width.
    """
    jitter = rng.uniform(0.1, 0.9, (2, cells * cells)).astype(np.float32)
    column, row = (u + 1) * np.float32(cells / 2), (v + 1) * np.float32(cells / 2)
    j, i = np.floor(column).astype(np.intp), np.floor(row).astype(np.intp)
    b, a = column - j.astype(np.float32), row - i.astype(np.float32)
    near = np.zeros_like(u)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            point = (i + down) % cells * cells + (j + across) % cells
            near += np.exp(-9 * ((jitter[0][point] + across - b) ** 2 + (jitter[1][point] + down - a) ** 2))
    return np.asarray(np.log(near + 1e-4) / 9 + 0.15, dtype=np.float32)


def _edge_push(u: Field, v: Field) -> Field:
    """What thins a puff towards the frame. In warped positions, so that the frame never shows as a straight line."""
    return np.asarray(14.0 * np.clip((u**4 + v**4) ** 0.25 - 0.66, 0, None) ** 2, dtype=np.float32)


def _border_fade(size: int) -> Field:
    """0 in the outermost pixels, 1 from a tenth of the picture inwards, smooth between."""
    inside = np.minimum(np.arange(size), np.arange(size)[::-1]) - (EMPTY_BORDER_PX - 0.5)
    ramp = np.clip(inside / (0.1 * size), 0, 1)
    ramp = np.where(inside < 1, 0, ramp**2 * (3 - 2 * ramp))
    return np.asarray(ramp[:, None] * ramp[None], dtype=np.float32)


def _onset(field: Field, softness: float) -> Field:
    """max(field, 0) that leaves zero gently, over about `softness`."""
    positive = np.clip(field, 0, None)
    return np.asarray(positive**2 / (positive + softness), dtype=np.float32)


def _relief_light(relief: Field, density: Field, light: NDArray[np.float64], shadow: float) -> Field:
    """How bright each point of the smoke is, 0…1: a lit relief, darkened by the smoke that lies towards the light."""
    pixel = 2.0 / relief.shape[0]
    slope_y, slope_x = np.gradient(_soften(0.33 * relief, 0.009 * relief.shape[0]), pixel)
    x, y, z = light / np.linalg.norm(light)
    facing = (z - x * slope_x - y * slope_y) / np.sqrt(1 + slope_x**2 + slope_y**2)
    above = np.cumsum(density, axis=0) * pixel
    return np.asarray(
        (0.16 + 0.84 * np.clip(0.52 + 0.52 * facing, 0, 1) ** 1.7) * np.exp(-shadow * above), dtype=np.float32
    )


def _black_body_table() -> NDArray[np.float64]:
    """Linear Rec.709 colour of a black body at each of TABLE_KELVIN, largest channel 1; [K, 3].

    Source:
        Planck's law; CIE 1931 observer by the fit of Wyman, Sloan and Shirley 2013, JCGT 2(2), §2.2; matrix of ITU-R
        BT.709 (D65).
    """
    nm = np.arange(380.0, 781.0, 5.0)

    def lobe(centre: float, below: float, above: float) -> NDArray[np.float64]:
        return np.asarray(np.exp(-0.5 * ((nm - centre) / np.where(nm < centre, below, above)) ** 2))

    x = 1.056 * lobe(599.8, 37.9, 31.0) + 0.362 * lobe(442.0, 16.0, 26.7) - 0.065 * lobe(501.1, 20.4, 26.2)
    y = 0.821 * lobe(568.8, 46.9, 40.5) + 0.286 * lobe(530.9, 16.3, 31.1)
    z = 1.217 * lobe(437.0, 11.8, 36.0) + 0.681 * lobe(459.0, 26.0, 13.8)
    radiance = nm**-5 / np.expm1(1.438777e7 / (nm * TABLE_KELVIN[:, None]))
    from_xyz = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    # Below about 1900 K blue is outside Rec.709, hence the clip.
    rgb = np.clip(radiance @ np.stack([x, y, z], axis=1) @ from_xyz.T, 0, None)
    return np.asarray(rgb / rgb.max(axis=1, keepdims=True))


BLACK_BODY = _black_body_table()


def _rgba(rgb: NDArray[np.floating], alpha: Field) -> NDArray[np.float32]:
    return np.concatenate([rgb, alpha[..., None]], axis=-1).astype(np.float32)
