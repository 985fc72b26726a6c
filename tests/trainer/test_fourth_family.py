"""The family that CONTRIBUTING shows is one file and one registry line, and the rest comes by itself."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from vfxgan.cli.main import run
from vfxgan.images import Picture, write_picture
from vfxgan.trainer.networks.checkpoint import load_checkpoint
from vfxgan.trainer.recipes import RECIPES

CONTRIBUTING = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"


@pytest.fixture
def denoiser(tmp_path, monkeypatch):
    (source,) = re.findall(r"^```python\n(.*?)^```", CONTRIBUTING.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    path = tmp_path / "denoiser.py"
    path.write_text(source, encoding="utf-8")
    found = importlib.util.spec_from_file_location("denoiser", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    monkeypatch.setitem(RECIPES, "denoiser", module.DenoiserRecipe)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(3):
        pixels = np.random.RandomState(index).rand(24, 24, 3).astype(np.float16)
        write_picture(folder / f"{index}.exr", Picture(pixels, ("R", "G", "B")))
    return folder


@pytest.mark.usefixtures("denoiser")
def test_it_trains_resumes_samples_and_describes_its_options(pictures, tmp_path, cli):
    shown = cli("train", "denoiser", "--help")
    assert "Grainy pictures to clean ones" in shown.out
    assert "--grain" in shown.out
    toy = ["--size", "16", "--width", "4", "--batch", "2", "--workers", "0", "--threads", "1", "--progress", "none"]
    arguments = ["train", "denoiser", "--data", str(pictures), "--out", str(tmp_path / "run"), *toy]
    assert run([*arguments, "--iterations", "2"]) == 0
    assert run([*arguments, "--iterations", "4", "--resume"]) == 0
    checkpoint = load_checkpoint(tmp_path / "run" / "ckpt.pt")
    assert (checkpoint.iteration, checkpoint.options["family"]) == (4, "denoiser")
    assert {"samples-000004.png", "metrics.csv", "loss.png"} <= {path.name for path in (tmp_path / "run").iterdir()}
    refused = cli(*arguments, "--iterations", "4", "--grain", "2")
    assert refused.code == 2
    assert "grain" in refused.line


def test_without_its_registry_line_it_is_unknown(cli):
    assert "denoiser" not in RECIPES
    assert cli("train", "denoiser").code == 2
