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


def static_batch(shape: Sequence[Any]) -> int:
    """How many frames a model takes at a time; 1 where that is open."""
    return shape[0] if shape and isinstance(shape[0], int) else 1


def known_shape(shape: Sequence[Any], model: ModelFile, batch: int = 1) -> tuple[int | None, ...]:
    """The shape of one frame in a model's input, held against its spec.

    Args:
        shape: of the input; whatever is no int is open.
        batch: that a runtime takes; an open batch is taken as that.
    Returns:
        [1, size] for a latent; [1, C, H, W] for a picture, None for a height or width that is free.
    Raises:
        RuntimeFailure: it is not what the spec says.
    """
    sides = tuple(side if isinstance(side, int) else None for side in shape)
    source = model.spec.input
    expected = (batch, source.size) if isinstance(source, LatentInput) else (batch, source.channels, "height", "width")
    fits = len(sides) == len(expected) and sides[0] in (None, batch) and sides[1] == expected[1]
    if not fits:
        raise RuntimeFailure(
            f"{model.path}: its input is {list(shape)}, but its spec says {list(expected)}; export it again"
        )
    return 1, *sides[1:]


def smallest_input(shape: tuple[int | None, ...], model: ModelFile) -> Array:
    """Zeros of the smallest input that the model is sure to take."""
    multiple = model.spec.input.size_multiple if isinstance(model.spec.input, ImageInput) else 1
    free = -(-SMALLEST_PX // multiple) * multiple
    return np.zeros([free if side is None else side for side in shape], np.float32)


def check_input(x: Array, shape: tuple[int | None, ...], batch: int = 1) -> None:
    """Raises RuntimeFailure for another shape or type than the model takes, or more frames than `batch`."""
    fits = len(x.shape) == len(shape) and 1 <= x.shape[0] <= batch
    fits = fits and all(wanted in (None, side) for side, wanted in zip(x.shape[1:], shape[1:], strict=True))
    if not fits or x.dtype != np.float32:
        sides = ["1" if batch == 1 else f"1 to {batch}", *("any" if side is None else str(side) for side in shape[1:])]
        raise RuntimeFailure(f"input is {x.dtype} {list(x.shape)}, the model takes float32 [{', '.join(sides)}]")


def filled(x: Array, batch: int) -> Array:
    """A short batch, its last frame repeated: what runs always has the same shape."""
    missing = batch - x.shape[0]
    return np.concatenate([x, np.repeat(x[-1:], missing, axis=0)]) if missing else np.ascontiguousarray(x)


def check_picture(picture: Any, model: ModelFile, x: Array) -> Array:
    """Raises RuntimeFailure unless the output is the picture that the spec promises for this input."""
    if not isinstance(picture, np.ndarray) or picture.dtype != np.float32:
        raise RuntimeFailure(
            f"{model.path}: gives {getattr(picture, 'dtype', type(picture))}, not float32; export it again"
        )
    size = model.spec.size or tuple(side * model.spec.scale for side in x.shape[-2:])
    wanted = (x.shape[0], model.spec.channels_out, *size)
    if picture.shape != wanted:
        raise RuntimeFailure(
            f"{model.path}: gives {list(picture.shape)}, its spec says {list(wanted)}; export it again"
        )
    return picture
