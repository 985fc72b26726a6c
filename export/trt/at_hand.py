"""An engine that was built before: minutes that need not be spent again, and pixels that need not change."""

from dataclasses import dataclass
from pathlib import Path

from vfxgan.errors import ModelError
from vfxgan.export.trt.build import key_for
from vfxgan.export.trt.shapes import input_shapes
from vfxgan.gpu.engine_files import check_engine_file, engine_path, read_sidecar
from vfxgan.gpu.identity import Machine, Sidecar
from vfxgan.gpu.options import BuildOptions
from vfxgan.modelfile import read_model


@dataclass(frozen=True)
class AtHand:
    """An engine on disk whose key is the one asked for."""

    path: Path
    sidecar: Sidecar


def engine_at_hand(onnx_path: Path, folder: Path, options: BuildOptions, machine: Machine) -> AtHand | None:
    """The whole engine of this very key, or None: missing, damaged, or of another key (then it has another name)."""
    model = read_model(onnx_path)
    key = key_for(model, options, input_shapes(model, options), machine.where())
    path = engine_path(folder, onnx_path.stem, key)
    try:
        sidecar = read_sidecar(path)
        check_engine_file(path, sidecar)
    except ModelError:
        return None  # it will be built; that replaces what is damaged
    return AtHand(path, sidecar) if sidecar.key == key and sidecar.parity is not None else None
