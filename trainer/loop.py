"""The training loop: one for all families. What differs is the recipe's."""

import hashlib
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Generator, Tensor, nn

from vfxgan.errors import ModelError, TrainingError
from vfxgan.progress import Progress
from vfxgan.trainer.average import Average
from vfxgan.trainer.data.loader import Loader, Places, Share, default_workers
from vfxgan.trainer.data.samples import Samples
from vfxgan.trainer.guard import LossFailure, LossGuard
from vfxgan.trainer.keeper import LATEST, Keeper, read_latest, resolved
from vfxgan.trainer.moments import load_moments
from vfxgan.trainer.networks.checkpoint import Checkpoint
from vfxgan.trainer.options import RunOptions
from vfxgan.trainer.recipes.base import GENERATOR, Batch, Networks, Recipe
from vfxgan.trainer.reporter import Reporter

MAX_REASON_CHARS = 200
AGREE_EVERY = 10  # iterations after which several devices ask each other whether one was told to stop


class Run:
    """One training run in a folder.

    Attributes:
        iteration: how many are done.
        trained_s: seconds in iterations, waiting for data included, since the reporter last took count.
    """

    def __init__(self, folder: Path, family: str, recipe: Recipe, options: RunOptions, fabric: Fabric) -> None:
        self.folder, self.family, self.recipe, self.options, self.fabric = folder, family, recipe, options, fabric
        torch.set_num_threads(options.threads or 1)
        torch.set_flush_denormal(True)
        torch.manual_seed(options.seed)
        wrapped: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        for name, net in recipe.networks().items():
            rate = options.learning_rate
            if name != GENERATOR and options.discriminator_learning_rate is not None:
                rate = options.discriminator_learning_rate
            net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            # fused: one pass over the weights, on CPUs too, where it takes a third of the time
            optimizer = torch.optim.Adam(net.parameters(), rate, (options.beta1, options.beta2), fused=True)
            for group in optimizer.param_groups:
                group["initial_lr"] = rate
            wrapped[name], self.optimizers[name] = fabric.setup(net, optimizer)
        alone = fabric.world_size == 1
        self.nets = Networks(wrapped) if alone else Networks(wrapped, fabric.no_backward_sync)
        self.average = Average(self._bare(GENERATOR), options.ema, random_start=options.init is None)
        self.guard = LossGuard(options.loss_limit, fabric.device)
        self.keeper = Keeper(folder, options.keep, recipe.best[1] if recipe.best else "min")
        self.iteration = 0
        self.rollbacks = 0
        self.stop_signal: int | None = None
        self.trained_s = 0.0

    def _bare(self, name: str) -> nn.Module:
        """Under Fabric's wrapper."""
        net = self.nets[name].module
        assert isinstance(net, nn.Module)
        return net

    def restore(self, checkpoint: Checkpoint) -> None:
        """Stand where a checkpoint was written. Raises ModelError where its tensors do not fit."""
        try:
            for name in self.nets:
                self._bare(name).load_state_dict(checkpoint.networks[name])
                load_moments(self.optimizers[name], checkpoint.optimizers[name])
            self.average.network.load_state_dict(checkpoint.average)
            best = checkpoint.state.get("best")
            self.keeper.best = None if best is None else float(best)
            self.rollbacks = int(checkpoint.state.get("rollbacks", 0))
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"{self.folder}: its checkpoint does not fit these networks ({_reason(error)}); use an earlier one"
            ) from error
        self.iteration = checkpoint.iteration

    def begin_from(self, checkpoint: Checkpoint) -> list[str]:
        """Take the weights of another run for a new one: the averaged generator, which fits, and others that do.

        Returns:
            The networks that did not fit and start anew, such as a discriminator with another norm.
        """
        fresh = []
        for name in self.nets:
            own = self._bare(name).state_dict()
            weights = checkpoint.average if name == GENERATOR else checkpoint.networks.get(name, {})
            if fits(own, weights):
                self._bare(name).load_state_dict(weights)
            else:
                fresh.append(name)
        self.average.network.load_state_dict(checkpoint.average)
        return fresh

    def train(self, samples: Samples, bar: Progress) -> int | None:
        """Run to the last iteration.

        SIGTERM and Ctrl-C end it after the iteration in hand. A checkpoint is written in each of these cases, but not
        after an error: the last good one stays.

        Returns:
            None when done, else the signal that ended it.
        Raises:
            TrainingError: a loss is NaN or explodes. WriteError: the last checkpoint cannot be written.
        """
        reporter = Reporter(self, bar) if self.fabric.is_global_zero else None
        try:
            with bar, self._stop_signals():
                bar.skip(self.iteration)
                if self.options.on_nan == "rollback" and not self.iteration:
                    self.save()
                while not self._finished():
                    try:
                        self._train_on(samples, reporter)
                        self.guard.check()
                    except LossFailure as failure:
                        self._roll_back(failure, reporter)
                self.save()
        finally:
            if reporter is not None:
                reporter.journal.close()
        return self.stop_signal

    def _train_on(self, samples: Samples, reporter: Reporter | None) -> None:
        device, options = self.fabric.device, self.options
        share = Share(self.recipe.batch_size, self.fabric.global_rank, self.rollbacks)
        workers = default_workers(device) if options.workers is None else options.workers
        loader = Loader(samples, Places(self.iteration, options.iterations, share), workers, device)
        clock = time.perf_counter()
        for batch in loader:
            scalars = self._iterate(batch)
            self.iteration += 1
            now = time.perf_counter()
            self.trained_s += now - clock
            if reporter is not None:
                reporter.after_iteration(scalars, loader)
            clock = time.perf_counter()
            if self._finished():
                return

    def _iterate(self, batch: Batch) -> dict[str, Tensor]:
        """All steps of one iteration; every random number in it comes from (seed, iteration, device)."""
        stream = self._stream()
        torch.manual_seed(stream)
        scalars: dict[str, Tensor] = {}
        for step in self.recipe.steps(self.iteration, self.nets, batch, Generator().manual_seed(stream)):
            self.guard.add(self.iteration, step.network, self._shared(step.loss))
            optimizer = self.optimizers[step.network]
            self._set_rate(optimizer)
            optimizer.zero_grad(set_to_none=True)
            self.fabric.backward(step.loss)
            optimizer.step()
            scalars.update(step.scalars)
        self.average.update(self._bare(GENERATOR), self.iteration)
        return scalars

    def _stream(self) -> int:
        text = f"{self.options.seed}/{self.iteration}/{self.fabric.global_rank}/{self.rollbacks}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big")

    def _shared(self, loss: Tensor) -> Tensor:
        """Of all devices: they must agree on whether one is bad."""
        if self.fabric.world_size == 1:
            return loss
        worst = self.fabric.all_reduce(loss.detach().clone(), reduce_op="sum")  # it would sum in place
        assert isinstance(worst, Tensor)
        return worst

    def _set_rate(self, optimizer: torch.optim.Optimizer) -> None:
        start = self.options.decay_from * self.options.iterations
        left = 0.5**self.rollbacks
        if self.iteration > start:
            left *= max(0.0, (self.options.iterations - self.iteration) / (self.options.iterations - start))
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * left

    def _finished(self) -> bool:
        if self.fabric.world_size > 1 and self.iteration % AGREE_EVERY == 0:
            told = torch.tensor(float(self.stop_signal or 0), device=self.fabric.device)
            agreed = self.fabric.all_reduce(told, reduce_op="max")
            assert isinstance(agreed, Tensor)
            if agreed.item():
                self.stop_signal = int(agreed.item())
                return True
            return self.iteration >= self.options.iterations
        stopped = self.stop_signal is not None and self.fabric.world_size == 1
        return stopped or self.iteration >= self.options.iterations

    def _roll_back(self, failure: LossFailure, reporter: Reporter | None) -> None:
        """Once: to the last checkpoint, with half the rate and other random numbers."""
        remedy = "try a lower --learning-rate, --precision 32-true"
        if self.options.on_nan == "stop" or self.rollbacks:
            again = " again after a rollback" if self.rollbacks else ""
            more = "" if self.rollbacks else ", or --on-nan rollback"
            last = self.folder / LATEST
            left = f"{last} is whole" if last.exists() else "there is no checkpoint yet"
            raise TrainingError(f"{failure}{again}; {remedy}{more}; {left}") from failure
        checkpoint = read_latest(self.folder)
        undone = self.iteration - checkpoint.iteration
        self.guard.kept.clear()
        self.restore(checkpoint)
        self.rollbacks = 1
        if reporter is not None:
            reporter.rewind(undone)
            reporter.bar.warn(f"{failure}; rolled back to iteration {self.iteration}, at half the learning rate")

    def checkpoint(self) -> Checkpoint:
        """This moment."""
        self.recipe.calibrate(self.average.network)
        return Checkpoint(
            spec=self.recipe.spec(self.iteration),
            options=resolved(self.options, self.family),
            iteration=self.iteration,
            average=self.average.network.state_dict(),
            networks={name: self._bare(name).state_dict() for name in self.nets},
            optimizers={name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            state={"rollbacks": self.rollbacks, "best": self.keeper.best},
        )

    def save(self) -> None:
        """Write a checkpoint of this moment, on the first device. Raises WriteError, LossFailure."""
        self.guard.check()
        if self.fabric.is_global_zero:
            self.keeper.save(self.checkpoint())

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


def fits(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> bool:
    """Whether two state dicts have the same tensors, by name and shape."""
    return {key: value.shape for key, value in own.items()} == {key: value.shape for key, value in weights.items()}


def _reason(error: Exception) -> str:
    """What torch says of a misfit, which may be pages, in one line."""
    return " ".join(str(error).split())[:MAX_REASON_CHARS]
