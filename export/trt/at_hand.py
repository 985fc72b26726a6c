"""An engine that was built before: minutes that need not be spent again, and pixels that need not change."""

from dataclasses import dataclass
from pathlib import Path

from vfxgan.errors import ModelError, TargetError
from vfxgan.export.trt.build import key_for
from vfxgan.export.trt.shapes import input_shapes
from vfxgan.gpu.engine_files import engine_path, read_engine, read_sidecar, sidecar_path
from vfxgan.gpu.identity import Machine, Sidecar, misfits
from vfxgan.gpu.options import BuildOptions
from vfxgan.modelfile import read_model


@dataclass(frozen=True)
class AtHand:
    """An engine on disk whose key is the one asked for, and which fits this machine."""

    path: Path
    engine: bytes
    sidecar: Sidecar


def engine_at_hand(onnx_path: Path, folder: Path, options: BuildOptions, machine: Machine) -> AtHand | None:
    """The whole engine of this very key, or None: there is none, or it is not what its sidecar says.

    Raises:
        ModelError: its sidecar cannot be read: damaged, or of a newer vfxgan.
        TargetError: with a compatibility level one key can be another machine's engine, which does not fit here.
    """
    model = read_model(onnx_path)
    key = key_for(model, options, input_shapes(model, options), machine.where())
    path = engine_path(folder, onnx_path.stem, key)
    if not (path.exists() and sidecar_path(path).exists()):
        return None
    sidecar = read_sidecar(path)
    reasons = misfits(sidecar, machine)
    if reasons:
        raise TargetError(
            f"{path} has this key, but does not fit here: {'; '.join(reasons)}; build into another folder with --out"
        )
    try:
        return AtHand(path, *read_engine(path))
    except ModelError:
        return None  # it will be built; that replaces what is damaged
