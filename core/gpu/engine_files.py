"""Engines on disk. A sidecar is read as hostile, and an engine is opened only if it is the one its sidecar names.

That protects against mix-ups and damage, not against somebody who writes both files: a version-compatible engine holds
code that TensorRT runs. Take engines from whom you would take a program, or build them here.
"""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from vfxgan.digests import file_sha256
from vfxgan.errors import ModelError
from vfxgan.gpu.identity import EngineKey, Sidecar
from vfxgan.spec import describe
from vfxgan.whole_files import write_whole

SUFFIX = ".plan"
MAX_SIDECAR_BYTES = 1 << 20


def sidecar_path(engine: Path) -> Path:
    """`model.….plan` has `model.….plan.json` beside it."""
    return engine.with_name(f"{engine.name}.json")


def engine_path(folder: Path, stem: str, key: EngineKey) -> Path:
    """Where an engine belongs: its name is its key's."""
    return folder / key.file_name(stem)


def engines_beside(onnx: Path) -> list[Path]:
    """All engines in a model's folder that carry its name, sorted."""
    return sorted(path for path in onnx.parent.glob("*" + SUFFIX) if path.name.startswith(f"{onnx.stem}."))


def write_engine_files(engine: Path, data: bytes, sidecar: Sidecar) -> None:
    """Both or none: each file appears whole, the engine first, and goes again if its sidecar cannot be written.

    Raises:
        WriteError: full disk, no right to write.
    """
    write_whole(engine, data)
    try:
        write_whole(sidecar_path(engine), sidecar.to_json().encode())
    except BaseException:
        engine.unlink(missing_ok=True)
        raise


def read_sidecar(engine: Path) -> Sidecar:
    """Raises ModelError: missing, too large, damaged, edited, or written by a newer vfxgan."""
    path = sidecar_path(engine)
    try:
        if path.stat().st_size > MAX_SIDECAR_BYTES:
            raise ModelError(f"{path}: {path.stat().st_size} bytes are no sidecar of an engine; build the engine again")
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{engine}: its sidecar {path.name} is missing; build the engine again") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        return Sidecar.model_validate_json(text)
    except ValidationError as error:
        raise ModelError(f"{path}: is damaged ({describe(error)[:300]}); build the engine again") from error


def read_engine(engine: Path) -> tuple[bytes, Sidecar]:
    """The engine's bytes, checked against its sidecar before TensorRT sees them.

    Raises:
        ModelError: no sidecar, or one of another engine.
    """
    sidecar = read_sidecar(engine)
    try:
        size = engine.stat().st_size
        if size != sidecar.engine_bytes:
            raise ModelError(f"{engine}: {size} bytes, its sidecar says {sidecar.engine_bytes}; build it again")
        data = engine.read_bytes()
    except OSError as error:
        raise ModelError(f"{engine}: cannot be read ({error.strerror or error})") from error
    _same_hash(engine, hashlib.sha256(data).hexdigest(), sidecar)
    return data, sidecar


def check_engine_file(engine: Path, sidecar: Sidecar) -> None:
    """`read_engine` without keeping the bytes: engines can be larger than the memory of whoever asks."""
    try:
        _same_hash(engine, file_sha256(engine), sidecar)
    except OSError as error:
        raise ModelError(f"{engine}: cannot be read ({error.strerror or error})") from error


def _same_hash(engine: Path, found: str, sidecar: Sidecar) -> None:
    if found != sidecar.engine_sha256:
        raise ModelError(
            f"{engine}: SHA-256 {found[:12]}… is not the {sidecar.engine_sha256[:12]}… of its sidecar; build it again"
        )
