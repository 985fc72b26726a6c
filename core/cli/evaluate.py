"""`vfxgan evaluate`: how far a model is from held-out pictures."""

from pathlib import Path
from typing import Annotated

import typer

from vfxgan.cli.shared import ProgressChoice, needs_extra


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
