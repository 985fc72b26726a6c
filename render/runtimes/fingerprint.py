"""What decides the bits of a render beside model, seed or plate, and options."""

import hashlib
import json
import os
from collections.abc import Mapping

import numpy as np

from vfxgan.cpu_isa import NUMPY, ONEDNN, held_level
from vfxgan.errors import RuntimeFailure
from vfxgan.gpu.cuda import DeviceFacts
from vfxgan.recipe import Plain
from vfxgan.spec import ModelSpec

ID_CHARS = 12

Fingerprint = Mapping[str, Plain]


def fingerprint_id(fingerprint: Fingerprint) -> str:
    """The first digits of the SHA-256 over a fingerprint as canonical JSON: what people can compare and type."""
    text = json.dumps(dict(fingerprint), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_CHARS]


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


def instructions(*, onednn: bool) -> str:
    """The instruction set in effect, and which library alone was held back by a variable in the environment.

    Args:
        onednn: the runtime is built on it.
    Raises:
        RuntimeFailure: `--cpu-isa` asks for what this CPU does not have.
    """
    level, held = cpu_level(), held_level()
    if held is not None and level != held:
        raise RuntimeFailure(f"--cpu-isa {held}: this CPU has {level}; choose a level that all machines have")
    if held is not None:
        return level
    alone = [f"onednn {os.environ[ONEDNN]}"] if onednn and os.environ.get(ONEDNN) else []
    alone += ["numpy held back"] if os.environ.get(NUMPY) else []
    return ", ".join([level, *alone])


def cpu_fingerprint(runtime: str, version: str, *, onednn: bool = False) -> dict[str, Plain]:
    """The fingerprint of a CPU runtime."""
    import OpenImageIO as oiio

    return {
        "runtime": f"{runtime} {version}",
        "precision": "f32",
        "device": "cpu",
        "instructions": instructions(onednn=onednn),
        "numpy": np.__version__,
        "openimageio": oiio.VERSION_STRING,
    }


def gpu_fingerprint(runtime: str, version: str, spec: ModelSpec, facts: DeviceFacts) -> dict[str, Plain]:
    """The fingerprint of a runtime on an NVIDIA GPU; colour is still the CPU's work, so that is part of it.

    Which of several equal GPUs it was is not: they give the same bits.
    """
    precision = {"fp32": "f32", "fp16": "f16"}[spec.precision]
    device: dict[str, Plain] = {
        "precision": precision,
        "device": facts.name,
        "compute_capability": facts.compute_capability,
    }
    return cpu_fingerprint(runtime, version) | device
