"""What people's files have around the weights, and in which type they store them."""

import pytest
import torch
from torch import nn

from vfxgan.errors import ModelError, UsageError
from vfxgan.export.sources import Hints, open_source


@pytest.fixture
def state(weights):
    """A small MSRResNet ×2."""
    weights.conv("conv_first", 4, 3, 3, 3)
    weights.conv("body.0.conv1", 4, 4, 3, 3)
    weights.conv("body.0.conv2", 4, 4, 3, 3)
    weights.conv("upconv1", 16, 4, 3, 3)
    weights.conv("conv_hr", 4, 4, 3, 3)
    weights.conv("conv_last", 3, 4, 3, 3)
    return weights.tensors


def prefixed(state, prefix):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def assert_same(source, state):
    held = source.network.state_dict()
    assert held.keys() == state.keys()
    for name, tensor in state.items():
        torch.testing.assert_close(held[name], tensor, rtol=0, atol=0)


WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "net", "g_ema", "generator")


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapper_is_looked_into(wrapper, state, opened):
    assert_same(opened({"epoch": 3, "optimizer": {"lr": 1e-4}, wrapper: state}), state)


@pytest.mark.parametrize(
    "prefix",
    ["module.", "netG.", "generator.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.netG.", "module." * 3],
)
def test_prefixes_are_stripped_until_none_is_left(prefix, state, opened):
    assert_same(opened(prefixed(state, prefix)), state)


@pytest.mark.parametrize("file", ["net.pt", "net.pth", "net.PTH", "net.safetensors"])
def test_every_kind_of_file_is_read(file, state, opened):
    assert_same(opened(prefixed(state, "module."), file), state)


def test_the_average_is_taken_before_the_weights_it_averages(state, opened):
    other = {name: tensor + 1 for name, tensor in state.items()}
    source = opened({"params": other, "params_ema": state})
    assert_same(source, state)
    assert "weights are those under 'params_ema'; 'params' left out" in source.notes


def test_wrappers_within_wrappers_and_a_discriminator_beside_the_generator(state, opened):
    whole = prefixed(state, "generator.") | {"discriminator.conv.weight": torch.zeros(3)}
    source = opened({"state_dict": {"model": whole}})
    assert_same(source, state)
    assert any("1 others left out, such as 'discriminator.conv.weight'" in note for note in source.notes)


def test_parameters_and_an_old_kind_of_file_are_read(state, saved, tmp_path):
    path = tmp_path / "old.pth"
    torch.save(
        {name: nn.Parameter(tensor) for name, tensor in state.items()}, path, _use_new_zipfile_serialization=False
    )
    source = open_source(path, Hints())
    assert_same(source, state)
    assert not any(parameter.requires_grad for parameter in source.network.parameters())


@pytest.mark.parametrize(
    ("kind", "name"), [(torch.float16, "float16"), (torch.bfloat16, "bfloat16"), (torch.float64, "float64")]
)
def test_other_precisions_become_float32_and_it_is_said(kind, name, state, opened):
    stored = {key: tensor.to(kind) for key, tensor in state.items()}
    source = opened(stored)
    assert_same(source, {key: tensor.float() for key, tensor in stored.items()})
    assert f"weights are stored as {name}; they are used as float32" in source.notes


def test_no_weights_where_they_are_looked_for_says_what_is_there(opened):
    with pytest.raises(
        ModelError, match=r"holds no weights where they are looked for .it holds: epoch, lr.; known: params_ema"
    ):
        opened({"epoch": 3, "lr": 0.1})


UNKNOWN = {
    "encoder.conv1.weight": torch.zeros(4, 3, 3, 3),
    "encoder.conv1.bias": torch.zeros(4),
    "conv_first.weight": torch.zeros(4, 3, 3, 3),
    "body.0.conv1.weight": torch.zeros(4, 4, 3, 3),
}


def test_an_unknown_architecture_is_told_its_nearest_and_what_does_not_fit(opened):
    with pytest.raises(ModelError) as caught:
        opened(UNKNOWN, "mystery.pth")
    message = str(caught.value)
    assert "mystery.pth: unknown architecture; nearest: BasicSR MSRResNet (SRResNet) (50% of its names fit)" in message
    assert "ESRGAN RRDBNet (25% of its names fit)" in message
    assert "names that do not fit: 'encoder.conv1.weight', 'encoder.conv1.bias'" in message
    assert "\n" not in message


def test_nothing_known_at_all_lists_what_is(opened):
    with pytest.raises(
        ModelError, match=r"no name fits any known one .such as 'to_q\.weight'.; known: pytorch-CycleGAN"
    ):
        opened({"to_q.weight": torch.zeros(3, 3)})


def test_a_single_name_more_is_named(state, opened):
    with pytest.raises(ModelError, match=r"nearest: BasicSR MSRResNet .* that do not fit: 'attention\.weight'"):
        opened(state | {"attention.weight": torch.zeros(2)})


def test_names_that_fit_but_are_too_few_are_said_to_be(opened):
    with pytest.raises(ModelError, match="its names fit, but some are missing or of another shape"):
        opened({"main.0.weight": torch.zeros(1)})


def test_an_architecture_that_is_stated_must_be_the_files(state, opened):
    assert_same(opened(state, architecture="srresnet"), state)
    with pytest.raises(ModelError, match="is no ESRGAN RRDBNet, as --architecture rrdb says"):
        opened(state, architecture="rrdb")
    with pytest.raises(UsageError, match="--architecture 'gan' is not known; known: cyclegan-unet"):
        opened(state, architecture="gan")


def test_what_is_said_of_range_kind_and_multiple_is_taken_or_refused(state, opened):
    spec = opened(state, value_range=(-1.0, 1.0), kind="translator", size_multiple=8, extended=True).spec
    assert (spec.value_range, spec.kind, spec.input.size_multiple) == ((-1.0, 1.0), "translator", 8)
    assert spec.encoding.extended
    with pytest.raises(UsageError, match="--kind generator"):
        opened(state, kind="generator")
    with pytest.raises(UsageError, match="--channels 4 does not fit BasicSR MSRResNet ×2: it is 3"):
        opened(state, channels=4)
