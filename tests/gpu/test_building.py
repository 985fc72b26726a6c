"""Around a build: shapes, progress, Ctrl-C, timings, and what is said where something is missing."""

import json
import signal
import sys
import threading
import types

import pytest

from vfxgan.errors import Interrupted, MissingExtraError, ModelError, RuntimeFailure, UsageError
from vfxgan.export.trt.build import build_engine, key_for, require_tensorrt
from vfxgan.export.trt.build_8 import fp32_nodes
from vfxgan.export.trt.monitor import Phases, run_build
from vfxgan.export.trt.shapes import input_shapes, open_axes
from vfxgan.export.trt.timing_cache import cache_folder, cache_path, load_timings, save_timings
from vfxgan.gpu import library
from vfxgan.gpu.identity import BuiltOn, Machine
from vfxgan.gpu.options import BuildOptions, Profile
from vfxgan.modelfile import read_model

WHERE = BuiltOn(tensorrt="10.16.1.11", gpu="NVIDIA RTX A6000", compute_capability="8.6")


class TestShapes:
    def test_a_generator_has_the_one_shape_of_its_graph(self, generator):
        shapes = input_shapes(read_model(generator), BuildOptions())
        assert (shapes.name, shapes.min, shapes.opt, shapes.max) == ("latent", (1, 16), (1, 16), (1, 16))
        assert shapes.static
        assert not open_axes(read_model(generator))

    def test_a_tile_and_a_batch_close_the_axes_of_an_image_model(self, upscaler):
        shapes = input_shapes(read_model(upscaler), BuildOptions(batch=4, tile=(16, 24)))
        assert (shapes.name, shapes.min, shapes.max) == ("image", (4, 3, 16, 24), (4, 3, 16, 24))
        assert open_axes(read_model(upscaler))

    def test_a_profile_gives_a_range(self, upscaler):
        profile = Profile(min=(8, 8), opt=(16, 24), max=(64, 64))
        shapes = input_shapes(read_model(upscaler), BuildOptions(profile=profile))
        assert (shapes.min, shapes.opt, shapes.max) == ((1, 3, 8, 8), (1, 3, 16, 24), (1, 3, 64, 64))
        assert not shapes.static

    @pytest.mark.parametrize(
        ("model", "options", "reason"),
        [
            ("generator", {"batch": 4}, "--batch 4: the batch of .*generator.onnx is fixed at 1.*--dynamic batch"),
            ("generator", {"tile": (8, 8)}, "tiny is a generator, its size is fixed"),
            ("upscaler", {}, "takes pictures of any size, an engine does not: give --tile HxW"),
            ("upscaler", {"tile": (16, 25)}, "16x25: tiny takes sides that are multiples of 8; the next is 16x32"),
            (
                "upscaler",
                {"profile": Profile(min=(8, 8), opt=(9, 8), max=(16, 16))},
                "9x8: .* multiples of 8; the next is 16x8",
            ),
        ],
    )
    def test_what_the_graph_cannot_do_is_refused_with_the_remedy(self, models, model, options, reason):
        with pytest.raises(UsageError, match=reason):
            input_shapes(read_model(models / f"{model}.onnx"), BuildOptions(**options))


class TestProgress:
    def test_steps_within_steps_add_up_and_never_go_back(self):
        phases, seen = Phases(), []
        phases.start("all", None, 2)
        phases.start("tactics", "all", 4)
        for step in range(4):
            assert phases.step("tactics", step)
            seen.append(phases.percent())
        phases.finish("tactics")
        seen.append(phases.percent())
        phases.step("all", 0)
        seen.append(phases.percent())
        phases.finish("all")
        phases.start("another", None, 10)
        seen.append(phases.percent())
        assert seen == [12, 25, 37, 50, 50, 50, 50]

    def test_after_a_cancel_the_next_step_stops_the_build(self):
        phases = Phases()
        phases.start("all", None, 2)
        phases.cancelled.set()
        assert phases.step("all", 0) is False

    def test_a_build_tells_phase_and_elapsed_time(self, capfd):
        phases = Phases()

        def build() -> str:
            phases.start("all", None, 2)
            phases.step("all", 0)
            return "engine"

        assert run_build(build, phases, "json") == "engine"
        events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        assert events[0]["label"] == "building the engine"
        assert (events[-2]["done"], events[-2]["total"], events[-2]["phase"]) == (100, 100, "all")
        assert events[-2]["elapsed_s"] < 60
        assert events[-1]["event"] == "finished"

    def test_where_tensorrt_says_nothing_the_time_is_told(self, capfd, monkeypatch):
        monkeypatch.setattr("vfxgan.progress.TELL_EVERY_S", 0)
        monkeypatch.setattr("vfxgan.export.trt.monitor.LOOK_EVERY_S", 0.001)
        looked = threading.Event()
        monkeypatch.setattr("vfxgan.progress._Lines.waiting", lambda self, note, facts: (print(note), looked.set()))

        def build() -> str:
            assert looked.wait(timeout=30)
            return "engine"

        assert run_build(build, None, "bar") == "engine"
        assert "0 s" in capfd.readouterr().out

    def test_what_goes_wrong_in_the_build_comes_out_as_it_is(self):
        def build() -> str:
            raise RuntimeFailure("TensorRT could not")

        with pytest.raises(RuntimeFailure, match="TensorRT could not"):
            run_build(build, Phases(), "none")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_ctrl_c_and_a_farms_cancel_stop_it(self, number):
        phases, before = Phases(), signal.getsignal(signal.SIGTERM)

        def build() -> str:
            phases.start("all", None, 1)
            signal.raise_signal(number)
            assert phases.cancelled.wait(timeout=30)
            assert not phases.step("all", 0)
            return "ended"

        with pytest.raises(Interrupted, match=r"interrupted after \d+ s; no engine was written"):
            run_build(build, phases, "none")
        assert signal.getsignal(signal.SIGTERM) == before


class TestTimings:
    def test_they_come_back_as_they_were_kept(self, tmp_path):
        path = tmp_path / "deep" / "a.timing"
        assert load_timings(path) == b""
        save_timings(path, b"timings")
        assert load_timings(path) == b"timings"
        assert [found.name for found in path.parent.iterdir()] == ["a.timing"]

    @pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:10], lambda data: b"x" + data])
    def test_a_damaged_file_is_left_out_with_a_warning(self, tmp_path, capfd, damage):
        path = tmp_path / "a.timing"
        save_timings(path, b"timings")
        path.write_bytes(damage(path.read_bytes()))
        assert load_timings(path) == b""
        assert f"warning: timing cache {path} is damaged; kernels are timed anew" in capfd.readouterr().err

    def test_a_place_that_cannot_be_written_costs_a_warning_only(self, tmp_path, capfd):
        (tmp_path / "file").write_bytes(b"")
        save_timings(tmp_path / "file" / "a.timing", b"timings")
        assert "timings were not kept" in capfd.readouterr().err

    def test_each_tensorrt_and_gpu_has_a_file_of_its_own(self, monkeypatch, tmp_path):
        monkeypatch.setenv("VFXGAN_CACHE", str(tmp_path))
        changed = ({}, {"tensorrt": "11.4.0.106"}, {"gpu": "NVIDIA L40S"}, {"compute_capability": "8.9"})
        paths = {cache_path(WHERE.model_copy(update=fields)) for fields in changed}
        assert len(paths) == 4
        assert tmp_path / "tensorrt" / "10.16.1.11.nvidia-rtx-a6000.8.6.timing" in paths

    def test_the_folder_is_the_users_unless_named(self, monkeypatch, tmp_path):
        monkeypatch.delenv("VFXGAN_CACHE", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert cache_folder() == tmp_path / "vfxgan"
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert cache_folder() == tmp_path / ".cache" / "vfxgan"


class TestWhatIsMissing:
    @pytest.fixture(autouse=True)
    def _nothing_here(self, monkeypatch):
        """No driver and no packages, also on a machine that has them."""
        monkeypatch.setattr(library, "DRIVER_LIBRARY", "libno-such-driver.so.1")
        for name in ("tensorrt", "cuda", "cuda.bindings", "cuda.bindings.runtime"):
            monkeypatch.setitem(sys.modules, name, None)

    def test_one_line_names_all_of_it_and_what_to_install(self):
        with pytest.raises(RuntimeFailure) as raised:
            require_tensorrt()
        line = str(raised.value)
        assert line.startswith("no engine can be built here: there is no NVIDIA driver (libno-such-driver.so.1 is not")
        assert "not installed: tensorrt and cuda-python (pip install 'vfxgan[trt]' --extra-index-url" in line
        assert "\n" not in line

    def test_a_missing_package_names_the_extra(self):
        with pytest.raises(MissingExtraError, match=r"^tensorrt is not installed, .*'vfxgan\[trt\]' --extra-index-url"):
            library.tensorrt()
        with pytest.raises(MissingExtraError, match=r"^cuda-python is not installed"):
            library.cuda_runtime()

    def test_a_package_without_its_libraries_is_another_thing(self, monkeypatch):
        def load(name):
            raise ImportError("libnvinfer.so.10: cannot open shared object file")

        monkeypatch.setattr(library.importlib, "import_module", load)
        with pytest.raises(RuntimeFailure, match=r"libraries behind it are not \(libnvinfer.so.10: cannot open"):
            library.tensorrt()

    @pytest.mark.parametrize("version", ["7.2.3.4", "8.5.3", None])
    def test_a_tensorrt_that_is_too_old_or_empty_is_said(self, monkeypatch, version):
        module = types.ModuleType("tensorrt")
        if version:
            module.__version__ = version
        monkeypatch.setitem(sys.modules, "tensorrt", module)
        with pytest.raises(RuntimeFailure, match=r"is too old, 8\.6 is needed"):
            library.tensorrt()

    def test_tensorrt_9_is_refused_by_name(self, generator):
        model, options = read_model(generator), BuildOptions()
        with pytest.raises(RuntimeFailure, match=r"TensorRT 9\.3\.0 is not supported: 8\.6, 10\.x and 11\.x are"):
            key_for(model, options, input_shapes(model, options), WHERE.model_copy(update={"tensorrt": "9.3.0"}))

    def test_nothing_is_looked_at_before_the_machine_was(self, tmp_path):
        with pytest.raises(RuntimeFailure, match="no engine can be built here"):
            build_engine(tmp_path / "none.onnx", BuildOptions())

    def test_a_model_that_is_not_there_is_one_line(self, tmp_path, monkeypatch):
        module = types.ModuleType("tensorrt")
        module.__version__ = "10.16.1.11"
        monkeypatch.setitem(sys.modules, "tensorrt", module)
        machine = Machine(tensorrt="10.16.1.11", gpu="NVIDIA RTX A6000", compute_capability="8.6")
        with pytest.raises(ModelError, match=r"none\.onnx"):
            build_engine(tmp_path / "none.onnx", BuildOptions(), machine=machine)


class TestNodesThatStayFp32:
    """What the 8.6 branch reads from an FP16 file."""

    def test_they_are_those_that_compute_in_fp32(self, upscaler):
        onnx = pytest.importorskip("onnx")
        assert fp32_nodes(onnx.load(upscaler)) == {"norm": frozenset({"d"}), "last": frozenset({"picture"})}

    def test_what_is_computed_from_weights_alone_does_not_count(self, upscaler):
        onnx = pytest.importorskip("onnx")
        model = onnx.load(upscaler)
        model.graph.node.append(onnx.helper.make_node("Neg", ["gain"], ["minus"], name="constant"))
        assert "constant" not in fp32_nodes(model)
