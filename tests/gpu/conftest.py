"""Models for builds, and what a release of TensorRT makes of our code: one process a release, run once."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.export.trt.shapes import input_shapes
from vfxgan.gpu.identity import BuiltOn, Sidecar, make_key
from vfxgan.gpu.options import BuildOptions
from vfxgan.modelfile import read_model

RIG = Path(__file__).resolve().parent / "rig"
BINDINGS = Path(sys.prefix) / "trt-api"  # tools/trt_api.py fetches them
# TensorRT, and CUDA's bindings of its time.
RELEASES = {
    "8.6.1": "cuda-12.8.0",
    "10.0.1": "cuda-12.8.0",
    "10.16.1.11": "cuda-13.4.4",
    "11.4.0.106": "cuda-13.4.4",
}
SPEC = {"spec_version": 1, "name": "tiny", "architecture": "made", "channels_out": 3}


def write_upscaler(path: Path, *, opset: int = 17, ir: int = 8, precision: str = "fp16", **spec: Any) -> Path:
    """A ×2 network of any batch and size, half but for an InstanceNorm and the last tanh, as export writes them."""
    onnx = pytest.importorskip("onnx", reason="the train extra makes the tests' models")
    from onnx import TensorProto, helper, numpy_helper

    half, full = TensorProto.FLOAT16, TensorProto.FLOAT
    stream = np.random.RandomState(0)
    weights = {
        "w_in": stream.randn(4, 3, 3, 3).astype(np.float16),
        "w_out": stream.randn(12, 4, 3, 3).astype(np.float16),
        "gain": np.ones(4, np.float32),
        "shift": np.zeros(4, np.float32),
    }

    def node(operator: str, name: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        return helper.make_node(operator, inputs, [output], name=name, **attributes)

    nodes = [
        node("Cast", "half_in", ["image"], "a", to=half),
        node("Conv", "conv_in", ["a", "w_in"], "b", pads=[1, 1, 1, 1]),
        node("Cast", "wide_in", ["b"], "c", to=full),
        node("InstanceNormalization", "norm", ["c", "gain", "shift"], "d"),
        node("Cast", "half_again", ["d"], "e", to=half),
        node("Conv", "conv_out", ["e", "w_out"], "f", pads=[1, 1, 1, 1]),
        node("DepthToSpace", "shuffle", ["f"], "g", blocksize=2),
        node("Cast", "wide_out", ["g"], "h", to=full),
        node("Tanh", "last", ["h"], "picture"),
    ]
    graph = helper.make_graph(
        nodes,
        "upscaler",
        [helper.make_tensor_value_info("image", full, ["batch", 3, "height", "width"])],
        [helper.make_tensor_value_info("picture", full, ["batch", 3, "out_height", "out_width"])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    fields = {"kind": "upscaler", "scale": 2, "input": {"kind": "image", "channels": 3, "size_multiple": 8}}
    entry = model.metadata_props.add()
    entry.key, entry.value = "vfxgan", json.dumps(SPEC | fields | {"precision": precision} | spec)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, make_model: Callable[..., Path]) -> Path:
    """A folder with generator.onnx (batch 1), upscaler.onnx, opset20.onnx."""
    folder = tmp_path_factory.mktemp("models")
    make_model(folder / "generator.onnx", channels=3)
    write_upscaler(folder / "upscaler.onnx")
    write_upscaler(folder / "opset20.onnx", opset=20, ir=10)
    return folder


@pytest.fixture(scope="session")
def upscaler(models: Path) -> Path:
    return models / "upscaler.onnx"


@pytest.fixture(scope="session")
def generator(models: Path) -> Path:
    return models / "generator.onnx"


class Bindings:
    """What `scenarios.py` found with a release; each is run once, when first asked for."""

    def __init__(self, models: Path, scratch: Callable[[str], Path]) -> None:
        self.models, self.scratch = models, scratch
        self.results: dict[str, dict[str, Any]] = {}

    def of(self, release: str) -> dict[str, Any]:
        """By scenario. Skips the test, with the reason, where the release is not there."""
        if release not in self.results:
            folder = self.scratch(release)
            (folder / "out").mkdir()
            for model in self.models.glob("*.onnx"):
                (folder / model.name).write_bytes(model.read_bytes())
            *progress, results = self._run("scenarios.py", release, str(folder))
            self.results[release] = results | {"progress": progress}
        return self.results[release]

    def missing(self, release: str, names: Iterable[str]) -> list[str]:
        """Those of `tensorrt`'s names that the release does not have."""
        found: list[str] = self._run("names.py", release, json.dumps(sorted(names)))[-1]
        return found

    @staticmethod
    def _run(program: str, release: str, argument: str) -> list[Any]:
        """The lines it prints, each JSON."""
        needed = (release, RELEASES[release])
        for name in needed:
            if not (BINDINGS / name / "READY").exists():
                said = BINDINGS / name / "MISSING"
                pytest.skip(f"no bindings {name}: {said.read_text().strip() if said.exists() else 'run make trt-api'}")
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(BINDINGS / name) for name in needed)}
        command = [sys.executable, str(RIG / program), argument]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="session")
def bindings(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Bindings:
    """`bindings.of("11.4.0.106")`: the results of all scenarios with that release."""
    return Bindings(models, tmp_path_factory.mktemp)


@pytest.fixture
def sidecar_of(upscaler: Path) -> Callable[..., Sidecar]:
    """A sidecar as a build on an RTX A6000 would leave it; arguments change the options, or where it was built."""

    def make(engine: bytes = b"engine", tensorrt: str = "10.16.1.11", **options: Any) -> Sidecar:
        model = read_model(upscaler)
        chosen = BuildOptions.model_validate({"tile": (16, 24)} | options)
        where = BuiltOn(tensorrt=tensorrt, gpu="NVIDIA RTX A6000", compute_capability="8.6")
        key = make_key(model.sha256, chosen, input_shapes(model, chosen), "strong", where)
        return Sidecar(
            digest=key.digest(),
            key=key,
            engine_sha256=hashlib.sha256(engine).hexdigest(),
            engine_bytes=len(engine),
            onnx_name=upscaler.name,
            built=where,
            spec=model.spec,
        )

    return make
