"""`vfxgan dataset`: training data that anyone can make."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import typer

from vfxgan.cli.shared import ProgressChoice, needs_extra
from vfxgan.errors import UsageError

app = typer.Typer(help="Make training data.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    pass


class MatteChoice(str, Enum):
    """`vfxgan dataset mattes --kind`."""

    alpha = "alpha"
    edges = "edges"


Processes = Annotated[int | None, typer.Option(help="Default: one a core.", min=1)]
Reporting = Annotated[ProgressChoice, typer.Option(help="How to report.")]


@app.command("elements")
def elements(
    out: Annotated[Path, typer.Option("--out", help="Folder for the EXR files.")],
    count: Annotated[int, typer.Option(help="How many, up to 999,999.")] = 4000,
    size: Annotated[int, typer.Option(help="Side in pixels, 32 … 1024.")] = 128,
    seed: Annotated[int, typer.Option(help="Data set seed; the same seed gives the same files.")] = 0,
    processes: Processes = None,
    progress: Reporting = ProgressChoice.bar,
) -> None:
    """Procedural smoke and fire elements: scene-linear premultiplied RGBA, half EXR, the same for the same seed."""
    _make("elements", out, count, size, seed, processes, progress)


@app.command("leaves")
def leaves(
    out: Annotated[Path, typer.Option("--out", help="Folder for the EXR files.")],
    count: Annotated[int, typer.Option(help="How many, up to 999,999.")] = 1600,
    size: Annotated[int, typer.Option(help="Side in pixels, 32 … 1024.")] = 256,
    seed: Annotated[int, typer.Option(help="Data set seed; the same seed gives the same files.")] = 0,
    processes: Processes = None,
    progress: Reporting = ProgressChoice.bar,
) -> None:
    """Dead-leaves pictures to train upscalers with: scene-linear RGB, half EXR, the same for the same seed."""
    _make("leaves", out, count, size, seed, processes, progress)


def _make(
    kind: Literal["elements", "leaves"],
    out: Path,
    count: int,
    size: int,
    seed: int,
    processes: int | None,
    progress: ProgressChoice,
) -> None:
    from vfxgan.progress import progress as reporter
    from vfxgan.progress import say
    from vfxgan.trainer.dataset import DatasetJob, write_dataset

    for option, value, low, high in (
        ("count", count, 1, 999_999),
        ("size", size, 32, 1024),
        ("seed", seed, 0, 2**32 - 1),
    ):
        if not low <= value <= high:
            raise UsageError(f"--{option} {value} is outside {low} … {high}")
    write_dataset(DatasetJob(kind, out, count, size, seed), reporter(progress.value, kind, count), processes)
    say(f"{count} {kind} of {size} px in {out}")


@app.command("mattes")
def mattes(
    data: Annotated[Path, typer.Option("--data", help="Folder of pictures, such as elements.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the EXR files, of the same names.")],
    kind: Annotated[MatteChoice, typer.Option(help="Their alpha, or how steep their encoded luma is.")] = (
        MatteChoice.alpha
    ),
    progress: Reporting = ProgressChoice.bar,
) -> None:
    """Sources for pix2pix made from its targets: one grey picture for each, alpha or edges."""
    from vfxgan.progress import progress as reporter
    from vfxgan.progress import say

    with needs_extra("train", "training data"):
        from vfxgan.trainer.data.pictures import list_pictures
    from vfxgan.trainer.mattes import write_mattes

    paths = list_pictures(data)
    write_mattes(paths, out, kind.value, reporter(progress.value, "mattes", len(paths)))
    say(f"{len(paths)} pictures ({kind.value}) in {out}")
