"""Tiny but real models, made here with fixed random weights, and ways to run the command line on them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

# Before torch is loaded: its threads wait without spinning, so that tests are not slow on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from vfxgan.cli.main import run
from vfxgan.no_project import ignore_project

# A machine that does other things as well is slow, not wrong.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

LATENT_SIZE = 16
CLI = [sys.executable, "-c", "from vfxgan.cli.main import main; main()"]


@dataclass(frozen=True)
class Result:
    """What a command line left."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The error: the last line on stderr."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


@pytest.fixture(autouse=True)
def _own_folder_and_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("VFXGAN_MODEL", "VFXGAN_DEBUG", "VFXGAN_PROJECT", "VFXGAN_COMMAND", "OCIO"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run `vfxgan …` in this process."""

    def call(*arguments: object) -> Result:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        ignore_project(False)  # a --no-project holds for its own command line
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture
def start() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start `vfxgan …` as a process of its own; none is left behind."""
    started: list[subprocess.Popen[str]] = []

    def call(*arguments: object, **options: Any) -> "subprocess.Popen[str]":
        command = [*CLI, *(str(argument) for argument in arguments)]
        process = subprocess.Popen(
            command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ), **options
        )
        started.append(process)
        return process

    yield call
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def make_generator(path: Path, *, size: int = 32, channels: int = 4, seed: int = 0, **options: Any) -> Path:
    """Write a small DCGAN-like ONNX generator with fixed weights.

    Args:
        options: `gain` scales the last layer; `spec` replaces fields of the spec; `metadata` replaces the spec's text,
            None leaves it out; `not_a_number_below` makes outputs NaN where the first latent entry is below it.
    """
    onnx = pytest.importorskip("onnx", reason="the train extra makes the tests' models")
    from onnx import TensorProto, helper, numpy_helper

    stream = np.random.RandomState(seed)
    start_side = size // 4
    weights = {
        "w0": stream.randn(LATENT_SIZE, 8 * start_side**2).astype(np.float32) * 0.5,
        "shape": np.array([1, 8, start_side, start_side], np.int64),
        "w1": stream.randn(8, 8, 4, 4).astype(np.float32) * 0.2,
        "w2": stream.randn(8, channels, 4, 4).astype(np.float32) * 0.4 * options.get("gain", 1.0),
    }
    strided = {"kernel_shape": [4, 4], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("MatMul", ["latent", "w0"], ["a"]),
        helper.make_node("Reshape", ["a", "shape"], ["b"]),
        helper.make_node("ConvTranspose", ["b", "w1"], ["c"], **strided),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("ConvTranspose", ["d", "w2"], ["e"], **strided),
        helper.make_node("Tanh", ["e"], ["picture"]),
    ]
    if "not_a_number_below" in options:
        nodes[-1].output[0] = "tanh"
        # sqrt of a negative number is NaN; of a large positive one, finite. Added times zero.
        weights |= {
            "first": np.array([0], np.int64),
            "limit": np.array(options["not_a_number_below"], np.float32),
            "zero": np.zeros((), np.float32),
            "scalar": np.array([1, 1, 1, 1], np.int64),
        }
        nodes += [
            helper.make_node("Gather", ["latent", "first"], ["z"], axis=1),
            helper.make_node("Sub", ["z", "limit"], ["over"]),
            helper.make_node("Sqrt", ["over"], ["root"]),
            helper.make_node("Mul", ["root", "zero"], ["nothing"]),
            helper.make_node("Reshape", ["nothing", "scalar"], ["plane"]),
            helper.make_node("Add", ["tanh", "plane"], ["picture"]),
        ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("latent", TensorProto.FLOAT, [1, LATENT_SIZE])],
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, channels, size, size])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    metadata = options.get("metadata", tiny_spec(size, channels, **options.get("spec", {})))
    if metadata is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = "vfxgan", metadata
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(path))
    return path


def tiny_spec(size: int, channels: int, **fields: Any) -> str:
    spec = {
        "spec_version": 1,
        "name": "tiny",
        "kind": "generator",
        "architecture": "dcgan",
        "input": {"kind": "latent", "size": LATENT_SIZE, "distribution": "uniform", "interval": 0.5},
        "size": [size, size],
        "encoding": {"name": "extended-srgb", "peak": 16.0, "toe": 0.02},
        "channels_out": channels,
    }
    return json.dumps(spec | fields)


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Path]:
    """`make_generator`, for tests that need a model of their own."""
    return make_generator


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 32×32 RGBA generator."""
    return make_generator(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture
def frames_of() -> Callable[[Path], dict[str, bytes]]:
    """The bytes of every file in a folder, hidden ones too, by name."""

    def read(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    return read


@dataclass(frozen=True)
class Page:
    """A page of documentation, whose `sh` blocks are run as they stand."""

    text: str

    @property
    def blocks(self) -> list[list[str]]:
        """The commands of each `sh` block, without comments; a block that is not to be run is not `sh`."""
        found = re.findall(r"^```sh\n(.*?)^```", self.text, flags=re.MULTILINE | re.DOTALL)
        return [[line for line in block.splitlines() if line and not line.startswith("#")] for block in found]

    def run(self, folder: Path, shorter: Mapping[str, str] | None = None) -> str:
        """Run every command in its order with bash in the folder, which must exist; what they printed.

        Args:
            shorter: texts in commands that are replaced, so that a training of hours becomes one of seconds.
        """
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {key: value for key, value in os.environ.items() if not key.startswith("VFXGAN")} | {"PATH": path}
        printed = ""
        for command in (command for block in self.blocks for command in block):
            for long, short in (shorter or {}).items():
                command = command.replace(long, short)
            done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            printed += done.stdout + done.stderr
        return printed


@pytest.fixture(scope="session")
def page() -> Callable[[str], Page]:
    """A page of docs/ by its name: `page("farm.md").run(tmp_path)`."""

    def read(name: str) -> Page:
        return Page((Path(__file__).resolve().parents[1] / "docs" / name).read_text(encoding="utf-8"))

    return read
