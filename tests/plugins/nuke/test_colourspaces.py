"""Names of colour spaces: a knob's lines to ours and back."""

from collections.abc import Callable
from typing import Any

import OpenImageIO as oiio
import pytest

CONFIGS = (
    "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4",
    "ocio://cg-config-v1.0.0_aces-v1.3_ocio-v2.1",
    "ocio://default",
)
OF_NUKE = ["linear", "sRGB", "rec709", "Cineon", "Gamma1.8", "Panalog", "AlexaV3LogC"]  # its own colour management
OF_ACES_12 = [
    "scene_linear (ACES - ACEScg)",
    "default (ACES - ACES2065-1)",
    "ACES - ACEScct",
    "acescg\tColorspaces/Utility/Aliases/acescg",
    "ACES - ACEScg\tColorspaces/ACES/ACES - ACEScg",
    "Output - sRGB",
    "Utility - Linear - sRGB",
    "Utility - sRGB - Texture",
    "Input - ARRI - V3 LogC (EI800) - Wide Gamut",
]
OF_NUKE_17 = [
    "scene_linear\tscene_linear (ACEScg)",
    "texture_paint\ttexture_paint (sRGB Encoded Rec.709 (sRGB))",
    "ACEScct\tColorspaces/ACES/ACEScct\t\tACES - ACEScct,acescct_ap1",
    "ACEScg\tColorspaces/ACES/ACEScg\t\tACES - ACEScg,lin_ap1,lin_ap1_scene",
    "Linear Rec.709 (sRGB)\tColorspaces/Linear/Linear Rec.709 (sRGB)\t\tlin_rec709,lin_srgb",
    "Studio Linear\tColorspaces/Studio/Studio Linear\t\tlin_p3d65",
]


@pytest.fixture
def spaces(host_paths: Any) -> Any:
    from vfxgan_nuke import colourspaces

    return colourspaces


@pytest.mark.parametrize(
    ("lines", "space", "value"),
    [
        (OF_NUKE, "lin_rec709", "linear"),
        (OF_NUKE, "sRGB", "sRGB"),
        (OF_ACES_12, "ACEScg", "ACES - ACEScg"),  # not the config's alias, not the role
        (OF_ACES_12, "acescg", "ACES - ACEScg"),
        (OF_ACES_12, "lin_ap1_scene", "ACES - ACEScg"),
        (OF_ACES_12, "lin_rec709", "Utility - Linear - sRGB"),
        (OF_ACES_12, "sRGB", "Utility - sRGB - Texture"),  # not Output - sRGB, which is tone-mapped
        (OF_ACES_12, "ACES2065-1", "default (ACES - ACES2065-1)"),  # there is nothing better
        (OF_ACES_12, "Input - ARRI - V3 LogC (EI800) - Wide Gamut", "Input - ARRI - V3 LogC (EI800) - Wide Gamut"),
        (OF_NUKE_17, "ACEScg", "ACEScg"),
        (OF_NUKE_17, "lin_rec709", "Linear Rec.709 (sRGB)"),
        (OF_NUKE_17, "lin_p3d65", "Studio Linear"),  # the config says that it is
        (OF_NUKE_17, "sRGB", "texture_paint"),
        (["scene_linear\tscene_linear (ACEScg)"], "ACEScg", "scene_linear"),
    ],
)
def test_a_space_of_ours_is_a_value_of_the_knob(spaces: Any, lines: list[str], space: str, value: str) -> None:
    assert spaces.choose(space, lines) == value


@pytest.mark.parametrize(
    ("space", "lines"),
    [("ACEScg", OF_NUKE), ("lin_rec709", ["Output - sRGB", "scene_linear", "ACEScct"]), ("ACEScc", OF_ACES_12)],
)
def test_an_unknown_one_stops_with_the_list(spaces: Any, space: str, lines: list[str]) -> None:
    from vfxgan_nuke.errors import Refusal

    with pytest.raises(Refusal) as refused:
        spaces.choose(space, lines)
    assert str(refused.value).startswith(
        f"no colorspace of the Read is {space}; this script's colour management offers: "
    )
    assert all(line.split("\t")[0] in str(refused.value) for line in lines)


@pytest.mark.parametrize(
    ("value", "lines", "space"),
    [
        ("linear", OF_NUKE, "lin_rec709"),
        ("AlexaV3LogC", OF_NUKE, "AlexaV3LogC"),
        ("scene_linear", OF_NUKE_17, "ACEScg"),
        ("scene_linear (ACES - ACEScg)", OF_ACES_12, "ACEScg"),
        ("default (ACES - ACES2065-1)", OF_ACES_12, "ACES2065-1"),
        ("Utility - Linear - sRGB", OF_ACES_12, "lin_rec709"),
        ("Studio Linear", OF_NUKE_17, "Studio Linear"),
        ("default", OF_NUKE, None),
        ("scene_linear", ["scene_linear"], None),
    ],
)
def test_a_value_of_the_knob_is_a_space_of_ours(spaces: Any, value: str, lines: list[str], space: str | None) -> None:
    assert spaces.space_of(value, lines) == space


@pytest.mark.parametrize("config", CONFIGS)
def test_the_names_of_a_family_are_one_space_in_the_published_configs(spaces: Any, config: str) -> None:
    known = oiio.ColorConfig(config)
    assert not known.geterror()
    by_name: dict[str, str] = {}
    for name in known.getColorSpaceNames():
        by_name |= {alias.casefold(): name for alias in (name, *known.getAliases(name))}
    for family in spaces.FAMILIES:
        found = {by_name[name.casefold()] for name in family if name.casefold() in by_name}
        assert len(found) == 1, f"{family[0]} in {config}: {found}"


def test_what_vfxgan_writes_into_a_header_is_found_again(spaces: Any, cli: Callable[..., Any], tiny: Any) -> None:
    import json

    for space in spaces.LINEAR:
        out = f"{space}.exr"
        assert cli("render", tiny, "--seeds", "1", "--out", out, "--colorspace", space).code == 0
        told = json.loads(cli("inspect", out, "--json").out)["colorspace"]
        assert spaces.space_of(told) == space
