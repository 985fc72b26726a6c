"""Plates to larger plates: `vfxgan render` against the way Real-ESRGAN's own script runs, and against the floor. Linux.

    python benchmarks/render_plates.py [--quick] [--only srresnet,rrdb,memory] [--json FILE]

Their way: PyTorch eager on all cores, tiles of 512 px with 10 px of padding, one picture after the other, 8-bit PNG;
imports and loading not counted. Ours: the whole command with its start-up, half EXR, zips; each CPU runtime.
Floor: (CPU seconds of pure inference + CPU seconds of reading and writing, a frame) / cores, all cores at it, and every
pixel of the plate inferred once: no overlap.
Difference: our float EXR against PyTorch's forward of the whole edge-extended plate, as encoded light, 0 … 1.
Memory: peak of the process, as the system accounts it, against the plate and the frame in their files' types.
Needs the train and temporal extras (PNG as Real-ESRGAN writes it is OpenCV's).
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from vfxgan.colour import encode
from vfxgan.images import Picture, read_picture, use_threads, write_picture
from vfxgan.modelfile import ModelFile, read_model
from vfxgan.render.runtimes import RuntimeOptions, load_runtime
from vfxgan.spec import ImageInput

Array = NDArray[np.float32]

CORES = len(os.sched_getaffinity(0))
CLI = [sys.executable, "-c", "from vfxgan.cli.main import main; main()"]
RGB = ("R", "G", "B")
FLOOR_TILE_PX = 384  # what the render gives a network of ×4 at a time
# Random networks hardly look around and would need 1 to 4 px; the packaged, trained upscaler needs 8. So that tiles
# cost what they cost with trained weights, they overlap by what Real-ESRGAN pads with.
LEAST_OVERLAP_PX = 10

# Seeded random weights of the real sizes.
MAKE = """
    import torch
    from vfxgan.trainer.networks.rrdb import RRDBNet
    from vfxgan.trainer.networks.srresnet import SRResNet
    torch.manual_seed(0)
    network = {"srresnet": SRResNet, "rrdb": RRDBNet}["NAME"](4)
    torch.save({"params": network.state_dict()}, "NAME.pth")
"""
OVERLAP = """
    from pathlib import Path
    import onnx
    from vfxgan.export.onnx_file import with_spec, write_onnx
    from vfxgan.modelfile import read_model
    spec = read_model(Path("NAME.onnx")).spec
    tiling = spec.tiling.model_copy(update={"overlap_px": max(spec.tiling.overlap_px, LEAST)})
    write_onnx(with_spec(onnx.load("NAME.onnx"), spec.model_copy(update={"tiling": tiling})), Path("NAME.onnx"))
"""
# As inference_realesrgan.py and its RealESRGANer do it, on the same plates; prints seconds a picture.
THEIRS = """
    import json, sys, time
    from pathlib import Path
    import cv2, numpy as np, torch
    from vfxgan.colour import encode
    from vfxgan.images import read_picture
    from vfxgan.trainer.networks.rrdb import RRDBNet
    from vfxgan.trainer.networks.srresnet import SRResNet
    torch.set_num_threads(CORES)
    network = {"srresnet": SRResNet, "rrdb": RRDBNet}["NAME"](4).eval()
    network.load_state_dict(torch.load("NAME.pth", weights_only=True)["params"])
    TILE, PAD, SCALE = 512, 10, 4

    def enhance(picture):
        image = torch.from_numpy(picture.transpose(2, 0, 1)).float().unsqueeze(0)
        _, _, height, width = image.shape
        output = image.new_zeros((1, 3, height * SCALE, width * SCALE))
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                bottom, right = min(top + TILE, height), min(left + TILE, width)
                first, begin = max(top - PAD, 0), max(left - PAD, 0)
                tile = image[:, :, first : min(bottom + PAD, height), begin : min(right + PAD, width)]
                made = network(tile)
                y, x = (top - first) * SCALE, (left - begin) * SCALE
                output[:, :, top * SCALE : bottom * SCALE, left * SCALE : right * SCALE] = made[
                    :, :, y : y + (bottom - top) * SCALE, x : x + (right - left) * SCALE
                ]
        return output.squeeze().float().clamp_(0, 1).numpy().transpose(1, 2, 0)

    seconds = []
    with torch.no_grad():
        for plate in sorted(Path(sys.argv[1]).iterdir()):
            started = time.perf_counter()
            picture = np.clip(encode(read_picture(plate).pixels.astype(np.float32)), 0, 1)
            made = (enhance(picture) * 255.0).round().astype(np.uint8)
            cv2.imwrite(str(Path(sys.argv[2]) / f"{plate.stem}.png"), made[..., ::-1])
            seconds.append(time.perf_counter() - started)
    print(json.dumps(seconds))
"""
# The reference: one forward of the whole plate, its edges repeated by the overlap.
WHOLE = """
    import sys
    from pathlib import Path
    import numpy as np, torch
    from vfxgan.colour import encode
    from vfxgan.images import read_picture
    from vfxgan.modelfile import read_model
    from vfxgan.trainer.networks.rrdb import RRDBNet
    from vfxgan.trainer.networks.srresnet import SRResNet
    network = {"srresnet": SRResNet, "rrdb": RRDBNet}["NAME"](4).eval()
    network.load_state_dict(torch.load("NAME.pth", weights_only=True)["params"])
    margin = read_model(Path("NAME.onnx")).spec.tiling.overlap_px
    encoded = encode(read_picture(Path(sys.argv[1])).pixels.astype(np.float32)).transpose(2, 0, 1)
    plate = np.clip(encoded, 0, 1)
    extended = np.pad(plate, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
    with torch.no_grad():
        made = network(torch.from_numpy(extended)[None])[0].numpy()
    edge = margin * 4
    inside = made[:, edge : made.shape[1] - edge, edge : made.shape[2] - edge]
    beyond = torch.nn.functional.interpolate(torch.from_numpy(encoded - plate)[None], scale_factor=4.0, mode="bilinear")
    np.save(sys.argv[2], inside + beyond[0].numpy())
"""


def python(code: str, name: str, folder: Path, *arguments: object) -> str:
    text = textwrap.dedent(code).replace("NAME", name).replace("CORES", str(CORES))
    done = subprocess.run(
        [sys.executable, "-c", text, *map(str, arguments)], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def vfxgan(folder: Path, *arguments: object) -> tuple[float, float]:
    """Wall seconds and peak MiB of one command."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [*CLI, *map(str, arguments), "--progress", "none"]
        if arguments[0] == "render"
        else [*CLI, *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"vfxgan {' '.join(map(str, arguments))} ended with {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def scene(height: int, width: int, seed: int) -> Array:
    """A made plate: light, edges, texture, a highlight, and a camera's grain, which keeps a compressor busy."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    light = 0.3 + 0.2 * np.sin(x / 61 + seed)[..., None] * np.cos(y / 47)[..., None] * np.array([1, 0.8, 0.6])
    light[((x + 2 * y) // 40).astype(int) % 5 == 0] *= 0.3
    light[((3 * x - y) // 53).astype(int) % 7 == 0] += 0.25
    light += np.random.RandomState(seed).normal(0, 0.01, light.shape)
    light[height // 3 : height // 3 + height // 20, width // 4 : width // 4 + width // 20] *= 30
    return np.maximum(light, 0).astype(np.float32)


def make_plates(folder: Path, size: tuple[int, int], count: int) -> Path:
    """In a process of its own: a child's peak memory begins with that of the process it was forked from."""
    arguments = [sys.executable, __file__, "--make-plates", str(folder), *map(str, (*size, count))]
    subprocess.run(arguments, check=True)
    return folder


def write_plates(folder: Path, size: tuple[int, int], count: int) -> None:
    folder.mkdir()
    for number in range(count):
        write_picture(
            folder / f"{number:04d}.exr", Picture(scene(*size, number).astype(np.float16), RGB, {"compression": "zips"})
        )


def cpu_s(work: Any, repeats: int) -> float:
    """CPU seconds of one `work`, every core at it."""
    started = time.process_time()
    threads = [threading.Thread(target=lambda: [work() for _ in range(repeats)]) for _ in range(CORES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.process_time() - started) / (CORES * repeats)


def floor_s(model: ModelFile, runtime: str, plate: Path, frame: Path, size: tuple[int, int]) -> dict[str, float]:
    """Seconds a frame that nothing can go below which infers and reads and writes like this."""
    side = FLOOR_TILE_PX
    assert isinstance(model.spec.input, ImageInput)
    x = np.random.RandomState(0).uniform(0, 1, (1, 3, side, side)).astype(np.float32)
    with load_runtime(runtime, model, RuntimeOptions(CORES)) as session:
        inference = cpu_s(lambda: session.infer(x), 1) * size[0] * size[1] / side**2
    use_threads(1)
    made = read_picture(frame)
    picture = Picture(made.pixels, RGB, {"compression": "zips"})
    number = iter(range(1 << 30))
    read = cpu_s(lambda: read_picture(plate), 2)
    write = cpu_s(lambda: write_picture(frame.with_name(f"floor{next(number)}.exr"), picture), 2)
    return {"inference_cpu_s": inference, "io_cpu_s": read + write, "floor_s": (inference + read + write) / CORES}


def speed(
    name: str, size: tuple[int, int], frames: int, repeats: int, runtimes: list[str], overlap: int, folder: Path
) -> dict[str, Any]:
    """One network: seconds a frame of each way, in turn, and how far our picture is from the reference."""
    python(MAKE, name, folder)
    vfxgan(folder, "export", f"{name}.pth", "--out", f"{name}.onnx")
    measured = read_model(folder / f"{name}.onnx").spec.tiling
    python(OVERLAP.replace("LEAST", str(overlap)), name, folder)
    model = read_model(folder / f"{name}.onnx")
    plates = make_plates(folder / f"{name}-plates", size, frames)
    walls: dict[str, list[float]] = {way: [] for way in ("theirs", *runtimes)}
    for turn in range(repeats):
        target = folder / f"{name}-theirs{turn}"
        target.mkdir()
        walls["theirs"].append(sum(json.loads(python(THEIRS, name, folder, plates, target))) / frames)
        for runtime in runtimes:
            out = folder / f"{name}-{runtime}{turn}" / "####.exr"
            source = plates / "####.exr"
            seconds, _ = vfxgan(folder, "render", f"{name}.onnx", "--in", source, "--out", out, "--runtime", runtime)
            walls[runtime].append(seconds / frames)
    first = plates / "0000.exr"
    python(WHOLE, name, folder, first, "whole.npy")
    whole = np.load(folder / "whole.npy")
    result: dict[str, Any] = {
        "size": f"{size[1]}x{size[0]}",
        "frames": frames,
        "overlap_px": model.spec.tiling.overlap_px,
        "overlap_px_measured_at_export": measured.overlap_px,
        "receptive_field_px": measured.receptive_field_px,
        "theirs_s": float(np.median(walls["theirs"])),
    }
    for runtime in runtimes:
        vfxgan(folder, "render", f"{name}.onnx", "--in", first, "--out", f"{runtime}.exr", "--bit-depth", "float",
               "--runtime", runtime, "--overwrite")  # fmt: skip
        ours = encode(np.moveaxis(read_picture(folder / f"{runtime}.exr").pixels, -1, 0))
        frame = folder / f"{name}-{runtime}0" / "0000.exr"
        floor = floor_s(model, runtime, first, frame, size)
        seconds = float(np.median(walls[runtime]))
        ratios = [theirs / ours for theirs, ours in zip(walls["theirs"], walls[runtime], strict=True)]
        result[runtime] = {
            "s": seconds,
            "ratio": float(np.median(ratios)),
            "share_of_floor": floor["floor_s"] / seconds,
            "max_difference_from_whole_pytorch": float(np.abs(ours - whole).max()),
            **floor,
        }
    return result


def memory(quick: bool, folder: Path) -> dict[str, Any]:
    """Peak memory against the size of the plate, and against the number of frames."""
    result: dict[str, Any] = {}
    sizes = {"HD": (1080, 1920), "UHD": (2160, 3840), "8K": (4320, 7680)}
    for label, size in list(sizes.items())[: 1 if quick else 3]:
        plates = make_plates(folder / label, size, 1)
        out = folder / f"{label}.exr"
        seconds, peak = vfxgan(folder, "render", "upscaler", "--in", plates / "0000.exr", "--out", out)
        both = size[0] * size[1] * 3 * 2 * (1 + 4) / 2**20
        result[label] = {
            "plate_and_frame_mib": both,
            "peak_mib": peak,
            "beyond_twice_mib": peak - 2 * both,
            "s": seconds,
        }
    few, many = (10, 100) if quick else (10, 2000)
    plates = make_plates(folder / "small", (48, 64), many)
    for count in (few, many):
        pattern = plates / "####.exr"
        _, peak = vfxgan(folder, "render", "upscaler", "--in", pattern, "--frames", f"0-{count - 1}", "--out",
                         folder / f"small{count}" / "####.exr")  # fmt: skip
        result[f"{count} frames"] = {"peak_mib": peak}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small plates, one turn")
    parser.add_argument("--only", default="srresnet,rrdb,memory")
    parser.add_argument("--runtimes", default="onnxruntime,openvino")
    parser.add_argument("--overlap", type=int, default=LEAST_OVERLAP_PX, help="least overlap of tiles; 0: as measured")
    parser.add_argument("--turns", type=int, help="of each way, in turn; default: 2, of RRDB 1")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--make-plates", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make_plates:
        folder, height, width, count = arguments.make_plates
        write_plates(Path(folder), (int(height), int(width)), int(count))
        return
    wanted = arguments.only.split(",")
    facts: dict[str, Any] = {
        "machine": f"{platform.processor() or platform.machine()}, {CORES} cores",
        "python": platform.python_version(),
        "openimageio": oiio.VERSION_STRING,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        quick = arguments.quick
        for network, size, frames, turns in (("srresnet", (540, 960), 2, 2), ("rrdb", (270, 560), 2, 1)):
            if network in wanted:
                size = (size[0] // 4, size[1] // 4) if quick else size
                facts[network] = speed(
                    network,
                    size,
                    frames,
                    1 if quick else arguments.turns or turns,
                    arguments.runtimes.split(","),
                    arguments.overlap,
                    folder,
                )
        if "memory" in wanted:
            facts["memory"] = memory(quick, folder)
    print(json.dumps(facts, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
