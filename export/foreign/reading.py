"""Reading foreign weights: no code is run, and nothing is believed about a tensor before it was measured."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vfxgan.errors import MissingExtraError, ModelError
from vfxgan.export.foreign.architecture import Tensors
from vfxgan.trainer.networks.checkpoint import MAX_CHECKPOINT_MIB, load_tensors

MAX_PARAMETERS = 1 << 29  # float32 in one ONNX file, which ends at 2 GiB
MAX_SIDE = 1 << 16  # of a weight
MAX_TENSORS = 1 << 14
MAX_NAME = 512


def read_body(path: Path) -> dict[str, Any]:
    """What a .safetensors file, or any file of torch.save, holds.

    Raises:
        ModelError: missing, too large, damaged, or it would have to run code.
    """
    return _read_safetensors(path) if path.suffix.lower() == ".safetensors" else load_tensors(path)


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError as error:
        raise MissingExtraError("safetensors", "train", "reading .safetensors") from error
    if not path.is_file():
        raise ModelError(f"{path}: no such file; check the path")
    if path.stat().st_size > MAX_CHECKPOINT_MIB << 20:
        raise ModelError(f"{path}: larger than {MAX_CHECKPOINT_MIB} MiB; not read")
    try:
        with safe_open(path, framework="pt") as file:
            # clones, because a file that another program shortens meanwhile would end this one
            return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ModelError(f"{path}: not a safetensors file, or cut short ({reason}); get the file again") from error


def refuse_untrue(tensors: dict[str, Any], held_bytes: int) -> None:
    """Refuse tensors that stand for more than the file holds: a few bytes can claim to be gigabytes.

    Args:
        held_bytes: size of the file.
    Raises:
        ModelError: sparse, quantized, strided over itself, without data, of an absurd shape, or too much in all.
    """
    if len(tensors) > MAX_TENSORS:
        raise ModelError(f"holds {len(tensors)} tensors; more than {MAX_TENSORS} are not read")
    entries = 0
    claimed = 0
    for name, tensor in tensors.items():
        if len(name) > MAX_NAME:
            raise ModelError(
                f"has a tensor whose name is {len(name)} characters long; more than {MAX_NAME} are not read"
            )
        _refuse_untrue_tensor(name, tensor)
        entries += tensor.numel()
        claimed += tensor.numel() * tensor.element_size()
    if entries > MAX_PARAMETERS:
        raise ModelError(f"has {entries} weights; more than {MAX_PARAMETERS} fit no ONNX file")
    if claimed > held_bytes:
        raise ModelError(f"its tensors claim {claimed} bytes, but the file has {held_bytes}; it is made to deceive")


def _refuse_untrue_tensor(name: str, tensor: Any) -> None:
    if type(tensor) not in (Tensor, nn.Parameter):
        raise ModelError(f"{name!r} is a {type(tensor).__name__}, not a plain tensor; ask for a plain state_dict")
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu" or tensor.is_complex():
        kind = "quantized" if tensor.is_quantized else f"{tensor.layout} {tensor.dtype} on {tensor.device}"
        raise ModelError(f"{name!r} is no dense tensor of real numbers ({kind}); ask for a plain state_dict")
    if any(not 1 <= side <= MAX_SIDE for side in tensor.shape):
        raise ModelError(f"{name!r} has the shape {list(tensor.shape)}; sides of 1 to {MAX_SIDE} are read")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ModelError(
            f"{name!r} claims the shape {list(tensor.shape)}, but holds {tensor.untyped_storage().nbytes()} bytes"
        )


def as_float32(tensors: Tensors) -> tuple[Tensors, tuple[str, ...]]:
    """Float32 in memory of its own, integers (counters) as they are, and notes.

    Raises:
        ModelError: a weight is NaN or infinite.
    """
    converted: set[str] = set()
    result: Tensors = {}
    for name in list(tensors):
        tensor = tensors.pop(name).detach()  # popped: at no time are all of them there twice
        if tensor.is_floating_point():
            if tensor.dtype != torch.float32:
                converted.add(str(tensor.dtype).removeprefix("torch."))
            tensor = tensor.to(torch.float32).contiguous()
            if not torch.isfinite(torch.stack(torch.aminmax(tensor))).all():  # NaN wins in both; no copy is made
                raise ModelError(f"{name!r} holds NaN or Inf; the training had failed, use an earlier checkpoint")
        result[name] = tensor
    notes = (f"weights are stored as {', '.join(sorted(converted))}; they are used as float32",) if converted else ()
    return result, notes
