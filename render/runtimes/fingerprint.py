"""What decides the bits of a CPU render beside model, seed and options."""

import numpy as np

from vfxgan.recipe import Plain


def cpu_level() -> str:
    """The instruction set that NumPy and the runtimes pick their kernels by, coarsely: "avx512", "avx2", "neon", …

    NumPy's own switch (NPY_DISABLE_CPU_FEATURES) is respected, since its float32 power differs between levels.
    """
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    names = {str(name).upper() for name in (*simd.get("baseline", ()), *simd.get("found", ()))}
    levels = (
        ("avx512", {"X86_V4", "AVX512_SKX"}),
        ("avx2", {"X86_V3", "AVX2"}),
        ("sse4", {"X86_V2", "SSE42", "SSE4_2", "SSE"}),
        ("sve", {"SVE"}),
        ("neon", {"NEON", "ASIMD"}),
    )
    return next((level for level, any_of in levels if names & any_of), "generic")


def cpu_fingerprint(runtime: str, version: str, kernels: str = "") -> dict[str, Plain]:
    """The fingerprint of a CPU runtime.

    Args:
        kernels: an override of the runtime's own choice of instruction set, where one is in force.
    """
    import OpenImageIO as oiio

    level = cpu_level()
    return {
        "runtime": f"{runtime} {version}",
        "precision": "f32",
        "device": "cpu",
        "instructions": f"{level}, {kernels}" if kernels else level,
        "numpy": np.__version__,
        "openimageio": oiio.VERSION_STRING,
    }
