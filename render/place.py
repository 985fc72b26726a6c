"""Where a job runs: runtime and devices, from what was asked for and what is here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vfxgan.cpu_isa import NATIVE, held_level
from vfxgan.errors import UsageError
from vfxgan.modelfile import ModelFile
from vfxgan.render.devices import CPU, Device, check_devices, parse_devices
from vfxgan.render.runtimes import CPU_RUNTIMES, DEFAULT_RUNTIME, check_runtime_name
from vfxgan.render.runtimes.choice import AUTO, choose_runtime


@dataclass(frozen=True)
class Place:
    """Where a job runs.

    Attributes:
        devices: one or several; the frames are split over them.
        note: how `--runtime auto` came to the runtime; "" where it was named.
    """

    runtime: str
    devices: tuple[Device, ...]
    note: str = ""


def find_place(runtime: str | None, engine: Path | None, devices: str | None, models: Sequence[ModelFile]) -> Place:
    """Check runtime, engine and devices against each other, and choose what was left open.

    Args:
        models: all that have to run; the first is the one that the engine is of.
    Raises:
        UsageError: they do not go together.
        RuntimeFailure: `auto` finds nothing that can be used.
    """
    asked = parse_devices(devices) if devices is not None else None
    if engine is not None and runtime != "tensorrt":
        raise UsageError(f"--engine {engine} goes with --runtime tensorrt")
    if engine is not None and not engine.is_file():
        raise UsageError(f"--engine {engine}: no such file; check the path")
    note, name = "", runtime or DEFAULT_RUNTIME
    if name == AUTO:
        on_cpu = asked is not None and asked[0] == CPU
        gpu = asked[0] if asked is not None and asked[0] != CPU else 0
        choice = choose_runtime(models, gpu=gpu, gpus=not on_cpu, cpus=asked is None or on_cpu)
        name, note = choice.name, choice.sentence()
    _check_held(check_runtime_name(name))
    if asked is None:
        asked = (CPU,) if name in CPU_RUNTIMES else (0,)
    check_devices(asked, name)
    return Place(name, asked, note)


def _check_held(runtime: str) -> None:
    level = held_level()
    if runtime == "onnxruntime" and level not in (None, NATIVE):
        raise UsageError(
            f"--cpu-isa {level}: onnxruntime picks its kernels by what the CPU has and cannot be held; "
            "add --runtime openvino"
        )
