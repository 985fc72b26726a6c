"""Everything that vfxgan raises on purpose.

    VfxganError                 exit code 1
    ├── UsageError              2   an argument or a combination of arguments is wrong; nothing was started
    │   └── TargetError         2   the output folder or pattern cannot be used as asked
    ├── MissingExtraError       1   an optional dependency is not installed
    ├── ModelError              1   a model or checkpoint file cannot be used
    ├── DataError               1   a training data set cannot be used
    ├── ImageError              1   a frame cannot be read
    │   ├── WriteError          1   a frame cannot be written (full disk, permissions)
    │   └── TakenError          1   a file appeared where a frame was to go
    ├── RuntimeFailure          1   an inference runtime cannot be used or failed
    │   └── OutOfMemory         1   there is not enough memory for what was asked; the run stops
    ├── ParityError             1   an exported artefact differs from the network
    ├── TrainingError           1   a training run cannot go on
    ├── VerifyError             1   frames on disk are not what they say
    ├── SubmitError             1   a farm's command is not there, or refuses a job
    ├── FramesFailed            3   some frames failed; each was named
    └── Interrupted             130 Ctrl-C or SIGTERM; what was finished is whole

A message says what failed, with which value, file or frame, and what to do. The command line prints it as one line.
"""

from collections.abc import Iterable


class VfxganError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 1


class UsageError(VfxganError):
    """An argument, or a combination of arguments, is wrong."""

    exit_code = 2


class TargetError(UsageError):
    """The output folder or pattern cannot be used as asked."""


def install(extra: str) -> str:
    """The command that brings an extra; TensorRT's libraries are on NVIDIA's own index."""
    return f"pip install 'vfxgan[{extra}]'" + (" --extra-index-url https://pypi.nvidia.com" if extra == "trt" else "")


class MissingExtraError(VfxganError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str, purpose: str) -> None:
        super().__init__(f"{what} is not installed, and {purpose} needs it: {install(extra)}")
        self.what = what


class ModelError(VfxganError):
    """A model or checkpoint file cannot be used."""


class DataError(VfxganError):
    """A training data set cannot be used."""


class ImageError(VfxganError):
    """A frame cannot be read."""


class WriteError(ImageError):
    """A frame cannot be written."""


class TakenError(ImageError):
    """A file appeared where a frame was to go, after the run had seen none there."""


class RuntimeFailure(VfxganError):
    """An inference runtime cannot be used, or failed."""


class OutOfMemory(RuntimeFailure):
    """There is not enough memory, on the machine or on its GPU, for tiles of this size."""


class ParityError(VfxganError):
    """An exported artefact differs from the network by more than the tolerance."""


class TrainingError(VfxganError):
    """A training run cannot go on."""


class VerifyError(VfxganError):
    """Frames on disk are not what they say."""


class SubmitError(VfxganError):
    """A farm's own command is not there, or refuses a job."""


class FramesFailed(VfxganError):
    """Some frames failed; the others are valid.

    Attributes:
        numbers: of the frames that failed.
    """

    exit_code = 3

    def __init__(self, message: str, numbers: Iterable[int] = ()) -> None:
        super().__init__(message)
        self.numbers = frozenset(numbers)


class Interrupted(VfxganError):
    """Ctrl-C or SIGTERM; the frames in flight were finished, and the message says how many are done.

    Attributes:
        done: how many that is; None where it is of no frames.
    """

    exit_code = 130

    def __init__(self, message: str, done: int | None = None) -> None:
        super().__init__(message)
        self.done = done
