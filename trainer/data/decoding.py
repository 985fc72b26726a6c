"""One file to the encoded signal: its colour channels, in its display window, the right way up."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfxgan.colour import decode, encode, encoded_peak
from vfxgan.errors import ImageError
from vfxgan.images import MAX_IMAGE_MIB, Layout, Pixels, choose_colour, read_channels, read_layout
from vfxgan.trainer.data.tables import looked_up, repaired, signal_of_alpha, signal_of_codes, signal_of_light

Array = NDArray[np.float32]
Half = NDArray[np.float16]

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec.709
TYPES = ("half", "float", "double", "uint8", "uint16")
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
        channels: 1 (grey, or Rec.709 luminance), 3, or 4 (what has no alpha is opaque within its data window).
        peak: scene-linear light that stands at 1.
        bad_pixels: what becomes of NaN and Inf: "zero", "clamp" (Inf to the peak, NaN to 0) or "error" (as zero here;
            the caller stops when it has counted them all).
    """

    channels: int
    peak: float
    bad_pixels: str


@dataclass(frozen=True)
class Decoded:
    """A picture as the network knows it.

    Attributes:
        signal: [C, H, W] float16 in 0…1: premultiplied RGB in the extended encoding, 1 being the peak; alpha linear.
        bad: pixels that held NaN or Inf.
        clipped: some light was above the peak.
        negative: some light was below 0, which is where it is clipped.
    """

    signal: Half
    bad: int = 0
    clipped: bool = False
    negative: bool = False


def read_header(path: Path) -> Header:
    """Size and kind of a picture.

    Raises:
        ImageError: not an image, without colour channels, or too large.
    """
    layout = read_layout(path, choose_colour)
    width, height = _display(layout, path)[2:]
    if _orientation(layout, path) in TURNED:
        width, height = height, width
    return Header(path, width, height, len(layout.chosen) < 3)


def decode_picture(path: Path, reading: Reading) -> Decoded:
    """Decode a file.

    Raises:
        ImageError: as `read_header`, or cut short.
    """
    layout, pixels = read_channels(path, choose_colour)
    window = _display(layout, path)
    colours = 3 if pixels.shape[2] >= 3 else 1
    straight = _is_straight(layout, path)
    by_formula = (colours == 3 and reading.channels == 1) or (straight and pixels.shape[2] > colours)
    if pixels.dtype == np.float16 and not by_formula:
        decoded = _by_table(pixels, reading)
    elif pixels.dtype in (np.uint8, np.uint16) and pixels.shape[2] == colours and not by_formula:
        table = signal_of_codes(np.iinfo(pixels.dtype).max + 1, reading.peak)
        decoded = Decoded(np.stack([looked_up(table, pixels[..., c]) for c in range(colours)]))
    else:
        decoded = _by_formula(pixels, straight, reading)
    signal = _with_channels(decoded.signal, reading.channels)
    if path.suffix.lower() == ".exr":
        signal = _placed(signal, layout.data, window)
    signal = np.ascontiguousarray(_upright(signal, _orientation(layout, path)))
    return Decoded(signal, decoded.bad, decoded.clipped, decoded.negative)


def _display(layout: Layout, path: Path) -> tuple[int, int, int, int]:
    """The window that a picture fills; other formats than EXR know offsets, but no program heeds them.

    Raises:
        ImageError: no memory could hold it, or its values are of a type that pictures have not.
    """
    if layout.type not in TYPES:
        raise ImageError(f"{path}: stores {layout.type} values; convert it to half, float, or 8 or 16 bits")
    window = layout.display if path.suffix.lower() == ".exr" else layout.data
    width, height = window[2:]
    if width < 1 or height < 1 or width * height * 16 > MAX_IMAGE_MIB * 2**20:
        raise ImageError(f"{path}: a display window of {width}×{height} cannot be used; replace the file")
    return window


def _is_straight(layout: Layout, path: Path) -> bool:
    """Whether colour is stored without alpha in it: PNG has no other way, TIFF says, EXR never."""
    suffix = path.suffix.lower()
    return suffix == ".png" or (suffix != ".exr" and bool(layout.attributes.get("oiio:UnassociatedAlpha")))


def _by_table(pixels: NDArray[np.float16], reading: Reading) -> Decoded:
    """Half floats: scene-linear, premultiplied."""
    codes = pixels.view(np.uint16)
    colours = 3 if codes.shape[2] >= 3 else 1
    table = signal_of_light(reading.peak, reading.bad_pixels)
    planes = [looked_up(table, codes[..., c]) for c in range(colours)]
    if codes.shape[2] > colours:
        planes.append(looked_up(signal_of_alpha(reading.bad_pixels), codes[..., colours]))
    magnitude = codes & 0x7FFF
    bad = int((magnitude >= 0x7C00).any(axis=2).sum()) if magnitude.max() >= 0x7C00 else 0
    colour = codes[..., :colours]
    # Halves of one sign are ordered as their codes are; those of NaN lie above that of Inf.
    peak_code = int(np.array(min(reading.peak, 65504.0), np.float32).astype(np.float16).view(np.uint16))
    clipped = bool(((colour > peak_code) & (colour < 0x7C00)).any())
    negative = bool(((colour > 0x8000) & (colour < 0xFC00)).any())
    return Decoded(np.stack(planes), bad, clipped, negative)


def _by_formula(pixels: Pixels, straight: bool, reading: Reading) -> Decoded:
    """Floats that are scene-linear, or integers whose alpha or luminance needs their light."""
    bad = 0
    if pixels.dtype.kind == "u":
        linear = _linear_of_integers(pixels, straight)
    else:
        linear = pixels.astype(np.float32)
        finite = np.isfinite(linear)
        if not finite.all():
            bad = int((~finite).any(axis=2).sum())
            linear = repaired(linear, reading.peak, reading.bad_pixels)
    colours = 3 if linear.shape[2] >= 3 else 1
    colour, alpha = linear[..., :colours], linear[..., colours:]
    if straight and pixels.dtype.kind == "f" and alpha.shape[2]:
        colour = colour * alpha
    if reading.channels == 1 and colours == 3:
        colour = colour @ LUMINANCE[:, None]
    signal = encode(colour) / np.float32(encoded_peak(reading.peak))
    planes = np.clip(np.concatenate([signal, alpha], axis=2), 0, 1).transpose(2, 0, 1)
    return Decoded(
        planes.astype(np.float16), bad, bool((colour > reading.peak * 1.001).any()), bool((colour < 0).any())
    )


def _linear_of_integers(pixels: Pixels, straight: bool) -> Array:
    """sRGB codes to scene-linear light, premultiplied; alpha is linear as stored."""
    stored = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    if stored.shape[2] not in (2, 4):
        return decode(stored)
    alpha = stored[..., -1:]
    if not straight:  # codes multiplied by alpha, as TIFF's associated alpha is
        stored[..., :-1] = np.divide(stored[..., :-1], alpha, out=np.zeros_like(stored[..., :-1]), where=alpha > 0)
    stored[..., :-1] = decode(np.minimum(stored[..., :-1], 1)) * alpha
    return stored


def _with_channels(signal: Half, channels: int) -> Half:
    """[1 to 4, H, W] to [channels, H, W]: grey is repeated, and what has no alpha is opaque."""
    colours = 3 if len(signal) >= 3 else 1
    colour, alpha = signal[:colours], signal[colours:]
    if channels == 1:
        return colour
    planes = [colour] if colours == 3 else [colour] * 3
    if channels == 4:
        planes.append(alpha if len(alpha) else np.ones_like(colour[:1]))
    return np.concatenate(planes)


def _placed(signal: Half, data: tuple[int, int, int, int], display: tuple[int, int, int, int]) -> Half:
    """The data window inside the display window; where there are no pixels, black and transparent."""
    if data == display:
        return signal
    x, y = data[0] - display[0], data[1] - display[1]
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + data[3], display[3]), min(x + data[2], display[2])
    whole = np.zeros((len(signal), display[3], display[2]), np.float16)
    if top < bottom and left < right:
        whole[:, top:bottom, left:right] = signal[:, top - y : bottom - y, left - x : right - x]
    return whole


def _orientation(layout: Layout, path: Path) -> int:
    value = 1 if path.suffix.lower() == ".exr" else layout.attributes.get("Orientation", 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(signal: Half, orientation: int) -> Half:
    """Undo the orientation that a camera noted: TIFF 6.0, tag 274."""
    if orientation in (3, 4, 6, 7):
        signal = signal[:, ::-1]
    if orientation in (2, 3, 7, 8):
        signal = signal[:, :, ::-1]
    return signal.transpose(0, 2, 1) if orientation in TURNED else signal
