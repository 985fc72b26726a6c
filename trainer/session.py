"""From options to a finished run: devices, folder, data, networks, loop."""

import contextlib
import fcntl
import json
import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy, Strategy
from pydantic import ValidationError

from vfxgan.errors import ModelError, TargetError, UsageError
from vfxgan.progress import ProgressStyle, progress, say
from vfxgan.spec import describe
from vfxgan.trainer.keeper import LATEST, check_same_run, read_latest, resolved
from vfxgan.trainer.loop import Run, fits
from vfxgan.trainer.networks.checkpoint import Checkpoint, load_checkpoint
from vfxgan.trainer.options import RunOptions
from vfxgan.trainer.recipes.base import GENERATOR, Recipe


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        began: the iteration it went on from.
        stopped_by: the signal, None when it ran to its end.
        reports: whether this process is the one that speaks for all devices.
    """

    began: int
    iteration: int
    stopped_by: int | None
    reports: bool


def train_run(
    folder: Path, family: str, recipe_type: type[Recipe], options: RunOptions, *, resume: bool, style: ProgressStyle
) -> Outcome:
    """Open a run's folder, new or to be resumed, and train to the end.

    Raises:
        TargetError: the folder holds a run and --resume was not given, options differ, or it cannot be written.
        ModelError: --resume without a readable checkpoint. DataError, TrainingError, WriteError: as they say.
    """
    checkpoint = start_of(folder, family, options, resume=resume)
    options = settle(options, checkpoint)
    recipe = recipe_type(options)
    initial = _initial(options, recipe) if checkpoint is None else None
    fabric = open_fabric(options, recipe)
    is_new = not folder.exists()
    with contextlib.ExitStack() as claim:
        if fabric.is_global_zero:
            claim.enter_context(_claimed(folder, recipe, resolved(options, family)))
        try:
            # the other devices' processes start at launch(), and find the data checked and cached by the first
            samples = recipe.load_data(folder, style if fabric.is_global_zero else "none")
        except BaseException:
            if is_new and fabric.is_global_zero:
                shutil.rmtree(folder, ignore_errors=True)  # no run came of it
            raise
        for note in samples.notes if fabric.is_global_zero else ():
            say(f"data: {note}")
        fabric.launch()
        run = Run(folder, family, recipe, options, fabric)
        if checkpoint is not None:
            run.restore(checkpoint)
            _say_resumed(run, checkpoint, samples.digest)
        elif initial is not None:
            for name in run.begin_from(initial):
                if fabric.is_global_zero:
                    say(f"--init {options.init}: its {name} does not fit and starts anew")
        bar = progress(style if fabric.is_global_zero else "none", "training", options.iterations, every_s=1)
        began = run.iteration
        stopped_by = run.train(samples, bar)
        return Outcome(began, run.iteration, stopped_by, fabric.is_global_zero)


def start_of(folder: Path, family: str, options: RunOptions, *, resume: bool) -> Checkpoint | None:
    """The checkpoint that a run goes on from; None for a new one.

    Raises:
        TargetError: a run is there and --resume was not given, or the other way round, or options differ.
        ModelError: the checkpoint cannot be read.
    """
    if not resume:
        if (folder / LATEST).exists():
            raise TargetError(f"--out {folder} holds a run already; go on with --resume, or choose another folder")
        return None
    if not any(folder.glob("ckpt*.pt")):
        raise TargetError(f"--resume {folder}: no checkpoint there yet; leave out --resume, or check --out")
    checkpoint = read_latest(folder)
    check_same_run(folder, checkpoint, options, family)
    return checkpoint


def _initial(options: RunOptions, recipe: Recipe) -> Checkpoint | None:
    """What `--init` names; looked at before the data, which may take hours to decode."""
    if options.init is None:
        return None
    checkpoint = load_checkpoint(Path(options.init))
    if not fits(recipe.networks()[GENERATOR].state_dict(), checkpoint.average):
        raise ModelError(
            f"--init {options.init}: its generator does not fit this one; give the options that it was trained with"
        )
    return checkpoint


def settle(options: RunOptions, checkpoint: Checkpoint | None) -> RunOptions:
    """Fix what depends on the machine: as the run had it, else as this machine is.

    The thread count belongs to the result: sums over other pieces round otherwise.
    """
    before = checkpoint.options if checkpoint is not None else {}
    changes: dict[str, object] = {}
    if options.threads is None:
        changes["threads"] = before.get("threads") or max(1, (os.cpu_count() or 1) // options.devices)
    if options.precision == "16-mixed" and _accelerator(options) == "cpu":
        raise UsageError("--precision 16-mixed: a GPU's, not the CPU's; use bf16-mixed or 32-true")
    if options.precision == "auto":
        half = _accelerator(options) == "cuda" and torch.cuda.is_bf16_supported()
        changes["precision"] = before.get("precision") or ("bf16-mixed" if half else "32-true")
    try:
        return type(options).model_validate(options.model_dump() | changes)
    except ValidationError as error:
        raise ModelError(
            f"--resume: the checkpoint's options do not fit ({describe(error)}); use another one"
        ) from error


def _accelerator(options: RunOptions) -> str:
    if options.accelerator == "cuda" and not torch.cuda.is_available():
        raise UsageError("--accelerator cuda: torch sees no GPU here; install its CUDA build, or use --accelerator cpu")
    if options.accelerator != "auto":
        return options.accelerator
    return "cuda" if torch.cuda.is_available() else "cpu"


def open_fabric(options: RunOptions, recipe: Recipe) -> Fabric:
    """The devices, with gradients averaged between them where there are several."""
    accelerator = _accelerator(options)
    if accelerator == "cuda" and options.devices > torch.cuda.device_count():
        raise UsageError(f"--devices {options.devices}: this machine has {torch.cuda.device_count()} GPUs")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it would announce devices and precision
    warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated")
    warnings.filterwarnings("ignore", message="The `srun` command is available")  # we start our processes ourselves
    strategy: str | Strategy = "auto"
    if options.devices > 1 or options.strategy == "ddp":
        # buffers are not broadcast: batch norm and spectral norm change theirs between two passes of one step
        strategy = DDPStrategy(broadcast_buffers=False, find_unused_parameters=recipe.has_unused_parameters)
    return Fabric(accelerator=accelerator, devices=options.devices, strategy=strategy, precision=options.precision)


@contextlib.contextmanager
def _claimed(folder: Path, recipe: Recipe, options: dict[str, object]) -> Iterator[None]:
    """Write options.json and, by a lock on it, keep other runs out; the system lets go when this process dies."""
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((folder / "options.json").open("a", encoding="utf-8"))
            _lock(file, folder)
            file.truncate(0)
            file.write(json.dumps(options | {"batch": recipe.batch_size}, indent=2) + "\n")
            file.flush()
        except OSError as error:
            raise TargetError(f"--out {folder}: cannot be written ({error.strerror}); choose another folder") from error
        yield


def _lock(file: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TargetError(f"--out {folder}: another process trains there; wait for it, or choose another") from error


def _say_resumed(run: Run, checkpoint: Checkpoint, digest: str) -> None:
    if not run.fabric.is_global_zero:
        return
    say(f"resumed {run.folder} at iteration {run.iteration}")
    before = checkpoint.spec.provenance.data_digest
    if before is not None and before != digest:
        say("warning: the data are not those that the run began with; it goes on with these")
