"""TensorRT and CUDA, imported when needed, and one line that says which of them is missing and what to install."""

import contextlib
import ctypes
import importlib
from collections.abc import Iterator
from typing import Any

from vfxgan.errors import MissingExtraError, RuntimeFailure, install
from vfxgan.interrupts import raise_if_interrupt

EXTRA = "trt"
OLDEST = (8, 6)
DRIVER_LIBRARY = "libcuda.so.1"
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE


def tensorrt() -> Any:
    """The module `tensorrt`.

    Raises:
        MissingExtraError: it is not installed.
        RuntimeFailure: it is, but its libraries are not, or it is older than 8.6.
    """
    with _importing("tensorrt", "tensorrt"):
        module = importlib.import_module("tensorrt")
    version = str(getattr(module, "__version__", ""))
    if not version or series(version) < OLDEST:
        raise RuntimeFailure(f"tensorrt {version or '(an empty package)'} is too old, 8.6 is needed: {install(EXTRA)}")
    return module


def cuda_runtime() -> Any:
    """The module `cuda.bindings.runtime`. Raises MissingExtraError, RuntimeFailure."""
    with _importing("cuda", "cuda-python"):
        return importlib.import_module("cuda.bindings.runtime")


def series(version: str) -> tuple[int, int]:
    """Major and minor: "10.16.1.11" is (10, 16), "10.0.0b6" is (10, 0). Raises RuntimeFailure for anything else."""
    parts = version.split(".")
    if len(parts) < 2 or not (parts[0].isdecimal() and parts[1].isdecimal()):
        raise RuntimeFailure(f"tensorrt calls its version {version!r}, which has no major and minor number")
    return int(parts[0]), int(parts[1])


def problems() -> list[str]:
    """All that is missing here for building and running engines, each with its remedy; nothing where all is there."""
    driver, absent, broken = driver_problem(), [], []
    for load in (tensorrt, cuda_runtime):
        try:
            load()
        except MissingExtraError as error:
            absent.append(error.what)
        except RuntimeFailure as error:
            broken.append(str(error))
    packages = [f"not installed: {' and '.join(absent)} ({install(EXTRA)})"] if absent else []
    return [*([driver] if driver else []), *packages, *broken]


def driver_problem() -> str | None:
    """Asks the driver itself, so that it works without any Python package. None where there is a GPU."""
    try:
        driver = ctypes.CDLL(DRIVER_LIBRARY)
    except OSError:
        return f"there is no NVIDIA driver ({DRIVER_LIBRARY} is not found): install it, on a machine with an NVIDIA GPU"
    count = ctypes.c_int(0)
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if status == NO_DEVICE or (status == 0 and count.value == 0):
        return "there is no NVIDIA GPU that the driver can see: check nvidia-smi and CUDA_VISIBLE_DEVICES"
    return f"the NVIDIA driver does not start (CUDA error {status}): check nvidia-smi" if status else None


@contextlib.contextmanager
def _importing(package: str, distribution: str) -> Iterator[None]:
    """Around an import. A KeyboardInterrupt that a package made an ImportError of comes out as itself."""
    try:
        yield
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == package:
            raise MissingExtraError(distribution, EXTRA, "a TensorRT engine") from error
        raise_if_interrupt(error)
        reason = " ".join(str(error).split())[:200]
        raise RuntimeFailure(
            f"{distribution} is installed, but the libraries behind it are not ({reason}): {install(EXTRA)}"
        ) from error
