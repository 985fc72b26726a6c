"""The translators and their discriminators against their papers and the names that published weights use."""

import pytest
import torch
from torch.nn import functional as F

from vfxgan.export.fold import fold_batch_norms
from vfxgan.trainer.networks.patchgan import MultiscaleDiscriminator, PatchDiscriminator
from vfxgan.trainer.networks.resnet_translator import ResnetTranslator
from vfxgan.trainer.networks.unet import UnetGenerator


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def fill(network):
    """Weights from a formula, so that no version of torch's random numbers changes them; statistics too."""
    with torch.no_grad():
        for index, tensor in enumerate(network.state_dict().values()):
            if tensor.dtype == torch.float32:
                values = torch.arange(tensor.numel(), dtype=torch.float32)
                tensor.copy_((torch.sin(values * 0.7 + index) * 0.3).view_as(tensor))
        for name, buffer in network.named_buffers():
            if name.endswith("running_var"):
                buffer.abs_().add_(0.5)
    return network.eval()


def wave(channels, side, batch=1):
    values = torch.arange(batch * channels * side * side, dtype=torch.float32)
    return torch.sin(values * 0.05).view(batch, channels, side, side)


# The layers as the published checkpoints name them, written down from their description, not from our modules.


def norm_keys(prefix, channels, norm):
    if norm == "instance":
        return {}
    vectors = {f"{prefix}.{name}": (channels,) for name in ("weight", "bias", "running_mean", "running_var")}
    return vectors | {f"{prefix}.num_batches_tracked": ()}


def conv_keys(prefix, shape, bias):
    """`bias`: how many entries, or 0 for none."""
    return {f"{prefix}.weight": shape} | ({f"{prefix}.bias": (bias,)} if bias else {})


def unet_keys(depth, width, channels_in, channels_out, norm):
    widths = [width * min(2**level, 8) for level in range(depth)]
    keys = conv_keys("model.model.0", (width, channels_in, 4, 4), width if norm == "instance" else 0)
    keys |= conv_keys("model.model.3", (2 * width, channels_out, 4, 4), channels_out)
    at = "model.model.1"
    for level in range(1, depth):
        outer, inner, last = widths[level - 1], widths[level], level == depth - 1
        bias = norm == "instance"
        keys |= conv_keys(f"{at}.model.1", (inner, outer, 4, 4), bias * inner)
        up, joined = (3, inner) if last else (5, 2 * inner)
        keys |= conv_keys(f"{at}.model.{up}", (joined, outer, 4, 4), bias * outer)
        keys |= norm_keys(f"{at}.model.{up + 1}", outer, norm)
        if not last:
            keys |= norm_keys(f"{at}.model.2", inner, norm)
        at += ".model.3"
    return keys


def resnet_keys(blocks, width, channels_in, channels_out, norm, dropout):
    bias = norm == "instance"
    keys = conv_keys("model.1", (width, channels_in, 7, 7), bias * width) | norm_keys("model.2", width, norm)
    for at, wide in ((4, 2 * width), (7, 4 * width)):
        keys |= conv_keys(f"model.{at}", (wide, wide // 2, 3, 3), bias * wide)
        keys |= norm_keys(f"model.{at + 1}", wide, norm)
    wide = 4 * width
    for block in range(10, 10 + blocks):
        for at in (1, 6 if dropout else 5):
            keys |= conv_keys(f"model.{block}.conv_block.{at}", (wide, wide, 3, 3), bias * wide)
            keys |= norm_keys(f"model.{block}.conv_block.{at + 1}", wide, norm)
    for at, wide in ((10 + blocks, 4 * width), (13 + blocks, 2 * width)):
        keys |= conv_keys(f"model.{at}", (wide, wide // 2, 3, 3), bias * wide // 2)
        keys |= norm_keys(f"model.{at + 1}", wide // 2, norm)
    return keys | conv_keys(f"model.{17 + blocks}", (channels_out, width, 7, 7), channels_out)


def patch_keys(width, channels_in, norm):
    bias = norm == "instance"
    keys = conv_keys("model.0", (width, channels_in, 4, 4), width)
    for at, wide in ((2, 2 * width), (5, 4 * width), (8, 8 * width)):
        keys |= conv_keys(f"model.{at}", (wide, wide // 2, 4, 4), bias * wide)
        keys |= norm_keys(f"model.{at + 1}", wide, norm)
    return keys | conv_keys("model.11", (1, 8 * width, 4, 4), 1)


def exchanged(network, keys):
    """Load a state dict of these keys strictly, and save the same keys and values again."""
    theirs = {
        key: torch.tensor(3) if key.endswith("tracked") else torch.full(shape, 0.25) for key, shape in keys.items()
    }
    network.load_state_dict(theirs, strict=True)
    ours = network.state_dict()
    assert set(ours) == set(theirs)
    return all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("depth", [5, 7, 8])
def test_u_net_weights_move_both_ways_under_their_published_names(depth, norm):
    network = UnetGenerator(3, 4, depth=depth, width=4, norm=norm, dropout=True)
    assert exchanged(network, unet_keys(depth, 4, 3, 4, norm))


@pytest.mark.parametrize("dropout", [True, False])
@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("blocks", [6, 9])
def test_resnet_weights_move_both_ways_under_their_published_names(blocks, norm, dropout):
    keys = resnet_keys(blocks, 4, 1, 3, norm, dropout)
    assert exchanged(ResnetTranslator(1, 3, blocks=blocks, width=4, norm=norm, dropout=dropout), keys)
    assert {"model.10.conv_block.1.weight", f"model.{15 if blocks == 6 else 18}.conv_block.1.weight"} <= set(keys)
    assert f"model.{23 if blocks == 6 else 26}.bias" in keys


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_discriminator_weights_move_both_ways_under_their_published_names(norm):
    assert exchanged(PatchDiscriminator(6, width=4, norm=norm), patch_keys(4, 6, norm))
    scales = {f"scales.{scale}.{key}": v for scale in range(3) for key, v in patch_keys(4, 6, norm).items()}
    assert exchanged(MultiscaleDiscriminator(6, width=4, norm=norm, scales=3), scales)


def test_the_parameter_counts_of_the_published_networks():
    # 4×4 convolutions of the U-Net: down, and up with the skip joined; two vectors a norm; the last layer's bias
    down = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 4 * 512 * 512)
    up = 16 * (512 * 512 + 3 * 1024 * 512 + 1024 * 256 + 512 * 128 + 256 * 64 + 128 * 3) + 3
    norms = 2 * ((128 + 256 + 4 * 512) + (4 * 512 + 256 + 128 + 64))
    assert count(UnetGenerator(depth=8)) == down + up + norms == 54_413_955
    assert count(UnetGenerator(depth=7)) == 41_828_995
    body = 49 * 3 * 64 + 9 * (64 * 128 + 128 * 256) * 2 + 49 * 64 * 3 + 9 * 2 * 9 * 256 * 256
    biases = 64 + 128 + 256 + 9 * 2 * 256 + 128 + 64 + 3
    assert count(ResnetTranslator(blocks=9, norm="instance")) == body + biases == 11_378_179
    patch = 16 * (6 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512) + 64 + 1 + 2 * (128 + 256 + 512)
    assert count(PatchDiscriminator(6)) == patch == 2_768_705


@pytest.mark.parametrize(("layers", "patch"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_a_logit_sees_a_patch_of_the_papers_size(layers, patch):
    picture = torch.zeros(1, 3, 256, 256, requires_grad=True)
    (logits,) = PatchDiscriminator(3, width=2, layers=layers).eval()(picture)
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    seen = picture.grad[0].abs().sum(0)
    rows, columns = seen.sum(1).nonzero().flatten(), seen.sum(0).nonzero().flatten()
    assert (len(rows), rows[-1] - rows[0] + 1) == (patch, patch)
    assert (len(columns), columns[-1] - columns[0] + 1) == (patch, patch)
    assert (seen > 0).sum() == patch * patch


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_the_smallest_picture_that_can_be_judged_gives_one_logit(layers):
    side = PatchDiscriminator.smallest_side(layers)
    network = PatchDiscriminator(3, width=2, layers=layers)
    assert network(torch.zeros(1, 3, side, side))[-1].shape == (1, 1, 1, 1)


def test_256_pixels_give_30_by_30_logits_and_the_scales_halve_them():
    picture = torch.zeros(2, 6, 256, 256)
    assert [tuple(x.shape) for x in PatchDiscriminator(6, width=2)(picture)] == [(2, 1, 30, 30)]
    judged = MultiscaleDiscriminator(6, width=2, scales=3)(picture, with_features=True)
    assert [scale[-1].shape[-1] for scale in judged] == [30, 14, 6]
    assert [features.shape[1] for features in judged[0]] == [2, 4, 8, 16, 1]


# Forward passes written down a second time, from state dicts by name.


def normed(x, weights, prefix, norm):
    if norm == "instance":
        return F.instance_norm(x)
    names = ("running_mean", "running_var", "weight", "bias")
    return F.batch_norm(x, *(weights[f"{prefix}.{name}"] for name in names))


def unet_by_hand(x, weights, norm, at="model.model"):
    def conv(x, index):
        return F.conv2d(x, weights[f"{at}.{index}.weight"], weights.get(f"{at}.{index}.bias"), 2, 1)

    def up(x, index):
        return F.conv_transpose2d(x, weights[f"{at}.{index}.weight"], weights.get(f"{at}.{index}.bias"), 2, 1)

    if at == "model.model":
        return torch.tanh(up(F.relu(unet_by_hand(conv(x, 0), weights, norm, f"{at}.1.model")), 3))
    y = conv(F.leaky_relu(x, 0.2), 1)
    if f"{at}.5.weight" in weights:
        inside = unet_by_hand(normed(y, weights, f"{at}.2", norm), weights, norm, f"{at}.3.model")
        y = normed(up(F.relu(inside), 5), weights, f"{at}.6", norm)
    else:
        y = normed(up(F.relu(y), 3), weights, f"{at}.4", norm)
    return torch.cat([x, y], 1)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_the_u_net_computes_what_its_names_say(norm):
    network = fill(UnetGenerator(3, 3, depth=6, width=2, norm=norm))
    picture = wave(3, 64, 2)
    with torch.no_grad():
        torch.testing.assert_close(network(picture.clone()), unet_by_hand(picture, network.state_dict(), norm))


def test_the_resnet_computes_what_its_names_say():
    network = fill(ResnetTranslator(1, 3, blocks=2, width=2, norm="batch", dropout=False))
    w = network.state_dict()

    def conv(x, name, pad=0, stride=1, zeros=0):
        x = F.pad(x, (pad,) * 4, mode="reflect") if pad else x
        return F.conv2d(x, w[f"{name}.weight"], w.get(f"{name}.bias"), stride, zeros)

    x = wave(1, 16)
    with torch.no_grad():
        ours = network(x.clone())
        x = F.relu(normed(conv(x, "model.1", 3), w, "model.2", "batch"))
        x = F.relu(normed(conv(x, "model.4", stride=2, zeros=1), w, "model.5", "batch"))
        x = F.relu(normed(conv(x, "model.7", stride=2, zeros=1), w, "model.8", "batch"))
        for block in ("model.10.conv_block", "model.11.conv_block"):
            y = F.relu(normed(conv(x, f"{block}.1", 1), w, f"{block}.2", "batch"))
            x = x + normed(conv(y, f"{block}.5", 1), w, f"{block}.6", "batch")
        for at in (12, 15):
            x = F.conv_transpose2d(x, w[f"model.{at}.weight"], None, 2, 1, 1)
            x = F.relu(normed(x, w, f"model.{at + 1}", "batch"))
        torch.testing.assert_close(ours, torch.tanh(conv(x, "model.19", 3)))


def test_golden_forwards_of_toy_networks():
    networks = {
        "unet": fill(UnetGenerator(3, 3, depth=3, width=2)),
        "unet instance": fill(UnetGenerator(1, 4, depth=5, width=2, norm="instance")),
        "resnet": fill(ResnetTranslator(3, 3, blocks=1, width=2)),
        "resnet instance": fill(ResnetTranslator(4, 3, blocks=2, width=2, norm="instance", dropout=False)),
        "patch": fill(PatchDiscriminator(6, width=2)),
        "scales": fill(MultiscaleDiscriminator(6, width=2, scales=2, norm="instance")),
    }
    channels = {"unet instance": 1, "resnet instance": 4, "patch": 6, "scales": 6}
    with torch.no_grad():
        out = {name: network(wave(channels.get(name, 3), 64)) for name, network in networks.items()}
    out["patch"], out["scales"] = out["patch"][-1], out["scales"][1][-1]
    means = {name: picture.double().mean().item() for name, picture in out.items()}
    corners = {name: picture[0, -1, 1, -2].item() for name, picture in out.items()}
    assert means == pytest.approx(MEANS, abs=2e-6)
    assert corners == pytest.approx(CORNERS, abs=1e-5)


MEANS = {
    "unet": 0.0663515,
    "unet instance": 0.1150348,
    "resnet": 0.0075881,
    "resnet instance": 0.2090130,
    "patch": 0.3452105,
    "scales": 0.2357594,
}
CORNERS = {
    "unet": -0.2789819,
    "unet instance": 0.2632259,
    "resnet": 0.1544612,
    "resnet instance": 0.4588251,
    "patch": 0.3760684,
    "scales": 3.3748658,
}


@pytest.mark.parametrize(
    ("network", "side"), [(UnetGenerator(3, 4, depth=4, width=4), 32), (ResnetTranslator(3, 4, blocks=1, width=4), 12)]
)
def test_batch_norms_fold_into_the_convolutions(network, side):
    fill(network)
    picture = wave(3, side)
    with torch.no_grad():
        folded = fold_batch_norms(network)
        torch.testing.assert_close(folded(picture.clone()), network(picture.clone()), atol=2e-5, rtol=1e-4)
    assert not [module for module in folded.modules() if isinstance(module, torch.nn.BatchNorm2d)]


def test_dropout_stands_in_the_middle_levels_and_is_off_at_inference():
    dropouts = [name for name, m in UnetGenerator(depth=8, width=2).named_modules() if isinstance(m, torch.nn.Dropout)]
    assert sorted(name.count("model") - 2 for name in dropouts) == [4, 5, 6]
    network = UnetGenerator(depth=7, width=2, norm="instance").eval()
    picture = wave(3, 128)
    with torch.no_grad():
        assert torch.equal(network(picture.clone()), network(picture.clone()))
        network.train()
        assert not torch.equal(network(picture.clone()), network(picture.clone()))


@pytest.mark.parametrize("depth", [2, 3, 6])
def test_the_smallest_picture_of_each_depth_goes_through_with_either_norm(depth):
    for norm in ("batch", "instance"):
        picture = torch.zeros(2, 3, 1 << depth, 1 << depth)
        assert UnetGenerator(depth=depth, width=2, norm=norm)(picture).shape == picture.shape


@pytest.mark.parametrize("depth", [0, 1, 11])
def test_a_depth_out_of_range_is_refused(depth):
    with pytest.raises(ValueError, match=f"depth {depth} is outside 2 … 10"):
        UnetGenerator(depth=depth)


def test_weights_start_normal_with_the_papers_deviation():
    torch.manual_seed(3)
    weight = UnetGenerator(depth=4, width=16).model.model[1].model[1].weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert abs(weight.mean().item()) < 0.002
