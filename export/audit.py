"""The range audit: what the FP32 graph holds inside, so that half precision can be kept from overflowing.

CPU runtimes compute half graphs in FP32, so comparing pictures on a CPU cannot show an overflow.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from vfxgan.errors import ModelError, ParityError
from vfxgan.export.graph import WEIGHTED, float_tensors, lift_constants, readable
from vfxgan.export.onnx_file import name_nodes
from vfxgan.export.onnxruntime_cpu import CpuSession, open_model
from vfxgan.spec import Ranges

LIMIT = 32768.0  # half of what half precision holds: inputs that were not tried may go further than those that were
LARGEST_FLOAT = float(np.finfo(np.float32).max)
PREFIX = "vfxgan_audit_"  # of the names that are added to the graph
SUMS = "sums of "  # a node may be called like its output

Array = NDArray[np.float32]


@dataclass(frozen=True)
class _Probe:
    """Scalars that were added to the graph for one tensor, or for the sums of one node.

    Attributes:
        of: the tensor's name, or for sums SUMS and the node's.
        source: where it comes from, for messages: "node conv (Conv)".
        largest: name of the largest magnitude. Maxima may pass over NaN, hence `total`.
        total: name of the sum of magnitudes, which NaN and Inf always reach. None for sums.
    """

    of: str
    source: str
    largest: str
    total: str | None = None


def audit_ranges(model: onnx.ModelProto, inputs: Iterable[Array]) -> Ranges:
    """Run an FP32 graph with the magnitude of every intermediate exposed, and of every sum on the way to one.

    A convolution in half may accumulate in half, and so pass through Inf on its way to a small result. In whatever
    order it sums, no partial sum is larger than Σ|w|·|x| + |bias|, which the same operator gives on magnitudes.

    Args:
        inputs: of the graph's one input.
    Returns:
        The largest of all, and the names of the nodes whose inputs, outputs or sums pass LIMIT. Where an output does,
        the nodes that read it are named too, so that nothing reads it in half.
    Raises:
        ParityError: NaN or Inf, with the node and the input. ModelError: the graph cannot be read, or no input.
    """
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    name_nodes(exposed)
    readable(exposed)
    lift_constants(exposed)
    edges = [(node.name, {SUMS + node.name, *node.input, *node.output}) for node in exposed.graph.node]
    probes = _Exposer(exposed).expose()
    session = open_model(exposed, optimise=False)  # in order, or every intermediate stays
    del exposed  # weights are large, and the session has its own
    largest = dict.fromkeys((probe.of for probe in probes), 0.0)
    count = 0
    for count, array in enumerate(inputs, 1):
        for of, magnitude in _magnitudes(session, probes, array, count).items():
            largest[of] = max(largest[of], magnitude)
    if count == 0:
        raise ModelError("the range audit was given no input; give it seeds or pictures")
    kept = tuple(name for name, around in edges if any(largest.get(of, 0.0) > LIMIT for of in around))
    return Ranges(largest=max(largest.values()), inputs=count, kept_fp32=kept)


def _magnitudes(session: CpuSession, probes: list[_Probe], array: Array, count: int) -> dict[str, float]:
    """The largest magnitude of each tensor, and of each weighted node's sums, on one input."""
    names = [name for probe in probes for name in (probe.largest, probe.total) if name is not None]
    values = dict(zip(names, map(float, session.run(array, names)), strict=True))
    for probe in probes:
        if probe.total is not None and not np.isfinite(values[probe.total]):
            raise ParityError(
                f"{probe.source} gives NaN or Inf in FP32 on input {count} of the range audit; "
                "use another checkpoint, or look at that input"
            )
    return {probe.of: min(values[probe.largest], LARGEST_FLOAT) for probe in probes}


class _Exposer:
    """Adds scalars to a graph, right behind what they look at: a tensor is let go as early as without them."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph, self.floats = model.graph, float_tensors(model)
        self.constants = {tensor.name for tensor in model.graph.initializer}
        self.absolute: dict[str, str] = {}  # by tensor
        self.nodes: list[NodeProto] = []
        self.probes: list[_Probe] = []

    def expose(self) -> list[_Probe]:
        for value in self.graph.input:
            self._look_at(value.name, f"the input {value.name}")
        for node in self.graph.node:
            if node.op_type in WEIGHTED and node.output[0] in self.floats:
                self._sum_up(node)
            self.nodes.append(NodeProto.FromString(node.SerializeToString()))
            for name in node.output:
                self._look_at(name, f"node {node.name} ({node.op_type})")
        del self.graph.node[:], self.graph.value_info[:]
        self.graph.node.extend(self.nodes)
        return self.probes

    def _look_at(self, tensor: str, source: str) -> None:
        if tensor not in self.floats or tensor in self.constants:
            return
        probe = _Probe(tensor, source, f"{PREFIX}max_{tensor}", f"{PREFIX}total_{tensor}")
        self._reduce("ReduceMax", self._magnitude(tensor), probe.largest)
        self._reduce("ReduceSum", self._magnitude(tensor), f"{PREFIX}total_{tensor}")
        self.probes.append(probe)

    def _sum_up(self, node: NodeProto) -> None:
        """The node once more, on magnitudes of its inputs, weights and bias."""
        sums = NodeProto.FromString(node.SerializeToString())
        sums.name, sums.output[0] = f"{PREFIX}{node.name}", f"{PREFIX}sums_{node.output[0]}"
        for place, name in enumerate(node.input):
            sums.input[place] = self._magnitude(name) if name else ""
        for attribute in sums.attribute:
            if attribute.name in ("alpha", "beta"):  # of Gemm
                attribute.f = abs(attribute.f)
        self.nodes.append(sums)
        probe = _Probe(SUMS + node.name, f"node {node.name} ({node.op_type})", f"{PREFIX}most_{node.output[0]}")
        self._reduce("ReduceMax", sums.output[0], probe.largest)
        self.probes.append(probe)

    def _magnitude(self, tensor: str) -> str:
        if tensor not in self.absolute:
            self.absolute[tensor] = f"{PREFIX}abs_{tensor}"
            self.nodes.append(helper.make_node("Abs", [tensor], [self.absolute[tensor]]))
        return self.absolute[tensor]

    def _reduce(self, kind: str, tensor: str, result: str) -> None:
        self.nodes.append(helper.make_node(kind, [tensor], [result], keepdims=0))
        self.graph.output.append(helper.make_tensor_value_info(result, TensorProto.FLOAT, []))
