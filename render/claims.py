"""What a frame's C2PA manifest says, as plain data, and whether what one says fits the frame.

A generated frame was *created* by a trained model. A frame of a plate was *opened* from it and *edited*: the plate is
its parent, known by the SHA-256 that the recipe holds. Model, seed and digests stand in an assertion of our own.
Source: C2PA Technical Specification 2.2, 18.15 (actions) and 18.20 (ingredients).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from vfxgan import __version__
from vfxgan.recipe import Stamp

RECIPE_LABEL = "vfxgan.recipe"
ACTIONS_LABEL = "c2pa.actions.v2"
AGENT = {"name": "vfxgan", "version": __version__}


def definition(stamp: Stamp, title: str, model_name: str, plate: str | None) -> dict[str, Any]:
    """The manifest of a frame, for C2PA's library to complete, hash and sign.

    Args:
        title: the frame's file name.
        plate: the file name of the plate; None for a generated frame.
    """
    recipe = stamp.recipe
    made = {"digitalSourceType": recipe.source_type, "softwareAgent": AGENT}
    facts = {
        "model": {"name": model_name, "sha256": recipe.model},
        **recipe.source,
        "pixel_revision": recipe.pixel_revision,
        "pixels": stamp.pixels,
        "digest": stamp.digest,
    }
    described: dict[str, Any] = {"claim_generator_info": [AGENT], "title": title}
    if recipe.plate is None:
        actions: list[dict[str, Any]] = [{"action": "c2pa.created", **made}]
    else:
        opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["plate"]}}
        actions = [opened, {"action": "c2pa.edited", **made}]
        described["ingredients"] = [
            {
                "label": "plate",
                "title": plate or "plate",
                "format": "application/octet-stream",
                "relationship": "parentOf",
                "instance_id": f"sha256:{recipe.plate}",
            }
        ]
    assertions = [{"label": ACTIONS_LABEL, "data": {"actions": actions}}, {"label": RECIPE_LABEL, "data": facts}]
    return {**described, "assertions": assertions}


def unfit(manifest: Mapping[str, Any], stamp: Stamp) -> str:
    """Why what a manifest says does not fit the frame's recipe; "" where it does.

    Args:
        manifest: as C2PA's reader gives it; from a hostile file it may hold anything.
    """
    told = next(_assertions(manifest, RECIPE_LABEL), None)
    if not isinstance(told, dict):
        return "its manifest says nothing of model and seed: another program signed it"
    model = told.get("model")
    if not isinstance(model, dict) or model.get("sha256") != stamp.recipe.model:
        return "its manifest names another model than its recipe"
    if {name: told.get(name) for name in stamp.recipe.source} != stamp.recipe.source:
        return f"its manifest does not say that it was made from {stamp.recipe.made_from}, as its recipe does"
    if (told.get("pixels"), told.get("digest")) != (stamp.pixels, stamp.digest):
        return "its manifest is of another frame: the digests in it are not this one's"
    if stamp.recipe.source_type not in _source_types(manifest):
        return f"its manifest does not call it {stamp.recipe.source_type.rpartition('/')[2]}"
    return ""


def _assertions(manifest: Mapping[str, Any], label: str) -> Iterator[Any]:
    listed = manifest.get("assertions")
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, dict) and item.get("label") == label:
            yield item.get("data")


def _source_types(manifest: Mapping[str, Any]) -> set[str]:
    found = set()
    for data in _assertions(manifest, ACTIONS_LABEL):
        actions = data.get("actions") if isinstance(data, dict) else None
        for action in actions if isinstance(actions, list) else []:
            if isinstance(action, dict) and isinstance(action.get("digitalSourceType"), str):
                found.add(action["digitalSourceType"])
    return found
