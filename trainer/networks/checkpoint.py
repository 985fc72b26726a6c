"""Checkpoints: written whole or not at all, holding tensors and plain types only."""

import os
import pickle
import secrets
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vfxgan.errors import ModelError, WriteError
from vfxgan.spec import ModelSpec, parse_spec

FORMAT = "vfxgan-checkpoint-1"
MAX_CHECKPOINT_MIB = 8192

# What the reader raises on files that are no checkpoints, or that somebody changed.
_DAMAGE = (
    OSError,
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    MemoryError,
    OverflowError,
    RecursionError,
    AssertionError,
)


@dataclass(frozen=True)
class Checkpoint:
    """One moment of a run.

    Attributes:
        spec: of the averaged generator.
        options: what the run was asked for, plain types.
        average: state dict of the averaged (EMA) generator: what is exported.
        networks, optimizers: state dicts by network name, to go on training.
        state: plain values that the loop goes on from.
    """

    spec: ModelSpec
    options: dict[str, Any]
    iteration: int
    average: dict[str, Any]
    networks: dict[str, dict[str, Any]]
    optimizers: dict[str, dict[str, Any]]
    state: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write beside the target, flush to the disk, then replace.

    Raises:
        WriteError: full disk or no permission; the checkpoint that was there stays.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    body = {
        "format": FORMAT,
        "spec": checkpoint.spec.to_json(),
        "options": checkpoint.options,
        "iteration": checkpoint.iteration,
        "average": checkpoint.average,
        "networks": checkpoint.networks,
        "optimizers": checkpoint.optimizers,
        "state": checkpoint.state,
    }
    try:
        with temporary.open("xb") as file:
            torch.save(body, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        raise WriteError(f"{path}: checkpoint cannot be written ({error}); check space and permissions") from error
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of ours; no code in it is ever run.

    Raises:
        ModelError: missing, damaged, a pickle with code in it, or not of ours.
    """
    return as_checkpoint(load_tensors(path), path)


def as_checkpoint(body: dict[str, Any], path: Path) -> Checkpoint:
    """What `load_tensors` gave, as a checkpoint of ours.

    Raises:
        ModelError: damaged, or not of ours.
    """
    if body.get("format") != FORMAT:
        held = ", ".join(sorted(map(str, body))[:4])
        raise ModelError(f"{path}: not a vfxgan checkpoint (it holds: {held} …); train one with: vfxgan train")
    wanted = {"spec": str, "options": dict, "iteration": int, "average": dict, "networks": dict, "optimizers": dict}
    for key, kind in wanted.items():
        if not isinstance(body.get(key), kind):
            raise ModelError(
                f"{path}: damaged, its {key!r} is missing or no {kind.__name__}; use an earlier checkpoint"
            )
    if body["iteration"] < 0:
        raise ModelError(f"{path}: damaged, its iteration is {body['iteration']}; use an earlier checkpoint")
    fields = {key: body[key] for key in wanted if key != "spec"}
    fields["state"] = body["state"] if isinstance(body.get("state"), dict) else {}
    return Checkpoint(spec=parse_spec(body["spec"], str(path)), **fields)


def load_tensors(path: Path) -> dict[str, Any]:
    """`torch.load` of a file that may be hostile: tensors and plain types, on the CPU.

    Raises:
        ModelError: missing, too large, damaged, or it would have to run code.
    """
    if path.is_dir():
        raise ModelError(f"{path}: is a folder, not a checkpoint; give {path / 'ckpt.pt'}")
    if not path.is_file():
        raise ModelError(f"{path}: no such checkpoint; check the path")
    if path.stat().st_size > MAX_CHECKPOINT_MIB << 20:
        raise ModelError(f"{path}: larger than {MAX_CHECKPOINT_MIB} MiB; not read")
    _refuse_unpacking(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles of other kinds, which are refused below
            body = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if _may_be_pickle(path) and any(word in str(error).lower() for word in ("weights_only", "unsupported")):
            raise ModelError(
                f"{path}: this pickle would run code when loaded, so it was not loaded; ask for a plain state_dict "
                "or .safetensors"
            ) from error
        raise ModelError(f"{path}: not a PyTorch checkpoint, or cut short; get the file again") from error
    except _DAMAGE as error:
        raise ModelError(f"{path}: not a PyTorch checkpoint, or cut short; get the file again") from error
    if not isinstance(body, dict):
        raise ModelError(f"{path}: holds a {type(body).__name__}, not a checkpoint; give the .pt of vfxgan train")
    return body


def _refuse_unpacking(path: Path) -> None:
    """A zip that would unpack to more than its own size. `torch.save` never compresses; its reader would unpack all."""
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ModelError(f"{path}: not a PyTorch checkpoint, or cut short; get the file again") from error
    if any("/code/" in entry.filename for entry in entries):
        raise ModelError(
            f"{path}: is TorchScript, which is code, so it was not loaded; save the network's state_dict()"
        )
    claimed, held = sum(entry.file_size for entry in entries), path.stat().st_size
    if claimed > held or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ModelError(
            f"{path}: a compressed archive, {held >> 10} KiB that would unpack to {claimed >> 10} KiB; PyTorch never "
            "writes such a file, so it was not read; ask for a plain state_dict or .safetensors"
        )


def _may_be_pickle(path: Path) -> bool:
    """PyTorch's zip, or the pickle that it wrote before; any other file only looks like code to the reader."""
    with path.open("rb") as file:
        return file.read(2) in (b"PK", *(bytes((0x80, protocol)) for protocol in range(2, 6)))
