"""Which entry of a Nuke colorspace knob is the space that frames are in, and the other way round.

A knob's list depends on the script's colour management. Nuke's own has `linear`, `sRGB`, `Cineon`. With OCIO, an entry
is a line of fields that tabs separate, of which only the first may be set:

    ACES - ACEScg
    ACES - ACEScg<tab>Colorspaces/ACES/ACES - ACEScg
    ACEScg<tab>Colorspaces/ACES/ACEScg<tab><tab>ACES - ACEScg,lin_ap1,lin_ap1_scene     (with the config's aliases)
    scene_linear<tab>scene_linear (ACES - ACEScg)                                       (a role; older: no tab)

Set whole, such an entry is taken by the knob and leaves the node in error: so the first field is what is chosen here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vfxgan_nuke.errors import Refusal

# One space a line, vfxgan's name first. Only names that mean this space wherever they are used: those of OCIO's ACES
# configs from 1.0.3 to 2.0 with their aliases, and Nuke's own. An `Output - sRGB` is a tone-mapped picture: not here.
FAMILIES: tuple[tuple[str, ...], ...] = (
    (
        "lin_rec709",
        "Linear Rec.709 (sRGB)",
        "Linear Rec.709",
        "Utility - Linear - Rec.709",
        "Utility - Linear - sRGB",
        "lin_rec709_scene",
        "lin_rec709_srgb",
        "lin_srgb",
        "linear",  # Nuke's own: no conversion, into a working space whose primaries its viewers take as Rec.709's
    ),
    ("ACEScg", "ACES - ACEScg", "lin_ap1", "lin_ap1_scene"),
    ("ACES2065-1", "ACES - ACES2065-1", "aces2065_1", "aces", "lin_ap0", "lin_ap0_scene"),
    ("lin_rec2020", "Linear Rec.2020", "Utility - Linear - Rec.2020", "lin_rec2020_scene"),
    ("lin_p3d65", "Linear P3-D65", "Utility - Linear - P3-D65", "lin_p3d65_scene", "lin_displayp3"),
    (
        "sRGB",
        "sRGB - Texture",
        "sRGB Encoded Rec.709 (sRGB)",
        "Utility - sRGB - Texture",
        "Input - Generic - sRGB - Texture",
        "srgb_texture",
        "srgb_tx",
        "srgb_encoded_rec709_srgb",
        "srgb_rec709_scene",
    ),
)
LINEAR_REC709, SRGB = FAMILIES[0][0], FAMILIES[-1][0]
LINEAR = tuple(family[0] for family in FAMILIES[:-1])

# OCIO's, as Nuke lists them with what they stand for in brackets.
ROLES = (
    "aces_interchange",
    "cie_xyz_d65_interchange",
    "color_picking",
    "color_timing",
    "compositing_linear",
    "compositing_log",
    "data",
    "default",
    "matte_paint",
    "reference",
    "rendering",
    "scene_linear",
    "texture_paint",
)
_ROLE = re.compile(rf"({'|'.join(ROLES)}) \((.+)\)")


@dataclass(frozen=True)
class Entry:
    """One line of a knob's list.

    Attributes:
        value: what may be set.
        space: what it stands for: another name only where it is a role.
        aliases: of the space, as the config says.
        rank: 0 for a space, 1 for one that the config files under its aliases, 2 for a role, 3 for `default`, which
            means something else for other files.
    """

    value: str
    space: str
    aliases: tuple[str, ...]
    rank: int


def parse_entry(line: str) -> Entry:
    """Read one line of `knob.values()`."""
    fields = line.split("\t")
    value, label = fields[0], fields[1] if len(fields) > 1 else fields[0]
    role = _ROLE.fullmatch(label.strip())
    if role is not None:
        return Entry(value, role.group(2), (), 3 if role.group(1) == "default" else 2)
    aliases = tuple(alias.strip() for alias in fields[3].split(",")) if len(fields) > 3 else ()
    return Entry(value, value, aliases, 1 if "/aliases/" in label.lower() else 0)


def choose(space: str, lines: Sequence[str]) -> str:
    """The value of the knob that is this space: its own name before a config's alias before a role.

    Args:
        space: as vfxgan names it: `lin_rec709`, `ACEScg`, or any name of the config.
        lines: the knob's `values()`.
    Raises:
        Refusal: none of them is; with the list.
    """
    wanted = _names_of(space)
    entries = sorted((parse_entry(line) for line in lines), key=lambda entry: entry.rank)
    for entry in entries:
        if _plain(entry.space) in wanted:
            return entry.value
    for entry in entries:
        if wanted & {_plain(alias) for alias in entry.aliases}:
            return entry.value
    listed = ", ".join(entry.value for entry in entries) or "nothing"
    raise Refusal(f"no colorspace of the Read is {space}; this script's colour management offers: {listed}")


def space_of(value: str, lines: Sequence[str] = ()) -> str | None:
    """What vfxgan calls the space of a knob that is set to this value; a name that is in no family stays.

    Args:
        lines: the knob's `values()`, which say what a role stands for.
    Returns:
        None where it says nothing: a bare `default`, which Nuke resolves by the kind of file.
    """
    entry = parse_entry(value)
    if entry.space == value:
        entry = next((known for known in map(parse_entry, lines) if known.value == value), entry)
    for family in FAMILIES:
        if _plain(entry.space) in {_plain(name) for name in family}:
            return family[0]
    return None if entry.space in ROLES else entry.space


def spaces_in(lines: Sequence[str]) -> list[str]:
    """Those of vfxgan's scene-linear spaces that the knob has, in our order."""
    found = []
    for space in LINEAR:
        try:
            choose(space, lines)
        except Refusal:
            continue
        found.append(space)
    return found


def _names_of(space: str) -> set[str]:
    for family in FAMILIES:
        names = {_plain(name) for name in family}
        if _plain(space) in names:
            return names
    return {_plain(space)}


def _plain(name: str) -> str:
    """OCIO compares names without case."""
    return name.strip().casefold()
