"""Reading an ONNX file's metadata without the onnx package: a bounded walk over the protobuf's fields.

Only what names the model is read; weights are skipped by length. Nothing here trusts a length before it was checked
against the bytes that are there, so a hostile file costs an error and no memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass

MAX_DEPTH = 8  # graphs inside of If and Loop
MAX_METADATA_BYTES = 1 << 20
MAX_BORDERS = 64  # inputs or outputs that are read

# Field numbers of onnx.proto3 (stable by protobuf's rules).
_MODEL_IR_VERSION, _MODEL_GRAPH, _MODEL_OPSET, _MODEL_METADATA = 1, 7, 8, 14
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_GRAPH_INPUT, _GRAPH_OUTPUT = 11, 12
_VALUE_NAME, _VALUE_TYPE, _TYPE_TENSOR, _TENSOR_SHAPE, _SHAPE_DIM, _DIM_SIZE, _DIM_NAME = 1, 2, 1, 2, 1, 1, 2
_NODE_ATTRIBUTE, _ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH = 5, 5, 6
_TENSOR_NAME, _TENSOR_EXTERNAL_DATA, _TENSOR_LOCATION, _EXTERNAL = 8, 13, 14, 1
_MODEL_FUNCTION, _FUNCTION_NODE = 25, 7

Field = tuple[int, int | memoryview]  # number, and a varint or the bytes of a length-delimited field


class MalformedProtobuf(ValueError):
    """The bytes are not a protobuf message, or end inside one."""


@dataclass(frozen=True)
class Border:
    """An input or output of the graph.

    Attributes:
        shape: sides; a name, or "?", where one may change.
    """

    name: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class External:
    """A tensor whose data lies in another file.

    Attributes:
        location: of that file, as the model says it: relative to the model's folder, unless somebody means harm.
    """

    name: str
    location: str

    @property
    def outside(self) -> bool:
        """The location leaves the model's folder."""
        steps = self.location.replace("\\", "/").split("/")
        return bool(self.location) and (steps[0] == "" or ".." in steps or ":" in steps[0])


@dataclass(frozen=True)
class OnnxMetadata:
    """What the head and tail of the file say.

    Attributes:
        ir_version: 0 where absent.
        has_graph: False for a protobuf that is no model.
        opset: of the default domain, 0 where absent.
        properties: `metadata_props`.
        external: tensors whose data lies in another file.
        inputs, outputs: of the graph; tensors that also stand among the weights are left in.
    """

    ir_version: int
    has_graph: bool
    opset: int
    properties: dict[str, str]
    external: tuple[External, ...]
    inputs: tuple[Border, ...] = ()
    outputs: tuple[Border, ...] = ()


def read_onnx_metadata(data: bytes) -> OnnxMetadata:
    """Walk a ModelProto.

    Raises:
        MalformedProtobuf: cut short, or no protobuf at all.
    """
    ir_version, opset, has_graph = 0, 0, False
    properties: dict[str, str] = {}
    external: list[External] = []
    borders: dict[int, list[Border]] = {_GRAPH_INPUT: [], _GRAPH_OUTPUT: []}
    for number, value in _fields(memoryview(data)):
        if number == _MODEL_IR_VERSION and isinstance(value, int):
            ir_version = value
        elif number == _MODEL_OPSET:
            opset = max(opset, _opset_version(_message(value)))
        elif number == _MODEL_METADATA:
            properties.update(_entry(_message(value)))
        elif number == _MODEL_FUNCTION:
            external += _external_in_nodes(_message(value), _FUNCTION_NODE, MAX_DEPTH)
        elif number == _MODEL_GRAPH:
            has_graph = True
            external += _external_tensors(_message(value), MAX_DEPTH)
            for part, border in _fields(_message(value)):
                if part in borders and len(borders[part]) < MAX_BORDERS:
                    borders[part].append(_border(_message(border)))
    inputs, outputs = (tuple(found) for found in borders.values())
    return OnnxMetadata(ir_version, has_graph, opset, properties, tuple(external), inputs, outputs)


def _fields(data: memoryview) -> Iterator[Field]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise MalformedProtobuf(f"field number 0 at byte {at}")
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise MalformedProtobuf(f"wire type {wire} at byte {at}")
        if length > len(data) - at:
            raise MalformedProtobuf(f"a field of {length} bytes at byte {at}, but {len(data) - at} are left")
        yield number, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise MalformedProtobuf("ends inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise MalformedProtobuf(f"a number of more than ten bytes at byte {at}")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise MalformedProtobuf("a number where a message belongs")
    return value


def _text(value: int | memoryview) -> str:
    raw = _message(value)
    if len(raw) > MAX_METADATA_BYTES:
        raise MalformedProtobuf(f"metadata of {len(raw)} bytes")
    return bytes(raw).decode("utf-8", errors="replace")


def _entry(data: memoryview) -> dict[str, str]:
    fields = {number: value for number, value in _fields(data) if number in (1, 2)}
    return {_text(fields[1]): _text(fields[2])} if {1, 2} <= fields.keys() else {}


def _border(value_info: memoryview) -> Border:
    name, sides = "", []
    for number, value in _fields(value_info):
        if number == _VALUE_NAME:
            name = _text(value)
        elif number == _VALUE_TYPE:
            sides = [
                _side(dim)
                for tensor in _children(value, _TYPE_TENSOR)
                for shape in _children(tensor, _TENSOR_SHAPE)
                for dim in _children(shape, _SHAPE_DIM)
            ]
    return Border(name, tuple(sides[:MAX_BORDERS]))


def _children(value: int | memoryview, wanted: int) -> list[memoryview]:
    return [_message(child) for number, child in _fields(_message(value)) if number == wanted]


def _side(dim: memoryview) -> int | str:
    for number, value in _fields(dim):
        if number == _DIM_SIZE and isinstance(value, int):
            return value
        if number == _DIM_NAME:
            return _text(value)
    return "?"


def _opset_version(data: memoryview) -> int:
    fields = dict(_fields(data))
    domain, version = fields.get(1, memoryview(b"")), fields.get(2, 0)
    default_domain = isinstance(domain, memoryview) and bytes(domain[:8]) in (b"", b"ai.onnx")
    return version if default_domain and isinstance(version, int) else 0


def _external_tensors(graph: memoryview, depth: int) -> list[External]:
    if depth == 0:
        raise MalformedProtobuf(f"graphs nested deeper than {MAX_DEPTH}")
    found = _external_in_nodes(graph, _GRAPH_NODE, depth)
    for number, value in _fields(graph):
        if number == _GRAPH_INITIALIZER:
            found += _if_external(_message(value))
        elif number == _GRAPH_SPARSE:
            for part, tensor in _fields(_message(value)):
                found += _if_external(_message(tensor)) if part in (1, 2) else []
    return found


def _external_in_nodes(graph: memoryview, node: int, depth: int) -> list[External]:
    """Of a graph, or of a function, whose nodes stand in another field."""
    found: list[External] = []
    for value in _children(graph, node):
        for attribute in _children(value, _NODE_ATTRIBUTE):
            found += _external_in_attribute(attribute, depth)
    return found


def _external_in_attribute(attribute: memoryview, depth: int) -> list[External]:
    found: list[External] = []
    for number, value in _fields(attribute):
        if number == _ATTRIBUTE_TENSOR:
            found += _if_external(_message(value))
        elif number == _ATTRIBUTE_GRAPH:
            found += _external_tensors(_message(value), depth - 1)
    return found


def _if_external(tensor: memoryview) -> list[External]:
    name, location, external = "", "", False
    for number, value in _fields(tensor):
        if number == _TENSOR_NAME:
            name = _text(value)
        elif number == _TENSOR_LOCATION:
            external = value == _EXTERNAL
        elif number == _TENSOR_EXTERNAL_DATA:
            location = _entry(_message(value)).get("location", location)
    return [External(name or "(unnamed)", location)] if external else []
