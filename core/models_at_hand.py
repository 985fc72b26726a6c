"""The models that a command finds without being given a path."""

import os
from pathlib import Path
from typing import Any

from vfxgan.errors import VfxganError
from vfxgan.modelfile import MODEL_VARIABLE, find_model, model_of_project, packaged_models, read_model
from vfxgan.project import find_project


def models_at_hand() -> list[dict[str, Any]]:
    """One entry a model: packaged ones, then those of $VFXGAN_MODEL and vfxgan.toml.

    Returns:
        Plain data. A model that cannot be used has its reason under "problem", and no more.
    """
    default = _default()
    entries = [_entry("packaged", path, default) for path in packaged_models().values()]
    known = {entry["path"] for entry in entries}
    sources = (("$" + MODEL_VARIABLE, _from_environment), ("vfxgan.toml", _model), ("vfxgan.toml", _upscaler))
    for origin, find in sources:
        try:
            path = find()
        except VfxganError as error:
            entry = {"origin": origin, "path": None, "default": False, "problem": str(error)}
            entries += [entry] if entry not in entries else []  # a file that cannot be read names neither model
            continue
        if path is not None and str(path) not in known:
            entries.append(_entry(origin, path, default))
            known.add(str(path))
    return entries


def _default() -> Path | None:
    try:
        return find_model(None)
    except VfxganError:
        return None


def _from_environment() -> Path | None:
    return find_model(None) if os.environ.get(MODEL_VARIABLE) else None


def _model() -> Path | None:
    return model_of_project(find_project())


def _upscaler() -> Path | None:
    return model_of_project(find_project(), "upscaler")


def _entry(origin: str, path: Path, default: Path | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"origin": origin, "path": str(path), "default": path == default, "problem": None}
    try:
        model = read_model(path)
    except VfxganError as error:
        return {**entry, "problem": str(error)}
    spec = model.spec
    return {
        **entry,
        "name": spec.name,
        "kind": spec.kind,
        "size": list(spec.size) if spec.size else None,
        "scale": spec.scale,
        "channels": spec.channels_out,
        "sha256": model.sha256,
    }
