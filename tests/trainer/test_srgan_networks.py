"""Super-resolution networks: names, shapes and parameter counts of the published ones, and what they compute."""

import math

import pytest
import torch
from torch import nn

from vfxgan.trainer.networks import GENERATORS
from vfxgan.trainer.networks.rrdb import RRDBNet
from vfxgan.trainer.networks.srresnet import SRResNet
from vfxgan.trainer.networks.vgg19 import Vgg19Features
from vfxgan.trainer.networks.vgg_discriminator import VggDiscriminator


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def conv(before: int, after: int, side: int = 3, bias: bool = True) -> int:
    return before * after * side * side + bias * after


def by_formula(network: nn.Module) -> nn.Module:
    """Weights that no random generator has a say in: a sine over each tensor, scaled by its fan-in."""
    with torch.no_grad():
        for number, parameter in enumerate(network.parameters()):
            wave = torch.sin(torch.arange(parameter.numel(), dtype=torch.float64) * 0.7 + number)
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 10
            parameter.copy_((wave * math.sqrt(2 / fan_in)).view(parameter.shape))
    return network.eval()


def picture(height: int, width: int) -> torch.Tensor:
    y, x = torch.arange(height, dtype=torch.float64)[:, None], torch.arange(width, dtype=torch.float64)[None]
    planes = [0.5 + 0.5 * torch.sin(0.9 * y + (k + 1) * 0.4 * x + k) for k in range(3)]
    return torch.stack(planes)[None].float()


def test_srresnet_has_the_published_size_at_each_scale():
    body = conv(3, 64) + 16 * 2 * conv(64, 64) + conv(64, 64) + conv(64, 3)
    assert parameters(SRResNet(4)) == body + 2 * conv(64, 256) == 1_517_571
    assert parameters(SRResNet(2)) == body + conv(64, 256) == 1_369_859
    assert parameters(SRResNet(3)) == body + conv(64, 576) == 1_554_499


def test_rrdb_has_the_published_size_at_each_scale():
    dense = sum(conv(64 + 32 * k, 32) for k in range(4)) + conv(64 + 128, 64)
    rest = 23 * 3 * dense + 4 * conv(64, 64) + conv(64, 3)
    assert parameters(RRDBNet(4)) == conv(3, 64) + rest == 16_697_987
    assert parameters(RRDBNet(2)) == conv(12, 64) + rest == 16_703_171
    assert parameters(RRDBNet(1)) == conv(48, 64) + rest == 16_723_907
    assert parameters(RRDBNet(4, blocks=6)) == conv(3, 64) + rest - 17 * 3 * dense == 4_467_779


def test_layers_have_the_names_that_basicsr_gives_them():
    names = {name.removesuffix(".weight") for name in SRResNet(4, 8, 2).state_dict() if name.endswith(".weight")}
    assert names == {
        "conv_first", "body.0.conv1", "body.0.conv2", "body.1.conv1", "body.1.conv2", "upconv1", "upconv2", "conv_hr",
        "conv_last",
    }  # fmt: skip
    assert "upconv2.weight" not in SRResNet(3, 8, 1).state_dict()
    assert SRResNet(3, 8, 1).state_dict()["upconv1.weight"].shape == (72, 8, 3, 3)
    names = {name.removesuffix(".weight") for name in RRDBNet(4, 8, 1, 4).state_dict() if name.endswith(".weight")}
    dense = {f"body.0.rdb{block}.conv{layer}" for block in (1, 2, 3) for layer in (1, 2, 3, 4, 5)}
    assert names == dense | {"conv_first", "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"}
    names = set(VggDiscriminator(128, 4).state_dict())
    assert {"conv0_0.weight", "conv0_0.bias", "bn0_1.running_var", "conv4_1.weight", "linear1.weight"} <= names
    assert not names & {"bn0_0.weight", "conv0_1.bias", "conv5_0.weight"}
    assert "conv5_1.weight" in VggDiscriminator(256, 4).state_dict()


def test_the_discriminator_has_the_published_sizes():
    widths = [64, 128, 256, 512, 512]
    before, total = 3, 0
    for stage, width in enumerate(widths):
        total += conv(before, width, 3, bias=stage == 0) + conv(width, width, 4, bias=False)
        total += 2 * width * (2 if stage else 1)
        before = width
    total += 512 * 4 * 4 * 100 + 100 + 100 + 1
    assert parameters(VggDiscriminator(128)) == total == 14_499_401


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_srresnet_enlarges_any_picture(scale):
    assert SRResNet(scale, 8, 1)(torch.rand(2, 3, 7, 5)).shape == (2, 3, 7 * scale, 5 * scale)


@pytest.mark.parametrize(("scale", "multiple"), [(4, 1), (2, 2), (1, 4)])
def test_rrdb_enlarges_pictures_of_its_multiple(scale, multiple):
    height, width = 3 * multiple, 5 * multiple
    assert RRDBNet(scale, 8, 1, 4)(torch.rand(2, 3, height, width)).shape == (2, 3, height * scale, width * scale)


def test_scales_that_a_network_does_not_have_are_refused():
    with pytest.raises(ValueError, match="SRResNet enlarges by 2, 3 or 4"):
        SRResNet(8)
    with pytest.raises(ValueError, match="RRDB enlarges by 4, 2 or 1"):
        RRDBNet(3)


@pytest.mark.parametrize("crop", [32, 50, 96, 128, 256])
def test_the_discriminator_takes_any_crop(crop):
    assert VggDiscriminator(crop, 4)(torch.rand(2, 3, crop, crop)).shape == (2, 1)


def test_a_crop_too_small_to_be_halved_is_refused():
    with pytest.raises(ValueError, match="below the 32 px"):
        VggDiscriminator(31)


def test_a_fresh_srresnet_is_nearly_a_bilinear_resize():
    torch.manual_seed(0)
    low = picture(6, 8)
    bilinear = nn.functional.interpolate(low, scale_factor=2.0, mode="bilinear", align_corners=False)
    assert (SRResNet(2, 16, 4)(low) - bilinear).abs().max() < 1e-3


def test_a_block_of_rrdb_starts_near_the_identity_and_a_fifth():
    torch.manual_seed(0)
    block = RRDBNet(4, 16, 1, 8).body[0]
    x = torch.randn(1, 16, 6, 6)
    assert 0 < (block(x) - 1.2 * x).abs().max() < 0.05  # its dense blocks, identities too, are scaled by 0.2


GOLDEN = {  # the sum, the sum of squares and one value of what comes out, of a 6×4 picture
    SRResNet: [
        ({"scale": 2, "width": 6, "blocks": 2}, (-2882.967, 8963274.0, -45.08540)),
        ({"scale": 3, "width": 6, "blocks": 1}, (110.7046, 11828.065, -9.082232)),
        ({"scale": 4, "width": 6, "blocks": 1}, (1312.564, 1015718.1, 22.89771)),
    ],
    RRDBNet: [
        ({"scale": 4, "width": 6, "blocks": 1, "growth": 4}, (-11.85654, 3311411.4, 9.702777)),
        ({"scale": 2, "width": 6, "blocks": 1, "growth": 4}, (-67.25976, 1202656.2, 12.134119)),
    ],
}


@pytest.mark.parametrize(
    ("network", "arguments", "pinned"), [(kind, *case) for kind, cases in GOLDEN.items() for case in cases]
)
@torch.no_grad()
def test_the_generators_compute_what_they_always_did(network, arguments, pinned):
    out = by_formula(network(**arguments))(picture(4, 6)).double()
    found = (out.sum().item(), out.square().sum().item(), out[0, 1, 3, 2].item())
    assert found == pytest.approx(pinned, rel=2e-4)


@torch.no_grad()
def test_the_discriminator_and_the_features_compute_what_they_always_did():
    assert by_formula(VggDiscriminator(32, 4))(picture(32, 32)).item() == pytest.approx(1.322774, rel=2e-4)
    features = by_formula(Vgg19Features((4, 4, 4, 4, 4)))(picture(32, 32)).double()
    assert features.shape == (1, 4, 2, 2)
    assert (features.sum().item(), features.abs().sum().item()) == pytest.approx((6281.379, 21547.34), rel=2e-4)


def test_both_networks_are_in_the_registry():
    assert GENERATORS["srresnet"] is SRResNet
    assert GENERATORS["rrdb"] is RRDBNet


def test_the_features_are_vgg_19_up_to_its_last_convolution():
    features = Vgg19Features()
    assert parameters(features) == 20_024_384  # torchvision's vgg19().features
    assert set(features.state_dict()) == {
        f"features.{n}.{kind}"
        for n in (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
        for kind in ("weight", "bias")
    }
    assert isinstance(features.features[-1], nn.Conv2d)
    assert features.features[34].weight.shape == (512, 512, 3, 3)
