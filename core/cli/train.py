"""`vfxgan train`: one command a family of models."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vfxgan.cli.shared import ProgressChoice, needs_extra
from vfxgan.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from vfxgan.trainer.options import RunOptions
    from vfxgan.trainer.recipes.base import Recipe

app = typer.Typer(help="Train a model.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    pass


def _numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(",")) if text else ()
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is not a list of widths; write 256,128,64") from error


@app.command("dcgan")
def dcgan(
    data: Annotated[Path, typer.Option(help="Folder of pictures: EXR, PNG, TIFF, JPEG.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    size: Annotated[int, typer.Option(help="Side in pixels: 4·2ᵏ or 6·2ᵏ, 8 … 1024.")] = 128,
    iterations: Annotated[int, typer.Option(help="Generator steps in all.")] = 20_000,
    batch: Annotated[
        int | None, typer.Option(help="Pictures a step. Default: by size, 128 at 192 px … 6 at 1024.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    rgb: Annotated[bool, typer.Option("--rgb", help="Three channels instead of premultiplied RGBA.")] = False,
    peak: Annotated[float, typer.Option(help="Scene-linear light at the top of the network's range.")] = 16.0,
    toe: Annotated[float, typer.Option(help="Encoded haze up to here becomes exactly 0 in rendered frames.")] = 0.01,
    z_size: Annotated[int, typer.Option(help="Entries of the projected latent.")] = 100,
    interval: Annotated[float, typer.Option(help="Latents are uniform in [-a, a].")] = 1.0,
    channels: Annotated[
        str, typer.Option(help="Generator widths from 4² on, e.g. 256,128,64. Default: the paper's.")
    ] = "",
    upsample: Annotated[str, typer.Option(help="transpose (the paper's) or bilinear (no checkerboard).")] = "transpose",
    noise_to: Annotated[int, typer.Option(help="Noise maps in the latent up to this side; 0: none.")] = 0,
    border_px: Annotated[int, typer.Option(help="Fade to exactly empty over this width; 0: off.")] = 0,
    discriminator_channels: Annotated[str, typer.Option(help="Discriminator widths. Default: the paper's.")] = "",
    discriminator_norm: Annotated[str, typer.Option(help="batch, spectral or none.")] = "batch",
    unshuffle: Annotated[bool, typer.Option("--unshuffle", help="Discriminator folds 2×2 pixels first.")] = False,
    minibatch_std: Annotated[bool, typer.Option("--minibatch-std", help="Against collapse.")] = False,
    loss: Annotated[str, typer.Option(help="bce or hinge.")] = "bce",
    extra_step_every: Annotated[int, typer.Option(help="One more step, of either in turn; 0: never.")] = 50,
    shift_px: Annotated[int, typer.Option(help="Shift real and fake by up to this; 0: off.")] = 0,
    flip: Annotated[bool, typer.Option(help="Mirror half of the pictures.")] = True,
    learning_rate: Annotated[float, typer.Option(help="Adam's, of both unless the next is given.")] = 2e-4,
    discriminator_learning_rate: Annotated[float | None, typer.Option(help="The discriminator's own.")] = None,
    beta1: Annotated[float, typer.Option(help="Adam's first decay.")] = 0.5,
    beta2: Annotated[float, typer.Option(help="Adam's second decay.")] = 0.999,
    decay_from: Annotated[
        float, typer.Option(help="Share of the run after which the rate falls to 0; 1: never.")
    ] = 1.0,
    ema: Annotated[float, typer.Option(help="Decay of the averaged weights.")] = 0.999,
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")] = "32-true",
    accelerator: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads. Default: one a core.")] = None,
    log_every: Annotated[int, typer.Option(help="Iterations.")] = 50,
    sample_every: Annotated[int, typer.Option(help="Iterations.")] = 1000,
    checkpoint_every: Annotated[int, typer.Option(help="Iterations.")] = 500,
    snapshot_every: Annotated[int, typer.Option(help="Keep a numbered checkpoint too; 0: never.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's checkpoint.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the resolved options, train nothing.")] = False,
    progress: Annotated[ProgressChoice, typer.Option(help="How to report.")] = ProgressChoice.bar,
) -> None:
    """DCGAN: latents to pictures. After Radford et al. 2015, as scaled up by Marchesi 2017."""
    values = dict(locals())
    values["channels"] = _numbers(channels, "--channels")
    values["discriminator_channels"] = _numbers(discriminator_channels, "--discriminator-channels")
    values["channels_out"] = 3 if values.pop("rgb") else 4
    values["data"] = str(data)
    for name in ("out", "resume", "dry_run", "progress"):
        values.pop(name)
    train("dcgan", values, out, resume=resume, dry_run=dry_run, style=progress)


def train(
    family: str, values: dict[str, Any], out: Path, *, resume: bool, dry_run: bool, style: ProgressChoice
) -> None:
    """Resolve the options of a family and run it."""
    with needs_extra("train", "training"):
        from vfxgan.trainer.recipes import RECIPES
    recipe_type = RECIPES[family]
    options = _checked(recipe_type.options_type, values)
    recipe = recipe_type(options)
    if dry_run:
        _describe(recipe, options, out)
        return
    _run(recipe, options, out, resume, style)


def _run(recipe: "Recipe", options: "RunOptions", out: Path, resume: bool, style: ProgressChoice) -> None:
    from vfxgan.progress import progress, say

    with needs_extra("train", "training"):
        from vfxgan.trainer.loop import LATEST, start_run
    recipe.load_data(style.value)
    run = start_run(out, recipe, options, resume)
    stopped_by = run.train(progress(style.value, "training", options.iterations))
    if stopped_by == signal.SIGINT:
        raise Interrupted(f"interrupted at iteration {run.iteration}, saved in {out / LATEST}; go on with --resume")
    state = "done" if stopped_by is None else "stopped (go on with --resume)"
    say(f"{state} at iteration {run.iteration}: {out / LATEST}; next: vfxgan export {out / LATEST}")


def _checked(options_type: "type[RunOptions]", values: dict[str, Any]) -> "RunOptions":
    from pydantic import ValidationError

    from vfxgan.spec import describe

    try:
        return options_type(**values)
    except ValidationError as error:
        raise UsageError(f"options do not fit: {describe(error)}") from error


def _describe(recipe: "Recipe", options: "RunOptions", out: Path) -> None:
    """Print what would be trained, as the lines that options.json would hold, and the networks' sizes."""
    import json

    from vfxgan.trainer.data import list_pictures

    networks = recipe.networks()
    resolved = json.loads(options.model_dump_json()) | {"batch": recipe.batch_size, "out": str(out)}
    print(json.dumps(resolved, indent=2))
    pictures = len(list_pictures(Path(options.data)))
    sizes = ", ".join(f"{name} {sum(p.numel() for p in net.parameters()):,}" for name, net in networks.items())
    print(f"{pictures} pictures; parameters: {sizes}")


def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A .pt of vfxgan train dcgan.")],
    data: Annotated[Path, typer.Option(help="Held-out pictures, at least twice --count.")],
    count: Annotated[int, typer.Option(help="Pictures on each side.", min=2)] = 500,
    seed: Annotated[int, typer.Option(help="Of the patches compared.", min=0)] = 0,
    progress: Annotated[ProgressChoice, typer.Option(help="How to report.")] = ProgressChoice.bar,
) -> None:
    """Sliced Wasserstein distance to held-out pictures, beside the distance between two sets of those; JSON."""
    import dataclasses
    import json

    from vfxgan.progress import progress as reporter

    with needs_extra("train", "evaluation"):
        from vfxgan.trainer.data import list_pictures
        from vfxgan.trainer.evaluate import evaluate_generator
    bar = reporter(progress.value, "reading pictures", len(list_pictures(data)))
    print(json.dumps(dataclasses.asdict(evaluate_generator(checkpoint, data, count, seed, bar)), indent=2))
