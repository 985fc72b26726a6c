"""`vfxgan train dcgan` on a handful of small elements, as a user runs it."""

import json
import pickle
import resource
import sys

import pytest
import torch

from vfxgan.cli.main import run
from vfxgan.errors import ModelError
from vfxgan.images import read_picture
from vfxgan.spec import parse_spec
from vfxgan.trainer.networks.checkpoint import load_checkpoint
from vfxgan.trainer.recipes.dcgan import DcganOptions, DcganRecipe

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


def test_without_tensorboard_the_files_beside_it_tell_the_same(data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert train(data, tmp_path / "run", "--iterations", "2") == 0
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"metrics.csv", "loss.png", "samples-000002.png", "validation.csv"} <= left
    assert "tensorboard" not in left


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


def test_lasting_losses_out_of_bounds_are_named():
    recipe = DcganRecipe(DcganOptions(data="x"))
    assert recipe.warnings({"loss/discriminator": 0.5, "loss/generator": 2.0}) == []
    (warning,) = recipe.warnings({"loss/discriminator": 0.5, "loss/generator": 4.2})
    assert "loss/generator has stayed at 4.20, above 3" in warning


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
    assert "none: no such folder; check the path, or make one with: vfxgan dataset elements" in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("damage", ["truncated", "text"])
def test_one_corrupt_picture_of_eight_is_named_and_stops_the_run(data, tmp_path, capfd, damage):
    for path in data.glob("*.exr"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    victim = tmp_path / "000003.exr"
    if damage == "truncated":
        victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    else:
        victim.write_text("no picture")
    assert train(tmp_path, tmp_path / "run") == 1
    assert "000003.exr" in capfd.readouterr().err.strip().splitlines()[-1]


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
