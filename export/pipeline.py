"""An export from the first look at the source to the last file: trace, compare, convert, build."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from torch import nn

from vfxgan.errors import TargetError, UsageError, VfxganError
from vfxgan.export.fold import fold_batch_norms
from vfxgan.export.gate_inputs import GateInput, Kind, gate_inputs, kind_of_inputs, worst_cases
from vfxgan.export.onnx_file import OLD_OPSET, OPSET, Shape, opset_of, to_onnx, with_spec, write_onnx
from vfxgan.export.onnxruntime_cpu import open_model
from vfxgan.export.parity import Remembered, Run, check_parity, each_slot, run_torch
from vfxgan.export.request import ExportRequest, Precision, check_sizes, graph_shape, refuse_new_graph
from vfxgan.export.sources import Source, open_source
from vfxgan.export.targets import Targets, may_replace, same_model, settle, targets_of
from vfxgan.gpu.identity import this_machine
from vfxgan.gpu.library import series, tensorrt
from vfxgan.progress import ProgressStyle, say
from vfxgan.spec import SPEC_VERSION, ImageInput, ModelSpec, Parity
from vfxgan.whole_files import check_writable

ENGINE = "TensorRT engine"


@dataclass(frozen=True)
class Artefact:
    """A file that was written, or was there already and is the same.

    Attributes:
        what: "FP32 ONNX", "FP16 ONNX", "TensorRT engine", …
        parity: against PyTorch in FP32; None where the file is not a network (a Nuke script).
    """

    path: Path
    what: str
    parity: Parity | None
    kept: bool = False


@dataclass(frozen=True)
class Plan:
    """All that is known before the work starts: what `--dry-run` prints."""

    source: Source
    spec: ModelSpec
    targets: Targets
    shape: Shape
    opset: int


def plan_export(request: ExportRequest) -> Plan:
    """Read the source and settle what will be written where.

    Raises:
        ModelError: the source cannot be used. UsageError: options that do not fit it. TargetError: a file in the way,
        or a folder that cannot be written to.
    """
    request.check()
    source = open_source(request.source, request.hints)
    refuse_new_graph(request, source)
    spec = request.changes.applied_to(source.spec).model_copy(update={"spec_version": SPEC_VERSION})
    check_sizes(request, source, spec)
    targets = targets_of(request, source)
    for path in targets.files():
        if path != request.source:
            may_replace(path, spec, request.overwrite)
    check_writable(targets.folder)
    return Plan(source, spec, targets, _shape(request, source, spec), _opset(request, source))


def _shape(request: ExportRequest, source: Source, spec: ModelSpec) -> Shape:
    """As asked for, unless the source is an ONNX of one size: that keeps it."""
    if source.size is None:
        return graph_shape(request, spec)
    if request.tile not in (None, source.size):
        raise UsageError(f"--tile: {source.path} takes {source.size[0]}x{source.size[1]} only; give that, or none")
    return Shape(size=source.size)


def export(request: ExportRequest, plan: Plan, progress: ProgressStyle) -> Iterator[Artefact]:
    """Write each file of the plan as soon as it has passed the gate: what comes later cannot take it away.

    Raises:
        ParityError: an artefact differs from the network. WriteError: disk or permissions.
        MissingExtraError, RuntimeFailure: no engine can be built here; raised after all other files were written.
    """
    if request.engine is not None:
        missing = this_machine().missing
        if missing:
            say(f"no engine can be built here, so only the ONNX files will be written: {missing}")
    work = _Work(request, plan)
    if plan.targets.fp32 is not None:
        yield work.fp32(plan.targets.fp32)
    if plan.targets.fp16 is not None and plan.source.spec.precision == "fp32":
        yield work.fp16(plan.targets.fp16)
    if plan.targets.torchscript is not None:
        yield from work.nuke(plan.targets)
    if plan.targets.houdini is not None:
        yield work.houdini(plan.targets.houdini)
    if request.engine is not None:
        yield work.engine(progress)


class _Work:
    """The steps of one export. Each artefact is compared with the same reference on the same inputs."""

    def __init__(self, request: ExportRequest, plan: Plan) -> None:
        self.request, self.plan, self.source = request, plan, plan.source
        size = plan.shape.size
        self.inputs: tuple[Kind, list[GateInput]] = (
            kind_of_inputs(plan.spec, request.gate.plates),
            gate_inputs(plan.spec, request.gate.plates, size),
        )
        run = run_torch(self.source.network) if self.source.network is not None else self._run_source()
        self.reference = Remembered(run)
        for item in self.inputs[1]:
            self.reference(item.array)
        self.model = self._traced()
        self.spec = self._with_tiling(plan.spec)

    def _run_source(self) -> Run:
        assert self.source.onnx is not None
        return _run_onnx(self.source.onnx)[1]

    def _traced(self) -> onnx.ModelProto:
        """The FP32 graph."""
        if self.source.onnx is not None:
            return self.source.onnx
        say(f"tracing {self.plan.spec.architecture} ({_count(self.network)} weights), opset {self.plan.opset}")
        return to_onnx(fold_batch_norms(self.network), self.plan.spec, self.plan.shape, self.plan.opset)

    @property
    def network(self) -> nn.Module:
        assert self.source.network is not None  # `check_sizes` saw to it
        return self.source.network

    def _with_tiling(self, spec: ModelSpec) -> ModelSpec:
        """Measured, unless the source is an ONNX that says it already."""
        if not isinstance(spec.input, ImageInput) or spec.tiling.receptive_field_px is not None:
            return spec
        if self.plan.shape.size is not None and self.source.network is None:
            return spec  # a graph of one size cannot be tried on tiles: it stays `whole`
        from vfxgan.export.tiling import measure_tiling

        say("measuring the receptive field and the overlap that tiles need")
        return spec.model_copy(update={"tiling": measure_tiling(self.reference, spec, self.source.network)})

    def fp32(self, target: Path) -> Artefact:
        if self.plan.targets.source_is_fp32 and self.request.changes.none:
            return Artefact(target, "FP32 ONNX", self.source.spec.parity, kept=True)
        spec = self._compared(self.model, self.spec, "fp32", target)
        if self.source.onnx is not None and self.source.spec.parity is not None:
            spec = spec.model_copy(
                update={"parity": self.source.spec.parity}
            )  # the graph is as PyTorch was compared with
        return self._written(self.model, spec, target, "FP32 ONNX")

    def fp16(self, target: Path) -> Artefact:
        from vfxgan.export.audit import audit_ranges
        from vfxgan.export.half import to_half

        say("auditing ranges: what half precision could not hold stays FP32")
        cases = [*self.inputs[1], *worst_cases(self.spec, self.plan.shape.size)]
        ranges = audit_ranges(self.model, [case.array for case in cases])
        half = to_half(self.model, ranges.kept_fp32, keep_picture=self.spec.value_range[0] < 0)
        spec = self.spec.model_copy(update={"precision": "fp16", "ranges": ranges, "parity": None})
        return self._written(half, self._compared(half, spec, "fp16", target), target, "FP16 ONNX")

    def _compared(self, model: onnx.ModelProto, spec: ModelSpec, precision: Precision, target: Path) -> ModelSpec:
        runtime, run = _run_onnx(model)
        limits = self.request.gate.limits(precision)
        parity = check_parity(self.reference, run, runtime, self.inputs, spec, limits, _evidence(target))
        return spec.model_copy(update={"parity": self._named(parity)})

    def _named(self, parity: Parity) -> Parity:
        """With what it was compared with."""
        name = (
            f"pytorch {torch.__version__.partition('+')[0]} cpu"
            if self.source.network is not None
            else "the ONNX source"
        )
        return parity.model_copy(update={"reference": name})

    def _written(self, model: onnx.ModelProto, spec: ModelSpec, target: Path, what: str) -> Artefact:
        if target.exists():
            there = same_model(target, model, spec)
            if there is not None:
                return Artefact(target, what, there.parity, kept=True)
            if not self.request.overwrite:
                raise TargetError(f"{target} exists and is another model; give --overwrite, or another --out")
        write_onnx(with_spec(model, spec), target)
        return Artefact(target, what, spec.parity)

    def nuke(self, targets: Targets) -> Iterator[Artefact]:
        from vfxgan.export.nuke_script import write_nuke_script
        from vfxgan.export.torchscript import write_torchscript

        module, script = targets.torchscript, targets.nuke
        assert module is not None
        assert script is not None
        limits, evidence = self.request.gate.limits("fp32"), _evidence(module)

        def write_module(path: Path) -> Parity:
            return write_torchscript(self.network, self.spec, path, limits=limits, evidence=evidence)

        def write_script(path: Path) -> None:
            write_nuke_script(path, self.spec, path.with_name(module.name))

        parity, kept = settle(module, write_module, self.request.overwrite)
        yield Artefact(module, "TorchScript for Nuke", parity, kept)
        _, kept = settle(script, write_script, self.request.overwrite)
        yield Artefact(script, "Nuke script", None, kept)

    def houdini(self, target: Path) -> Artefact:
        from vfxgan.export.houdini import houdini_model

        size, limits, evidence = self.request.houdini, self.request.gate.limits("fp32"), _evidence(target)
        assert size is not None

        def write(path: Path) -> Parity:
            model, parity = houdini_model(
                self.network, self.spec, *size, bottom_up=self.request.bottom_up, limits=limits, evidence=evidence
            )
            write_onnx(model, path)
            return parity

        parity, kept = settle(target, write, self.request.overwrite)
        return Artefact(target, "ONNX for Houdini", parity, kept)

    def engine(self, progress: ProgressStyle) -> Artefact:
        """Built from the FP16 file as it lies on disk, and compared like all others."""
        from vfxgan.export.trt.at_hand import engine_at_hand
        from vfxgan.export.trt.build import build_engine, require_tensorrt, write_engine

        machine = require_tensorrt()
        options, onnx_path, folder = self.request.engine, self.plan.targets.fp16, self.plan.targets.folder
        assert options is not None
        assert onnx_path is not None
        there = None if self.request.overwrite else engine_at_hand(onnx_path, folder, options, machine)
        if there is not None:
            host_code = there.sidecar.key.options.version_compat
            runtime = f"tensorrt {machine.tensorrt} {machine.gpu}"
            return Artefact(there.path, ENGINE, self._run_engine(there.engine, host_code, runtime), kept=True)
        cache = self.request.timing_cache
        built = build_engine(onnx_path, options, progress, timing_cache=cache, machine=machine)
        parity = self._run_engine(built.engine, built.host_code, built.runtime)
        return Artefact(write_engine(built, folder, onnx_path.stem, parity), ENGINE, parity)

    def _run_engine(self, engine: bytes, host_code: bool, runtime: str) -> Parity:
        """One that is kept is compared as well: limits and plates may be others now, and so may the GPU."""
        from vfxgan.gpu.engine import EngineRunner

        with EngineRunner(engine, host_code=host_code, slots=1) as runner:
            size = (runner.input_shape[2], runner.input_shape[3]) if len(runner.input_shape) == 4 else None
            inputs = (self.inputs[0], gate_inputs(self.spec, self.request.gate.plates, size))
            evidence = self.plan.targets.folder / f"{self.plan.targets.stem}.engine.parity.png"
            limits = self.request.gate.limits("fp16")
            run = each_slot(runner.infer, runner.input_shape[0])
            return self._named(check_parity(self.reference, run, runtime, inputs, self.spec, limits, evidence))


def _evidence(target: Path) -> Path:
    """Where the worst input's pictures go if the gate fails: `ckpt.fp16.parity.png` for `ckpt.fp16.onnx`."""
    return target.with_name(f"{target.stem}.parity.png")


def _run_onnx(model: onnx.ModelProto) -> tuple[str, Run]:
    """The runtime's name, and the graph's one output for an input."""
    session = open_model(model)
    return session.name, lambda x: session.run(x)[0]


def _opset(request: ExportRequest, source: Source) -> int:
    """A graph's own; else as asked for; else the newest, but for TensorRT 8.6, which ends at 17."""
    if source.onnx is not None:
        return opset_of(source.onnx) or 0
    if request.opset is None and request.engine is not None:
        with contextlib.suppress(VfxganError):  # what is missing is said once the ONNX files are written
            if series(str(tensorrt().__version__))[0] == 8:
                return OLD_OPSET
    return request.opset or OPSET


def _count(network: nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in network.parameters()):,}"
