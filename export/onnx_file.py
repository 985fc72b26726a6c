"""A network as one self-describing ONNX file."""

import contextlib
import io
import logging
import os
import secrets
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from vfxgan.errors import ModelError, WriteError
from vfxgan.spec import METADATA_KEY, LatentInput, ModelSpec

OPSET = 20
INPUT_NAMES = {"latent": "latent", "image": "image"}  # by the kind of the spec's input
OUTPUT_NAME = "picture"
EXAMPLE_PX = (48, 80)  # height and width that image models are traced at, at least; any other works as well


def to_onnx(network: nn.Module, spec: ModelSpec) -> onnx.ModelProto:
    """Trace a folded network at batch 1, weights inside. Generators are static; image models take any H and W.

    Args:
        network: eval mode, float32, without batch norms.
    Raises:
        ModelError: the graph came out other than asked: another opset, a batch norm, external weights, wrong shape.
    """
    example, dynamic = _example(spec)
    with _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT_NAMES[spec.input.kind]],
            output_names=[OUTPUT_NAME],
            dynamic_shapes=dynamic,
            external_data=False,
        )
    assert program is not None
    model = program.model_proto
    _strip(model)
    _check(model, spec)
    return with_spec(model, spec)


def _example(spec: ModelSpec) -> tuple[Tensor, tuple[dict[int, Any]] | None]:
    """An input to trace with, and which of its axes may change."""
    if isinstance(spec.input, LatentInput):
        return torch.zeros(1, spec.input.size), None
    multiple = spec.input.size_multiple
    # at least two multiples: an axis that a U-Net halves down to 1 would be taken for one that never changes
    height, width = (max(-(-side // multiple), 2) * multiple for side in EXAMPLE_PX)
    if height == width:  # equal sides could be taken for one and the same
        width += multiple
    axes = {
        axis: multiple * Dim(name, min=1) if multiple > 1 else Dim(name, min=2)
        for axis, name in ((2, "height"), (3, "width"))
    }
    return torch.zeros(1, spec.input.channels, height, width), (axes,)


def with_spec(model: onnx.ModelProto, spec: ModelSpec) -> onnx.ModelProto:
    """Put the spec into the file's metadata, in place of one that is there."""
    onnx.helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    return model


def write_onnx(model: onnx.ModelProto, path: Path) -> None:
    """Write beside the target, then replace. Raises WriteError; nothing is left behind."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(model.SerializeToString(deterministic=True))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise WriteError(f"{path}: cannot be written ({error.strerror or error}); check space and folder") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter talks to stdout and warns about itself; what matters is checked after it."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(before)


def _strip(model: onnx.ModelProto) -> None:
    """Drop what the exporter noted down of the machine: stack traces with paths, and names of Python objects."""
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:]
    model.doc_string, graph.doc_string, graph.name = "", "", "generator"
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        part.doc_string = ""
        del part.metadata_props[:]
    model.producer_name, model.producer_version = "vfxgan", ""


def _check(model: onnx.ModelProto, spec: ModelSpec) -> None:
    onnx.checker.check_model(model, full_check=True)
    opsets = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    if opsets != {"ai.onnx": OPSET} or model.functions:
        raise ModelError(f"{spec.name}: exported with {opsets}, asked for opset {OPSET} alone; check torch's version")
    if any(node.op_type == "BatchNormalization" for node in model.graph.node):
        raise ModelError(f"{spec.name}: a BatchNormalization is left in the graph; fold it before the export")
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ModelError(f"{spec.name}: weights ended up outside the file")
    shape = [axis.dim_value for axis in model.graph.output[0].type.tensor_type.shape.dim]  # 0: may change
    wanted = [1, spec.channels_out, *(spec.size or (0, 0))]
    if shape != wanted:
        raise ModelError(f"{spec.name}: the graph gives {shape}, the spec says {wanted}")
