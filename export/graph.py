"""What the half conversion and the range audit ask of a graph: which tensors are float32, what its constants are."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, TensorProto, numpy_helper, shape_inference

from vfxgan.errors import ModelError

SMALL_ENTRIES = 1024  # constants up to here may be shapes that inference reads; larger ones are weights
WEIGHTED = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"})  # sums over many products
READ_SHAPES_ONLY = frozenset({"Shape", "Size"})  # of a tensor of any type


def readable(model: onnx.ModelProto) -> None:
    """Refuse what neither the conversion nor the audit looks into.

    Raises:
        ModelError: a branch or loop, a function, weights outside the file, sparse weights.
    """
    graph = model.graph
    for node in graph.node:
        if any(attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for attribute in node.attribute):
            raise ModelError(
                f"node {node.name} ({node.op_type}) holds a graph of its own; export with --precision fp32"
            )
    if model.functions:
        raise ModelError(f"the graph calls the function {model.functions[0].name}; inline it, or --precision fp32")
    if graph.sparse_initializer:
        raise ModelError("the graph holds sparse weights; store them dense, or export with --precision fp32")
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in graph.initializer):
        raise ModelError("the graph's weights lie outside the file; save it as one file first")


def lift_constants(model: onnx.ModelProto) -> None:
    """Turn `Constant` nodes of float32 into initializers of the same name: then there is one kind of constant."""
    kept = []
    for node in model.graph.node:
        value = _constant(node) if node.op_type == "Constant" else None
        if value is None:
            kept.append(node)
        else:
            model.graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
    if len(kept) < len(model.graph.node):
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
        del model.graph.node[:]
        model.graph.node.extend(copies)


def _constant(node: onnx.NodeProto) -> NDArray[np.float32] | None:
    """Its value if that is float32."""
    for attribute in node.attribute:
        if attribute.name == "value" and attribute.t.data_type == TensorProto.FLOAT:
            value: NDArray[np.float32] = numpy_helper.to_array(attribute.t)
            return value
        if attribute.name == "value_float":
            return np.array(attribute.f, np.float32)
        if attribute.name == "value_floats":
            return np.array(attribute.floats, np.float32)
    return None


def float_tensors(model: onnx.ModelProto) -> set[str]:
    """Names of all tensors of float32: inputs, constants, and what nodes give.

    Raises:
        ModelError: types do not fit each other.
    """
    skeleton = _without_weights(model)
    try:
        inferred = shape_inference.infer_shapes(skeleton, strict_mode=True, data_prop=True).graph
    except shape_inference.InferenceError as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"the graph's types do not fit ({reason}); export the model again") from error
    values = (*inferred.input, *inferred.value_info, *inferred.output)
    found = {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    return found | {tensor.name for tensor in inferred.initializer if tensor.data_type == TensorProto.FLOAT}


def check_graph(model: onnx.ModelProto) -> None:
    """ONNX's own checker in full mode, with strict shape inference; of weights it sees shapes here and data one by one.

    Raises:
        onnx.checker.ValidationError, onnx.shape_inference.InferenceError: the reason.
    """
    onnx.checker.check_model(_without_weights(model), full_check=True)
    for tensor in model.graph.initializer:
        onnx.checker.check_tensor(tensor)


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with its large constants as inputs: inference copies the model twice, and needs their shapes only."""
    graph = model.graph
    weights = [tensor for tensor in graph.initializer if int(np.prod(tensor.dims)) > SMALL_ENTRIES]
    large, inputs = {tensor.name for tensor in weights}, {value.name for value in graph.input}
    skeleton = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    skeleton.graph.name = "skeleton"
    skeleton.graph.node.extend(graph.node)
    skeleton.graph.input.extend(graph.input)
    skeleton.graph.output.extend(graph.output)
    skeleton.graph.initializer.extend(tensor for tensor in graph.initializer if tensor.name not in large)
    skeleton.graph.input.extend(
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tuple(tensor.dims))
        for tensor in weights
        if tensor.name not in inputs
    )
    return skeleton
