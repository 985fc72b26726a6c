"""`vfxgan train dcgan` on a handful of small elements, as a user runs it."""

import json
import pickle
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from vfxgan.cli.main import run
from vfxgan.errors import ModelError
from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.spec import parse_spec
from vfxgan.trainer.networks.checkpoint import load_checkpoint
from vfxgan.trainer.options import DcganOptions
from vfxgan.trainer.recipes.dcgan import DcganRecipe

SMALL = [
    "--size", "32", "--batch", "4", "--z-size", "8", "--channels", "16,8,8", "--discriminator-channels", "8,8,16",
    "--threads", "1", "--log-every", "1", "--accelerator", "cpu", "--progress", "none",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elements")
    arguments = ["--count", "8", "--size", "32", "--seed", "5", "--processes", "1", "--progress", "none"]
    assert run(["dataset", "elements", "--out", str(folder), *arguments]) == 0
    return folder


def train(data, out, *more):
    return run(["train", "dcgan", "--data", str(data), "--out", str(out), *SMALL, *more])


def test_a_run_leaves_a_checkpoint_metrics_samples_curve_and_tensorboard(data, tmp_path):
    assert train(data, tmp_path / "run", "--iterations", "6", "--sample-every", "3") == 0
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"ckpt.pt", "metrics.csv", "options.json", "loss.png", "samples-000003.png", "samples-000006.png"} <= left
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    assert len((tmp_path / "run" / "metrics.csv").read_text().splitlines()) == 7
    assert read_picture(tmp_path / "run" / "samples-000006.png").pixels.shape == (5 * 32, 8 * 32, 3)
    body = torch.load(tmp_path / "run" / "ckpt.pt", weights_only=True)
    spec = parse_spec(body["spec"], "ckpt.pt")
    assert (spec.size, spec.channels_out, spec.provenance.iterations) == ((32, 32), 4, 6)
    assert len(spec.provenance.data_digest) == 64


def test_inspect_shows_what_a_checkpoint_was_trained_with(data, tmp_path, capfd):
    assert train(data, tmp_path / "run", "--iterations", "1") == 0
    capfd.readouterr()
    assert run(["inspect", str(tmp_path / "run" / "ckpt.pt"), "--json"]) == 0
    facts = json.loads(capfd.readouterr().out)
    assert (facts["iteration"], facts["options"]["z_size"], facts["spec"]["architecture"]) == (1, 8, "dcgan")


def test_resuming_gives_the_same_weights_as_one_run(data, tmp_path):
    assert train(data, tmp_path / "whole", "--iterations", "6", "--extra-step-every", "2") == 0
    assert train(data, tmp_path / "parts", "--iterations", "3", "--extra-step-every", "2") == 0
    assert train(data, tmp_path / "parts", "--iterations", "6", "--extra-step-every", "2", "--resume") == 0
    whole, parts = (load_checkpoint(tmp_path / name / "ckpt.pt") for name in ("whole", "parts"))
    assert whole.iteration == parts.iteration == 6
    for name, weights in whole.networks.items():
        for key, value in weights.items():
            assert torch.equal(value, parts.networks[name][key]), (name, key)
    assert all(torch.equal(value, parts.average[key]) for key, value in whole.average.items())
    assert len((tmp_path / "parts" / "metrics.csv").read_text().splitlines()) == 7


def test_a_dry_run_prints_the_resolved_options_and_makes_nothing(data, tmp_path, capfd):
    arguments = ["train", "dcgan", "--data", str(data), "--out", str(tmp_path / "run"), "--size", "192", "--dry-run"]
    assert run(arguments) == 0
    printed = capfd.readouterr().out
    assert json.loads(printed[: printed.rindex("}") + 1])["batch"] == 128
    assert "8 pictures; parameters: generator" in printed
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("size", "batch"), [(64, 128), (192, 128), (256, 64), (512, 20), (1024, 6)])
def test_the_batch_follows_the_resolution_unless_given(size, batch):
    assert DcganOptions(data="x", size=size).batch_size == batch
    assert DcganOptions(data="x", size=size, batch=5).batch_size == 5


def test_every_fifty_iterations_one_network_steps_again_in_turn():
    recipe = DcganRecipe(DcganOptions(data="x"))
    both = ("discriminator", "generator")
    assert recipe.phases(0) == recipe.phases(49) == both
    assert recipe.phases(50) == (*both, "discriminator")
    assert recipe.phases(100) == (*both, "generator")


def test_lasting_losses_out_of_bounds_are_named():
    recipe = DcganRecipe(DcganOptions(data="x"))
    assert recipe.warnings({"loss/discriminator": 0.5, "loss/generator": 2.0}) == []
    (warning,) = recipe.warnings({"loss/discriminator": 0.5, "loss/generator": 4.2})
    assert "loss/generator has stayed at 4.20, above 3" in warning


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_saves_and_ends_the_run(data, tmp_path, number, code):
    arguments = [sys.executable, "-c", "import sys; from vfxgan.cli.main import main; main()", "train", "dcgan"]
    options = [*SMALL[:-1], "json", "--iterations", "100000", "--data", str(data), "--out", str(tmp_path / "run")]
    with subprocess.Popen([*arguments, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if json.loads(line).get("event") == "progress" and "note" in json.loads(line):
                break
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    assert load_checkpoint(tmp_path / "run" / "ckpt.pt").iteration >= 1
    assert "--resume" in errors


def test_an_existing_run_is_not_overwritten(data, tmp_path, capfd):
    assert train(data, tmp_path / "run", "--iterations", "1") == 0
    before = (tmp_path / "run" / "ckpt.pt").read_bytes()
    assert train(data, tmp_path / "run", "--iterations", "2") == 2
    assert "holds a run already; go on with --resume" in capfd.readouterr().err
    assert (tmp_path / "run" / "ckpt.pt").read_bytes() == before


def test_resuming_with_another_network_is_refused_by_name(data, tmp_path, capfd):
    assert train(data, tmp_path / "run", "--iterations", "1") == 0
    assert train(data, tmp_path / "run", "--iterations", "2", "--resume", "--z-size", "9") == 2
    assert "z_size 8 there, 9 here" in capfd.readouterr().err


def test_all_options_that_do_not_fit_are_reported_together(data, tmp_path, capfd):
    assert train(data, tmp_path / "run", "--size", "100", "--upsample", "cubic") == 2
    line = capfd.readouterr().err
    assert line.count("\n") == 1
    assert "upsample" in line


def test_an_empty_folder_and_a_missing_one_are_named(tmp_path, capfd):
    (tmp_path / "empty").mkdir()
    assert train(tmp_path / "empty", tmp_path / "run") == 1
    assert "empty: holds no picture" in capfd.readouterr().err
    assert train(tmp_path / "none", tmp_path / "run") == 1
    assert "none: no such folder; make one with: vfxgan dataset elements" in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("damage", ["truncated", "text", "size", "nan"])
def test_one_picture_that_cannot_be_used_is_named(data, tmp_path, capfd, damage):
    for path in data.glob("*.exr"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    victim = tmp_path / "000003.exr"
    pixels = read_picture(victim).pixels
    if damage == "truncated":
        victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    elif damage == "text":
        victim.write_text("no picture")
    else:
        pixels = (
            pixels[:16] if damage == "size" else np.where(np.arange(32)[:, None, None] == 5, np.float16("nan"), pixels)
        )
        write_picture(victim, Picture(pixels, ("R", "G", "B", "A"), {"compression": "zips"}))
    assert train(tmp_path, tmp_path / "run") == 1
    line = capfd.readouterr().err
    assert "000003.exr" in line
    assert line.count("\n") == 1


def test_a_full_disk_keeps_the_checkpoint_that_was_there(data, tmp_path, capfd):
    assert train(data, tmp_path / "run", "--iterations", "1") == 0
    before = (tmp_path / "run" / "ckpt.pt").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        assert train(data, tmp_path / "run", "--iterations", "2", "--resume", "--log-every", "9") == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "ckpt.pt: checkpoint cannot be written" in capfd.readouterr().err
    assert (tmp_path / "run" / "ckpt.pt").read_bytes() == before
    assert not list((tmp_path / "run").glob(".*"))


class Evil:
    """A pickle that would make a file when loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_never_run(tmp_path, writer, capfd):
    trap, path = tmp_path / "ran", tmp_path / "evil.pt"
    if writer == "torch":
        torch.save({"format": "vfxgan-checkpoint-1", "spec": Evil(trap)}, path)
    else:
        path.write_bytes(pickle.dumps(Evil(trap)))
    with pytest.raises(ModelError, match=r"evil\.pt"):
        load_checkpoint(path)
    assert run(["export", str(path)]) == 1
    line = capfd.readouterr().err
    assert "evil.pt" in line
    assert "Traceback" not in line
    assert not trap.exists()


def test_pictures_of_a_png_are_read_as_srgb_with_straight_alpha(tmp_path):
    from vfxgan.progress import progress
    from vfxgan.trainer.data import load_pictures

    pixels = np.full((32, 32, 4), 188, np.uint8)
    pixels[..., 3] = 128
    write_picture(tmp_path / "a.png", Picture(pixels, ("R", "G", "B", "A"), {"oiio:UnassociatedAlpha": 1}))
    signal_ = load_pictures(tmp_path, 32, 4, 1.0, progress("none", "", 1)).signal.astype(np.float32)
    premultiplied = ((188 / 255 + 0.055) / 1.055) ** 2.4 * 128 / 255
    encoded = 1.055 * premultiplied ** (1 / 2.4) - 0.055
    assert signal_[0, 0, 0, 0] == pytest.approx(2 * encoded - 1, abs=1e-3)
    assert signal_[0, 3, 0, 0] == pytest.approx(2 * 128 / 255 - 1, abs=1e-3)


def test_distance_is_small_for_alike_sets_and_large_for_unlike_ones():
    from vfxgan.trainer.distance import sliced_wasserstein

    rng = torch.Generator().manual_seed(1)
    sets = [torch.nn.functional.avg_pool2d(torch.randn(150, 2, 34, 34, generator=rng), 3, 1) for _ in range(2)]
    sparse = torch.randn(150, 2, 32, 32, generator=rng) ** 3
    alike, unlike = sliced_wasserstein(*sets), sliced_wasserstein(sets[0], sparse)
    assert list(alike) == [32, 16]
    assert alike[32] < unlike[32] / 2
    assert alike[16] < unlike[16] / 1.5
    assert sliced_wasserstein(*sets) == alike
    assert sliced_wasserstein(sets[0], sets[0])[32] < unlike[32]
