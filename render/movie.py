"""Pictures to an MP4 that every player and review tool opens: H.264 through PyAV."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import MissingExtraError, WriteError
from vfxgan.synthetic import COMPOSITE, SOURCE_TYPE_KEY
from vfxgan.temporaries import temporary_beside

ENCODER = "libx264"
MARK = "vfxgan:preview"
SYNTHETIC = f"Preview of synthetic frames. {SOURCE_TYPE_KEY} {COMPOSITE}"  # MP4 has no property of its own for it
# No frame refers to a later one and every twelfth to none, so that players step and scrub exactly. One thread, and
# nothing that tells library versions apart: the same pictures give the same file.
ENCODER_OPTIONS = {"crf": "18", "preset": "medium", "g": "12", "bf": "0", "threads": "1", "flags": "+bitexact"}
CONTAINER_OPTIONS = {"movflags": "+faststart", "fflags": "+bitexact"}
BT709, LIMITED_RANGE = 1, 1


def require_encoder() -> Any:
    """PyAV, with an H.264 encoder in it.

    Raises:
        MissingExtraError: it is not installed, or was built without the encoder.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise MissingExtraError("av", "review", "an MP4 preview") from error
    if ENCODER not in av.codecs_available:
        raise MissingExtraError(f"av with {ENCODER}", "review", "an MP4 preview")
    return av


def is_our_movie(path: Path) -> bool:
    """Whether a file is an MP4 that `write_movie` made."""
    av = require_encoder()
    try:
        with av.open(str(path)) as container:
            return bool(container.metadata.get("comment") == MARK)
    except (av.FFmpegError, OSError):
        return False


def write_movie(
    path: Path, pictures: Iterable[NDArray[np.uint8]], size: tuple[int, int], rate: Fraction, count: int
) -> None:
    """Encode pictures at a constant rate, whole or not at all.

    Args:
        path: .mp4; replaced if it exists.
        pictures: [H, W, 3] display values, full range; `count` of them.
        size: H, W, both even.
    Raises:
        MissingExtraError: no encoder.
        WriteError: full disk, permissions, or the encoder failed.
    """
    av = require_encoder()
    try:
        with temporary_beside(path) as temporary:
            _encode(av, temporary, pictures, size, rate)
            with av.open(str(temporary)) as written:
                if written.streams.video[0].frames != count:
                    raise WriteError(f"{path}: came out incomplete; check the space left on the disk")
            temporary.replace(path)
    except (av.FFmpegError, OSError) as error:
        raise WriteError(
            f"{path}: cannot be written ({error.strerror or error}); check space and permissions"
        ) from error


def _encode(
    av: Any, temporary: Path, pictures: Iterable[NDArray[np.uint8]], size: tuple[int, int], rate: Fraction
) -> None:
    with av.open(str(temporary), "w", format="mp4", options=CONTAINER_OPTIONS) as container:
        container.metadata["comment"] = MARK
        container.metadata["description"] = SYNTHETIC
        stream = container.add_stream(ENCODER, rate=rate, options=ENCODER_OPTIONS)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        coder = stream.codec_context
        coder.color_primaries = coder.color_trc = coder.colorspace = BT709
        coder.color_range = LIMITED_RANGE
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709", src_color_range="JPEG", dst_color_range="MPEG"
            )
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
