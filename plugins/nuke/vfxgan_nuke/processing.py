"""*Process selected Read…*: what its panel asks, and the order that its answers are."""

from __future__ import annotations

from pathlib import Path

from vfxgan_nuke.at_hand import HERE, AtHand
from vfxgan_nuke.colourspaces import choose
from vfxgan_nuke.orders import Plates
from vfxgan_nuke.panel import Answers, Choice, Field, File, Number, Text, Tick
from vfxgan_nuke.script import Plate

AS_FILES_SAY = ""


def fields(plate: Plate, at_hand: AtHand, output: str) -> list[Field]:
    """The panel. output: where frames of the first model go."""
    shown: list[Field] = [
        Choice("model", "model", at_hand.models[0].label, choices=tuple(model.label for model in at_hand.models)),
        Text("frames", "frames", plate.frames, "Of the Read's files; empty for a single file"),
        Text(
            "in_colourspace",
            "plate is in",
            plate.colourspace or AS_FILES_SAY,
            "lin_rec709, ACEScg or a name of the OCIO config; empty: as the files say. Frames come in the same",
        ),
        Tick("keep_channels", "carry other layers"),
        Number("mix", "mix", 1.0, "1: the network's picture; 0: a plain resize"),
        File("out", "output", output, "%04d or #### stands for the frame; .exr, or .png for sRGB"),
        Choice("place", "render on", HERE, choices=tuple(at_hand.places)),
    ]
    return shown


def order(answers: Answers, at_hand: AtHand, plate: Plate) -> Plates:
    """The order that they are.

    Raises:
        Refusal: it can be seen to be wrong, or no Read could show frames in that space.
    """
    if answers["in_colourspace"]:
        choose(answers["in_colourspace"], plate.lines)
    made = Plates(
        model=at_hand.model(answers["model"]).word,
        out=answers["out"],
        plates=plate.file,
        frames=answers["frames"].replace(" ", ""),
        in_colourspace=answers["in_colourspace"] or None,
        keep_channels=answers["keep_channels"],
        mix=answers["mix"],
    )
    made.check()
    return made


def frames_name(plate: Plate, model: str) -> str:
    """What frames of this plate are called beside the script: `sh010_plate_upscaler`."""
    stem = Path(plate.file).name.split("%")[0].split(".")[0].strip("_-") or plate.node.rpartition(".")[2]
    return f"{stem}_{model}"
