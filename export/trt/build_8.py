"""TensorRT 8.6, the last that is one package on PyPI: no strong typing, so precision is asked for layer by layer.

The FP16 flag lets it choose half for any layer. Those that the ONNX file keeps in FP32, because half could not hold
their sums, are set to FP32 one by one, and OBEY_PRECISION_CONSTRAINTS makes that binding. It reads opset 17 and IR 8 at
most.
"""

import re
from collections.abc import Iterator
from typing import Any

import onnx

from vfxgan.errors import ModelError, RuntimeFailure
from vfxgan.export.trt.network import set_flag
from vfxgan.modelfile import ModelFile

MAX_OPSET, MAX_IR = 17, 8
METADATA = re.compile(r"\[ONNX Layer: (.*?)\]")
# Their precision is what they are made of or turn into; TensorRT sets it itself.
NO_PRECISION = ("Cast", "Constant", "Identity", "Shape", "ConstantOfShape")


def make_network(trt: Any, builder: Any) -> Any:
    """Of the only kind that takes ONNX."""
    return builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))


def check_age(trt: Any, model: ModelFile) -> None:
    """Raises ModelError: another opset or IR than 8.6 reads."""
    graph = onnx.load_model_from_string(model.read())
    if model.opset > MAX_OPSET or graph.ir_version > MAX_IR:
        raise ModelError(
            f"{model.path}: opset {model.opset}, IR {graph.ir_version}; TensorRT {trt.__version__} reads opset "
            f"{MAX_OPSET} and IR {MAX_IR} at most: export it with --opset 17"
        )


def set_precision(trt: Any, network: Any, config: Any, model: ModelFile) -> None:
    """Half where the file is FP16, but for the layers that it keeps FP32.

    Raises:
        RuntimeFailure: a node that must stay FP32 has no layer of its own to say it to.
    """
    if model.spec.precision != "fp16":
        set_flag(config, trt.BuilderFlag.FP16, False)
        return
    config.set_flag(trt.BuilderFlag.FP16)
    config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
    islands = fp32_nodes(onnx.load_model_from_string(model.read()))
    found: set[str] = set()
    for layer in (network.get_layer(index) for index in range(network.num_layers)):
        nodes = set(_nodes_of(layer, islands))
        if nodes and _computes(trt, layer):
            _hold_fp32(trt, layer)
            found |= nodes
    lost = sorted(set(islands) - found)
    if lost:
        raise RuntimeFailure(
            f"TensorRT {trt.__version__} has no layer for node {lost[0]}, which must stay FP32"
            f"{f' ({len(lost)} such nodes)' if len(lost) > 1 else ''}; build with TensorRT 10 or newer"
        )


def fp32_nodes(model: onnx.ModelProto) -> dict[str, frozenset[str]]:
    """Nodes of an FP16 file that compute in FP32, each with the names of its outputs.

    A node counts if it depends on the graph's input: what is computed from weights alone is folded away.
    """
    inferred = onnx.shape_inference.infer_shapes(model)
    graph = inferred.graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output, *graph.input)}
    varying = {value.name for value in graph.input} - {tensor.name for tensor in graph.initializer}
    found = {}
    for node in graph.node:
        if not varying & set(node.input):
            continue
        varying |= set(node.output)
        float_outputs = [name for name in node.output if types.get(name) == onnx.TensorProto.FLOAT]
        if float_outputs and node.op_type not in NO_PRECISION:
            found[node.name] = frozenset(float_outputs)
    return found


def _nodes_of(layer: Any, islands: dict[str, frozenset[str]]) -> Iterator[str]:
    """The FP32 nodes that a layer belongs to: by its name, by what the parser noted, by the tensors it gives."""
    noted = set(METADATA.findall(layer.metadata or "")) | {layer.name}
    gives = {layer.get_output(index).name for index in range(layer.num_outputs)}
    for node, outputs in islands.items():
        if node in noted or outputs & gives:
            yield node


def _computes(trt: Any, layer: Any) -> bool:
    return layer.type not in (trt.LayerType.CONSTANT, trt.LayerType.CAST, trt.LayerType.SHAPE)


def _hold_fp32(trt: Any, layer: Any) -> None:
    """Inputs and sums, and each output that is not an index or a shape."""
    floats = (trt.DataType.FLOAT, trt.DataType.HALF)
    outputs = [index for index in range(layer.num_outputs) if layer.get_output(index).dtype in floats]
    if outputs:
        layer.precision = trt.DataType.FLOAT
    for index in outputs:
        layer.set_output_type(index, trt.DataType.FLOAT)
