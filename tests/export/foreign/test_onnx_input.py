"""ONNX files of other people as sources: checked, given our names, run against what the user says of them."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

from vfxgan.errors import ModelError, UsageError
from vfxgan.export.onnxruntime_cpu import CpuSession
from vfxgan.export.sources import Hints, open_source

ENLARGES = {"kind": "upscaler", "scale": 2, "value_range": (0.0, 1.0)}
ANY = ("n", 3, "h", "w")


def value(name, kind=TensorProto.FLOAT, shape=ANY):
    return helper.make_tensor_value_info(name, kind, shape)


@pytest.fixture
def stream():
    return np.random.RandomState(3)


@pytest.fixture
def write(tmp_path):
    """A model of the nodes; `changed` may alter it before it is written."""

    def go(nodes, weights, name="their.onnx", given=None, result=None, changed=lambda model: None, opset=17, ir=8):
        given, result = given or value("lr"), result or value("sr", shape=("n", 3, "a", "b"))
        tensors = [numpy_helper.from_array(array, key) for key, array in weights.items()]
        given = given if isinstance(given, list) else [given]
        result = result if isinstance(result, list) else [result]
        graph = helper.make_graph(nodes, "theirs", given, result, tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
        changed(model)
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return go


@pytest.fixture
def upscaler(stream):
    """Nodes and weights of a ×2: one convolution, then a shuffle in ONNX's order; nodes without names."""
    weights = {"w": stream.randn(12, 3, 3, 3).astype(np.float32) * 0.2, "b": stream.randn(12).astype(np.float32) * 0.1}
    nodes = [
        helper.make_node("Conv", ["lr", "w", "b"], ["image"], pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["image"], ["sr"], blocksize=2, mode="CRD"),
    ]
    return nodes, weights


def enlarged(x, weights):
    y = F.conv2d(torch.from_numpy(x).double(), *(torch.from_numpy(weights[key]).double() for key in "wb"), padding=1)
    return F.pixel_shuffle(y, 2).numpy()


def run(source, x):
    (found,) = CpuSession(source.onnx.SerializeToString()).run(x)
    return found


def test_an_upscaler_becomes_one_of_ours_and_gives_the_same(write, upscaler, stream):
    source = open_source(write(*upscaler), Hints(**ENLARGES))
    x = stream.uniform(0, 1, (1, 3, 9, 14)).astype(np.float32)
    np.testing.assert_allclose(run(source, x), enlarged(x, upscaler[1]), atol=1e-6)
    spec, graph = source.spec, source.onnx.graph
    assert (spec.kind, spec.scale, spec.value_range, spec.channels_out) == ("upscaler", 2, (0.0, 1.0), 3)
    assert (spec.name, spec.architecture, spec.input.size_multiple) == ("their", "onnx", 1)
    assert (spec.provenance.source, spec.provenance.source_sha256) == ("ONNX without a spec, opset 17", source.sha256)
    assert ([one.name for one in graph.input], [one.name for one in graph.output]) == (["image"], ["picture"])
    assert [axis.dim_value or axis.dim_param for axis in graph.input[0].type.tensor_type.shape.dim][0:2] == [1, 3]
    names = [node.name for node in graph.node]
    assert all(names)
    assert len(set(names)) == len(names)
    assert source.network is None
    assert source.size is None
    onnx.checker.check_model(source.onnx, full_check=True)


def test_all_that_is_missing_is_asked_for_at_once(write, upscaler, stream):
    path = write(*upscaler)
    with pytest.raises(UsageError) as caught:
        open_source(path, Hints())
    assert str(caught.value) == (
        f"{path}: is ONNX without a vfxgan spec and does not say what it is; also give "
        "--kind translator|upscaler, --scale N, --range -1..1|0..1"
    )
    with pytest.raises(UsageError, match=r"also give --range -1\.\.1\|0\.\.1$"):
        open_source(path, Hints(kind="upscaler", scale=2))
    latent = {"w": stream.randn(8, 3 * 16).astype(np.float32), "s": np.array([1, 3, 4, 4])}
    nodes = [helper.make_node("MatMul", ["z", "w"], ["f"]), helper.make_node("Reshape", ["f", "s"], ["sr"])]
    generator = write(nodes, latent, "g.onnx", value("z", shape=(1, 8)), value("sr", shape=(1, 3, 4, 4)))
    with pytest.raises(UsageError, match=r"also give --range -1\.\.1\|0\.\.1, --distribution normal\|uniform$"):
        open_source(generator, Hints())


@pytest.mark.parametrize("scale", [1, 4])
def test_a_scale_that_running_disproves_is_refused(scale, write, upscaler):
    with pytest.raises(UsageError, match=rf"--scale {scale} does not fit: 25x27 becomes 50x54"):
        open_source(write(*upscaler), Hints(**(ENLARGES | {"scale": scale})))


def test_a_translator_needs_no_scale_and_its_size_multiple_is_found(write, stream):
    """Two halvings, two doublings, and a skip that fits only where both sides are multiples of 4."""
    weights = {
        "down": stream.randn(6, 3, 4, 4).astype(np.float32) * 0.2,
        "down2": stream.randn(6, 6, 4, 4).astype(np.float32) * 0.2,
        "up": stream.randn(6, 6, 4, 4).astype(np.float32) * 0.2,
        "up2": stream.randn(12, 3, 4, 4).astype(np.float32) * 0.2,
    }
    halved = {"strides": [2, 2], "pads": [1, 1, 1, 1], "name": "same"}
    nodes = [
        helper.make_node("Conv", ["lr", "down"], ["a"], **halved),
        helper.make_node("Conv", ["a", "down2"], ["b"], **halved),
        helper.make_node("ConvTranspose", ["b", "up"], ["c"], **halved),
        helper.make_node("Concat", ["a", "c"], ["d"], axis=1),
        helper.make_node("ConvTranspose", ["d", "up2"], ["e"], **halved),
        helper.make_node("Tanh", ["e"], ["sr"]),
    ]
    path = write(nodes, weights)
    source = open_source(path, Hints(kind="translator", value_range=(-1.0, 1.0)))
    assert (source.spec.kind, source.spec.scale, source.spec.input.size_multiple) == ("translator", 1, 4)
    assert len({node.name for node in source.onnx.graph.node}) == len(nodes)
    with pytest.raises(ModelError, match="does not run on pictures of any size that was tried"):
        open_source(path, Hints(kind="translator", value_range=(-1.0, 1.0), size_multiple=2))


@pytest.mark.parametrize("as_pixel", [False, True])
def test_a_generator_takes_a_vector_of_ours_even_if_theirs_is_a_pixel(as_pixel, write, stream):
    weights = {"w": stream.randn(8, 3, 16, 16).astype(np.float32) * 0.3}
    pixel = [] if as_pixel else [helper.make_node("Reshape", ["z", "s"], ["zz"])]
    nodes = [*pixel, helper.make_node("ConvTranspose", ["z" if as_pixel else "zz", "w"], ["y"])]
    nodes.append(helper.make_node("Tanh", ["y"], ["sr"]))
    weights |= {} if as_pixel else {"s": np.array([-1, 8, 1, 1])}
    shape = ("batch", 8, 1, 1) if as_pixel else ("batch", 8)
    path = write(nodes, weights, given=value("z", shape=shape), result=value("sr", shape=("batch", 3, 16, 16)))
    source = open_source(path, Hints(value_range=(-1.0, 1.0), distribution="normal"))
    z = stream.randn(1, 8).astype(np.float32)
    expected = np.tanh(np.einsum("nz,zchw->nchw", z, weights["w"]))
    np.testing.assert_allclose(run(source, z), expected, atol=1e-6)
    spec = source.spec
    assert (spec.kind, spec.size, spec.input.size, spec.input.interval) == ("generator", (16, 16), 8, 1.0)
    assert source.onnx.graph.input[0].name == "latent"
    with pytest.raises(UsageError, match="--interval X"):
        open_source(path, Hints(value_range=(-1.0, 1.0), distribution="uniform"))
    with pytest.raises(UsageError, match="--kind upscaler does not fit: its input is a latent of 8 entries"):
        open_source(path, Hints(kind="upscaler", value_range=(-1.0, 1.0)))


def test_a_graph_of_one_size_keeps_it(write, upscaler):
    path = write(*upscaler, given=value("lr", shape=(1, 3, 16, 24)), result=value("sr", shape=(1, 3, 32, 48)))
    source = open_source(path, Hints(**ENLARGES))
    assert source.size == (16, 24)
    assert "it takes pictures of 16x24 only" in source.notes


def test_channels_that_the_input_does_not_state_are_those_of_the_first_weights(write, upscaler):
    path = write(*upscaler, given=value("lr", shape=("n", "c", "h", "w")))
    assert open_source(path, Hints(**ENLARGES)).spec.input.channels == 3
    with pytest.raises(UsageError, match="--channels 4 does not fit: its input has 3"):
        open_source(path, Hints(**ENLARGES, channels=4))


def test_an_old_file_that_lists_its_weights_among_the_inputs_is_read(write, upscaler, stream):
    nodes, weights = upscaler
    listed = [value("lr"), *(value(key, shape=array.shape) for key, array in weights.items())]
    source = open_source(write(nodes, weights, given=listed, opset=11, ir=3), Hints(**ENLARGES))
    assert [one.name for one in source.onnx.graph.input] == ["image"]
    x = stream.uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(run(source, x), enlarged(x, weights), atol=1e-6)


def test_functions_are_inlined_and_branches_see_the_new_names(write, upscaler, stream):
    nodes, weights = upscaler
    double = helper.make_function(
        "theirs", "Twice", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])], [helper.make_opsetid("", 17)]
    )
    branches = {
        name: helper.make_graph([helper.make_node(kind, ["lr"], [name])], name, [], [value(name, shape=None)])
        for name, kind in (("then_branch", "Identity"), ("else_branch", "Neg"))
    }
    nodes = [
        helper.make_node("If", ["yes"], ["picked"], **branches),
        helper.make_node("Twice", ["picked"], ["twice"], domain="theirs"),
        helper.make_node("Conv", ["twice", "w", "b"], ["image"], pads=[1, 1, 1, 1]),
        nodes[1],
    ]

    def changed(model):
        model.functions.append(double)
        model.opset_import.append(helper.make_opsetid("theirs", 1))

    source = open_source(write(nodes, weights | {"yes": np.array(True)}, changed=changed), Hints(**ENLARGES))
    x = stream.uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(run(source, x), enlarged(2 * x, weights), atol=1e-6)
    assert [entry.domain for entry in source.onnx.opset_import] == [""]


def test_a_file_with_our_spec_needs_no_hints_and_takes_none(make_model, tmp_path):
    path = make_model(tmp_path / "tiny.onnx")
    source = open_source(path, Hints())
    assert (source.spec.name, source.onnx.graph.input[0].name, source.network) == ("tiny", "latent", None)
    with pytest.raises(
        UsageError, match=r"--range is for files that do not say it, but tiny\.onnx holds a vfxgan spec"
    ):
        open_source(path, Hints(value_range=(0.0, 1.0)))


def test_a_spec_that_is_another_graphs_is_refused(make_model, tmp_path):
    path = make_model(tmp_path / "tiny.onnx", spec={"channels_out": 3})
    with pytest.raises(
        ModelError, match=r"its graph goes from .* its spec says \[\('latent', 16\), \('picture', 3\)\]"
    ):
        open_source(path, Hints())


def outside(tensor, location):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in (("location", location), ("offset", "0"), ("length", "16")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, text


@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "a/../../b", "..\\secret", "C:\\secret"])
def test_data_outside_of_the_files_folder_is_not_looked_at(location, write, upscaler):
    path = write(*upscaler, changed=lambda model: outside(model.graph.initializer[0], location))
    with pytest.raises(ModelError, match="asks for data outside its folder") as caught:
        open_source(path, Hints(**ENLARGES))
    assert repr(location) in str(caught.value)


def test_data_beside_the_file_is_refused_wherever_it_hides(write, upscaler, tmp_path):
    (tmp_path / "w.bin").write_bytes(b"\0" * 4096)
    hidden = numpy_helper.from_array(np.zeros(4, np.float32), "k")
    outside(hidden, "w.bin")
    node = helper.make_node("Constant", [], ["k"], value=hidden)
    function = helper.make_function("theirs", "F", [], ["k"], [node], [helper.make_opsetid("", 17)])
    branch = helper.make_graph([node], "b", [], [value("k", shape=None)])
    places = (
        lambda model: outside(model.graph.initializer[0], "w.bin"),
        lambda model: model.graph.node.append(node),
        lambda model: model.functions.append(function),
        lambda model: model.graph.node.append(
            helper.make_node("If", ["x"], ["k2"], then_branch=branch, else_branch=branch)
        ),
    )
    for place in places:
        with pytest.raises(ModelError, match=r"keeps its weights in another file \('w\.bin', for"):
            open_source(write(*upscaler, changed=place), Hints(**ENLARGES))


def half_weights(model):
    weight = model.graph.initializer[0]
    half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), "w16")
    model.graph.initializer.append(half)
    model.graph.initializer.remove(weight)
    model.graph.node.insert(0, helper.make_node("Cast", ["w16"], ["w"], to=TensorProto.FLOAT))


def not_finite(model):
    weight = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight[0, 0, 0, 0] = np.nan
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "w"))


def of_one_runtime(model):
    model.graph.node[0].domain = "com.microsoft"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def wrong_types(model):
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros((12, 3, 3, 3), np.int64), "w"))


REFUSED = {
    "two inputs": ({"given": [value("lr"), value("style")]}, "has 2 inputs ('lr', 'style')"),
    "two outputs": (
        {"result": [value("sr"), value("image", shape=("n", 12, "h", "w"))]},
        "has 2 outputs ('sr', 'image')",
    ),
    "half weights": ({"changed": half_weights}, "holds weights in float16 ('w16')"),
    "operators of one runtime": ({"changed": of_one_runtime}, "uses operators of 'com.microsoft'"),
    "types that do not fit": ({"changed": wrong_types}, "does not pass ONNX's own check"),
    "weights that are not finite": ({"changed": not_finite}, "NaN or Inf"),
    "a fixed batch": ({"given": value("lr", shape=(4, 3, "h", "w"))}, "has a fixed batch of 4"),
    "channels last": ({"given": value("lr", shape=(1, 256, 256, 3))}, "is [N, H, W, C]"),
    "one fixed side": ({"given": value("lr", shape=(1, 3, 16, "w"))}, "has one fixed side"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_such_model_is_refused_in_one_line(case, write, upscaler):
    how, reason = REFUSED[case]
    path = write(*upscaler, **how)
    with pytest.raises(ModelError) as caught:
        open_source(path, Hints(**ENLARGES))
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_input_of_another_type_is_refused(write, upscaler):
    nodes, weights = upscaler
    nodes = [helper.make_node("Cast", ["u8"], ["lr"], to=TensorProto.FLOAT), *nodes]
    with pytest.raises(ModelError, match="its input 'u8' is uint8, not float32"):
        open_source(write(nodes, weights, given=value("u8", TensorProto.UINT8)), Hints(**ENLARGES))


def test_an_input_without_a_batch_is_refused(write):
    three = value("lr", shape=(3, "h", "w"))
    path = write([helper.make_node("Relu", ["lr"], ["sr"])], {}, given=three, result=value("sr", shape=(3, "h", "w")))
    with pytest.raises(ModelError, match=r"its input 'lr' has 3 axes; models take \[N, C, H, W\] or \[N, z\]"):
        open_source(path, Hints(**ENLARGES))


def test_what_torch_wrote_years_ago_is_read(tmp_path, stream):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1))
    network = nn.Sequential(network, nn.PixelShuffle(2)).eval()
    path, axes = tmp_path / "x2.onnx", {0: "n", 2: "h", 3: "w"}
    how = {"opset_version": 11, "input_names": ["input"], "output_names": ["output"], "dynamo": False}
    torch.onnx.export(network, (torch.zeros(1, 3, 8, 8),), path, dynamic_axes={"input": axes, "output": axes}, **how)
    x = stream.uniform(0, 1, (1, 3, 9, 14)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(run(open_source(path, Hints(**ENLARGES)), x), expected, atol=1e-5)


def test_shapes_that_would_fill_the_machine_are_refused_before_running(write, stream):
    size = np.array([1, 3, 1 << 20, 1 << 20])
    nodes = [helper.make_node("ConstantOfShape", ["size"], ["much"]), helper.make_node("ReduceMax", ["much"], ["one"])]
    nodes.append(helper.make_node("Add", ["lr", "one"], ["sr"]))
    with pytest.raises(ModelError, match=r"its tensor 'much' would be \[1, 3, 1048576, 1048576\]"):
        open_source(write(nodes, {"size": size}), Hints(**ENLARGES))
    plain = [helper.make_node("Relu", ["lr"], ["sr"])]
    wide = (1, 3, 9000, 8)
    path = write(plain, {}, given=value("lr", shape=wide), result=value("sr", shape=wide))
    with pytest.raises(ModelError, match=r"is \[1, 3, 9000, 8\]; pictures of up to 64 channels and 4096 px"):
        open_source(path, Hints(**ENLARGES))
    path = write(plain, {}, given=value("lr", shape=(1, 1 << 25)), result=value("sr", shape=(1, 1 << 25)))
    with pytest.raises(ModelError, match="has 33554432 entries; 1 to 1048576 are taken"):
        open_source(path, Hints(value_range=(0.0, 1.0)))


def test_a_single_channel_out_is_refused(write, stream):
    nodes = [helper.make_node("Conv", ["lr", "w"], ["sr"], pads=[1, 1, 1, 1])]
    weights = {"w": stream.randn(1, 3, 3, 3).astype(np.float32)}
    path = write(nodes, weights, result=value("sr", shape=("n", 1, "h", "w")))
    with pytest.raises(ModelError, match=r"gives 1 channel\(s\)"):
        open_source(path, Hints(kind="translator", value_range=(0.0, 1.0)))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_file_cut_short_is_refused(share, write, upscaler):
    path = write(*upscaler)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ModelError, match=r"cut short|is empty|own check"):
        open_source(path, Hints(**ENLARGES))


def test_notes_of_whoever_exported_it_are_left_out(write, upscaler):
    def noted(model):
        model.doc_string = "/home/artist/secret"
        model.graph.node[0].doc_string = "/home/artist/secret"
        entry = model.graph.node[0].metadata_props.add()
        entry.key, entry.value = "trace", "/home/artist/secret"

    source = open_source(write(*upscaler, changed=noted, ir=10), Hints(**ENLARGES))
    assert b"secret" not in source.onnx.SerializeToString()
