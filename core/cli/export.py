"""`vfxgan export`: a checkpoint to a self-describing ONNX file."""

from pathlib import Path
from typing import Annotated

import typer

from vfxgan.cli.shared import needs_extra


def export(
    checkpoint: Annotated[Path, typer.Argument(help="A .pt of vfxgan train.")],
    out: Annotated[Path | None, typer.Option("--out", help="Target. Default: beside the checkpoint, as .onnx.")] = None,
    name: Annotated[str | None, typer.Option(help="The model's name in its spec.")] = None,
    interval: Annotated[float | None, typer.Option(help="Latent interval that renders use by default.")] = None,
    toe: Annotated[float | None, typer.Option(help="Encoded haze up to here becomes exactly 0.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the weights, for the record.")] = None,
    tolerance: Annotated[float | None, typer.Option(help="Parity gate, share of the range. Default: 2e-5.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing target.")] = False,
) -> None:
    """One ONNX file: weights and spec inside, batch norms folded, compared with PyTorch on fixed seeds."""
    from pydantic import ValidationError

    from vfxgan.errors import UsageError
    from vfxgan.progress import say
    from vfxgan.spec import describe

    with needs_extra("train", "export"):
        from vfxgan.export.checkpoint_export import ExportOptions, export_checkpoint
        from vfxgan.export.parity import TOLERANCE
    target = out or checkpoint.with_suffix(".onnx")
    allowed = TOLERANCE if tolerance is None else tolerance
    try:
        spec = export_checkpoint(checkpoint, target, ExportOptions(name, interval, toe, licence, allowed, overwrite))
    except ValidationError as error:
        raise UsageError(f"options do not fit: {describe(error)}") from error
    parity = spec.parity
    assert parity is not None
    width = spec.value_range[1] - spec.value_range[0]
    print(
        f"parity over {parity.seeds} seeds, PyTorch against {parity.runtime}: "
        f"max abs error {parity.max_abs_error:.3g} (allowed {allowed * width:.3g}), PSNR {parity.psnr_db:.1f} dB"
    )
    following = f"inspect {target}"
    if spec.kind == "generator":
        following = f"render {target} --seeds 0-499 --out 'shot010/####.exr'"
    say(f"wrote {target} ({target.stat().st_size / 2**20:.1f} MiB); next: vfxgan {following}")
