"""What the vfxgan command and the project file offer a script; asked for in the background, for it takes a moment."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from vfxgan_client import Command, ask, find_command
from vfxgan_nuke.errors import Refusal
from vfxgan_nuke.sequences import beside_script, file_name, is_sequence, nuke_name, shot_of

GENERATOR, UPSCALER, TRANSLATOR = "generator", "upscaler", "translator"
HERE = "this machine"
PACKAGED = "packaged"
NAMED_PROBLEMS = 3
ASK_WITHIN_S = 60.0
LOOK_EVERY_S = 0.1  # at the artist's wish to stop


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

    def output(self, model: Model, is_cancelled: Callable[[], bool], name: str = "", plate: str = "") -> str:
        """Where frames of this model go: by the project's convention, else beside the script; it asks the command.

        Args:
            name: of the frames beside the script; default: the model's.
            plate: that they are made from: with %V, so have they; a single file gives one.
        Returns:
            "" where something is lacking that the artist knows: the script was not saved, or its name is no shot's.
        Raises:
            Withdrawn: `is_cancelled` said yes.
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
        output = ask(self.command, words, self.folder, ASK_WITHIN_S, is_cancelled)["output"]
        return nuke_name(output) if output else ""


def look_up(kinds: Sequence[str], script: str, folder: str | None, is_cancelled: Callable[[], bool]) -> AtHand:
    """Ask the command.

    Args:
        kinds: of models: generator, upscaler, translator.
        folder: of the script, from which a project file is looked for upward.
        is_cancelled: asked in this thread.
    Raises:
        Withdrawn: `is_cancelled` said yes.
        ClientError: there is no command, it is too old, or it failed.
        Refusal: the project file or a model that it or the environment names is wrong, or there is none of these kinds.
    """
    command = find_command()
    project, listed = _ask_at_once(command, (["project", "--json"], ["models", "--json"]), folder, is_cancelled)
    if project["problems"]:
        raise Refusal("; ".join(project["problems"][:NAMED_PROBLEMS]))
    models = _models(listed, kinds)
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


def _ask_at_once(
    command: Command, questions: Sequence[Sequence[str]], folder: str | None, is_cancelled: Callable[[], bool]
) -> list[Any]:
    """The artist waits for the panel. Nuke's bar is this thread's, so that the others look at a flag."""
    withdrawn = threading.Event()
    with ThreadPoolExecutor(len(questions)) as threads:
        asked = [threads.submit(ask, command, words, folder, ASK_WITHIN_S, withdrawn.is_set) for words in questions]
        try:
            while wait(asked, timeout=LOOK_EVERY_S).not_done and not is_cancelled():
                pass
        finally:  # the questions end here at the latest, also where Nuke's bar is gone and asking it raises
            withdrawn.set()
    return [each.result() for each in asked]


def _models(listed: Sequence[dict[str, Any]], kinds: Sequence[str]) -> tuple[Model, ...]:
    broken = [item for item in listed if item["problem"]]
    named = [item for item in broken if item["origin"] != PACKAGED or item["default"]]
    if named:  # another in its place would be a picture that nobody ordered
        raise Refusal("; ".join(f"{item['origin']}: {item['problem']}" for item in named))
    fit = [item for item in listed if not item["problem"] and item["kind"] in kinds]
    if not fit:
        ours = "".join(f"; {item['problem']}" for item in broken)
        raise Refusal(
            f"there is no {' or '.join(kinds)} at hand; name one in vfxgan.toml (model = …) or $VFXGAN_MODEL{ours}"
        )
    fit.sort(key=lambda item: (not item["default"], item["origin"] == PACKAGED))  # those of the show before ours
    labels = [_label(item) for item in fit]
    return tuple(
        Model(label if labels.count(label) == 1 else f"{label}, {item['path']}", item["name"], _word_of(item))
        for label, item in zip(labels, fit)
    )


def _word_of(item: dict[str, Any]) -> str:
    """A packaged model has its name on every machine, and its path on this one."""
    return str(item["name"] if item["origin"] == PACKAGED else item["path"])


def _label(item: dict[str, Any]) -> str:
    if item["kind"] == GENERATOR:
        return f"{item['name']} ({'x'.join(map(str, reversed(item['size'] or ['any size'])))})"
    return f"{item['name']} ({item['kind']}, x{item['scale']})"
