"""A network as one self-describing ONNX file."""

import contextlib
import io
import logging
import os
import secrets
import warnings
from collections.abc import Iterator
from pathlib import Path

import onnx
import torch
from torch import nn

from vfxgan.errors import ModelError, WriteError
from vfxgan.spec import METADATA_KEY, LatentInput, ModelSpec

OPSET = 20
INPUT_NAME, OUTPUT_NAME = "latent", "picture"


def to_onnx(network: nn.Module, spec: ModelSpec) -> onnx.ModelProto:
    """Trace a folded generator at batch 1, static shape, weights inside.

    Args:
        network: eval mode, float32, without batch norms.
    Raises:
        ModelError: the graph came out other than asked: another opset, a batch norm, external weights, wrong shape.
    """
    assert isinstance(spec.input, LatentInput), "only generators so far"
    example = torch.zeros(1, spec.input.size)
    with _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
            external_data=False,
        )
    assert program is not None
    model = program.model_proto
    _strip(model)
    _check(model, spec)
    return with_spec(model, spec)


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
    assert spec.size is not None
    shape = [axis.dim_value for axis in model.graph.output[0].type.tensor_type.shape.dim]
    if shape != [1, spec.channels_out, *spec.size]:
        raise ModelError(f"{spec.name}: the graph gives {shape}, the spec says {[1, spec.channels_out, *spec.size]}")
