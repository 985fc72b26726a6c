"""`vfxgan train`: one command a family of models, its options read off the family's own model of them."""

import inspect
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_origin

import typer
import typer.main
from typer.core import TyperGroup

from vfxgan.cli.shared import ProgressChoice, needs_extra
from vfxgan.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from vfxgan.trainer.options import RunOptions
    from vfxgan.trainer.recipes.base import Recipe
    from vfxgan.trainer.session import Outcome

Out = Annotated[Path, typer.Option(help="Folder of the run.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the run's checkpoint.")]
AutoResume = Annotated[
    bool, typer.Option("--auto-resume", help="Go on where there is a checkpoint, else begin: for farm retries.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the resolved options and sizes, train nothing.")]
Style = Annotated[ProgressChoice, typer.Option(help="How to report.")]


class Families(TyperGroup):
    """One command for each entry of the registry of recipes, read when this group is first asked for them.

    Importing the registry imports torch, which the help of everything else must not wait for.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        self._load()
        return super().get_command(ctx, cmd_name)

    def _load(self) -> None:
        if self.commands:
            return
        with needs_extra("train", "training"):
            from vfxgan.trainer.recipes import RECIPES
        group = typer.Typer(rich_markup_mode=None)
        for family, recipe_type in RECIPES.items():
            group.command(family, help=inspect.getdoc(recipe_type))(_command(family, recipe_type))
            FAMILIES.add(family)
        group.callback()(_group)
        self.commands.update(typer.main.get_group(group).commands)


def _group() -> None:
    pass


FAMILIES: set[str] = set()  # as far as they were loaded
app = typer.Typer(help="Train a model.", no_args_is_help=True, rich_markup_mode=None, cls=Families)
app.callback()(_group)


def _command(family: str, recipe_type: "type[Recipe]") -> Callable[..., None]:
    def command(
        out: Path, resume: bool, auto_resume: bool, dry_run: bool, progress: ProgressChoice, **values: Any
    ) -> None:
        options = _checked(recipe_type.options_type, values)
        resume = resume or (auto_resume and any(out.glob("ckpt*.pt")))
        if dry_run:
            _describe(recipe_type, options, family, out, resume)
            return
        _train(family, recipe_type, options, out, resume, progress)

    own = [_parameter("out", Out), *map(_option, *zip(*recipe_type.options_type.model_fields.items(), strict=True))]
    shared = [
        _parameter("resume", Resume, False),
        _parameter("auto_resume", AutoResume, False),
        _parameter("dry_run", DryRun, False),
        _parameter("progress", Style, ProgressChoice.bar),
    ]
    command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    command.__annotations__ = {}  # typer would prefer them to the signature's
    command.__name__ = family
    return command


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _option(name: str, field: "FieldInfo") -> inspect.Parameter:
    """A field of the options as an option: its name, type, default and description."""
    kind, default = field.annotation, field.get_default()
    if get_origin(kind) is tuple:  # lists are written with commas, and read by the options model
        kind, default = str, ",".join(map(str, default))
    required = field.is_required()
    return _parameter(
        name,
        Annotated[kind, typer.Option(help=field.description)],
        inspect.Parameter.empty if required else default,
    )


def _train(
    family: str, recipe_type: "type[Recipe]", options: "RunOptions", out: Path, resume: bool, style: ProgressChoice
) -> None:
    from vfxgan.progress import say

    with needs_extra("train", "training"):
        from vfxgan.trainer.keeper import LATEST
        from vfxgan.trainer.session import train_run
    outcome: Outcome = train_run(out, family, recipe_type, options, resume=resume, style=style.value)
    if outcome.stopped_by == signal.SIGINT:
        saved = f"interrupted at iteration {outcome.iteration}, saved in {out / LATEST}; go on with --resume"
        raise Interrupted(saved if outcome.reports else "")
    state = "done" if outcome.stopped_by is None else "stopped (go on with --resume)"
    if outcome.began == outcome.iteration and outcome.stopped_by is None:
        state = f"nothing to do, --iterations {options.iterations} is reached:"
    if outcome.reports:
        say(f"{state} at iteration {outcome.iteration}: {out / LATEST}; next: vfxgan export {out / LATEST}")


def _checked(options_type: "type[RunOptions]", values: dict[str, Any]) -> "RunOptions":
    from pydantic import ValidationError

    from vfxgan.spec import describe

    try:
        return options_type(**values)
    except ValidationError as error:
        said = describe(error)
        for name in options_type.model_fields:
            said = re.sub(rf"(^|; ){name}: ", rf"\1--{name.replace('_', '-')}: ", said)
        raise UsageError(f"options do not fit: {said}") from error


def _describe(recipe_type: "type[Recipe]", options: "RunOptions", family: str, out: Path, resume: bool) -> None:
    """Print what would be trained, as the lines that options.json would hold, and the networks' sizes."""
    import json

    from vfxgan.trainer.data.pictures import list_pictures
    from vfxgan.trainer.keeper import resolved
    from vfxgan.trainer.session import settle, start_of

    options = settle(options, start_of(out, family, options, resume=resume))
    recipe = recipe_type(options)
    networks = recipe.networks()
    print(json.dumps(resolved(options, family) | {"batch": recipe.batch_size, "out": str(out)}, indent=2))
    pictures = len(list_pictures(Path(options.data)))
    sizes = ", ".join(f"{name} {sum(p.numel() for p in net.parameters()):,}" for name, net in networks.items())
    print(f"{pictures} pictures; parameters: {sizes}")
