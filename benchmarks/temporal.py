"""What --temporal N does to flicker, and what it costs in sharpness and time.

    python benchmarks/temporal.py --pix2pix MODEL.onnx [--beachball FOLDER] [--mattes FOLDER] [--quick]
        [--results RESULTS.json] [--picture PICTURE.png]

Flicker is the warping error: the mean difference between a frame and the next one moved back onto it, in sRGB code
values (1 is white). On synthetic shots, which move by whole pixels, the motion is known. On the beachball it is the
move of the data window plus TV-L1 flow by scikit-image, so that what measures is not what stabilised. On the crossing,
whose network is an identity, it is what became of the 8 px beside the edges that hide and bare the ground: ghosts.

MODEL.onnx is a translator that takes one channel, such as the matte-to-element U-Net of docs/pix2pix.md. Beside it goes
a translator made here whose output depends on where in a grid of 8×8 px a detail lies, as a strided network's does.
Needs the `cpu`, `temporal`, `review` and `train` extras.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from skimage.registration import optical_flow_tvl1

from vfxgan.cli.main import run
from vfxgan.colour import decode, encode
from vfxgan.images import Picture, read_picture, write_picture

Array = NDArray[Any]

REACHES = (0, 1, 2, 4)
MARGIN_PX = 24
MOVE = (3, 2)  # px a frame, across and down
BLOCK, STRENGTH = 8, 0.005
CROSSED_PX = 6  # a frame
EDGE_PX = 8


@dataclass(frozen=True)
class Figures:
    """Of one shot, one model, one N.

    Attributes:
        warping_error: in thousandths of white.
        sharpness: energy of what a mean over 3×3 px removes, over that of the frame as the network made it alone.
        change: mean difference from that frame, in thousandths of white.
    """

    shot: str
    model: str
    reach: int
    warping_error: float
    sharpness: float
    change: float
    seconds_a_frame: float


Measure = Callable[[Sequence[Array]], float]


def texture(side: int, seed: int) -> Array:
    """[side, side, 3] in 0.1 … 0.9 of the encoded range: 1/f noise, as sharp as pixels can be."""
    stream = np.random.RandomState(seed)
    y, x = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    spectrum = 1 / np.maximum(np.hypot(y, x), 1 / side)
    planes = [np.fft.irfft2(np.fft.rfft2(stream.randn(side, side)) * spectrum, (side, side)) for _ in range(3)]
    values = np.stack(planes, -1)
    return np.clip(0.5 + 0.18 * values / values.std(), 0.1, 0.9)


def write_shot(folder: Path, frames: Sequence[Array], channels: Sequence[str]) -> Path:
    folder.mkdir(parents=True)
    for number, light in enumerate(frames, start=1):
        write_picture(folder / f"{number:04d}.exr", Picture(light.astype(np.float16), tuple(channels)))
    return folder / "####.exr"


def pan(count: int, height: int = 360, width: int = 480) -> list[Array]:
    """A picture that moves by whole pixels under the camera."""
    side = max(height, width) + count * max(MOVE) + 8
    light = decode(texture(side, 3).astype(np.float32))
    return [
        light[-MOVE[1] * n + side - height - 4 :, -MOVE[0] * n + side - width - 4 :][:height, :width]
        for n in range(count)
    ]


def crossing(count: int, side: int = 256) -> list[Array]:
    """A textured square that crosses a still, textured ground: what it hides and bares has no counterpart."""
    ground, square = (decode(texture(side, seed).astype(np.float32)) for seed in (4, 5))
    frames = []
    for n in range(count):
        frame, left = ground.copy(), 40 + CROSSED_PX * n
        frame[80:176, left : left + 96] = square[80:176, 40:136]
        frames.append(frame)
    return frames


def moving_matte(matte: Array, count: int, side: int = 256) -> list[Array]:
    """One channel: a matte of 128 px on its way through a larger frame."""
    frames = []
    for n in range(count):
        frame = np.zeros((side, side, 1), np.float32)
        top, left = 30 + MOVE[1] * n, 30 + MOVE[0] * n
        frame[top : top + 128, left : left + 128] = matte
        frames.append(frame)
    return frames


def stirring_model(path: Path, strength: float) -> Path:
    """A translator of three channels: each block of 8×8 px is stirred by one random matrix; 0: not at all."""
    deep = 3 * BLOCK * BLOCK
    mixing = (np.eye(deep) + strength * np.random.RandomState(5).randn(deep, deep)).astype(np.float32)
    nodes = [
        helper.make_node("SpaceToDepth", ["image"], ["deep"], blocksize=BLOCK),
        helper.make_node("Conv", ["deep", "mixing"], ["stirred"]),
        helper.make_node("DepthToSpace", ["stirred"], ["picture"], blocksize=BLOCK),
    ]
    shape = [1, 3, "height", "width"]
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(mixing[:, :, None, None], "mixing")],
    )
    spec = {
        "spec_version": 1,
        "name": path.stem,
        "kind": "translator",
        "architecture": "none",
        "input": {"kind": "image", "channels": 3, "size_multiple": BLOCK},
        "value_range": [0, 1],
        "channels_out": 3,
    }
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    entry = model.metadata_props.add()
    entry.key, entry.value = "vfxgan", json.dumps(spec)
    onnx.save(model, str(path))
    return path


def render(model: str, source: Path, out: Path, reach: int) -> float:
    """Seconds a frame, on one thread."""
    started = time.monotonic()
    line = ["render", model, "--in", str(source), "--out", str(out / "####.exr"), "--temporal", str(reach)]
    code = run([*line, "--bit-depth", "float", "--threads", "1", "--progress", "none"])
    if code:
        raise SystemExit(f"{' '.join(line)}: exit {code}")
    return (time.monotonic() - started) / len(list(out.glob("*.exr")))


def encoded_frames(folder: Path) -> list[Array]:
    """Each [H, W, 3] on the sRGB curve; data windows are put into their display windows."""
    frames = []
    for path in sorted(folder.glob("*.exr")):
        picture = read_picture(path)
        assert picture.display is not None
        (x, y), (left, top, width, height) = picture.origin, picture.display
        pixels = picture.pixels[..., :3].astype(np.float32)
        frame = np.zeros((height, width, 3), np.float32)
        frame[y - top : y - top + pixels.shape[0], x - left : x - left + pixels.shape[1]] = pixels
        frames.append(encode(frame))
    return frames


def known_motion(scale: int, where: Callable[[int], tuple[slice, slice]] | None = None) -> Measure:
    """The warping error of a shot that moves by MOVE."""

    def measure(frames: Sequence[Array]) -> float:
        across, down = MOVE[0] * scale, MOVE[1] * scale
        errors = []
        for n in range(len(frames) - 1):
            apart = np.abs(np.roll(frames[n + 1], (-down, -across), (0, 1)) - frames[n])
            inner = where(n) if where else (slice(MARGIN_PX, -MARGIN_PX), slice(MARGIN_PX, -MARGIN_PX))
            errors.append(apart[inner].mean())
        return float(np.mean(errors))

    return measure


def measured_motion(plates: Path) -> Measure:
    """The warping error along the move of the data window and TV-L1 flow, where the plates fit along it."""
    shown = encoded_frames(plates)
    pictures = [read_picture(path) for path in sorted(plates.glob("*.exr"))]
    moves = []
    for n in range(len(shown) - 1):
        here, there = pictures[n], pictures[n + 1]
        shift = tuple(b - a for a, b in zip(here.origin, there.origin, strict=True))
        (x, y), (height, width) = here.origin, here.pixels.shape[:2]
        window = slice(y, y + height), slice(x, x + width)
        aligned = np.roll(shown[n + 1], (-shift[1], -shift[0]), (0, 1))[window]
        flow = optical_flow_tvl1(shown[n][window].mean(-1), aligned.mean(-1), attachment=10)
        down, across = np.mgrid[:height, :width].astype(np.float32)
        places = (across + flow[1].astype(np.float32), down + flow[0].astype(np.float32))
        back = cv2.remap(aligned, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        fits = (np.abs(back - shown[n][window]).max(-1) < 0.02) & (shown[n][window].max(-1) > 0.05)
        moves.append((window, shift, places, fits))

    def measure(frames: Sequence[Array]) -> float:
        errors = []
        for n, (window, shift, places, fits) in enumerate(moves):
            aligned = np.roll(frames[n + 1], (-shift[1], -shift[0]), (0, 1))[window]
            back = cv2.remap(aligned, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            errors.append(np.abs(back - frames[n][window])[fits].mean())
        return float(np.mean(errors))

    return measure


def ghosts(plates: Sequence[Array]) -> Measure:
    """What a network that does nothing should have left alone, beside the edges of the square that crosses."""

    def measure(frames: Sequence[Array]) -> float:
        errors = []
        for n, (frame, plate) in enumerate(zip(frames, plates, strict=True)):
            apart, left = np.abs(frame - encode(plate.astype(np.float16).astype(np.float32))), 40 + CROSSED_PX * n
            errors += [apart[80:176, edge - EDGE_PX : edge + EDGE_PX].mean() for edge in (left, left + 96)]
        return float(np.mean(errors))

    return measure


def sharpness(frames: Sequence[Array]) -> float:
    fine = [frame - cv2.blur(frame, (3, 3)) for frame in frames]
    return float(np.mean([np.mean(plane**2) for plane in fine]))


def measure_shot(
    shot: str, model: str, name: str, source: Path, measure: Measure, work: Path, reaches: Sequence[int]
) -> tuple[list[Figures], dict[int, list[Array]]]:
    """All N on one shot through one model."""
    figures: list[Figures] = []
    kept: dict[int, list[Array]] = {}
    for reach in reaches:
        out = work / f"{shot}-{name}-{reach}"
        seconds = render(model, source, out, reach)
        kept[reach] = frames = encoded_frames(out)
        change = float(np.mean([np.abs(a - b).mean() for a, b in zip(frames, kept[0], strict=True)]))
        sharp = sharpness(frames) / sharpness(kept[0])
        figures.append(Figures(shot, name, reach, 1000 * measure(frames), sharp, 1000 * change, seconds))
        print("  ".join(f"{key} {value:.3f}" if isinstance(value, float) else f"{value}" for key, value in
                        asdict(figures[-1]).items()), flush=True)  # fmt: skip
    return figures, kept


def draw(
    figures: Sequence[Figures], rows: Sequence[tuple[str, dict[int, list[Array]], tuple[slice, slice]]], to: Path
) -> None:
    """Warping error and sharpness over N, and for some shots two frames' difference without and with."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(11, 3 + 2.9 * len(rows)), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 0.95 * len(rows)))
    axes = above.subplots(1, 3, width_ratios=(1, 1, 0.6))
    axes[2].axis("off")
    for axis, field, title in zip(axes, ("warping_error", "sharpness"), ("warping error", "fine detail"), strict=False):
        for key in dict.fromkeys((item.shot, item.model) for item in figures):
            chosen = [item for item in figures if (item.shot, item.model) == key]
            first = getattr(chosen[0], field)
            if first > 0.01:
                values = [getattr(item, field) / first for item in chosen]
                axis.plot([item.reach for item in chosen], values, marker="o", label=", ".join(key))
            else:  # nothing flickered
                axis.plot([], [], marker="o")
        axis.set(title=f"{title}, share of N = 0", xlabel="N", ylim=(0, 1.1), xticks=REACHES)
    axes[2].legend(*axes[1].get_legend_handles_labels(), loc="center", frameon=False)
    for line, (title, kept, window) in zip(below.subplots(len(rows), 4), rows, strict=True):
        middle = len(kept[0]) // 2
        pictures = [
            (f"{title}, N = 0", kept[0][middle][window]),
            ("N = 2", kept[2][middle][window]),
            ("to the next, moved back, ×8: N = 0", moved_difference(kept[0], middle)[window]),
            ("N = 2", moved_difference(kept[2], middle)[window]),
        ]
        for axis, (name, picture) in zip(line, pictures, strict=True):
            axis.imshow(np.clip(picture, 0, 1), interpolation="nearest")
            axis.set_title(name, fontsize=9)
            axis.axis("off")
    figure.savefig(to, dpi=100)


def moved_difference(frames: Sequence[Array], n: int) -> Array:
    return np.abs(np.roll(frames[n + 1], (-MOVE[1], -MOVE[0]), (0, 1)) - frames[n]) * 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pix2pix", required=True)
    parser.add_argument("--mattes", type=Path, required=True, help="folder of mattes that the model never saw")
    parser.add_argument("--beachball", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    count, reaches = (6, (0, 2)) if arguments.quick else (12, REACHES)
    matte = read_picture(sorted(arguments.mattes.glob("*.*"))[1]).pixels[..., :1].astype(np.float32)
    matte = matte / (np.iinfo(np.uint8).max if matte.max() > 1 else 1)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        flickering = str(stirring_model(work / "flickering.onnx", STRENGTH))
        identity = str(stirring_model(work / "identity.onnx", 0))
        moved = write_shot(work / "pan", pan(count), "RGB")
        crossed = write_shot(work / "crossing", crossing(count), "RGB")
        puff = write_shot(work / "matte", moving_matte(matte, count), "Y")

        def on_matte(n: int) -> tuple[slice, slice]:
            return slice(30 + MOVE[1] * n, 158 + MOVE[1] * n), slice(30 + MOVE[0] * n, 158 + MOVE[0] * n)

        runs = [
            ("pan", flickering, "flickering", moved, known_motion(1)),
            ("moving matte", arguments.pix2pix, "pix2pix", puff, known_motion(1, on_matte)),
            ("pan", "upscaler", "upscaler", moved, known_motion(2)),
            ("crossing", identity, "identity", crossed, ghosts(crossing(count))),
        ]
        if arguments.beachball:
            own = measured_motion(arguments.beachball)
            ball = arguments.beachball / "singlepart.####.exr"
            runs.insert(2, ("beachball", arguments.pix2pix, "pix2pix", ball, own))
            runs.insert(2, ("beachball", flickering, "flickering", ball, own))
        figures, pictures = [], {}
        for shot, model, name, source, measure in runs:
            found, kept = measure_shot(shot, model, name, source, measure, work, reaches)
            figures += found
            pictures[shot, name] = kept
    machine = {"python": platform.python_version(), "cpu_cores": os.cpu_count(), "opencv": cv2.__version__,
               "onnxruntime": onnxruntime.__version__, "numpy": np.__version__}  # fmt: skip
    if arguments.results:
        report = {"machine": machine, "quick": arguments.quick, "figures": [asdict(item) for item in figures]}
        arguments.results.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if arguments.picture:
        rows = [
            ("pan, flickering translator", pictures["pan", "flickering"], (slice(80, 208), slice(80, 208))),
            ("moving matte, pix2pix", pictures["moving matte", "pix2pix"], (slice(40, 190), slice(40, 190))),
        ]
        draw([item for item in figures if item.shot != "crossing"], rows, arguments.picture)


if __name__ == "__main__":
    main()
