"""A run is killed, stopped, starved of disk or blown up, as it happens on a farm; nothing learned is lost."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from vfxgan.cli.main import run
from vfxgan.images import Picture, write_picture
from vfxgan.trainer.networks.checkpoint import load_checkpoint

COMMON = [
    "--threads", "1", "--workers", "0", "--log-every", "1", "--accelerator", "cpu", "--checkpoint-every", "2",
    "--validate-every", "4", "--sample-every", "4", "--seed", "3",
]  # fmt: skip


@dataclass(frozen=True)
class Family:
    """How to train a toy of it."""

    name: str
    options: tuple[str, ...]


FAMILIES = [
    Family("dcgan", ("--size", "32", "--batch", "4", "--z-size", "8", "--channels", "16,8,8",
                     "--discriminator-channels", "8,8,16", "--extra-step-every", "2")),
    Family("pix2pix", ("--depth", "4", "--width", "4", "--crop", "32", "--batch", "2", "--discriminator-layers", "1",
                       "--dropout", "--held-out", "1")),
    Family("srgan", ("--width", "8", "--blocks", "1", "--crop", "32", "--batch", "2", "--scale", "2", "--pretrain", "3",
                     "--perceptual", "none", "--held-out", "1")),
]  # fmt: skip
FAR = 100_000  # iterations that no test waits for
by_family = pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Eight 48 px elements, half the light as their pictures' partners."""
    folder = tmp_path_factory.mktemp("pictures")
    stream = np.random.RandomState(4)
    for name in ("here", "there"):
        (folder / name).mkdir()
        for index in range(8):
            smooth = np.kron(stream.rand(6, 6, 4), np.ones((8, 8, 1))).astype(np.float16)
            attributes = {"compression": "zips"}
            write_picture(folder / name / f"a.{index:04d}.exr", Picture(smooth, ("R", "G", "B", "A"), attributes))
    return folder


def command(family, pictures, out, *more):
    target = ["--target", str(pictures / "there")] if family.name == "pix2pix" else []
    return ["train", family.name, "--data", str(pictures / "here"), *target, "--out", str(out),
            *family.options, *COMMON, *map(str, more)]  # fmt: skip


def started(arguments, progress="json"):
    code = [sys.executable, "-c", "from vfxgan.cli.main import main; main()", *arguments, "--progress", progress]
    return subprocess.Popen(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_iteration(process, iteration):
    for line in process.stdout:
        event = json.loads(line)
        if event.get("total") == FAR and event.get("done", 0) >= iteration:
            return
    pytest.fail(f"ended early: {process.communicate()[1]}")


def assert_same_weights(one, other):
    assert one.iteration == other.iteration
    for name, weights in one.networks.items():
        for key, value in weights.items():
            assert torch.equal(value, other.networks[name][key]), (name, key)
    assert all(torch.equal(value, other.average[key]) for key, value in one.average.items())


@by_family
def test_killed_and_resumed_it_ends_at_the_same_bits_as_in_one_go(family, pictures, tmp_path):
    with started(command(family, pictures, tmp_path / "killed", "--iterations", FAR)) as process:
        wait_for_iteration(process, 5)
        process.kill()
        process.communicate(timeout=60)
    reached = load_checkpoint(tmp_path / "killed" / "ckpt.pt").iteration
    assert reached >= 4
    end = reached + 5
    more = ("--iterations", end, "--progress", "none")
    assert run(command(family, pictures, tmp_path / "killed", *more, "--resume")) == 0
    assert run(command(family, pictures, tmp_path / "whole", *more)) == 0
    assert_same_weights(
        load_checkpoint(tmp_path / "killed" / "ckpt.pt"), load_checkpoint(tmp_path / "whole" / "ckpt.pt")
    )
    assert len((tmp_path / "killed" / "metrics.csv").read_text().splitlines()) == end + 1


@by_family
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_saves_and_ends_the_run(family, pictures, tmp_path, number, code):
    with started(command(family, pictures, tmp_path / "run", "--iterations", FAR)) as process:
        wait_for_iteration(process, 1)
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    assert "--resume" in errors
    assert load_checkpoint(tmp_path / "run" / "ckpt.pt").iteration >= 1


def test_worker_processes_give_the_same_bits_as_none(pictures, tmp_path):
    family = FAMILIES[0]
    more = ("--iterations", 4, "--progress", "none")
    assert run(command(family, pictures, tmp_path / "none", *more)) == 0
    assert run(command(family, pictures, tmp_path / "two", *more, "--workers", 2)) == 0
    assert_same_weights(*(load_checkpoint(tmp_path / name / "ckpt.pt") for name in ("none", "two")))


def test_the_thread_count_of_the_run_is_kept_when_it_is_resumed(pictures, tmp_path):
    arguments = command(FAMILIES[0], pictures, tmp_path / "run", "--iterations", 2, "--progress", "none")
    assert run([*arguments, "--threads", "2"]) == 0
    position = arguments.index("--threads")
    unsaid = arguments[:position] + arguments[position + 2 :]
    assert run([*unsaid, "--iterations", "3", "--resume"]) == 0
    assert load_checkpoint(tmp_path / "run" / "ckpt.pt").options["threads"] == 2
    assert torch.get_num_threads() == 2


def test_the_last_few_checkpoints_and_the_best_are_kept(pictures, tmp_path):
    more = ("--iterations", 11, "--keep", 2, "--progress", "none")
    assert run(command(FAMILIES[1], pictures, tmp_path / "run", *more)) == 0
    kept = sorted(path.name for path in (tmp_path / "run").glob("*.pt"))
    assert kept == ["best.pt", "ckpt-000010.pt", "ckpt-000011.pt", "ckpt.pt"]
    rows = (tmp_path / "run" / "validation.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["iteration", "4", "8", "11"]
    column = rows[0].split(",").index("val/l1")
    values = {int(row.split(",")[0]): float(row.split(",")[column]) for row in rows[1:]}
    best = load_checkpoint(tmp_path / "run" / "best.pt").iteration
    assert values[best] == min(values.values())


@pytest.fixture
def poisoned(monkeypatch):
    """Make the generator's loss bad at given iterations, as an overflow would."""

    def poison(at, value):
        from vfxgan.trainer.recipes.dcgan import DcganRecipe

        honest, times = DcganRecipe.steps, list(at)

        def steps(self, iteration, nets, batch, rng):
            for step in honest(self, iteration, nets, batch, rng):
                if step.network == "generator" and times and iteration == times[0]:
                    times.pop(0)
                    yield type(step)(step.network, step.loss * value, step.scalars)
                else:
                    yield step

        monkeypatch.setattr(DcganRecipe, "steps", steps)

    return poison


@pytest.mark.parametrize(
    ("value", "said"), [(float("nan"), "is nan"), (float("inf"), "is inf"), (1e30, "has exploded")]
)
def test_a_bad_loss_stops_with_iteration_loss_and_remedy(pictures, tmp_path, capfd, poisoned, value, said):
    poisoned([5], value)
    assert run(command(FAMILIES[0], pictures, tmp_path / "run", "--iterations", 9, "--progress", "none")) == 1
    line = capfd.readouterr().err.strip().splitlines()[-1]
    assert f"iteration 5: the generator's loss {said}" in line
    assert "--learning-rate" in line
    assert "--on-nan rollback" in line
    assert line.endswith("ckpt.pt is whole")
    assert load_checkpoint(tmp_path / "run" / "ckpt.pt").iteration == 4


def test_a_bad_loss_before_the_first_checkpoint_says_that_there_is_none(pictures, tmp_path, capfd, poisoned):
    poisoned([0], float("nan"))
    assert run(command(FAMILIES[0], pictures, tmp_path / "run", "--iterations", 9, "--progress", "none")) == 1
    assert capfd.readouterr().err.strip().endswith("there is no checkpoint yet")


def test_a_rollback_goes_on_from_the_last_checkpoint_at_half_the_rate(pictures, tmp_path, capfd, poisoned):
    poisoned([5], float("nan"))
    more = ("--iterations", 9, "--on-nan", "rollback", "--progress", "json")
    assert run(command(FAMILIES[0], pictures, tmp_path / "run", *more)) == 0
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    (message,) = (event["message"] for event in events if event["event"] == "warning")
    assert "rolled back to iteration 4, at half the learning rate" in message
    assert (events[-1]["event"], events[-1]["done"], events[-1]["total"]) == ("finished", 9, 9)
    checkpoint = load_checkpoint(tmp_path / "run" / "ckpt.pt")
    assert (checkpoint.iteration, checkpoint.state["rollbacks"]) == (9, 1)
    assert checkpoint.optimizers["generator"]["param_groups"][0]["lr"] == pytest.approx(1e-4)
    assert all(torch.isfinite(value).all() for value in checkpoint.average.values())
    rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert [int(row.split(",")[0]) for row in rows[1:]] == list(range(1, 10))


def test_a_second_bad_loss_after_a_rollback_stops_the_run(pictures, tmp_path, capfd, poisoned):
    poisoned([1, 3], float("nan"))
    more = ("--iterations", 9, "--on-nan", "rollback", "--progress", "none")
    assert run(command(FAMILIES[0], pictures, tmp_path / "run", *more)) == 1
    assert "iteration 3: the generator's loss is nan again after a rollback" in capfd.readouterr().err


def test_a_disk_that_fills_up_in_the_middle_does_not_end_the_run(pictures, tmp_path, capfd, monkeypatch):
    from vfxgan.errors import WriteError
    from vfxgan.trainer import keeper

    honest, failures = keeper.save_checkpoint, [4]

    def save(path, checkpoint):
        if checkpoint.iteration in failures:
            raise WriteError(f"{path}: checkpoint cannot be written (No space left on device)")
        honest(path, checkpoint)

    monkeypatch.setattr(keeper, "save_checkpoint", save)
    more = ("--iterations", 5, "--validate-every", 0, "--progress", "none")
    assert run(command(FAMILIES[0], pictures, tmp_path / "run", *more)) == 0
    assert "iteration 4: no checkpoint written" in capfd.readouterr().err
    assert load_checkpoint(tmp_path / "run" / "ckpt.pt").iteration == 5


def test_a_damaged_latest_checkpoint_names_the_one_to_use_instead(pictures, tmp_path, capfd):
    arguments = command(FAMILIES[0], pictures, tmp_path / "run", "--iterations", 4, "--progress", "none")
    assert run(arguments) == 0
    latest = tmp_path / "run" / "ckpt.pt"
    body = latest.read_bytes()
    latest.unlink()  # it may share its bytes with its numbered twin
    latest.write_bytes(body[: len(body) // 2])
    assert run([*arguments, "--resume"]) == 1
    line = capfd.readouterr().err.strip().splitlines()[-1]
    assert "cut short" in line
    assert "ckpt-000004.pt beside it can take its place: copy it over ckpt.pt" in line


def test_the_log_tells_the_pace_and_the_share_of_time_spent_waiting(pictures, tmp_path):
    assert run(command(FAMILIES[0], pictures, tmp_path / "run", "--iterations", 3, "--progress", "none")) == 0
    header, *rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    waiting = header.split(",").index("speed/waiting_for_data")
    assert all(0 <= float(row.split(",")[waiting]) <= 1 for row in rows)


def test_two_processes_learn_what_one_learns_from_twice_the_batch(pictures, tmp_path):
    """Gloo on the CPU, through Fabric: gradients are averaged, slots of the batch shared out, one process writes."""
    script = str(Path(sys.executable).parent / "vfxgan")
    pixels_only = ("--pretrain", 4, "--iterations", 4, "--progress", "none")  # no batch norm, which sees a half each
    arguments = command(FAMILIES[2], pictures, tmp_path / "two", *pixels_only, "--devices", 2, "--batch", 1)
    done = subprocess.run([script, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().count("\n") == 0, done.stderr
    assert "done at iteration 4" in done.stderr
    assert run(command(FAMILIES[2], pictures, tmp_path / "one", *pixels_only, "--batch", 2)) == 0
    two, one = (load_checkpoint(tmp_path / name / "ckpt.pt") for name in ("two", "one"))
    assert (two.iteration, two.options["devices"]) == (4, 2)
    assert len((tmp_path / "two" / "metrics.csv").read_text().splitlines()) == 5
    start = load_checkpoint(tmp_path / "two" / "ckpt-000002.pt").networks["generator"]
    for key, value in two.networks["generator"].items():
        torch.testing.assert_close(value, one.networks["generator"][key], rtol=1e-3, atol=1e-6)
    assert any(not torch.equal(value, start[key]) for key, value in two.networks["generator"].items())


def test_two_processes_train_against_a_discriminator(pictures, tmp_path):
    script = str(Path(sys.executable).parent / "vfxgan")
    more = ("--iterations", 4, "--devices", 2, "--progress", "none")
    arguments = command(FAMILIES[1], pictures, tmp_path / "run", *more)
    done = subprocess.run([script, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert load_checkpoint(tmp_path / "run" / "ckpt.pt").iteration == 4


def test_a_farm_has_one_command_for_the_first_try_and_for_each_retry(pictures, tmp_path, capfd):
    arguments = command(FAMILIES[0], pictures, tmp_path / "run", "--auto-resume", "--progress", "none")
    assert run([*arguments, "--iterations", "2"]) == 0
    assert run([*arguments, "--iterations", "3"]) == 0
    assert "resumed" in capfd.readouterr().err
    assert run([*arguments, "--iterations", "3"]) == 0
    assert "nothing to do, --iterations 3 is reached" in capfd.readouterr().err
    assert load_checkpoint(tmp_path / "run" / "ckpt.pt").iteration == 3


AUGMENTED = ("--turns", "--zoom", "1.3", "--exposure-stops", "1", "--colour", "0.2")


@by_family
def test_each_kind_of_augmentation_changes_what_is_learned(family, pictures, tmp_path):
    more = ("--iterations", 2, "--no-turns", "--progress", "none")
    assert run(command(family, pictures, tmp_path / "plain", *more)) == 0
    plain = load_checkpoint(tmp_path / "plain" / "ckpt.pt").networks["generator"]
    for number, options in enumerate((AUGMENTED[:1], AUGMENTED[1:3], AUGMENTED[3:5], AUGMENTED[5:])):
        assert run(command(family, pictures, tmp_path / str(number), *more, *options)) == 0
        varied = load_checkpoint(tmp_path / str(number) / "ckpt.pt").networks["generator"]
        assert any(not torch.equal(value, varied[key]) for key, value in plain.items()), options
