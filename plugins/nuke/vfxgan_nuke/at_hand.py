"""What the vfxgan command and the project file offer a script; asked for in the background, for it takes a moment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from vfxgan_client import Command, ask, find_command
from vfxgan_nuke.errors import Refusal
from vfxgan_nuke.sequences import beside_script, file_name, is_sequence, nuke_name, shot_of

GENERATOR, UPSCALER, TRANSLATOR = "generator", "upscaler", "translator"
HERE = "this machine"
NAMED_PROBLEMS = 3


@dataclass(frozen=True)
class Model:
    """A model at hand. `label`: what the panel shows, unique in it; `word`: what `--model` is given."""

    label: str
    name: str
    word: str


@dataclass(frozen=True)
class AtHand:
    """The command, the models of a kind, and what the project says.

    Attributes:
        models: the default one first, then those of the project or the environment.
        script: path of the Nuke script, "" for one that was not saved.
        pattern: the project's convention for outputs, None without one.
        colourspace: the project's for frames.
        farm: the engine of `vfxgan submit --to` that the project names.
    """

    command: Command
    models: tuple[Model, ...]
    script: str
    folder: str | None
    pattern: str | None = None
    colourspace: str | None = None
    farm: str | None = None

    @property
    def places(self) -> list[str]:
        """Where a render may run, as the panel shows it."""
        return [HERE] if self.farm is None else [HERE, f"farm ({self.farm})"]

    def model(self, label: str) -> Model:
        """The model of that label."""
        return next(model for model in self.models if model.label == label)

    def output(self, model: Model, name: str = "", plate: str = "") -> str:
        """Where frames of this model go: by the project's convention, else beside the script; it asks the command.

        Args:
            name: of the frames beside the script; default: the model's.
            plate: that they are made from: with %V, so have they; a single file gives one.
        Returns:
            "" where something is lacking that the artist knows: the script was not saved, or its name is no shot's.
        Raises:
            ClientError: the convention cannot be filled in.
        """
        if self.pattern is None:
            frames = beside_script(self.script, file_name(name or model.name), "_%V" if "%V" in plate else "")
            return frames if not plate or is_sequence(plate) else frames.replace(".%04d", "")
        words = ["project", "--json", "--model", model.word]
        shot = shot_of(self.script)
        if "{shot}" in self.pattern and re.fullmatch(r"[A-Za-z0-9_-]+", shot):  # else it may be in the project file
            words += ["--shot", shot]
        if "{version}" in self.pattern:
            words += ["--version", "next"]
        if "{view}" in self.pattern and "%V" in plate:
            words += ["--view", "%V"]
        output = ask(self.command, words, folder=self.folder)["output"]
        return nuke_name(output) if output else ""


def look_up(kinds: Sequence[str], script: str, folder: str | None) -> AtHand:
    """Ask the command.

    Args:
        kinds: of models: generator, upscaler, translator.
        folder: of the script, from which a project file is looked for upward.
    Raises:
        ClientError: there is no command, it is too old, or it failed.
        Refusal: there is no model of these kinds, or the project file is wrong.
    """
    command = find_command()
    with ThreadPoolExecutor(2) as threads:  # at once: the artist waits for the panel
        listed = threads.submit(ask, command, ["models", "--json"], folder)
        project = threads.submit(ask, command, ["project", "--json"], folder).result()
    models = _models(listed.result(), kinds)
    if project["problems"]:
        raise Refusal("; ".join(project["problems"][:NAMED_PROBLEMS]))
    settings = project["settings"]
    return AtHand(
        command=command,
        models=models,
        script=script,
        folder=folder,
        pattern=settings["output"]["pattern"],
        colourspace=settings["colorspace"],
        farm=settings["farm"]["to"],
    )


def _models(listed: Sequence[dict[str, Any]], kinds: Sequence[str]) -> tuple[Model, ...]:
    fit = [item for item in listed if not item["problem"] and item["kind"] in kinds]
    if not fit:
        broken = "".join(f"; {item['origin']}: {item['problem']}" for item in listed if item["problem"])
        raise Refusal(
            f"there is no {' or '.join(kinds)} at hand; name one in vfxgan.toml (model = …) or $VFXGAN_MODEL{broken}"
        )
    fit.sort(key=lambda item: (not item["default"], item["origin"] == "packaged"))  # those of the show before ours
    labels = [_label(item) for item in fit]
    return tuple(
        Model(label if labels.count(label) == 1 else f"{label}, {item['path']}", item["name"], _word_of(item))
        for label, item in zip(labels, fit)
    )


def _word_of(item: dict[str, Any]) -> str:
    """A packaged model has its name on every machine, and its path on this one."""
    return str(item["name"] if item["origin"] == "packaged" else item["path"])


def _label(item: dict[str, Any]) -> str:
    if item["kind"] == GENERATOR:
        return f"{item['name']} ({'x'.join(map(str, reversed(item['size'] or ['any size'])))})"
    return f"{item['name']} ({item['kind']}, x{item['scale']})"
