"""What several commands share: option types and the import of an extra."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from vfxgan.errors import MissingExtraError


class ProgressChoice(str, Enum):
    """`--progress`."""

    bar = "bar"
    json = "json"
    openjd = "openjd"
    none = "none"


class BackgroundChoice(str, Enum):
    """Behind pictures with alpha."""

    black = "black"
    grey = "grey"
    checker = "checker"


@contextmanager
def needs_extra(extra: str, purpose: str) -> Iterator[None]:
    """Turn a failed import of an optional dependency into one line that names the pip command."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "vfxgan":
            raise
        raise MissingExtraError(error.name.split(".")[0], extra, purpose) from error
