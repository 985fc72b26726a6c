"""Tiling is measured: the radius against what follows from the layers, the overlap against the network run whole."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vfxgan.errors import ModelError
from vfxgan.export.fold import fold_batch_norms
from vfxgan.export.onnx_file import to_onnx
from vfxgan.export.onnxruntime_cpu import CpuSession
from vfxgan.export.parity import run_torch
from vfxgan.export.receptive_field import receptive_field_px
from vfxgan.export.tiling import TOLERANCE, made_scene, measure_tiling
from vfxgan.spec import ImageInput, LatentInput, ModelSpec
from vfxgan.trainer.networks import build_generator

SMALL = {"width": 4, "blocks": 1}


def described(architecture="any", arguments=None, scale=1, multiple=1, value_range=(0.0, 1.0)):
    return ModelSpec(
        name="measured",
        kind="upscaler" if scale > 1 else "translator",
        architecture=architecture,
        arguments=arguments or {},
        input=ImageInput(channels=3, size_multiple=multiple),
        scale=scale,
        value_range=value_range,
        channels_out=3,
    )


def made(spec, seed=0):
    """The network, with weights that let every layer matter."""
    torch.manual_seed(seed)
    network = build_generator(spec).eval()
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim == 4:
                weight.copy_(torch.randn_like(weight) / np.sqrt(weight[0].numel()))
    return network


# From the layers, counted in input pixels: SRResNet ×4 has 1 + 2·blocks + 1 convolutions before the first shuffle, and
# what comes after it reaches one pixel further; RRDB 1 + 15·blocks + 1 and two more, on pixels folded by 4/scale.
UPSCALERS = [
    ("srresnet", SMALL | {"scale": 4}, 4, 1, 5),
    ("srresnet", SMALL | {"scale": 2, "blocks": 3}, 2, 1, 9),
    ("rrdb", SMALL | {"growth": 2}, 4, 1, 19),
    ("rrdb", SMALL | {"growth": 2, "blocks": 2}, 4, 1, 34),
    ("rrdb", SMALL | {"growth": 2, "scale": 2}, 2, 2, 38),
    ("rrdb", SMALL | {"growth": 2, "scale": 1}, 1, 4, 76),
]


@pytest.mark.parametrize(("architecture", "arguments", "scale", "multiple", "radius"), UPSCALERS)
def test_the_receptive_field_is_what_the_layers_add_up_to(architecture, arguments, scale, multiple, radius):
    spec = described(architecture, arguments, scale, multiple)
    assert receptive_field_px(run_torch(made(spec)), spec) == radius


class Skewed(nn.Module):
    """Halves the side with a kernel that looks right only, and looks further down than across."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 4, (1, 3), stride=2)
        self.tall = nn.Conv2d(4, 3, (7, 1), padding=(3, 0))

    def forward(self, x):
        x = torch.relu(self.tall(self.down(F.pad(x, (0, 1, 0, 0)))))
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


def test_both_axes_both_directions_and_all_positions_within_the_multiple_count():
    spec = described(multiple=2)
    network = Skewed().eval()
    # cell c reads columns 2c … 2c + 2, and rows 2(c − 3) … 2(c + 3) of which only the even ones
    assert receptive_field_px(run_torch(network), spec) == 7  # row 2c + 1 on row 2c − 6

    with torch.no_grad():
        picture = torch.rand(1, 3, 40, 40)
        changed = picture.clone()
        changed[..., 20 - 6, 21] = 9.0
        difference = (network(picture) - network(changed)).abs().sum((0, 1))
    rows, _ = torch.nonzero(difference, as_tuple=True)
    assert (rows.min().item(), rows.max().item()) == (14 - 6, 14 + 7)


@pytest.mark.parametrize(
    ("architecture", "arguments", "multiple"),
    [
        ("pix2pix-resnet", SMALL | {"norm": "instance", "dropout": False}, 4),
        ("pix2pix-unet", {"depth": 4, "width": 4, "norm": "instance", "dropout": False}, 16),
        ("pix2pix-unet", {"depth": 8, "width": 2, "dropout": False}, 256),
    ],
)
def test_statistics_of_the_whole_picture_and_deep_u_nets_cannot_be_tiled(architecture, arguments, multiple):
    spec = described(architecture, arguments, 1, multiple, (-1.0, 1.0))
    network = made(spec)
    found = measure_tiling(run_torch(network), spec, network)
    assert (found.mode, found.overlap_px, found.receptive_field_px) == ("whole", None, None)


class Gated(nn.Module):
    """A convolution times a gate made of the mean of everything: squeeze and excitation."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        x = self.conv(x)
        return x * torch.sigmoid(F.adaptive_avg_pool2d(x, 1))


def test_global_pooling_cannot_be_tiled():
    network = Gated().eval()
    assert measure_tiling(run_torch(network), described(), network).mode == "whole"


def cut(network, picture, overlap, tile, scale):
    """The picture in tiles, the plain way: each with its overlap on all sides, where the plate has it repeated."""
    side = picture.shape[-1]
    out = np.zeros((1, 3, side * scale, side * scale), np.float32)
    padded = np.pad(picture, ((0, 0), (0, 0), (overlap, overlap), (overlap, overlap)), "edge")
    run = run_torch(network)
    for top, left in np.ndindex(side // tile, side // tile):
        y, x = top * tile, left * tile
        piece = run(np.ascontiguousarray(padded[..., y : y + tile + 2 * overlap, x : x + tile + 2 * overlap]))
        inner = piece[..., overlap * scale : (overlap + tile) * scale, overlap * scale : (overlap + tile) * scale]
        out[..., y * scale : (y + tile) * scale, x * scale : (x + tile) * scale] = inner
    whole = run(padded)[..., overlap * scale : -overlap * scale or None, overlap * scale : -overlap * scale or None]
    return float(np.abs(out - whole).max())


@pytest.mark.parametrize(
    ("architecture", "arguments", "scale", "multiple", "value_range"),
    [
        ("srresnet", {"width": 8, "blocks": 3, "scale": 2}, 2, 1, (0.0, 1.0)),
        ("rrdb", SMALL | {"growth": 4, "scale": 2}, 2, 2, (0.0, 1.0)),
        ("pix2pix-resnet", {"width": 8, "blocks": 2, "norm": "batch", "dropout": False}, 1, 4, (-1.0, 1.0)),
    ],
)
def test_tiles_with_the_measured_overlap_agree_with_the_untiled_picture(
    architecture, arguments, scale, multiple, value_range
):
    spec = described(architecture, arguments, scale, multiple, value_range)
    network = made(spec)
    found = measure_tiling(run_torch(network), spec, network)
    assert found.mode == "tiles"
    assert found.overlap_px % multiple == 0
    assert found.overlap_error <= TOLERANCE
    assert found.overlap_px <= found.receptive_field_px + multiple
    low, high = value_range
    picture = (low + (high - low) * made_scene(200, 248, 3))[None].astype(np.float32)  # another part of the scene
    assert cut(network, picture, found.overlap_px, 24, scale) <= 2 * TOLERANCE * (high - low)
    assert cut(network, picture, max(found.overlap_px // 2 // multiple * multiple, 0), 24, scale) > TOLERANCE


def test_a_network_that_looks_at_single_pixels_needs_no_overlap():
    network = nn.Conv2d(3, 3, 1).eval()
    found = measure_tiling(run_torch(network), described(), network)
    assert (found.mode, found.overlap_px, found.receptive_field_px) == ("tiles", 0, 0)


def test_an_onnx_file_is_measured_like_the_network_it_came_from():
    spec = described("srresnet", {"width": 8, "blocks": 2, "scale": 2}, 2)
    network = made(spec)
    session = CpuSession(to_onnx(fold_batch_norms(network), spec).SerializeToString())
    ours, theirs = (
        measure_tiling(run_torch(network), spec, network),
        measure_tiling(lambda x: session.run(x)[0], spec, None),
    )
    assert theirs.overlap_error == pytest.approx(ours.overlap_error, rel=0.02)
    assert theirs.model_copy(update={"overlap_error": ours.overlap_error}) == ours
    assert (ours.mode, ours.receptive_field_px) == ("tiles", 7)


def test_a_wrong_scale_is_named():
    network = nn.Upsample(scale_factor=2).eval()
    with pytest.raises(ModelError, match=r"measured: gives 12x128 for 6x64, which is not ×4; check --scale"):
        measure_tiling(run_torch(network), described(scale=4), network)


def test_generators_have_nothing_to_tile():
    spec = ModelSpec(
        name="g",
        kind="generator",
        architecture="dcgan",
        input=LatentInput(size=4, interval=1.0),
        size=(8, 8),
        channels_out=3,
    )
    assert measure_tiling(lambda x: x, spec, None).mode == "whole"
