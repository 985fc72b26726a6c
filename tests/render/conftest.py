"""Image models of a few nodes, whose output is known without a network: for tests of what happens around one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Nodes = list[Any]
PLATES = Path(__file__).resolve().parents[2].parent / "shared" / "plates"


@pytest.fixture(scope="session")
def image_model() -> Callable[..., Path]:
    """`make_image_model`."""
    return make_image_model


@pytest.fixture
def plates() -> Path:
    """Real plates: OpenEXR's own test pictures."""
    if not PLATES.is_dir():
        pytest.skip(f"the shared plates are not at {PLATES}")
    return PLATES


def make_image_model(path: Path, kind: str = "identity", *, scale: int = 1, channels: int = 3, **options: Any) -> Path:
    """Write an ONNX model that takes any height and width.

    Args:
        kind: "identity" gives what it gets, enlarged bilinearly; "tanh" ends in one, nearly saturated at the ends
            (the more, the larger `gain` is); "smooth" gives the means over 7×7 px, enlarged;
            "blocks" gives what it gets, but only of sides that are multiples of 4; "nan" gives NaN below -0.9; "mean"
            adds half of the mean of all that it is given; "shaky" stirs each block of 4×4 px, so that what it gives
            changes as a picture moves.
        options: `channels_out`, `size` (H, W, static), and fields of the spec.
    """
    onnx = pytest.importorskip("onnx", reason="the train extra makes the tests' models")
    from onnx import TensorProto, helper, numpy_helper

    channels_out, gain = options.pop("channels_out", channels), options.pop("gain", 3.0)
    height, width = options.pop("size", ("height", "width"))
    nodes, weights = _nodes(kind, scale, channels, channels_out, gain)
    out = (height * scale, width * scale) if isinstance(height, int) else ("out_height", "out_width")
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, channels, height, width])],
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, channels_out, *out])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    spec = {
        "spec_version": 1,
        "name": f"tiny {kind}",
        "kind": "upscaler" if scale > 1 else "translator",
        "architecture": "srresnet",
        "input": {"kind": "image", "channels": channels},
        "scale": scale,
        "channels_out": channels_out,
        "encoding": {"name": "extended-srgb", "peak": 1.0},
    }
    entry = model.metadata_props.add()
    entry.key, entry.value = "vfxgan", json.dumps(spec | options)
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(path))
    return path


def _nodes(kind: str, scale: int, channels: int, channels_out: int, gain: float) -> tuple[Nodes, dict[str, Any]]:
    from onnx import helper

    side = 7 if kind == "smooth" else 1
    mix = np.zeros((channels_out, channels, side, side), np.float32)
    for row in range(channels_out):
        mix[row, min(row, channels - 1)] = 1 / side**2
    weights: dict[str, Any] = {"mix": mix}
    nodes = [helper.make_node("Conv", ["image", "mix"], ["mixed"], pads=[side // 2] * 4)]
    last = "mixed"
    if scale > 1:
        weights |= {"scales": np.array([1, 1, scale, scale], np.float32), "none": np.zeros(0, np.float32)}
        nodes.append(helper.make_node("Resize", [last, "none", "scales"], ["large"], mode="linear"))
        last = "large"
    if kind == "tanh":
        weights["gain"] = np.array(gain, np.float32)
        nodes += [helper.make_node("Mul", [last, "gain"], ["steep"]), helper.make_node("Tanh", ["steep"], ["picture"])]
    elif kind == "blocks":
        nodes.append(helper.make_node("SpaceToDepth", [last], ["deep"], blocksize=4))
        nodes.append(helper.make_node("DepthToSpace", ["deep"], ["picture"], blocksize=4))
    elif kind == "shaky":
        deep = 16 * channels_out
        mixing = np.eye(deep) + 0.06 * np.random.RandomState(5).randn(deep, deep)
        weights["mixing"] = mixing.astype(np.float32)[:, :, None, None]
        nodes.append(helper.make_node("SpaceToDepth", [last], ["deep"], blocksize=4))
        nodes.append(helper.make_node("Conv", ["deep", "mixing"], ["stirred"]))
        nodes.append(helper.make_node("DepthToSpace", ["stirred"], ["picture"], blocksize=4))
    elif kind == "mean":
        weights["half"] = np.array(0.5, np.float32)
        nodes.append(helper.make_node("GlobalAveragePool", [last], ["average"]))
        nodes.append(helper.make_node("Mul", ["average", "half"], ["added"]))
        nodes.append(helper.make_node("Add", [last, "added"], ["picture"]))
    elif kind == "nan":
        weights["limit"] = np.array(0.9, np.float32)
        nodes.append(helper.make_node("Add", [last, "limit"], ["over"]))
        nodes.append(helper.make_node("Sqrt", ["over"], ["picture"]))
    else:
        nodes.append(helper.make_node("Identity", [last], ["picture"]))
    return nodes, weights
