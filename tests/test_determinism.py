"""A frame's bytes depend on model, seed, options and runtime fingerprint, and on nothing else."""

import datetime
import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.latents import latent
from vfxgan.spec import LatentInput

RUNTIMES = ("onnxruntime", "openvino")
Bytes = Callable[[Path], dict[str, bytes]]


def test_the_latent_of_seed_0_is_that_of_random_state() -> None:
    values = latent(0, LatentInput(size=3, interval=0.5))
    assert values.dtype == np.float32
    assert values.shape == (1, 3)
    np.testing.assert_allclose(values[0], [0.0488135, 0.21518937, 0.10276338], rtol=0, atol=5e-9)


def test_a_normal_latent_is_that_of_the_stylegan_tools() -> None:
    values = latent(7, LatentInput(size=4, distribution="normal", interval=1.0))
    np.testing.assert_array_equal(values, np.random.RandomState(7).randn(1, 4).astype(np.float32))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("extension", ["exr", "png"])
def test_the_same_command_gives_the_same_bytes_on_any_threads_and_batch(
    cli: Any, tiny: Path, tmp_path: Path, frames_of: Bytes, runtime: str, extension: str
) -> None:
    pytest.importorskip(runtime, reason=f"{runtime} is not installed")
    variants = [(1, 1), (2, 1), (4, 1), (1, 3), (2, 8), (4, 3)]
    results = []
    for number, (threads, batch) in enumerate(variants):
        out = tmp_path / str(number) / f"####.{extension}"
        options = ("--seeds", "0-12", "--threads", threads, "--batch", batch, "--runtime", runtime)
        assert cli("render", tiny, "--out", out, *options).code == 0
        results.append(frames_of(out.parent))
    assert len(results[0]) == 13
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_reversed_order_and_shards_give_the_same_bytes(
    cli: Any, tiny: Path, tmp_path: Path, frames_of: Bytes, runtime: str
) -> None:
    pytest.importorskip(runtime, reason=f"{runtime} is not installed")
    for folder, ranges in (("whole", ["0-9"]), ("reversed", ["9-0"]), ("shards", ["5-9", "0-4"])):
        for seeds in ranges:
            out = tmp_path / folder / "####.exr"
            assert cli("render", tiny, "--seeds", seeds, "--out", out, "--runtime", runtime).code == 0
    whole = frames_of(tmp_path / "whole")
    assert frames_of(tmp_path / "reversed") == whole
    assert frames_of(tmp_path / "shards") == whole


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_kill_in_the_middle_and_a_rerun_give_the_same_bytes(
    cli: Any, start: Any, make_model: Any, tmp_path: Path, frames_of: Bytes, runtime: str
) -> None:
    model = make_model(tmp_path / "model.onnx", size=128)
    pytest.importorskip(runtime, reason=f"{runtime} is not installed")
    options = ("--runtime", runtime)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = start("render", model, "--seeds", "0-199", "--out", killed / "####.exr", *options, "--progress", "json")
    for line in process.stdout:
        if json.loads(line).get("done", 0) >= 5:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    survivors = [path for path in killed.iterdir() if not path.name.startswith(".")]
    assert 5 <= len(survivors) < 200
    assert cli("render", model, "--seeds", "0-59", "--out", killed / "####.exr", *options).code == 0
    assert cli("render", model, "--seeds", "0-59", "--out", whole / "####.exr", *options).code == 0
    after, expected = frames_of(killed), frames_of(whole)
    assert {name: after[name] for name in expected} == expected


@pytest.mark.parametrize("extension", ["exr", "png"])
def test_frames_hold_no_date_host_user_or_path(
    start: Any, tiny: Path, tmp_path: Path, extension: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("USER", "LOGNAME", "HOSTNAME"):
        monkeypatch.setenv(variable, "wilhelmina-7")
    out = tmp_path / f"a.{extension}"
    process = start("render", tiny, "--seeds", "3", "--out", out)
    process.communicate()
    data = out.read_bytes()
    year = datetime.date.today().year
    for secret in (socket.gethostname(), "wilhelmina-7", str(tmp_path), str(tiny.parent), f"{year}:", f"{year}-"):
        assert secret.encode() not in data
    assert b"1970:01:01" in data


def test_an_ocio_variable_leaves_the_bytes_alone(
    cli: Any, tiny: Path, tmp_path: Path, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("render", tiny, "--seeds", "1", "--out", tmp_path / "a.exr").code == 0
    monkeypatch.setenv("OCIO", "ocio://cg-config-v1.0.0_aces-v1.3_ocio-v2.1")
    process = start("render", tiny, "--seeds", "1", "--out", tmp_path / "b.exr")
    process.communicate()
    assert process.returncode == 0
    assert (tmp_path / "a.exr").read_bytes() == (tmp_path / "b.exr").read_bytes()


@pytest.mark.parametrize("compression", ["none", "rle", "zip:4", "piz", "pxr24", "b44a", "dwaa:45", "htj2k256"])
@pytest.mark.parametrize("bit_depth", ["half", "float"])
def test_every_compression_is_repeatable_and_carries_the_digest_of_what_it_decodes_to(
    cli: Any, tiny: Path, tmp_path: Path, compression: str, bit_depth: str
) -> None:
    options = ("--seeds", "4", "--compression", compression, "--bit-depth", bit_depth)
    for name in ("a", "b"):
        assert cli("render", tiny, "--out", tmp_path / f"{name}.exr", *options).code == 0
    assert (tmp_path / "a.exr").read_bytes() == (tmp_path / "b.exr").read_bytes()
    assert cli("verify", tmp_path / "a.exr").code == 0


def test_the_two_runtimes_agree_closely(cli: Any, tiny: Path, tmp_path: Path) -> None:
    images = pytest.importorskip("vfxgan.images")
    pictures = []
    for runtime in RUNTIMES:
        pytest.importorskip(runtime, reason=f"{runtime} is not installed")
        out = tmp_path / f"{runtime}.exr"
        assert cli("render", tiny, "--seeds", "2", "--out", out, "--bit-depth", "float", "--runtime", runtime).code == 0
        pictures.append(images.read_picture(out).pixels)
    np.testing.assert_allclose(pictures[0], pictures[1], rtol=1e-3, atol=1e-5)
    assert pictures[0].max() > 1
