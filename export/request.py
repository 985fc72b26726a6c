"""An export as asked for, and the files it will write. Nothing is traced or written here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vfxgan.errors import UsageError
from vfxgan.export.onnx_file import IR_OF_OPSET, Shape, Size
from vfxgan.export.parity import LIMITS, Limits
from vfxgan.export.sources import Hints, Source
from vfxgan.spec import ImageInput, ModelSpec

if TYPE_CHECKING:
    from vfxgan.gpu.options import BuildOptions

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

    @property
    def none(self) -> bool:
        """Nothing is said anew."""
        return self == Changes()

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


def refuse_new_graph(request: ExportRequest, source: Source) -> None:
    """Raises UsageError where an ONNX file should become another graph than it is."""
    if source.onnx is None:
        return
    for option, value in (("--dynamic", request.dynamic), ("--opset", request.opset)):
        if value is not None:
            raise UsageError(
                f"{option}: {source.path} is a graph already, and keeps its shapes and opset; leave it out"
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


def check_sizes(request: ExportRequest, source: Source, spec: ModelSpec) -> None:
    """Raises UsageError for a DCC target or a batch that the source cannot serve."""
    if source.onnx is not None and (request.torchscript or request.houdini):
        raise UsageError(f"--torchscript, --houdini: need the checkpoint; {source.path} is an ONNX file")
    if source.onnx is not None and request.engine is not None:
        fixed = source.onnx.graph.input[0].type.tensor_type.shape.dim[0].dim_value
        if fixed and fixed != request.engine.batch:
            raise UsageError(
                f"--batch {request.engine.batch}: the batch of {source.path} is fixed at {fixed}; export the "
                "checkpoint with --dynamic batch or both"
            )
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


def _by(size: Size | None) -> str:
    return "x".join(map(str, size or ()))
