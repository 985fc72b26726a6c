"""What decides the bits of a render beside model, seed or plate, and options."""

import numpy as np

from vfxgan.gpu.cuda import DeviceFacts
from vfxgan.recipe import Plain
from vfxgan.spec import ModelSpec


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


def gpu_fingerprint(runtime: str, version: str, spec: ModelSpec, facts: DeviceFacts) -> dict[str, Plain]:
    """The fingerprint of a runtime on an NVIDIA GPU; colour is still the CPU's work, so that is part of it."""
    precision = {"fp32": "f32", "fp16": "f16"}[spec.precision]
    device: dict[str, Plain] = {
        "precision": precision,
        "device": facts.name,
        "compute_capability": facts.compute_capability,
    }
    return cpu_fingerprint(runtime, version) | device
