"""From options to a finished run: devices, folder, data, networks, loop."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy, Strategy
from pydantic import ValidationError

from vfxgan.errors import ModelError, TargetError, UsageError
from vfxgan.progress import ProgressStyle, progress, say
from vfxgan.spec import describe
from vfxgan.trainer.keeper import LATEST, check_same_run, read_latest, resolved
from vfxgan.trainer.loop import Run
from vfxgan.trainer.networks.checkpoint import Checkpoint, load_checkpoint
from vfxgan.trainer.options import RunOptions
from vfxgan.trainer.recipes.base import Recipe


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        stopped_by: the signal, None when it ran to its end.
        reports: whether this process is the one that speaks for all devices.
    """

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
    checkpoint = read_latest(folder) if resume else None
    if checkpoint is not None:
        check_same_run(folder, checkpoint, options, family)
    options = settle(options, checkpoint)
    recipe = recipe_type(options)
    fabric = open_fabric(options, recipe)
    is_new = not folder.exists()
    if fabric.is_global_zero:
        _claim(folder, recipe, resolved(options, family), resume)
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
    elif options.init is not None:
        for name in run.begin_from(load_checkpoint(Path(options.init)), options.init):
            if fabric.is_global_zero:
                say(f"--init {options.init}: its {name} does not fit and starts anew")
    bar = progress(style if fabric.is_global_zero else "none", "training", options.iterations)
    stopped_by = run.train(samples, bar)
    return Outcome(run.iteration, stopped_by, fabric.is_global_zero)


def settle(options: RunOptions, checkpoint: Checkpoint | None) -> RunOptions:
    """Fix what depends on the machine: as the run had it, else as this machine is.

    The thread count belongs to the result: sums over other pieces round otherwise.
    """
    before = checkpoint.options if checkpoint is not None else {}
    changes: dict[str, object] = {}
    if options.threads is None:
        changes["threads"] = before.get("threads") or max(1, (os.cpu_count() or 1) // options.devices)
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
    strategy: str | Strategy = "auto"
    if options.devices > 1 or options.strategy == "ddp":
        # buffers are not broadcast: batch norm and spectral norm change theirs between two passes of one step
        strategy = DDPStrategy(broadcast_buffers=False, find_unused_parameters=recipe.has_unused_parameters)
    return Fabric(accelerator=accelerator, devices=options.devices, strategy=strategy, precision=options.precision)


def _claim(folder: Path, recipe: Recipe, options: dict[str, object], resume: bool) -> None:
    if not resume and (folder / LATEST).exists():
        raise TargetError(f"--out {folder} holds a run already; go on with --resume, or choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(options | {"batch": recipe.batch_size}, indent=2) + "\n"
        (folder / "options.json").write_text(text, encoding="utf-8")
    except OSError as error:
        raise TargetError(f"--out {folder}: cannot be written ({error.strerror}); choose another folder") from error


def _say_resumed(run: Run, checkpoint: Checkpoint, digest: str) -> None:
    if not run.fabric.is_global_zero:
        return
    say(f"resumed {run.folder} at iteration {run.iteration}")
    before = checkpoint.spec.provenance.data_digest
    if before is not None and before != digest:
        say("warning: the data are not those that the run began with; it goes on with these")
