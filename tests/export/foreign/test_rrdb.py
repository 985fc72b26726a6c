"""RRDBNets in their three namings, against the forward pass that ESRGAN's code describes."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from vfxgan.errors import ModelError, UsageError

TOLERANCE = 2e-5

NEW = {"first": "conv_first", "rdb": "body.{}.rdb{}.conv{}", "trunk": "conv_body", "up": "conv_up{}"}
NEW |= {"hr": "conv_hr", "last": "conv_last"}
MIDDLE = {"first": "conv_first", "rdb": "RRDB_trunk.{}.RDB{}.conv{}", "trunk": "trunk_conv", "up": "upconv{}"}
MIDDLE |= {"hr": "HRconv", "last": "conv_last"}


def old(blocks, steps):
    """A chain whose every entry is numbered, activations too."""
    names = {"first": "model.0", "rdb": "model.1.sub.{}.RDB{}.conv{}.0", "trunk": f"model.1.sub.{blocks}"}
    return names | {"up": "model.{}", "hr": f"model.{3 * steps + 2}", "last": f"model.{3 * steps + 4}"}


def namings(blocks, steps):
    return {"new": NEW, "middle": MIDDLE, "old": old(blocks, steps)}


def up_name(names, number):
    return names["up"].format(3 * number if names["first"] == "model.0" else number)


def make(weights, names, *, blocks=2, steps=2, width=6, growth=4, entering=3, channels_out=3):
    weights.conv(names["first"], width, entering, 3, 3)
    for block, dense in itertools.product(range(blocks), (1, 2, 3)):
        for number in range(1, 6):
            out = width if number == 5 else growth
            weights.conv(names["rdb"].format(block, dense, number), out, width + (number - 1) * growth, 3, 3)
    weights.conv(names["trunk"], width, width, 3, 3)
    for number in range(1, steps + 1):
        weights.conv(up_name(names, number), width, width, 3, 3)
    weights.conv(names["hr"], width, width, 3, 3)
    weights.conv(names["last"], channels_out, width, 3, 3, gain=0.5)
    return weights.tensors


def forward(state, x, names, *, blocks=2, factors=(2, 2), folded=1):
    """Wang et al. 2018, §3.1 and Fig. 4: dense blocks, residuals of 0.2, nearest neighbours; Wang et al. 2021, §3.3."""
    state = {name: tensor.double() for name, tensor in state.items()}

    def conv(x, name):
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    def lrelu(x):
        return torch.where(x > 0, x, 0.2 * x)

    n, c, height, width = x.shape
    if folded > 1:  # channel c, then the row, then the column within the folded square
        x = x.view(n, c, height // folded, folded, width // folded, folded)
        x = x.permute(0, 1, 3, 5, 2, 4).reshape(n, -1, height // folded, width // folded)
    first = x = conv(x, names["first"])
    for block in range(blocks):
        inside = x
        for dense in (1, 2, 3):
            seen = [inside]
            for number in range(1, 5):
                seen.append(lrelu(conv(torch.cat(seen, 1), names["rdb"].format(block, dense, number))))
            inside = inside + 0.2 * conv(torch.cat(seen, 1), names["rdb"].format(block, dense, 5))
        x = x + 0.2 * inside
    x = first + conv(x, names["trunk"])
    for number, factor in enumerate(factors, start=1):
        x = x.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
        x = lrelu(conv(x, up_name(names, number)))
    return conv(lrelu(conv(x, names["hr"])), names["last"])


@pytest.fixture
def picture():
    return torch.rand(1, 3, 12, 20, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("naming", ["new", "middle", "old"])
@pytest.mark.parametrize(("scale", "folded"), [(4, 1), (2, 2), (1, 4)])
def test_every_naming_and_scale_gives_the_references_result(naming, scale, folded, weights, opened, differs, picture):
    names = namings(2, 2)[naming]
    state = make(weights, names, entering=3 * folded**2)
    source = opened(state, "net.pth")
    assert differs(source, picture, forward(state, picture.double(), names, folded=folded)) < TOLERANCE
    spec = source.spec
    assert (spec.kind, spec.scale, spec.value_range, spec.input.channels) == ("upscaler", scale, (0.0, 1.0), 3)
    assert spec.input.size_multiple == folded
    assert spec.provenance.source == f"ESRGAN RRDBNet, {naming} names"


@pytest.mark.parametrize("naming", ["middle", "old"])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_other_scales_than_4_without_folding_have_another_number_of_steps(
    naming, steps, weights, opened, differs, picture
):
    names = namings(1, steps)[naming]
    state = make(weights, names, blocks=1, steps=steps)
    source = opened(state)
    expected = forward(state, picture.double(), names, blocks=1, factors=(2,) * steps)
    assert differs(source, picture, expected) < TOLERANCE
    assert source.spec.scale == 2**steps
    assert any("--scale 3" in note for note in source.notes) == (steps == 1)


def test_a_single_step_is_by_3_if_the_user_says_so(weights, opened, differs, picture):
    names = namings(1, 1)["old"]
    state = make(weights, names, blocks=1, steps=1)
    source = opened(state, scale=3)
    assert differs(source, picture, forward(state, picture.double(), names, blocks=1, factors=(3,))) < TOLERANCE
    assert source.spec.scale == 3
    with pytest.raises(UsageError, match="--scale 4: its one enlargement is by 2 or 3"):
        opened(state, scale=4)


def test_the_anime_model_with_six_blocks_of_full_width_is_recognised_under_its_wrapper(weights, opened, differs):
    state = make(weights, NEW, blocks=6, width=16, growth=8)
    source = opened({"params_ema": state}, "RealESRGAN_x4plus_anime_6B.pth")
    assert source.spec.arguments["blocks"] == 6
    assert source.spec.name == "RealESRGAN_x4plus_anime_6B"
    picture = torch.rand(1, 3, 9, 11)
    assert differs(source, picture, forward(state, picture.double(), NEW, blocks=6)) < TOLERANCE


def test_rgba_pictures_are_no_folded_ones(weights, opened, differs):
    state = make(weights, NEW, entering=4, channels_out=4)
    source = opened(state)
    assert (source.spec.input.channels, source.spec.channels_out, source.spec.scale) == (4, 4, 4)
    picture = torch.rand(1, 4, 8, 8)
    assert differs(source, picture, forward(state, picture.double(), NEW)) < TOLERANCE


def test_a_scale_that_is_not_the_files_is_refused(weights, opened):
    with pytest.raises(UsageError, match="--scale 2 does not fit ESRGAN RRDBNet, new names: it is 4"):
        opened(make(weights, NEW), scale=2)


def test_a_mixture_of_namings_is_refused(weights, opened):
    state = make(weights, NEW)
    state["HRconv.weight"] = state.pop("conv_hr.weight")
    with pytest.raises(ModelError, match=r"conv_hr\.weight is missing; HRconv\.weight does not belong"):
        opened(state)
