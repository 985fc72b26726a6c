"""*Browse seeds…*: many seeds on one sheet, whose Read node has a field for picks and a button that renders them.

The sheet is a Read, since the Viewer is where a compositor looks at pictures, beside the plate if need be; a panel
would keep the Viewer waiting. The picks are knobs of that node, so that they are saved with the script.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nuke

from vfxgan_client import ask
from vfxgan_nuke.at_hand import AtHand
from vfxgan_nuke.colourspaces import SRGB, choose
from vfxgan_nuke.errors import Refusal
from vfxgan_nuke.generating import Wish
from vfxgan_nuke.orders import FLOAT, Elements
from vfxgan_nuke.panel import Answers, Choice, Field, File, Text
from vfxgan_nuke.read_node import make_read
from vfxgan_nuke.rendering import Rendered, Shown, render
from vfxgan_nuke.script import Script
from vfxgan_nuke.sequences import beside_script, check_seeds, check_target, file_name

MODEL, PICKS, BUTTON = "vfxgan_model", "vfxgan_picks", "vfxgan_render"
CELLS = ("64", "128", "256", "512")  # px
ON_PRESS = "import nuke, vfxgan_nuke.entries; vfxgan_nuke.entries.render_picks(nuke.thisNode())"
SHEET_TAKES_S = 600.0  # of a thousand large pictures on a slow disk


@dataclass(frozen=True)
class Browse:
    """Seeds on a sheet. `sheet`: the picture, `.png`, with the whole path; frames go into a folder of its name."""

    model: str
    seeds: str
    cell_px: int
    sheet: str

    @property
    def elements(self) -> Elements:
        """Coarse: 8-bit PNGs, a fifth of an EXR's bytes; what is picked is rendered anew."""
        frames = Path(self.sheet).with_suffix("") / "%06d.png"
        return Elements(model=self.model, out=frames.as_posix(), seeds=self.seeds, bit_depth="8")


def fields(at_hand: AtHand, sheet: str) -> list[Field]:
    """The panel."""
    labels = tuple(model.label for model in at_hand.models)
    return [
        Choice("model", "model", labels[0], choices=labels),
        Text("seeds", "seeds", "0-99", "0-99, 0-999x10, 7,205,31, or @ and a file of seeds"),
        Choice("cell", "size on the sheet", "128", "In pixels", choices=CELLS),
        File("sheet", "sheet", sheet, "A .png; the frames on it go into a folder of its name"),
    ]


def order(answers: Answers, at_hand: AtHand, script: Script) -> Browse:
    """The order that they are.

    Raises:
        Refusal: it can be seen to be wrong, or no Read could show it.
    """
    choose(SRGB, script.lines)
    made = Browse(at_hand.model(answers["model"]).word, answers["seeds"], int(answers["cell"]), answers["sheet"])
    check_seeds(made.seeds)
    if Path(made.sheet).suffix.lower() != ".png":
        raise Refusal(f"sheet {made.sheet or 'without a name'}: a contact sheet is a .png; name one")
    check_target(made.sheet)
    if Path(made.elements.out).parent.exists():
        raise Refusal(f"sheet {made.sheet}: there is a folder of that name, for the frames of another; name a new one")
    return made


def default_sheet(at_hand: AtHand) -> str:
    """A new one beside the script; "" where that was not saved. The project's convention is for frames of a shot."""
    frames = beside_script(at_hand.script, file_name(f"{at_hand.models[0].name}_seeds"))
    return f"{Path(frames).parent.as_posix()}.png" if frames else ""


def draw(at_hand: AtHand, browse: Browse, shown: Shown) -> Rendered:
    """Render the seeds and the sheet of them; in a thread beside Nuke's.

    Returns:
        Of the sheet, as one picture.
    Raises:
        RenderCancelled, Withdrawn: `shown` said so.
        RenderFailed, ClientError: as `render`.
    """
    frames = render(at_hand.command, browse.elements, at_hand.folder, shown)
    shown.tell("the contact sheet")
    words = ["contact-sheet", str(Path(browse.elements.out).parent), "--to", browse.sheet, "--json"]
    words += ["--cell", str(browse.cell_px)]
    facts = ask(at_hand.command, words, at_hand.folder, SHEET_TAKES_S, shown.is_cancelled)
    return Rendered(
        browse.sheet, {1: browse.sheet}, frames.failed, [*frames.warnings, *facts["problems"]], colourspace=SRGB
    )


def make_sheet(browse: Browse, rendered: Rendered, beside: str) -> nuke.Node:
    """The Read of the sheet, with its own knobs. Main thread only."""
    read = make_read(rendered, beside)
    read.addKnob(nuke.Tab_Knob("vfxgan", "Vfxgan"))
    model = nuke.String_Knob(MODEL, "model")
    picks = nuke.String_Knob(PICKS, "picks")
    button = nuke.PyScript_Knob(BUTTON, "Render picks…", ON_PRESS)
    model.setValue(browse.model)
    model.setEnabled(False)
    picks.setTooltip("The numbers below the pictures that you want, in the order of their frames: 7,205,31")
    for knob in (model, picks, button):
        read.addKnob(knob)
    return read


def wish_of(sheet: nuke.Node) -> Wish:
    """What its picks ask for: full precision.

    Raises:
        Refusal: there are none, or they are no seeds.
    """
    picks = ",".join(str(sheet[PICKS].value()).replace(",", " ").split())
    if not picks:
        raise Refusal("there are no picks; write the numbers of the pictures that you want, such as 7,205,31")
    check_seeds(picks)
    return Wish(model=str(sheet[MODEL].value()), seeds=picks, bit_depth=FLOAT)
