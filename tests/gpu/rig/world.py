"""A TensorRT that answers: the real module of a release, whose factories give autospecs that behave."""

import ctypes
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cuda_memory import CudaMemory
from specs import Specs

PLAN = b"the bytes of an engine"
BUILD = "Building engine"


@dataclass
class Layer:
    """What the 8.6 parser would make of a node."""

    name: str
    type: str
    outputs: Sequence[tuple[str, str]]  # name and type of the tensors
    metadata: str = ""


@dataclass
class World:
    """Set it up, call `install`, run our code, look at `specs.calls` and the objects.

    Attributes:
        parse_errors: description, place and name of the node, operator; none: the file is read.
        build_error: what TensorRT logs before it gives no engine.
        interrupt: Ctrl-C comes in the middle of the build.
        timings: what a timing cache holds after a build.
        refuses_timings: the cache is of another GPU.
        shapes: of the engine's input and output; -1 where it takes a range.
        profile: least, best and largest shape of the input.
        cuda: whose streams the engine runs on.
        captures: CUDA graphs can be made of it.
        contexts: that there is memory for.
    """

    trt: Any
    parse_errors: list[tuple[str, int, str, str]] = field(default_factory=list)
    build_error: str = ""
    interrupt: bool = False
    timings: bytes = b"timings after the build"
    refuses_timings: bool = False
    layers: list[Layer] = field(default_factory=list)
    shapes: tuple[tuple[int, ...], tuple[int, ...]] = ((4, 3, 8, 8), (4, 3, 16, 16))
    profile: tuple[tuple[int, ...], ...] = ()
    cuda: CudaMemory | None = None
    captures: bool = True
    contexts: int = 100

    def install(self) -> "World":
        self.specs = Specs(self.trt)
        self.asked_to_stop = False
        for name, make in {"Builder": self._builder, "OnnxParser": self._parser, "Runtime": self._runtime}.items():
            self.specs.stand_in(name, make)
        return self

    def _builder(self, log: Any) -> Any:
        self.log = log
        self.config = self._config()
        self.network = self._network()
        self.profile_made = self.specs.object("IOptimizationProfile")
        return self.specs.object(
            "Builder",
            {
                "create_network": lambda flags=0: self.network,
                "create_builder_config": lambda: self.config,
                "create_optimization_profile": lambda: self.profile_made,
                "build_serialized_network": self._build,
            },
        )

    def _config(self) -> Any:
        self.given_timings: list[bytes] = []

        def created(timings: bytes) -> Any:
            self.given_timings.append(timings)
            return self.specs.object("ITimingCache", {"serialize": lambda: self.timings})

        refusals = [False] if self.refuses_timings else []
        return self.specs.object(
            "IBuilderConfig",
            {
                "create_timing_cache": created,
                "set_timing_cache": lambda cache, ignore_mismatch: refusals.pop() if refusals else True,
                "get_timing_cache": lambda: self.specs.object("ITimingCache", {"serialize": lambda: self.timings}),
                "add_optimization_profile": lambda profile: 0,
            },
        )

    def _network(self) -> Any:
        made = [self._layer(layer) for layer in self.layers]
        self.layers_made = made
        return self.specs.object("INetworkDefinition", {"get_layer": lambda index: made[index]}, num_layers=len(made))

    def _layer(self, layer: Layer) -> Any:
        tensors = [
            self.specs.object("ITensor", name=name, dtype=getattr(self.trt.DataType, kind))
            for name, kind in layer.outputs
        ]
        made = self.specs.object(
            "ILayer",
            {"get_output": lambda index: tensors[index]},
            name=layer.name,
            metadata=layer.metadata,
            type=getattr(self.trt.LayerType, layer.type),
            num_outputs=len(tensors),
        )
        if hasattr(made, "precision"):  # not in TensorRT 11
            made.precision = None
        return made

    def _parser(self, network: Any, logger: Any) -> Any:
        return self.specs.object(
            "OnnxParser",
            {"parse": lambda model, path=None: not self.parse_errors, "get_error": self._parse_error},
            num_errors=len(self.parse_errors),
        )

    def _parse_error(self, index: int) -> Any:
        reason, node, name, operator = self.parse_errors[index]
        answers = {"desc": lambda: reason, "node": lambda: node}
        if hasattr(self.trt.ParserError, "node_name"):
            answers |= {"node_name": lambda: name, "node_operator": lambda: operator}
        return self.specs.object("ParserError", answers)

    def _build(self, network: Any, config: Any) -> Any:
        monitor = getattr(config, "progress_monitor", None)
        if self.interrupt:
            signal.raise_signal(signal.SIGINT)
            if monitor is None:
                return PLAN
            monitor.phase_start(BUILD, None, 1)
            while monitor.step_complete(BUILD, 0):  # as TensorRT: the answer to a step is the one way to stop it
                pass
            self.asked_to_stop = True
            return None
        if monitor is not None:
            monitor.phase_start(BUILD, None, 2)
            monitor.phase_start("Tactic selection", BUILD, 4)
            assert all(monitor.step_complete("Tactic selection", step) for step in range(4))
            monitor.phase_finish("Tactic selection")
            assert monitor.step_complete(BUILD, 1)
            monitor.phase_finish(BUILD)
        if self.build_error:
            self.log.log(self.trt.ILogger.ERROR, self.build_error)
            return None
        return bytearray(PLAN)

    def _runtime(self, logger: Any) -> Any:
        self.runtime = self.specs.object(
            "Runtime", {"deserialize_cuda_engine": self._deserialised}, engine_host_code_allowed=False
        )
        return self.runtime

    def _deserialised(self, serialized_engine: bytes) -> Any:
        if serialized_engine != PLAN:
            return None
        kinds = {"image": self.trt.TensorIOMode.INPUT, "picture": self.trt.TensorIOMode.OUTPUT}
        names = list(kinds)
        return self.specs.object(
            "ICudaEngine",
            {
                "get_tensor_name": lambda index: names[index],
                "get_tensor_mode": lambda name: kinds[name],
                "get_tensor_dtype": lambda name: self.trt.DataType.FLOAT,
                "get_tensor_shape": lambda name: self.shapes[names.index(name)],
                "get_tensor_profile_shape": lambda name, profile_index: list(self.profile),
                "create_execution_context": self._context,
            },
            num_io_tensors=2,
        )

    def _context(self) -> Any:
        self.contexts -= 1
        if self.contexts < 0:
            return None
        context = Context(self, self.shapes[0])
        return self.specs.object(
            "IExecutionContext",
            {
                "set_input_shape": context.set_input_shape,
                "get_tensor_shape": context.output_shape,
                "set_tensor_address": context.set_address,
                "execute_async_v3": context.execute,
            },
        )


class Context:
    """What an execution context does: twice the size, each pixel repeated, and 1 added."""

    def __init__(self, world: World, input_shape: tuple[int, ...]) -> None:
        self.world, self.input_shape = world, input_shape
        self.addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.input_shape = shape
        return True

    def set_address(self, name: str, memory: int) -> bool:
        self.addresses[name] = memory
        return True

    def output_shape(self, name: str) -> tuple[int, ...]:
        batch, channels, height, width = self.input_shape
        return (batch, channels, 2 * height, 2 * width)

    def execute(self, stream_handle: int) -> bool:
        """Queued on the stream: what is read before the stream was waited for is old."""
        cuda = self.world.cuda
        assert cuda is not None
        if cuda.is_capturing(stream_handle) and not self.world.captures:
            return False
        cuda.queue(stream_handle, "execute_async_v3", self._run)
        return True

    def _run(self) -> None:
        source = self._array("image", self.input_shape)
        self._array("picture", self.output_shape("picture"))[:] = source.repeat(2, 2).repeat(2, 3) + 1

    def _array(self, name: str, shape: tuple[int, ...]) -> Any:
        items = int(np.prod(shape))
        return np.ctypeslib.as_array((ctypes.c_float * items).from_address(self.addresses[name])).reshape(shape)
