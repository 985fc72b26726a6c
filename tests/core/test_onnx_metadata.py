"""Hostile and damaged model files cost an error, and neither time nor memory."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfxgan.onnx_metadata import MalformedProtobuf, read_onnx_metadata


def test_metadata_is_that_of_the_onnx_package(tiny: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(tiny))
    found = read_onnx_metadata(tiny.read_bytes())
    assert found.ir_version == model.ir_version
    assert found.opset == model.opset_import[0].version
    assert found.properties == {entry.key: entry.value for entry in model.metadata_props}
    assert found.external == ()
    assert found.has_graph
    for ours, theirs in ((found.inputs, model.graph.input), (found.outputs, model.graph.output)):
        sides = [[side.dim_value for side in value.type.tensor_type.shape.dim] for value in theirs]
        assert [(border.name, list(border.shape)) for border in ours] == [
            (value.name, shape) for value, shape in zip(theirs, sides, strict=True)
        ]


def test_every_cut_is_an_error_or_loses_the_spec(tiny: Path) -> None:
    data = tiny.read_bytes()
    for end in [*range(0, 200), *range(200, len(data), 997), len(data) - 1]:
        try:
            found = read_onnx_metadata(data[:end])
        except MalformedProtobuf:
            continue
        assert "vfxgan" not in found.properties


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        read_onnx_metadata(data)
    except MalformedProtobuf as error:
        assert str(error)  # noqa: PT017 - either outcome is right, any other exception is not


def test_graphs_nested_without_end_are_refused() -> None:
    graph = b""
    for _ in range(40):  # graph { node { attribute { g: graph } } }
        for field in (6, 5, 1):
            graph = bytes([field << 3 | 2]) + _varint(len(graph)) + graph
    with pytest.raises(MalformedProtobuf, match="nested"):
        read_onnx_metadata(b"\x08\x08\x3a" + _varint(len(graph)) + graph)


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])
