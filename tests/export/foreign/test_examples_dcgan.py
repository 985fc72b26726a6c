"""The DCGAN of pytorch/examples, against the forward pass that its code describes."""

import pytest
import torch
from torch.nn import functional as F

from vfxgan.errors import ModelError, UsageError

TOLERANCE = 2e-5


def make(weights, *, layers=5, width=8, z=12, channels=3, bias=False):
    wide = [z, *(max(width >> layer, 2) for layer in range(layers - 1)), channels]
    for layer in range(layers):
        last = layer == layers - 1
        gain = 2.0 if layer == 0 else 0.7 if last else 1.4  # a single pixel meets every tap once
        weights.conv(f"main.{3 * layer}", wide[layer], wide[layer + 1], 4, 4, bias=bias, transposed=True, gain=gain)
        if not last:
            weights.norm(f"main.{3 * layer + 1}", wide[layer + 1])
    return weights.tensors


def forward(state, z):
    """Radford et al. 2015, §3: transposed convolutions 4×4, the first on a single pixel, norm and rectifier between."""
    state = {name: tensor.double() for name, tensor in state.items()}
    count = sum(1 for tensor in state.values() if tensor.dim() == 4)
    x = z.view(*z.shape, 1, 1)
    for layer in range(count):
        stride, padding = (1, 0) if layer == 0 else (2, 1)
        name = f"main.{3 * layer}"
        x = F.conv_transpose2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), stride, padding)
        if layer < count - 1:
            norm = f"main.{3 * layer + 1}"
            statistics = (state[f"{norm}.running_mean"], state[f"{norm}.running_var"])
            x = F.relu(F.batch_norm(x, *statistics, state[f"{norm}.weight"], state[f"{norm}.bias"]))
    return torch.tanh(x)


@pytest.fixture
def latents():
    return torch.randn(3, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("layers", "size"), [(3, 16), (5, 64), (6, 128)])
@pytest.mark.parametrize("channels", [3, 4])
def test_every_size_gives_the_references_result(layers, size, channels, weights, opened, differs, latents):
    state = make(weights, layers=layers, channels=channels)
    source = opened(state, "netG_epoch_24.pth")
    assert differs(source, latents, forward(state, latents.double())) < TOLERANCE
    spec = source.spec
    assert (spec.kind, spec.size, spec.channels_out) == ("generator", (size, size), channels)
    assert (spec.input.size, spec.input.distribution, spec.input.interval) == (12, "normal", 1.0)


def test_convolutions_with_biases_are_taken_in_by_the_norms(weights, opened, differs, latents):
    state = make(weights, bias=True)
    assert differs(opened(state), latents, forward(state, latents.double())) < TOLERANCE


def test_a_picture_of_one_channel_is_refused(weights, opened):
    with pytest.raises(ModelError, match=r"gives 1 channel\(s\)"):
        opened(make(weights, channels=1))


def test_a_generator_is_no_upscaler(weights, opened):
    with pytest.raises(UsageError, match="--kind upscaler does not fit pytorch/examples DCGAN, 64 px: it is generator"):
        opened(make(weights), kind="upscaler")


def test_what_the_user_says_of_the_latent_is_taken(weights, opened):
    source = opened(make(weights), distribution="uniform", interval=0.5)
    assert (source.spec.input.distribution, source.spec.input.interval) == ("uniform", 0.5)


def test_a_rectifier_with_weights_does_not_belong(weights, opened):
    state = make(weights) | {"main.2.weight": torch.ones(8)}
    with pytest.raises(ModelError, match=r"main\.2\.weight does not belong"):
        opened(state)
