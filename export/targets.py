"""The files of an export: their names, and which of those that are there already may stay or go."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx

from vfxgan.errors import ModelError, TargetError, UsageError
from vfxgan.export.request import ExportRequest
from vfxgan.export.sources import Source
from vfxgan.modelfile import read_model
from vfxgan.spec import ModelSpec, Parity
from vfxgan.torchscript_metadata import read_torchscript_spec

SCRIPT = ".nk"
TORCHSCRIPT = ".torchscript.pt"  # Nuke's file browser looks for .pt, and `.pt` alone is the checkpoint's


@dataclass(frozen=True)
class Targets:
    """The files of an export; None: not asked for.

    Attributes:
        source_is_fp32: the first file is there already: it is the source.
        folder, stem: of engines, whose names hold GPU, TensorRT version and key.
    """

    folder: Path
    stem: str
    fp32: Path | None
    fp16: Path | None
    torchscript: Path | None
    nuke: Path | None
    houdini: Path | None
    source_is_fp32: bool

    def files(self) -> Iterator[Path]:
        """Those that will be written."""
        listed = (None if self.source_is_fp32 else self.fp32, self.fp16, self.torchscript, self.nuke, self.houdini)
        yield from (path for path in listed if path is not None)


def targets_of(request: ExportRequest, source: Source) -> Targets:
    """Where everything goes.

    Raises:
        UsageError: options that do not go together. TargetError: a name that will not do, or no such folder.
    """
    if request.out is not None and request.out.suffix != ".onnx":
        raise TargetError(f"--out {request.out}: must end in .onnx")
    first = request.out or _beside(source)
    folder, stem = first.parent, first.name.removesuffix(".onnx").removesuffix(".fp16")
    if not folder.is_dir():
        raise TargetError(f"--out {first}: there is no folder {folder}; make it first")
    precisions = set(request.precisions) | ({"fp16"} if request.engine else set())
    if source.spec.precision == "fp16":
        _refuse_more_of_half(request, source)
        precisions = {"fp16"}
    fp32 = first if "fp32" in precisions else None
    only_half = fp32 is None and request.out is not None
    fp16 = first if only_half else folder / f"{stem}.fp16.onnx" if "fp16" in precisions else None
    if source.spec.precision == "fp16":
        fp16 = request.source
    if fp32 is not None and fp32 == fp16:
        raise TargetError(
            f"--out {first}: is the name that the FP16 file gets; name the FP32 file, such as {stem}.onnx"
        )
    return Targets(
        folder,
        stem,
        fp32,
        fp16,
        folder / f"{stem}{TORCHSCRIPT}" if request.torchscript else None,
        folder / f"{stem}{SCRIPT}" if request.torchscript else None,
        folder / f"{stem}.houdini.onnx" if request.houdini else None,
        source_is_fp32=source.onnx is not None and fp32 is not None and _same_file(fp32, request.source),
    )


def _beside(source: Source) -> Path:
    """Beside the source by its name; an ONNX file of other origin is never its own target."""
    if source.onnx is not None and source.spec.provenance.source_sha256 == source.sha256:
        return source.path.with_name(f"{source.path.stem}.vfxgan.onnx")
    return source.path.with_suffix(".onnx")


def _refuse_more_of_half(request: ExportRequest, source: Source) -> None:
    if not request.engine or request.torchscript or request.houdini or request.out:
        raise UsageError(
            f"{source.path} is FP16 already: only --trt can be made of it; for all else give the FP32 file or the "
            "checkpoint"
        )


def may_replace(path: Path, spec: ModelSpec, overwrite: bool) -> None:
    """Early, before any work: a file that cannot be an earlier export of the same thing is not ours to replace.

    Raises:
        TargetError: such a file is there.
    """
    if overwrite or not path.exists():
        return
    there = None if path.suffix == SCRIPT else _spec_at(path)
    if path.suffix != SCRIPT and (there is None or _identity(there) != _identity(spec)):
        raise TargetError(f"{path} exists; give --overwrite, or another --out")
    # what it holds is compared once the new one is there


def _spec_at(path: Path) -> ModelSpec | None:
    """What a file of ours says; None where it is none."""
    try:
        return read_torchscript_spec(path) if path.suffix == ".pt" else read_model(path, any_target=True).spec
    except ModelError:
        return None


def same_model(path: Path, model: onnx.ModelProto, spec: ModelSpec) -> ModelSpec | None:
    """The spec of a file that holds this very graph and says the same of it, but for what was measured; else None."""
    try:
        there = read_model(path)
        old = onnx.load_model_from_string(there.read())
    except (ModelError, ValueError):
        return None
    if _described(there.spec) != _described(spec):
        return None
    same = onnx.ModelProto()
    same.CopyFrom(model)
    for one in (old, same):
        del one.metadata_props[:]
    alike = old.SerializeToString(deterministic=True) == same.SerializeToString(deterministic=True)
    return there.spec if alike else None


def settle(target: Path, make: Callable[[Path], Parity | None], overwrite: bool) -> tuple[Parity | None, bool]:
    """Write a file, or find that the one which is there is the same.

    Args:
        make: writes it under the given path, whose name is the target's, and says how far it is from the network.
    Returns:
        What `make` says, and whether the file was kept.
    Raises:
        TargetError: another file of that name is there.
    """
    if overwrite or not target.exists():
        return make(target), False
    with tempfile.TemporaryDirectory(prefix=".vfxgan-", dir=target.parent) as folder:
        trial = Path(folder) / target.name
        parity = make(trial)
        if trial.read_bytes() == target.read_bytes():
            return parity, True
    raise TargetError(f"{target} exists and is another file; give --overwrite, or another --out")


def _described(spec: ModelSpec) -> ModelSpec:
    """Without what is measured: figures differ in the last digits from machine to machine."""
    return spec.model_copy(
        update={"parity": None, "ranges": None, "tiling": spec.tiling.model_copy(update={"overlap_error": None})}
    )


def _identity(spec: ModelSpec) -> tuple[object, ...]:
    return (
        spec.kind,
        spec.architecture,
        spec.arguments,
        spec.scale,
        spec.provenance.data_digest,
        spec.provenance.source_sha256,
    )


def _same_file(a: Path, b: Path) -> bool:
    return a.exists() and b.exists() and a.samefile(b)
