"""What must hold at the border of every runtime."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from vfxgan.errors import MissingExtraError, RuntimeFailure
from vfxgan.interrupts import raise_if_interrupt
from vfxgan.modelfile import ModelFile
from vfxgan.render.runtimes.protocol import Array
from vfxgan.spec import ImageInput, LatentInput

SMALLEST_PX = 16  # a reflection at the edge needs some pixels to reflect


@contextlib.contextmanager
def importing(package: str, extra: str = "cpu") -> Iterator[None]:
    """Around the import of a runtime's package.

    Raises:
        MissingExtraError: it is not installed.
        KeyboardInterrupt: Ctrl-C came meanwhile; packages turn that into an ImportError of their own.
        RuntimeFailure: it is installed, but cannot be loaded.
    """
    try:
        yield
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            raise MissingExtraError(package, extra, f"the runtime {package!r}") from error
        raise_if_interrupt(error)
        reason = " ".join(str(error).split())[:300]
        raise RuntimeFailure(f"{package} is installed but cannot be loaded ({reason}); install it again") from error


def known_shape(shape: Sequence[Any], model: ModelFile) -> tuple[int | None, ...]:
    """The model's input shape with a dynamic batch taken as 1, held against its spec.

    Returns:
        [1, size] for a latent; [1, C, H, W] for a picture, None for a height or width that is free.
    Raises:
        RuntimeFailure: it is not what the spec says.
    """
    sides = tuple(side if isinstance(side, int) else 1 if place == 0 else None for place, side in enumerate(shape))
    source = model.spec.input
    expected = (1, source.size) if isinstance(source, LatentInput) else (1, source.channels, "height", "width")
    fits = len(sides) == len(expected) and sides[:2] == expected[:2]
    if not fits:
        raise RuntimeFailure(
            f"{model.path}: its input is {list(shape)}, but its spec says {list(expected)}; export it again"
        )
    return sides


def smallest_input(shape: tuple[int | None, ...], model: ModelFile) -> Array:
    """Zeros of the smallest input that the model is sure to take."""
    multiple = model.spec.input.size_multiple if isinstance(model.spec.input, ImageInput) else 1
    free = -(-SMALLEST_PX // multiple) * multiple
    return np.zeros([free if side is None else side for side in shape], np.float32)


def check_input(x: Array, shape: tuple[int | None, ...]) -> None:
    """Raises RuntimeFailure for another shape or type than the model takes."""
    fits = len(x.shape) == len(shape) and all(
        wanted in (None, side) for side, wanted in zip(x.shape, shape, strict=True)
    )
    if not fits or x.dtype != np.float32:
        takes = ["any" if side is None else side for side in shape]
        raise RuntimeFailure(f"input is {x.dtype} {list(x.shape)}, the model takes float32 {takes}")


def check_picture(picture: Any, model: ModelFile, x: Array) -> Array:
    """Raises RuntimeFailure unless the output is the picture that the spec promises for this input."""
    if not isinstance(picture, np.ndarray) or picture.dtype != np.float32:
        raise RuntimeFailure(
            f"{model.path}: gives {getattr(picture, 'dtype', type(picture))}, not float32; export it again"
        )
    size = model.spec.size or tuple(side * model.spec.scale for side in x.shape[-2:])
    wanted = (1, model.spec.channels_out, *size)
    if picture.shape != wanted:
        raise RuntimeFailure(
            f"{model.path}: gives {list(picture.shape)}, its spec says {list(wanted)}; export it again"
        )
    return picture
