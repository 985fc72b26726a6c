"""`vfxgan train pix2pix` on a handful of small pairs, as a user runs it."""

import json

import numpy as np
import pytest
import torch

from vfxgan.cli.main import run
from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.progress import progress
from vfxgan.trainer.networks import build_generator
from vfxgan.trainer.networks.checkpoint import load_checkpoint
from vfxgan.trainer.networks.unet import UnetGenerator
from vfxgan.trainer.recipes.base import Networks
from vfxgan.trainer.recipes.pix2pix import Pix2PixOptions, Pix2PixRecipe, feature_matching_loss

SMALL = [
    "--width", "4", "--discriminator-width", "4", "--discriminator-layers", "2", "--batch", "2", "--peak", "16",
    "--threads", "1", "--workers", "0", "--log-every", "1", "--accelerator", "cpu", "--progress", "none",
]  # fmt: skip
UNET = ["--depth", "4", "--channels-in", "1"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Eight elements of 32 px, and their mattes."""
    folder = tmp_path_factory.mktemp("pairs")
    made = ["--count", "8", "--size", "32", "--seed", "5", "--processes", "1", "--progress", "none"]
    assert run(["dataset", "elements", "--out", str(folder / "rgb"), *made]) == 0
    arguments = ["--data", str(folder / "rgb"), "--out", str(folder / "matte"), "--progress", "none"]
    assert run(["dataset", "mattes", *arguments]) == 0
    return folder


@pytest.fixture
def train(cli, pairs, tmp_path):
    """Run `vfxgan train pix2pix` on the pairs into `tmp_path / name`."""

    def call(name, *more, iterations=2):
        folders = ["--data", pairs / "matte", "--target", pairs / "rgb", "--out", tmp_path / name]
        return cli("train", "pix2pix", *folders, *SMALL, "--iterations", iterations, *more)

    return call


@pytest.mark.parametrize(
    "options",
    [
        ["--depth", "5", "--dropout", "--adversarial", "lsgan"],
        ["--depth", "3", "--norm", "instance", "--batch", "1", "--adversarial", "hinge"],
        ["--generator", "resnet", "--blocks", "6", "--crop", "24", "--turns", "--vertical", "--zoom", "1.2"],
        ["--generator", "resnet", "--blocks", "9", "--norm", "instance", "--channels-out", "4"],
        ["--depth", "3", "--scales", "2", "--feature-weight", "10", "--crop", "24", "--diffaug", "translation,cutout"],
    ],
)
def test_each_kind_of_network_trains_validates_and_describes_itself(train, tmp_path, options):
    result = train("run", "--channels-in", 1, "--held-out", 2, "--validate-every", 2, *options)
    assert result.code == 0, result.err
    checkpoint = load_checkpoint(tmp_path / "run" / "ckpt.pt")
    spec = checkpoint.spec
    assert (spec.kind, spec.value_range, spec.tiling.mode, spec.encoding.peak) == ("translator", (-1, 1), "whole", 16)
    network = build_generator(spec)
    network.load_state_dict(checkpoint.average)
    multiple = spec.input.size_multiple
    with torch.no_grad():
        picture = network.eval()(torch.zeros(1, 1, 2 * multiple, 3 * multiple))
    assert picture.shape == (1, spec.channels_out, 2 * multiple, 3 * multiple)
    header, row = (tmp_path / "run" / "validation.csv").read_text().splitlines()
    figures = dict(zip(header.split(","), map(float, row.split(",")), strict=True))
    assert 0 < figures["val/l1"] < 1
    assert {"val/psnr", "val/ssim"} <= set(figures)
    assert (tmp_path / "run" / "best.pt").exists()


def test_the_sample_grid_shows_source_output_and_target_below_each_other(train, pairs, tmp_path):
    assert train("run", *UNET, "--held-out", 3, "--sample-every", 2).code == 0
    sheet = read_picture(tmp_path / "run" / "samples-000002.png").pixels
    assert sheet.shape == (3 * 32, 3 * 32, 3)
    source, target = sheet[:32].astype(int), sheet[64:].astype(int)
    assert (source[..., 0] == source[..., 2]).all()
    assert (target.max(axis=2) > 0).sum() == pytest.approx((source[..., 0] > 0).sum(), rel=0.2)


def state(path):
    checkpoint = load_checkpoint(path)
    nets = {f"{name}.{key}": v for name, weights in checkpoint.networks.items() for key, v in weights.items()}
    return nets | {f"average.{key}": v for key, v in checkpoint.average.items()}


def test_resuming_with_dropout_gives_the_same_weights_as_one_run(train, tmp_path):
    options = ["--channels-in", "1", "--crop", "64", "--depth", "6", "--dropout", "--feature-weight", "1"]
    assert train("whole", *options, iterations=4).code == 0
    assert train("parts", *options, iterations=2).code == 0
    assert train("parts", *options, "--resume", iterations=4).code == 0
    whole, parts = state(tmp_path / "whole" / "ckpt.pt"), state(tmp_path / "parts" / "ckpt.pt")
    assert whole.keys() == parts.keys()
    assert [key for key in whole if not torch.equal(whole[key], parts[key])] == []


def test_published_names_come_out_of_a_run_and_go_into_a_network(train, tmp_path):
    assert train("run", *UNET).code == 0
    networks = load_checkpoint(tmp_path / "run" / "ckpt.pt").networks
    assert {"model.model.0.weight", "model.model.1.model.3.model.3.model.4.running_var"} <= set(networks["generator"])
    assert {"model.0.bias", "model.2.weight", "model.3.running_mean", "model.8.bias"} <= set(networks["discriminator"])
    UnetGenerator(1, 3, depth=4, width=4).load_state_dict(networks["generator"], strict=True)


def test_a_run_is_exported_as_an_image_model_of_any_fitting_size(train, cli, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="the exported file is run")
    assert train("run", "--channels-in", 1, "--depth", 5).code == 0
    result = cli("export", tmp_path / "run" / "ckpt.pt", "--out", tmp_path / "model.onnx")
    assert result.code == 0, result.err
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for height, width in ((32, 32), (64, 32), (96, 160)):
        (picture,) = session.run(None, {"image": np.zeros((1, 1, height, width), np.float32)})
        assert picture.shape == (1, 3, height, width)
        assert np.abs(picture).max() <= 1


@pytest.fixture(scope="module")
def side_by_side(pairs, tmp_path_factory):
    """The same pairs as pictures of twice the width: green source left, the element right."""
    folder = tmp_path_factory.mktemp("ab")
    for path in sorted((pairs / "rgb").glob("*.exr")):
        target = read_picture(path).pixels[..., :3]
        source = np.zeros_like(target)
        source[..., 1] = 1
        both = Picture(np.concatenate([source, target], axis=1), ("R", "G", "B"), {"compression": "zips"})
        write_picture(folder / path.name, both)
    return folder


@pytest.mark.parametrize("swap", [False, True])
def test_side_by_side_pictures_are_pairs_in_either_direction(cli, side_by_side, tmp_path, swap):
    direction = ["--swap"] if swap else []
    options = ["--side-by-side", "--depth", "3", "--held-out", "1", "--iterations", "1", *direction]
    result = cli("train", "pix2pix", "--data", side_by_side, "--out", tmp_path / "run", *SMALL, *options)
    assert result.code == 0, result.err
    sheet = read_picture(tmp_path / "run" / "samples-000001.png").pixels
    assert sheet.shape == (96, 32, 3)
    green = sheet[64:] if swap else sheet[:32]
    assert (green == (0, 255, 0)).all()


def opened(pairs, folder, **options):
    """A recipe with its data, and one batch."""
    values = {"data": str(pairs / "matte"), "target": str(pairs / "rgb"), "channels_in": 1, "peak": 16, "width": 8}
    small = {"discriminator_width": 8, "discriminator_layers": 2, "depth": 3, "batch": 4, "flip": False}
    recipe = Pix2PixRecipe(Pix2PixOptions(**(values | small | options)))
    samples = recipe.load_data(folder, "none")
    drawn = [samples[0, slot] for slot in range(4)]
    return recipe, {name: torch.from_numpy(np.stack([s[name] for s in drawn])).float() for name in drawn[0]}


def iterate(recipe, nets, batch, optimizers, iteration):
    scalars = {}
    for step in recipe.steps(iteration, Networks(nets), batch, torch.Generator().manual_seed(0)):
        optimizers[step.network].zero_grad()
        step.loss.backward()
        optimizers[step.network].step()
        scalars |= {name: value.item() for name, value in step.scalars.items()}
    return scalars


@pytest.mark.parametrize("options", [{}, {"generator": "resnet", "blocks": 6, "norm": "instance", "dropout": False}])
def test_the_difference_falls_on_one_batch(pairs, tmp_path, options):
    torch.manual_seed(1)
    recipe, batch = opened(pairs, tmp_path, **options)
    nets = recipe.networks()
    optimizers = {name: torch.optim.Adam(net.parameters(), 2e-3, (0.5, 0.999)) for name, net in nets.items()}
    values = [iterate(recipe, nets, batch, optimizers, n)["loss/l1"] for n in range(30)]
    assert values[-1] < values[0] / 3


def test_an_iteration_generates_once_and_leaves_the_other_networks_gradient_alone(pairs, tmp_path):
    recipe, batch = opened(pairs, tmp_path, scales=2, feature_weight=10)
    nets = recipe.networks()
    passes = []
    nets["generator"].register_forward_hook(lambda *_: passes.append(1))
    steps = recipe.steps(0, Networks(nets), batch, torch.Generator())
    first = next(steps)
    first.loss.backward()
    assert first.network == "discriminator"
    assert all(parameter.grad is None for parameter in nets["generator"].parameters())
    nets["discriminator"].zero_grad(set_to_none=True)
    second = next(steps)
    second.loss.backward()
    assert second.network == "generator"
    assert all(parameter.grad is None for parameter in nets["discriminator"].parameters())
    assert all(parameter.grad is not None for parameter in nets["generator"].parameters())
    assert next(steps, None) is None
    assert len(passes) == 1


def test_what_is_compared_by_features_was_moved_alike(pairs, tmp_path):
    recipe, batch = opened(pairs, tmp_path, crop=32, feature_weight=10, diffaug="translation,cutout")
    nets = recipe.networks()
    seen = []
    nets["discriminator"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, :1]))
    list(recipe.steps(0, Networks(nets), batch, torch.Generator().manual_seed(3)))
    first_fake, first_real, fake, real = seen
    assert torch.equal(fake, real)
    assert not torch.equal(first_fake, first_real)
    assert not torch.equal(fake, batch["source"])


def test_features_are_compared_by_layer_and_scale_without_the_logits():
    real = [[torch.zeros(2, 3), torch.zeros(2, 5), torch.zeros(1)], [torch.zeros(4), torch.ones(4), torch.zeros(1)]]
    fake = [[torch.ones(2, 3), torch.full((2, 5), -2.0), torch.full((1,), 9.0)], [torch.zeros(4)] * 3]
    assert feature_matching_loss(real, fake).item() == pytest.approx(1 + 2 + 0 + 1)


def test_statistics_of_the_averaged_network_are_measured_without_dropout(pairs, tmp_path):
    recipe, _ = opened(pairs, tmp_path, depth=5, crop=64, batch=8)
    torch.manual_seed(0)
    network = recipe.networks()["generator"]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    recipe.calibrate(network)
    first = {name: buffer.clone() for name, buffer in network.named_buffers()}
    recipe.calibrate(network)
    assert all(torch.equal(buffer, first[name]) for name, buffer in network.named_buffers())
    assert not any(module.training for module in network.modules())
    # what batch norm would do with these very pictures is what the statistics now do
    sources = torch.cat(list(recipe._calibration_batches(network)))[:16]
    with torch.no_grad():
        expected = network(sources)
        for module in network.modules():
            module.train(isinstance(module, torch.nn.BatchNorm2d))
        assert (network(sources) - expected).abs().mean() < 0.1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--crop", "44"], "crop: 44 is no multiple of 2^depth = 16; the nearest is 48"),
        (["--generator", "resnet", "--crop", "30"], "crop: 30 is no multiple of 4; the nearest is 32"),
        (["--crop", "16", "--scales", "2"], "crop: 16 is too small for the discriminators, which need 24"),
        (["--depth", "6"], "pictures of 32×32 do not fit (side: 32 is no multiple of 2^depth = 64; the nearest is 64)"),
        (["--side-by-side"], "target: give --target, or --side-by-side"),
        (["--depth", "12"], "depth"),
        (["--diffaug", "color"], "diffaug: no such operation color; known: translation, cutout; --diffaug: needs"),
        (["--norm", "layer"], "--norm"),
        (["--adversarial", "wgan"], "--adversarial"),
        (["--channels-in", "2"], "--channels-in"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(train, tmp_path, options, reason):
    result = train("run", *UNET, *options)
    assert result.code in (1, 2)
    assert reason in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "run" / "ckpt.pt").exists()


def test_without_a_target_the_choice_is_named(cli, pairs, tmp_path):
    result = cli("train", "pix2pix", "--data", pairs / "matte", "--out", tmp_path / "run", "--progress", "none")
    assert result.code == 2
    assert "give --target, or --side-by-side" in result.line


def test_pairs_that_do_not_match_are_listed_in_one_line(cli, pairs, tmp_path):
    (tmp_path / "some").mkdir()
    for name in ("000001.exr", "000004.exr", "000099.exr"):
        picture = read_picture(pairs / "matte" / "000001.exr")
        write_picture(tmp_path / "some" / name, picture)
    folders = ["--data", tmp_path / "some", "--target", pairs / "rgb", "--out", tmp_path / "run"]
    result = cli("train", "pix2pix", *folders, *SMALL, *UNET, "--iterations", 1)
    assert result.code == 1
    assert "000099" in result.line
    assert "000002" in result.line


def test_another_generator_is_not_resumed_from(train):
    assert train("run", *UNET).code == 0
    result = train("run", *UNET, "--generator", "resnet", "--resume", iterations=4)
    assert result.code != 0
    assert "generator 'unet'" in result.line


def test_a_dry_run_prints_the_batch_that_the_norm_asks_for(cli, pairs, tmp_path):
    folders = ["--data", pairs / "matte", "--target", pairs / "rgb", "--out", tmp_path / "run", "--dry-run"]
    for norm, batch in (("batch", 8), ("instance", 1)):
        printed = cli("train", "pix2pix", *folders, "--width", 2, "--norm", norm).out
        assert json.loads(printed[: printed.rindex("}") + 1])["batch"] == batch


def test_batch_norm_over_single_pairs_is_warned_of():
    options = {"data": "a", "target": "b"}
    assert "--norm instance" in Pix2PixRecipe(Pix2PixOptions(**options, batch=1)).warnings({})[0]
    assert Pix2PixRecipe(Pix2PixOptions(**options, batch=1, norm="instance")).warnings({}) == []
    assert Pix2PixRecipe(Pix2PixOptions(**options)).warnings({}) == []


def test_mattes_are_the_alpha_and_edges_the_slope_of_the_encoded_luma(cli, pairs, tmp_path):
    path = "000003.exr"
    element, matte = (read_picture(pairs / kind / path).pixels for kind in ("rgb", "matte"))
    assert matte.shape == (32, 32, 1)
    assert matte.dtype == np.float16
    assert np.abs(matte[..., 0] - element[..., 3]).max() < 1e-3
    ramp = np.zeros((8, 16, 3), np.uint8)
    ramp[:, 4:9] = np.arange(0, 250, 50)[None, :, None]
    ramp[:, 9:] = 250
    (tmp_path / "photos").mkdir()
    write_picture(tmp_path / "photos" / "ramp.png", Picture(ramp, ("R", "G", "B")))
    options = ["--data", tmp_path / "photos", "--out", tmp_path / "edges", "--progress", "none"]
    assert cli("dataset", "mattes", *options, "--kind", "edges").code == 0
    slope = read_picture(tmp_path / "edges" / "ramp.exr").pixels[4, :, 0].astype(float)
    assert slope[6] == pytest.approx(4 * 50 / 255, abs=0.01)
    assert (slope[:3] == 0).all()
    assert (slope[12:] == 0).all()


def test_mattes_of_pictures_without_alpha_or_into_their_own_folder_are_refused(cli, pairs, tmp_path):
    picture = Picture(np.zeros((4, 4, 3), np.uint8), ("R", "G", "B"))
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "a.png", picture)
    result = cli("dataset", "mattes", "--data", tmp_path / "in", "--out", tmp_path / "out", "--progress", "none")
    assert (result.code, "a.png: has no alpha" in result.line) == (1, True)
    result = cli("dataset", "mattes", "--data", pairs / "rgb", "--out", pairs / "rgb", "--progress", "none")
    assert (result.code, "choose another" in result.line) == (2, True)


def test_mattes_that_are_there_are_not_made_again(pairs, tmp_path):
    from vfxgan.trainer.mattes import write_mattes

    paths = sorted((pairs / "rgb").glob("*.exr"))[:2]
    write_mattes(paths, tmp_path, "alpha", progress("none", "", 2))
    before = (tmp_path / "000000.exr").stat().st_mtime_ns
    write_mattes(paths, tmp_path, "alpha", progress("none", "", 2))
    assert (tmp_path / "000000.exr").stat().st_mtime_ns == before
