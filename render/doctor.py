"""What this machine has of all that a render may need."""

import ctypes.util
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenImageIO as oiio

from vfxgan import __version__
from vfxgan.errors import VfxganError
from vfxgan.modelfile import ModelFile, find_model, read_model
from vfxgan.render.request import usable_cores
from vfxgan.render.runtimes import DEFAULT_RUNTIME, RUNTIMES, RuntimeOptions, installed, load_runtime
from vfxgan.render.runtimes.checks import smallest_input
from vfxgan.render.runtimes.fingerprint import cpu_level
from vfxgan.render.spaces import DEFAULT_CONFIG


@dataclass(frozen=True)
class Found:
    """One line of the report.

    Attributes:
        needed: the default render cannot run without it.
    """

    what: str
    ok: bool
    detail: str
    needed: bool = False

    @property
    def mark(self) -> str:
        return "ok" if self.ok else "MISSING" if self.needed else "optional"


def examine_machine() -> list[Found]:
    """Look at everything; nothing here raises on purpose."""
    return [*_software(), *_model_and_runtimes(), *_gpu(), _ocio(), _temporary_folder()]


def _software() -> Iterator[Found]:
    yield Found("vfxgan", True, __version__)
    yield Found("python", True, f"{platform.python_version()} ({sys.executable})")
    yield Found("numpy", True, f"{np.__version__} ({cpu_level()})")
    yield Found("openimageio", True, str(oiio.VERSION_STRING))
    yield Found("cores", True, f"{usable_cores()} usable, so as many frames at a time")


def _model_and_runtimes() -> Iterator[Found]:
    model: ModelFile | None = None
    try:
        model = read_model(find_model(None))
        yield Found("model", True, f"{model.spec.name}, SHA-256 {model.sha256} ({model.path})", needed=True)
    except VfxganError as error:
        yield Found("model", False, str(error), needed=True)
    for name in RUNTIMES:
        yield _runtime(name, model)


def _runtime(name: str, model: ModelFile | None) -> Found:
    needed, note = name == DEFAULT_RUNTIME, ", the default" if name == DEFAULT_RUNTIME else ""
    version = installed(name)
    if model is None:
        has = f"{version}{note}, not tried: no model" if version else "pip install 'vfxgan[cpu]'"
        return Found(name, version is not None, has, needed)
    try:
        with load_runtime(name, model, RuntimeOptions()) as runtime:
            runtime.infer(smallest_input(runtime.input_shape, model))
    except VfxganError as error:
        return Found(name, False, str(error), needed)
    return Found(name, True, f"{version}{note}, ran the model", needed)


def _gpu() -> Iterator[Found]:
    driver = _library("cuda")
    yield Found("NVIDIA driver", driver, "libcuda found" if driver else "no libcuda; renders run on the CPU")
    provider = installed("onnxruntime-gpu")
    yield Found("onnxruntime-gpu", provider is not None, provider or "for NVIDIA GPUs: pip install 'vfxgan[gpu]'")
    tensorrt = installed("tensorrt") or installed("tensorrt-cu13")
    hint = "pip install 'vfxgan[trt]' (NVIDIA's index, see docs/installation.md); engines come with a later version"
    yield Found("tensorrt", tensorrt is not None, tensorrt or hint)


def _library(name: str) -> bool:
    return ctypes.util.find_library(name) is not None


def _ocio() -> Found:
    config = os.environ.get("OCIO") or DEFAULT_CONFIG
    colours = oiio.ColorConfig(config)
    trouble = colours.geterror()
    detail = " ".join(trouble.split()) if trouble else f"{config}, {len(colours.getColorSpaceNames())} spaces"
    return Found("OCIO config", not trouble, detail)


def _temporary_folder() -> Found:
    folder = Path(tempfile.gettempdir())
    return Found("temporary folder", os.access(folder, os.W_OK), str(folder))
