"""Graphs of people's ONNX files: checked, then made to look like ours: one input, one output, batch 1, our names."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto, checker, helper, inliner, shape_inference

from vfxgan.errors import ModelError
from vfxgan.export.onnx_file import name_nodes

STANDARD = ("", "ai.onnx")
LARGEST_TENSOR = 1 << 30  # entries
CHANCE = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
)
LATENT_AXES = 2
IMAGE_AXES = 4
FIRST_IR_OF_PLAIN_WEIGHTS = 4  # before it, weights had to be listed among the inputs
NARROW = {TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}


def parse(data: bytes) -> onnx.ModelProto:
    """A model of standard operators, wholly checked, functions inlined.

    Args:
        data: of a file without data in other files (`read_onnx` saw to it).
    Raises:
        ModelError: damaged, types or shapes that do not fit, operators of other domains, weights in half precision.
    """
    try:
        model = onnx.load_model_from_string(data)
        if model.functions:
            model = inliner.inline_local_functions(model)
        checker.check_model(model, full_check=True)
    except (DecodeError, checker.ValidationError, shape_inference.InferenceError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"does not pass ONNX's own check ({reason}); export it again") from error
    foreign = sorted({node.domain for node in _all_nodes(model.graph) if node.domain not in STANDARD})
    if foreign:
        raise ModelError(f"uses operators of {foreign[0]!r}, which one runtime alone has; export it with standard ones")
    narrow = next((tensor for tensor in model.graph.initializer if tensor.data_type in NARROW), None)
    if narrow is not None:
        kind = NARROW[narrow.data_type]
        raise ModelError(f"holds weights in {kind} ({narrow.name!r}); give the float32 file, FP16 is made from that")
    refuse_chance(model)
    refuse_absurd(model)
    for entry in [entry for entry in model.opset_import if entry.domain not in STANDARD]:
        model.opset_import.remove(entry)
    return model


def refuse_chance(model: onnx.ModelProto) -> None:
    """A frame depends on model, seed and options alone. Raises ModelError for a graph that draws numbers of its own."""
    for node in _all_nodes(model.graph):
        if node.op_type in CHANCE:
            raise ModelError(
                f"draws random numbers ({node.op_type} {node.name!r}), so no frame would come out twice; export it "
                "without, or with its noise as part of the latent"
            )


def refuse_absurd(model: onnx.ModelProto) -> None:
    """A few bytes can ask for a tensor of terabytes. Those whose shape can be told without running are looked at."""
    try:
        graph = shape_inference.infer_shapes(model, data_prop=True).graph
    except (shape_inference.InferenceError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"its shapes do not fit ({reason}); export it again") from error
    for value in (*graph.value_info, *graph.output):
        found = sides(value)
        entries = math.prod(side for side in found if side is not None)
        if entries > LARGEST_TENSOR:
            raise ModelError(f"its tensor {value.name[:80]!r} would be {found}; up to {LARGEST_TENSOR} entries are run")


def the_input(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The one input: [N, C, H, W] or [N, z], float32.

    Raises:
        ModelError: several, or of another kind.
    """
    weights = {tensor.name for tensor in model.graph.initializer}  # old files list them among the inputs
    kept = [value for value in model.graph.input if value.name not in weights]
    value = _only("input", kept)
    copies = [onnx.ValueInfoProto.FromString(value.SerializeToString())]
    del model.graph.input[:]
    model.graph.input.extend(copies)
    axes = len(value.type.tensor_type.shape.dim)
    if axes not in (LATENT_AXES, IMAGE_AXES):
        raise ModelError(f"its input {value.name!r} has {axes} axes; models take [N, C, H, W] or [N, z]")
    return model.graph.input[0]


def the_output(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The one output, float32. Raises ModelError: several, or of another kind."""
    return _only("output", list(model.graph.output))


def _only(what: str, values: list[onnx.ValueInfoProto]) -> onnx.ValueInfoProto:
    if len(values) != 1:
        named = ", ".join(repr(value.name) for value in values[:4])
        raise ModelError(f"has {len(values)} {what}s ({named}); models have one: export it again with one")
    (value,) = values
    kind = value.type.tensor_type.elem_type
    if kind != TensorProto.FLOAT:
        name = TensorProto.DataType.Name(kind).lower()
        raise ModelError(f"its {what} {value.name!r} is {name}, not float32; export it with float32 in and out")
    return value


def sides(value: onnx.ValueInfoProto) -> list[int | None]:
    """Each axis; None where it may change."""
    return [dim.dim_value if dim.HasField("dim_value") else None for dim in value.type.tensor_type.shape.dim]


def channels_by_weights(model: onnx.ModelProto, name: str) -> int | None:
    """How many channels the first convolution on the input takes."""
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[0] == name and len(shapes.get(node.input[1], ())) == IMAGE_AXES:
            groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
            return int(shapes[node.input[1]][1] * groups)
    return None


def as_ours(model: onnx.ModelProto, input_name: str, output_name: str, axes: Iterable[int | str]) -> None:
    """Our names and a batch of 1. What the file says about shapes on the way is dropped: it may say another batch.

    Args:
        axes: of the input; a text is the name of an axis that may change.
    """
    graph = model.graph
    given, result = graph.input[0].name, graph.output[0].name
    free = {given: input_name, result: output_name}
    taken = {name for name in _all_names(graph) if name in free.values() and name not in free}
    free |= {name: f"{name}_before" for name in taken}
    _rename(graph, free)
    del graph.value_info[:]
    graph.input[0].CopyFrom(helper.make_tensor_value_info(input_name, TensorProto.FLOAT, list(axes)))
    model.ir_version = max(model.ir_version, FIRST_IR_OF_PLAIN_WEIGHTS)
    _strip(model)
    name_nodes(model)


def latent_from_vector(model: onnx.ModelProto, size: int) -> None:
    """Let a generator that takes [1, z, 1, 1] take [1, z]."""
    graph = model.graph
    name = graph.input[0].name
    inner, shape = f"{name}_as_pixel", f"{name}_as_pixel_shape"
    _rename(graph, {name: inner})
    graph.initializer.append(helper.make_tensor(shape, TensorProto.INT64, [4], [1, size, 1, 1]))
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    del graph.node[:]
    graph.node.extend([helper.make_node("Reshape", [name, shape], [inner], name="latent_to_pixel"), *nodes])
    graph.input[0].CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]))


def state_output(model: onnx.ModelProto, axes: Iterable[int | str]) -> None:
    """Write down the shape that running has shown, and check all of it once more. Raises ModelError."""
    output = model.graph.output[0]
    output.CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, list(axes)))
    try:
        checker.check_model(model, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"does not hold at batch 1 ({reason}); export it with a batch of 1") from error


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for inner in _inner_graphs(node):
            yield from _all_nodes(inner)


def _inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs


def _all_names(graph: onnx.GraphProto) -> set[str]:
    names = {name for node in _all_nodes(graph) for name in (*node.input, *node.output)}
    return names | {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input}


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Tensors, everywhere that they are spoken of but in the graph's own inputs and outputs of other names."""
    for node in graph.node:
        _rename_each(node.input, names)
        _rename_each(node.output, names)
        for inner in _inner_graphs(node):
            _rename(inner, names)
    parts: tuple[Any, ...] = (*graph.initializer, *graph.input, *graph.output)
    for part in parts:
        part.name = names.get(part.name, part.name)


def _rename_each(listed: Any, names: dict[str, str]) -> None:
    for place, name in enumerate(listed):
        listed[place] = names.get(name, name)


def _strip(model: onnx.ModelProto) -> None:
    """Notes of whoever exported it: paths, stack traces."""
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:]
    model.doc_string, graph.doc_string = "", ""
    for part in (*_all_nodes(graph), *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
