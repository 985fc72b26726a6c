"""One file to the encoded signal: its colour channels, in its display window, the right way up."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfxgan.colour import decode, encode, encoded_peak
from vfxgan.errors import ImageError
from vfxgan.images import MAX_IMAGE_MIB, Layout, read_channels, read_layout

Array = NDArray[np.float32]

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec.709
TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height


@dataclass(frozen=True)
class Header:
    """What is known of a picture before it is decoded; width and height are those of the display window."""

    path: Path
    width: int
    height: int
    grey: bool


@dataclass(frozen=True)
class Reading:
    """How files become signals.

    Attributes:
        peak: scene-linear light that stands at 1.
        bad_pixels: what becomes of NaN and Inf: "zero", "clamp" (Inf to the peak, NaN to 0) or "error" (as zero here;
            the caller stops when it has counted them all).
    """

    peak: float
    bad_pixels: str


@dataclass(frozen=True)
class Decoded:
    """A picture as the network knows it.

    Attributes:
        signal: [H, W, C] float32 in 0…1: premultiplied RGB in the extended encoding, 1 being the peak; alpha linear.
        bad: pixels that held NaN or Inf.
        clipped: some light was above the peak.
        negative: some light was below 0, which is where it is clipped.
    """

    signal: Array
    bad: int
    clipped: bool
    negative: bool


def choose_colour(names: tuple[str, ...]) -> tuple[int, ...] | None:
    """R, G, B and A by name, whatever else there is; one grey channel with or without alpha; else nothing."""
    places = {name.upper(): index for index, name in reversed(list(enumerate(names)))}
    if all(name in places for name in "RGB"):
        return tuple(places[name] for name in "RGBA" if name in places)
    if len(names) == 1:
        return (0,)
    if len(names) == 2 and "A" in places:
        return (1 - places["A"], places["A"])
    return None


def read_header(path: Path) -> Header:
    """Size and kind of a picture.

    Raises:
        ImageError: not an image, without colour channels, or too large.
    """
    layout = read_layout(path, choose_colour)
    width, height = _display(layout, path)[2:]
    if _orientation(layout) in TURNED:
        width, height = height, width
    return Header(path, width, height, len(layout.chosen) < 3)


def decode_picture(path: Path, channels: int, reading: Reading) -> Decoded:
    """Decode a file.

    Args:
        channels: 1 (grey, or Rec.709 luminance), 3, or 4 (what has no alpha is opaque within its data window).
    Raises:
        ImageError: as `read_header`, or cut short.
    """
    layout, pixels = read_channels(path, choose_colour)
    window = _display(layout, path)
    is_exr = path.suffix.lower() == ".exr"
    if pixels.dtype.kind == "u":
        linear = _linear_of_integers(pixels, straight=_is_straight(layout, path))
        bad = 0
    else:
        linear, bad = _repaired(pixels.astype(np.float32), reading)
    linear = _with_channels(linear, channels)
    colour = linear[..., : min(channels, 3)]
    clipped, negative = bool((colour > reading.peak).any()), bool((colour < 0).any())
    linear[..., : min(channels, 3)] = encode(colour) / np.float32(encoded_peak(reading.peak))
    signal = np.clip(linear, 0, 1, out=linear)
    if is_exr:
        signal = _placed(signal, layout.data, window)
    return Decoded(np.ascontiguousarray(_upright(signal, _orientation(layout))), bad, clipped, negative)


def _display(layout: Layout, path: Path) -> tuple[int, int, int, int]:
    """The window that a picture fills: other formats than EXR know offsets, but no program heeds them."""
    window = layout.display if path.suffix.lower() == ".exr" else layout.data
    width, height = window[2:]
    if width < 1 or height < 1 or width * height * 16 > MAX_IMAGE_MIB * 2**20:
        raise ImageError(f"{path}: a display window of {width}×{height} cannot be used; replace the file")
    return window


def _orientation(layout: Layout) -> int:
    value = layout.attributes.get("Orientation", 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(picture: Array, orientation: int) -> Array:
    """Undo the orientation that a camera noted: TIFF 6.0, tag 274."""
    if orientation in TURNED:
        picture = picture.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return picture


def _is_straight(layout: Layout, path: Path) -> bool:
    return path.suffix.lower() == ".png" or bool(layout.attributes.get("oiio:UnassociatedAlpha", 0))


def _linear_of_integers(pixels: NDArray[np.unsignedinteger], straight: bool) -> Array:
    """sRGB codes to scene-linear light, premultiplied; alpha is linear as stored."""
    stored = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    if stored.shape[2] not in (2, 4):
        return decode(stored)
    alpha = stored[..., -1:]
    if not straight:  # codes multiplied by alpha, as TIFF's associated alpha is
        stored[..., :-1] = np.divide(stored[..., :-1], alpha, out=np.zeros_like(stored[..., :-1]), where=alpha > 0)
    stored[..., :-1] = decode(np.minimum(stored[..., :-1], 1)) * alpha
    return stored


def _repaired(linear: Array, reading: Reading) -> tuple[Array, int]:
    finite = np.isfinite(linear)
    if finite.all():
        return linear, 0
    top = reading.peak if reading.bad_pixels == "clamp" else 0.0
    np.nan_to_num(linear, copy=False, nan=0.0, posinf=top, neginf=-top)
    return linear, int((~finite).any(axis=2).sum())


def _with_channels(linear: Array, channels: int) -> Array:
    alpha = linear[..., -1:] if linear.shape[2] in (2, 4) else np.ones_like(linear[..., :1])
    colour = linear[..., :3] if linear.shape[2] >= 3 else linear[..., :1]
    if channels == 1:
        return colour @ LUMINANCE[:, None] if colour.shape[2] == 3 else colour.copy()
    if colour.shape[2] == 1:
        colour = np.repeat(colour, 3, axis=2)
    return np.concatenate([colour, alpha], axis=2) if channels == 4 else np.array(colour)


def _placed(signal: Array, data: tuple[int, int, int, int], display: tuple[int, int, int, int]) -> Array:
    """The data window inside the display window; where there are no pixels, black and transparent."""
    if data == display:
        return signal
    x, y = data[0] - display[0], data[1] - display[1]
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + data[3], display[3]), min(x + data[2], display[2])
    whole = np.zeros((display[3], display[2], signal.shape[2]), np.float32)
    if top < bottom and left < right:
        whole[top:bottom, left:right] = signal[top - y : bottom - y, left - x : right - x]
    return whole
