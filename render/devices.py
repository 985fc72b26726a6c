"""`--devices 0,1`: which devices a render runs on, and which frames and threads each of them gets."""

from collections.abc import Sequence
from typing import Literal

from vfxgan.errors import UsageError
from vfxgan.render.plan import Frame
from vfxgan.render.runtimes import CPU_RUNTIMES

Device = int | Literal["cpu"]

CPU: Literal["cpu"] = "cpu"
MAX_DEVICES = 64
# Of a frame that stands there already, against one that is to be made: it is read and checked.
KEPT_WEIGHT = 0.1


def parse_devices(text: str) -> tuple[Device, ...]:
    """`0,1` are GPUs by their numbers; `cpu,cpu` are two processes that share the cores.

    Raises:
        UsageError: neither, or both, or a GPU that is named twice.
    """
    words = [word.strip().lower() for word in text.split(",")]
    wrong = [word for word in words if word != CPU and not (word.isascii() and word.isdecimal() and len(word) < 4)]
    if wrong:
        raise UsageError(f"--devices {text!r}: {wrong[0]!r} is no device; write 0,1 for GPUs, or cpu,cpu")
    if len(words) > MAX_DEVICES:
        raise UsageError(f"--devices: {len(words)} are more than {MAX_DEVICES}")
    gpus = [int(word) for word in words if word != CPU]
    if gpus and len(gpus) < len(words):
        raise UsageError(f"--devices {text}: GPUs and CPUs give other bits; use one kind")
    twice = next((gpu for gpu in gpus if gpus.count(gpu) > 1), None)
    if twice is not None:
        raise UsageError(f"--devices {text}: GPU {twice} is named twice")
    return tuple(gpus) or (CPU,) * len(words)


def check_devices(devices: Sequence[Device], runtime: str) -> None:
    """Raises UsageError where a runtime does not run on such devices."""
    on_cpu = runtime in CPU_RUNTIMES
    named = ",".join(map(str, devices))
    if on_cpu and devices[0] != CPU:
        raise UsageError(
            f"--devices {named} are GPUs and the runtime {runtime} is for CPUs; "
            "add --runtime onnxruntime-cuda, tensorrt or auto"
        )
    if not on_cpu and devices[0] == CPU:
        raise UsageError(f"--devices {named} are CPUs and the runtime {runtime} is for GPUs; name those: --devices 0,1")


def split_frames(frames: Sequence[Frame], count: int) -> list[list[Frame]]:
    """Each frame once, in runs of neighbours, so that what frames share with their neighbours stays on one device.

    The runs take about as long as each other: frames that are there already hardly count.

    Returns:
        At most `count` lists, none of them empty.
    """
    weights = [KEPT_WEIGHT if frame.path.exists() else 1.0 for frame in frames]
    total, before = sum(weights), 0.0
    runs: list[list[Frame]] = [[] for _ in range(count)]
    for frame, weight in zip(frames, weights, strict=True):
        runs[min(count - 1, int((before + weight / 2 - 1e-9) * count / total))].append(frame)  # a tie: the first
        before += weight
    return [run for run in runs if run]


def split_threads(threads: int, count: int) -> list[int]:
    """The cores of a machine over processes; each has at least one thread."""
    return [max(1, threads // count + (place < threads % count)) for place in range(count)]
