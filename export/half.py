"""FP32 graph to half: convolutions and what stands between them. What works on the picture itself stays FP32."""

from collections.abc import Collection, Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from vfxgan.errors import ModelError
from vfxgan.export.graph import READ_SHAPES_ONLY, WEIGHTED, check_graph, float_tensors, lift_constants, readable
from vfxgan.export.onnx_file import name_nodes

LARGEST = float(np.finfo(np.float16).max)  # 65504
SMALLEST_NORMAL = float(np.finfo(np.float16).smallest_normal)  # 6.1e-5: below it half loses bits, then everything

ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Neg"})
# Cheap, and exact or nearly so in half. What is not named here stays FP32: Tanh, Sigmoid, Softmax, Pow, Exp, Log, Sqrt,
# Div, all norms, all means and sums.
BETWEEN = ARITHMETIC | {
    *("Relu", "LeakyRelu", "PRelu", "Clip", "Min", "Max", "MaxPool"),
    *("Concat", "Split", "Slice", "Gather", "Pad", "Expand", "Tile", "Identity"),
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "DepthToSpace", "SpaceToDepth", "Resize"),
}
# A mean or a deviation comes out of these, or goes into it; arithmetic on one is part of a norm that was written out.
STATISTICS = frozenset(
    {"GlobalAveragePool", "Sqrt", "Reciprocal", "Pow", "Div", "Exp", "Log"}
    | {f"Reduce{what}" for what in ("Mean", "Sum", "SumSquare", "L1", "L2", "LogSum", "LogSumExp", "Prod")}
)
SUMMED = frozenset(name for name in STATISTICS if name.startswith("Reduce")) | {"GlobalAveragePool"}
ALWAYS_FLOAT32 = {"Resize": (1, 2)}  # inputs of region and scales
FACTORS = {"Conv": (1,), "ConvTranspose": (1,), "MatMul": (0, 1), "Gemm": (0, 1), "Mul": (0, 1)}


def to_half(model: onnx.ModelProto, keep_fp32: Collection[str] = (), *, keep_picture: bool = False) -> onnx.ModelProto:
    """Convert a copy of an FP32 graph; its input and output stay float32, opset and IR version as they are.

    A node becomes half if it is a convolution or a matrix product, or is cheap and has one of these before and one
    after it. Casts stand only where the precision changes, once for each tensor.

    Args:
        keep_fp32: names of nodes that stay as they are, as the range audit found them.
        keep_picture: so does a convolution whose result is the picture: no activation and no sum comes after it. For
            pictures in −1…1, where steps of half are 0.0005 at the dark end: 9 % of what is seen there. 0…1 is safe.
    Raises:
        ModelError: a name that no node has, a graph that cannot be read, or types that do not fit afterwards.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    name_nodes(half)
    readable(half)
    lift_constants(half)
    unknown = set(keep_fp32) - {node.name for node in half.graph.node}
    if unknown:
        raise ModelError(f"keep_fp32 names {sorted(unknown)[0]!r}, which no node of the graph is called")
    keep = {*keep_fp32, *(_picture_convolutions(half.graph) if keep_picture else ())}
    floats = float_tensors(half)
    _Rewriter(half.graph, floats, _half_nodes(half.graph, floats, keep)).rewrite()
    del half.graph.value_info[:]  # of the old types; they can be inferred
    try:
        check_graph(half)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"the graph in half is not valid ({reason}); export with --precision fp32") from error
    return half


def _picture_convolutions(graph: onnx.GraphProto) -> set[str]:
    """Names of the convolutions behind which the picture is only moved, clipped, or scaled by constants."""
    constants = {"", *(tensor.name for tensor in graph.initializer)}
    tensors = {value.name for value in graph.output}
    found: set[str] = set()
    for node in reversed(graph.node):
        if tensors.isdisjoint(node.output):
            continue
        if node.op_type in WEIGHTED:
            found.add(node.name)
        elif node.op_type in BETWEEN and sum(name not in constants for name in node.input) == 1:
            tensors.update(node.input)
    return found


def _half_nodes(graph: onnx.GraphProto, floats: set[str], keep: Collection[str]) -> set[str]:
    """Names of the nodes to convert."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    inner = _after_weighted(graph.node) & _before_weighted(graph.node)
    norms = _written_out_norms(graph.node)
    chosen = {
        node.name
        for node in graph.node
        if (node.op_type in WEIGHTED or (node.op_type in BETWEEN and node.name in inner - norms))
        and any(name in floats for name in node.output)
        and node.name not in keep
        and _constants_fit(node, constants)
    }
    return _joined_to_weighted(graph.node, chosen)


def _after_weighted(nodes: Collection[NodeProto]) -> set[str]:
    """Names of nodes that something weighted stands before: all others work on the input itself."""
    found: set[str] = set()
    tensors: set[str] = set()
    for node in nodes:
        if any(name in tensors for name in node.input):
            found.add(node.name)
        if node.name in found or node.op_type in WEIGHTED:
            tensors.update(node.output)
    return found


def _before_weighted(nodes: Collection[NodeProto]) -> set[str]:
    """Names of nodes that something weighted comes after: all others are the last activation, or work on its result."""
    found: set[str] = set()
    tensors: set[str] = set()
    for node in reversed(list(nodes)):
        if any(name in tensors for name in node.output):
            found.add(node.name)
        if node.name in found or node.op_type in WEIGHTED:
            tensors.update(node.input)
    return found


def _written_out_norms(nodes: Collection[NodeProto]) -> set[str]:
    """Arithmetic on a statistic, or right before one: (x − mean)², · 1/deviation, · gain, + offset."""
    summed = {name for node in nodes if node.op_type in SUMMED for name in node.input}
    found: set[str] = set()
    statistics: set[str] = set()
    for node in nodes:
        if node.op_type in ARITHMETIC and (
            any(name in statistics for name in node.input) or any(name in summed for name in node.output)
        ):
            found.add(node.name)
        if node.name in found or node.op_type in STATISTICS:
            statistics.update(node.output)
    return found


def _constants_fit(node: NodeProto, constants: dict[str, TensorProto]) -> bool:
    """No constant becomes infinite, and no factor vanishes."""
    for index in _data_inputs(node):
        tensor = constants.get(node.input[index])
        if tensor is None or tensor.data_type != TensorProto.FLOAT:
            continue
        largest = float(np.abs(numpy_helper.to_array(tensor)).max(initial=0))
        if not largest <= LARGEST or (index in FACTORS.get(node.op_type, ()) and 0 < largest < SMALLEST_NORMAL):
            return False
    return True


def _data_inputs(node: NodeProto) -> Iterator[int]:
    """Places of the inputs that take the node's own type."""
    return (place for place in range(len(node.input)) if place not in ALWAYS_FLOAT32.get(node.op_type, ()))


def _joined_to_weighted(nodes: Collection[NodeProto], chosen: set[str]) -> set[str]:
    """Without islands: cheap nodes among FP32 neighbours would cost two casts and save nothing."""
    joined = {node.name for node in nodes if node.name in chosen and node.op_type in WEIGHTED}
    cheap = [node for node in nodes if node.name in chosen and node.name not in joined]
    tensors = {name for node in nodes if node.name in joined for name in (*node.input, *node.output)}
    while True:
        reached = [node for node in cheap if node.name not in joined and tensors & {*node.input, *node.output}]
        if not reached:
            return joined
        for node in reached:
            joined.add(node.name)
            tensors.update((*node.input, *node.output))


class _Rewriter:
    """Puts casts where the precision changes, and a half copy in the place of constants."""

    def __init__(self, graph: onnx.GraphProto, floats: set[str], half: set[str]) -> None:
        self.graph, self.floats, self.half = graph, floats, half
        self.constants = {tensor.name: tensor for tensor in graph.initializer if tensor.name in floats}
        self.outputs = {value.name for value in graph.output}
        self.taken = {name for node in graph.node for name in (*node.input, *node.output, node.name)}
        # where a tensor of the FP32 graph is found, by (name, is half)
        self.places: dict[tuple[str, bool], str] = {(value.name, False): value.name for value in graph.input}
        self.nodes: list[NodeProto] = []

    def rewrite(self) -> None:
        for node in self.graph.node:
            self._add(node)
        nodes = [NodeProto.FromString(node.SerializeToString()) for node in self.nodes]
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        self._convert_constants()

    def _add(self, node: NodeProto) -> None:
        half = node.name in self.half
        places = set(_data_inputs(node)) if half else set()
        for place, name in enumerate(node.input):
            if name not in self.floats:
                continue
            if node.op_type in READ_SHAPES_ONLY:
                node.input[place] = self.places.get((name, False)) or self.places.get((name, True)) or name
            else:
                node.input[place] = self._fetch(name, place in places)
        self.nodes.append(node)
        for place, name in enumerate(node.output):
            if name in self.floats:
                node.output[place] = self._provide(name, half)

    def _fetch(self, name: str, half: bool) -> str:
        """The tensor in that precision; a cast is added before the first node that needs it."""
        if (name, half) not in self.places:
            self.places[name, half] = self._new_name(name, half) if half or name not in self.constants else name
            if name not in self.constants:
                self._cast(self.places[name, not half], self.places[name, half], half)
        return self.places[name, half]

    def _provide(self, name: str, half: bool) -> str:
        """The name that a node's output gets; the graph's own output is float32 under its old one."""
        self.places[name, half] = name
        if half and name in self.outputs:
            self.places[name, True], self.places[name, False] = self._new_name(name, half), name
            self._cast(self.places[name, True], name, False)
        return self.places[name, half]

    def _cast(self, source: str, target: str, half: bool) -> None:
        kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        self.nodes.append(helper.make_node("Cast", [source], [target], self._new_name(f"cast_{source}", half), to=kind))

    def _new_name(self, name: str, half: bool) -> str:
        new = f"{name}_{'half' if half else 'float'}"
        while new in self.taken:
            new += "_"
        self.taken.add(new)
        return new

    def _convert_constants(self) -> None:
        """A half copy of each that half nodes read, in its place unless others read it as it was."""
        for name, tensor in self.constants.items():
            if (name, True) not in self.places:
                continue
            converted = _in_half(tensor, self.places[name, True])
            if (name, False) in self.places:
                self.graph.initializer.append(converted)
            else:
                tensor.CopyFrom(converted)


def _in_half(tensor: TensorProto, name: str) -> TensorProto:
    values: NDArray[np.float32] = numpy_helper.to_array(tensor)
    return numpy_helper.from_array(values.astype(np.float16), name)
