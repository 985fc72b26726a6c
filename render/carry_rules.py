"""How each channel that is not processed is scaled, by its type, its name and what the header says of it."""

import re
from collections.abc import Sequence
from typing import Literal

from vfxgan.images import Part
from vfxgan.render.plate_layers import view_and_layer, views_of

Rule = Literal["nearest", "matte", "vector", "colour"]

MATTES = ("a", "alpha", "mask", "matte", "opacity", "coverage", "holdout")
DEPTHS = ("z", "zback", "zfront", "depth", "deep", "zdepth")
NORMALS = ("n", "normal", "normals", "ng", "nworld")
DATA = (
    *DEPTHS, "indexob", "indexma", "p", "pos", "position", "worldposition", "worldpos", "pworld", "pref", "pointworld",
    *NORMALS, "uv", "st",
)  # fmt: skip
VECTORS = (
    "forward", "backward", "motion", "motionvec", "motionvecs", "motionvector", "motionvectors", "mv", "mvec",
    "velocity", "vector", "vectors", "flow", "speed",
)  # fmt: skip
_ID = re.compile(
    r"(^|[._ ])(id|Id|ID)s?\d*$|(?<=[a-z0-9])I[Dd]s?\d*$|_id$", re.ASCII
)  # id, ids, objectId, object_id, ID0
_DIGITS = re.compile(r"[._ ]?\d+$")
_BETWEEN = re.compile(r"[_ -]")
_PIXEL_AXES = ("x", "y", "u", "v", "r", "g", "red", "green")


def rules(parts: Sequence[Part], part: Part, left: Sequence[int]) -> dict[int, Rule]:
    """The rule for each of these channels of a part.

    Args:
        parts: of the file, since any of their headers may tell of Cryptomatte.
        left: indices of the channels that are carried.
    """
    views, cryptomattes = views_of(part), cryptomatte_layers(parts)
    split = [view_and_layer(name, views) for name in part.channels]
    shared = [(layer, view) for layer, view, _ in split]
    found: dict[int, Rule] = {}
    for index in left:
        name, (layer, view, base) = part.channels[index], split[index]
        alone = shared.count((layer, view)) == 1 and bool(layer)
        if part.formats[index] == "uint" or _is_cryptomatte(name, part.name, cryptomattes):
            found[index] = "nearest"
        elif _is_vector(layer, base, part.name):
            found[index] = "vector"
        elif _is_data(layer, base, part.name):
            found[index] = "nearest"
        elif base.lower() in MATTES or alone or len(part.channels) == 1:
            found[index] = "matte"
        else:
            found[index] = "colour"
    return found


def counts_pixels(part: Part, index: int) -> bool:
    """Whether a vector's channel is a distance on the screen, and grows with it; z and a fourth one are not.

    Where a layer has a fourth channel `w`, it holds two such vectors.
    """
    split = [view_and_layer(name, views_of(part)) for name in part.channels]
    layer, view, base = split[index]
    others = {last.lower() for *place, last in split if place == [layer, view]}
    return base.lower() in _PIXEL_AXES or "w" in others or len(others) == 1 or _names_vector(base)


def kind_of_data(parts: Sequence[Part], part: Part, index: int) -> str:
    """What a channel holds that is no picture, in a word, by the rules that carry it; "" for colour and mattes."""
    rule, name = rules(parts, part, [index])[index], part.channels[index]
    if rule == "vector":
        return "motion"
    if rule != "nearest":
        return ""
    if _is_cryptomatte(name, part.name, cryptomatte_layers(parts)):
        return "Cryptomatte"
    layer, _, base = view_and_layer(name, views_of(part))
    words = _words(layer, base, part.name)
    if any(word in DEPTHS for word in words):
        return "depth"
    if any(word in NORMALS for word in words):
        return "normals"
    if any(word in ("uv", "st") for word in words):
        return "texture coordinates"
    return "position" if any(word in DATA and not word.startswith("index") for word in words) else "ids"


def cryptomatte_layers(parts: Sequence[Part]) -> tuple[str, ...]:
    """The layers that the headers name as Cryptomatte's.

    Source:
        Psyop, Cryptomatte specification 1.2: `cryptomatte/<key>/name`.
    """
    facts = [item for part in parts for item in part.attributes.items()]
    named = (value for key, value in facts if key.startswith("cryptomatte/") and key.endswith("/name"))
    return tuple(dict.fromkeys(value for value in named if isinstance(value, str) and value))


def _is_cryptomatte(name: str, part_name: str, layers: Sequence[str]) -> bool:
    """By the header, or where that was lost by the names that renderers give them: CryptoObject00, cryptomatte01."""
    stem = name.rpartition(".")[0] or part_name
    return any(word.lower().startswith("crypto") for word in (*stem.split("."), name)) or any(
        stem == layer or (stem.startswith(layer) and stem[len(layer) :].isdecimal()) for layer in layers
    )


def _is_data(layer: str, base: str, part_name: str) -> bool:
    named = any(_ID.search(word) for word in (base, *(layer or part_name).split(".")) if word)
    return named or any(word in DATA for word in _words(layer, base, part_name))


def _is_vector(layer: str, base: str, part_name: str) -> bool:
    return any(_names_vector(word) for word in _words(layer, base, part_name))


def _names_vector(word: str) -> bool:
    return any(known in VECTORS or known.startswith("disparity") for known in _spellings(word))


def _words(layer: str, base: str, part_name: str) -> list[str]:
    """The last name, and those of the layer, or where there is none of the part, as the lists above have them."""
    return [known for word in (base, *(layer or part_name).split(".")) for known in _spellings(word)]


def _spellings(word: str) -> tuple[str, str]:
    """`__Pworld`, `Motion_Vector01` and `Denoising Normal` are pworld, motionvector, and also normal."""
    plain = _DIGITS.sub("", word).lower()
    return _BETWEEN.sub("", plain), _BETWEEN.sub("", plain.rpartition(" ")[2])
