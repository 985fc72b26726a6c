"""Our build and run code on a release's real classes: run as a program, one JSON object on stdout.

    PYTHONPATH=<trt-api>/10.16.1.11:<trt-api>/cuda-12.8.0 scenarios.py FOLDER

FOLDER holds the models `generator.onnx`, `upscaler.onnx` and `opset20.onnx`, and a folder `out`.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorrt as trt
from cuda.bindings import runtime as real_cuda
from cuda_memory import CudaMemory
from world import PLAN, Layer, World

from vfxgan.errors import VfxganError
from vfxgan.export.trt.build import build_engine, write_engine
from vfxgan.export.trt.network import make_builder
from vfxgan.gpu.cuda import device_facts
from vfxgan.gpu.engine import EngineRunner
from vfxgan.gpu.identity import Machine
from vfxgan.gpu.log import make_log
from vfxgan.gpu.options import BuildOptions, Profile

MACHINE = Machine(tensorrt=trt.__version__, gpu="NVIDIA Rig 5", compute_capability="8.6")
OLD = trt.__version__.startswith("8.")


class Scenarios:
    """Each method is one; what it returns, or the error that ends it, is what the tests look at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.generator, self.upscaler = folder / "generator.onnx", folder / "upscaler.onnx"

    def build(self, world: World, onnx: Path, cache: str, **options: Any) -> Any:
        if not world.layers and OLD and onnx == self.upscaler:  # no other build looks at layers
            world.layers = upscaler_layers()
        chosen = BuildOptions(**options)
        return build_engine(onnx, chosen, "json", timing_cache=self.folder / cache, machine=MACHINE)

    def a_generator_of_a_fixed_batch(self) -> Any:
        world = World(trt).install()
        built = self.build(world, self.generator, "a.timing")
        path = write_engine(built, self.folder / "out", "generator", None)
        return {
            **calls(world),
            "engine": path.read_bytes() == PLAN,
            "files": sorted(found.name for found in path.parent.iterdir()),
            "key": json.loads(path.with_name(path.name + ".json").read_text())["key"],
            "name": path.name,
        }

    def an_upscaler_with_every_option_set(self) -> Any:
        world = World(trt).install()
        level = "ampere-plus"
        self.build(
            world,
            self.upscaler,
            "b.timing",
            batch=4,
            profile=Profile(min=(8, 8), opt=(16, 24), max=(64, 64)),
            workspace_mib=512,
            opt_level=5,
            hardware_compat=level,
            version_compat=True,
            tf32=True,
        )
        return calls(world)

    def a_tile_is_a_profile_of_one_size(self) -> Any:
        world = World(trt).install()
        self.build(world, self.upscaler, "c.timing", batch=2, tile=(16, 24))
        return calls(world)

    def compatible_with_the_same_compute_capability(self) -> Any:
        world = World(trt).install()
        self.build(world, self.generator, "d.timing", hardware_compat="same-compute-capability")
        return calls(world)

    def layers_that_stay_fp32(self) -> Any:
        world = World(trt).install()
        self.build(world, self.upscaler, "e.timing", batch=2, tile=(16, 24))
        return {
            layer.name: {
                "precision": name_of(layer.precision),
                "outputs": [[call.args[0], name_of(call.args[1])] for call in layer.set_output_type.call_args_list],
            }
            for layer in world.layers_made
        }

    def a_node_without_a_layer(self) -> Any:
        world = World(trt, layers=upscaler_layers()[:1]).install()
        return calls(world, self.build(world, self.upscaler, "f.timing", batch=2, tile=(16, 24)))

    def a_file_that_is_too_new_for_8(self) -> Any:
        world = World(trt).install()
        return calls(world, self.build(world, self.folder / "opset20.onnx", "g.timing", tile=(16, 24)))

    def the_parser_refuses(self) -> Any:
        errors = [(f"reason {place}\nmore", place, f"node_{place}", "Conv") for place in range(5)]
        return self.build(World(trt, parse_errors=errors).install(), self.generator, "h.timing")

    def the_builder_gives_nothing(self) -> Any:
        world = World(trt, build_error="Internal Error:  out of\n luck").install()
        return self.build(world, self.generator, "i.timing")

    def interrupted(self) -> Any:
        world = World(trt, interrupt=True).install()
        try:
            self.build(world, self.generator, "interrupted.timing")
        except KeyboardInterrupt:
            return "KeyboardInterrupt came through"
        except VfxganError as error:
            left = (self.folder / "interrupted.timing").exists()
            stopped = world.asked_to_stop
            return {"type": type(error).__name__, "message": str(error), "cache": left, "stopped": stopped}
        return "it went on"

    def timings_are_used_again(self) -> Any:
        given = []
        for timings, refuses in ((b"first", False), (b"second", False), (b"third", True)):
            world = World(trt, timings=timings, refuses_timings=refuses).install()
            built = self.build(world, self.generator, "again.timing")
            given.append([text.decode() for text in world.given_timings])
        kept = (self.folder / "again.timing").read_bytes()
        (self.folder / "again.timing").write_bytes(kept[:-1])
        world = World(trt).install()
        self.build(world, self.generator, "again.timing")
        given.append([text.decode() for text in world.given_timings])
        return {"given": given, "sha256": built.timing_cache_sha256}

    def an_engine_of_one_shape(self) -> Any:
        world = World(trt, cuda=CUDA).install()
        CUDA.log.clear()
        with EngineRunner(PLAN) as runner:
            opening = list(CUDA.log)
            CUDA.log.clear()
            x = np.random.RandomState(0).rand(4, 3, 8, 8).astype(np.float32)
            whole, part = runner.infer(x), runner.infer(x[:3])
            shapes = [runner.input_shape, runner.output_shape, whole.shape, part.shape]
            running = list(CUDA.log)
            CUDA.log.clear()
            runner.enqueue()
            runner.wait()
            alone = list(CUDA.log)
            about = runner.about
            told = refused(lambda: runner.infer(x.astype(np.float64))) + refused(lambda: runner.infer(x[:, :2]))
            host_code = world.runtime.engine_host_code_allowed
        told += refused(lambda: runner.infer(x))
        runner.close()
        right = bool((whole == x.repeat(2, 2).repeat(2, 3) + 1).all() and (part == whole[:3]).all())
        log = {"opening": opening, "running": running, "alone": alone}
        facts = {"right": right, "shapes": shapes, "left": CUDA.left(), "told": told, "host_code": host_code}
        return {**calls(world), **facts, **log, "about": about}

    def two_threads(self) -> Any:
        """Each waits for its stream only when the other has queued all of its work too."""
        World(trt, cuda=CUDA).install()
        stream = np.random.RandomState(0)
        pictures = [stream.rand(4, 3, 8, 8).astype(np.float32) for _ in range(6)]
        with EngineRunner(PLAN) as runner, ThreadPoolExecutor(2) as pool:
            CUDA.log.clear()
            CUDA.meeting = threading.Barrier(2, timeout=60)
            try:
                made = list(pool.map(runner.infer, pictures))
            finally:
                CUDA.meeting = None
        right = all((y == x.repeat(2, 2).repeat(2, 3) + 1).all() for x, y in zip(pictures, made, strict=True))
        return {"right": bool(right), "streams": sorted({handle for _, handle in CUDA.log}), "left": CUDA.left()}

    def more_threads_than_slots(self) -> Any:
        World(trt, cuda=CUDA).install()
        pictures = [np.full((1, 3, 8, 8), number, np.float32) for number in range(40)]
        with EngineRunner(PLAN, slots=3, graphs=False) as runner, ThreadPoolExecutor(8) as pool:
            CUDA.log.clear()
            made = list(pool.map(runner.infer, pictures))
            about = runner.about
        right = all((y == number + 1).all() for number, y in enumerate(made))
        return {"right": bool(right), "about": about, "streams": len({handle for _, handle in CUDA.log})}

    def an_engine_that_cannot_be_captured(self) -> Any:
        World(trt, cuda=CUDA, captures=False).install()
        with EngineRunner(PLAN) as runner:
            CUDA.log.clear()
            right = bool((runner.infer(np.zeros((4, 3, 8, 8), np.float32)) == 1).all())
            return {"right": right, "about": runner.about, "running": [what for what, _ in CUDA.log]}

    def a_graph_that_cannot_be_made(self) -> Any:
        World(trt, cuda=CUDA).install()
        CUDA.failing = "cudaGraphInstantiate"
        try:
            with EngineRunner(PLAN) as runner:
                right = bool((runner.infer(np.zeros((4, 3, 8, 8), np.float32)) == 1).all())
                about = runner.about
        finally:
            CUDA.failing = None
        return {"right": right, "about": about, "left": CUDA.left()}

    def a_copy_that_fails(self) -> Any:
        """The slot is free again, and nothing is left on its stream."""
        World(trt, cuda=CUDA).install()
        x = np.zeros((4, 3, 8, 8), np.float32)
        with EngineRunner(PLAN, slots=1) as runner:
            CUDA.failing = "cudaGraphLaunch"
            try:
                told = refused(lambda: runner.infer(x))
            finally:
                CUDA.failing = None
            queued = [len(work) for work in CUDA.streams.values()]
            return {"told": told, "queued": queued, "right": bool((runner.infer(x) == 1).all())}

    def an_engine_of_many_shapes(self) -> Any:
        profile = ((2, 3, 8, 8), (2, 3, 16, 8), (2, 3, 32, 32))
        world = World(trt, shapes=((2, 3, -1, -1), (2, 3, -1, -1)), profile=profile, cuda=CUDA).install()
        with EngineRunner(PLAN, host_code=True) as runner:
            best, about = runner.input_shape, runner.about
            host_code = world.runtime.engine_host_code_allowed
        with EngineRunner(PLAN, shape=(2, 3, 32, 8)) as runner:
            chosen = [runner.input_shape, runner.output_shape, runner.infer(np.zeros((1, 3, 32, 8), np.float32)).shape]
        told = refused(lambda: EngineRunner(PLAN, shape=(2, 3, 40, 8)))
        return {**calls(world), "best": best, "chosen": chosen, "told": told, "host_code": host_code, "about": about}

    def an_engine_of_another_machine(self) -> Any:
        World(trt).install()
        return EngineRunner(b"something else")

    def no_memory_on_the_gpu(self) -> Any:
        World(trt, cuda=CUDA).install()
        CUDA.failing = "cudaHostAlloc"
        try:
            told = refused(lambda: EngineRunner(PLAN))
        finally:
            CUDA.failing = None
        World(trt, cuda=CUDA, contexts=1).install()
        second = refused(lambda: EngineRunner(PLAN))
        World(trt, cuda=CUDA, contexts=1).install()
        with EngineRunner(PLAN, slots=1) as runner:
            about = runner.about
        return {"told": told, "second": second, "about": about, "left": CUDA.left()}

    def the_gpu_in_use(self) -> Any:
        return vars(device_facts())


class WithoutGpu:
    """On the module as it is: the entry points behind it give nothing, as on a machine without a GPU."""

    def tensorrt_does_not_start(self) -> Any:
        return make_builder(trt, make_log(trt))

    def no_driver(self) -> Any:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return device_facts()


def upscaler_layers() -> list[Layer]:
    """As the 8.6 parser might name them: after the node, in its metadata, or after the tensor alone."""
    return [
        Layer("half_in", "CAST", [("a", "HALF")]),
        Layer("conv_in", "CONVOLUTION", [("b", "HALF")]),
        Layer("wide_in", "CAST", [("c", "FLOAT")]),
        Layer("norm", "NORMALIZATION", [("d", "FLOAT")]),
        Layer("(Unnamed Layer* 7) [Shuffle]", "SHUFFLE", [("helper", "FLOAT")], "[ONNX Layer: norm]"),
        Layer("(Unnamed Layer* 8) [Constant]", "CONSTANT", [("scale", "FLOAT")], "[ONNX Layer: norm]"),
        Layer("(Unnamed Layer* 9) [Gather]", "GATHER", [("index", "INT32")], "[ONNX Layer: norm]"),
        Layer("half_again", "CAST", [("e", "HALF")]),
        Layer("conv_out", "CONVOLUTION", [("f", "HALF")]),
        Layer("wide_out", "CAST", [("g", "FLOAT")]),
        Layer("(Unnamed Layer* 12) [Activation]", "ACTIVATION", [("picture", "FLOAT")]),
    ]


def calls(world: World, _: Any = None) -> dict[str, Any]:
    """What the builder was told, and the settings of its config."""
    found = [[name, [shown(value) for value in args]] for name, args, _ in world.specs.calls]
    config = getattr(world, "config", None)
    names = ("builder_optimization_level", "hardware_compatibility_level")
    settings = {} if config is None else {name: name_of(getattr(config, name)) for name in names}
    monitored = config is not None and isinstance(getattr(config, "progress_monitor", None), REAL_MONITOR)
    return {"calls": found, "settings": settings, "monitored": monitored}


REAL_MONITOR = getattr(trt, "IProgressMonitor", ())


def shown(value: Any) -> Any:
    return value if isinstance(value, str | int | float | tuple | list | bool | None) else name_of(value)


def name_of(value: Any) -> Any:
    """Of an enum's member its own name, of an autospec that of its class."""
    name = getattr(value, "name", None)
    return value if isinstance(value, int | None) else name if isinstance(name, str) else value.__class__.__name__


def refused(run: Callable[[], Any]) -> list[str]:
    try:
        run()
    except VfxganError as error:
        return [str(error)]
    return ["not refused"]


def outcome(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except VfxganError as error:
        return {"type": type(error).__name__, "message": str(error)}


CUDA = CudaMemory(real_cuda)


def main() -> None:
    results: dict[str, Any] = {"version": trt.__version__}
    for group in (WithoutGpu(), Scenarios(Path(sys.argv[1]))):
        if isinstance(group, Scenarios):
            sys.modules["cuda.bindings.runtime"] = CUDA  # type: ignore[assignment]  # what our code asks for by this name
        for name in [name for name in vars(type(group)) if not name.startswith("_") and name != "build"]:
            results[name] = outcome(getattr(group, name))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
