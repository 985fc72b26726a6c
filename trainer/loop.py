"""The training loop: one for all families. What differs is the recipe's."""

import json
import math
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Generator, nn

from vfxgan.errors import TargetError, TrainingError
from vfxgan.progress import Progress, say
from vfxgan.trainer.average import Average
from vfxgan.trainer.journal import Journal
from vfxgan.trainer.networks.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from vfxgan.trainer.options import RunOptions
from vfxgan.trainer.recipes.base import GENERATOR, Recipe

LATEST = "ckpt.pt"
STEPS_PER_ITERATION = 8  # random streams set aside for one iteration; no recipe takes more steps


class Run:
    """One training run in a folder."""

    def __init__(self, folder: Path, recipe: Recipe, options: RunOptions) -> None:
        self.folder, self.recipe, self.options = folder, recipe, options
        torch.set_num_threads(options.threads or os.cpu_count() or 1)
        torch.set_flush_denormal(True)
        self.fabric = Fabric(accelerator=options.accelerator, devices=1, precision=options.precision)
        torch.manual_seed(options.seed)
        self.nets: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        for name, net in recipe.networks().items():
            rate = options.learning_rate
            if name != GENERATOR and options.discriminator_learning_rate is not None:
                rate = options.discriminator_learning_rate
            net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            optimizer = torch.optim.Adam(net.parameters(), lr=rate, betas=(options.beta1, options.beta2))
            for group in optimizer.param_groups:
                group["initial_lr"] = rate
            self.nets[name], self.optimizers[name] = self.fabric.setup(net, optimizer)
        self.average = Average(self._generator, options.ema)
        self.iteration = 0
        self.stop_signal: int | None = None

    @property
    def _generator(self) -> nn.Module:
        """Under Fabric's wrapper."""
        generator = self.nets[GENERATOR].module
        assert isinstance(generator, nn.Module)
        return generator

    def resume(self) -> None:
        """Go on from the folder's checkpoint. Raises ModelError, or TargetError where options differ."""
        checkpoint = load_checkpoint(self.folder / LATEST)
        mine = _resolved(self.options)
        other = {key for key in mine if key not in MAY_CHANGE and mine[key] != checkpoint.options.get(key)}
        if other:
            told = ", ".join(
                f"{key} {checkpoint.options.get(key)!r} there, {mine[key]!r} here" for key in sorted(other)
            )
            raise TargetError(f"--resume {self.folder}: options differ from the run's ({told}); give the run's own")
        for name, net in self.nets.items():
            net.load_state_dict(checkpoint.networks[name])
            optimizer = self.optimizers[name]
            rates = [group["initial_lr"] for group in optimizer.param_groups]
            optimizer.load_state_dict(checkpoint.optimizers[name])
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["initial_lr"] = rate
        self.average.network.load_state_dict(checkpoint.average)
        self.iteration = checkpoint.iteration

    def train(self, bar: Progress) -> int | None:
        """Run to the last iteration.

        SIGTERM and Ctrl-C end it after the iteration in hand. A checkpoint is written in each of these cases, but not
        after an error: the last good one stays.

        Returns:
            None when done, else the signal that ended it.
        Raises:
            TrainingError: a loss is NaN or infinite.
        """
        journal = Journal(self.folder, self.iteration)
        warned: set[str] = set()
        try:
            with bar, self._stop_signals():
                bar.skip(self.iteration)
                while self.iteration < self.options.iterations and self.stop_signal is None:
                    scalars = self._iterate()
                    self.iteration += 1
                    self._record(journal, scalars, bar, warned)
                self.save()
        finally:
            journal.close()
        return self.stop_signal

    def _iterate(self) -> dict[str, float]:
        """All steps of one iteration; every random number comes from (seed, iteration, step)."""
        scalars: dict[str, float] = {}
        for step, phase in enumerate(self.recipe.phases(self.iteration)):
            rng = Generator().manual_seed(_stream(self.options.seed, self.iteration, step))
            optimizer = self.optimizers[phase]
            self._set_rate(optimizer)
            for name, net in self.nets.items():
                net.requires_grad_(name == phase)
            optimizer.zero_grad(set_to_none=True)
            loss, values = self.recipe.loss(phase, self.nets, rng, self.fabric.device)
            if not math.isfinite(loss.item()):
                raise TrainingError(
                    f"iteration {self.iteration}: the {phase}'s loss is {loss.item()}; go on from the last checkpoint "
                    "with --resume and a lower --learning-rate, or --precision 32-true"
                )
            self.fabric.backward(loss)
            optimizer.step()
            scalars |= values
        self.average.update(self._generator, self.iteration)
        return scalars

    def _set_rate(self, optimizer: torch.optim.Optimizer) -> None:
        start = self.options.decay_from * self.options.iterations
        left = 1.0
        if self.iteration > start:
            left = max(0.0, (self.options.iterations - self.iteration) / (self.options.iterations - start))
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * left

    def _record(self, journal: Journal, scalars: dict[str, float], bar: Progress, warned: set[str]) -> None:
        options, iteration = self.options, self.iteration
        losses = {name.removeprefix("loss/"): v for name, v in scalars.items() if name.startswith("loss/")}
        bar.advance(note="  ".join(f"{name[0].upper()} {value:.2f}" for name, value in losses.items()))
        last = iteration == options.iterations
        if iteration % options.log_every == 0 or last:
            journal.scalars(iteration, scalars)
            for message in self.recipe.warnings(journal.lasting_means()):
                if message.split()[0] not in warned:
                    warned.add(message.split()[0])
                    bar.warn(f"iteration {iteration}: {message}")
        if iteration % options.checkpoint_every == 0:
            self.save()
        if iteration % options.sample_every == 0 or last:
            self.recipe.calibrate(self.average.network)
            journal.samples(iteration, self.recipe.sample(self.average.network))
        if options.snapshot_every and iteration % options.snapshot_every == 0:
            self.save(f"ckpt-{iteration:06d}.pt")

    def save(self, name: str = LATEST) -> None:
        """Write a checkpoint of this moment."""
        self.recipe.calibrate(self.average.network)
        checkpoint = Checkpoint(
            spec=self.recipe.spec(self.iteration),
            options=_resolved(self.options),
            iteration=self.iteration,
            average=self.average.network.state_dict(),
            networks={key: net.state_dict() for key, net in self.nets.items()},
            optimizers={key: optimizer.state_dict() for key, optimizer in self.optimizers.items()},
        )
        save_checkpoint(self.folder / name, checkpoint)

    @contextmanager
    def _stop_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, _frame: object) -> None:
            self.stop_signal = number

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


# A longer run, other intervals of reporting or another machine are the same training.
MAY_CHANGE = {
    "data", "iterations", "log_every", "sample_every", "checkpoint_every", "snapshot_every", "accelerator", "threads",
    "decay_from", "learning_rate", "discriminator_learning_rate",
}  # fmt: skip


def _stream(seed: int, iteration: int, step: int) -> int:
    """A seed for one step's random numbers; distinct for each (iteration, step) of a run."""
    return (seed << 31) + iteration * STEPS_PER_ITERATION + step


def _resolved(options: RunOptions) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(options.model_dump_json())
    return plain


def start_run(folder: Path, recipe: Recipe, options: RunOptions, resume: bool) -> Run:
    """Open a run's folder, new or to be resumed, and write the resolved options beside it.

    Raises:
        TargetError: the folder holds a run and --resume was not given, or it cannot be written.
        ModelError: --resume without a readable checkpoint.
    """
    if not resume and (folder / LATEST).exists():
        raise TargetError(f"--out {folder} holds a run already; go on with --resume, or choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(_resolved(options) | {"batch": recipe.batch_size}, indent=2) + "\n"
        (folder / "options.json").write_text(text, encoding="utf-8")
    except OSError as error:
        raise TargetError(f"--out {folder}: cannot be written ({error.strerror}); choose another folder") from error
    run = Run(folder, recipe, options)
    if resume:
        run.resume()
        say(f"resumed {folder} at iteration {run.iteration}")
    return run
