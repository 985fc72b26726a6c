"""`--cpu-isa`: hold all that computes pixels at one instruction set, so that unlike CPUs give the same bits.

Each library reads its variable once, while it is loaded: that is why this file imports nothing of ours but errors, and
is called before anything else. ONNX Runtime has no such switch. What OpenVINO's own kernels (not oneDNN's) do with the
variable: docs/runtimes.md.
"""

import os
import sys
from collections.abc import Mapping

from vfxgan.errors import UsageError

NATIVE = "native"
ONEDNN = "ONEDNN_MAX_CPU_ISA"
NUMPY = "NPY_DISABLE_CPU_FEATURES"
OPENCV = "OPENCV_CPU_DISABLE"
# NumPy's names are those of 2.1 to 2.3, then of 2.4; each release warns about the other's to nobody.
_BEYOND_AVX512_NUMPY = ("AVX512_CLX", "AVX512_CNL", "AVX512_ICL", "AVX512_SPR")
_AVX512_NUMPY = ("AVX512F", "AVX512CD", "AVX512_SKX", "X86_V4", *_BEYOND_AVX512_NUMPY)
_BEYOND_AVX512_OPENCV = ("AVX512-CNL", "AVX512-CLX", "AVX512-ICL")
_AVX512_OPENCV = ("AVX512F", "AVX512-COMMON", "AVX512-SKX", *_BEYOND_AVX512_OPENCV)
# What each level tells each library.
_VARIABLES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "avx2": {
        ONEDNN: ("AVX2", ""),
        NUMPY: (" ".join(_AVX512_NUMPY), " "),
        OPENCV: (",".join(_AVX512_OPENCV), ","),
    },
    "avx512": {
        ONEDNN: ("AVX512_CORE", ""),
        NUMPY: (" ".join(_BEYOND_AVX512_NUMPY), " "),
        OPENCV: (",".join(_BEYOND_AVX512_OPENCV), ","),
    },
}
LEVELS = (*_VARIABLES, NATIVE)
_LIBRARIES = ("numpy", "openvino", "cv2")
_held: list[str] = []


def held_level() -> str | None:
    """The level that this process is held at; None: whatever the CPU has."""
    return _held[0] if _held else None


def hold_cpu(level: str | None) -> None:
    """Hold the libraries that are not loaded yet at a level. Whether the CPU has it shows once they are.

    Args:
        level: "avx2", "avx512", "native" (nothing is held), or None where the user said nothing.
    Raises:
        UsageError: an unknown level, a variable that says otherwise, or a library that is loaded already.
    """
    if level is None or level == held_level():
        return
    if level not in LEVELS:
        raise UsageError(f"--cpu-isa {level!r} is unknown; use {', '.join(LEVELS[:-1])} or {LEVELS[-1]}")
    variables = _VARIABLES.get(level, {})
    _refuse_other_limits(level, variables)
    if level == NATIVE and not _held:
        return
    loaded = [name for name in _LIBRARIES if name in sys.modules]
    if loaded:
        raise UsageError(
            f"--cpu-isa {level}: this process has {', '.join(loaded)} loaded already, and those keep what they chose; "
            "start vfxgan in a process of its own"
        )
    for name, (value, joint) in variables.items():
        before = os.environ.get(name, "")
        os.environ[name] = f"{before}{joint}{value}" if before and joint and value not in before else value
    _held[:] = [level]


def _refuse_other_limits(level: str, variables: Mapping[str, tuple[str, str]]) -> None:
    """A limit that somebody set in the environment stands for something; it is not overruled in silence."""
    found = os.environ.get(ONEDNN, "")
    wanted, _ = variables.get(ONEDNN, ("", ""))
    if found and found.upper() != wanted:
        raise UsageError(
            f"--cpu-isa {level}, but the environment says {ONEDNN}={found}; unset it, or leave out --cpu-isa"
        )
