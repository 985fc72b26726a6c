"""BasicSR's MSRResNet, against the forward pass that its code describes."""

import pytest
import torch
from torch.nn import functional as F

from vfxgan.errors import ModelError

TOLERANCE = 2e-5


def make(weights, scale, *, blocks=3, width=6, first_names=False):
    body, hr = ("recon_trunk", "HRconv") if first_names else ("body", "conv_hr")
    weights.conv("conv_first", width, 3, 3, 3)
    for block in range(blocks):
        weights.conv(f"{body}.{block}.conv1", width, width, 3, 3, gain=0.7)
        weights.conv(f"{body}.{block}.conv2", width, width, 3, 3, gain=0.7)
    weights.conv("upconv1", width * (9 if scale == 3 else 4), width, 3, 3)
    if scale == 4:
        weights.conv("upconv2", width * 4, width, 3, 3)
    weights.conv(hr, width, width, 3, 3)
    weights.conv("conv_last", 3, width, 3, 3, gain=0.5)
    return weights.tensors


def forward(state, x, scale, *, blocks=3, first_names=False):
    """Residual blocks without norm, sub-pixel convolutions, and a bilinear copy of the input added at the end."""
    state = {name: tensor.double() for name, tensor in state.items()}
    body, hr = ("recon_trunk", "HRconv") if first_names else ("body", "conv_hr")

    def conv(x, name):
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    def lrelu(x):
        return torch.where(x > 0, x, 0.1 * x)

    def shuffled(x, by):  # channel, then row, then column within the square that a pixel becomes
        n, c, height, width = x.shape
        x = x.view(n, c // by**2, by, by, height, width).permute(0, 1, 4, 2, 5, 3)
        return x.reshape(n, c // by**2, height * by, width * by)

    y = lrelu(conv(x, "conv_first"))
    for block in range(blocks):
        y = y + conv(F.relu(conv(y, f"{body}.{block}.conv1")), f"{body}.{block}.conv2")
    for number, by in enumerate((2, 2) if scale == 4 else (scale,), start=1):
        y = lrelu(shuffled(conv(y, f"upconv{number}"), by))
    y = conv(lrelu(conv(y, hr)), "conv_last")
    size = (x.shape[2] * scale, x.shape[3] * scale)
    return y + F.interpolate(x, size=size, mode="bilinear", align_corners=False)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("first_names", [False, True])
def test_every_scale_and_naming_gives_the_references_result(scale, first_names, weights, opened, differs):
    state = make(weights, scale, first_names=first_names)
    source = opened({"params": state}, "MSRResNet.pth")
    picture = torch.rand(1, 3, 11, 17)
    expected = forward(state, picture.double(), scale, first_names=first_names)
    assert differs(source, picture, expected) < TOLERANCE
    spec = source.spec
    assert (spec.kind, spec.scale, spec.value_range, spec.architecture) == ("upscaler", scale, (0.0, 1.0), "srresnet")


def test_channels_of_no_shuffle_are_named(weights, opened):
    state = make(weights, 2) | {"upconv1.weight": torch.zeros(96, 6, 3, 3), "upconv1.bias": torch.zeros(96)}
    with pytest.raises(ModelError, match=r"upconv1\.weight gives 96 channels; 6 wide, it gives 24 .* or 54"):
        opened(state)
