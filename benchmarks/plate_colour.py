"""The colour share of a plate's time: ours, the same maths in NumPy's float64, and the network in between.

    python benchmarks/plate_colour.py [--sizes 1920x1080] [--json FILE]

One core. CPU seconds a frame, the least of three, all in one run. "colour" is light to signal, what lies beyond the
network's range enlarged, signal to light, and half; "float64" the same with whole arrays and `pow`; "around" all that
a render does but the network: tiles, colour, alpha, storing. Shares are of a frame with all of that, without its files.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfxgan.colour import SLOPE_AT_ONE
from vfxgan.modelfile import find_model, read_model
from vfxgan.render.half import store_planes_as_half
from vfxgan.render.image_maker import ImageMaker
from vfxgan.render.options import OutputRequest, resolve_plate_output
from vfxgan.render.plate_file import Spaces
from vfxgan.render.plate_image import PlateImage
from vfxgan.render.runtimes import RuntimeOptions, load_runtime
from vfxgan.render.translate import enlarge, network_to_light, plate_to_network

REPEATS = 3
STRIP_ROWS = 64
LINEAR = Spaces(None, None, True, "")
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """Of one plate size and one encoding of the network's signal."""

    size: str
    encoding: str
    network_s: float
    around_s: float
    colour_s: float
    float64_s: float | None
    colour_share: float
    around_share: float
    float64_over_ours: float | None


def photograph(height: int, width: int) -> NDArray[np.float16]:
    """[H, W, 3], shades over twelve stops, highlights and some negatives: every branch of the maths has work."""
    stream = np.random.RandomState(0)
    y, x = np.mgrid[:height, :width]
    shade = np.exp2(-8 + 10 * (x / width) + 2 * np.sin(y / 90))
    light = shade[..., None] * stream.uniform(0.7, 1.3, (height, width, 3)) - 0.002
    return light.astype(np.float16)


def cpu_seconds(step: Callable[[], object]) -> float:
    found = []
    for _ in range(REPEATS):
        started = time.process_time()
        step()
        found.append(time.process_time() - started)
    return min(found)


class Timed:
    """A runtime that counts its CPU seconds."""

    def __init__(self, runtime: Any) -> None:
        self._runtime, self.seconds = runtime, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    def infer(self, inputs: Array) -> Array:
        started = time.process_time()
        made: Array = self._runtime.infer(inputs)
        self.seconds += time.process_time() - started
        return made


def strips(height: int) -> Iterator[slice]:
    return (slice(top, min(top + STRIP_ROWS, height)) for top in range(0, height, STRIP_ROWS))


def our_colour(plate: Array, raw: Array, out: NDArray[np.float16], spec: Any, encoding: Any) -> None:
    scale = spec.scale
    for rows in strips(plate.shape[1]):
        _, residual = plate_to_network(plate[:, rows], spec, encoding)
        large = None if residual is None else enlarge(residual, scale)
        made = slice(rows.start * scale, rows.stop * scale)
        store_planes_as_half(network_to_light(raw[:, made], large, spec, encoding), out[made])


def float64_colour(plate: Array, raw: Array, out: NDArray[np.float16], spec: Any) -> None:
    light = plate.astype(np.float64)
    magnitude = np.abs(light)
    low = np.minimum(magnitude, 1)
    curve = np.where(low <= 0.0031308, 12.92 * low, 1.055 * low ** (1 / 2.4) - 0.055)
    encoded = np.sign(light) * (curve + SLOPE_AT_ONE * np.log(np.maximum(magnitude, 1)))
    residual = encoded - np.clip(encoded, 0, 1)
    signal = raw.astype(np.float64) + enlarge(residual.astype(np.float32), spec.scale)
    magnitude = np.abs(signal)
    low = np.minimum(magnitude, 1)
    curve = np.where(low <= 0.04045, low / 12.92, ((low + 0.055) / 1.055) ** 2.4)
    made = np.sign(signal) * curve * np.exp((np.maximum(magnitude, 1) - 1) / SLOPE_AT_ONE)
    out[...] = np.moveaxis(made, 0, -1).astype(np.float16)


def measure(width: int, height: int, encoding: str | None) -> Row:
    model = read_model(find_model("upscaler"))
    output = resolve_plate_output(OutputRequest(encoding=encoding), ".exr", model.spec)
    with load_runtime("onnxruntime", model, RuntimeOptions(1)) as opened:
        runtime = Timed(opened)
        maker = ImageMaker(model, runtime, output)  # type: ignore[arg-type]
        pixels = photograph(height, width)
        image = PlateImage(pixels, (0, 0, width, height), (0, 0, width, height))
        started = time.process_time()
        maker.draw(image, LINEAR, "half", 1)
        whole = time.process_time() - started
    plate = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)).astype(np.float32)
    scale = model.spec.scale
    x, _ = plate_to_network(plate, model.spec, output.encoding)
    raw = np.repeat(np.repeat(x[0], scale, axis=1), scale, axis=2)
    out = np.empty((height * scale, width * scale, 3), np.float16)
    # A render encodes twice: tiles for the network, and strips for what goes around it.
    encoded = cpu_seconds(
        lambda: [plate_to_network(plate[:, rows], model.spec, output.encoding) for rows in strips(height)]
    )
    colour = encoded + cpu_seconds(lambda: our_colour(plate, raw, out, model.spec, output.encoding))
    naive = cpu_seconds(lambda: float64_colour(plate, raw, out, model.spec)) if encoding is None else None
    return Row(
        f"{width}x{height}",
        encoding or "the model's",
        round(runtime.seconds, 3),
        round(whole - runtime.seconds, 3),
        round(colour, 3),
        None if naive is None else round(naive, 3),
        round(colour / whole, 4),
        round(1 - runtime.seconds / whole, 4),
        None if naive is None else round(naive / colour, 2),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1920x1080", help="comma-separated WIDTHxHEIGHT")
    parser.add_argument("--encodings", default="own,acescct")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    machine = {"cpu": platform.processor() or platform.machine(), "numpy": np.__version__}
    print(machine)
    rows = []
    for size in options.sizes.split(","):
        width, height = (int(side) for side in size.split("x"))
        for name in options.encodings.split(","):
            rows.append(measure(width, height, None if name == "own" else name))
            print(rows[-1])
    if options.json:
        options.json.write_text(json.dumps(machine | {"rows": [asdict(row) for row in rows]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
