"""What the builder is told about the input: one shape, or a range of them."""

from vfxgan.errors import ModelError, UsageError
from vfxgan.gpu.options import BuildOptions, InputShapes, Size
from vfxgan.modelfile import ModelFile
from vfxgan.onnx_metadata import Border
from vfxgan.spec import ImageInput, ModelSpec


def input_shapes(model: ModelFile, options: BuildOptions) -> InputShapes:
    """From the graph's own input, and from the options where it leaves something open.

    Raises:
        UsageError: the options ask for what the graph cannot do, or leave something open.
        ModelError: the graph has another input than its spec says.
    """
    graph = _graph_input(model)
    _check_batch(model, graph, options)
    if not isinstance(model.spec.input, ImageInput):
        if options.tile is not None or options.profile is not None:
            raise UsageError(f"--tile, --profile: {model.spec.name} is a generator, its size is fixed; leave them out")
        shape = (options.batch, model.spec.input.size)
        return InputShapes(name=graph.name, min=shape, opt=shape, max=shape)
    low, best, high = _sizes(model, graph, options)
    start = (options.batch, model.spec.input.channels)
    return InputShapes(name=graph.name, min=(*start, *low), opt=(*start, *best), max=(*start, *high))


def open_axes(model: ModelFile) -> bool:
    """The graph leaves an axis of its input open, so that the builder needs an optimization profile."""
    return any(not isinstance(side, int) for side in _graph_input(model).shape)


def _graph_input(model: ModelFile) -> Border:
    expected = 4 if isinstance(model.spec.input, ImageInput) else 2
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != expected:
        shapes = [list(border.shape) for border in model.inputs]
        raise ModelError(f"{model.path}: its inputs are {shapes}, one of {expected} axes is needed; export it again")
    return model.inputs[0]


def _check_batch(model: ModelFile, graph: Border, options: BuildOptions) -> None:
    batch = graph.shape[0]
    if isinstance(batch, int) and batch != options.batch:
        raise UsageError(
            f"--batch {options.batch}: the batch of {model.path} is fixed at {batch}; export it with --dynamic batch"
        )


def _sizes(model: ModelFile, graph: Border, options: BuildOptions) -> tuple[Size, Size, Size]:
    """H and W: least, best, largest."""
    asked = options.profile
    low, best, high = (asked.min, asked.opt, asked.max) if asked else (options.tile,) * 3
    fixed = tuple(side for side in graph.shape[2:] if isinstance(side, int))
    if len(fixed) == 2:
        size = (fixed[0], fixed[1])
        if (low, high) not in ((None, None), (size, size)):
            raise UsageError(f"--tile, --profile: the size of {model.path} is fixed at {_by(size)}; export it without")
        return size, size, size
    if low is None or best is None or high is None:
        raise UsageError(
            f"{model.path} takes pictures of any size, an engine does not: give --tile HxW, or --profile MIN,OPT,MAX"
        )
    for size in (low, best, high):
        _check_multiple(size, model.spec)
    return low, best, high


def _check_multiple(size: Size, spec: ModelSpec) -> None:
    multiple = spec.input.size_multiple if isinstance(spec.input, ImageInput) else 1
    if any(side % multiple for side in size):
        up = _by((-(-size[0] // multiple) * multiple, -(-size[1] // multiple) * multiple))
        raise UsageError(f"{_by(size)}: {spec.name} takes sides that are multiples of {multiple}; the next is {up}")


def _by(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
