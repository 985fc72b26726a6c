"""An image model as ONNX for Houdini's ONNX Inference COP: one size, float32, opset 17, scene-linear on both sides."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import Tensor, nn

from vfxgan.errors import ModelError, UsageError
from vfxgan.export.onnx_file import OLD_OPSET, Shape, to_onnx
from vfxgan.export.onnxruntime_cpu import CpuSession, open_model
from vfxgan.export.parity import LIMITS, Limits, Run, check_parity
from vfxgan.export.plate_reference import as_signal, light_inputs, plate_reference
from vfxgan.export.scene_linear import SceneLinear, refuse_what_is_no_picture, scene_linear
from vfxgan.modelfile import TARGET_KEY
from vfxgan.spec import METADATA_KEY, ImageInput, ModelSpec, Parity

Array = NDArray[np.float32]

TARGET = "houdini"
MAX_SIDE_PX = 16384
MAX_GATE_PX = 1 << 18  # of a picture that the gate runs: RRDB at 1920×1080 would take a CPU an hour and 9 GiB
GATE_SIDE_PX = 96

Size = tuple[int, int]  # H, W


class BottomUp(nn.Module):
    """The module for a host whose first row is the lowest: [1, C, H, W] is turned over before it and after it."""

    def __init__(self, module: SceneLinear) -> None:
        super().__init__()
        self.module = module

    def forward(self, image: Tensor) -> Tensor:
        picture: Tensor = self.module(image.flip(2)).flip(2)
        return picture


def houdini_model(
    network: nn.Module,
    spec: ModelSpec,
    height: int,
    width: int,
    *,
    bottom_up: bool = True,
    limits: Limits = LIMITS["fp32"],
    evidence: Path | None = None,
) -> tuple[onnx.ModelProto, Parity]:
    """Trace and compare; nothing is written. Above half a thousand px squared, the same graph is compared at a smaller
    size.

    Args:
        network: as trained, float32, weights loaded; not altered.
        height, width: of the layer that will be wired in; any, the graph pads to what the network takes.
        bottom_up: the host's rows start at the bottom, as Houdini's do.
    Returns:
        "image" [1, C, H, W] to "picture" [1, C', s·H, s·W], float32, opset 17, IR version 8, the spec in its metadata
        beside a key that keeps `vfxgan render` from encoding twice; and how far it is from the network.
    Raises:
        ModelError: a generator, or what `scene_linear` cannot take. ParityError: the graph differs.
        UsageError: a size that cannot be.
    """
    refuse_what_is_no_picture(spec)
    if not (1 <= height <= MAX_SIDE_PX and 1 <= width <= MAX_SIDE_PX):
        raise UsageError(f"--houdini {height}x{width}: sides are 1 … {MAX_SIDE_PX}; give height x width of the layer")
    module = scene_linear(network, spec)
    whole: nn.Module = BottomUp(module).eval() if bottom_up else module
    model = _traced(whole, spec, (height, width))
    judged, size = model, (height, width)
    if height * width > MAX_GATE_PX:
        size = _gate_size(spec, size)
        judged = _traced(whole, spec, size)
        _check_twins(model, judged, spec)
    session = open_model(judged)
    parity = check_parity(
        as_signal(plate_reference(network, spec), spec),
        as_signal(_run(session, bottom_up), spec),
        session.name,
        ("pictures", light_inputs(spec, size)),
        spec,
        limits,
        evidence,
    )
    spec = spec.model_copy(update={"parity": parity})
    onnx.helper.set_model_props(model, {METADATA_KEY: spec.to_json(), TARGET_KEY: TARGET})
    return model, parity


def _traced(module: nn.Module, spec: ModelSpec, size: Size) -> onnx.ModelProto:
    assert isinstance(spec.input, ImageInput)
    any_size = spec.model_copy(update={"input": ImageInput(channels=spec.input.channels)})  # it pads by itself
    model = to_onnx(module, any_size, Shape(size=size), opset=OLD_OPSET)
    model.graph.name = "picture"
    return model


def _gate_size(spec: ModelSpec, size: Size) -> Size:
    """A smaller size that is padded in the same way."""
    assert isinstance(spec.input, ImageInput)
    multiple = spec.input.size_multiple
    height, width = (min(side, side % multiple + -(-GATE_SIDE_PX // multiple) * multiple) for side in size)
    return height, width


def _check_twins(model: onnx.ModelProto, smaller: onnx.ModelProto, spec: ModelSpec) -> None:
    """The same graph at two sizes: what the gate finds of one holds for the other.

    Raises:
        ModelError: they differ in more than sizes.
    """
    if _form(model) != _form(smaller):
        raise ModelError(
            f"{spec.name}: the exporter writes another graph at this size, which is too large to be compared with the "
            "network here; ask for a smaller --houdini size"
        )


def _form(model: onnx.ModelProto) -> list[tuple[object, ...]]:
    """A graph without its names and its whole numbers, which are sizes: operators, settings, wiring, weights."""
    values: dict[str, object] = {
        part.name: part.raw_data if part.data_type == onnx.TensorProto.FLOAT else "sizes"
        for part in model.graph.initializer
    }
    form: list[tuple[object, ...]] = []
    for place, node in enumerate(model.graph.node):
        settings = [
            attribute.SerializeToString(deterministic=True)
            for attribute in node.attribute
            if attribute.type != onnx.AttributeProto.TENSOR or attribute.t.data_type == onnx.TensorProto.FLOAT
        ]
        form.append((node.op_type, settings, [values.get(name, name) for name in node.input]))
        values |= {name: (place, output) for output, name in enumerate(node.output)}
    return form


def _run(session: CpuSession, bottom_up: bool) -> Run:
    def run(light: Array) -> Array:
        rows = slice(None, None, -1 if bottom_up else 1)
        picture: Array = session.run(np.ascontiguousarray(light[:, :, rows]))[0]
        return picture[:, :, rows]

    return run
