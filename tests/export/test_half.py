"""The half conversion: what becomes half, what stays, and that every reader of the file takes it."""

import collections

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from vfxgan.errors import ModelError
from vfxgan.export.fold import fold_batch_norms
from vfxgan.export.half import to_half
from vfxgan.export.onnx_file import to_onnx
from vfxgan.export.onnxruntime_cpu import CpuSession
from vfxgan.spec import ImageInput, LatentInput, ModelSpec
from vfxgan.trainer.networks import build_generator

NARROW = {"blocks": 1, "width": 8}
TRANSLATOR = {"kind": "translator", "value_range": (-1.0, 1.0)}
UPSCALER = {"kind": "upscaler", "value_range": (0.0, 1.0)}
SPECS = {
    "dcgan": {
        "kind": "generator",
        "architecture": "dcgan",
        "arguments": {"size": 32, "channels": (16, 8, 8, 8), "upsample": "bilinear", "z_size": 8, "noise_to": 16}
        | {"border_px": 3},
        "input": LatentInput(size=8 + 8 * 8 + 16 * 16, interval=1.0),
        "size": (32, 32),
        "channels_out": 4,
    },
    "unet": TRANSLATOR | {"architecture": "pix2pix-unet", "arguments": {"depth": 3, "width": 8, "dropout": False}},
    "resnet-instance": TRANSLATOR
    | {"architecture": "pix2pix-resnet", "arguments": NARROW | {"norm": "instance", "dropout": False}},
    "srresnet": UPSCALER | {"architecture": "srresnet", "arguments": NARROW, "scale": 4},
    "rrdb-x2": UPSCALER | {"architecture": "rrdb", "arguments": NARROW | {"growth": 4, "scale": 2}, "scale": 2},
}
MULTIPLES = {"unet": 8, "resnet-instance": 4, "rrdb-x2": 2}


@pytest.fixture(scope="module", params=[*(name for name in SPECS if name != "srresnet"), "srresnet, opset 17"])
def exported(request):
    """The FP32 graph of a small network, weights as they are before training, scaled up so that something happens."""
    name, _, old = request.param.partition(",")
    fields = {"input": ImageInput(channels=3, size_multiple=MULTIPLES.get(name, 1)), "channels_out": 3} | SPECS[name]
    spec = ModelSpec(name=name, **fields)
    torch.manual_seed(5)
    network = build_generator(spec).eval()
    with torch.no_grad():
        for key, weight in network.named_parameters():
            if weight.ndim == 4 and "noise" not in key:
                weight.copy_(torch.randn_like(weight) / np.sqrt(weight[0].numel()))
    return spec, to_onnx(fold_batch_norms(network), spec, opset=17 if old else 20)


def build(nodes, weights, shape=(1, 3, 8, 8), opset=17):
    """A graph from (operator, inputs, outputs[, attributes]) lines; `x` goes in, `y` comes out."""
    made = [helper.make_node(kind, ins, outs, outs[0], **dict(*rest)) for kind, ins, outs, *rest in nodes]
    graph = helper.make_graph(
        made,
        "hand-made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "c", "h", "w"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def types_of(model):
    """The element type of every tensor, by strict inference."""
    graph = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True).graph
    found = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.value_info, *graph.output)}
    return found | {tensor.name: tensor.data_type for tensor in graph.initializer}


def precision_of(model):
    """By node: what it gives."""
    types = types_of(model)
    return {node.name: types[node.output[0]] for node in model.graph.node}


def conv(seed=0, channels=(3, 3), gain=1.0):
    stream = np.random.RandomState(seed)
    return (gain * stream.randn(channels[1], channels[0], 3, 3) / np.sqrt(9 * channels[0])).astype(np.float32)


PADDED = {"pads": [1, 1, 1, 1]}


def test_the_file_is_valid_half_the_size_and_float32_at_both_ends(exported):
    _, model = exported
    half = to_half(model)
    onnx.checker.check_model(half, full_check=True)
    assert (half.ir_version, half.opset_import) == (model.ir_version, model.opset_import)
    for value in (*half.graph.input, *half.graph.output):
        assert value.type.tensor_type.elem_type == TensorProto.FLOAT
    assert [value.name for value in half.graph.output] == ["picture"]
    bytes_of = [sum(len(tensor.raw_data) for tensor in graph.graph.initializer) for graph in (model, half)]
    assert bytes_of[1] < 0.62 * bytes_of[0]


def test_every_convolution_is_half_and_no_node_mixes_types(exported):
    """TensorRT, strongly typed, takes nothing else."""
    _, model = exported
    half = to_half(model)
    types = types_of(half)
    floats = {TensorProto.FLOAT, TensorProto.FLOAT16}
    for node in half.graph.node:
        inputs = [types[name] for place, name in enumerate(node.input) if name and types[name] in floats]
        if node.op_type == "Resize":
            assert types[node.input[2]] == TensorProto.FLOAT  # scales
            inputs = inputs[:1]
        if node.op_type != "Cast":
            assert len({*inputs, *(types[name] for name in node.output if types[name] in floats)}) <= 1, node
        if node.op_type in ("Conv", "ConvTranspose", "Gemm"):
            assert set(inputs) == {TensorProto.FLOAT16}
        if node.op_type in ("InstanceNormalization", "Tanh"):
            assert set(inputs) == {TensorProto.FLOAT}


def test_casts_stand_at_borders_only_and_none_twice(exported):
    _, model = exported
    half = to_half(model)
    casts = [node for node in half.graph.node if node.op_type == "Cast"]
    made = {node.output[0] for node in casts}
    assert not any(node.input[0] in made for node in casts)
    assert max(collections.Counter(node.input[0] for node in casts).values()) == 1
    norms = sum(node.op_type == "InstanceNormalization" for node in half.graph.node)
    noise = sum(name.name == "latent" for name in half.graph.input) * 2  # each map is part of the input
    assert len(casts) == 2 + 2 * norms + noise


def test_the_pictures_stay_within_the_gate_and_the_bytes_repeat(exported):
    spec, model = exported
    half = to_half(model)
    assert half.SerializeToString(deterministic=True) == to_half(model).SerializeToString(deterministic=True)
    shape = (1, spec.input.size) if spec.size else (1, 3, 24, 40)
    x = np.random.RandomState(0).uniform(*spec.value_range, shape).astype(np.float32)
    (before,), (after,) = (CpuSession(graph.SerializeToString()).run(x) for graph in (model, half))
    width = spec.value_range[1] - spec.value_range[0]
    assert before.std() > 0.02 * width
    assert np.abs(after - before).max() < 1e-2 * width
    assert 10 * np.log10(width**2 / np.mean((after - before) ** 2)) > 55


def test_the_last_activation_and_all_after_it_and_the_sum_with_the_picture_stay_float32():
    model = build(
        [
            ("Conv", ["x", "w0"], ["c0"], PADDED),
            ("Sigmoid", ["c0"], ["gate"]),
            ("Mul", ["c0", "gate"], ["gated"]),
            ("Conv", ["gated", "w1"], ["c1"], PADDED),
            ("Tanh", ["c1"], ["t"]),
            ("Mul", ["t", "gain"], ["m"]),
            ("Add", ["m", "x"], ["y"]),
        ],
        {"w0": conv(0), "w1": conv(1), "gain": np.float32(0.5)},
    )
    found = precision_of(to_half(model))
    half = {name for name, kind in found.items() if kind == TensorProto.FLOAT16 and not name.startswith("cast")}
    assert half == {"c0", "gated", "c1"}  # a gate in the middle is FP32 itself; what it multiplies is not


def test_a_norm_that_is_written_out_stays_float32_whole():
    model = build(
        [
            ("Conv", ["x", "w0"], ["c"], PADDED),
            ("ReduceMean", ["c"], ["mean"], {"axes": [2, 3]}),
            ("Sub", ["c", "mean"], ["centred"]),
            ("Mul", ["centred", "centred"], ["squares"]),
            ("ReduceMean", ["squares"], ["variance"], {"axes": [2, 3]}),
            ("Add", ["variance", "epsilon"], ["above"]),
            ("Sqrt", ["above"], ["deviation"]),
            ("Reciprocal", ["deviation"], ["scale"]),
            ("Mul", ["centred", "scale"], ["normed"]),
            ("Add", ["normed", "offset"], ["moved"]),
            ("Relu", ["moved"], ["r"]),
            ("Conv", ["r", "w1"], ["y"], PADDED),
        ],
        {"w0": conv(0), "w1": conv(1), "epsilon": np.float32(1e-5), "offset": np.ones((3, 1, 1), np.float32)},
    )
    found = precision_of(to_half(model))
    assert {name for name, kind in found.items() if kind == TensorProto.FLOAT16 and not name.startswith("cast")} == {
        "c",
        "r",
        "y",
    }


def test_a_mean_of_squares_stays_float32_from_the_square_on():
    model = build(
        [
            ("Conv", ["x", "w0"], ["c"], PADDED),
            ("Mul", ["c", "c"], ["squares"]),
            ("ReduceMean", ["squares"], ["power"], {"axes": [2, 3]}),
            ("Conv", ["power", "w1"], ["k"], PADDED),
            ("Mul", ["c", "k"], ["m"]),
            ("Conv", ["m", "w1"], ["y"], PADDED),
        ],
        {"w0": conv(0), "w1": conv(1)},
    )
    found = precision_of(to_half(model))
    assert (found["squares"], found["power"]) == (TensorProto.FLOAT, TensorProto.FLOAT)
    assert (found["k"], found["m"]) == (TensorProto.FLOAT16, TensorProto.FLOAT16)


def test_named_nodes_stay_float32_without_a_cast_between_neighbours():
    model = build(
        [
            ("Conv", ["x", "w0"], ["a"], PADDED),
            ("LeakyRelu", ["a"], ["b"], {"alpha": 0.2}),
            ("Conv", ["b", "w1"], ["c"], PADDED),
            ("Relu", ["c"], ["d"]),
            ("Conv", ["d", "w1"], ["y"], PADDED),
        ],
        {"w0": conv(0), "w1": conv(1)},
    )
    half = to_half(model, ["a", "c"])  # b is left alone between two that stay: it would cost casts and save nothing
    kinds = [node.op_type for node in half.graph.node]
    assert kinds == ["Conv", "LeakyRelu", "Conv", "Cast", "Relu", "Conv", "Cast"]
    types = types_of(half)
    assert types["w1"] == TensorProto.FLOAT  # shared by both precisions, so it is there in both
    assert types["w1_half"] == TensorProto.FLOAT16
    assert "w0_half" not in types


def test_a_name_that_no_node_has_is_an_error():
    model = build([("Conv", ["x", "w0"], ["y"], PADDED)], {"w0": conv()})
    with pytest.raises(ModelError, match="keep_fp32 names 'conv_9', which no node"):
        to_half(model, ["conv_9"])


@pytest.mark.parametrize("gain", [3e5, 1e-9])
def test_weights_that_half_cannot_hold_keep_their_node_float32(gain):
    back = np.full((3, 1, 1), 1 / gain, np.float32)
    model = build(
        [
            ("Conv", ["x", "w0"], ["a"], PADDED),
            ("Conv", ["a", "w1"], ["b"], PADDED),
            ("Mul", ["b", "back"], ["m"]),
            ("Conv", ["m", "w0"], ["y"], PADDED),
        ],
        {"w0": conv(0), "w1": conv(1, gain=gain), "back": back},
    )
    found = precision_of(to_half(model))
    assert [found[name] for name in "abm"] == [TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.FLOAT]


def test_constants_of_pad_and_clip_get_the_type_of_their_node_and_shapes_stay_integers():
    constant = numpy_helper.from_array(np.float32(0.25))
    model = build(
        [
            ("Conv", ["x", "w0"], ["a"], PADDED),
            ("Constant", [], ["edge"], {"value": constant}),
            ("Pad", ["a", "pads", "edge"], ["b"]),
            ("Constant", [], ["six"], {"value_float": 6.0}),
            ("Clip", ["b", "", "six"], ["c"]),
            ("Shape", ["c"], ["size"]),
            ("Reshape", ["c", "size"], ["d"]),
            ("Resize", ["d", "", "scales"], ["e"], {"mode": "linear"}),
            ("Conv", ["e", "w0"], ["f"], PADDED),
            ("Clip", ["f", "edge", "six"], ["y"]),
        ],
        {"w0": conv(), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "scales": np.array([1, 1, 2, 2], np.float32)},
    )
    half = to_half(model)
    types = types_of(half)
    assert [types[name] for name in "abcdef"] == [TensorProto.FLOAT16] * 6
    assert (types["y"], types["size"], types["scales"]) == (TensorProto.FLOAT, TensorProto.INT64, TensorProto.FLOAT)
    assert "Constant" not in {node.op_type for node in half.graph.node}
    x = np.random.RandomState(0).rand(1, 3, 8, 8).astype(np.float32)
    (before,), (after,) = (CpuSession(graph.SerializeToString()).run(x) for graph in (model, half))
    np.testing.assert_allclose(after, before, atol=5e-3)


def test_nodes_without_names_get_some_and_the_model_given_is_left_as_it_was():
    model = build([("Conv", ["x", "w0"], ["a"], PADDED), ("Tanh", ["a"], ["y"])], {"w0": conv()})
    for node in model.graph.node:
        node.name = ""
    before = model.SerializeToString()
    names = [node.name for node in to_half(model).graph.node]
    assert all(names)
    assert len(set(names)) == len(names)
    assert model.SerializeToString() == before


def test_a_graph_within_a_node_is_refused_in_one_line():
    inner = helper.make_graph([], "inner", [], [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)])
    model = build([("If", ["flag"], ["y"], {"then_branch": inner, "else_branch": inner})], {"flag": np.array(True)})
    with pytest.raises(ModelError, match=r"node y \(If\) holds a graph of its own; export with --precision fp32"):
        to_half(model)


@pytest.mark.parametrize(
    ("end", "is_picture"),
    [
        ([("Identity", ["c"], ["y"])], True),
        ([("Clip", ["c", "low"], ["d"]), ("Mul", ["d", "two"], ["y"])], True),
        ([("Tanh", ["c"], ["y"])], False),
        ([("Add", ["c", "x"], ["y"])], False),
    ],
)
def test_a_convolution_that_gives_the_picture_itself_can_be_kept_float32(end, is_picture):
    """A picture in −1…1 would have coarse shadows in half; a tanh, or a residual, brings them back."""
    lines = [("Conv", ["x", "w0"], ["a"], PADDED), ("Relu", ["a"], ["b"]), ("Conv", ["b", "w0"], ["c"], PADDED)]
    model = build([*lines, *end], {"w0": conv(), "low": np.float32(-1), "two": np.float32(2)})
    kept, usual = precision_of(to_half(model, keep_picture=True)), precision_of(to_half(model))
    assert (kept["a"], usual["c"]) == (TensorProto.FLOAT16, TensorProto.FLOAT16)
    assert kept["c"] == (TensorProto.FLOAT if is_picture else TensorProto.FLOAT16)
