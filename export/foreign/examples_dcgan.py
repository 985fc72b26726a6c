"""The DCGAN generator of pytorch/examples, and of PyTorch's tutorial, which has the same layers."""

import re

from torch import Tensor

from vfxgan.errors import ModelError
from vfxgan.export.foreign.architecture import Architecture, Imported, Shapes, Tensors, fill
from vfxgan.export.foreign.hints import Hints
from vfxgan.spec import Argument, LatentInput
from vfxgan.trainer.networks.dcgan import DcganGenerator, border_window

KERNEL = 4


def _detect(shapes: Shapes) -> bool:
    first = shapes.get("main.0.weight", ())
    return (
        len(first) == 4 and first[2:] == (KERNEL, KERNEL) and {"main.1.running_mean", "main.3.weight"} <= shapes.keys()
    )


def _build(tensors: Tensors, hints: Hints) -> Imported:
    layers = _layers(tensors)
    z_size, width = layers[0].shape[:2]
    size = KERNEL << (len(layers) - 1)
    channels = (width, *(layer.shape[1] for layer in layers[1:-1]))
    arguments: dict[str, Argument] = {
        "size": size,
        "z_size": z_size,
        "channels": channels,
        "channels_out": layers[-1].shape[1],
        "upsample": "transpose",
    }
    network = fill("dcgan", arguments, _our_names(tensors, len(layers)))
    assert isinstance(network, DcganGenerator)
    network.window = border_window(size, 0)  # not among the weights, so it has no memory yet
    return Imported(
        source=f"pytorch/examples DCGAN, {size} px",
        kind="generator",
        architecture="dcgan",
        arguments=arguments,
        input=LatentInput(size=z_size, distribution="normal", interval=1.0),
        channels_out=layers[-1].shape[1],
        value_range=(-1.0, 1.0),
        network=network,
        size=(size, size),
    )


def _layers(tensors: Tensors) -> list[Tensor]:
    """The transposed convolutions: every third entry of the chain, between them a norm and a rectifier."""
    found = sorted(
        int(match[1])
        for name, tensor in tensors.items()
        if (match := re.fullmatch(r"main\.(\d+)\.weight", name)) and tensor.dim() == 4
    )
    if found != list(range(0, 3 * len(found), 3)):
        raise ModelError(f"its convolutions are entries {found} of the chain, not every third from 0 on")
    return [tensors[f"main.{index}.weight"] for index in found]


def _our_names(tensors: Tensors, count: int) -> Tensors:
    """[z, C, 4, 4] on a single pixel is a matrix [C·16, z]; the final layer has no bias there."""
    first, last = tensors["main.0.weight"], 3 * (count - 1)
    modules = {last: "to_picture", 1: "norm"}
    for stage in range(count - 2):
        modules |= {3 * stage + 3: f"stages.{stage}.conv", 3 * stage + 4: f"stages.{stage}.norm"}
    weights = {"project.weight": first.permute(1, 2, 3, 0).reshape(-1, first.shape[0]).contiguous()}
    for name, tensor in _without_biases(tensors, last).items():
        _, index, rest = name.split(".")
        if name != "main.0.weight":
            module = modules.get(int(index))
            weights[f"{module}.{rest}" if module else name] = tensor
    weights.setdefault("to_picture.bias", first.new_zeros(tensors[f"main.{last}.weight"].shape[1]))
    return weights


def _without_biases(tensors: Tensors, last: int) -> Tensors:
    """A bias before a batch norm is a smaller running mean. The published net has none; some made after it do."""
    result = dict(tensors)
    for index in range(0, last, 3):
        bias = result.pop(f"main.{index}.bias", None)
        mean = result.get(f"main.{index + 1}.running_mean")
        if bias is not None and mean is not None and bias.shape == mean.shape:
            result[f"main.{index + 1}.running_mean"] = (mean.double() - bias.double()).float()
    return result


EXAMPLES_DCGAN = Architecture(
    id="examples-dcgan",
    title="pytorch/examples DCGAN",
    names=(r"main\.\d+\.(weight|bias|running_mean|running_var|num_batches_tracked)",),
    detect=_detect,
    build=_build,
)
