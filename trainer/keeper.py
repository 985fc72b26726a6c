"""The checkpoints of a run's folder: the latest, the last few, the best."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, Literal

from vfxgan.errors import ModelError, TargetError, WriteError
from vfxgan.trainer.networks.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from vfxgan.trainer.options import RunOptions

LATEST, BEST = "ckpt.pt", "best.pt"
NUMBERED = re.compile(r"ckpt-(\d{6,})\.pt")

# A longer run, other intervals of reporting or another machine are the same training.
MAY_CHANGE = {
    "data", "target", "validation", "iterations", "log_every", "sample_every", "validate_every",
    "checkpoint_every", "keep", "accelerator", "threads", "workers", "cache", "precision", "decay_from",
    "learning_rate", "discriminator_learning_rate", "on_nan", "loss_limit", "vgg",
}  # fmt: skip


class Keeper:
    """Writes ckpt.pt, ckpt-NNNNNN.pt (the last `keep`) and best.pt.

    Attributes:
        best: the best value of the recipe's metric so far; None before the first.
    """

    def __init__(self, folder: Path, keep: int, sense: Literal["min", "max"] = "min") -> None:
        self.folder, self.keep, self.sense = folder, keep, sense
        self.best: float | None = None

    def save(self, checkpoint: Checkpoint) -> None:
        """Write ckpt.pt and its numbered twin, then drop the oldest. Raises WriteError; what was there stays."""
        save_checkpoint(self.folder / LATEST, checkpoint)
        if self.keep:
            _twin(self.folder / LATEST, self.folder / f"ckpt-{checkpoint.iteration:06d}.pt")
        numbered = sorted(
            (int(match[1]), path) for path in self.folder.iterdir() if (match := NUMBERED.fullmatch(path.name))
        )
        for _, path in numbered[: max(0, len(numbered) - self.keep)]:
            path.unlink()

    def is_best(self, value: float) -> bool:
        """Whether a validation metric beats all before it."""
        if self.best is None:
            return True
        return value < self.best if self.sense == "min" else value > self.best

    def save_best(self, checkpoint: Checkpoint, value: float) -> None:
        """Write best.pt. Raises WriteError."""
        save_checkpoint(self.folder / BEST, checkpoint)
        self.best = value


def _twin(path: Path, twin: Path) -> None:
    """A second name of a file, so that it takes no space; a copy where the file system has no such thing."""
    twin.unlink(missing_ok=True)
    try:
        os.link(path, twin)
    except OSError:
        try:
            shutil.copyfile(path, twin)
        except OSError as error:
            twin.unlink(missing_ok=True)
            raise WriteError(f"{twin}: checkpoint cannot be written ({error.strerror}); check space") from error


def read_latest(folder: Path) -> Checkpoint:
    """The checkpoint to go on from.

    Raises:
        ModelError: none, or a damaged one; names an earlier one that could take its place.
    """
    try:
        return load_checkpoint(folder / LATEST)
    except ModelError as error:
        earlier = sorted(path.name for path in folder.glob("ckpt-*.pt"))
        if not earlier:
            raise
        raise ModelError(f"{error}; {earlier[-1]} beside it can take its place: copy it over {LATEST}") from error


def resolved(options: RunOptions, family: str) -> dict[str, Any]:
    """Options as plain types, as they stand in checkpoints and options.json."""
    plain: dict[str, Any] = json.loads(options.model_dump_json())
    return {"family": family, **plain}


def check_same_run(folder: Path, checkpoint: Checkpoint, options: RunOptions, family: str) -> None:
    """Refuse to go on with another family's checkpoint, or with options that would make another training of it.

    Raises:
        TargetError: names each option that differs.
    """
    theirs = checkpoint.options.get("family", family)
    if theirs != family:
        raise TargetError(
            f"--resume {folder}: holds a {theirs} run, not a {family} run; use vfxgan train {theirs}, or another --out"
        )
    differing = []
    for key, mine in resolved(options, family).items():
        default = type(options).model_fields[key].get_default() if key in type(options).model_fields else mine
        other = checkpoint.options.get(key, list(default) if isinstance(default, tuple) else default)
        if key not in MAY_CHANGE and mine != other:
            differing.append(f"{key} {other!r} there, {mine!r} here")
    if differing:
        raise TargetError(
            f"--resume {folder}: options differ from the run's ({', '.join(differing)}); give the run's own"
        )
