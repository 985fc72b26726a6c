"""What model files, engines and TorchScript files say about themselves, and which engines fit this machine."""

import hashlib
from pathlib import Path
from typing import Any

from vfxgan.errors import ModelError
from vfxgan.gpu.engine_files import SUFFIX, engines_beside, read_sidecar
from vfxgan.gpu.identity import Sidecar, misfits, this_machine
from vfxgan.modelfile import read_model
from vfxgan.onnx_metadata import Border

Facts = dict[str, Any]
CHUNK = 1 << 22


def model_facts(path: Path) -> Facts:
    """The spec of an ONNX model, its size and borders, and the engines beside it."""
    model = read_model(path)
    engines = {
        engine.name: ", ".join(_fit(engine, model.sha256)) or "fits this machine" for engine in engines_beside(path)
    }
    return {
        "model": str(path),
        "sha256": model.sha256,
        "bytes": model.size_bytes,
        "opset": model.opset,
        "precision": model.spec.precision,
        "input": [_border(border) for border in model.inputs],
        "output": [_border(border) for border in model.outputs],
        "spec": model.spec.model_dump(mode="json"),
        "engines": engines or None,
    }


def engine_facts(path: Path) -> Facts:
    """The sidecar of a TensorRT engine, held against its file, its model and this machine."""
    sidecar = read_sidecar(path)
    reasons = _fit_of(path, sidecar, None)
    return {
        "engine": str(path),
        "bytes": path.stat().st_size if path.is_file() else None,
        "fits": not reasons,
        "reasons": reasons,
        **sidecar.model_dump(mode="json", exclude={"spec", "parity"}),
        "parity": sidecar.parity.model_dump(mode="json") if sidecar.parity else None,
        "spec": sidecar.spec.model_dump(mode="json"),
    }


def is_engine(path: Path) -> bool:
    """By its name: TensorRT's own bytes are not to be trusted before their hash was checked."""
    return path.suffix == SUFFIX


def _fit(engine: Path, onnx_sha256: str) -> list[str]:
    try:
        return _fit_of(engine, read_sidecar(engine), onnx_sha256)
    except ModelError as error:
        return [str(error)]


def _fit_of(engine: Path, sidecar: Sidecar, onnx_sha256: str | None) -> list[str]:
    onnx = engine.with_name(sidecar.onnx_name)
    if onnx_sha256 is None and onnx.is_file():
        onnx_sha256 = _sha256(onnx)
    reasons = misfits(sidecar, this_machine(), onnx_sha256)
    if not engine.is_file() or _sha256(engine) != sidecar.engine_sha256:
        reasons.append("the engine file is not the one its sidecar names")
    return reasons


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _border(border: Border) -> str:
    return f"{border.name} [{', '.join(map(str, border.shape))}]"
