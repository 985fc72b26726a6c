"""Sources for pix2pix made from its targets: a matte or an edge picture beside every element."""

from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import DataError, ImageError, TargetError
from vfxgan.images import Picture, use_threads, write_picture
from vfxgan.progress import Progress
from vfxgan.trainer.data.decoding import LUMINANCE, Reading, decode_picture
from vfxgan.trainer.data.survey import in_parallel

Kind = Literal["alpha", "edges"]

EDGE_GAIN = 4.0  # an edge from black to white over four pixels is white


def write_mattes(paths: list[Path], folder: Path, kind: Kind, progress: Progress) -> None:
    """Write `folder/NAME.exr` for each picture, one half-float channel Y in 0…1; what is there already stays.

    Raises:
        TargetError: the folder cannot be written, or is the pictures' own.
        DataError: a picture cannot be used. WriteError: a full disk.
    """
    if folder.exists() and folder.samefile(paths[0].parent):
        raise TargetError(f"--out {folder}: is the folder of the pictures themselves; choose another")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(f"--out {folder}: cannot be written ({error.strerror}); choose another folder") from error
    todo = [path for path in paths if not (folder / f"{path.stem}.exr").exists()]
    use_threads(1)
    with progress:
        progress.skip(len(paths) - len(todo))
        for _ in in_parallel(partial(_write, folder=folder, kind=kind), todo):
            progress.advance()


def _write(path: Path, folder: Path, kind: Kind) -> None:
    try:
        signal = decode_picture(path, Reading(channels=4, peak=1.0, bad_pixels="zero")).signal.astype(np.float32)
    except ImageError as error:
        raise DataError(f"corrupt picture: {error}") from error
    if kind == "alpha" and (signal[3] == 1).all():
        raise DataError(f"{path}: has no alpha, or a solid one; use --kind edges, or leave it out")
    matte = signal[3] if kind == "alpha" else edges(signal[:3])
    pixels = matte[..., None].astype(np.float16)
    write_picture(folder / f"{path.stem}.exr", Picture(pixels, ("Y",), {"compression": "zips"}))


def edges(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """How steep a picture is, pixel by pixel.

    Args:
        signal: [3, H, W] in 0…1, encoded, so that edges in shadow and light weigh as they do to the eye.
    Returns:
        [H, W] in 0…1: the length of the gradient of its luma by central differences, `EDGE_GAIN` for 1 a pixel.
    """
    down, right = np.gradient(np.tensordot(LUMINANCE, signal, 1))
    slope: NDArray[np.float32] = np.minimum(np.hypot(down, right) * np.float32(EDGE_GAIN), np.float32(1))
    return slope
