"""What must hold at the border of every runtime."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from vfxgan.errors import MissingExtraError, RuntimeFailure
from vfxgan.modelfile import ModelFile
from vfxgan.render.runtimes.protocol import Array
from vfxgan.spec import LatentInput


@contextlib.contextmanager
def importing(package: str) -> Iterator[None]:
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
            raise MissingExtraError(package, "cpu", f"the runtime {package!r}") from error
        inner: BaseException | None = error
        while inner is not None:
            if isinstance(inner, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            inner = inner.__cause__ or inner.__context__
        reason = " ".join(str(error).split())[:300]
        raise RuntimeFailure(f"{package} is installed but cannot be loaded ({reason}); install it again") from error


def static_shape(shape: Sequence[Any], model: ModelFile) -> tuple[int, ...]:
    """The model's input shape with a dynamic batch taken as 1, held against its spec.

    Raises:
        RuntimeFailure: dynamic elsewhere, or not what the spec says.
    """
    sides = tuple(side if isinstance(side, int) else 1 if place == 0 else -1 for place, side in enumerate(shape))
    expected = model.spec.input.size if isinstance(model.spec.input, LatentInput) else None
    fits = len(sides) >= 2 and sides[0] == 1 and (expected is None or sides[1:] == (expected,))
    if not fits:
        raise RuntimeFailure(
            f"{model.path}: its input is {list(shape)}, but its spec says [1, {expected}]; export it again"
        )
    return sides


def check_input(x: Array, shape: tuple[int, ...]) -> None:
    """Raises RuntimeFailure for another shape or type than the model takes."""
    if x.shape != shape or x.dtype != np.float32:
        raise RuntimeFailure(f"input is {x.dtype} {list(x.shape)}, the model takes float32 {list(shape)}")


def check_picture(picture: Any, model: ModelFile) -> Array:
    """Raises RuntimeFailure unless the output is the picture that the spec promises."""
    if not isinstance(picture, np.ndarray) or picture.dtype != np.float32:
        raise RuntimeFailure(
            f"{model.path}: gives {getattr(picture, 'dtype', type(picture))}, not float32; export it again"
        )
    wanted = (1, model.spec.channels_out, *(model.spec.size or picture.shape[-2:]))
    if picture.shape != wanted:
        raise RuntimeFailure(
            f"{model.path}: gives {list(picture.shape)}, its spec says {list(wanted)}; export it again"
        )
    return picture
