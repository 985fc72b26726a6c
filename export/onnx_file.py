"""A network as one self-describing ONNX file."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from vfxgan.errors import ModelError
from vfxgan.export.graph import check_graph
from vfxgan.export.pieces import pieces
from vfxgan.interrupts import raise_if_interrupt
from vfxgan.spec import METADATA_KEY, ImageInput, LatentInput, ModelSpec
from vfxgan.whole_files import write_whole

OPSET = 20
OLD_OPSET = 17  # TensorRT 8.6 and Houdini
IR_OF_OPSET = {OPSET: 10, OLD_OPSET: 8}
INPUT_NAMES = {"latent": "latent", "image": "image"}  # by the kind of the spec's input
OUTPUT_NAME = "picture"
EXAMPLE_PX = (48, 80)  # height and width that image models are traced at, at least; any other works as well

Size = tuple[int, int]  # H, W
Axes = dict[int, str]


@dataclass(frozen=True)
class Shape:
    """Which axes of the graph's input may change.

    Attributes:
        any_batch: a symbolic batch; otherwise 1.
        size: H and W of an image model's input; None: any, in multiples of what the network takes.
    """

    any_batch: bool = False
    size: Size | None = None


def to_onnx(network: nn.Module, spec: ModelSpec, shape: Shape | None = None, opset: int = OPSET) -> onnx.ModelProto:
    """Trace a folded network, weights inside; by default at batch 1, and image models for any H and W.

    Args:
        network: eval mode, float32, without batch norms.
        opset: 20, or 17, which then comes with IR version 8.
    Raises:
        ModelError: the graph came out other than asked: another opset, a batch norm, external weights, wrong shape.
    """
    shape = shape or Shape()
    example, dynamic = _example(spec, shape)
    model = _trace(network, example, dynamic, spec, opset)
    if opset_of(model) != opset:  # the exporter has no way down for some operators and says so in a warning alone
        model = _trace_by_script(network, example, dynamic, spec, opset)
        _state_output(model, spec, shape)
    if opset in IR_OF_OPSET:
        model.ir_version = IR_OF_OPSET[opset]
    _strip(model)
    name_nodes(model)
    _check(model, spec, shape, opset)
    return with_spec(model, spec)


def _trace(network: nn.Module, example: Tensor, dynamic: Axes, spec: ModelSpec, opset: int) -> onnx.ModelProto:
    try:
        with _quiet():
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                opset_version=opset,
                input_names=[INPUT_NAMES[spec.input.kind]],
                output_names=[OUTPUT_NAME],
                dynamic_shapes=(_dims(dynamic, spec),) if dynamic else None,
                external_data=False,
            )
    except Exception as error:  # its errors have no common base
        raise_if_interrupt(error)
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{spec.name}: torch {torch.__version__} cannot trace it ({reason}); see --debug") from error
    assert program is not None
    return program.model_proto


def _trace_by_script(
    network: nn.Module, example: Tensor, dynamic: Axes, spec: ModelSpec, opset: int
) -> onnx.ModelProto:
    """The older exporter: four times the memory, but it still writes opset 17 for every operator we use."""
    name, body = INPUT_NAMES[spec.input.kind], io.BytesIO()
    with _quiet():
        torch.onnx.export(
            network,
            (example,),
            body,  # type: ignore[arg-type]  # declared for the newer exporter alone
            dynamo=False,
            opset_version=opset,
            input_names=[name],
            output_names=[OUTPUT_NAME],
            dynamic_axes={name: dynamic, OUTPUT_NAME: dynamic} if dynamic else None,
        )
    return onnx.load_model_from_string(body.getvalue())


def _state_output(model: onnx.ModelProto, spec: ModelSpec, shape: Shape) -> None:
    """The older exporter loses the output's shape behind a reflection padding. The parity gate sees the real one."""
    sides = spec.size or (
        tuple(side * spec.scale for side in shape.size) if shape.size else ("out_height", "out_width")
    )
    wanted = ["batch" if shape.any_batch else 1, spec.channels_out, *sides]
    output = onnx.helper.make_tensor_value_info(OUTPUT_NAME, onnx.TensorProto.FLOAT, wanted)
    model.graph.output[0].CopyFrom(output)


def opset_of(model: onnx.ModelProto) -> int | None:
    """Of the default domain; None where another domain is used as well."""
    opsets = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    return opsets["ai.onnx"] if set(opsets) == {"ai.onnx"} else None


def _example(spec: ModelSpec, shape: Shape) -> tuple[Tensor, Axes]:
    """An input to trace with, and the names of those of its axes that may change."""
    batch = 2 if shape.any_batch else 1  # a batch of 1 would be taken for one that never changes
    axes = {0: "batch"} if shape.any_batch else {}
    if isinstance(spec.input, LatentInput):
        return torch.zeros(batch, spec.input.size), axes
    multiple = spec.input.size_multiple
    if shape.size is not None:
        if any(side % multiple or side < multiple for side in shape.size):
            raise ModelError(f"{spec.name}: takes sides that are multiples of {multiple}, not {_by(shape.size)}")
        return torch.zeros(batch, spec.input.channels, *shape.size), axes
    # at least two multiples: an axis that a U-Net halves down to 1 would be taken for one that never changes
    height, width = (max(-(-side // multiple), 2) * multiple for side in EXAMPLE_PX)
    if height == width:  # equal sides could be taken for one and the same
        width += multiple
    return torch.zeros(batch, spec.input.channels, height, width), {**axes, 2: "height", 3: "width"}


def _dims(axes: Axes, spec: ModelSpec) -> dict[int, Any]:
    multiple = spec.input.size_multiple if isinstance(spec.input, ImageInput) else 1
    return {
        axis: Dim(name, min=1) if axis == 0 else multiple * Dim(name, min=1) if multiple > 1 else Dim(name, min=2)
        for axis, name in axes.items()
    }


def _by(size: Size) -> str:
    return "x".join(map(str, size))


def with_spec(model: onnx.ModelProto, spec: ModelSpec) -> onnx.ModelProto:
    """Put the spec into the file's metadata, in place of one that is there."""
    onnx.helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    return model


def write_onnx(model: onnx.ModelProto, path: Path) -> None:
    """The same model gives the same bytes. Raises WriteError; nothing half-written is left."""
    write_whole(path, pieces(model))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter talks to stdout and warns about itself; what matters is checked after it."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)


def _strip(model: onnx.ModelProto) -> None:
    """Drop what the exporter noted down of the machine: stack traces with paths, and names of Python objects."""
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:]
    model.doc_string, graph.doc_string, graph.name = "", "", "generator"
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        part.doc_string = ""
        del part.metadata_props[:]
    model.producer_name, model.producer_version = "vfxgan", ""


def name_nodes(model: onnx.ModelProto) -> None:
    """Give every node a name of its own, so that the range audit can point at it."""
    taken: set[str] = set()
    for place, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{place}"
        taken.add(node.name)


def _check(model: onnx.ModelProto, spec: ModelSpec, shape: Shape, opset: int) -> None:
    check_graph(model)
    opsets = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    if opset_of(model) != opset or model.functions:
        raise ModelError(f"{spec.name}: exported with {opsets}, asked for opset {opset} alone; check torch's version")
    if any(node.op_type == "BatchNormalization" for node in model.graph.node):
        raise ModelError(f"{spec.name}: a BatchNormalization is left in the graph; fold it before the export")
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ModelError(f"{spec.name}: weights ended up outside the file")
    found = [axis.dim_value for axis in model.graph.output[0].type.tensor_type.shape.dim]  # 0: may change
    height, width = (side * spec.scale for side in shape.size or (0, 0))
    wanted = [0 if shape.any_batch else 1, spec.channels_out, *(spec.size or (height, width))]
    if found != wanted:
        raise ModelError(f"{spec.name}: the graph gives {found}, the spec says {wanted}")
