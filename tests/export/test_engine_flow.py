"""`vfxgan export --trt` around the build: gate, files, what is kept. TensorRT itself is played by ONNX Runtime here."""

import hashlib
import json
import sys
import types

import numpy as np
import pytest
import torch

from vfxgan.export.onnxruntime_cpu import CpuSession
from vfxgan.export.trt import build
from vfxgan.export.trt.build import Built, key_for
from vfxgan.export.trt.shapes import input_shapes
from vfxgan.gpu import engine as gpu_engine
from vfxgan.gpu.engine_files import read_engine
from vfxgan.gpu.identity import Machine
from vfxgan.modelfile import read_model
from vfxgan.trainer.networks.checkpoint import Checkpoint, save_checkpoint
from vfxgan.trainer.recipes.srgan import SrganOptions, SrganRecipe

MACHINE = Machine(tensorrt="10.16.1.11", gpu="NVIDIA Test 1", compute_capability="9.0")


class Played:
    """What the build and the runner did."""

    def __init__(self):
        self.builds, self.caches, self.runs, self.error = [], [], 0, 0.0


@pytest.fixture
def played(monkeypatch):
    """A machine with TensorRT: builds are instant, an engine's bytes are its ONNX file's."""
    state = Played()
    state.machine = MACHINE

    def build_engine(onnx_path, options, style, *, timing_cache, machine):
        state.builds.append(options)
        state.caches.append(timing_cache)
        model = read_model(onnx_path)
        shapes = input_shapes(model, options)
        key = key_for(model, options, shapes, machine.where())
        state.shape = shapes.opt
        return Built(model.read(), key, machine.where(), onnx_path, model.spec, 1.0, None)

    class Runner:
        def __init__(self, engine, host_code, slots):
            self.session, self.input_shape = CpuSession(engine), state.shape

        def infer(self, x):
            assert x.shape[1:] == self.input_shape[1:]
            state.runs += 1
            return self.session.run(x)[0] + np.float32(state.error)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(build, "require_tensorrt", lambda: state.machine)
    monkeypatch.setattr(build, "build_engine", build_engine)
    monkeypatch.setattr(gpu_engine, "EngineRunner", Runner)
    return state


@pytest.fixture
def checkpoint(tmp_path):
    recipe = SrganRecipe(SrganOptions(data="x", scale=2, width=8, blocks=1))
    torch.manual_seed(7)
    path = tmp_path / "ckpt.pt"
    save_checkpoint(path, Checkpoint(recipe.spec(3), {}, 3, recipe.networks()["generator"].state_dict(), {}, {}))
    return path


def test_an_engine_passes_the_gate_at_its_own_size_and_says_so_in_its_sidecar(checkpoint, played, cli, tmp_path):
    done = cli("export", checkpoint, "--trt", "--tile", "32x48", "--opt-level", "5")
    assert done.code == 0, done.err
    (engine,) = tmp_path.glob("*.plan")
    assert engine.name.startswith("ckpt.fp16.nvidia-test-1.10.16.1.11.")
    data, sidecar = read_engine(engine)
    assert sidecar.engine_sha256 == hashlib.sha256(data).hexdigest()
    assert sidecar.key.input.opt == (1, 3, 32, 48)
    assert sidecar.key.options.opt_level == 5
    assert sidecar.key.onnx_sha256 == read_model(tmp_path / "ckpt.fp16.onnx").sha256
    assert sidecar.parity.seeds == played.runs == 16
    assert sidecar.parity.allowed_psnr_db == 55
    assert sidecar.parity.runtime == "tensorrt 10.16.1.11 NVIDIA Test 1"
    assert done.out.count("parity over 16 pictures") == 3


def test_an_engine_of_the_same_key_is_kept_and_another_option_builds_another(checkpoint, played, cli, tmp_path):
    command = ("export", checkpoint, "--trt", "--tile", "32x48")
    assert cli(*command).code == 0
    again = cli(*command)
    assert again.code == 0
    assert again.out.count("kept, it is the same") == 3
    assert len(played.builds) == 1
    assert cli(*command, "--workspace", "256").code == 0
    assert (len(played.builds), len(list(tmp_path.glob("*.plan")))) == (2, 2)


def test_a_damaged_engine_is_built_again(checkpoint, played, cli, tmp_path):
    command = ("export", checkpoint, "--trt", "--tile", "32x48")
    assert cli(*command).code == 0
    (engine,) = tmp_path.glob("*.plan")
    whole = engine.read_bytes()
    engine.write_bytes(whole[:-1])
    assert cli(*command).code == 0
    assert engine.read_bytes() == whole
    assert len(played.builds) == 2


def test_an_engine_that_differs_is_not_written_and_the_onnx_files_stay(checkpoint, played, cli, tmp_path):
    played.error = 0.02
    done = cli("export", checkpoint, "--trt", "--tile", "32x48")
    assert done.code == 1
    assert "run by tensorrt 10.16.1.11 NVIDIA Test 1, differs from the network by 0.02" in done.line
    assert not list(tmp_path.glob("*.plan*"))
    assert {"ckpt.onnx", "ckpt.fp16.onnx", "ckpt.engine.parity.png"} <= {path.name for path in tmp_path.iterdir()}


def test_an_fp16_file_from_elsewhere_is_enough(checkpoint, played, cli, tmp_path):
    assert cli("export", checkpoint, "--precision", "fp16").code == 0
    before = (tmp_path / "ckpt.fp16.onnx").read_bytes()
    done = cli("export", tmp_path / "ckpt.fp16.onnx", "--trt", "--profile", "32x32,48x64,64x96")
    assert done.code == 0, done.err
    (engine,) = tmp_path.glob("*.plan")
    assert read_engine(engine)[1].key.input.max == (1, 3, 64, 96)
    assert (tmp_path / "ckpt.fp16.onnx").read_bytes() == before


def test_a_batch_takes_a_graph_whose_batch_is_open(checkpoint, played, cli, tmp_path):
    assert cli("export", checkpoint, "--trt", "--tile", "32x48", "--batch", "4").code == 0
    assert read_model(tmp_path / "ckpt.fp16.onnx").inputs[0].shape[0] == "batch"
    (engine,) = tmp_path.glob("*.plan")
    assert read_engine(engine)[1].key.input.opt == (4, 3, 32, 48)


def test_an_image_model_needs_a_size_and_that_is_said_before_the_work(checkpoint, played, cli, tmp_path):
    done = cli("export", checkpoint, "--trt")
    assert done.code == 2
    assert "give --tile HxW, or --profile MIN,OPT,MAX" in done.line
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt.pt"]


def test_a_dry_run_names_the_engine(checkpoint, cli, tmp_path):
    done = cli("export", checkpoint, "--trt", "--tile", "32x48", "--dry-run")
    assert done.code == 0, done.err
    assert f"would build {tmp_path / 'ckpt.fp16'}.<gpu>.<tensorrt>.<key>.plan" in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt.pt"]


def test_every_option_reaches_the_build(checkpoint, played, cli, tmp_path):
    options = ("--batch", "2", "--tile", "32x48", "--workspace", "512", "--opt-level", "1")
    compat = ("--hardware-compat", "ampere-plus", "--version-compat", "--timing-cache", tmp_path / "timings")
    assert cli("export", checkpoint, "--trt", *options, *compat).code == 0
    (engine,) = tmp_path.glob("*.plan")
    key = read_engine(engine)[1].key
    told = key.options
    assert (told.batch, told.tile, told.workspace_mib, told.opt_level) == (2, (32, 48), 512, 1)
    assert (told.hardware_compat, told.version_compat) == ("ampere-plus", True)
    assert (key.gpu, key.tensorrt) == ("ampere-plus", "10.x")
    assert played.caches == [tmp_path / "timings"]


def test_an_engine_that_passed_a_loose_gate_does_not_pass_a_strict_one(checkpoint, played, cli, tmp_path):
    played.error = 0.05
    command = ("export", checkpoint, "--trt", "--tile", "32x48")
    assert cli(*command, "--tolerance", "0.5", "--min-psnr", "5").code == 0
    again = cli(*command)
    assert again.code == 1
    assert "differs from the network by 0.05" in again.line
    assert len(played.builds) == 1


def test_an_engine_of_another_machine_that_does_not_fit_here_is_not_taken_for_ours(checkpoint, played, cli, tmp_path):
    command = ("export", checkpoint, "--trt", "--tile", "32x48", "--version-compat")
    assert cli(*command).code == 0
    (engine,) = tmp_path.glob("*.plan")
    before = engine.read_bytes()
    played.machine = MACHINE.model_copy(update={"tensorrt": "10.0.1"})
    again = cli(*command)
    assert again.code == 2
    assert "does not fit here: built with TensorRT 10.16.1.11" in again.line
    assert engine.read_bytes() == before


def test_every_slot_of_a_batch_is_compared(checkpoint, played, cli, tmp_path, monkeypatch):
    """An engine that spoils the last of four frames alone."""
    runner = gpu_engine.EngineRunner

    class Spoiling(runner):
        def infer(self, x):
            picture = super().infer(x)
            picture[3:] += 0.1
            return picture

    monkeypatch.setattr(gpu_engine, "EngineRunner", Spoiling)
    done = cli("export", checkpoint, "--trt", "--tile", "32x48", "--batch", "4")
    assert done.code == 1
    assert "differs from the network by 0.1" in done.line


def test_check_and_inspect_tell_of_an_engine(checkpoint, played, cli, tmp_path):
    assert cli("export", checkpoint, "--trt", "--tile", "32x48").code == 0
    (engine,) = tmp_path.glob("*.plan")
    checked = cli("export", "--check", tmp_path)
    assert checked.code == 1  # there is no GPU here
    assert f"{engine}: does not fit" in checked.out
    assert "1 of 1 engines do not fit this machine" in checked.line
    facts = json.loads(cli("inspect", engine, "--json").out)
    assert facts["fits"] is False
    assert facts["reasons"]
    assert facts["parity"]["seeds"] == 16
    assert facts["spec"]["name"] == "srresnet-x2"
    assert facts["key"]["input"]["opt"] == [1, 3, 32, 48]
    beside = json.loads(cli("inspect", tmp_path / "ckpt.fp16.onnx", "--json").out)
    assert list(beside["engines"]) == [engine.name]


def test_a_sidecar_that_names_no_file_is_one_line_among_others(checkpoint, played, cli, tmp_path):
    assert cli("export", checkpoint, "--trt", "--tile", "32x48").code == 0
    (sidecar,) = tmp_path.glob("*.plan.json")
    fields = json.loads(sidecar.read_text())
    for name in (".", "..", "../x.onnx"):
        sidecar.write_text(json.dumps({**fields, "onnx_name": name}))
        checked = cli("export", "--check", tmp_path)
        assert checked.code == 1
        assert "is damaged (onnx_name" in checked.out


def test_tensorrt_8_takes_opset_17(checkpoint, cli, tmp_path, monkeypatch):
    module = types.ModuleType("tensorrt")
    module.__version__ = "8.6.1"
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    assert cli("export", checkpoint, "--trt", "--tile", "32x48").code == 1
    for name in ("ckpt.onnx", "ckpt.fp16.onnx"):
        assert read_model(tmp_path / name).opset == 17
