"""An image model as TorchScript for Nuke's Inference node: core traced, colour scripted around it."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vfxgan.errors import ModelError
from vfxgan.export.parity import LIMITS, Limits, Run, check_parity
from vfxgan.export.plate_reference import as_signal, light_inputs, plate_reference
from vfxgan.export.scene_linear import MIN_SIDE_PX, SceneLinear, scene_linear
from vfxgan.export.torchscript_archive import take_names, tidied, zipped
from vfxgan.spec import ImageInput, ModelSpec, Parity
from vfxgan.whole_files import write_whole

Array = NDArray[np.float32]


def write_torchscript(
    network: nn.Module, spec: ModelSpec, target: Path, *, limits: Limits = LIMITS["fp32"], evidence: Path | None = None
) -> Parity:
    """Write a model that takes and gives scene-linear light, and says what it is. A file that is there is replaced.

    Args:
        network: as trained, float32, weights loaded; not altered.
        limits: in the network's range.
        evidence: where the worst input's pictures go if the gate fails.
    Returns:
        How far the file, as it will be loaded, is from the network on pictures of light in and beyond its range.
    Raises:
        ModelError: a generator, or what `scene_linear` cannot take. ParityError: the file would differ.
        WriteError: it cannot be written.
    """
    entries = tidied(_saved(script(scene_linear(network, spec), spec)))
    with _quiet():
        loaded = torch.jit.load(zipped(entries, spec.to_json()))  # type: ignore[no-untyped-call]
    parity = check_parity(
        as_signal(plate_reference(network, spec), spec),
        as_signal(_run(loaded), spec),
        f"torchscript {torch.__version__.partition('+')[0]} cpu",
        ("pictures", light_inputs(spec)),
        spec,
        limits,
        evidence,
    )
    write_whole(target, zipped(entries, spec.model_copy(update={"parity": parity}).to_json()).getvalue())
    return parity


def script(module: SceneLinear, spec: ModelSpec) -> torch.jit.ScriptModule:
    """The module with its core and its resize traced, scripted as a whole: any height and width.

    Raises:
        ModelError: the trace holds on to the size it was made at.
    """
    step = _step(spec)
    example = _ramp(spec, 2 * step, step)
    with _quiet(), torch.no_grad():
        take_names(module)
        core = torch.jit.trace(module.core, example, check_trace=False)  # type: ignore[no-untyped-call]
        _check_any_size(module.core, core, spec)
        resize = module.resize
        if spec.scale > 1:
            resize = torch.jit.trace(resize, example, check_trace=False)  # type: ignore[no-untyped-call]
        scripted: torch.jit.ScriptModule = torch.jit.script(SceneLinear(core, resize, module.activation, spec).eval())
    return scripted


def _check_any_size(core: nn.Module, traced: nn.Module, spec: ModelSpec) -> None:
    """A trace writes down what ran; a shape that went into a number would stay that number."""
    x = _ramp(spec, _step(spec), 3 * _step(spec))  # neither side is what it was
    expected, found = core(x), traced(x)
    if found.shape != expected.shape or not torch.allclose(found, expected, rtol=1e-4, atol=1e-5, equal_nan=True):
        raise ModelError(
            f"{spec.name}: traced at one size, it is another network at {x.shape[2]}x{x.shape[3]}; its forward turns "
            "a size into a number"
        )


def _step(spec: ModelSpec) -> int:
    """The smallest side that the core takes."""
    assert isinstance(spec.input, ImageInput)
    return -(-MIN_SIDE_PX // spec.input.size_multiple) * spec.input.size_multiple


def _ramp(spec: ModelSpec, height: int, width: int) -> Tensor:
    """[1, C, H, W] through the network's range."""
    assert isinstance(spec.input, ImageInput)
    low, high = spec.value_range
    return torch.linspace(low, high, spec.input.channels * height * width).view(1, -1, height, width)


def _saved(module: torch.jit.ScriptModule) -> io.BytesIO:
    body = io.BytesIO()
    with _quiet():
        torch.jit.save(module, body)
    return body


def _run(module: torch.jit.ScriptModule) -> Run:
    def run(light: Array) -> Array:
        with torch.inference_mode():
            picture: Tensor = module(torch.from_numpy(light))
        output: Array = picture.numpy()
        return output

    return run


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """PyTorch calls TorchScript deprecated; Nuke takes nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
