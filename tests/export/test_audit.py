"""The range audit, proved in true half arithmetic: CPU runtimes compute half graphs in FP32 and would show nothing."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from vfxgan.errors import ModelError, ParityError
from vfxgan.export.audit import LIMIT, audit_ranges
from vfxgan.export.half import to_half
from vfxgan.export.onnxruntime_cpu import CpuSession

PADDED = {"pads": [1, 1, 1, 1]}


def build(nodes, weights, shape=(1, 3, 8, 8), opset=17):
    """A graph from (operator, inputs, outputs[, attributes]) lines; `x` goes in, `y` comes out."""
    made = [helper.make_node(kind, ins, outs, f"the_{outs[0]}", **dict(*rest)) for kind, ins, outs, *rest in nodes]
    graph = helper.make_graph(
        made,
        "hand-made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * len(shape))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def in_true_half(model, x, blind=False):
    """Run a graph node by node; what is half is rounded to half after every product and every addition.

    Args:
        blind: casts to float32 are ignored, so that norms and activations are half as well.
    """
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer} | {"": None, "x": x}
    with np.errstate(all="ignore"):
        for node in model.graph.node:
            inputs = [values[name] for name in node.input]
            if blind and node.op_type != "Cast":
                inputs = [v.astype(np.float16) if v is not None and v.dtype == np.float32 else v for v in inputs]
            if node.op_type == "Cast":
                result = inputs[0] if blind else inputs[0].astype(helper.tensor_dtype_to_np_dtype(node.attribute[0].i))
            elif node.op_type in ("Conv", "Gemm", "MatMul"):
                result = summed(*inputs) if node.op_type == "Conv" else summed_matrix(node.op_type, *inputs)
            elif node.op_type == "InstanceNormalization":
                result = normed(*inputs)
            else:
                (result,) = ReferenceEvaluator(node).run(None, dict(zip(node.input, inputs, strict=True)))
            values[node.output[0]] = result
    return values["y"].astype(np.float32)


def summed(x, w, bias=None):
    """A 3×3 convolution, padded by 1, term by term."""
    height, width = x.shape[2:]
    padded = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
    total = np.zeros((w.shape[0], height, width), x.dtype)
    for channel in range(w.shape[1]):
        for down, across in np.ndindex(3, 3):
            window = padded[channel, down : down + height, across : across + width]
            total = total + w[:, channel, down, across, None, None] * window
    return (total if bias is None else total + bias[:, None, None])[None]


def summed_matrix(kind, x, w, bias=None):
    w = w.T if kind == "Gemm" else w
    total = np.zeros((x.shape[0], w.shape[1]), x.dtype)
    for k in range(w.shape[0]):
        total = total + x[:, k : k + 1] * w[k]
    return total if bias is None else total + bias


def normed(x, gain, offset):
    """Instance norm as a kernel has it: the sum and the sum of squares in one pass."""
    flat, count = x.reshape(*x.shape[:2], -1), x.dtype.type(x[0, 0].size)
    mean, square = (np.add.accumulate(v, -1, x.dtype)[..., -1:] / count for v in (flat, flat * flat))
    deviation = np.sqrt(square - mean * mean + x.dtype.type(1e-5))
    return ((flat - mean) / deviation * gain[:, None] + offset[:, None]).reshape(x.shape)


def psnr(a, b, width=2.0):
    return 10 * np.log10(width**2 / np.mean((a.astype(np.float64) - b) ** 2))


def in_float32(model, x):
    return CpuSession(model.SerializeToString()).run(x)[0]


def signal(seed, shape=(1, 3, 8, 8)):
    return np.random.RandomState(seed).uniform(-1, 1, shape).astype(np.float32)


def weights(seed, outputs, inputs, gain=1.0):
    stream = np.random.RandomState(seed)
    return (gain * stream.randn(outputs, inputs, 3, 3) / np.sqrt(9 * inputs)).astype(np.float32)


@pytest.fixture
def cancelling():
    """A convolution whose sums pass 65,504 on the way to a small result: what half its inputs add, the others take."""
    spread, fine = weights(0, 32, 3, 300.0), weights(1, 3, 32, 1 / 300)
    cancel = np.concatenate([np.full((32, 32, 3, 3), 4.0), np.full((32, 32, 3, 3), -4.0)], 1).astype(np.float32)
    spread = np.concatenate([spread, spread])
    cancel[:, :32] += weights(2, 32, 32)
    return build(
        [
            ("Conv", ["x", "spread"], ["a"], PADDED),
            ("Relu", ["a"], ["b"]),
            ("Conv", ["b", "cancel"], ["c"], PADDED),
            ("LeakyRelu", ["c"], ["d"], {"alpha": 0.2}),
            ("Conv", ["d", "fine"], ["e"], PADDED),
            ("Tanh", ["e"], ["y"]),
        ],
        {"spread": spread, "cancel": cancel, "fine": fine},
    )


def test_convolution_sums_that_overflow_give_inf_without_the_audit_and_the_picture_with_it(cancelling):
    x = signal(7)
    reference = in_float32(cancelling, x)
    assert np.abs(reference).max() < 1  # the result is tame: only a sum on the way to it is not
    ranges = audit_ranges(cancelling, [signal(seed) for seed in range(3)])
    assert ranges.kept_fp32 == ("the_c",)
    assert ranges.largest > 65504
    assert ranges.inputs == 3

    blind = to_half(cancelling)
    assert psnr(in_float32(blind, x), reference) > 55  # the CPU runtime sees nothing
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(in_true_half(stopped_before_tanh(blind), x)).all()
    audited = in_true_half(to_half(cancelling, ranges.kept_fp32), x)
    assert psnr(audited, reference) > 55


def stopped_before_tanh(model):
    """Without its last activation, which turns Inf to 1."""
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    last = cut.graph.node.pop()
    cut.graph.node[-1].output[0] = last.output[0]
    return cut


def test_instance_norm_overflows_in_true_half_and_does_not_as_converted():
    model = build(
        [
            ("Conv", ["x", "w0"], ["a"], PADDED),
            ("InstanceNormalization", ["a", "ones", "zeros"], ["n"], {"epsilon": 1e-5}),
            ("Relu", ["n"], ["r"]),
            ("Conv", ["r", "w1"], ["e"], PADDED),
            ("Tanh", ["e"], ["y"]),
        ],
        {"w0": weights(0, 8, 3, 300.0), "w1": weights(1, 3, 8, 0.4)}
        | {"ones": np.ones(8, np.float32), "zeros": np.zeros(8, np.float32)},
        shape=(1, 3, 16, 16),
    )
    x = signal(3, (1, 3, 16, 16))
    reference = in_float32(model, x)
    ranges = audit_ranges(model, [x])
    assert ranges.kept_fp32 == ()  # values of a few hundred are harmless; their squares and sums are not
    half = to_half(model, ranges.kept_fp32)
    assert psnr(in_true_half(half, x), reference) > 55
    blind = in_true_half(half, x, blind=True)
    assert not np.isfinite(blind).all() or psnr(blind, reference) < 20


def test_what_reads_an_output_beyond_the_limit_stays_float32_and_so_does_all_in_between():
    model = build(
        [
            ("Conv", ["x", "w0"], ["a"], PADDED),
            ("Conv", ["a", "large"], ["b"], PADDED),
            ("LeakyRelu", ["b"], ["c"], {"alpha": 0.2}),
            ("Concat", ["c", "a"], ["d"], {"axis": 1}),
            ("Conv", ["d", "small"], ["e"], PADDED),
            ("Conv", ["e", "w1"], ["f"], PADDED),
            ("Tanh", ["f"], ["y"]),
        ],
        {
            "w0": weights(0, 4, 3),
            "large": weights(1, 4, 4, 6e4),
            "small": weights(2, 4, 8, 1e-4),
            "w1": weights(3, 3, 4),
        },
    )
    x = signal(1)
    ranges = audit_ranges(model, [x])
    assert ranges.kept_fp32 == ("the_b", "the_c", "the_d", "the_e")
    assert ranges.largest > 1e5
    half = to_half(model, ranges.kept_fp32)
    casts = [(node.input[0], node.output[0]) for node in half.graph.node if node.op_type == "Cast"]
    assert [source for source, _ in casts] == ["x", "a", "e", "f"]  # none on b, c or d
    assert psnr(in_true_half(half, x), in_float32(model, x)) > 55


def test_sums_count_magnitudes_of_weights_inputs_and_bias_in_matrix_products_too():
    w = np.array([[3.0, -2.0], [-1.0, 4.0]], np.float32)
    model = build(
        [
            ("Gemm", ["x", "w", "bias"], ["a"], {"alpha": -0.5, "beta": -2.0, "transB": 1}),
            ("MatMul", ["a", "w"], ["y"]),
        ],
        {"w": w, "bias": np.array([-1.0, 5.0], np.float32)},
        shape=(1, 2),
    )
    ranges = audit_ranges(model, [np.array([[-7.0, 2.0]], np.float32)])
    sums = 0.5 * np.abs(w) @ [7.0, 2.0] + [2.0, 10.0]
    a = -0.5 * w @ [-7.0, 2.0] + [2.0, -10.0]
    assert ranges.largest == pytest.approx(max(*sums, *(np.abs(a) @ np.abs(w))))


def test_the_limit_is_half_of_what_half_holds_and_the_largest_input_decides():
    model = build([("Conv", ["x", "w"], ["a"], PADDED), ("Tanh", ["a"], ["y"])], {"w": weights(0, 3, 3)})
    one = np.zeros((3, 3, 3, 3), np.float32)
    one[range(3), range(3), 1, 1] = 1
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(one, "w"))
    below, above = (np.full((1, 3, 8, 8), v, np.float32) for v in (-LIMIT, LIMIT * 1.01))
    assert audit_ranges(model, [below, signal(0)]).kept_fp32 == ()
    found = audit_ranges(model, [signal(0), above, below])
    assert found.kept_fp32 == ("the_a", "the_y")
    assert found.largest == pytest.approx(LIMIT * 1.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_or_inf_anywhere_is_an_error_that_names_the_node_and_the_input(bad):
    """Also where it does not reach the picture: Inf is clipped here."""
    model = build(
        [
            ("Conv", ["x", "w"], ["a"], PADDED),
            ("Log", ["x"], ["log"]),
            ("Clip", ["log", "low"], ["clipped"]),
            ("Mul", ["clipped", "zero"], ["none"]),
            ("Add", ["a", "none"], ["b"]),
            ("Tanh", ["b"], ["y"]),
        ],
        {"w": weights(0, 3, 3), "zero": np.float32(0), "low": np.float32(-10)},
    )
    good = np.abs(signal(0)) + 0.1
    hit = good.copy()
    hit[0, 2, 5, 7] = -1.0 if np.isnan(bad) else 0.0
    with pytest.raises(ParityError, match=r"node the_log \(Log\) gives NaN or Inf in FP32 on input 2 of the"):
        audit_ranges(model, [good, hit])
    hit[0, 2, 5, 7] = bad
    with pytest.raises(ParityError, match="the input x gives NaN or Inf in FP32 on input 1 "):
        audit_ranges(model, [hit])


def test_without_inputs_nothing_is_claimed():
    model = build([("Conv", ["x", "w"], ["y"], PADDED)], {"w": weights(0, 3, 3)})
    with pytest.raises(ModelError, match="was given no input"):
        audit_ranges(model, [])
