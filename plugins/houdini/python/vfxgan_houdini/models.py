"""The models at hand, as `vfxgan models` lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vfxgan_client import ClientError, Command, ask

SEEDS = ("generator",)
PLATES = ("upscaler", "translator")


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
        ClientError: there is none, with what is wrong with the default model if anything is.
    """
    told: list[dict[str, Any]] = ask(command, ["models", "--json"], folder=folder)
    found = [_model(item) for item in told if item.get("kind") in kinds and not item.get("problem")]
    if not found:
        problems = [str(item["problem"]) for item in told if item.get("problem")]
        raise ClientError("; ".join([f"there is no {' or '.join(kinds)} at hand", *problems]))
    return sorted(found, key=lambda model: not model.is_default)


def _model(item: dict[str, Any]) -> Model:
    size = "x".join(map(str, reversed(item["size"]))) if item.get("size") else f"x{item.get('scale', 1)}"
    channels = {3: "RGB", 4: "RGBA"}.get(int(item["channels"]), f"{item['channels']} channels")
    line = f"{item['name']}  ({item['kind']}, {size}, {channels})"
    return Model(str(item["name"]), str(item["path"]), line, bool(item["default"]))
