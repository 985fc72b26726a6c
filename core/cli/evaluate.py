"""`vfxgan evaluate`: figures of a checkpoint over held-out pictures."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from vfxgan.cli.shared import ProgressChoice, needs_extra
from vfxgan.errors import UsageError, WriteError


class RangeChoice(str, Enum):
    """`--features-range`."""

    unit = "0-1"
    byte = "0-255"
    signed = "-1-1"
    imagenet = "imagenet"


def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A .pt of vfxgan train.")],
    data: Annotated[
        Path, typer.Option(help="Held-out pictures: real ones for dcgan, sources for pix2pix, high-res for srgan.")
    ],
    target: Annotated[Path | None, typer.Option(help="pix2pix: folder of what the sources become.")] = None,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="pix2pix: --data holds source and target in one.")
    ] = False,
    count: Annotated[
        int | None, typer.Option(help="Pictures compared; of dcgan on each side. Default: all, at most 500.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Which pictures, patches and pairs are taken.", min=0, max=2**32 - 1)] = 0,
    features: Annotated[
        Path | None, typer.Option(help="FID and KID too, over this ONNX feature network: docs/evaluation.md.")
    ] = None,
    features_range: Annotated[
        RangeChoice, typer.Option(help="Values that the feature network takes.")
    ] = RangeChoice.unit,
    each: Annotated[bool, typer.Option("--each", help="pix2pix, srgan: list every picture's figures.")] = False,
    to: Annotated[Path | None, typer.Option(help="Write the report to this file too, e.g. report.json.")] = None,
    progress: Annotated[ProgressChoice, typer.Option(help="How to report.")] = ProgressChoice.bar,
) -> None:
    """How near a model comes to held-out pictures, beside what costs nothing; JSON on stdout."""
    import json

    if to is not None and not to.absolute().parent.is_dir():
        raise UsageError(f"--to {to}: its folder is not there; make it first")
    with needs_extra("train", "evaluation"):
        from vfxgan.trainer.evaluation.report import evaluate as run
        from vfxgan.trainer.evaluation.subject import Request
    request = Request(
        checkpoint=checkpoint,
        data=data,
        target=target,
        side_by_side=side_by_side,
        count=count,
        seed=seed,
        features=features,
        features_range=features_range.value,
        each=each,
        style=progress.value,
    )
    # Beside progress as lines of JSON, the report is a line as well.
    indent = None if progress is ProgressChoice.json else 2
    text = json.dumps(run(request), indent=indent, ensure_ascii=False)
    if to is not None:
        try:
            to.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise WriteError(f"--to {to}: cannot be written ({error.strerror}); check space and permissions") from error
    print(text)
