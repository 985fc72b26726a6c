"""Networks against their papers: shapes, counts, and what the product needs of them."""

import pytest
import torch

from vfxgan.trainer.networks.dcgan import DcganGenerator, base_and_stages, latent_entries
from vfxgan.trainer.networks.dcgan_discriminator import DcganDiscriminator


def test_the_paper_generator_halves_from_1024_at_4_pixels():
    generator = DcganGenerator(size=64, channels_out=3)
    widths = [tuple(stage.conv.weight.shape) for stage in generator.stages]
    assert tuple(generator.project.weight.shape) == (4 * 4 * 1024, 100)
    assert widths == [(1024, 512, 4, 4), (512, 256, 4, 4), (256, 128, 4, 4)]
    assert tuple(generator.to_picture.weight.shape) == (128, 3, 4, 4)
    assert generator(torch.zeros(2, 100)).shape == (2, 3, 64, 64)


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


def test_a_golden_forward_of_a_toy_generator():
    generator = DcganGenerator(size=16, z_size=3, channels=(4, 4), channels_out=3).eval()
    with torch.no_grad():
        for index, parameter in enumerate(generator.parameters()):
            values = torch.arange(parameter.numel(), dtype=torch.float32)
            parameter.copy_(torch.sin(values * 0.7 + index).view_as(parameter) * 0.3)
        picture = generator(torch.tensor([[0.5, -0.25, 1.0]]))
    assert picture.double().mean().item() == pytest.approx(0.2467972, abs=1e-6)
    assert picture[0, 1, 7, 9].item() == pytest.approx(0.1202486, abs=1e-5)
