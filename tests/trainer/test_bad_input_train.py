"""Wrong input to `vfxgan train`, in every family: one line with the thing and the remedy, a code, nothing left."""

import fcntl
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from vfxgan.cli.main import run
from vfxgan.images import Picture, write_picture
from vfxgan.spec import LatentInput, ModelSpec
from vfxgan.trainer.networks.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

COMMON = ("--iterations", "1", "--batch", "2", "--threads", "1", "--workers", "0", "--accelerator", "cpu",
          "--progress", "none")  # fmt: skip
FAMILIES = {
    "dcgan": ("--size", "16", "--z-size", "8", "--channels", "8,8", "--discriminator-channels", "8,8"),
    "pix2pix": ("--depth", "3", "--width", "4", "--crop", "16", "--discriminator-layers", "1",
                "--discriminator-width", "4", "--norm", "instance"),
    "srgan": ("--width", "4", "--blocks", "1", "--crop", "32", "--scale", "2", "--pretrain", "0",
              "--discriminator-width", "4", "--perceptual", "none"),
}  # fmt: skip
by_family = pytest.mark.parametrize("family", FAMILIES)


def pictures(folder, count=4, size=48):
    folder.mkdir(parents=True)
    stream = np.random.RandomState(4)
    for index in range(count):
        smooth = np.kron(stream.rand(size // 8, size // 8, 3), np.ones((8, 8, 1))).astype(np.float16)
        write_picture(folder / f"{index:03}.exr", Picture(smooth, ("R", "G", "B")))
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four pictures in `here`, and what they become in `there`."""
    folder = tmp_path_factory.mktemp("data")
    pictures(folder / "there")
    return pictures(folder / "here")


def command(family, data, out, *more):
    target = ("--target", data.with_name("there")) if family == "pix2pix" and "--target" not in more else ()
    return ["train", family, "--data", data, *target, "--out", out, *FAMILIES[family], *COMMON, *more]


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    """One finished run of each family."""
    folder = tmp_path_factory.mktemp("runs")
    for family in FAMILIES:
        assert run([str(word) for word in command(family, data, folder / family)]) == 0
    return folder


@pytest.fixture
def refused(cli, tmp_path):
    """Run a command that must fail, with one line and nothing left in OUT unless it was there."""

    def call(arguments, code, *parts):
        result = cli(*arguments)
        assert result.code == code, result
        assert result.out == ""
        (line,) = result.err.strip().splitlines()
        assert line.startswith("vfxgan: ")
        for part in parts:
            assert part in line, line
        assert not (tmp_path / "new").exists()

    return call


@by_family
def test_an_unknown_option_is_named_with_those_that_are_close(refused, data, tmp_path, family):
    line = command(family, data, tmp_path / "new", "--learningrate", "1")
    refused(line, 2, "No such option: --learningrate", "--learning-rate", f"vfxgan train {family} --help")


def test_an_unknown_family_is_named_with_those_that_are_close(refused, data, tmp_path):
    refused(["train", "dcgen", "--data", data, "--out", tmp_path / "new"], 2, "No such command 'dcgen'", "dcgan")


@by_family
@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("--iterations", "0", "iterations: Input should be greater than or equal to 1 (got 0)"),
        ("--iterations", "many", "--iterations many is no whole number"),
        ("--batch", "-1", "batch: Input should be greater than or equal to"),
        ("--learning-rate", "nan", "--learning-rate: Input should be a finite number (got nan)"),
        ("--loss-limit", "inf", "--loss-limit: Input should be a finite number (got inf)"),
        ("--precision", "64", "Invalid value for '--precision'"),
        ("--accelerator", "tpu", "Invalid value for '--accelerator'"),
        ("--bad-pixels", "keep", "Invalid value for '--bad-pixels'"),
        ("--seed", str(2**32), "seed: Input should be less than 4294967296"),
    ],
)
def test_a_value_out_of_range_is_named(refused, data, tmp_path, family, option, value, part):
    refused(command(family, data, tmp_path / "new", option, value), 2, part)


@pytest.mark.parametrize(
    ("family", "options", "code", "part"),
    [
        ("dcgan", ["--size", "100"], 2, "size 100 is neither 4·2ᵏ nor 6·2ᵏ up to 1024"),
        ("dcgan", ["--size", "2048"], 2, "size 2048 is neither"),
        ("dcgan", ["--channels", "8,8,8"], 2, "channels"),
        ("dcgan", ["--channels", "8,wide"], 2, "not a list of numbers; write 256,128,64"),
        ("pix2pix", ["--crop", "20"], 2, "crop: 20 is no multiple of 2^depth = 8; the nearest is"),
        ("pix2pix", ["--depth", "40"], 2, "depth: Input should be less than or equal to"),
        ("pix2pix", ["--crop", "100000"], 2, "crop: Input should be less than or equal to 4096"),
        ("srgan", ["--crop", "33"], 2, "crop: 33 is no multiple of 2 (scale 2); 32 is"),
        ("srgan", ["--scale", "5"], 2, "scale: srresnet enlarges by 2, 3 or 4, not 5"),
        ("srgan", ["--crop", "128"], 1, "all 4 pictures are smaller than the crop of 128 px"),
    ],
)
def test_an_impossible_size_is_named_with_a_possible_one(refused, data, tmp_path, family, options, code, part):
    refused(command(family, data, tmp_path / "new", *options), code, part)


@by_family
def test_folders_that_hold_no_pictures_are_named(refused, data, tmp_path, family):
    new = tmp_path / "new"
    target = ("--target", data.with_name("there")) if family == "pix2pix" else ()
    refused(command(family, tmp_path / "lost", new, *target), 1, f"--data {tmp_path / 'lost'}: no such folder")
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(command(family, empty, new, *target), 1, f"--data {empty}: holds no picture (.exr, .png,")
    (empty / "notes.txt").write_text("no picture")
    refused(command(family, empty, new, *target), 1, f"--data {empty}: holds no picture (.exr, .png,")
    refused(command(family, data / "000.exr", new, *target), 1, f"000.exr: a file, not a folder; give {data}")


def test_a_wrong_path_is_said_before_weights_are_looked_for(refused, tmp_path):
    line = command("srgan", tmp_path / "lost", tmp_path / "new", "--perceptual", "vgg19", "--vgg", tmp_path / "no.pth")
    refused(line, 1, f"--data {tmp_path / 'lost'}: no such folder")


@by_family
def test_a_folder_with_corrupt_pictures_lists_them(refused, cli, data, tmp_path, family):
    shutil.copytree(data, tmp_path / "here")
    shutil.copytree(data.with_name("there"), tmp_path / "there")
    for name in ("001.exr", "002.exr"):
        (tmp_path / "here" / name).write_text("no picture")
    line = command(family, tmp_path / "here", tmp_path / "new")
    refused(line, 1, "2 of 4 files cannot be used, more than 1%", "001.exr", "002.exr")
    for name in ("001.exr", "002.exr"):
        whole = (data / name).read_bytes()
        (tmp_path / "here" / name).write_bytes(whole[: len(whole) // 2])  # its header is still good
    result = cli(*line)
    assert result.code == 1
    assert "2 of 4 files cannot be used, more than 1%" in result.line
    assert all(f"{name}: cut short or damaged" in result.line for name in ("001.exr", "002.exr"))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda there: (there / "003.exr").unlink(), ["1 do not match", "003.exr has no partner"]),
        (lambda there: (there / "000.exr").rename(there / "999.exr"),
         ["2 do not match", "000.exr has no partner", "999.exr has no partner"]),
        (lambda there: shutil.copy(there / "000.exr", there / "000.png"), ["000.exr 000.exr 000.png share the name"]),
        (lambda there: pictures(there / "small", 1, 32).joinpath("000.exr").replace(there / "000.exr"),
         ["000.exr is 48×48 but 000.exr is 32×32"]),
    ],
    ids=["fewer", "names", "twice", "size"],
)  # fmt: skip
def test_pairs_that_do_not_match_are_listed(refused, data, tmp_path, change: Callable[[Path], object], parts):
    there = tmp_path / "there"
    shutil.copytree(data.with_name("there"), there)
    change(there)
    refused(command("pix2pix", data, tmp_path / "new", "--target", there), 1, f"{data} and {there}", *parts)


def test_a_target_that_is_missing_is_named_as_one(refused, data, tmp_path):
    line = command("pix2pix", data, tmp_path / "new", "--target", tmp_path / "lost")
    refused(line, 1, f"--target {tmp_path / 'lost'}: no such folder; check the path")


@by_family
def test_an_output_that_cannot_be_a_folder_is_named(refused, data, tmp_path, family):
    (tmp_path / "file").write_text("")
    refused(command(family, data, tmp_path / "file"), 2, f"--out {tmp_path / 'file'}: cannot be written")


@by_family
def test_there_must_be_a_run_to_resume_and_none_may_be_there_otherwise(refused, data, runs, tmp_path, family):
    refused(command(family, data, tmp_path / "new", "--resume"), 2, "new: no checkpoint there yet; leave out --resume")
    refused(command(family, data, runs / family), 2, "holds a run already; go on with --resume")
    refused(command(family, data, runs / family, "--dry-run"), 2, "holds a run already; go on with --resume")


@by_family
def test_a_folder_in_which_another_process_trains_is_refused(refused, data, runs, tmp_path, family):
    shutil.copytree(runs / family, tmp_path / "busy")
    before = (tmp_path / "busy" / "options.json").read_bytes()
    with (tmp_path / "busy" / "options.json").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        line = command(family, data, tmp_path / "busy", "--iterations", "2", "--resume")
        refused(line, 2, f"--out {tmp_path / 'busy'}: another process trains there")
    assert (tmp_path / "busy" / "options.json").read_bytes() == before


@by_family
def test_an_init_that_does_not_fit_is_said_before_the_data_are_decoded(refused, data, runs, tmp_path, family):
    wide = ("--channels", "16,8") if family == "dcgan" else ("--width", "8")
    line = command(family, data, tmp_path / "new", *wide, "--init", runs / family / "ckpt.pt")
    refused([*line, "--progress", "bar"], 1, "its generator does not fit this one")
    line = command(family, data, tmp_path / "new", "--init", tmp_path / "lost.pt")
    refused([*line, "--progress", "bar"], 1, "lost.pt: no such checkpoint")


def test_half_precision_of_a_gpu_is_refused_on_the_cpu(refused, data, tmp_path):
    line = command("dcgan", data, tmp_path / "new", "--precision", "16-mixed")
    refused(line, 2, "--precision 16-mixed", "use bf16-mixed or 32-true")


@pytest.mark.parametrize(("of", "family"), [(a, b) for a in FAMILIES for b in FAMILIES if a != b])
def test_a_run_of_another_family_is_not_resumed(refused, data, runs, of, family):
    before = (runs / of / "ckpt.pt").read_bytes()
    parts = f"--resume {runs / of}: holds a {of} run, not a {family} run", f"use vfxgan train {of}"
    refused(command(family, data, runs / of, "--iterations", "2", "--resume"), 2, *parts)
    assert (runs / of / "ckpt.pt").read_bytes() == before


@by_family
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_a_truncated_checkpoint_is_not_resumed(refused, data, runs, tmp_path, family, share):
    body = (runs / family / "ckpt.pt").read_bytes()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "ckpt.pt").write_bytes(body[: int(share * len(body))])
    line = command(family, data, tmp_path / "cut", "--iterations", "2", "--resume")
    refused(line, 1, "cut/ckpt.pt: not a PyTorch checkpoint, or cut short")


class Touch:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@by_family
@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_not_run_on_resuming(refused, data, tmp_path, family, zipped):
    hostile, touched = tmp_path / "hostile", tmp_path / "touched"
    hostile.mkdir()
    if zipped:
        torch.save({"format": "vfxgan-checkpoint-1", "average": Touch(touched)}, hostile / "ckpt.pt")
    else:
        (hostile / "ckpt.pt").write_bytes(pickle.dumps(Touch(touched)))
    refused(command(family, data, hostile, "--resume"), 1, "would run code when loaded, so it was not loaded")
    assert not touched.exists()


def each(change):
    """Apply a change to every entry of a state dict of every network."""
    return lambda nets: {net: {key: change(value) for key, value in state.items()} for net, state in nets.items()}


def with_moments(change):
    def changed(optimizers):
        return {
            net: {**body, "state": {place: change(dict(state)) for place, state in body["state"].items()}}
            for net, body in optimizers.items()
        }

    return changed


UNFIT = "its checkpoint does not fit these networks ("
TAMPERED = {
    "no networks": ("networks", lambda _: {}, UNFIT),
    "numbers for networks": ("networks", lambda nets: dict.fromkeys(nets, 3), UNFIT),
    "other shapes": ("networks", each(lambda tensor: torch.zeros(1)), "size mismatch for"),
    "text for weights": ("networks", each(lambda tensor: "text"), UNFIT),
    "no average": ("average", lambda _: {}, "Missing key(s) in state_dict"),
    "no optimizers": ("optimizers", lambda _: {}, UNFIT),
    "empty optimizers": ("optimizers", lambda nets: {net: {} for net in nets}, UNFIT),
    "moments of other shapes": (
        "optimizers", with_moments(lambda state: state | {"exp_avg": torch.zeros(1)}), "moments of shape [1] for a"),
    "text for moments": (
        "optimizers", with_moments(lambda state: state | {"exp_avg_sq": "x"}), "moments that are not dense numbers"),
    "moments of more weights": (
        "optimizers", lambda nets: {net: {**body, "state": {10**6: {}}} for net, body in nets.items()},
        "moments of a weight 1000000, which is not there"),
    "text for the best": ("state", lambda _: {"best": "text"}, "could not convert string to float"),
    "a negative iteration": ("iteration", lambda _: -5, "damaged, its iteration is -5"),
    "text for the iteration": ("iteration", lambda _: "5", "damaged, its 'iteration' is missing or no int"),
    "an empty spec": ("spec", lambda _: "{}", "its vfxgan spec does not fit"),
    "text for a spec": ("spec", lambda _: "text", "its vfxgan spec is not JSON"),
    "another format": ("format", lambda _: "other", "not a vfxgan checkpoint"),
    "other options": ("options", lambda _: {}, "options differ from the run's"),
    "another precision": ("options", lambda o: o | {"precision": "64"}, "the checkpoint's options do not fit"),
}  # fmt: skip


@by_family
@pytest.mark.parametrize("what", TAMPERED)
def test_a_tampered_checkpoint_is_not_resumed(refused, data, runs, tmp_path, family, what):
    key, change, part = TAMPERED[what]
    body = torch.load(runs / family / "ckpt.pt", weights_only=True)
    (tmp_path / "bad").mkdir()
    torch.save(body | {key: change(body[key])}, tmp_path / "bad" / "ckpt.pt")
    line = command(family, data, tmp_path / "bad", "--iterations", "2", "--resume")
    refused(line, 2 if what == "other options" else 1, part)


@by_family
def test_weights_that_are_nan_stop_the_run_at_its_first_loss(cli, data, runs, tmp_path, family):
    body = torch.load(runs / family / "ckpt.pt", weights_only=True)
    nan = each(lambda tensor: tensor * float("nan") if tensor.is_floating_point() else tensor)
    (tmp_path / "bad").mkdir()
    torch.save(body | {"networks": nan(body["networks"])}, tmp_path / "bad" / "ckpt.pt")
    result = cli(*command(family, data, tmp_path / "bad", "--iterations", "2", "--resume"))
    assert result.code == 1
    assert "vfxgan: iteration 1: the discriminator's loss is nan; try a lower --learning-rate" in result.line


def test_a_spec_that_no_machine_could_build_is_one_line(refused, data, tmp_path):
    spec = ModelSpec(
        name="huge", kind="generator", architecture="dcgan", input=LatentInput(size=1 << 20, interval=1.0),
        arguments={"size": 8, "z_size": 1 << 62, "channels": (1 << 40,)}, size=(8, 8), channels_out=3,
    )  # fmt: skip
    save_checkpoint(tmp_path / "huge.pt", Checkpoint(spec, {}, 1, {}, {}, {}))
    refused(["evaluate", tmp_path / "huge.pt", "--data", data], 1, "huge: dcgan cannot be built from its arguments")


@pytest.fixture(scope="module")
def spoiled(data, tmp_path_factory):
    """The same pictures, one of them with a NaN and an infinite pixel."""
    folder = tmp_path_factory.mktemp("spoiled")
    shutil.copytree(data, folder / "here")
    shutil.copytree(data.with_name("there"), folder / "there")
    pixels = np.full((48, 48, 3), 0.25, np.float32)
    pixels[3, 4, 0], pixels[5, 5] = np.nan, np.inf
    write_picture(folder / "here" / "002.exr", Picture(pixels, ("R", "G", "B")))
    return folder / "here"


@by_family
@pytest.mark.parametrize(("rule", "said"), [("zero", "made 0: 002.exr (2)"), ("clamp", "clamped (NaN made 0)")])
def test_nan_pixels_are_counted_and_made_finite_as_the_rule_says(cli, spoiled, tmp_path, family, rule, said):
    result = cli(*command(family, spoiled, tmp_path / "run", "--bad-pixels", rule))
    assert result.code == 0, result
    (counted,) = [line for line in result.err.splitlines() if "NaN or Inf" in line]
    assert said in counted
    assert "2 NaN or Inf pixels in 1 picture" in counted
    checkpoint = load_checkpoint(tmp_path / "run" / "ckpt.pt")
    assert all(torch.isfinite(value).all() for value in checkpoint.average.values())


@by_family
def test_nan_pixels_can_be_refused_by_name(refused, spoiled, tmp_path, family):
    line = command(family, spoiled, tmp_path / "new", "--bad-pixels", "error")
    refused(line, 1, "--bad-pixels error: 1 pictures of", "002.exr (2)", "give --bad-pixels zero or clamp")
