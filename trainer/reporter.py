"""What happens between iterations: the bar, metrics, samples, validation, checkpoints."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import Tensor

from vfxgan.errors import WriteError
from vfxgan.progress import Progress
from vfxgan.trainer.data.loader import Loader
from vfxgan.trainer.journal import Journal

MOST_WAITING = 0.05  # share of the time, before it is worth a word

if TYPE_CHECKING:
    from vfxgan.trainer.loop import Run


class Reporter:
    """Does whatever is due after an iteration, on the first device.

    A disk that is full in the middle of a run costs the entry in hand, not the run: it is said, and tried again at the
    next one.
    """

    def __init__(self, run: "Run", bar: Progress) -> None:
        self.run, self.bar = run, bar
        self.journal = Journal(run.folder, run.iteration)
        self.warned: set[str] = set()
        self.since = run.iteration
        self.note = ""

    def after_iteration(self, scalars: dict[str, Tensor], loader: Loader) -> None:
        """Whatever is due now."""
        run, options = self.run, self.run.options
        iteration, last = run.iteration, run.iteration == options.iterations
        logged = iteration % options.log_every == 0 or last
        if logged or run.guard.at_once:
            losses = {name.removeprefix("loss/"): v for name, v in scalars.items() if name.startswith("loss/")}
            self.note = "  ".join(f"{name[0].upper()} {float(value):.2f}" for name, value in losses.items())
        self.bar.advance(note=self.note)
        if logged:
            run.guard.check()
            with self._spared("metrics"):
                self._log(scalars, loader)
        if options.validate_every and (iteration % options.validate_every == 0 or last):
            with self._spared("validation"):
                self._validate()
        if iteration % options.checkpoint_every == 0 and not last:
            with self._spared("checkpoint"):
                run.save()
        if iteration % options.sample_every == 0 or last:
            with self._spared("samples"):
                run.recipe.calibrate(run.average.network)
                self.journal.samples(iteration, run.recipe.sample(run.average.network.eval()))

    def rewind(self, undone: int) -> None:
        """So many iterations are to be done again."""
        self.journal.rewind(self.run.iteration)
        self.bar.skip(-undone)
        self.since, self.run.trained_s = self.run.iteration, 0.0

    def _log(self, scalars: dict[str, Tensor], loader: Loader) -> None:
        """One row, with the pace since the last and the share of that time spent waiting for data."""
        run = self.run
        elapsed = max(run.trained_s, 1e-9)
        pace = {
            "speed/iterations_per_s": (run.iteration - self.since) / elapsed,
            "speed/waiting_for_data": loader.waited_s / elapsed,
        }
        run.trained_s, loader.waited_s, self.since = 0.0, 0.0, run.iteration
        self.journal.scalars(run.iteration, {name: float(v) for name, v in scalars.items()} | pace)
        means = self.journal.lasting_means()
        for message in [*run.recipe.warnings(means), *_slow_loading(means)]:
            if message.split()[0] not in self.warned:
                self.warned.add(message.split()[0])
                self.bar.warn(f"iteration {run.iteration}: {message}")

    def _validate(self) -> None:
        run = self.run
        run.recipe.calibrate(run.average.network)
        values = run.recipe.validate(run.average.network.eval())
        if not values:
            return
        self.journal.validated(run.iteration, values)
        if run.recipe.best is not None and run.keeper.is_best(values[run.recipe.best[0]]):
            run.guard.check()
            value = values[run.recipe.best[0]]
            run.keeper.save_best(run.checkpoint(), value)

    @contextmanager
    def _spared(self, what: str) -> Iterator[None]:
        try:
            yield
        except (WriteError, OSError) as error:
            self.bar.warn(f"iteration {self.run.iteration}: no {what} written ({error}); training goes on")


def _slow_loading(means: Mapping[str, float]) -> list[str]:
    share = means.get("speed/waiting_for_data", 0.0)
    if share <= MOST_WAITING:
        return []
    return [f"waiting for data takes {share:.0%} of the time; give more --workers, or --cache on a faster disk"]
