"""`vfxgan train srgan`: both phases, on tiny dead leaves, and the perceptual loss's weights."""

import csv
import functools
import hashlib
import http.server
import json
import socket
import threading

import numpy as np
import onnx
import pytest
import torch

from vfxgan.cli.main import run
from vfxgan.errors import ModelError
from vfxgan.export.onnxruntime_cpu import CpuSession
from vfxgan.spec import METADATA_KEY, parse_spec
from vfxgan.trainer.networks.checkpoint import load_checkpoint
from vfxgan.trainer.networks.vgg19 import Vgg19Features
from vfxgan.trainer.perceptual import PerceptualLoss, load_perceptual

TINY = ("--crop", 32, "--width", 8, "--blocks", 1, "--growth", 4, "--discriminator-width", 4, "--batch", 2,
        "--threads", 1, "--workers", 0, "--accelerator", "cpu", "--perceptual", "none", "--log-every", 1,
        "--seed", 5, "--progress", "none")  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Six pictures of 48 px."""
    folder = tmp_path_factory.mktemp("leaves")
    command = ["dataset", "leaves", "--out", folder, "--count", 6, "--size", 48, "--seed", 9, "--progress", "none"]
    assert run([str(word) for word in command]) == 0
    return folder


@pytest.fixture
def train(cli, data, tmp_path):
    def call(*options, out="run"):
        return cli("train", "srgan", "--data", data, "--out", tmp_path / out, *TINY, *options)

    return call


def logged(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def changed(checkpoint, start, network):
    before, after = start.networks[network], checkpoint.networks[network]
    return any(not torch.equal(before[key], after[key]) for key in before if key.endswith("weight"))


def test_the_generator_learns_alone_first_then_both_do(train, tmp_path):
    for iterations in (1, 2, 4):
        more = ("--resume",) if iterations > 1 else ()
        told = train("--scale", 2, "--iterations", iterations, "--pretrain", 2, "--keep", 9,
                     "--checkpoint-every", 1, *more)  # fmt: skip
        assert told.code == 0, told.err
    first, second, last = (load_checkpoint(tmp_path / "run" / f"ckpt-{n:06d}.pt") for n in (1, 2, 4))
    assert changed(second, first, "generator")
    assert not changed(second, first, "discriminator")
    assert changed(last, second, "generator")
    assert changed(last, second, "discriminator")
    rows = logged(tmp_path / "run")
    assert float(rows[-1]["loss/adversarial"]) > 0
    assert float(rows[-1]["loss/discriminator"]) > 0


def test_resumed_across_the_phases_it_ends_at_the_same_bits_as_in_one_go(train, tmp_path):
    shared = ("--generator", "rrdb", "--scale", 2, "--pretrain", 3)
    assert train(*shared, "--iterations", 2, out="parts").code == 0
    assert train(*shared, "--iterations", 5, "--resume", out="parts").code == 0
    assert train(*shared, "--iterations", 5, out="whole").code == 0
    parts, whole = (load_checkpoint(tmp_path / name / "ckpt.pt") for name in ("parts", "whole"))
    for name, weights in whole.networks.items():
        assert all(torch.equal(value, parts.networks[name][key]) for key, value in weights.items())
    assert all(torch.equal(value, parts.average[key]) for key, value in whole.average.items())


@pytest.mark.parametrize("pixel_loss", ["l1", "mse"])
def test_it_learns_to_beat_where_it_started(train, tmp_path, pixel_loss):
    told = train("--scale", 2, "--iterations", 60, "--pretrain", 60, "--held-out", 2, "--validate-every", 30,
                 "--learning-rate", 2e-3, "--pixel-loss", pixel_loss)  # fmt: skip
    assert told.code == 0, told.err
    with (tmp_path / "run" / "validation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["val/psnr"]) > float(rows[0]["val/psnr"])
    assert 0 < float(rows[-1]["val/ssim"]) <= 1
    assert float(rows[-1]["val/bicubic_psnr"]) == float(rows[0]["val/bicubic_psnr"])
    assert (tmp_path / "run" / "best.pt").is_file()


def test_the_grid_shows_bicubic_network_and_original_side_by_side(train, tmp_path):
    assert train("--scale", 2, "--iterations", 1, "--pretrain", 1, "--held-out", 1).code == 0
    assert list((tmp_path / "run").rglob("*.png"))


@pytest.mark.parametrize("loss", ["relativistic", "vanilla"])
def test_both_adversarial_losses_train(train, tmp_path, loss):
    told = train("--generator", "rrdb", "--scale", 4, "--pretrain", 0, "--iterations", 2, "--adversarial", loss)
    assert told.code == 0, told.err
    assert np.isfinite(float(logged(tmp_path / "run")[-1]["loss/adversarial"]))


def test_a_scale_of_three_trains_and_exports_for_any_picture(train, cli, tmp_path):
    assert train("--scale", 3, "--crop", 33, "--pretrain", 1, "--iterations", 2).code == 0
    checkpoint = tmp_path / "run" / "ckpt.pt"
    told = cli("export", checkpoint, "--name", "toy")
    assert told.code == 0, told.err
    assert "parity over 16 pictures" in told.out
    assert "allowed 2e-05" in told.out  # of a range of 1
    model = onnx.load(checkpoint.with_suffix(".onnx"))
    assert [entry.name for entry in (*model.graph.input, *model.graph.output)] == ["image", "picture"]
    (text,) = [entry.value for entry in model.metadata_props if entry.key == METADATA_KEY]
    spec = parse_spec(text, "toy")
    assert (spec.kind, spec.scale, spec.value_range, spec.encoding.peak) == ("upscaler", 3, (0.0, 1.0), 1.0)
    assert spec.provenance.data_digest is not None
    first = checkpoint.with_suffix(".onnx").read_bytes()
    low = np.random.RandomState(0).rand(1, 3, 11, 17).astype(np.float32)
    (high,) = CpuSession(first).run(low)
    assert high.shape == (1, 3, 33, 51)
    assert cli("export", checkpoint, "--name", "toy", "--out", tmp_path / "again.onnx").code == 0
    assert (tmp_path / "again.onnx").read_bytes() == first
    assert str(tmp_path).encode() not in first


def test_an_exported_rrdb_of_two_wants_even_sides_and_says_so(train, cli, tmp_path):
    assert train("--generator", "rrdb", "--scale", 2, "--pretrain", 1, "--iterations", 1).code == 0
    assert cli("export", tmp_path / "run" / "ckpt.pt", "--out", tmp_path / "a.onnx").code == 0
    shown = json.loads(cli("inspect", tmp_path / "a.onnx", "--json").out)
    assert shown["spec"]["input"] == {"kind": "image", "channels": 3, "size_multiple": 2}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--generator", "rrdb", "--scale", 3), "scale: rrdb enlarges by 2 or 4, not 3"),
        (("--scale", 8), "scale: srresnet enlarges by 2, 3 or 4, not 8"),
        (("--scale", 3, "--crop", 32), "crop: 32 is no multiple of 3 (scale 3); 30 is"),
        (("--scale", 2, "--crop", 16, "--pretrain", 0), "crop: 16 is below the 32 px that the discriminator needs"),
        (("--scale", 2, "--crop", 64), "all 6 pictures are smaller than the crop of 64 px"),
        (("--scale", 2, "--held-out", 6), "6 usable pictures, of which 6 are to be held out"),
        (("--scale", 2, "--pretrain", 0, "--perceptual", "vgg19", "--vgg", "no.pth"), "no.pth: no such"),
    ],
)
def test_what_cannot_be_trained_gets_one_line(train, tmp_path, options, line):
    told = train(*options, "--iterations", 2)
    assert told.code in (1, 2)
    assert line in told.line
    assert len(told.err.strip().splitlines()) == 1
    assert not (tmp_path / "run" / "ckpt.pt").exists()


def test_the_perceptual_loss_joins_the_adversarial_phase(train, tmp_path):
    torch.manual_seed(0)
    torch.save(Vgg19Features().state_dict(), tmp_path / "vgg19.pth")
    told = train("--scale", 2, "--pretrain", 1, "--iterations", 2, "--perceptual", "vgg19", "--vgg",
                 tmp_path / "vgg19.pth")  # fmt: skip
    assert told.code == 0, told.err
    assert float(logged(tmp_path / "run")[-1]["loss/perceptual"]) > 0


NARROW = (4, 4, 4, 4, 4)


@pytest.fixture
def weights(tmp_path):
    """The bytes of a narrow VGG-19, and the name that torchvision would give them."""
    torch.manual_seed(1)
    path = tmp_path / "weights.pth"
    torch.save(Vgg19Features(NARROW).state_dict() | {"classifier.0.weight": torch.zeros(2)}, path)
    content = path.read_bytes()
    return content, f"vgg19-{hashlib.sha256(content).hexdigest()[:8]}.pth"


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Serve bytes over HTTP on this machine; the cache is a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    running = []

    def serve(content, name, length=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(length or len(content)))
                self.end_headers()
                self.wfile.write(content)

            log_message = functools.partialmethod(lambda *_: None)

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        running.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return f"http://127.0.0.1:{server.server_port}/{name}"

    yield serve
    for server in running:
        server.shutdown()
        server.server_close()


def cached(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache" / "vfxgan").glob("*"))


def test_weights_are_downloaded_once_and_checked(served, weights, tmp_path):
    content, name = weights
    url = served(content, name)
    loss = load_perceptual(None, url, NARROW)
    assert cached(tmp_path) == [name]
    again = load_perceptual(None, f"http://127.0.0.1:9/{name}", NARROW)  # nobody answers there: the cache does
    assert torch.equal(loss.features.features[0].weight, again.features.features[0].weight)
    picture = torch.rand(1, 3, 32, 32, requires_grad=True)
    loss(picture, torch.rand(1, 3, 32, 32)).backward()
    assert picture.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_equal_pictures_have_no_perceptual_distance():
    picture = torch.rand(1, 3, 32, 32)
    assert PerceptualLoss(Vgg19Features(NARROW))(picture, picture) == 0


def test_weights_with_another_hash_are_refused_and_not_kept(served, weights, tmp_path):
    content, _ = weights
    with pytest.raises(ModelError, match=r"SHA-256 is .*not 00000000…; try again, or give .* --perceptual none"):
        load_perceptual(None, served(content, "vgg19-00000000.pth"), NARROW)
    assert cached(tmp_path) == []


def test_a_download_that_is_cut_short_is_refused_and_not_kept(served, weights, tmp_path):
    content, name = weights
    with pytest.raises(ModelError, match=r"--vgg PATH, or train with --perceptual none"):
        load_perceptual(None, served(content[:1000], name, len(content)), NARROW)
    assert cached(tmp_path) == []


def test_a_host_that_cannot_be_reached_gets_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ModelError, match=r"cannot be had from http.*--vgg PATH.*--perceptual none") as caught:
        load_perceptual(None, f"http://127.0.0.1:{port}/vgg19-00000000.pth", NARROW)
    assert "\n" not in str(caught.value)


def test_cached_weights_that_were_damaged_are_named(weights, tmp_path, monkeypatch):
    content, name = weights
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache" / "vfxgan").mkdir(parents=True)
    (tmp_path / "cache" / "vfxgan" / name).write_bytes(content[:-1])
    with pytest.raises(ModelError, match=r"damaged, its SHA-256 .* delete it"):
        load_perceptual(None, f"http://127.0.0.1:9/{name}", NARROW)


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match=r"no VGG-19 of torchvision, features\.0\.weight is missing"):
        load_perceptual(tmp_path / "other.pth", widths=NARROW)
    torch.save(Vgg19Features((2, 2, 2, 2, 2)).state_dict(), tmp_path / "thin.pth")
    with pytest.raises(ModelError, match="its shapes differ"):
        load_perceptual(tmp_path / "thin.pth", widths=NARROW)
