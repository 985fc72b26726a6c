"""Procedural elements: the promises that an artist and the trainer rely on."""

import signal
import subprocess
import sys

import numpy as np
import pytest

from vfxgan.cli.main import run
from vfxgan.images import read_picture
from vfxgan.trainer.elements import element

SAMPLE = [element(3, index, 128) for index in range(24)]
HOT = [picture for picture in SAMPLE if picture[..., :3].max() > 1.5]


def test_fire_cores_exceed_eight_and_stay_below_the_trained_peak():
    assert len(HOT) >= 5
    assert all(8 <= picture[..., :3].max() <= 16 for picture in HOT)


def test_smoke_is_present_and_never_brighter_than_its_alpha():
    smoke = [picture for picture in SAMPLE if picture[..., :3].max() <= 1]
    assert len(smoke) >= 5
    assert all((picture[..., :3].max(axis=2) <= picture[..., 3] + 1e-6).all() for picture in smoke)


def test_emission_exceeds_alpha_somewhere_in_every_fire():
    assert all((picture[..., :3].max(axis=2) > picture[..., 3]).any() for picture in HOT)


def test_borders_are_exactly_zero_and_alpha_is_soft():
    for picture in SAMPLE:
        border = np.concatenate(
            [picture[:2].ravel(), picture[-2:].ravel(), picture[:, :2].ravel(), picture[:, -2:].ravel()]
        )
        assert not border.any()
        alpha = picture[..., 3]
        assert alpha.min() >= 0
        assert alpha.max() <= 1
        assert ((alpha > 0.05) & (alpha < 0.5)).sum() > 100


def test_elements_differ_from_each_other():
    coverage = [float((picture[..., 3] > 0.1).mean()) for picture in SAMPLE]
    assert max(coverage) > 1.5 * min(coverage)
    assert len({picture.tobytes() for picture in SAMPLE}) == len(SAMPLE)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_the_same_seed_gives_the_same_files_in_any_number_of_processes(tmp_path, processes):
    arguments = ["--count", "20", "--size", "64", "--seed", "7", "--processes", processes, "--progress", "none"]
    assert run(["dataset", "elements", "--out", str(tmp_path / "a"), *arguments]) == 0
    for index in range(20):
        picture = read_picture(tmp_path / "a" / f"{index:06d}.exr")
        assert picture.pixels.dtype == np.float16
        np.testing.assert_array_equal(picture.pixels, element(7, index, 64).astype(np.float16))


def test_a_rerun_makes_only_what_is_missing_and_the_same_bytes(tmp_path):
    arguments = ["dataset", "elements", "--out", str(tmp_path), "--count", "3", "--size", "64", "--progress", "none"]
    assert run(arguments) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.exr")}
    (tmp_path / "000001.exr").unlink()
    assert run(arguments) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.exr")} == before


def test_a_folder_of_other_elements_is_refused(tmp_path, capfd):
    arguments = ["dataset", "elements", "--out", str(tmp_path), "--count", "2", "--size", "64", "--progress", "none"]
    assert run([*arguments, "--seed", "1"]) == 0
    assert run([*arguments, "--seed", "2"]) == 2
    assert "holds other elements (vfxgan elements: seed 1, size 64)" in capfd.readouterr().err


def test_ctrl_c_leaves_whole_files_says_how_many_and_a_rerun_completes(tmp_path):
    code = "from vfxgan.cli.main import main; main()"
    arguments = ["dataset", "elements", "--out", str(tmp_path / "d"), "--size", "32", "--seed", "2"]
    command = [sys.executable, "-c", code, *arguments, "--count", "20000", "--progress", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        next(line for line in process.stdout if '"progress"' in line)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.startswith("vfxgan: interrupted: at least ")
    assert errors.count("\n") == 1
    left = sorted(path for path in (tmp_path / "d").iterdir() if path.suffix == ".exr")
    assert 16 <= len(left) < 20000
    assert all(not path.name.startswith(".") and read_picture(path).pixels.shape == (32, 32, 4) for path in left[:40])
    assert run([*arguments, "--count", "20", "--progress", "none"]) == 0
