"""TensorRT's timings of kernels, kept from build to build: the next one is quicker, and chooses the same kernels.

One file for each TensorRT version and GPU, in $VFXGAN_CACHE, else the user's cache folder. TensorRT takes such bytes as
they come, so the file carries a digest of its content, and one that does not fit never reaches TensorRT.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from vfxgan.errors import WriteError
from vfxgan.gpu.identity import BuiltOn
from vfxgan.progress import say
from vfxgan.whole_files import write_whole

CACHE_VARIABLE = "VFXGAN_CACHE"
HEAD = b"vfxgan timing cache 1\n"
DIGEST_BYTES = 65  # hexadecimal, and a line feed
MAX_BYTES = 1 << 30


def cache_folder() -> Path:
    """$VFXGAN_CACHE, else `vfxgan` in $XDG_CACHE_HOME or ~/.cache."""
    ours = os.environ.get(CACHE_VARIABLE)
    if ours:
        return Path(ours)
    users = os.environ.get("XDG_CACHE_HOME")
    return (Path(users) if users else Path.home() / ".cache") / "vfxgan"


def cache_path(where: BuiltOn) -> Path:
    """Where the timings of this TensorRT on this GPU are kept."""
    gpu = re.sub(r"[^a-z0-9]+", "-", where.gpu.lower()).strip("-")
    return cache_folder() / "tensorrt" / f"{where.tensorrt}.{gpu}.{where.compute_capability}.timing"


def load_timings(path: Path) -> bytes:
    """What was kept, or nothing. A damaged file is left out with a warning, and replaced after the build."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes")
        data = path.read_bytes()
    except FileNotFoundError:
        return b""
    except (OSError, ValueError) as error:
        say(f"warning: timing cache {path} cannot be used ({error}); kernels are timed anew")
        return b""
    start = len(HEAD) + DIGEST_BYTES
    timings = data[start:]
    if data[:start] != HEAD + hashlib.sha256(timings).hexdigest().encode() + b"\n":
        say(f"warning: timing cache {path} is damaged; kernels are timed anew")
        return b""
    return timings


def save_timings(path: Path, timings: bytes) -> None:
    """Whole or not at all. A folder that cannot be written to costs a warning: the engine is worth more."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, HEAD + hashlib.sha256(timings).hexdigest().encode() + b"\n" + timings)
    except (OSError, WriteError) as error:
        say(f"warning: timings were not kept ({error}); name another place with --timing-cache or ${CACHE_VARIABLE}")


def attach_timings(config: Any, timings: bytes) -> Any:
    """Hand the timings to a builder. Those of another GPU or driver are refused by it and left out with a warning.

    Returns:
        TensorRT's object, which must live until the engine is built.
    """
    cache = config.create_timing_cache(timings)
    if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
        return cache
    if timings:
        say("warning: the timing cache is of another GPU or driver; kernels are timed anew")
    cache = config.create_timing_cache(b"")
    config.set_timing_cache(cache, ignore_mismatch=False)
    return cache


def timings_of(config: Any) -> bytes | None:
    """After a build: the timings with what it added; None where TensorRT kept none."""
    cache = config.get_timing_cache()
    return None if cache is None else bytes(cache.serialize())
