"""An export as asked for, and the files it will write. Nothing is traced or written here."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import onnx

from vfxgan.errors import ModelError, TargetError, UsageError
from vfxgan.export.onnx_file import IR_OF_OPSET, Shape, Size
from vfxgan.export.parity import LIMITS, Limits
from vfxgan.export.sources import Hints, Source
from vfxgan.modelfile import read_model
from vfxgan.spec import ImageInput, ModelSpec

if TYPE_CHECKING:
    from vfxgan.gpu.options import BuildOptions

TORCHSCRIPT = ".torchscript.pt"  # Nuke's file browser looks for .pt, and `.pt` alone is the checkpoint's

Precision = Literal["fp32", "fp16"]
Dynamic = Literal["none", "batch", "size", "both"]


@dataclass(frozen=True)
class Changes:
    """What may be said anew of a model at export; None keeps what the source says.

    Attributes:
        interval: the latent interval that renders will use unless told otherwise.
    """

    name: str | None = None
    interval: float | None = None
    toe: float | None = None
    licence: str | None = None

    def applied_to(self, spec: ModelSpec) -> ModelSpec:
        """Raises UsageError for an interval where there is no latent, pydantic's error for values out of range."""
        fields = spec.model_dump()
        if self.name is not None:
            fields["name"] = self.name
        if self.interval is not None:
            if spec.kind != "generator":
                raise UsageError(f"--interval: {spec.name} is a {spec.kind} and takes pictures, not latents")
            fields["input"]["interval"] = self.interval
        if self.toe is not None:
            fields["encoding"]["toe"] = self.toe
        if self.licence is not None:
            fields["provenance"]["licence"] = self.licence
        return ModelSpec.model_validate(fields)


@dataclass(frozen=True)
class Gate:
    """How the parity gate is set.

    Attributes:
        tolerance: share of the value range, for every artefact; None: each precision's own.
        min_psnr_db: for FP16 artefacts; None: the usual.
        plates: real EXR to compare on, instead of made pictures.
    """

    tolerance: float | None = None
    min_psnr_db: float | None = None
    plates: tuple[Path, ...] = ()

    def limits(self, precision: Precision) -> Limits:
        usual = LIMITS[precision]
        psnr = self.min_psnr_db if self.min_psnr_db is not None and usual.psnr_db is not None else usual.psnr_db
        return Limits(usual.max_abs_error if self.tolerance is None else self.tolerance, psnr)


@dataclass(frozen=True)
class ExportRequest:
    """The command line, as given.

    Attributes:
        out: of the first ONNX file; its name without suffix is the stem of all others.
        dynamic: axes of the ONNX that may change; None: as `graph_shape` says.
        tile: H and W of the input where it may not change.
        opset: None: 20, or 17 where the TensorRT at hand is 8.x.
        engine: None: no TensorRT.
        bottom_up: rows of the file for Houdini start at the bottom, as Houdini's do.
        timing_cache: None: one in the user's cache folder.
    """

    source: Path
    out: Path | None = None
    precisions: tuple[Precision, ...] = ("fp32",)
    hints: Hints = field(default_factory=Hints)
    changes: Changes = field(default_factory=Changes)
    gate: Gate = field(default_factory=Gate)
    dynamic: Dynamic | None = None
    tile: Size | None = None
    opset: int | None = None
    engine: "BuildOptions | None" = None
    timing_cache: Path | None = None
    torchscript: bool = False
    houdini: Size | None = None
    bottom_up: bool = True
    overwrite: bool = False

    def check(self) -> None:
        """Raises UsageError: every value that is out of range, in one message."""
        problems = []
        if self.opset not in (None, *IR_OF_OPSET):
            problems.append(f"--opset {self.opset}: {' or '.join(map(str, IR_OF_OPSET))}")
        if self.gate.tolerance is not None and not 0 < self.gate.tolerance <= 1:
            problems.append(f"--tolerance {self.gate.tolerance:g} is outside 0 … 1 (0 excluded)")
        if self.gate.min_psnr_db is not None and not 0 < self.gate.min_psnr_db <= 300:
            problems.append(f"--min-psnr {self.gate.min_psnr_db:g} is outside 0 … 300 (0 excluded)")
        if problems:
            raise UsageError("; ".join(problems))


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
    return Targets(
        folder,
        stem,
        fp32,
        fp16,
        folder / f"{stem}{TORCHSCRIPT}" if request.torchscript else None,
        folder / f"{stem}.nk" if request.torchscript else None,
        folder / f"{stem}.houdini.onnx" if request.houdini else None,
        source_is_fp32=source.onnx is not None and fp32 is not None and _same_file(fp32, request.source),
    )


def _beside(source: Source) -> Path:
    """Beside the source by its name; an ONNX file of other origin is never its own target."""
    if source.onnx is not None and source.spec.provenance.source_sha256 == source.sha256:
        return source.path.with_name(f"{source.path.stem}.vfxgan.onnx")
    return source.path.with_suffix(".onnx")


def refuse_new_graph(request: ExportRequest, source: Source) -> None:
    """Raises UsageError where an ONNX file should become another graph than it is."""
    if source.onnx is None:
        return
    for option, value in (("--dynamic", request.dynamic), ("--opset", request.opset)):
        if value is not None:
            raise UsageError(
                f"{option}: {source.path} is a graph already, and keeps its shapes and opset; leave it out"
            )


def _refuse_more_of_half(request: ExportRequest, source: Source) -> None:
    if not request.engine or request.torchscript or request.houdini or request.out:
        raise UsageError(
            f"{source.path} is FP16 already: only --trt can be made of it; for all else give the FP32 file or the "
            "checkpoint"
        )


def graph_shape(request: ExportRequest, spec: ModelSpec) -> Shape:
    """Which axes of the ONNX may change: none of a generator's, H and W of an image model's, unless told otherwise.

    Raises:
        UsageError: a tile that the model cannot take, or none where one is needed.
    """
    image = isinstance(spec.input, ImageInput)
    engine_needs_batch = request.engine is not None and request.engine.batch > 1
    dynamic = request.dynamic or ("size" if image else "none")
    any_batch = dynamic in ("batch", "both") or engine_needs_batch
    if not image:
        if request.tile is not None or dynamic in ("size", "both"):
            raise UsageError(
                f"{spec.name} is a generator: its size is {_by(spec.size)}; leave out --tile and --dynamic size"
            )
        return Shape(any_batch)
    if request.tile is not None:
        _check_tile("--tile", request.tile, spec)
    if dynamic in ("size", "both"):
        _check_engine_size(request, spec)
        return Shape(any_batch)
    if request.tile is None:
        raise UsageError(f"--dynamic {dynamic}: give the one size of the input as well: --tile HxW")
    return Shape(any_batch, request.tile)


def _check_engine_size(request: ExportRequest, spec: ModelSpec) -> None:
    if request.engine is None:
        if request.tile is not None:
            raise UsageError("--tile: is for an engine (--trt), or for a graph of one size (--dynamic none)")
    elif request.engine.tile is None and request.engine.profile is None:
        raise UsageError(
            f"--trt: {spec.name} takes pictures of any size, an engine does not: give --tile HxW, "
            "or --profile MIN,OPT,MAX"
        )


def check_sizes(request: ExportRequest, spec: ModelSpec) -> None:
    """Raises UsageError for a DCC target that the model cannot serve."""
    if spec.kind == "generator" and (request.torchscript or request.houdini):
        what = "--torchscript" if request.torchscript else "--houdini"
        raise UsageError(
            f"{what}: {spec.name} is a generator, and hosts give pictures to a network, not seeds; "
            "render its frames with vfxgan render --seeds, and read those"
        )
    if request.houdini is not None:
        _check_tile("--houdini", request.houdini, spec)


def _check_tile(option: str, size: Size, spec: ModelSpec) -> None:
    assert isinstance(spec.input, ImageInput)
    multiple = spec.input.size_multiple
    if option == "--tile" and any(side % multiple for side in size):
        up = "x".join(str(-(-side // multiple) * multiple) for side in size)
        raise UsageError(f"{option} {_by(size)}: {spec.name} takes multiples of {multiple}; the next is {up}")


def may_replace(path: Path, spec: ModelSpec, overwrite: bool) -> None:
    """Early, before any work: a file that cannot be an earlier export of the same thing is not ours to replace.

    Raises:
        TargetError: such a file is there.
    """
    if overwrite or not path.exists():
        return
    if path.suffix == ".onnx":
        try:
            there = read_model(path).spec
        except ModelError:
            there = None
        if there is not None and _identity(there) == _identity(spec):
            return  # compared byte by byte once the new one is there
    raise TargetError(f"{path} exists; give --overwrite, or another --out")


def is_same_model(path: Path, model: onnx.ModelProto, spec: ModelSpec) -> bool:
    """The file holds this very graph and says the same of it, but for what was measured."""
    try:
        there = read_model(path)
        old = onnx.load_model_from_string(there.read())
    except (ModelError, ValueError):
        return False
    if _described(there.spec) != _described(spec):
        return False
    same = onnx.ModelProto()
    same.CopyFrom(model)
    for one in (old, same):
        del one.metadata_props[:]
    return bool(old.SerializeToString(deterministic=True) == same.SerializeToString(deterministic=True))


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


def _by(size: Size | None) -> str:
    return "x".join(map(str, size or ()))
