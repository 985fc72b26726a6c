"""What this machine has of all that a render may need."""

import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenImageIO as oiio

from vfxgan import __version__
from vfxgan.errors import UsageError, VfxganError, install
from vfxgan.gpu.identity import this_machine
from vfxgan.gpu.library import driver_problem
from vfxgan.modelfile import ModelFile, find_model, read_model
from vfxgan.project import look_for_project
from vfxgan.render.doctor_project import examine_project
from vfxgan.render.findings import Found
from vfxgan.render.request import usable_cores
from vfxgan.render.runtimes import CPU_RUNTIMES, DEFAULT_RUNTIME, RuntimeOptions, installed, load_runtime
from vfxgan.render.runtimes.checks import smallest_input
from vfxgan.render.runtimes.fingerprint import cpu_level, fingerprint_id
from vfxgan.render.spaces import DEFAULT_CONFIG


def examine_machine() -> list[Found]:
    """Look at everything; nothing here raises on purpose."""
    project = list(examine_project())
    said = [finding.detail for finding in project if not finding.ok]
    return [*_software(), *project, *_model_and_runtimes(said), _ocio(), _temporary_folder()]


def _software() -> Iterator[Found]:
    yield Found("vfxgan", True, __version__)
    yield Found("python", True, f"{platform.python_version()} ({sys.executable})")
    yield Found("numpy", True, f"{np.__version__} ({cpu_level()})")
    yield Found("openimageio", True, str(oiio.VERSION_STRING))
    yield Found("cores", True, f"{usable_cores()} usable, so as many frames at a time")


def _model_and_runtimes(said: Sequence[str]) -> Iterator[Found]:
    """`said`: what is wrong with the project file, and is not to be said again."""
    model: ModelFile | None = None
    try:
        model = read_model(find_model(None))
        yield Found("model", True, f"{model.spec.name}, SHA-256 {model.sha256} ({model.path})", needed=True)
    except VfxganError as error:
        if not any(detail.startswith(str(error)) for detail in said):
            yield Found("model", False, str(error), needed=True)
    for name in CPU_RUNTIMES:
        yield _runtime(name, model)
    yield from _gpu(model)


def _runtime(name: str, model: ModelFile | None) -> Found:
    needed, note = name == DEFAULT_RUNTIME, ", the default" if name == DEFAULT_RUNTIME else ""
    version = installed(name)
    if model is None:
        has = f"{version}{note}, not tried: no model" if version else "pip install 'vfxgan[cpu]'"
        return Found(name, version is not None, has, needed)
    ran = _try(name, model)
    return Found(name, ran.ok, f"{version}{note}, {ran.detail}" if ran.ok else ran.detail, needed)


@dataclass(frozen=True)
class _Ran:
    """Whether a runtime ran a model; its fingerprint, or what kept it from that."""

    ok: bool
    detail: str


def _try(name: str, model: ModelFile) -> _Ran:
    try:
        with load_runtime(name, model, RuntimeOptions()) as runtime:
            runtime.infer(smallest_input(runtime.input_shape, model))
    except VfxganError as error:
        return _Ran(False, str(error))
    return _Ran(True, f"ran the model, fingerprint {fingerprint_id(runtime.fingerprint)}")


def _gpu(model: ModelFile | None) -> Iterator[Found]:
    driver = driver_problem()
    yield Found("NVIDIA driver", driver is None, driver or "there, with a GPU")
    version = installed("onnxruntime-gpu")
    if version is None or model is None:
        yield Found("onnxruntime-cuda", version is not None, version or f"for NVIDIA GPUs: {install('gpu')}")
    else:
        ran = _try("onnxruntime-cuda", model)
        yield Found("onnxruntime-cuda", ran.ok, f"{version}, {ran.detail}" if ran.ok else ran.detail)
    machine = this_machine()
    has = f"{machine.tensorrt} on {machine.gpu}; engines are built with: vfxgan export MODEL --trt"
    yield Found("tensorrt", machine.missing is None, machine.missing or has)


def _ocio() -> Found:
    config = os.environ.get("OCIO") or _ocio_of_project() or DEFAULT_CONFIG
    colours = oiio.ColorConfig(config)
    trouble = colours.geterror()
    detail = " ".join(trouble.split()) if trouble else f"{config}, {len(colours.getColorSpaceNames())} spaces"
    return Found("OCIO config", not trouble, detail)


def _ocio_of_project() -> str | None:
    try:
        return look_for_project().ocio
    except UsageError:  # which has a line of its own
        return None


def _temporary_folder() -> Found:
    folder = Path(tempfile.gettempdir())
    return Found("temporary folder", os.access(folder, os.W_OK), str(folder))
