"""A Nuke script beside the TorchScript: CatFileCreator set up to make the .cat, and an Inference node to run it.

Knob names are those of scripts that Nuke itself wrote (ViTMatte-for-Nuke's `ViTMatte_CatFileCreator.nk`, CatteryNodes'
`CatFileCreators.nk` and its Python, which sets `outputScale` and presses `createCatFile`); what they mean stands in
Foundry's .cat File Creation Reference. No Nuke was at hand to open it in.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from vfxgan.errors import TargetError
from vfxgan.export.scene_linear import has_residual
from vfxgan.spec import ImageInput, ModelSpec
from vfxgan.whole_files import write_whole

# What Nuke would put into a path: frame numbers. There is no way to write them as they are.
_FRAME_MARKS = re.compile(r"[%#]|[\x00-\x1f\x7f]")
_TCL = re.compile(r'([\\\[\]{}$"])')
CHANNELS = {
    1: ("rgba.alpha",),
    3: ("rgba.red", "rgba.green", "rgba.blue"),
    4: ("rgba.red", "rgba.green", "rgba.blue", "rgba.alpha"),
}
# `nuke.script_directory()` is the folder of the script that is open: the files lie beside it.
BESIDE_SCRIPT = "[python {nuke.script_directory()}]"


@dataclass(frozen=True)
class Knob:
    """A knob of the Inference node: an attribute of the module, by the same name.

    Attributes:
        kind: Nuke's number of the knob class: 7 a float with a slider, 6 a check box.
        options: what follows the name in `addUserKnob`.
    """

    name: str
    kind: int
    options: str
    value: str


def knobs_of(spec: ModelSpec) -> tuple[Knob, ...]:
    """The knobs that do something for a model; see `vfxgan.export.scene_linear.SceneLinear`."""
    knobs = [Knob("exposure", 7, 'l "Exposure (stops)" R -8 8', "0"), Knob("blend", 7, "l Blend R 0 1", "1")]
    if has_residual(spec):
        knobs.append(Knob("highlights", 6, 'l "Keep highlights" +STARTLINE', "true"))
    return tuple(knobs)


def write_nuke_script(target: Path, spec: ModelSpec, torchscript: Path) -> None:
    """Write a .nk that finds the TorchScript beside itself, and puts the .cat there.

    Args:
        torchscript: a file in the target's folder.
    Raises:
        TargetError: another folder, or a name in which Nuke would put frame numbers. WriteError: cannot be written.
    """
    if torchscript.parent.resolve() != target.parent.resolve():
        raise TargetError(f"{target}: must be in the folder of {torchscript}, which it names relative to itself")
    write_whole(target, nuke_script(spec, torchscript.name, f"{target.name.removesuffix('.nk')}.cat").encode())


def nuke_script(spec: ModelSpec, torchscript: str, cat: str) -> str:
    """The script's text.

    Args:
        torchscript, cat: file names, beside the script.
    Raises:
        TargetError: a name in which Nuke would put frame numbers.
    """
    assert isinstance(spec.input, ImageInput)
    creator, inference, note = (f"{kind}_{_identifier(spec.name)}" for kind in ("CatFileCreator", "Inference", "Note"))
    knobs = knobs_of(spec)
    nodes = [
        _node(
            "StickyNote",
            [
                ("inputs", "0"),
                ("name", note),
                ("label", _quoted(_steps(spec))),
                ("note_font_size", "16"),
                ("xpos", "-420"),
                ("ypos", "0"),
            ],
        ),
        _node(
            "CatFileCreator",
            [
                ("inputs", "0"),
                ("torchScriptFile", _path(torchscript)),
                ("catFile", _path(cat)),
                ("channelsIn", _quoted(", ".join(CHANNELS[spec.input.channels]))),
                ("channelsOut", _quoted(", ".join(CHANNELS[spec.channels_out]))),
                ("modelId", _quoted(_identifier(spec.name))),
                ("outputScale", str(spec.scale)),
                ("name", creator),
                ("xpos", "0"),
                ("ypos", "0"),
                ("postage_stamp", "false"),
                ("addUserKnob", "{20 User}"),
                *(line for knob in knobs for line in _user_knob(knob)),
            ],
        ),
        _node(
            "Inference",
            [
                ("inputs", "0"),
                ("modelFile", _path(cat)),
                ("serialiseKnob", "{}"),
                ("name", inference),
                ("xpos", "0"),
                ("ypos", "120"),
            ],
        ),
    ]
    return "version 14.0 v1\n" + "".join(nodes)


def _steps(spec: ModelSpec) -> str:
    assert isinstance(spec.input, ImageInput)
    enlarges = "" if spec.scale == 1 else f" Its output is {spec.scale} times as wide and high."
    return (
        f"{_identifier(spec.name)} (vfxgan {spec.kind})\n"  # a label is evaluated, too
        "1. In NukeX, once: Create .cat file, on CatFileCreator.\n"
        "2. Inference: reload Model File, connect scene-linear pictures (Nuke's own), no colour nodes around it.\n"
        f"3. Knobs: {', '.join(knob.name for knob in knobs_of(spec))}.{enlarges}"
    )


def _node(kind: str, knobs: list[tuple[str, str]]) -> str:
    return f"{kind} {{\n" + "".join(f" {name} {value}\n" for name, value in knobs) + "}\n"


def _user_knob(knob: Knob) -> list[tuple[str, str]]:
    return [("addUserKnob", f"{{{knob.kind} {knob.name} {knob.options}}}"), (knob.name, knob.value)]


def _quoted(text: str) -> str:
    """Text as a word of Nuke's script language, which is Tcl's: nothing in it is evaluated when the script is read."""
    return '"' + _TCL.sub(r"\\\1", text).replace("\n", "\\n") + '"'


def _path(name: str) -> str:
    """A file beside the script, as a word. File knobs are evaluated a second time, when they are used: once more
    escaped, so that brackets of the file's own name stay what they are.
    """
    if _FRAME_MARKS.search(name):
        raise TargetError(f"{name!r}: Nuke takes % and # in a path for frame numbers; give another --out")
    return _quoted(f"{BESIDE_SCRIPT}/" + _TCL.sub(r"\\\1", name))


def _identifier(name: str) -> str:
    """What node names and the .cat's id may hold."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or "model"
