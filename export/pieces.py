"""A model's bytes one weight at a time: a copy of an RRDB as one string is a tenth of what an export may use."""

from collections.abc import Iterator

import onnx
from google.protobuf.message import Message

# Field numbers of onnx.proto3 (stable by protobuf's rules), each with wire type 2: a length, then that many bytes.
GRAPH_TAG, INITIALIZER_TAG = 7 << 3 | 2, 5 << 3 | 2


def pieces(model: onnx.ModelProto) -> Iterator[bytes]:
    """Bytes that together are the model. The same model gives the same bytes; the weights come last."""
    graph = _without(model.graph, "initializer").SerializeToString(deterministic=True)
    sizes = [tensor.ByteSize() for tensor in model.graph.initializer]
    length = len(graph) + sum(1 + len(_varint(size)) + size for size in sizes)
    yield _without(model, "graph").SerializeToString(deterministic=True)
    yield bytes((GRAPH_TAG,)) + _varint(length) + graph
    for size, tensor in zip(sizes, model.graph.initializer, strict=True):
        yield bytes((INITIALIZER_TAG,)) + _varint(size)
        yield tensor.SerializeToString(deterministic=True)


def _without(message: Message, left_out: str) -> Message:
    """A copy without one field, which is never copied."""
    copy = type(message)()
    for field, value in message.ListFields():
        if field.name == left_out:
            continue
        if isinstance(value, Message):
            getattr(copy, field.name).CopyFrom(value)
        elif hasattr(value, "extend"):
            getattr(copy, field.name).extend(value)
        else:
            setattr(copy, field.name, value)
    return copy


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))
