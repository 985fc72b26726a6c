"""`vfxgan dataset`: training data that anyone can make."""

from pathlib import Path
from typing import Annotated

import typer

from vfxgan.cli.shared import ProgressChoice
from vfxgan.errors import UsageError

app = typer.Typer(help="Make training data.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    pass


@app.command("elements")
def elements(
    out: Annotated[Path, typer.Option("--out", help="Folder for the EXR files.")],
    count: Annotated[int, typer.Option(help="How many, up to 999,999.")] = 4000,
    size: Annotated[int, typer.Option(help="Side in pixels, 32 … 1024.")] = 128,
    seed: Annotated[int, typer.Option(help="Data set seed; the same seed gives the same files.")] = 0,
    processes: Annotated[int | None, typer.Option(help="Default: one a core.", min=1)] = None,
    progress: Annotated[ProgressChoice, typer.Option(help="How to report.")] = ProgressChoice.bar,
) -> None:
    """Procedural smoke and fire elements: scene-linear premultiplied RGBA, half EXR, the same for the same seed."""
    from vfxgan.progress import progress as reporter
    from vfxgan.progress import say
    from vfxgan.trainer.dataset import ElementsJob, write_elements

    for option, value, low, high in (
        ("count", count, 1, 999_999),
        ("size", size, 32, 1024),
        ("seed", seed, 0, 2**32 - 1),
    ):
        if not low <= value <= high:
            raise UsageError(f"--{option} {value} is outside {low} … {high}")
    job = ElementsJob(out, count, size, seed)
    write_elements(job, reporter(progress.value, "elements", count), processes)
    say(f"{count} elements of {size} px in {out}")
