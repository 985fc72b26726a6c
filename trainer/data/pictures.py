"""A folder of pictures as training tensors, held encoded in memory."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vfxgan.colour import decode, encode, encoded_peak
from vfxgan.errors import DataError, ImageError
from vfxgan.images import Picture, read_picture
from vfxgan.progress import Progress

EXTENSIONS = (".exr", ".png", ".tif", ".tiff", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Pictures:
    """A data set of one size.

    Attributes:
        signal: [N, C, S, S] float16 in the network's −1…1: RGB premultiplied in the extended encoding, alpha linear.
        digest: SHA-256 over file names and bytes.
        clipped: pictures with light above the peak.
    """

    signal: NDArray[np.float16]
    digest: str
    clipped: int

    def batch(self, indices: Tensor) -> Tensor:
        """[len(indices), C, S, S] float32."""
        return torch.from_numpy(self.signal[indices.numpy()].astype(np.float32))


def list_pictures(folder: Path, option: str = "--data") -> list[Path]:
    """The pictures of a folder, sorted by name.

    Args:
        option: that names the folder, for messages.
    Raises:
        DataError: no folder, or no picture in it.
    """
    if not folder.is_dir():
        remedy = f"make one with: vfxgan dataset elements --out {folder}" if option == "--data" else "check the path"
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


def load_pictures(folder: Path, size: int, channels: int, peak: float, progress: Progress) -> Pictures:
    """Decode a folder whole.

    Args:
        size: every picture must be this wide and high.
        channels: 3 or 4; a picture without alpha is taken as opaque.
        peak: scene-linear light that stands at the top of the network's range; more is clipped, and counted.
    Raises:
        DataError: no picture, a corrupt one, or one of another size; the file is named.
    """
    paths = list_pictures(folder)
    signal = np.empty((len(paths), channels, size, size), np.float16)
    digest, clipped = hashlib.sha256(), 0
    with progress, ThreadPoolExecutor(4) as pool:
        facts: Iterable[tuple[NDArray[np.float32], str]] = pool.map(lambda path: _load(path, size, channels), paths)
        for index, (linear, checksum) in enumerate(facts):
            digest.update(f"{paths[index].name} {checksum}\n".encode())
            clipped += bool((linear[..., :3] > peak).any())
            signal[index] = to_signal(linear, peak).transpose(2, 0, 1)
            progress.advance()
    return Pictures(signal, digest.hexdigest(), clipped)


def _load(path: Path, size: int, channels: int) -> tuple[NDArray[np.float32], str]:
    try:
        picture = read_picture(path)
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    except ImageError as error:
        raise DataError(f"corrupt picture in the data set: {error}") from error
    height, width, _ = picture.pixels.shape
    if (height, width) != (size, size):
        raise DataError(f"{path} is {width}×{height}, but --size is {size}; resize it or leave it out")
    linear = to_linear(picture, channels, path)
    if not np.isfinite(linear).all():
        raise DataError(f"{path} holds NaN or Inf; repair it or leave it out")
    return linear, checksum


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
