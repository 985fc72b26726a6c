"""Time, memory and size of `vfxgan export`, against the checkpoint's own size and a bare torch.onnx.export. Linux.

python benchmarks/export.py [--quick] [--json FILE]

Each figure is of a process of its own, as the system accounts it. `bare` is the same trace without anything of ours:
the floor, since nothing can be exported without it.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLI = "from vfxgan.cli.main import main; main()"
DCGAN_SIZE = 256

# Random weights of the real sizes, written as the trainer (or Real-ESRGAN) writes them.
MAKE = """
    import torch
    from vfxgan.trainer.networks.checkpoint import Checkpoint, save_checkpoint
    from vfxgan.trainer.networks.rrdb import RRDBNet
    from vfxgan.trainer.recipes.dcgan import DcganOptions, DcganRecipe
    from pathlib import Path
    torch.manual_seed(0)
    recipe = DcganRecipe(DcganOptions(data="x", size={size}))
    generator = recipe.networks()["generator"].train()
    with torch.no_grad():  # batch norms that have seen something
        for _ in range(3):
            generator(torch.rand(4, recipe.spec(1).input.size) * 2 - 1)
    checkpoint = Checkpoint(recipe.spec(1), {{}}, 1, generator.state_dict(), {{}}, {{}})
    save_checkpoint(Path("dcgan.pt"), checkpoint)
    torch.save({{"params_ema": RRDBNet(blocks={blocks}).state_dict()}}, "rrdb.pth")
"""
BARE = """
    import torch
    from pathlib import Path
    from vfxgan.export.sources import Hints, open_source
    network = open_source(Path("{checkpoint}"), Hints()).network
    torch.onnx.export(network, (torch.zeros({example}),), "{target}", dynamo=True, external_data=False, verbose=False)
"""
TRACE = """
    from pathlib import Path
    from vfxgan.export.fold import fold_batch_norms
    from vfxgan.export.onnx_file import to_onnx, write_onnx
    from vfxgan.export.sources import Hints, open_source
    source = open_source(Path("rrdb.pth"), Hints())
    write_onnx(to_onnx(fold_batch_norms(source.network), source.spec), Path("traced.onnx"))
"""
GATE = """
    from pathlib import Path
    from vfxgan.export.gate_inputs import gate_inputs
    from vfxgan.export.onnxruntime_cpu import CpuSession
    from vfxgan.export.parity import LIMITS, Remembered, check_parity, run_torch
    from vfxgan.export.sources import Hints, open_source
    source = open_source(Path("rrdb.pth"), Hints())
    inputs, reference = gate_inputs(source.spec), Remembered(run_torch(source.network))
    for item in inputs:
        reference(item.array)
    session = CpuSession(Path("traced.onnx"))
    gated = ("pictures", inputs)
    check_parity(reference, lambda x: session.run(x)[0], "cpu", gated, source.spec, LIMITS["fp32"])
"""


@dataclass(frozen=True)
class Cost:
    """Of one process, from start to end."""

    wall_s: float
    peak_mib: float


def cost(code: str, folder: Path, *arguments: str) -> Cost:
    """Run Python code in a fresh interpreter."""
    started = time.perf_counter()
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    told = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"failed: {' '.join(arguments) or code}\n{told}")
    return Cost(time.perf_counter() - started, usage.ru_maxrss / 1024)


def measure(folder: Path, quick: bool) -> dict[str, Any]:
    size, blocks = (64, 2) if quick else (DCGAN_SIZE, 23)
    cost(MAKE.format(size=size, blocks=blocks), folder)
    imports = cost("import torch, onnx, onnxscript", folder)
    command = cost(CLI, folder, "export", "dcgan.pt", "--progress", "none")
    bare = cost(BARE.format(checkpoint="dcgan.pt", example="1, 100", target="bare.onnx"), folder)
    half = cost(CLI, folder, "export", "dcgan.pt", "--precision", "fp16", "--progress", "none")
    trace, gate = cost(TRACE, folder), cost(GATE, folder)
    bare_rrdb = cost(BARE.format(checkpoint="rrdb.pth", example="1, 3, 48, 80", target="bare-rrdb.onnx"), folder)
    whole = cost(CLI, folder, "export", "rrdb.pth", "--precision", "fp32", "--precision", "fp16", "--progress", "none")
    checkpoint_mib = (folder / "rrdb.pth").stat().st_size / 2**20
    sizes = {
        name: (folder / name).stat().st_size
        for name in ("dcgan.onnx", "dcgan.fp16.onnx", "rrdb.onnx", "rrdb.fp16.onnx")
    }
    return {
        "machine": {"python": platform.python_version(), "cpu_cores": os.cpu_count(), **versions()},
        "quick": quick,
        "imports": {"wall_s": imports.wall_s, "peak_mib": imports.peak_mib},
        "dcgan": {
            "side_px": size,
            "export_s": command.wall_s,
            "bare_s": bare.wall_s,
            "ratio_to_bare": command.wall_s / bare.wall_s,
            "fp16_s": half.wall_s,
            "fp16_share_of_fp32_bytes": sizes["dcgan.fp16.onnx"] / sizes["dcgan.onnx"],
        },
        "rrdb": {
            "blocks": blocks,
            "checkpoint_mib": checkpoint_mib,
            "trace_times_checkpoint": trace.peak_mib / checkpoint_mib,
            "gate_times_checkpoint": gate.peak_mib / checkpoint_mib,
            "bare_times_checkpoint": bare_rrdb.peak_mib / checkpoint_mib,
            "whole_command_times_checkpoint": whole.peak_mib / checkpoint_mib,
            "whole_command_s": whole.wall_s,
            "fp16_share_of_fp32_bytes": sizes["rrdb.fp16.onnx"] / sizes["rrdb.onnx"],
        },
    }


def versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="Small networks: to see that it runs.")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        facts = measure(Path(name), arguments.quick)
    for group in ("dcgan", "rrdb"):
        for key, value in facts[group].items():
            print(f"{group} {key:32s} {value:.3g}" if isinstance(value, float) else f"{group} {key:32s} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
