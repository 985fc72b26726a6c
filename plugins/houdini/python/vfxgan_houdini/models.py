"""The models at hand, as `vfxgan models` lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vfxgan_client import ClientError, Command
from vfxgan_houdini.asking import ask_interruptably

SEEDS = ("generator",)
PLATES = ("upscaler", "translator")
PACKAGED = "packaged"


@dataclass(frozen=True)
class Model:
    """A model file, and a line about it."""

    name: str
    path: str
    line: str
    is_default: bool


def models_of(command: Command, kinds: tuple[str, ...], folder: str) -> list[Model]:
    """Those of these kinds, the default first.

    Raises:
        ClientError: a model that the project file or the environment names is missing or wrong, or there is none.
        hou.OperationInterrupted: Escape.
    """
    told: list[dict[str, Any]] = ask_interruptably(command, ["models", "--json"], folder, "models at hand")
    broken = [item for item in told if item.get("problem")]
    named = [item for item in broken if item["origin"] != PACKAGED or item["default"]]
    if named:  # another in its place would be a picture that nobody ordered
        raise ClientError("; ".join(f"{item['origin']}: {item['problem']}" for item in named))
    found = [_model(item) for item in told if not item.get("problem") and item["kind"] in kinds]
    if not found:
        problems = [str(item["problem"]) for item in broken]
        raise ClientError("; ".join([f"there is no {' or '.join(kinds)} at hand", *problems]))
    return sorted(found, key=lambda model: not model.is_default)


def _model(item: dict[str, Any]) -> Model:
    size = "x".join(map(str, reversed(item["size"]))) if item.get("size") else f"x{item.get('scale', 1)}"
    channels = {3: "RGB", 4: "RGBA"}.get(int(item["channels"]), f"{item['channels']} channels")
    line = f"{item['name']}  ({item['kind']}, {size}, {channels})"
    return Model(str(item["name"]), str(item["path"]), line, bool(item["default"]))
