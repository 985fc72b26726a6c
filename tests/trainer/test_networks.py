"""Networks against their papers: shapes, counts, and what the product needs of them."""

import pytest
import torch

from vfxgan.trainer.networks.dcgan import DcganGenerator, base_and_stages, latent_entries
from vfxgan.trainer.networks.dcgan_discriminator import DcganDiscriminator
from vfxgan.trainer.networks.dcgan_progressive import ProgressiveGenerator, enlarge, sides_of
from vfxgan.trainer.networks.dcgan_progressive_discriminator import ProgressiveDiscriminator


def test_the_paper_generator_halves_from_1024_at_4_pixels():
    generator = DcganGenerator(size=64, channels_out=3)
    widths = [tuple(stage.conv.weight.shape) for stage in generator.stages]
    assert tuple(generator.project.weight.shape) == (4 * 4 * 1024, 100)
    assert widths == [(1024, 512, 4, 4), (512, 256, 4, 4), (256, 128, 4, 4)]
    assert tuple(generator.to_picture.weight.shape) == (128, 3, 4, 4)
    assert generator(torch.zeros(2, 100)).shape == (2, 3, 64, 64)


def test_the_names_of_the_paper_networks_parameters_do_not_change():
    # checkpoints are read by them
    norm = ["norm.weight", "norm.bias"]
    stages = [f"stages.{n}.{name}" for n in range(3) for name in ("conv.weight", *norm)]
    expected = ["project.weight", *norm, *stages, "to_picture.weight", "to_picture.bias"]
    assert [name for name, _ in DcganGenerator(size=64).named_parameters()] == expected
    judged = [name for name, _ in DcganDiscriminator(size=64).named_parameters()]
    assert judged[:3] == ["features.0.weight", "features.0.bias", "features.2.weight"]
    assert judged[-2:] == ["judge.weight", "judge.bias"]
    grown = [name for name, _ in ProgressiveGenerator(size=64).named_parameters()]
    assert [name for name in grown if name.startswith("to_picture")] == [
        f"to_picture.{side}.{name}" for side in (16, 32, 64) for name in ("weight", "bias")
    ]


def test_the_parameter_count_of_the_paper_generator_at_64_pixels():
    # projection, three transposed convolutions, the last with its bias, four norms of two vectors
    expected = 100 * 16384 + 16 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3) + 3
    expected += 2 * (1024 + 512 + 256 + 128)
    assert sum(p.numel() for p in DcganGenerator(size=64, channels_out=3).parameters()) == expected


@pytest.mark.parametrize(("size", "base", "stages"), [(64, 4, 4), (128, 4, 5), (192, 6, 5), (768, 6, 7), (1024, 4, 8)])
def test_sizes_are_four_or_six_doubled(size, base, stages):
    assert base_and_stages(size) == (base, stages)


@pytest.mark.parametrize("size", [0, 4, 100, 320, 2048])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match=f"size {size} is neither"):
        base_and_stages(size)


def test_it_scales_to_a_megapixel_and_to_192():
    with torch.no_grad():
        assert DcganGenerator(size=1024, channels_out=4).eval()(torch.zeros(1, 100)).shape == (1, 4, 1024, 1024)
        assert DcganGenerator(size=192, channels_out=3).eval()(torch.zeros(1, 100)).shape == (1, 3, 192, 192)


def test_the_border_window_makes_the_outermost_pixels_exactly_empty():
    torch.manual_seed(0)
    picture = DcganGenerator(size=32, channels=(8, 8, 8, 8), upsample="bilinear", border_px=4)(torch.randn(3, 100))
    border = torch.cat([picture[..., 0, :], picture[..., -1, :], picture[..., :, 0], picture[..., :, -1]])
    assert (border == -1).all()
    assert (picture[..., 8:-8, 8:-8] > -1).all()


def test_noise_maps_are_part_of_the_latent():
    assert latent_entries(128, 64, 64) == 64 + 8**2 + 16**2 + 32**2 + 64**2
    torch.manual_seed(0)
    generator = DcganGenerator(size=32, z_size=4, channels=(8, 8, 8, 8), upsample="bilinear", noise_to=16).eval()
    latents = torch.zeros(2, latent_entries(32, 4, 16))
    latents[1, -1] = 1.0  # one pixel of the finest map
    first, second = generator(latents).detach()
    assert not torch.equal(first, second)


@pytest.mark.parametrize("norm", ["batch", "spectral", "none"])
def test_the_discriminator_gives_one_logit_a_picture(norm):
    assert DcganDiscriminator(64, norm=norm)(torch.zeros(3, 4, 64, 64)).shape == (3,)
    options = {"unshuffle": True, "minibatch_std": True, "channels": (8, 16, 16)}
    assert DcganDiscriminator(64, norm=norm, **options)(torch.zeros(3, 4, 64, 64)).shape == (3,)


def test_the_paper_discriminator_mirrors_the_generator():
    convolutions = [m for m in DcganDiscriminator(64, channels_in=3).modules() if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [128, 256, 512, 1024, 1]


def test_the_progressive_generator_has_a_picture_at_each_resolution():
    generator = ProgressiveGenerator(size=64, channels_out=3)
    assert {side: tuple(head.weight.shape) for side, head in generator.to_picture.items()} == {
        "16": (3, 256, 1, 1),
        "32": (3, 128, 1, 1),
        "64": (3, 64, 1, 1),
    }
    latents = torch.zeros(2, 100)
    assert [generator(latents, side).shape[-1] for side in (16, 32, 64)] == [16, 32, 64]


@pytest.mark.parametrize("size", [64, 96])
def test_a_resolution_fades_in_from_the_one_before(size):
    torch.manual_seed(0)
    before, after = sides_of(size)[-2:]
    generator = ProgressiveGenerator(size, z_size=4, channels=(8,) * 5, noise_to=size // 2, border_px=4).eval()
    latents = torch.rand(2, latent_entries(size, 4, size // 2))
    small, large = generator(latents, before), generator(latents, after)
    assert torch.equal(generator(latents, after, 0.0), enlarge(small))
    assert torch.equal(generator(latents, after, 1.0), large)
    assert torch.allclose(generator(latents, after, 0.25), enlarge(small) * 0.75 + large * 0.25, atol=1e-6)
    judge = ProgressiveDiscriminator(size, (8,) * 4, norm="spectral", minibatch_std=True).eval()
    assert torch.allclose(judge(large, 0.0), judge(torch.nn.functional.avg_pool2d(large, 2)), atol=1e-6)
    assert not torch.allclose(judge(large, 0.5), judge(large, 1.0), atol=1e-6)


def test_a_progressive_generator_is_rebuilt_at_the_stage_it_was_saved_at():
    grown = ProgressiveGenerator(64, z_size=4, channels=(8,) * 5).eval()
    stopped = ProgressiveGenerator(64, side=32, alpha=0.5, z_size=4, channels=(8,) * 5).eval()
    stopped.load_state_dict(grown.state_dict())
    latents = torch.rand(2, 4)
    assert torch.equal(stopped(latents), grown(latents, 32, 0.5))


def test_a_stage_that_a_size_does_not_have_is_refused():
    with pytest.raises(ValueError, match="side 48 is none of the resolutions of size 64"):
        ProgressiveGenerator(64, side=48)


def weighted(network: torch.nn.Module) -> torch.nn.Module:
    """The network with weights by formula, which no version of torch draws otherwise."""
    with torch.no_grad():
        for index, parameter in enumerate(network.parameters()):
            values = torch.arange(parameter.numel(), dtype=torch.float32)
            parameter.copy_(torch.sin(values * 0.7 + index).view_as(parameter) * 0.3)
    return network.eval()


def test_golden_forwards_of_toy_discriminators():
    picture = torch.sin(torch.arange(2 * 4 * 16 * 16) * 0.37).view(2, 4, 16, 16)
    plain = weighted(DcganDiscriminator(16, (4, 4), norm="none", minibatch_std=True))(picture)
    assert plain.tolist() == pytest.approx([-0.3224678, -0.1034910], abs=1e-5)
    grown = weighted(ProgressiveDiscriminator(32, (4, 4), norm="batch", unshuffle=True))(picture, 0.5)
    assert grown.tolist() == pytest.approx([-0.1877596, -0.1891000], abs=1e-5)


def test_a_golden_forward_of_a_toy_progressive_generator():
    generator = weighted(ProgressiveGenerator(32, z_size=3, channels=(4, 4, 4, 4), noise_to=8, border_px=2))
    latents = torch.sin(torch.arange(3 + 64) * 0.9)[None]
    picture = generator(latents, 32, 0.5)
    assert picture.double().mean().item() == pytest.approx(-0.2484912, abs=1e-6)
    assert picture[0, 1, 7, 9].item() == pytest.approx(0.0471229, abs=1e-5)


def test_a_golden_forward_of_a_toy_generator():
    generator = DcganGenerator(size=16, z_size=3, channels=(4, 4), channels_out=3).eval()
    with torch.no_grad():
        for index, parameter in enumerate(generator.parameters()):
            values = torch.arange(parameter.numel(), dtype=torch.float32)
            parameter.copy_(torch.sin(values * 0.7 + index).view_as(parameter) * 0.3)
        picture = generator(torch.tensor([[0.5, -0.25, 1.0]]))
    assert picture.double().mean().item() == pytest.approx(0.2467972, abs=1e-6)
    assert picture[0, 1, 7, 9].item() == pytest.approx(0.1202486, abs=1e-5)
