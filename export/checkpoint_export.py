"""Checkpoint to ONNX, in order: read, build, fold, trace, compare, write."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from vfxgan.errors import ModelError, TargetError
from vfxgan.export.fold import fold_batch_norms
from vfxgan.export.onnx_file import to_onnx, with_spec, write_onnx
from vfxgan.export.parity import TOLERANCE, check_parity
from vfxgan.spec import ModelSpec
from vfxgan.trainer.networks import build_generator
from vfxgan.trainer.networks.checkpoint import load_checkpoint


@dataclass(frozen=True)
class ExportOptions:
    """What may be set at export; None keeps the checkpoint's.

    Attributes:
        interval: the latent interval that renders will use unless told otherwise.
        tolerance: of the parity gate, as a share of the value range.
    """

    name: str | None = None
    interval: float | None = None
    toe: float | None = None
    licence: str | None = None
    tolerance: float = TOLERANCE
    overwrite: bool = False


def export_checkpoint(source: Path, target: Path, options: ExportOptions) -> ModelSpec:
    """Write the averaged generator of a checkpoint as ONNX.

    Returns:
        The spec in the file, with the measured parity.
    Raises:
        ModelError: the checkpoint cannot be used. ParityError: the file would differ. TargetError: it is there already.
    """
    if target.suffix != ".onnx":
        raise TargetError(f"--out {target}: must end in .onnx")
    if target.exists() and not options.overwrite:
        raise TargetError(f"{target} exists; give --overwrite, or another --out")
    checkpoint = load_checkpoint(source)
    spec = _adjusted(checkpoint.spec, options)
    network = _filled(build_generator(spec), checkpoint.average, source)
    model = to_onnx(fold_batch_norms(network), spec)
    parity = check_parity(network, model.SerializeToString(), spec, options.tolerance)
    spec = spec.model_copy(update={"parity": parity})
    write_onnx(with_spec(model, spec), target)
    return spec


def _adjusted(spec: ModelSpec, options: ExportOptions) -> ModelSpec:
    fields = spec.model_dump()
    if options.name is not None:
        fields["name"] = options.name
    if options.interval is not None:
        fields["input"]["interval"] = options.interval
    if options.toe is not None:
        fields["encoding"]["toe"] = options.toe
    if options.licence is not None:
        fields["provenance"]["licence"] = options.licence
    return ModelSpec.model_validate(fields)


def _filled(network: nn.Module, weights: dict[str, Any], source: Path) -> nn.Module:
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{source}: its weights do not fit its spec ({reason}); the file is damaged") from error
    return network.eval()
