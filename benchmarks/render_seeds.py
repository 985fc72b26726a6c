"""Seeds to frames: `vfxgan render` against the loop the field uses, and against the floor. Needs the train extra.

    python benchmarks/render_seeds.py [--sizes 256,1024] [--frames 300,60] [--json FILE]

Field loop: PyTorch eager on all cores, batch 1, RandomState(seed), 8-bit PNG by Pillow; imports not counted.
vfxgan render: the whole command, start-up counted; half EXR, zips. Default runtime, and OpenVINO beside it.
Floor: (CPU seconds of pure inference + CPU seconds of pure encoding, a frame) / cores, all cores at it.
Networks: the paper's DCGAN at each size, RGBA, random weights, measured batch-norm statistics, contrast brought to that
of a trained network. "steady" is from the first frame on, without start-up.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import onnxruntime
import OpenImageIO as oiio
import torch

from vfxgan.export.fold import fold_batch_norms
from vfxgan.export.onnx_file import to_onnx, write_onnx
from vfxgan.images import read_picture, use_threads
from vfxgan.latents import latent
from vfxgan.spec import ModelSpec
from vfxgan.trainer.networks import build_generator
from vfxgan.trainer.options import DcganOptions
from vfxgan.trainer.recipes.dcgan import DcganRecipe

CORES = len(os.sched_getaffinity(0))
REPEATS = 3


@dataclass(frozen=True)
class Row:
    """Frames a second at one size; medians of three runs in turn."""

    size: int
    frames: int
    field_fps: float
    render_fps: float
    steady_fps: float
    ratio: float
    steady_ratio: float
    openvino_fps: float
    inference_cpu_ms: float
    encode_cpu_ms: float
    floor_fps: float
    share_of_floor: float


def make_model(folder: Path, size: int) -> tuple[torch.nn.Module, Path, ModelSpec]:
    recipe = DcganRecipe(DcganOptions(data="none", size=size))
    torch.manual_seed(0)
    network = recipe.networks()["generator"]
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # a plain mean over the batches below
        for _ in range(4):
            network(torch.rand(8, recipe.latent.size) * 2 - 1)
        picture = network.eval()(torch.rand(4, recipe.latent.size) * 2 - 1)
        # Random weights give flat grey; a trained network uses its range, and files cost what their contrast costs.
        gain = 1 / torch.atanh(picture.clamp(-0.999, 0.999)).std()
        network.to_picture.weight.mul_(gain)
    spec = recipe.spec(0)
    reloaded = build_generator(spec)
    reloaded.load_state_dict(network.state_dict())
    path = folder / f"dcgan-{size}.onnx"
    write_onnx(to_onnx(fold_batch_norms(reloaded), spec), path)
    return reloaded.eval(), path, spec


@torch.no_grad()
def field_loop(network: torch.nn.Module, spec: ModelSpec, frames: int, folder: Path) -> float:
    from PIL import Image

    torch.set_num_threads(CORES)
    started = time.perf_counter()
    for seed in range(frames):
        picture = network(torch.from_numpy(latent(seed, spec.input)))
        picture = (picture.permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).to(torch.uint8)
        Image.fromarray(picture[0].numpy(), "RGBA").save(folder / f"seed{seed:04d}.png")
    return frames / (time.perf_counter() - started)


def render_command(model: Path, frames: int, folder: Path, runtime: str = "onnxruntime") -> tuple[float, float]:
    """Frames a second of the whole command, and from the first frame to the last."""
    command = [sys.executable, "-c", "from vfxgan.cli.main import main; main()", "render", str(model)]
    command += ["--seeds", f"0-{frames - 1}", "--out", str(folder / "####.exr"), "--progress", "json"]
    command += ["--runtime", runtime]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        times = [time.perf_counter() for line in process.stdout if '"progress"' in line]
    assert process.returncode == 0
    assert len(times) == frames
    return frames / (time.perf_counter() - started), (frames - 1) / (times[-1] - times[0])


def cpu_s_a_frame(task: Callable[[int], object], frames: int) -> float:
    """CPU seconds of one call while every core makes such calls: a render, too, shares caches, memory and clock."""

    def worker(first: int) -> float:
        task(first)
        started = time.thread_time()
        for index in range(first, frames, CORES):
            task(index)
        return time.thread_time() - started

    with ThreadPoolExecutor(CORES) as pool:
        return sum(pool.map(worker, range(CORES))) / frames


def inference_cpu_s(model: Path, spec: ModelSpec, frames: int) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    latents = [latent(seed, spec.input) for seed in range(frames)]
    return cpu_s_a_frame(lambda index: session.run(None, {"latent": latents[index]}), frames)


def encode_cpu_s(rendered: Path, frames: int, scratch: Path) -> float:
    """Nothing but OpenImageIO's write of the very frames that render made, half, zips."""
    use_threads(1)
    pictures = [read_picture(rendered / f"{seed:04d}.exr").pixels for seed in range(min(frames, 20))]

    def encode(index: int) -> None:
        pixels = pictures[index % len(pictures)]
        height, width, channels = pixels.shape
        spec = oiio.ImageSpec(width, height, channels, "half")
        spec.attribute("compression", "zips")
        target = oiio.ImageOutput.create("openexr")
        target.open(str(scratch / f"{index:04d}.exr"), spec)
        target.write_image(pixels)
        target.close()

    return cpu_s_a_frame(encode, frames)


def measure(size: int, frames: int) -> Row:
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        network, model, spec = make_model(scratch, size)
        field, render, openvino = [], [], []
        for repeat in range(REPEATS):
            pngs, exrs = scratch / f"png{repeat}", scratch / f"exr{repeat}"
            pngs.mkdir()
            field.append(field_loop(network, spec, max(frames // 4, 10), pngs))
            render.append(render_command(model, frames, exrs))
            openvino.append(render_command(model, frames, scratch / f"ov{repeat}", "openvino")[0])
        raw = scratch / "raw"
        raw.mkdir()
        inference = inference_cpu_s(model, spec, min(frames, 100))
        encoding = encode_cpu_s(scratch / "exr0", min(frames, 100), raw)
        field_fps, (render_fps, steady_fps) = float(np.median(field)), np.median(render, axis=0)
        floor = CORES / (inference + encoding)
        return Row(
            size,
            frames,
            round(field_fps, 2),
            round(float(render_fps), 2),
            round(float(steady_fps), 2),
            round(float(np.median(np.array(render)[:, 0] / np.array(field))), 2),
            round(float(np.median(np.array(render)[:, 1] / np.array(field))), 2),
            round(float(np.median(openvino)), 2),
            round(inference * 1000, 2),
            round(encoding * 1000, 2),
            round(floor, 2),
            round(float(steady_fps) / floor, 3),
        )


def machine() -> dict[str, str]:
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
    return {
        "cpu": f"{cpu}, {CORES} cores",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "openimageio": oiio.VERSION_STRING,
        "numpy": np.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="256,1024")
    parser.add_argument("--frames", default="600,120")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    facts = machine()
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    print("  ".join(field.name for field in fields(Row)))
    rows = []
    for size, frames in zip(arguments.sizes.split(","), arguments.frames.split(","), strict=True):
        row = measure(int(size), int(frames))
        rows.append(asdict(row))
        print("  ".join(f"{value:>{len(name)}}" for name, value in asdict(row).items()), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": facts, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
