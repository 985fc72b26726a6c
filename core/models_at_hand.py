"""The models that a command finds without being given a path."""

import os
from pathlib import Path
from typing import Any

from vfxgan.errors import VfxganError
from vfxgan.modelfile import MODEL_VARIABLE, find_model, find_settings, model_of_settings, packaged_models, read_model


def models_at_hand() -> list[dict[str, Any]]:
    """One entry a model: packaged ones, then those of $VFXGAN_MODEL and vfxgan.toml.

    Returns:
        Plain data. A model that cannot be used has its reason under "problem", and no more.
    """
    default = _default()
    entries = [_entry("packaged", path, default) for path in packaged_models().values()]
    known = {entry["path"] for entry in entries}
    for origin, find in (("$" + MODEL_VARIABLE, _from_environment), ("vfxgan.toml", _from_settings)):
        try:
            path = find()
        except VfxganError as error:
            entries.append({"origin": origin, "path": None, "default": False, "problem": str(error)})
            continue
        if path is not None and str(path) not in known:
            entries.append(_entry(origin, path, default))
    return entries


def _default() -> Path | None:
    try:
        return find_model(None)
    except VfxganError:
        return None


def _from_environment() -> Path | None:
    return find_model(None) if os.environ.get(MODEL_VARIABLE) else None


def _from_settings() -> Path | None:
    settings = find_settings()
    return model_of_settings(settings) if settings else None


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
