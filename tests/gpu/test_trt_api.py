"""Our calls into TensorRT and CUDA, held against NVIDIA's real bindings of four releases.

The bindings are real, what is behind them is not (tools/trt_api.py): names, flags, signatures and the order of our
calls are proven here, no engine is built or run. That is what benchmarks/gpu_check.py is for, on a machine with a GPU.
"""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
RELEASES = ("8.6.1", "10.0.1", "10.16.1.11", "11.4.0.106")
NEW = RELEASES[1:]
FOLDERS = ("core", "export", "render", "benchmarks")
# Files that only some releases run.
ONLY = {ROOT / "export" / "trt" / "build_8.py": ("8.6.1",)}
# Names that not every release has, and what our code does where it is missing.
NOT_EVERYWHERE = {
    "NetworkDefinitionCreationFlag.STRONGLY_TYPED": (NEW, "8.6 has a branch of its own, without it"),
    "IProgressMonitor.__init__": (NEW, "8.6 shows the time instead"),
    "HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY": (RELEASES[2:], "asked for with hasattr, refused without"),
    "IBuilderConfig.progress_monitor": (NEW, "8.6 shows the time instead"),
    "ParserError.node_name": (NEW, "asked for with hasattr"),
    "ParserError.node_operator": (NEW, "asked for with hasattr"),
}
# What variables of these names are, wherever they stand in a file that uses TensorRT.
VARIABLES = {
    "builder": "Builder",
    "network": "INetworkDefinition",
    "config": "IBuilderConfig",
    "parser": "OnnxParser",
    "profile": "IOptimizationProfile",
    "layer": "ILayer",
    "error": "ParserError",
    "engine": "ICudaEngine",
    "_engine": "ICudaEngine",
    "context": "IExecutionContext",
    "_context": "IExecutionContext",
    "_runtime": "Runtime",
}
TRT_FILES = (
    "core/gpu/engine.py",
    "core/gpu/slot.py",
    "core/gpu/log.py",
    "export/trt/network.py",
    "export/trt/build.py",
)


def sources() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def chains(path: Path, root: str) -> set[str]:
    """`trt.BuilderFlag.FP16` is "BuilderFlag.FP16"; of a chain its longest form only."""
    found, inner = set(), set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            if re.fullmatch(rf"{re.escape(root)}(\.\w+)+", text):
                found.add(text.removeprefix(f"{root}."))
                inner.add(ast.unparse(node.value).removeprefix(f"{root}."))
    return found - inner


def names_for(release: str) -> tuple[str, ...]:
    """All that our sources name of `tensorrt`, where this release runs them."""
    named = {name for path in sources() if release in ONLY.get(path, RELEASES) for name in chains(path, "trt") if name}
    named |= {name for place in TRT_FILES for name in attributes_of_variables(ROOT / place)}
    if release == "8.6.1":
        named |= set(attributes_of_variables(ROOT / "export" / "trt" / "build_8.py"))
    return tuple(sorted(name for name in named if release in NOT_EVERYWHERE.get(name, (RELEASES,))[0]))


def attributes_of_variables(path: Path) -> Iterator[str]:
    for variable, class_name in VARIABLES.items():
        for root in (variable, f"self.{variable}"):
            yield from (f"{class_name}.{name.split('.')[0]}" for name in chains(path, root))


@pytest.mark.parametrize("release", RELEASES)
def test_every_name_of_tensorrt_in_our_sources_is_there(bindings, release):
    names = names_for(release)
    assert len(names) > 25
    assert bindings.missing(release, names) == []


def test_a_name_that_is_not_there_is_found(bindings):
    """The check itself: TensorRT 11 has no FP16 flag, which most public code breaks on."""
    assert bindings.missing("11.4.0.106", ("BuilderFlag.FP16", "BuilderFlag.TF32")) == ["BuilderFlag.FP16"]
    assert "BuilderFlag.FP16" in chains(ROOT / "export" / "trt" / "build_8.py", "trt")


def test_the_exceptions_are_still_needed(bindings):
    assert all(reason for _, reason in NOT_EVERYWHERE.values())
    for release in RELEASES:
        lacking = {name for name, (having, _) in NOT_EVERYWHERE.items() if release not in having}
        assert set(bindings.missing(release, NOT_EVERYWHERE)) == lacking


def test_tensorrt_goes_by_one_name_in_our_sources():
    """Else the check above would not see it."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    assert alias.name.split(".")[0] != "tensorrt" or alias.asname == "trt", path
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] != "tensorrt", path
            if isinstance(node, ast.Assign) and ast.unparse(node.value) == "tensorrt()":
                assert ast.unparse(node.targets[0]) == "trt", path


def calls_of(scenario, name):
    return [arguments for called, arguments in scenario["calls"] if called == name]


@pytest.mark.parametrize("release", RELEASES)
class TestBuilding:
    """Runs on autospecs of the release's real classes: a wrong method, argument or type is an error there."""

    def test_a_default_build_is_told_everything_also_what_is_a_default(self, bindings, release):
        found = bindings.of(release)["a_generator_of_a_fixed_batch"]
        order = [name for name, _ in found["calls"]]
        assert order.index("OnnxParser.set_flag") < order.index("OnnxParser.parse")
        assert order.index("OnnxParser.parse") < order.index("Builder.create_builder_config")
        assert order.index("IBuilderConfig.set_timing_cache") < order.index("Builder.build_serialized_network")
        assert ["TF32"] in calls_of(found, "IBuilderConfig.clear_flag")
        assert ["VERSION_COMPATIBLE"] in calls_of(found, "IBuilderConfig.clear_flag")
        assert found["settings"] == {"builder_optimization_level": 3, "hardware_compatibility_level": "NONE"}
        assert not calls_of(found, "IBuilderConfig.add_optimization_profile")

    def test_precision_is_the_files_with_10_and_later_and_layer_by_layer_with_8(self, bindings, release):
        found = bindings.of(release)["an_upscaler_with_every_option_set"]
        flags = calls_of(found, "IBuilderConfig.set_flag")
        if release == "8.6.1":
            assert calls_of(found, "Builder.create_network") == [[1 << 0]]  # EXPLICIT_BATCH
            assert ["FP16"] in flags
            assert ["OBEY_PRECISION_CONSTRAINTS"] in flags
        else:
            strongly_typed = 0 if release.startswith("11") else 1  # the number of the flag
            assert calls_of(found, "Builder.create_network") == [[1 << strongly_typed]]
            assert sorted(flags) == [["TF32"], ["VERSION_COMPATIBLE"]]

    def test_every_option_reaches_the_builder(self, bindings, release):
        found = bindings.of(release)["an_upscaler_with_every_option_set"]
        assert calls_of(found, "IBuilderConfig.set_memory_pool_limit") == [["WORKSPACE", 512 << 20]]
        assert found["settings"] == {"builder_optimization_level": 5, "hardware_compatibility_level": "AMPERE_PLUS"}
        shapes = [[4, 3, 8, 8], [4, 3, 16, 24], [4, 3, 64, 64]]
        assert calls_of(found, "IOptimizationProfile.set_shape") == [["image", *shapes]]
        assert len(calls_of(found, "IBuilderConfig.add_optimization_profile")) == 1
        flags = calls_of(found, "IBuilderConfig.set_flag")
        assert ["TF32"] in flags
        assert ["VERSION_COMPATIBLE"] in flags

    def test_a_tile_is_a_profile_of_one_size(self, bindings, release):
        found = bindings.of(release)["a_tile_is_a_profile_of_one_size"]
        assert calls_of(found, "IOptimizationProfile.set_shape") == [["image", *[[2, 3, 16, 24]] * 3]]

    def test_a_level_that_the_release_does_not_know_is_refused(self, bindings, release):
        found = bindings.of(release)["compatible_with_the_same_compute_capability"]
        if release in NOT_EVERYWHERE["HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY"][0]:
            assert found["settings"]["hardware_compatibility_level"] == "SAME_COMPUTE_CAPABILITY"
        else:
            assert found["type"] == "UsageError"
            assert f"same-compute-capability: TensorRT {release} does not know it" in found["message"]

    def test_the_engine_lies_under_the_name_of_its_key_with_its_sidecar(self, bindings, release):
        found = bindings.of(release)["a_generator_of_a_fixed_batch"]
        assert found["engine"]
        assert re.fullmatch(rf"generator\.nvidia-rig-5\.{re.escape(release)}\.[0-9a-f]{{12}}\.plan", found["name"])
        assert found["files"] == [found["name"], f"{found['name']}.json"]
        assert found["key"]["typing"] == ("fp32" if release == "8.6.1" else "strong")

    def test_a_file_that_the_parser_refuses_is_one_line_with_nodes_and_reasons(self, bindings, release):
        found = bindings.of(release)["the_parser_refuses"]
        node = "node 1: reason 1 more" if release == "8.6.1" else "node node_1 (Conv): reason 1 more"
        assert found["type"] == "ModelError"
        assert node in found["message"]
        assert found["message"].endswith("and 2 more")
        assert "\n" not in found["message"]

    def test_a_failed_build_gives_tensorrts_own_reason(self, bindings, release):
        found = bindings.of(release)["the_builder_gives_nothing"]
        reason = f"TensorRT {release} could not build the engine (Internal Error: out of luck)"
        assert found == {"type": "RuntimeFailure", "message": reason}

    def test_ctrl_c_stops_the_build_and_leaves_nothing(self, bindings, release):
        found = bindings.of(release)["interrupted"]
        assert found["type"] == "Interrupted"
        assert "no engine was written" in found["message"]
        assert not found["cache"]
        assert found["stopped"] or release == "8.6.1", "step_complete must answer False"

    def test_timings_are_kept_used_again_and_left_out_where_they_do_not_fit(self, bindings, release):
        given = bindings.of(release)["timings_are_used_again"]["given"]
        assert given[0] == [""]
        assert given[1] == ["first"]
        assert given[2] == ["second", ""], "of another GPU: refused by TensorRT, then none"
        assert given[3] == [""], "the file on disk was damaged: TensorRT never sees it"

    def test_progress_is_shown(self, bindings, release):
        events = bindings.of(release)["progress"]
        total = 1 if release == "8.6.1" else 100
        assert events[0] == {"event": "started", "label": "building the engine", "total": total}
        assert events[1]["elapsed_s"] >= 0
        assert bindings.of(release)["a_generator_of_a_fixed_batch"]["monitored"] is (release != "8.6.1")

    def test_a_machine_without_a_gpu_is_said_in_one_line(self, bindings, release):
        """No stand-ins here: NVIDIA's module as it is."""
        found = bindings.of(release)
        assert found["tensorrt_does_not_start"]["message"].startswith(f"TensorRT {release} does not start")
        assert found["no_driver"]["type"] == "RuntimeFailure"
        assert found["no_driver"]["message"].startswith("CUDA: cudaGetDeviceCount ")


class TestBuildingWith8:
    def test_layers_of_nodes_that_the_file_keeps_fp32_are_held_there(self, bindings):
        found = bindings.of("8.6.1")["layers_that_stay_fp32"]
        held = {"precision": "FLOAT", "outputs": [[0, "FLOAT"]]}
        fp32 = {name for name, layer in found.items() if layer == held}
        assert fp32 == {"norm", "(Unnamed Layer* 7) [Shuffle]", "(Unnamed Layer* 12) [Activation]"}
        assert all(layer["outputs"] == [] for name, layer in found.items() if name not in fp32)

    def test_a_node_that_has_no_layer_to_hold_is_refused(self, bindings):
        found = bindings.of("8.6.1")["a_node_without_a_layer"]
        assert found["type"] == "RuntimeFailure"
        assert "no layer for node last, which must stay FP32 (2 such nodes)" in found["message"]

    def test_a_newer_opset_than_it_reads_is_refused_with_the_remedy(self, bindings):
        found = bindings.of("8.6.1")["a_file_that_is_too_new_for_8"]
        assert found["type"] == "ModelError"
        assert (
            "opset 20, IR 10; TensorRT 8.6.1 reads opset 17 and IR 8 at most: export it with --opset 17"
            in (found["message"])
        )


@pytest.mark.parametrize("release", RELEASES)
class TestRunning:
    def test_an_engine_runs_and_a_short_batch_is_filled_up(self, bindings, release):
        found = bindings.of(release)["an_engine_of_one_shape"]
        assert found["right"]
        assert found["shapes"] == [[4, 3, 8, 8], [4, 3, 16, 16], [4, 3, 16, 16], [3, 3, 16, 16]]
        assert found["host_code"] is False
        assert not calls_of(found, "IExecutionContext.set_input_shape")

    def test_all_memory_streams_and_graphs_are_freed(self, bindings, release):
        nothing = [0, 0, 0]
        found = bindings.of(release)
        assert found["an_engine_of_one_shape"]["left"] == nothing
        assert found["two_threads"]["left"] == nothing
        assert found["a_graph_that_cannot_be_made"]["left"] == nothing

    def test_each_slot_warms_up_and_is_captured_before_the_first_frame(self, bindings, release):
        opening = bindings.of(release)["an_engine_of_one_shape"]["opening"]
        first, second = dict.fromkeys(handle for _, handle in opening)
        expected = ["execute_async_v3", "wait", "capture", "execute_async_v3"]
        assert opening == [[what, first] for what in expected] + [[what, second] for what in expected]

    def test_copies_and_graph_are_queued_without_a_wait_between_them(self, bindings, release):
        running = bindings.of(release)["an_engine_of_one_shape"]["running"]
        one = ["cudaMemcpyHostToDevice", "launch", "cudaMemcpyDeviceToHost", "wait"]
        assert [what for what, _ in running] == 2 * one
        assert len({handle for _, handle in running}) == 1
        assert [what for what, _ in bindings.of(release)["an_engine_of_one_shape"]["alone"]] == ["launch", "wait"]

    def test_two_threads_have_work_queued_at_the_same_time_on_two_streams(self, bindings, release):
        found = bindings.of(release)["two_threads"]  # with one slot they would wait for each other for ever
        assert found["right"]
        assert len(found["streams"]) == 2

    def test_threads_wait_for_a_free_slot(self, bindings, release):
        found = bindings.of(release)["more_threads_than_slots"]
        assert found["right"]
        assert 1 <= found["streams"] <= 3
        assert found["about"] == "3 at a time on the GPU, without CUDA graphs (not asked for)"

    def test_an_engine_that_cannot_be_captured_runs_without_a_graph_and_says_so(self, bindings, release):
        found = bindings.of(release)["an_engine_that_cannot_be_captured"]
        assert found["right"]
        copies = ["cudaMemcpyHostToDevice", "execute_async_v3", "cudaMemcpyDeviceToHost", "wait"]
        assert found["running"] == copies
        assert found["about"] == "2 at a time on the GPU, without CUDA graphs (TensorRT could not run the engine)"
        found = bindings.of(release)["a_graph_that_cannot_be_made"]
        assert found["right"]
        assert "without CUDA graphs (CUDA: cudaGraphInstantiate gave " in found["about"]

    def test_after_a_failure_nothing_is_left_on_the_stream_and_the_slot_is_free(self, bindings, release):
        found = bindings.of(release)["a_copy_that_fails"]
        assert "CUDA: cudaGraphLaunch gave " in found["told"][0]
        assert found["queued"] == [0]
        assert found["right"]

    def test_where_contexts_cannot_share_a_range_of_sizes_there_is_one_slot(self, bindings, release):
        found = bindings.of(release)
        assert found["an_engine_of_one_shape"]["about"] == "2 at a time on the GPU, by CUDA graphs"
        about = found["an_engine_of_many_shapes"]["about"]
        if release == "8.6.1":
            assert about.startswith(
                "1 at a time on the GPU (TensorRT 8.6.1 runs an engine of a range of sizes once at a"
            )
        else:
            assert about == "2 at a time on the GPU, by CUDA graphs"

    def test_another_type_or_shape_or_a_closed_engine_is_refused(self, bindings, release):
        wrong_type, wrong_shape, closed = bindings.of(release)["an_engine_of_one_shape"]["told"]
        assert wrong_type == "input is float64 [4, 3, 8, 8], the engine takes float32 [4, 3, 8, 8]"
        assert wrong_shape == "input is float32 [4, 2, 8, 8], the engine takes float32 [4, 3, 8, 8]"
        assert "closed" in closed

    def test_an_engine_of_many_shapes_runs_at_its_best_or_at_one_that_is_named(self, bindings, release):
        found = bindings.of(release)["an_engine_of_many_shapes"]
        assert found["best"] == [2, 3, 16, 8]
        assert found["chosen"] == [[2, 3, 32, 8], [2, 3, 64, 16], [1, 3, 64, 16]]
        assert found["told"] == ["the engine takes [2, 3, 8, 8] to [2, 3, 32, 32], not [2, 3, 40, 8]"]

    def test_code_inside_an_engine_is_allowed_only_where_asked_for(self, bindings, release):
        assert bindings.of(release)["an_engine_of_many_shapes"]["host_code"] is True

    def test_an_engine_of_another_machine_is_refused(self, bindings, release):
        message = bindings.of(release)["an_engine_of_another_machine"]["message"]
        assert message == f"TensorRT {release} cannot make the engine; build it again on this machine"

    def test_what_was_allocated_before_the_memory_ran_out_is_freed(self, bindings, release):
        found = bindings.of(release)["no_memory_on_the_gpu"]
        assert found["left"] == [0, 0, 0]
        assert "cudaErrorMemoryAllocation; take a smaller tile or batch" in found["told"][0]
        no_room = "cannot make room for its layers for a frame beside 1 other; with --threads 1 there is one"
        assert found["second"] == [f"TensorRT {release} {no_room}"]
        assert found["about"] == "1 at a time on the GPU, by CUDA graphs"

    def test_the_gpu_is_named(self, bindings, release):
        facts = {"name": "NVIDIA Rig 5", "compute_capability": "8.6", "memory_bytes": 24 << 30, "driver": "13.1"}
        assert bindings.of(release)["the_gpu_in_use"] == facts


def load_tool():
    found = importlib.util.spec_from_file_location("trt_api", ROOT / "tools" / "trt_api.py")
    tool = importlib.util.module_from_spec(found)
    found.loader.exec_module(tool)
    return tool


def test_the_tool_says_why_a_release_cannot_be_had_and_does_not_fail(tmp_path, monkeypatch, capsys):
    tool = load_tool()
    monkeypatch.setattr(tool, "RELEASES", {"11.4.0.106": tool.RELEASES["11.4.0.106"]})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    tool.fetch(tmp_path)
    assert capsys.readouterr().out.startswith("11.4.0.106: not available: python")
    assert "No matching distribution found" in (tmp_path / "11.4.0.106" / "MISSING").read_text()
    assert not (tmp_path / "11.4.0.106" / "READY").exists()


def test_the_tool_names_the_compiler_that_is_missing(tmp_path, monkeypatch):
    tool = load_tool()
    monkeypatch.setattr(tool, "_unpack", lambda wheels, target: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    tool.fetch(tmp_path)
    said = "nm is not installed (Debian, Ubuntu: apt install gcc binutils)\n"
    assert (tmp_path / "10.16.1.11" / "MISSING").read_text() == said
