"""What model files, engines and TorchScript files say about themselves, and which engines fit this machine."""

from pathlib import Path
from typing import Any

from vfxgan.digests import file_sha256
from vfxgan.gpu.check import check_engines
from vfxgan.gpu.engine_files import SUFFIX, engines_beside
from vfxgan.modelfile import read_model
from vfxgan.onnx_metadata import Border
from vfxgan.torchscript_metadata import read_torchscript_spec

Facts = dict[str, Any]


def model_facts(path: Path) -> Facts:
    """The spec of an ONNX model, its size and borders, and how the engines beside it fit this machine."""
    model = read_model(path, any_target=True)
    beside = engines_beside(path)
    fits = {found.path.name: list(found.reasons) or ["fits this machine"] for found in check_engines(beside)}
    return {
        "model": str(path),
        **({} if model.target is None else {"made_for": model.target}),
        "sha256": model.sha256,
        "bytes": model.size_bytes,
        "opset": model.opset,
        "precision": model.spec.precision,
        "input": [_border(border) for border in model.inputs],
        "output": [_border(border) for border in model.outputs],
        "spec": model.spec.model_dump(mode="json"),
        "engines": fits or None,
    }


def engine_facts(path: Path) -> Facts:
    """The sidecar of a TensorRT engine, held against its file, its model and this machine."""
    (found,) = check_engines([path])
    facts: Facts = {
        "engine": str(path),
        "bytes": path.stat().st_size,
        "fits": found.fits,
        "reasons": list(found.reasons),
    }
    if found.sidecar is not None:
        facts |= found.sidecar.model_dump(mode="json")
    return facts


def torchscript_facts(path: Path) -> Facts:
    """The spec inside a TorchScript file that export wrote for Nuke."""
    spec = read_torchscript_spec(path)
    return {
        "torchscript": str(path),
        "made_for": "nuke",
        "sha256": file_sha256(path),
        "bytes": path.stat().st_size,
        "spec": spec.model_dump(mode="json"),
    }


def is_engine(path: Path) -> bool:
    """By its name: TensorRT's own bytes are not to be trusted before their hash was checked."""
    return path.suffix == SUFFIX


def _border(border: Border) -> str:
    return f"{border.name} [{', '.join(map(str, border.shape))}]"
