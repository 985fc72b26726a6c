"""ResNets of pytorch-CycleGAN-and-pix2pix, against the forward pass that its code describes."""

import pytest
import torch
from torch.nn import functional as F

from vfxgan.errors import ModelError, UsageError

TOLERANCE = 2e-5


def make(weights, *, blocks=2, width=4, bias=True, affine=False, statistics=False, dropout=False):
    def layer(name, norm, *shape, transposed=False, gain=1.4):
        weights.conv(name, *shape, bias=bias, transposed=transposed, gain=gain)
        weights.norm(norm, shape[1] if transposed else shape[0], affine=affine, statistics=statistics)

    layer("model.1", "model.2", width, 3, 7, 7)
    layer("model.4", "model.5", 2 * width, width, 3, 3)
    layer("model.7", "model.8", 4 * width, 2 * width, 3, 3)
    second = 6 if dropout else 5
    for index in range(10, 10 + blocks):
        for entry in (1, second):
            name = f"model.{index}.conv_block"
            layer(f"{name}.{entry}", f"{name}.{entry + 1}", 4 * width, 4 * width, 3, 3, gain=0.7)
    up = 10 + blocks
    layer(f"model.{up}", f"model.{up + 1}", 4 * width, 2 * width, 3, 3, transposed=True)
    layer(f"model.{up + 3}", f"model.{up + 4}", 2 * width, width, 3, 3, transposed=True)
    weights.conv(f"model.{up + 7}", 3, width, 7, 7, gain=0.5)
    return weights.tensors


def forward(state, x, norm, blocks, dropout=False):
    """Zhu et al. 2017, §7.2: c7s1, two halvings, residual blocks, two doublings, c7s1; reflection padding."""
    state = {name: tensor.double() for name, tensor in state.items()}

    def normalised(x, name):
        weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
        if norm == "batch":
            return F.batch_norm(x, state[f"{name}.running_mean"], state[f"{name}.running_var"], weight, bias, eps=1e-5)
        return F.instance_norm(x, weight=weight, bias=bias, eps=1e-5) if norm == "instance" else x

    def conv(x, name, pad=0, **how):
        x = F.pad(x, (pad,) * 4, mode="reflect") if pad else x
        return F.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), **how)

    def wider(x, name):
        return F.conv_transpose2d(
            x, state[f"{name}.weight"], state.get(f"{name}.bias"), stride=2, padding=1, output_padding=1
        )

    x = F.relu(normalised(conv(x, "model.1", pad=3), "model.2"))
    x = F.relu(normalised(conv(x, "model.4", stride=2, padding=1), "model.5"))
    x = F.relu(normalised(conv(x, "model.7", stride=2, padding=1), "model.8"))
    second = 6 if dropout else 5
    for index in range(10, 10 + blocks):
        name = f"model.{index}.conv_block"
        y = F.relu(normalised(conv(x, f"{name}.1", pad=1), f"{name}.2"))
        x = x + normalised(conv(y, f"{name}.{second}", pad=1), f"{name}.{second + 1}")
    up = 10 + blocks
    x = F.relu(normalised(wider(x, f"model.{up}"), f"model.{up + 1}"))
    x = F.relu(normalised(wider(x, f"model.{up + 3}"), f"model.{up + 4}"))
    return torch.tanh(conv(x, f"model.{up + 7}", pad=3))


@pytest.fixture
def picture():
    return torch.rand(1, 3, 20, 28, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("blocks", [1, 6, 9])
@pytest.mark.parametrize("dropout", [False, True])
def test_any_number_of_blocks_with_and_without_dropout(blocks, dropout, weights, opened, differs, picture):
    state = make(weights, blocks=blocks, dropout=dropout)
    source = opened(state, "latest_net_G_A.pth")
    assert differs(source, picture, forward(state, picture.double(), "instance", blocks, dropout)) < TOLERANCE
    assert (source.spec.arguments["blocks"], source.spec.arguments["dropout"]) == (blocks, dropout)
    assert any("dropout" in note for note in source.notes) == dropout
    assert (source.spec.kind, source.spec.input.size_multiple) == ("translator", 4)


CASES = {
    "batch": ({"bias": False, "affine": True, "statistics": True}, "batch"),
    "batch with dropout": ({"bias": False, "affine": True, "statistics": True, "dropout": True}, "batch"),
    "instance, old file with statistics": ({"statistics": True}, "instance"),
    "instance with weights": ({"affine": True}, "instance"),
}


@pytest.mark.parametrize("case", CASES)
def test_every_norm_gives_the_references_result(case, weights, opened, differs, picture):
    how, norm = CASES[case]
    state = make(weights, **how)
    source = opened(state, "latest_net_G_B.pth")
    assert differs(source, picture, forward(state, picture.double(), norm, 2, how.get("dropout", False))) < TOLERANCE
    assert ("left out" in " ".join(source.notes)) == ("old file" in case)


def test_keeping_the_statistics_of_an_old_file_would_change_the_picture(weights, picture):
    state = make(weights, statistics=True)
    kept, dropped = (forward(state, picture.double(), norm, 2) for norm in ("batch", "instance"))
    assert (kept - dropped).abs().max() > 0.1


@pytest.mark.parametrize("stated", ["batch", "instance"])
def test_biases_beside_norm_weights_fit_two_norms(stated, weights, opened, differs, picture):
    state = make(weights, affine=True, statistics=True)
    with pytest.raises(UsageError, match="--norm batch or --norm instance"):
        opened(state)
    assert differs(opened(state, norm=stated), picture, forward(state, picture.double(), stated, 2)) < TOLERANCE


@pytest.mark.parametrize("stated", ["instance", "none"])
def test_neither_norms_nor_biases_fit_two_norms(stated, weights, opened, differs, picture):
    state = make(weights, bias=False)
    with pytest.raises(UsageError, match="--norm instance or --norm none"):
        opened(state)
    assert differs(opened(state, norm=stated), picture, forward(state, picture.double(), stated, 2)) < TOLERANCE


def test_a_block_that_is_missing_is_named(weights, opened):
    state = {name: tensor for name, tensor in make(weights, blocks=3).items() if not name.startswith("model.11.")}
    with pytest.raises(ModelError, match="block 1 is missing, though there is a block 2"):
        opened(state)


def test_one_channel_out_is_refused_with_what_frames_have(weights, opened):
    state = make(weights)
    state["model.19.weight"], state["model.19.bias"] = torch.zeros(1, 4, 7, 7), torch.zeros(1)
    with pytest.raises(ModelError, match=r"gives 1 channel\(s\); frames have 3 \(RGB\) or 4"):
        opened(state)
