"""`vfxgan export` on files of other people, from the command line to the picture."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional as F

from vfxgan.export.onnxruntime_cpu import CpuSession
from vfxgan.modelfile import read_model


@pytest.fixture
def upscaler(weights):
    """An MSRResNet ×2 of one block."""
    for name, out, entering in (
        ("conv_first", 4, 3),
        ("body.0.conv1", 4, 4),
        ("body.0.conv2", 4, 4),
        ("upconv1", 16, 4),
        ("conv_hr", 4, 4),
        ("conv_last", 3, 4),
    ):
        weights.conv(name, out, entering, 3, 3)
    return weights.tensors


def enlarged(state, x):
    """Its forward pass, in float64."""
    state = {name: tensor.double() for name, tensor in state.items()}

    def conv(x, name):
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    y = F.leaky_relu(conv(x, "conv_first"), 0.1)
    y = y + conv(F.relu(conv(y, "body.0.conv1")), "body.0.conv2")
    y = F.leaky_relu(F.pixel_shuffle(conv(y, "upconv1"), 2), 0.1)
    y = conv(F.leaky_relu(conv(y, "conv_hr"), 0.1), "conv_last")
    return y + F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


@pytest.fixture
def one_size(tmp_path):
    """An ONNX ×2 of other people that takes 16x24 only."""
    stream = np.random.RandomState(0)
    nodes = [
        helper.make_node("Conv", ["in", "w"], ["x"], pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["x"], ["out"], blocksize=2),
    ]
    weight = numpy_helper.from_array(stream.randn(12, 3, 3, 3).astype(np.float32) * 0.1, "w")
    given = helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, 16, 24])
    result = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3, 32, 48])
    graph = helper.make_graph(nodes, "g", [given], [result], [weight])
    path = tmp_path / "theirs.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_foreign_checkpoint_becomes_a_model_that_says_where_it_comes_from(upscaler, saved, cli, tmp_path):
    path = saved({"params_ema": {f"module.{name}": tensor for name, tensor in upscaler.items()}}, "net_g_400000.pth")
    done = cli("export", path)
    assert done.code == 0
    assert "recognised: BasicSR MSRResNet ×2" in done.err
    model = read_model(tmp_path / "net_g_400000.onnx")
    assert (model.spec.name, model.spec.provenance.source) == ("net_g_400000", "BasicSR MSRResNet ×2")
    x = torch.rand(1, 3, 10, 14)
    (found,) = CpuSession(model.read()).run(x.numpy())
    np.testing.assert_allclose(found, enlarged(upscaler, x.double()).numpy(), atol=2e-5)


def test_an_onnx_of_one_size_keeps_it_through_every_artefact(one_size, cli, tmp_path):
    stated = ("--kind", "upscaler", "--scale", 2, "--range", "0..1", "--out", tmp_path / "ours.onnx")
    assert cli("export", one_size, *stated, "--precision", "fp32", "--precision", "fp16").code == 0
    assert read_model(tmp_path / "ours.fp16.onnx").inputs[0].shape == (1, 3, 16, 24)
    again = cli("export", tmp_path / "ours.onnx", "--precision", "fp16", "--tile", "32x32", "--overwrite")
    assert (again.code, "ours.onnx takes 16x24 only; give that, or none" in again.line) == (2, True)


def test_what_is_missing_is_a_usage_error_and_what_is_unknown_is_not(one_size, saved, cli):
    asked = cli("export", one_size)
    assert (asked.code, asked.line.count("--kind"), asked.line.count("--range")) == (2, 1, 1)
    unknown = cli("export", saved({"attention.to_q.weight": torch.zeros(2, 2)}))
    assert unknown.code == 1
    assert "unknown architecture" in unknown.line
    assert unknown.err.count("\n") == 1


def test_an_onnx_of_other_origin_is_never_its_own_target(one_size, cli, tmp_path):
    before = one_size.read_bytes()
    done = cli("export", one_size, "--kind", "upscaler", "--scale", 2, "--range", "0..1")
    assert done.code == 0, done.err
    assert one_size.read_bytes() == before
    model = read_model(tmp_path / "theirs.vfxgan.onnx")
    assert (model.spec.parity.reference, model.spec.scale) == ("the ONNX source", 2)
    assert "the ONNX source against onnxruntime" in done.out


@pytest.mark.parametrize("option", [("--opset", "17"), ("--dynamic", "batch")])
def test_an_onnx_is_a_graph_already(one_size, cli, tmp_path, option):
    done = cli("export", one_size, "--kind", "upscaler", "--scale", 2, "--range", "0..1", *option)
    assert done.code == 2
    assert f"{option[0]}: {one_size} is a graph already" in done.line
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.onnx"]
