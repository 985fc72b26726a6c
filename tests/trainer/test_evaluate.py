"""`vfxgan evaluate` on tiny untrained networks of every family, and its figures against NumPy."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch.nn import functional as F

from vfxgan.images import Picture, write_picture
from vfxgan.latents import latent
from vfxgan.spec import Encoding, ImageInput, LatentInput, ModelSpec, Provenance
from vfxgan.trainer.distance import sliced_wasserstein
from vfxgan.trainer.networks import build_generator
from vfxgan.trainer.networks.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

torch.set_num_threads(1)

GENERATOR = ModelSpec(
    name="tiny",
    kind="generator",
    architecture="dcgan",
    arguments={"size": 16, "z_size": 8, "channels": (16, 8), "channels_out": 3},
    input=LatentInput(size=8, interval=1.0),
    size=(16, 16),
    channels_out=3,
)
TRANSLATOR = ModelSpec(
    name="mapper",
    kind="translator",
    architecture="pix2pix-unet",
    arguments={"depth": 2, "width": 4, "dropout": False},
    input=ImageInput(channels=3, size_multiple=4),
    channels_out=3,
)
UPSCALER = ModelSpec(
    name="twice",
    kind="upscaler",
    architecture="srresnet",
    arguments={"scale": 2, "width": 4, "blocks": 1},
    input=ImageInput(channels=3),
    scale=2,
    value_range=(0.0, 1.0),
    channels_out=3,
)


def checkpoint(path, spec, *, options=None, gain=1.0):
    """An untrained network with fixed weights; `gain` scales them."""
    torch.manual_seed(7)
    network = build_generator(spec)
    weights = {
        name: value * gain if value.is_floating_point() else value for name, value in network.state_dict().items()
    }
    save_checkpoint(path, Checkpoint(spec, options or {}, 123, weights, {}, {}))
    return path


def pictures(folder, count, size=(16, 16), seed=0, suffix=".png"):
    """Smooth random pictures: 16-bit PNG, or scene-linear EXR with light above 1."""
    folder.mkdir(parents=True, exist_ok=True)
    stream = np.random.RandomState(seed)
    for index in range(count):
        coarse = torch.from_numpy(stream.rand(1, 3, 4, 4).astype(np.float32))
        smooth = F.interpolate(coarse, size, mode="bilinear", align_corners=True)[0].permute(1, 2, 0).numpy()
        pixels = (smooth * 65535).astype(np.uint16) if suffix == ".png" else (smooth * 3).astype(np.float32)
        write_picture(folder / f"{index:03}{suffix}", Picture(np.ascontiguousarray(pixels), ("R", "G", "B")))
    return folder


def stored(path):
    """A PNG as [1, 3, H, W] in 0…1: at a peak of 1 its codes are the encoded signal."""
    from vfxgan.images import read_picture

    return torch.from_numpy(read_picture(path).pixels.astype(np.float32) / 65535).permute(2, 0, 1)[None]


def psnr(output, target):
    return -10 * np.log10(np.mean((output.clamp(0, 1) - target).double().numpy() ** 2))


@pytest.fixture
def report(cli):
    """Run `vfxgan evaluate`; the report that it printed."""

    def call(*arguments):
        result = cli("evaluate", *arguments, "--progress", "none")
        assert result.code == 0, result.err
        return json.loads(result.out)

    return call


@torch.no_grad()
def test_a_generators_report_holds_distances_and_similarity_beside_those_of_real_pictures(tmp_path, report):
    path = checkpoint(tmp_path / "ckpt.pt", GENERATOR)
    data = pictures(tmp_path / "heldout", 12)
    found = report(path, "--data", data, "--count", 6, "--seed", 3)
    network = build_generator(GENERATOR).eval()
    network.load_state_dict(load_checkpoint(path).average)
    fake = network(torch.from_numpy(np.concatenate([latent(seed, GENERATOR.input) for seed in range(6)])))
    order = np.random.default_rng(3).permutation(12)
    files = sorted(data.iterdir())
    real, other = (torch.cat([stored(files[i]) for i in part]) * 2 - 1 for part in (order[:6], order[6:]))
    assert found["metrics"]["swd_by_level"]["16"] == pytest.approx(sliced_wasserstein(fake, real, 3)[16], rel=1e-3)
    assert found["baseline"]["swd"] == pytest.approx(sliced_wasserstein(other, real, 3)[16], rel=1e-3)
    assert 0 < found["baseline"]["ms_ssim"] < found["metrics"]["ms_ssim"] <= 1
    assert found["model"] == {
        "file": "ckpt.pt", "name": "tiny", "kind": "generator", "architecture": "dcgan", "iteration": 123,
    }  # fmt: skip
    assert (found["count"], found["seed"], found["encoding"]) == (6, 3, {"name": "extended-srgb", "peak": 1.0})
    assert (found["data"]["folder"], found["data"]["pictures"], len(found["data"]["digest"])) == ("heldout", 12, 64)
    assert found["baseline"]["is"] == "6 other pictures of --data against the same ones"


def test_the_same_command_gives_the_same_report_and_another_seed_another(tmp_path, report):
    path, data = checkpoint(tmp_path / "ckpt.pt", GENERATOR), pictures(tmp_path / "heldout", 9)
    first = report(path, "--data", data)
    assert first["count"] == 4  # half of nine
    assert report(path, "--data", data) == first
    assert report(path, "--data", data, "--seed", 1)["metrics"] != first["metrics"]


def test_a_generator_that_always_draws_the_same_is_called_a_collapse(tmp_path, cli):
    data = pictures(tmp_path / "heldout", 8)
    result = cli("evaluate", checkpoint(tmp_path / "ckpt.pt", GENERATOR, gain=1e-3), "--data", data)
    found = json.loads(result.out)
    assert found["metrics"]["ms_ssim"] > 0.98 > found["baseline"]["ms_ssim"]
    assert "warning: the generated pictures are much alike (ms_ssim 1.000, real ones" in result.err
    assert "a collapse" in found["warnings"][0]


def test_pictures_of_another_size_are_fitted_and_small_ones_counted(tmp_path, report):
    data = pictures(tmp_path / "heldout", 6, (20, 30), suffix=".exr")
    pictures(data, 2, (8, 12), suffix=".exr")
    path = checkpoint(tmp_path / "ckpt.pt", GENERATOR.model_copy(update={"encoding": Encoding(peak=16.0)}))
    found = report(path, "--data", data)
    assert (found["count"], found["encoding"]["peak"]) == (3, 16.0)
    assert found["notes"] == ["2 of 6 pictures are smaller than 16 px and were upscaled"]


@torch.no_grad()
def test_a_translators_report_compares_each_output_with_its_target(tmp_path, report):
    path = checkpoint(tmp_path / "ckpt.pt", TRANSLATOR)
    source, target = pictures(tmp_path / "a", 3, (16, 18)), pictures(tmp_path / "b", 3, (16, 18), seed=1)
    found = report(path, "--data", source, "--target", target, "--each", "--to", tmp_path / "report.json")
    network = build_generator(TRANSLATOR).eval()
    network.load_state_dict(load_checkpoint(path).average)
    cut = slice(1, 17)  # 18 columns to a multiple of 4
    expected, copied = [], []
    for one, other in zip(sorted(source.iterdir()), sorted(target.iterdir()), strict=True):
        a, b = stored(one)[..., cut], stored(other)[..., cut]
        expected.append(psnr((network(a * 2 - 1) + 1) / 2, b))
        copied.append(psnr(a, b))
    assert [row["psnr"] for row in found["each"]] == pytest.approx(expected, abs=1e-3)
    assert [row["picture"] for row in found["each"]] == ["000.png", "001.png", "002.png"]
    assert found["metrics"]["psnr"] == pytest.approx(np.mean(expected), abs=1e-3)
    assert found["baseline"]["psnr"] == pytest.approx(np.mean(copied), abs=1e-3)
    assert found["gain"]["psnr"] == pytest.approx(np.mean(expected) - np.mean(copied), abs=1e-3)
    assert found["notes"] == ["3 of 3 pictures were cropped to what the model takes, by up to 0 rows and 2 columns"]
    assert json.loads((tmp_path / "report.json").read_text()) == found
    assert found["data"]["target"] == "b"


def test_side_by_side_pictures_give_the_figures_of_two_folders_and_swap_is_kept(tmp_path, report):
    path = checkpoint(tmp_path / "ckpt.pt", TRANSLATOR)
    swapped = checkpoint(tmp_path / "swapped.pt", TRANSLATOR, options={"swap": True})
    source, target = pictures(tmp_path / "a", 2), pictures(tmp_path / "b", 2, seed=1)
    both = tmp_path / "both"
    both.mkdir()
    for name in ("000.png", "001.png"):
        joined = torch.cat([stored(source / name), stored(target / name)], dim=3)[0].permute(1, 2, 0)
        codes = np.ascontiguousarray((joined * 65535).round().numpy().astype(np.uint16))
        write_picture(both / name, Picture(codes, ("R", "G", "B")))
    forward = report(path, "--data", source, "--target", target)
    assert report(path, "--data", both, "--side-by-side")["metrics"] == forward["metrics"]
    backward = report(path, "--data", target, "--target", source)
    assert backward["metrics"] != forward["metrics"]
    for given in (["--data", both, "--side-by-side"], ["--data", source, "--target", target]):  # as in training
        assert report(swapped, *given)["metrics"] == backward["metrics"]


@torch.no_grad()
def test_an_upscalers_report_stands_beside_bicubic_enlargement(tmp_path, report):
    path = checkpoint(tmp_path / "ckpt.pt", UPSCALER)
    data = pictures(tmp_path / "photos", 2, (25, 32))
    found = report(path, "--data", data, "--each")
    network = build_generator(UPSCALER).eval()
    network.load_state_dict(load_checkpoint(path).average)
    for row, file in zip(found["each"], sorted(data.iterdir()), strict=True):
        high = stored(file)[..., :24, :]  # half a row is cut at the top, which is none
        low = F.interpolate(high, (12, 16), mode="bicubic", antialias=True).clamp(0, 1)
        enlarged = F.interpolate(low, (24, 32), mode="bicubic").clamp(0, 1)
        assert row["baseline_psnr"] == pytest.approx(psnr(enlarged, high), abs=1e-2)
        assert row["psnr"] == pytest.approx(psnr(network(low), high), abs=1e-2)
    gains = [row["psnr"] - row["baseline_psnr"] for row in found["each"]]
    assert found["gain"]["least_psnr"]["psnr"] == pytest.approx(min(gains), abs=1e-2)
    assert found["baseline"]["is"] == "bicubic enlargement (a = −0.75)"
    assert found["degradation"] == "1/2 by antialiased bicubic (a = −0.5), on the encoded signal"
    assert found["notes"] == ["2 of 2 pictures were cropped to what the model takes, by up to 1 rows and 0 columns"]


def test_only_so_many_pictures_are_taken_as_count_says_and_the_seed_says_which(tmp_path, report):
    path, data = checkpoint(tmp_path / "ckpt.pt", UPSCALER), pictures(tmp_path / "photos", 6)
    taken = [
        tuple(row["picture"] for row in report(path, "--data", data, "--count", 3, "--seed", seed, "--each")["each"])
        for seed in range(4)
    ]
    assert {len(names) for names in taken} == {3}
    assert len(set(taken)) > 1


def test_the_training_data_are_recognised(tmp_path, cli):
    data = pictures(tmp_path / "photos", 3)
    digest = json.loads(cli("evaluate", checkpoint(tmp_path / "a.pt", UPSCALER), "--data", data).out)["data"]["digest"]
    spec = UPSCALER.model_copy(update={"provenance": Provenance(data_digest=digest)})
    result = cli("evaluate", checkpoint(tmp_path / "b.pt", spec), "--data", data, "--progress", "none")
    assert json.loads(result.out)["data"]["same_as_training"] is True
    assert result.line == (
        f"warning: --data {data} is what the model was trained on; its figures say little, give held-out pictures"
    )


TINY = {
    "dcgan": ["--size", "16", "--z-size", "8", "--channels", "8,8", "--discriminator-channels", "8,8"],
    "pix2pix": ["--target", "there", "--depth", "2", "--width", "4", "--crop", "16", "--discriminator-layers", "1"],
    "srgan": ["--width", "4", "--blocks", "1", "--crop", "32", "--scale", "2", "--perceptual", "none"],
}


@pytest.mark.parametrize("family", TINY)
def test_a_run_is_evaluated_as_it_was_trained_and_its_own_pictures_are_recognised(cli, report, family):
    pictures(Path("here"), 4, (32, 32))
    pictures(Path("there"), 4, (32, 32), seed=1)
    common = ["--iterations", 1, "--batch", 2, "--threads", 1, "--workers", 0, "--accelerator", "cpu"]
    trained = cli("train", family, "--data", "here", "--out", "run", *TINY[family], *common, "--progress", "none")
    assert trained.code == 0, trained.err
    target = TINY[family][:2] if family == "pix2pix" else []
    found = report("run/ckpt.pt", "--data", "here", *target)
    assert (found["data"]["same_as_training"], found["model"]["iteration"]) == (True, 1)
    pictures(Path("other"), 4, (32, 32), seed=2)
    assert report("run/ckpt.pt", "--data", "other", *target)["data"]["same_as_training"] is False


def test_nan_pixels_are_made_zero_and_counted(tmp_path, report):
    data = pictures(tmp_path / "photos", 2, suffix=".exr")
    bad = np.ones((16, 16, 3), np.float32)
    bad[3, 4] = np.nan
    write_picture(data / "bad.exr", Picture(bad, ("R", "G", "B")))
    found = report(checkpoint(tmp_path / "ckpt.pt", UPSCALER), "--data", data)
    assert found["notes"] == [
        "1 pictures hold NaN or Inf pixels, made 0: bad.exr",
        "2 pictures exceed the model's peak of 1 and are clipped there",
    ]


def feature_network(path, side=8):
    """Mean colour of a picture, as ONNX."""
    nodes = [helper.make_node("ReduceMean", ["picture"], ["features"], axes=[2, 3], keepdims=0)]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["N", 3, side, side])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 3])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


@pytest.mark.parametrize("spec", [GENERATOR, TRANSLATOR, UPSCALER], ids=lambda spec: spec.kind)
def test_fid_and_kid_are_reported_for_every_family_with_the_network_that_gave_the_features(tmp_path, report, spec):
    network = feature_network(tmp_path / "mean.onnx")
    data = pictures(tmp_path / "data", 8)
    more = ["--target", pictures(tmp_path / "target", 8, seed=1)] if spec.kind == "translator" else []
    path = checkpoint(tmp_path / "ckpt.pt", spec)
    found = report(path, "--data", data, *more, "--features", network, "--features-range", "-1-1")
    for part in ("metrics", "baseline"):
        assert found[part].keys() >= {"fid", "kid", "kid_std"}
    if spec.kind == "generator":  # untrained, and real pictures are like each other
        assert found["baseline"]["fid"] < found["metrics"]["fid"]
    assert (found["features"]["file"], found["features"]["range"]) == ("mean.onnx", "-1-1")


def test_the_feature_network_sees_pictures_as_a_monitor_shows_them(tmp_path, report):
    """Means that differ by d in each of three channels, and no other difference, are an FID of 3d²."""
    data, target = tmp_path / "a", tmp_path / "b"
    for folder, light in ((data, 0.0), (target, 1.0)):
        folder.mkdir()
        for index in range(2):  # light of 1 is white on a monitor, though 0.45 of the network's range
            write_picture(folder / f"{index}.exr", Picture(np.full((16, 16, 3), light, np.float32), ("R", "G", "B")))
    path = checkpoint(tmp_path / "ckpt.pt", TRANSLATOR.model_copy(update={"encoding": Encoding(peak=16.0)}))
    found = report(path, "--data", data, "--target", target, "--features", feature_network(tmp_path / "mean.onnx"))
    assert found["baseline"]["fid"] == pytest.approx(3.0, abs=1e-3)


def test_progress_as_json_ends_with_the_report_as_a_line(tmp_path, cli):
    path, data = checkpoint(tmp_path / "ckpt.pt", UPSCALER), pictures(tmp_path / "photos", 2)
    lines = [json.loads(line) for line in cli("evaluate", path, "--data", data, "--progress", "json").out.splitlines()]
    assert lines[0]["event"] == "started"
    assert lines[-1]["model"]["name"] == "twice"


def hostile(path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (Path.touch, (path.with_name("touched"),))

    path.write_bytes(pickle.dumps(Evil()))
    return path


BAD = [
    ("folder", "{ckpt}: is a folder, not a checkpoint; give {ckpt}/ckpt.pt", 1),
    ("missing", "{ckpt}: no such checkpoint; check the path", 1),
    ("foreign", "{ckpt}: not a vfxgan checkpoint (it holds: weight …); train one with: vfxgan train", 1),
    ("cut", "{ckpt}: not a PyTorch checkpoint, or cut short; get the file again", 1),
    ("unfitting", "{ckpt}: its weights do not fit its spec (", 1),
    ("hostile", "{ckpt}: ", 1),
]


@pytest.mark.parametrize(("case", "line", "code"), BAD, ids=[case for case, _, _ in BAD])
def test_a_checkpoint_that_cannot_be_used_is_one_line(tmp_path, cli, case, line, code):
    data, ckpt = pictures(tmp_path / "photos", 2), tmp_path / "ckpt.pt"
    if case == "folder":
        ckpt.mkdir()
    elif case == "foreign":
        torch.save({"weight": torch.zeros(1)}, ckpt)
    elif case == "cut":
        ckpt.write_bytes(checkpoint(tmp_path / "whole.pt", UPSCALER).read_bytes()[:2000])
    elif case == "unfitting":
        weights = {"conv_first.weight": torch.zeros(1)}
        save_checkpoint(ckpt, Checkpoint(UPSCALER, {}, 1, weights, {}, {}))
    elif case == "hostile":
        hostile(ckpt)
    result = cli("evaluate", ckpt, "--data", data)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith(f"vfxgan: {line.format(ckpt=ckpt)}")
    assert len(result.err.splitlines()) == 1
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("spec", "arguments", "line", "code"),
    [
        (GENERATOR, ["--count", "3"], "--data photos holds 4 usable pictures, 2 × --count 3 are needed; give more, or "
         "a smaller --count", 2),
        (GENERATOR, ["--count", "1"], "--count 1: distances between sets need at least 2", 2),
        (GENERATOR, ["--target", "photos"], "ckpt.pt: generators take no --target and no --side-by-side; translators "
         "do", 2),
        (GENERATOR, ["--each"], "--each: figures of single pictures need a target; a generator has none", 2),
        (UPSCALER, ["--side-by-side"], "ckpt.pt: upscalers take no --target and no --side-by-side; translators do", 2),
        (UPSCALER, ["--count", "5"], "--data photos holds 4 usable pictures, --count 5 are needed; give more, or a "
         "smaller --count", 2),
        (UPSCALER, ["--to", "lost/report.json"], "--to lost/report.json: its folder is not there; make it first", 2),
        (TRANSLATOR, [], "ckpt.pt: a translator needs --target FOLDER, or --side-by-side for pictures that hold both",
         2),
        (TRANSLATOR, ["--target", "photos", "--side-by-side"], "ckpt.pt: a translator needs --target FOLDER, or "
         "--side-by-side for pictures that hold both", 2),
        (TRANSLATOR, ["--target", "lost"], "--target lost: no such folder; check the path", 1),
        (TRANSLATOR, ["--target", "fewer"], "photos and fewer: 1 do not match in name or size: 003.png has no partner "
         "in fewer; pairs need equal names, or equal frame numbers, and equal sizes", 1),
        (UPSCALER, ["--features", "lost.onnx"], "--features lost.onnx: no such file; give an ONNX file, see "
         "docs/evaluation.md", 2),
        (UPSCALER, ["--features", "photos/000.png"], "--features photos/000.png: ONNX Runtime cannot load it (", 1),
        (UPSCALER, ["--features-range", "0-2"], "Invalid value for '--features-range'", 2),
        (UPSCALER, ["--count", "0"], "--count 0 is below 1", 2),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_one_line(tmp_path, cli, spec, arguments, line, code):
    pictures(Path("photos"), 4)
    pictures(Path("fewer"), 3)
    checkpoint(Path("ckpt.pt"), spec)
    result = cli("evaluate", "ckpt.pt", "--data", "photos", *arguments)
    assert (result.code, result.out) == (code, "")
    assert result.line.startswith(f"vfxgan: {line}")
    assert len([text for text in result.err.splitlines() if not text.startswith("looking")]) == 1


def test_pictures_that_cannot_be_used_are_named(tmp_path, cli):
    checkpoint(Path("ckpt.pt"), UPSCALER)
    result = cli("evaluate", "ckpt.pt", "--data", "lost", "--progress", "none")
    assert (result.code, result.line.startswith("vfxgan: --data lost: no such folder;")) == (1, True)
    pictures(Path("photos"), 2)
    pictures(Path("small"), 1, (8, 8))
    result = cli("evaluate", "ckpt.pt", "--data", "small", "--progress", "none")
    assert result.err == ("vfxgan: --data small: 000.png is 8×8, but twice needs 12 px a side at least; leave it out\n")
    (Path("photos") / "text.png").write_text("no picture")
    result = cli("evaluate", "ckpt.pt", "--data", "photos", "--progress", "none")
    assert result.line.startswith("vfxgan: --data photos: 1 of 3 files cannot be used, more than 1%: photos/text.png")
    whole = (Path("photos") / "000.png").read_bytes()
    (Path("photos") / "text.png").write_bytes(whole[: len(whole) // 2])
    result = cli("evaluate", "ckpt.pt", "--data", "photos", "--progress", "none")
    assert (result.code, "photos/text.png" in result.line) == (1, True)


def test_a_network_that_gives_nan_is_named(tmp_path, cli):
    pictures(Path("photos"), 4)
    checkpoint(Path("ckpt.pt"), UPSCALER, gain=float("nan"))
    result = cli("evaluate", "ckpt.pt", "--data", "photos", "--progress", "none")
    assert result.err == "vfxgan: ckpt.pt: gives NaN or Inf for 000.png; use an earlier checkpoint\n"
    checkpoint(Path("ckpt.pt"), GENERATOR, gain=float("nan"))
    result = cli("evaluate", "ckpt.pt", "--data", "photos", "--progress", "none")
    assert result.err == "vfxgan: ckpt.pt: gives NaN or Inf; use an earlier checkpoint\n"


def test_features_without_onnx_runtime_name_the_extra(tmp_path, cli, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    pictures(Path("photos"), 4)
    checkpoint(Path("ckpt.pt"), UPSCALER)
    result = cli("evaluate", "ckpt.pt", "--data", "photos", "--features", feature_network(Path("mean.onnx")))
    assert result.err == ("vfxgan: onnxruntime is not installed, and --features needs it: pip install 'vfxgan[cpu]'\n")
