"""`--like FRAME`: that frame again, or others of its sequence, with model and options from its recipe."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from vfxgan.errors import ModelError, UsageError
from vfxgan.images import read_header
from vfxgan.modelfile import DEFAULT_MODEL, DEFAULT_UPSCALER, ModelFile, find_model, packaged_models, read_model
from vfxgan.recipe import PIXEL_REVISION, Recipe, read_stamp
from vfxgan.render.chain import read_upscaler
from vfxgan.render.options import OutputOptions, OutputRequest
from vfxgan.render.plan import differences
from vfxgan.render.plate_file import file_digest
from vfxgan.render.runtimes import RUNTIMES


@dataclass(frozen=True)
class Filled:
    """What a recipe leaves of a request: nothing absent that it knows."""

    seeds: str | None
    frames: str | None
    runtime: str
    output: OutputRequest


@dataclass(frozen=True)
class Like:
    """A frame to be made again, or whose sequence is to be gone on with."""

    frame: Path
    recipe: Recipe
    model: ModelFile

    def fill(
        self,
        seeds: str | None,
        plates: str | None,
        frames: str | None,
        runtime: str | None,
        output: OutputRequest,
    ) -> Filled:
        """The recipe's values where nothing was given.

        Args:
            seeds: others than the frame's own, to be rendered like it.
            plates: where to look for the plate that the frame was made from; a recipe holds no path.
            frames: of plates and walks, those to render in place of the one that is there.

        Raises:
            UsageError: a given value contradicts the recipe; all of them in one message.
        """
        if self.recipe.plate is not None and plates is None:
            raise UsageError(f"--like {self.frame}: it was made from a plate; say where plates are with --in")
        problems = []
        if seeds is not None and self.recipe.seed is None:
            problems.append(f"--seeds {seeds} but the frame is of {self.recipe.made_from}")
        if plates is not None and self.recipe.plate is None:
            problems.append(f"--in {plates} but the frame is of {self.recipe.made_from}")
        made_by = str(self.recipe.fingerprint.get("runtime", "")).partition(" ")[0]
        if runtime is not None and runtime != made_by:
            problems.append(f"--runtime {runtime} but the frame was made by {made_by}")
        if runtime is None and made_by not in RUNTIMES:
            problems.append(f"the frame was made by runtime {made_by!r}, which this version does not have")
        filled = self._filled_output(output, problems)
        if problems:
            raise UsageError(f"--like {self.frame}: {'; '.join(problems)}; drop the option, or --like")
        if frames is None and self.recipe.plate is None and self.recipe.frame is not None:
            frames = str(self.recipe.frame)
        if seeds is None and self.recipe.seed is not None:
            seeds = str(self.recipe.seed)
        return Filled(seeds, frames, made_by, filled)

    def find_plate(self, plates: Iterable[Path]) -> Path:
        """The plate that the frame was made from.

        Raises:
            UsageError: none of them is.
        """
        found = next((plate for plate in plates if file_digest(plate) == self.recipe.plate), None)
        if found is None:
            raise UsageError(
                f"--like {self.frame}: the plate with SHA-256 {self.recipe.plate} is not among --in's; "
                "name those that it was made from, or render from what is there with --frames"
            )
        return found

    def _filled_output(self, output: OutputRequest, problems: list[str]) -> OutputRequest:
        values: dict[str, object] = {}
        for item in fields(OutputRequest):
            given, recorded = getattr(output, item.name), self.recipe.options.get(item.name)
            if item.name == "ocio":
                is_name = isinstance(recorded, str) and recorded.startswith("ocio://")
                values["ocio"] = given or (recorded if is_name else None)  # a file is held against its digest later
                continue
            if item.name == "upscale":  # a name and a digest: compared when the model has been read
                values["upscale"] = given or tuple(_digests(recorded))
                continue
            if given is not None and given != recorded:
                problems.append(f"--{item.name.replace('_', '-')} {given} but the frame has {recorded}")
            values[item.name] = recorded
        return OutputRequest(**values)  # type: ignore[arg-type]

    def find_upscalers(self, names: Sequence[str]) -> tuple[ModelFile, ...]:
        """The upscalers that the frame's generator was followed by.

        Args:
            names: those given; none: they are looked for among the models at hand.
        Raises:
            UsageError: those given are others.
            ModelError: one is not at hand.
        """
        recorded = _digests(self.recipe.options.get("upscale"))
        given = [read_upscaler(name) for name in names]
        if given and [model.sha256 for model in given] != recorded:
            has = f"upscaler {recorded[0][:12]}…" if recorded else "no upscaler"
            raise UsageError(f"--like {self.frame}: --upscale {names[0]} but the frame has {has}; drop the option")
        if given:
            return tuple(given)
        found = {digest: find_model_by_sha(digest, None) for digest in recorded}
        missing = next((digest for digest, model in found.items() if model is None), None)
        if missing is not None:
            raise ModelError(
                f"{self.frame} needs the upscaler with SHA-256 {missing}; it is not among the models at hand; "
                "give it with --upscale"
            )
        return tuple(model for digest in recorded if (model := found[digest]) is not None)

    def check_format(self, output: OutputOptions) -> None:
        """Raises UsageError if the output pattern is of another type than the frame."""
        if output.format != self.recipe.options.get("format"):
            made = self.recipe.options.get("format")
            raise UsageError(f"--like {self.frame}: the frame is {made}, --out is {output.format}; write .{made}")

    def differences(self, recipe: Recipe) -> list[str]:
        """Why the frame may not come out the same to the byte, one reason each; raises nothing."""
        reasons = []
        if self.recipe.options.get("ocio") != recipe.options.get("ocio"):
            reasons.append(f"OCIO config {recipe.options.get('ocio')}, not {self.recipe.options.get('ocio')}")
        if self.recipe.plate == recipe.plate and self.recipe.neighbours != recipe.neighbours:
            reasons.append("the plates around its own are others, or fewer or more")
        return reasons + differences(recipe.fingerprint, self.recipe.fingerprint)


def _digests(recorded: object) -> list[str]:
    return str(recorded).split(",") if recorded else []


def read_like(frame: str, model: str | None) -> Like:
    """Read a frame's recipe and find the model that it names.

    Raises:
        UsageError: the frame holds no recipe, or one of another pixel revision.
        ModelError: none of the models at hand is the one.
    """
    path = Path(frame)
    stamp = read_stamp(read_header(path))
    if stamp is None:
        raise UsageError(f"--like {path}: holds no vfxgan recipe; name a frame that vfxgan render wrote")
    recipe = stamp.recipe
    if recipe.pixel_revision != PIXEL_REVISION:
        raise UsageError(
            f"--like {path}: made with pixel revision {recipe.pixel_revision}, this vfxgan has {PIXEL_REVISION}; "
            "use the version of vfxgan that made it"
        )
    found = find_model_by_sha(recipe.model, model)
    if found is None:
        given = f"{model} is another one" if model else "it is not among the models at hand"
        raise ModelError(f"{path} needs the model with SHA-256 {recipe.model}; {given}; give it with --model")
    return Like(path, recipe, found)


def find_model_by_sha(sha256: str, model: str | None) -> ModelFile | None:
    """The model with this digest: the one given, and if none was, the default or a packaged one."""
    if model is not None:
        given = read_model(find_model(model))
        return given if given.sha256 == sha256 else None
    candidates = list(packaged_models().values())
    for default in (DEFAULT_UPSCALER, DEFAULT_MODEL):
        with contextlib.suppress(ModelError):  # without a default, the packaged ones are looked at all the same
            candidates.insert(0, find_model(None, default))
    models = (read_model(path) for path in candidates)
    return next((found for found in models if found.sha256 == sha256), None)
