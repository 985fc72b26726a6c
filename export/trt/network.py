"""What the builds of all TensorRT series share: reading the ONNX file into a network, and the builder's settings."""

from typing import Any

from vfxgan.errors import ModelError, RuntimeFailure, UsageError
from vfxgan.gpu.log import because
from vfxgan.gpu.options import BuildOptions, HardwareLevel, InputShapes
from vfxgan.modelfile import ModelFile

MAX_ERRORS_SHOWN = 3
MAX_REASON_CHARS = 200


def make_builder(trt: Any, log: Any) -> Any:
    """Raises RuntimeFailure: TensorRT does not start; its own reason is in the message."""
    try:
        builder = trt.Builder(log)
    except TypeError as error:  # what pybind makes of a null from the library
        raise RuntimeFailure(f"TensorRT {trt.__version__} does not start{because(log)}; check nvidia-smi") from error
    return builder


def parse_onnx(trt: Any, network: Any, log: Any, model: ModelFile) -> Any:
    """Read the file into the network.

    Returns:
        The parser. It owns the weights, and must live until the engine is built.
    Raises:
        ModelError: TensorRT does not take it; one line with the nodes and the reasons.
    """
    parser = trt.OnnxParser(network, log)
    parser.set_flag(trt.OnnxParserFlag.NATIVE_INSTANCENORM)  # the plugin fits no compatible engine; 8.6 defaults to it
    if parser.parse(model.read()):
        return parser
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    shown = "; ".join(_described(error) for error in errors[:MAX_ERRORS_SHOWN]) or f"no reason given{because(log)}"
    more = f"; and {len(errors) - MAX_ERRORS_SHOWN} more" if len(errors) > MAX_ERRORS_SHOWN else ""
    raise ModelError(f"{model.path}: TensorRT {trt.__version__} cannot read it: {shown}{more}")


def _described(error: Any) -> str:
    """`node (operator): reason`; TensorRT 8.6 knows the node only by its place in the file."""
    reason = " ".join(str(error.desc()).split())[:MAX_REASON_CHARS]
    if hasattr(error, "node_name"):
        return f"node {error.node_name() or error.node()} ({error.node_operator()}): {reason}"
    return f"node {error.node()}: {reason}"


def make_config(trt: Any, builder: Any, options: BuildOptions) -> Any:
    """All that the options say, said; also what is TensorRT's default, since defaults change between versions.

    Raises:
        UsageError: this TensorRT does not know a level that was asked for.
    """
    config = builder.create_builder_config()
    if options.workspace_mib is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib << 20)
    config.builder_optimization_level = options.opt_level
    config.hardware_compatibility_level = _hardware_level(trt, options.hardware_compat)
    set_flag(config, trt.BuilderFlag.VERSION_COMPATIBLE, options.version_compat)
    set_flag(config, trt.BuilderFlag.TF32, options.tf32)
    return config


def set_flag(config: Any, flag: Any, on: bool) -> None:
    """Either way, and not only where it differs from a default."""
    (config.set_flag if on else config.clear_flag)(flag)


def _hardware_level(trt: Any, level: HardwareLevel) -> Any:
    if level == "none":
        return trt.HardwareCompatibilityLevel.NONE
    if level == "ampere-plus":
        return trt.HardwareCompatibilityLevel.AMPERE_PLUS
    if not hasattr(trt.HardwareCompatibilityLevel, "SAME_COMPUTE_CAPABILITY"):
        raise UsageError(f"--hardware-compat {level}: TensorRT {trt.__version__} does not know it, 10.16 does")
    return trt.HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY


def add_profile(builder: Any, config: Any, shapes: InputShapes) -> None:
    """Where the graph leaves axes open. For one shape, least, best and largest are the same."""
    profile = builder.create_optimization_profile()
    profile.set_shape(shapes.name, shapes.min, shapes.opt, shapes.max)
    config.add_optimization_profile(profile)


def serialized(trt: Any, builder: Any, network: Any, config: Any, log: Any) -> bytes:
    """The minutes: the engine's bytes. Raises RuntimeFailure with TensorRT's own reason."""
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise RuntimeFailure(f"TensorRT {trt.__version__} could not build the engine{because(log)}")
    return bytes(plan)
