"""GPU runtimes where there is no GPU: what is asked of their libraries, and one line for each thing that is missing.

Nothing here shows that a GPU gives the right pixels: benchmarks/gpu_check.py does, on a machine with one.
"""

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vfxgan.gpu.cuda import DeviceFacts
from vfxgan.gpu.engine_files import write_engine_files
from vfxgan.gpu.identity import BuiltOn, Machine, Sidecar, make_key
from vfxgan.gpu.options import BuildOptions, InputShapes
from vfxgan.images import read_picture
from vfxgan.modelfile import read_model
from vfxgan.recipe import read_stamp

FACTS = DeviceFacts(name="NVIDIA Pretend 1", compute_capability="9.0", memory_bytes=1 << 34, driver="13.0")
HERE = Machine(tensorrt="10.16.1.11", gpu=FACTS.name, compute_capability="9.0")


class PretendOnnxRuntime(SimpleNamespace):
    """The real one on the CPU, saying of itself that it has CUDA."""

    def __init__(self, given: list[str]) -> None:
        onnxruntime = pytest.importorskip("onnxruntime")
        super().__init__(**{name: getattr(onnxruntime, name) for name in dir(onnxruntime) if name[0] != "_"})
        self.__version__, self.cuda_version, self.asked = "1.99", "13.0", {}
        self.get_available_providers = lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
        self.preload_dlls = lambda: print("Failed to load libcudnn.so.9")

        def open_session(model: bytes, options: Any, providers: Any) -> Any:
            self.asked = {"providers": providers, "options": options}
            session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
            return SimpleNamespace(
                run=session.run, get_inputs=session.get_inputs, get_providers=lambda: given, inner=session
            )

        self.InferenceSession = open_session


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Any:
    def call(given: list[str]) -> PretendOnnxRuntime:
        module = PretendOnnxRuntime(given)
        monkeypatch.setitem(sys.modules, "onnxruntime", module)  # type: ignore[arg-type]
        monkeypatch.setattr("vfxgan.render.runtimes.onnxruntime_cuda.device_facts", lambda device: FACTS)
        return module

    return call


def test_an_onnxruntime_without_cuda_is_refused(cli: Any, tiny: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    result = cli("render", tiny, "--seeds", "0", "--out", "a.exr", "--runtime", "onnxruntime-cuda")
    assert result.code == 1
    assert len(result.err.strip().splitlines()) == 1
    assert "has no CUDA (it offers " in result.line
    assert "pip install 'vfxgan[gpu]'" in result.line


def test_a_missing_onnxruntime_names_the_gpu_extra(cli: Any, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = cli("render", tiny, "--seeds", "0", "--out", "a.exr", "--runtime", "onnxruntime-cuda")
    assert "onnxruntime is not installed" in result.line
    assert "pip install 'vfxgan[gpu]'" in result.line


def test_cuda_is_asked_for_what_repeats_and_never_for_the_cpu(cli: Any, tiny: Path, pretend: Any) -> None:
    module = pretend(["CUDAExecutionProvider", "CPUExecutionProvider"])
    options = ("--seeds", "0-3", "--out", "o/####.exr", "--runtime", "onnxruntime-cuda", "--progress", "json")
    result = cli("render", tiny, *options)
    assert result.code == 0, result
    assert "Failed to load" not in result.out
    ((name, asked),) = module.asked["providers"]
    assert name == "CUDAExecutionProvider"
    assert asked == {"device_id": "0", "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    assert module.asked["options"].get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
    stamp = read_stamp(read_picture(Path("o/0003.exr")).attributes)
    assert stamp is not None
    made_by = stamp.recipe.fingerprint
    assert made_by["runtime"] == "onnxruntime-cuda 1.99"
    assert (made_by["device"], made_by["compute_capability"], made_by["cuda"]) == ("NVIDIA Pretend 1", "9.0", "13.0")
    assert made_by["precision"] == "f32"
    again = cli("render", tiny, "--seeds", "0-3", "--out", "o/####.exr")
    assert again.code == 2  # frames of another runtime
    assert "runtime onnxruntime-cuda 1.99, not onnxruntime" in again.line


def test_a_silent_fallback_to_the_cpu_is_an_error(cli: Any, tiny: Path, pretend: Any) -> None:
    pretend(["CPUExecutionProvider"])
    result = cli("render", tiny, "--seeds", "0", "--out", "a.exr", "--runtime", "onnxruntime-cuda")
    assert result.code == 1
    assert "onnxruntime was asked for CUDA and gave CPUExecutionProvider" in result.line
    assert not Path("a.exr").exists()


class PretendRunner:
    """An engine that is really the ONNX file on the CPU, of a batch of its own."""

    batch = 1
    about = "2 at a time on the GPU, by CUDA graphs"
    device = -1

    def __init__(self, engine: bytes, device: int = 0, *, host_code: bool = False, slots: int = 2) -> None:
        PretendRunner.device = device
        onnxruntime = pytest.importorskip("onnxruntime")
        self._session = onnxruntime.InferenceSession(engine, providers=["CPUExecutionProvider"])
        self.input_shape = (self.batch, *self._session.get_inputs()[0].shape[1:])
        self.open, self.host_code = True, host_code

    def infer(self, x: np.ndarray) -> np.ndarray:
        assert self.open
        assert x.shape[0] == 1
        return self._session.run(None, {self._session.get_inputs()[0].name: x})[0]

    def close(self) -> None:
        self.open = False


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    place = "vfxgan.render.runtimes.tensorrt_gpu"
    monkeypatch.setattr(f"{place}.this_machine", lambda gpu: HERE)
    monkeypatch.setattr(f"{place}.device_facts", lambda device: FACTS)
    monkeypatch.setattr(f"{place}.EngineRunner", PretendRunner)


def put_engine(model_path: Path, *, machine: Machine = HERE, onnx_name: str | None = None, **options: Any) -> Path:
    model = read_model(model_path)
    shape = (options.get("batch", 1), 16)
    shapes = InputShapes(name="latent", min=shape, opt=shape, max=shape)
    where = BuiltOn(
        tensorrt=str(machine.tensorrt), gpu=str(machine.gpu), compute_capability=str(machine.compute_capability)
    )
    key = make_key(model.sha256, BuildOptions(**options), shapes, "strong", where)
    data = model.read()
    sidecar = Sidecar(
        digest=key.digest(),
        key=key,
        engine_sha256=hashlib.sha256(data).hexdigest(),
        engine_bytes=len(data),
        onnx_name=onnx_name or model_path.name,
        built=where,
        spec=model.spec,
    )
    engine = model_path.with_name(key.file_name(model_path.stem))
    write_engine_files(engine, data, sidecar)
    return engine


@pytest.fixture
def model(make_model: Any, tmp_path: Path) -> Path:
    return make_model(tmp_path / "m.onnx")


def render(cli: Any, model: Path, *options: object) -> Any:
    return cli("render", model, "--seeds", "0-2", "--out", "o/####.exr", "--runtime", "tensorrt", *options)


def refused(result: Any, *parts: str) -> None:
    assert result.code == 1, result
    assert len(result.err.strip().splitlines()) == 1
    for part in parts:
        assert part in result.line
    assert not Path("o").exists()


def test_an_engine_beside_the_model_is_used_and_its_hash_recorded(cli: Any, model: Path, on_gpu: None) -> None:
    engine = put_engine(model)
    assert render(cli, model).code == 0
    stamp = read_stamp(read_picture(Path("o/0001.exr")).attributes)
    assert stamp is not None
    made_by = stamp.recipe.fingerprint
    assert made_by["runtime"] == "tensorrt 10.16.1.11"
    assert made_by["engine"] == hashlib.sha256(engine.read_bytes()).hexdigest()
    assert (made_by["batch"], made_by["device"]) == (1, "NVIDIA Pretend 1")
    assert "0 rendered, 3 were done before" in render(cli, model).line


def test_an_engine_of_a_larger_batch_makes_the_same_frames_under_another_fingerprint(
    cli: Any, model: Path, on_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_engine(model, batch=4)
    monkeypatch.setattr(PretendRunner, "batch", 4)
    assert render(cli, model).code == 0
    stamp = read_stamp(read_picture(Path("o/0001.exr")).attributes)
    assert stamp is not None
    assert stamp.recipe.fingerprint["batch"] == 4
    assert cli("render", model, "--seeds", "0-2", "--out", "p/####.exr").code == 0
    np.testing.assert_array_equal(read_picture(Path("o/0001.exr")).pixels, read_picture(Path("p/0001.exr")).pixels)


def test_no_engine_says_how_to_build_one(cli: Any, model: Path) -> None:
    refused(render(cli, model), "there is no TensorRT engine beside it", f"build one: vfxgan export {model} --trt")


def test_an_engine_without_a_gpu_says_what_is_missing(cli: Any, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_engine(model)
    missing = Machine(missing="there is no NVIDIA driver: install it")
    monkeypatch.setattr("vfxgan.render.runtimes.tensorrt_gpu.this_machine", lambda gpu: missing)
    refused(render(cli, model), "no engine can be used here: there is no NVIDIA driver: install it")


@pytest.mark.parametrize(
    ("elsewhere", "reason"),
    [
        ({"tensorrt": "10.0.0.6"}, "built with TensorRT 10.0.0.6, here is 10.16.1.11"),
        ({"gpu": "NVIDIA Other"}, "built for NVIDIA Other (compute capability 9.0), here is NVIDIA Pretend 1"),
    ],
)
def test_an_engine_of_another_machine_is_refused_with_the_reason(
    cli: Any, model: Path, on_gpu: None, elsewhere: dict[str, str], reason: str
) -> None:
    put_engine(model, machine=HERE.model_copy(update=elsewhere))
    refused(render(cli, model), "no engine fits: m.nvidia-", reason, "vfxgan export")


def test_an_engine_of_an_older_model_is_refused(cli: Any, make_model: Any, model: Path, on_gpu: None) -> None:
    put_engine(model)
    make_model(model, seed=5)
    refused(render(cli, model), "no engine fits", "m.onnx is another one now")


def test_an_engine_of_the_half_model_names_that_model(
    cli: Any, make_model: Any, model: Path, on_gpu: None, tmp_path: Path
) -> None:
    put_engine(make_model(tmp_path / "m.fp16.onnx", seed=5))
    refused(render(cli, model), "it is of m.fp16.onnx: name that model")


def test_damaged_engines_and_sidecars_are_refused(cli: Any, model: Path, on_gpu: None) -> None:
    engine = put_engine(model)
    whole = engine.read_bytes()
    engine.write_bytes(whole[:-1] + b"x")
    refused(render(cli, model), "is not the", "of its sidecar")
    engine.write_bytes(whole)
    Path(f"{engine}.json").write_text("{}")
    refused(render(cli, model), "no engine fits", "is damaged")


def test_of_several_engines_one_must_be_named(cli: Any, model: Path, on_gpu: None) -> None:
    first, second = put_engine(model), put_engine(model, opt_level=5)
    refused(render(cli, model), "2 engines of it fit here", first.name, second.name, "--engine")
    assert render(cli, model, "--engine", second).code == 0
    result = render(cli, model, "--engine", "none.plan")
    assert result.code == 2
    assert "--engine none.plan: no such file" in result.line
    result = cli("render", model, "--seeds", "0", "--out", "a.exr", "--engine", second)
    assert result.code == 2
    assert "goes with --runtime tensorrt" in result.line


def test_how_an_engine_runs_is_said_and_not_recorded(cli: Any, model: Path, on_gpu: None) -> None:
    engine = put_engine(model)
    how = f"{engine.name}: 2 at a time on the GPU, by CUDA graphs"
    assert f"running    {how}\n" in render(cli, model, "--dry-run").out
    assert render(cli, model).err.splitlines()[0] == how
    stamp = read_stamp(read_picture(Path("o/0001.exr")).attributes)
    assert stamp is not None
    assert "graph" not in stamp.recipe.to_json().lower()


def test_the_gpu_of_a_number_is_used_and_its_number_not_recorded(
    cli: Any, model: Path, on_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_engine(model)
    asked: list[int] = []

    def facts(device: int) -> DeviceFacts:
        asked.append(device)
        return FACTS

    monkeypatch.setattr("vfxgan.render.runtimes.tensorrt_gpu.device_facts", facts)
    assert render(cli, model, "--devices", "1").code == 0
    assert (asked, PretendRunner.device) == ([1], 1)
    assert "0 rendered, 3 were done before" in render(cli, model, "--devices", "0").line


def test_cuda_runs_on_the_gpu_of_a_number(cli: Any, tiny: Path, pretend: Any) -> None:
    module = pretend(["CUDAExecutionProvider"])
    options = ("--runtime", "onnxruntime-cuda", "--devices", "3")
    assert cli("render", tiny, "--seeds", "0", "--out", "o/####.exr", *options).code == 0
    ((_, asked),) = module.asked["providers"]
    assert asked["device_id"] == "3"


def test_a_fitting_engine_is_what_auto_chooses(
    cli: Any, model: Path, on_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vfxgan.render.runtimes.choice.this_machine", lambda gpu: HERE)
    put_engine(model)
    result = cli("render", model, "--seeds", "0", "--out", "o/####.exr", "--runtime", "auto")
    assert result.err.splitlines()[0] == "--runtime auto: tensorrt, by the engine beside the model"
    stamp = read_stamp(read_picture(Path("o/0000.exr")).attributes)
    assert stamp is not None
    assert stamp.recipe.fingerprint["runtime"] == "tensorrt 10.16.1.11"
