"""U-Nets of pytorch-CycleGAN-and-pix2pix, against the forward pass that its code describes."""

import pytest
import torch
from torch.nn import functional as F

from vfxgan.errors import ModelError, UsageError

TOLERANCE = 2e-5


def make(weights, *, depth=5, width=4, bias=False, affine=True, statistics=True, channels_in=3, channels_out=3):
    """Level by level from the outside: `model.model`, then `.1.model`, then `.3.model` each."""
    prefix, wide = "model.model", [width * min(2**level, 8) for level in range(depth)]
    weights.conv(f"{prefix}.0", wide[0], channels_in, 4, 4, bias=bias)
    weights.conv(f"{prefix}.3", 2 * wide[0], channels_out, 4, 4, transposed=True)
    prefix += ".1.model"
    for level in range(1, depth):
        inner, outer, innermost = wide[level], wide[level - 1], level == depth - 1
        weights.conv(f"{prefix}.1", inner, outer, 4, 4, bias=bias)
        up, norm = (3, 4) if innermost else (5, 6)
        if not innermost:
            weights.norm(f"{prefix}.2", inner, affine=affine, statistics=statistics)
        weights.conv(f"{prefix}.{up}", inner if innermost else 2 * inner, outer, 4, 4, bias=bias, transposed=True)
        weights.norm(f"{prefix}.{norm}", outer, affine=affine, statistics=statistics)
        prefix += ".3.model"
    return weights.tensors


def forward(state, x, norm):
    """Isola et al. 2017, §6.1.1, as the reference code numbers its layers; `norm(x, name)`."""
    state = {name: tensor.double() for name, tensor in state.items()}

    def normalised(x, name):
        weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
        if norm == "batch":
            mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
            weight = torch.ones_like(mean) if weight is None else weight
            bias = torch.zeros_like(mean) if bias is None else bias
        elif norm == "instance":
            mean, variance = x.mean((2, 3)), x.var((2, 3), unbiased=False)
        else:
            return x
        shape = (-1, x.shape[1], 1, 1)
        y = (x - mean.view(shape)) / torch.sqrt(variance.view(shape) + 1e-5)
        return y if weight is None else y * weight.view(shape) + bias.view(shape)

    def down(x, name):
        return F.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), stride=2, padding=1)

    def up(x, name):
        return F.conv_transpose2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), stride=2, padding=1)

    def level(x, prefix):
        y = down(F.leaky_relu(x, 0.2), f"{prefix}.1")
        if f"{prefix}.5.weight" in state:
            y = level(normalised(y, f"{prefix}.2"), f"{prefix}.3.model")
            y = normalised(up(F.relu(y), f"{prefix}.5"), f"{prefix}.6")
        else:
            y = normalised(up(F.relu(y), f"{prefix}.3"), f"{prefix}.4")
        return torch.cat([x, y], 1)

    y = level(down(x, "model.model.0"), "model.model.1.model")
    return torch.tanh(up(F.relu(y), "model.model.3"))


@pytest.fixture
def picture():
    return torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1)) * 2 - 1


CASES = {
    "batch": ({}, "batch", "batch"),
    "instance": ({"bias": True, "affine": False, "statistics": False}, "instance", "instance"),
    "instance, old file with statistics": ({"bias": True, "affine": False}, "instance", "instance"),
    "instance with weights": ({"bias": True, "statistics": False}, "instance", "instance-affine"),
    "instance with weights, no biases": ({"statistics": False}, "instance", "instance-affine"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_norm_is_read_off_the_names_and_the_result_is_the_references(case, weights, opened, differs, picture):
    how, norm, argument = CASES[case]
    state = make(weights, **how)
    source = opened(state, "latest_net_G.pth")
    assert differs(source, picture, forward(state, picture.double(), norm)) < TOLERANCE
    assert source.spec.arguments["norm"] == argument
    assert ("running statistics" in " ".join(source.notes)) == ("old file" in case)


AMBIGUOUS = {
    "weights, statistics and biases": ({"bias": True}, {"batch": "batch", "instance": "instance"}),
    "statistics alone": ({"affine": False}, {"batch": "batch", "instance": "instance"}),
    "nothing": ({"affine": False, "statistics": False}, {"instance": "instance", "none": "none"}),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_what_fits_two_norms_is_asked_for_and_then_is_what_was_said(case, weights, opened, differs, picture):
    how, choices = AMBIGUOUS[case]
    state = make(weights, **how)
    with pytest.raises(UsageError, match=f"give --norm {' or --norm '.join(choices)}"):
        opened(state)
    results = []
    for stated, norm in choices.items():
        expected = forward(state, picture.double(), norm)
        assert differs(opened(state, norm=stated), picture, expected) < TOLERANCE
        results.append(expected)
    assert (results[0] - results[1]).abs().max() > 0.05  # so asking was needed


def test_a_norm_that_the_names_rule_out_is_refused(weights, opened):
    state = make(weights, bias=True, affine=False, statistics=False)
    with pytest.raises(UsageError, match="--norm batch does not fit: it has no norm weights, no running statistics"):
        opened(state, norm="batch")


@pytest.mark.parametrize(("depth", "size"), [(7, 128), (8, 256)])
def test_the_depth_is_counted_and_gives_the_size_multiple(depth, size, weights, opened, differs):
    state = make(weights, depth=depth, width=2)
    source = opened(state)
    assert source.spec.input.size_multiple == size
    assert f"unet_{size}" in source.spec.provenance.source
    picture = torch.rand(1, 3, size, size) * 2 - 1
    assert differs(source, picture, forward(state, picture.double(), "batch")) < TOLERANCE
    assert any("dropout cannot be seen" in note and "--eval" in note for note in source.notes)


def test_rgba_out_and_two_channels_in_are_read_off_the_shapes(weights, opened, differs):
    state = make(weights, channels_in=2, channels_out=4)
    source = opened(state)
    assert (source.spec.input.channels, source.spec.channels_out) == (2, 4)
    picture = torch.rand(1, 2, 32, 32)
    assert differs(source, picture, forward(state, picture.double(), "batch")) < TOLERANCE


def test_the_spec_says_what_the_file_is(weights, opened):
    source = opened(make(weights), "day2night_net_G.pth", peak=4.0, name="day2night")
    spec = source.spec
    assert (spec.kind, spec.architecture, spec.scale, spec.value_range) == (
        "translator",
        "pix2pix-unet",
        1,
        (-1.0, 1.0),
    )
    assert (spec.name, spec.encoding.peak, spec.tiling.mode) == ("day2night", 4.0, "whole")
    assert spec.provenance.source_sha256 == source.sha256
    assert len(source.sha256) == 64
    assert source.onnx is None


def test_a_file_without_batch_counters_from_before_they_existed_is_read(weights, opened, differs, picture):
    state = {name: tensor for name, tensor in make(weights).items() if "num_batches" not in name}
    assert differs(opened(state), picture, forward(state, picture.double(), "batch")) < TOLERANCE


def test_a_norm_that_one_level_lacks_is_named(weights, opened):
    state = make(weights)
    del state["model.model.1.model.3.model.2.weight"]
    with pytest.raises(ModelError, match=r"model\.model\.1\.model\.3\.model\.2\.weight is missing"):
        opened(state)


def test_levels_of_different_widths_do_not_fit_each_other(weights, opened):
    state = make(weights)
    state["model.model.1.model.1.weight"] = torch.zeros(12, 4, 4, 4)
    with pytest.raises(ModelError, match=r"model\.model\.1\.model\.1\.weight is \[12, 4, 4, 4\] where \[8, 4, 4, 4\]"):
        opened(state)
