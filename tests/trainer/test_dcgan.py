"""What `vfxgan train dcgan` has against collapse, for small sets, and for the way to a megapixel."""

import json

import pytest
import torch
from torch import nn

from vfxgan.cli.main import run
from vfxgan.images import read_picture
from vfxgan.trainer.diffaug import OPERATIONS, Diffaug, cut_out, recolour, translate
from vfxgan.trainer.growth import Growth, Stage, reduced
from vfxgan.trainer.losses import r1_penalty
from vfxgan.trainer.networks.checkpoint import load_checkpoint
from vfxgan.trainer.networks.dcgan_discriminator import DcganDiscriminator, with_deviation
from vfxgan.trainer.recipes.base import Networks
from vfxgan.trainer.recipes.dcgan import DcganOptions, DcganRecipe

SMALL = [
    "--size", "32", "--batch", "2", "--z-size", "4", "--discriminator-channels", "8,8,8", "--threads", "1",
    "--workers", "0", "--accelerator", "cpu", "--progress", "none", "--validate-every", "0", "--sample-every", "1000",
    "--log-every", "1",
]  # fmt: skip
GROWING = ["--channels", "8,8,8,8", "--progressive", "--grow-every", "4"]  # 16 px, four fading and training at 32, 32


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elements")
    arguments = ["--count", "4", "--size", "32", "--seed", "5", "--processes", "1", "--progress", "none"]
    assert run(["dataset", "elements", "--out", str(folder), *arguments]) == 0
    return folder


def train(data, out, *more):
    return run(["train", "dcgan", "--data", str(data), "--out", str(out), *SMALL, *more])


def generator():
    return torch.Generator().manual_seed(7)


def element():
    """[2, 4, 32, 32]: something with soft alpha in the middle of nothing, and light without alpha beside it."""
    picture = torch.full((2, 4, 32, 32), -1.0)
    picture[:, :, 8:20, 10:20] = torch.rand(2, 4, 12, 10, generator=generator()) - 1
    picture[:, :3, 22:24, 22:24] = 0.5
    return picture


# --- growing


def test_growth_is_a_function_of_the_iteration_alone():
    growth = Growth(size=64, every=4)
    assert [growth.at(i) for i in (0, 3)] == [Stage(16, 1.0)] * 2
    assert [growth.at(i) for i in (4, 5, 6, 7)] == [Stage(32, 0.0), Stage(32, 0.5), Stage(32, 1.0), Stage(32, 1.0)]
    assert growth.at(9) == Stage(64, 0.5)
    assert growth.at(12) == growth.at(10**6) == Stage(64, 1.0)


def test_the_schedule_follows_from_the_iterations_and_is_recorded():
    options = DcganOptions(data="x", size=128, iterations=1000, progressive=True)  # 16, 32, 64, and 128 for two parts
    assert options.grow_every == 200
    assert DcganOptions(data="x", size=128, iterations=1000).grow_every == 0
    assert DcganOptions(data="x", size=128, iterations=1000, progressive=True, grow_every=7).grow_every == 7


def test_real_pictures_fade_as_generated_ones_do():
    whole = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert torch.equal(reduced(whole, Stage(4, 1.0)), whole)
    assert torch.equal(reduced(whole, Stage(2, 1.0)), torch.tensor([[[[2.5, 4.5], [10.5, 12.5]]]]))
    blocks = torch.tensor([[2.5, 4.5], [10.5, 12.5]]).repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert torch.equal(reduced(whole, Stage(4, 0.0))[0, 0], blocks)
    assert torch.equal(reduced(whole, Stage(4, 0.5))[0, 0], (whole[0, 0] + blocks) / 2)


def test_resuming_across_a_growth_boundary_gives_the_same_weights_as_one_run(data, tmp_path):
    options = [*GROWING, "--r1", "1", "--r1-every", "2", "--diffaug", "color,translation,cutout"]
    assert train(data, tmp_path / "whole", "--iterations", "6", *options) == 0
    assert train(data, tmp_path / "parts", "--iterations", "3", *options) == 0
    early = load_checkpoint(tmp_path / "parts" / "ckpt.pt")
    assert early.spec.size == (16, 16)
    assert train(data, tmp_path / "parts", "--iterations", "6", *options, "--resume") == 0
    whole, parts = (load_checkpoint(tmp_path / name / "ckpt.pt") for name in ("whole", "parts"))
    assert (whole.spec.size, whole.spec.arguments["alpha"]) == ((32, 32), 0.5)
    for name, weights in whole.networks.items():
        for key, value in weights.items():
            assert torch.equal(value, parts.networks[name][key]), (name, key)
    assert all(torch.equal(value, parts.average[key]) for key, value in whole.average.items())


def test_a_run_with_more_iterations_does_not_grow_by_another_schedule(data, tmp_path, capfd):
    options = ["--channels", "8,8,8,8", "--progressive"]
    assert train(data, tmp_path / "run", "--iterations", "3", *options) == 0
    assert json.loads((tmp_path / "run" / "options.json").read_text())["grow_every"] == 1
    assert train(data, tmp_path / "run", "--iterations", "9", *options, "--resume") == 2
    assert "grow_every 1 there, 3 here; give the run's own" in capfd.readouterr().err.replace("(", "").replace(")", "")


def test_a_run_that_is_still_growing_exports_and_renders_what_it_shows(data, tmp_path):
    assert train(data, tmp_path / "run", "--iterations", "6", *GROWING, "--sample-every", "3") == 0
    sheets = [read_picture(tmp_path / "run" / f"samples-{n:06d}.png").pixels.shape for n in (3, 6)]
    assert sheets == [(5 * 16, 8 * 16, 3), (5 * 32, 8 * 32, 3)]
    model, frame = tmp_path / "m.onnx", tmp_path / "f" / "0.exr"
    assert run(["export", str(tmp_path / "run" / "ckpt.pt"), "--out", str(model)]) == 0
    arguments = ["--seeds", "0", "--out", str(frame), "--progress", "none"]
    assert run(["render", str(model), *arguments]) == 0
    assert read_picture(frame).pixels.shape == (32, 32, 4)


# --- against collapse


class Linear(nn.Module):
    """w·x + b, whose gradient is w."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))

    def forward(self, picture):
        return picture @ self.weight + 3


def test_r1_of_a_linear_discriminator_is_its_squared_weight():
    judge, real = Linear(), torch.randn(5, 3, generator=generator()).requires_grad_()
    penalty = r1_penalty(judge(real), real)
    assert penalty.item() == pytest.approx(1 + 4 + 0.25)
    penalty.backward()
    assert judge.weight.grad.tolist() == pytest.approx([2.0, -4.0, 1.0])


def test_the_discriminator_measures_r1_in_its_own_pass():
    judge = DcganDiscriminator(16, channels=(4, 4), norm="none")
    with torch.no_grad():  # one layer that counts: leaky rectifiers are linear where everything is positive
        for module in judge.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.abs_()
    real = torch.rand(3, 4, 16, 16, generator=generator())
    logits, penalty = judge(real, penalised=True)
    assert torch.equal(logits, judge(real))
    one = torch.zeros(1, 4, 16, 16, requires_grad=True)
    (slope,) = torch.autograd.grad(judge(one + 0.1).sum(), one)
    assert penalty.item() == pytest.approx(slope.square().sum().item(), rel=1e-4)


def test_r1_is_laid_on_every_so_often_and_that_much_stronger():
    recipe = DcganRecipe(
        DcganOptions(
            data="x", size=16, batch=2, z_size=4, channels=(8, 8), discriminator_channels=(8, 8), r1=2.0, r1_every=4
        )
    )
    torch.manual_seed(0)
    nets = Networks(recipe.networks())
    batch = {"real": torch.rand(2, 4, 16, 16, generator=generator()) * 2 - 1}
    first = [next(recipe.steps(n, nets, batch, generator())) for n in (0, 1, 4)]
    added = [step.loss - step.scalars["loss/discriminator"] for step in first]
    stronger = 2.0 / 2 * 4 * first[0].scalars["penalty/r1"]
    assert [value.item() for value in added] == pytest.approx([stronger.item(), 0.0, added[2].item()], abs=1e-6)
    assert stronger.item() > 1e-6


def test_minibatch_deviation_is_one_number_for_the_batch():
    x = torch.tensor([[[[1.0]], [[2.0]]], [[[3.0]], [[2.0]]]])  # two samples, two features: deviations 1 and 0
    seen = with_deviation(x)
    assert seen.shape == (2, 3, 1, 1)
    assert seen[:, 2].flatten().tolist() == pytest.approx([0.5, 0.5], abs=1e-4)


# --- augmentation


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_empty_stays_empty(operation):
    empty = torch.full((3, 4, 16, 16), -1.0)
    assert torch.equal(Diffaug(frozenset({operation}))(empty, generator()), empty)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_same_numbers_give_the_same_pictures_and_gradients_flow(operation):
    augment = Diffaug(frozenset({operation}))
    picture = element().requires_grad_()
    first, again = augment(picture, generator()), augment(picture, generator())
    assert torch.equal(first, again)
    assert not torch.equal(first, picture)
    (gradient,) = torch.autograd.grad(first.square().sum(), picture)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


def test_pictures_of_a_batch_are_augmented_each_in_its_own_way():
    same = element()[:1].expand(2, -1, -1, -1)
    for operation in OPERATIONS:
        first, second = Diffaug(frozenset({operation}))(same, generator())
        assert not torch.equal(first, second)


def test_recolouring_opaque_pictures_is_what_the_paper_says():
    picture = torch.rand(1, 3, 8, 8, generator=generator()) * 2 - 1
    draws = torch.rand(3, 1, 1, 1, 1, generator=generator()).flatten().tolist()
    expected = picture + (draws[0] - 0.5)
    grey = expected.mean(1, keepdim=True)
    expected = grey + (expected - grey) * (2 * draws[1])
    expected = expected.mean() + (expected - expected.mean()) * (0.5 + draws[2])
    assert torch.allclose(recolour(picture, generator()), expected, atol=1e-5)
    opaque = torch.cat([picture, torch.ones(1, 1, 8, 8)], dim=1)
    assert torch.allclose(recolour(opaque, generator())[:, :3], expected, atol=1e-5)


def test_recolouring_leaves_alpha_and_empty_pixels_alone():
    picture = element()
    seen = recolour(picture, generator())
    assert torch.equal(seen[:, 3], picture[:, 3])
    nothing = (picture == -1).all(dim=1, keepdim=True).expand_as(picture)
    assert torch.equal(seen[nothing], picture[nothing])


def test_translating_moves_by_whole_pixels_and_loses_only_what_leaves():
    picture = torch.full((8, 1, 16, 16), -1.0)
    picture[:, :, 8, 8] = 1.0
    seen = translate(picture, 3, generator())
    assert (seen == 1).flatten(1).sum(1).tolist() == [1] * 8
    rows = (seen == 1).nonzero()[:, 2]
    assert rows.min() >= 5
    assert rows.max() <= 11
    assert len(set(rows.tolist())) > 1


def test_cutting_out_empties_a_square():
    seen = cut_out(torch.ones(20, 4, 16, 16), generator())
    holes = (seen == -1).all(dim=1).flatten(1).sum(1)
    assert holes.min() >= 25  # a corner
    assert holes.max() <= 81


def test_shifting_by_pixels_follows_the_resolution():
    moved = Diffaug(frozenset(), shift=12 / 128)
    small = torch.full((16, 1, 16, 16), -1.0)
    small[..., 0] = 1.0
    columns = (moved(small, generator()) == 1).any(dim=2).nonzero()[:, 2]
    assert columns.max() == 2  # round(16 · 12/128) = 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--diffaug", "color,blur"], "diffaug: no such operation blur; known: color, translation, cutout"),
        (["--r1", "-1"], "r1"),
        (["--progressive"], "channels: 3 widths given, 4 needed at 32 px, progressive"),
    ],
)
def test_options_that_do_not_fit_are_refused(data, tmp_path, capfd, options, words):
    assert train(data, tmp_path / "run", "--channels", "8,8,8", "--iterations", "1", *options) != 0
    error = capfd.readouterr().err.strip()
    assert words in error
    assert error.count("\n") == 0


# --- starting from another run


def test_a_run_can_start_from_the_weights_of_another(data, tmp_path):
    plain = ["--channels", "8,8,8"]
    assert train(data, tmp_path / "first", "--iterations", "2", *plain) == 0
    start = ["--init", str(tmp_path / "first" / "ckpt.pt"), "--learning-rate", "1e-12"]
    assert train(data, tmp_path / "second", "--iterations", "1", *plain, *start, "--seed", "3") == 0
    first, second = (load_checkpoint(tmp_path / name / "ckpt.pt") for name in ("first", "second"))
    assert second.iteration == 1
    weight = "stages.0.conv.weight"
    assert torch.allclose(second.networks["generator"][weight], first.average[weight], atol=1e-8)
    judge = "features.0.weight"
    assert torch.allclose(second.networks["discriminator"][judge], first.networks["discriminator"][judge], atol=1e-8)


def test_a_discriminator_of_another_kind_starts_anew_and_is_named(data, tmp_path, capfd):
    plain = ["--channels", "8,8,8"]
    assert train(data, tmp_path / "first", "--iterations", "1", *plain) == 0
    start = ["--init", str(tmp_path / "first" / "ckpt.pt"), "--discriminator-norm", "none", "--r1", "1"]
    assert train(data, tmp_path / "second", "--iterations", "1", *plain, *start) == 0
    assert "its discriminator does not fit and starts anew" in capfd.readouterr().err


def test_a_generator_of_another_shape_is_no_start(data, tmp_path, capfd):
    assert train(data, tmp_path / "first", "--iterations", "1", "--channels", "8,8,8") == 0
    start = ["--init", str(tmp_path / "first" / "ckpt.pt")]
    assert train(data, tmp_path / "second", "--iterations", "1", "--channels", "8,8,4", *start) == 1
    error = capfd.readouterr().err.strip().splitlines()[-1]
    assert "its generator does not fit this one; give the options that it was trained with" in error


def test_validation_names_the_best_checkpoint(data, tmp_path):
    # the last --validate-every on the line counts
    options = ["--channels", "8,8,8", "--validate-every", "2", "--held-out", "2"]
    assert train(data, tmp_path / "run", "--iterations", "2", *options) == 0
    header, row = (tmp_path / "run" / "validation.csv").read_text().splitlines()
    assert header.split(",")[:2] == ["iteration", "val/swd"]
    assert float(row.split(",")[1]) > 0
    assert load_checkpoint(tmp_path / "run" / "best.pt").iteration == 2
