"""The networks of gpu_check at their real sizes, with seeded random weights that use their range."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vfxgan.export.audit import audit_ranges
from vfxgan.export.fold import fold_batch_norms
from vfxgan.export.gate_inputs import gate_inputs
from vfxgan.export.half import to_half
from vfxgan.export.onnx_file import Shape, to_onnx, with_spec, write_onnx
from vfxgan.spec import Encoding, ImageInput, LatentInput, ModelSpec
from vfxgan.trainer.networks import build_generator

Array = NDArray[np.float32]

DETAIL = 0.05  # standard deviation that an upscaler adds to the enlarged picture
CONTRAST = 0.5  # standard deviation before a tanh; trained networks use their range, fresh ones are grey


@dataclass(frozen=True)
class Case:
    """One network on one input.

    Attributes:
        network: as trained, eval mode, float32, on the CPU.
        folded: the same without batch norms.
        x: [1, …] float32 in the network's range.
        reference: what PyTorch makes of it in FP32 on the CPU.
        flops: multiplications and additions of one frame.
    """

    name: str
    spec: ModelSpec
    size: tuple[int, int] | None
    network: nn.Module
    folded: nn.Module
    x: Array
    reference: Array
    flops: float

    @property
    def static_size(self) -> tuple[int, int] | None:
        """Of the ONNX file. Upscalers are left open: every intermediate of full HD at once is gigabytes to audit."""
        return None if self.spec.kind == "upscaler" else self.size

    @property
    def audited(self) -> Array:
        """What the range audit runs on."""
        return gate_inputs(self.spec)[0].array if self.spec.kind == "upscaler" else self.x

    @property
    def tile(self) -> tuple[int, int] | None:
        """What the engine has to be told of the size."""
        return self.size if self.spec.kind == "upscaler" else None


def dcgan(quick: bool) -> Case:
    """DCGAN as in the paper, grown to 1024 px, RGBA."""
    size = 64 if quick else 1024
    arguments = {"size": size, "channels": (16, 12, 8, 8)} if quick else {"size": size}
    spec = ModelSpec(
        name=f"DCGAN-{size}", kind="generator", architecture="dcgan", arguments=arguments, channels_out=4,
        input=LatentInput(size=100, interval=1.0), size=(size, size), encoding=Encoding(peak=16.0, toe=0.02),
    )  # fmt: skip
    return _case(spec, None)


def pix2pix(quick: bool) -> Case:
    """pix2pix's U-Net of depth 8 on a picture of 256 px."""
    depth, width, side = (4, 8, 64) if quick else (8, 64, 256)
    spec = ModelSpec(
        name=f"pix2pix-{side}", kind="translator", architecture="pix2pix-unet", channels_out=3,
        arguments={"depth": depth, "width": width}, input=ImageInput(channels=3, size_multiple=1 << depth),
    )  # fmt: skip
    return _case(spec, (side, side))


def srresnet(quick: bool) -> Case:
    """SRResNet ×4 to full HD."""
    width, blocks, size = (8, 2, (24, 40)) if quick else (64, 16, (270, 480))
    spec = ModelSpec(
        name=f"SRResNet ×4, {size[1]}x{size[0]}", kind="upscaler", architecture="srresnet", channels_out=3, scale=4,
        arguments={"scale": 4, "width": width, "blocks": blocks}, input=ImageInput(channels=3), value_range=(0.0, 1.0),
    )  # fmt: skip
    return _case(spec, size)


CASES: dict[str, Callable[[bool], Case]] = {"dcgan": dcgan, "pix2pix": pix2pix, "srresnet": srresnet}


def _case(spec: ModelSpec, size: tuple[int, int] | None) -> Case:
    torch.manual_seed(0)
    network = build_generator(spec)
    inputs = torch.from_numpy(np.concatenate([item.array for item in gate_inputs(spec, size=size)[:2]]))
    with torch.no_grad():
        _see_something(network, inputs)
        if spec.kind == "upscaler":
            _use_the_range(network, inputs[:1, :, :64, :64], DETAIL)
        else:
            _use_the_range(network, inputs[:1], CONTRAST)
        counter = FlopCounterMode(display=False)
        with counter:
            reference = network(inputs[:1])
    x = np.ascontiguousarray(inputs[:1].numpy())
    flops = float(counter.get_total_flops())
    return Case(spec.name, spec, size, network, fold_batch_norms(network), x, reference.numpy(), flops)


def _see_something(network: nn.Module, inputs: torch.Tensor) -> None:
    """Batch norms take the statistics of these inputs, as after a training."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        network.train()
        network(inputs)
    network.eval()


def _use_the_range(network: nn.Module, x: torch.Tensor, deviation: float) -> None:
    last = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
    called: list[tuple[nn.Module, float]] = []

    def look(module: nn.Module, _: object, output: torch.Tensor) -> None:
        called.append((module, float(output.std())))

    handles = [module.register_forward_hook(look) for module in last]
    network(x)
    for handle in handles:
        handle.remove()
    layer, found = called[-1]
    for parameter in layer.parameters():
        parameter.mul_(deviation / max(found, 1e-6))


def write_models(case: Case, folder: Path) -> dict[str, tuple[Path, float]]:
    """FP32 and FP16 ONNX of a case, through our own export, and the seconds that each took; once for each folder."""
    done = folder / "done.json"
    if done.exists():
        known: dict[str, tuple[str, float]] = json.loads(done.read_text(encoding="utf-8"))
        return {precision: (Path(path), seconds) for precision, (path, seconds) in known.items()}
    started = time.monotonic()
    model = to_onnx(case.folded, case.spec, Shape(size=case.static_size))
    paths = {"fp32": folder / "model.onnx", "fp16": folder / "model.fp16.onnx"}
    write_onnx(model, paths["fp32"])
    seconds = {"fp32": time.monotonic() - started}
    ranges = audit_ranges(model, [case.audited])
    half = to_half(model, ranges.kept_fp32, keep_picture=case.spec.value_range[0] < 0)
    write_onnx(with_spec(half, case.spec.model_copy(update={"precision": "fp16", "ranges": ranges})), paths["fp16"])
    seconds["fp16"] = time.monotonic() - started - seconds["fp32"]
    made = {precision: (path, seconds[precision]) for precision, path in paths.items()}
    done.write_text(json.dumps({name: (str(path), took) for name, (path, took) in made.items()}), encoding="utf-8")
    return made
