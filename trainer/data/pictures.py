"""Folders of pictures, and pictures on their way from files to the network and from there to a monitor."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vfxgan.colour import decode, encode, encoded_peak
from vfxgan.errors import DataError
from vfxgan.images import Picture

EXTENSIONS = (".exr", ".png", ".tif", ".tiff", ".jpg", ".jpeg")


def list_pictures(folder: Path, option: str = "--data") -> list[Path]:
    """The pictures of a folder, sorted by name.

    Args:
        option: that names the folder, for messages.
    Raises:
        DataError: no folder, or no picture in it.
    """
    if folder.is_file():
        raise DataError(f"{option} {folder}: a file, not a folder; give {folder.parent}")
    if not folder.is_dir():
        remedy = (
            f"check the path, or make one with: vfxgan dataset elements --out {folder}"
            if option == "--data"
            else "check the path"
        )
        raise DataError(f"{option} {folder}: no such folder; {remedy}")
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and not path.is_dir()
    )
    if not paths:
        raise DataError(
            f"{option} {folder}: holds no picture ({', '.join(EXTENSIONS)}); point it at a folder that does"
        )
    return paths


def to_linear(picture: Picture, channels: int, path: Path) -> NDArray[np.float32]:
    """[H, W, channels] float32, scene-linear, premultiplied; integer files are sRGB with straight alpha."""
    pixels: NDArray[Any] = picture.pixels
    if pixels.shape[2] not in (3, 4):
        raise DataError(f"{path} has {pixels.shape[2]} channels ({', '.join(picture.channels)}); give RGB or RGBA")
    stored = pixels.astype(np.float32)
    if pixels.dtype.kind == "u":
        stored /= np.iinfo(pixels.dtype).max
        stored[..., :3] = decode(stored[..., :3]) * stored[..., 3:4] if stored.shape[2] == 4 else decode(stored)
    if channels == 4 and stored.shape[2] == 3:
        stored = np.concatenate([stored, np.ones_like(stored[..., :1])], axis=2)
    return stored[..., :channels]


def to_signal(linear: NDArray[np.float32], peak: float) -> NDArray[np.float32]:
    """Scene-linear premultiplied RGB(A) [H, W, C] to the network's −1…1."""
    signal = linear.copy()
    signal[..., :3] = np.clip(encode(linear[..., :3]) / encoded_peak(peak), 0, 1)
    return np.clip(signal, 0, 1) * 2 - 1


def to_display(signal: Tensor, peak: float) -> NDArray[np.uint8]:
    """[N, 3 or 4, S, S] of the network to [N, S, S, 3] for a monitor: over black, highlights clipped."""
    encoded = (signal[:, :3].float() + 1) / 2 * encoded_peak(peak)
    return (encoded.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
