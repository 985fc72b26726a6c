"""A frame's recipe: what its pixels were made from, kept in its header so that no database is needed.

Three attributes: `vfxgan:recipe` (canonical JSON), `vfxgan:pixels` (digest of the pixels as they decode) and
`vfxgan:digest` (of the two). No clock, host, user or path, and no package version: `pixel_revision` stands for it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vfxgan.synthetic import COMPOSITE, GENERATED

# Raised when the same model, seed and options give other bytes than an older version's. 2: frames say that they are
# synthetic (`vfxgan.synthetic`); their pixels are those of revision 1.
PIXEL_REVISION = 2
RECIPE_KEY = "vfxgan:recipe"
PIXELS_KEY = "vfxgan:pixels"
DIGEST_KEY = "vfxgan:digest"
MAX_RECIPE_CHARS = 1 << 16

Plain = str | int | float | None


@dataclass(frozen=True)
class Recipe:
    """All that a frame's bytes depend on.

    Attributes:
        model: SHA-256 of the model file.
        seed: of the latent; None for a plate or a frame of a walk.
        options: those that change pixels or their encoding.
        fingerprint: of the runtime, the libraries and the CPU.
        plate: SHA-256 of the file that the frame was made from; None for a seed.
        frame: number on the walk that the options describe, or that a plate's new grain is keyed by; else None.
        neighbours: digest of the plates around this one that it was stabilised with; None where it was not.
    """

    model: str
    seed: int | None
    options: Mapping[str, Plain]
    fingerprint: Mapping[str, Plain]
    pixel_revision: int = PIXEL_REVISION
    plate: str | None = None
    frame: int | None = None
    neighbours: str | None = None

    @property
    def source(self) -> dict[str, int | str | None]:
        """What the picture was made from: a seed, a frame of a walk, or a plate, with or without its neighbours."""
        if self.plate is not None:
            others = {"neighbours": self.neighbours, "frame": self.frame}
            return {"plate": self.plate, **{name: value for name, value in others.items() if value is not None}}
        return {"seed": self.seed} if self.frame is None else {"frame": self.frame}

    @property
    def source_type(self) -> str:
        """How a frame's metadata names its origin: made by the model alone, or out of a plate."""
        return GENERATED if self.plate is None else COMPOSITE

    @property
    def made_from(self) -> str:
        """For messages: "seed 7", "frame 1005 of a walk", "a plate"."""
        if self.plate is not None:
            return "a plate"
        return f"seed {self.seed}" if self.frame is None else f"frame {self.frame} of a walk"

    def to_json(self) -> str:
        """Canonical: keys sorted, no white space, ASCII."""
        return json.dumps(
            {
                "model": self.model,
                **self.source,
                "options": dict(self.options),
                "fingerprint": dict(self.fingerprint),
                "pixel_revision": self.pixel_revision,
            },
            sort_keys=True,
            separators=(",", ":"),
            allow_nan=False,
        )

    def same_intent(self, other: "Recipe") -> bool:
        """Equal but for the fingerprint: the same picture, made by another runtime or on another machine."""
        mine, theirs = (self.model, self.pixel_revision), (other.model, other.pixel_revision)
        return mine == theirs and self.source == other.source and dict(self.options) == dict(other.options)


@dataclass(frozen=True)
class Stamp:
    """What a frame's header says: its recipe, and the digests to hold its pixels against."""

    recipe: Recipe
    pixels: str
    digest: str

    @property
    def is_whole(self) -> bool:
        """The header's own digest fits its recipe and pixel digest."""
        return self.digest == digest_of(self.recipe.to_json(), self.pixels)


def digest_of(recipe_json: str, pixels: str) -> str:
    """SHA-256 over the recipe and the pixel digest."""
    return hashlib.sha256(f"{recipe_json}\n{pixels}".encode()).hexdigest()


def stamp_attributes(recipe: Recipe, pixels: str) -> dict[str, str]:
    """The header attributes of a frame."""
    text = recipe.to_json()
    return {RECIPE_KEY: text, PIXELS_KEY: pixels, DIGEST_KEY: digest_of(text, pixels)}


def read_stamp(header: Mapping[str, Any]) -> Stamp | None:
    """The stamp in a header, or None: a header that is not ours, or was damaged, has no recipe."""
    text, pixels, digest = (header.get(key) for key in (RECIPE_KEY, PIXELS_KEY, DIGEST_KEY))
    if not isinstance(text, str) or len(text) > MAX_RECIPE_CHARS:
        return None
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    recipe = _recipe_of(fields)
    if recipe is None:
        return None
    return Stamp(recipe, pixels if isinstance(pixels, str) else "", digest if isinstance(digest, str) else "")


def _recipe_of(fields: Any) -> Recipe | None:
    if not isinstance(fields, dict) or set(fields) - _COMMON not in _SOURCES or not set(fields) >= _COMMON:
        return None
    tables = (fields["options"], fields["fingerprint"])
    if not isinstance(fields["model"], str) or type(fields["pixel_revision"]) is not int:
        return None
    if any(type(fields.get(name, 0)) is not int for name in ("seed", "frame")):
        return None
    if any(not isinstance(fields.get(name, ""), str) for name in ("plate", "neighbours")):
        return None
    if not all(isinstance(table, dict) and _is_plain(table) for table in tables):
        return None
    return Recipe(**{"seed": None, **fields})


_COMMON = {"model", "options", "fingerprint", "pixel_revision"}
_OF_PLATES: tuple[set[str], ...] = (set(), {"neighbours"}, {"frame"}, {"neighbours", "frame"})
_SOURCES = ({"seed"}, {"frame"}, *({"plate"} | others for others in _OF_PLATES))


def _is_plain(table: dict[str, Any]) -> bool:
    return all(value is None or type(value) in (str, int, float) for value in table.values())
