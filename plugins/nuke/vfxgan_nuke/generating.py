"""*Generate elements from seeds…*: what its panel asks, and the order that its answers are."""

from __future__ import annotations

from dataclasses import dataclass

from vfxgan_nuke.at_hand import HERE, AtHand
from vfxgan_nuke.colourspaces import LINEAR, LINEAR_REC709, SRGB, choose, parse_entry, spaces_in
from vfxgan_nuke.errors import Refusal
from vfxgan_nuke.orders import FLOAT, HALF, Elements
from vfxgan_nuke.panel import Answers, Choice, Field, File, Text, Tick
from vfxgan_nuke.script import Script
from vfxgan_nuke.sequences import check_seeds, count_seeds, first_of_range

A_SEED_A_FRAME = "a seed a frame, over the range"
BY_NUMBER = "seed number = frame number, whatever the range"
WALK = "a smooth walk through them, over the range"
LAYOUTS = (A_SEED_A_FRAME, BY_NUMBER, WALK)


@dataclass(frozen=True)
class Wish:
    """What the panel begins with, where it is not by itself: picks of a contact sheet."""

    model: str = ""  # what `--model` is given
    seeds: str = ""
    bit_depth: str = HALF


def fields(script: Script, at_hand: AtHand, output: str, wish: Wish) -> list[Field]:
    """The panel. output: where frames of the first model go."""
    spaces = spaces_in(script.lines)
    wanted = at_hand.colourspace or script.working_space
    space = next((space for space in (wanted, LINEAR_REC709, *spaces) if space in spaces), None)
    if space is None:
        listed = ", ".join(parse_entry(line).value for line in script.lines)
        raise Refusal(
            f"none of the spaces that vfxgan writes ({', '.join(LINEAR)}) is a colorspace of this script's Reads, "
            f"which are: {listed}"
        )
    seeds = wish.seeds or f"0-{script.last - script.first}"
    last = script.first + count_seeds(seeds) - 1
    model = next((model for model in at_hand.models if model.word == wish.model), at_hand.models[0])
    return [
        Choice("model", "model", model.label, choices=tuple(model.label for model in at_hand.models)),
        Text("seeds", "seeds", seeds, "0-99, 0-99x2, 7,205,31, or @ and a file of seeds"),
        Choice("layout", "frames", A_SEED_A_FRAME, choices=LAYOUTS),
        Text("range", "range", f"{script.first}-{last}", "As many frames as seeds, or the first alone"),
        Choice("colourspace", "colourspace", space, "Of the EXR, and of the Read", choices=tuple(spaces)),
        Choice("bit_depth", "bit depth", wish.bit_depth, choices=(HALF, FLOAT)),
        Tick("upscale", "enlarge with the packaged upscaler"),
        File("out", "output", output, "%04d or #### stands for the frame; .exr, or .png for sRGB"),
        Choice("place", "render on", HERE, choices=tuple(at_hand.places)),
    ]


def order(answers: Answers, at_hand: AtHand, script: Script) -> Elements:
    """The order that they are.

    Raises:
        Refusal: it can be seen to be wrong, or no Read could show it.
    """
    is_exr = not answers["out"].lower().endswith(".png")
    choose(answers["colourspace"] if is_exr else SRGB, script.lines)
    layout, seeds = answers["layout"], answers["seeds"]
    seeds = seeds if seeds.startswith("@") else seeds.replace(" ", "")
    made = Elements(
        model=at_hand.model(answers["model"]).word,
        out=answers["out"],
        seeds=seeds,
        start_frame=_start(answers["range"], seeds) if layout == A_SEED_A_FRAME else None,
        walk=answers["range"] if layout == WALK else "",
        colourspace=answers["colourspace"] if is_exr else None,
        upscale=answers["upscale"],
        bit_depth=answers["bit_depth"] if is_exr else None,
    )
    made.check()
    return made


def _start(frames: str, seeds: str) -> int:
    check_seeds(seeds)
    return first_of_range(frames, seeds)
