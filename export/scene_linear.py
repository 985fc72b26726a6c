"""An image model as a DCC meets it: scene-linear light in, scene-linear light out, all colour maths inside."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vfxgan.colour import encoded_peak
from vfxgan.errors import ModelError
from vfxgan.export.fold import fold_batch_norms
from vfxgan.margin import margin_px
from vfxgan.spec import ImageInput, ModelSpec

MIN_SIDE_PX = 8  # what a ResNet's reflection padding needs at a quarter of the side

Activation = Literal["none", "tanh", "sigmoid"]
_ACTIVATIONS: dict[type[nn.Module], Activation] = {nn.Tanh: "tanh", nn.Sigmoid: "sigmoid"}
_SAME = 1e-6  # between a network and its two parts; float32 rounding of one tanh


class SceneLinear(nn.Module):
    """[1, C, H, W] of scene-linear light to [1, C', s·H, s·W] of scene-linear light.

    The same maths as a plate's way through `vfxgan render`: encode, cut to the network's range, network, what was cut
    off added back (bilinear), decode. A host may cast the module to half: only the core follows. Everything else is
    float32, and its constants are Python numbers, which no cast and no move to another device touches. The code is
    TorchScript as PyTorch 1.12 reads it.

    NaN counts as 0, and what half cannot hold as the largest half: a host has no `--bad-pixels` to ask. The output is
    finite for the same reason, and within what half holds.

    Args:
        core: the network without its last activation.
        resize: [1, C, H, W] to [1, C, s·H, s·W], bilinear; an identity for a translator.
        activation: the one that the core lacks: an `Activation`.

    Attributes:
        exposure: stops, applied before and undone after.
        blend: 0 the resized input, 1 the network's picture.
        highlights: 0 or 1 (Nuke's check boxes set integers): whether what lies beyond the range is added back. It has
            no effect on a network that takes the signal whole, or whose input is not RGB.
    Source:
        docs/decisions/0003-colour.md; Foundry's .cat File Creation Reference, "Tensor Sizes", "Full And Half
        Precision", "Custom Knobs".
    """

    def __init__(self, core: nn.Module, resize: nn.Module, activation: str, spec: ModelSpec) -> None:
        super().__init__()
        assert isinstance(spec.input, ImageInput)
        self.core = core
        self.resize = resize
        self.exposure = 0.0
        self.blend = 1.0
        self.highlights = 1
        self.activation = activation
        self.colours = min(spec.input.channels, 3)
        self.channels_in = spec.input.channels
        self.channels_out = spec.channels_out
        self.scale = spec.scale
        self.multiple = spec.input.size_multiple
        self.smallest = MIN_SIDE_PX
        self.margin = margin_px(spec)
        self.low = spec.value_range[0]
        self.span = spec.value_range[1] - spec.value_range[0]
        self.peak = encoded_peak(spec.encoding.peak)
        self.toe = spec.encoding.toe
        self.whole_signal = spec.encoding.extended
        self.keeps_residual = has_residual(spec)
        # What the host casts and moves along with the core; its value is of no use.
        self.register_buffer("like_core", torch.zeros(1))
        self.like_core: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """Any real dtype; the output has the input's dtype and device. RGB is premultiplied where there is alpha."""
        gain = 2.0 ** min(max(self.exposure, -32.0), 32.0)
        linear = self.exposed(finite(image.float()), gain)
        signal = self.to_signal(linear)
        inside = signal if self.whole_signal else signal.clamp(0.0, 1.0)
        unit = self.run_core(inside)
        colour = with_toe(unit[:, :3] * self.peak, self.toe)
        if self.keeps_residual and self.highlights != 0:
            colour = colour + self.resize(signal - inside) * self.peak
        picture = decode(colour)
        if self.channels_out == 4:
            picture = torch.cat((picture, with_toe(unit[:, 3:4].clamp(0.0, 1.0), self.toe)), 1)
        if self.blend < 1.0:
            share = max(self.blend, 0.0)
            picture = picture * share + self.resized_input(linear) * (1.0 - share)
        return finite(self.exposed(picture, 1.0 / gain)).to(image.dtype)

    def exposed(self, picture: Tensor, gain: float) -> Tensor:
        """Colour times the gain; alpha is no light."""
        if gain == 1.0:
            return picture
        return torch.cat((picture[:, :3] * gain, picture[:, 3:]), 1)

    def to_signal(self, linear: Tensor) -> Tensor:
        """Light to 0…1 for 0…peak, unbounded; alpha as it is."""
        signal = encode(linear[:, : self.colours]) * (1.0 / self.peak)
        if self.channels_in == 4:
            signal = torch.cat((signal, linear[:, 3:4].clamp(0.0, 1.0)), 1)
        return signal

    def run_core(self, signal: Tensor) -> Tensor:
        """The network: [1, C, H, W] to [1, C', s·H, s·W], both 0…1 where they lie in its range.

        The picture is extended by its edge, as far as `vfxgan render` extends it, and to the sizes the network takes.
        """
        height, width = int(signal.shape[2]), int(signal.shape[3])
        extended = extend(signal, self.margin, self.missing(height), self.missing(width))
        value: Tensor = self.core((extended * self.span + self.low).to(self.like_core)).to(signal)
        if self.activation == "tanh":
            value = torch.tanh(value)
        elif self.activation == "sigmoid":
            value = torch.sigmoid(value)
        start = self.margin * self.scale
        value = value[:, :, start : start + height * self.scale, start : start + width * self.scale]
        return (value - self.low) * (1.0 / self.span)

    def missing(self, side: int) -> int:
        """What a side lacks, beyond the margins, to a size the network takes."""
        wanted = max(side + 2 * self.margin, self.smallest)
        return (wanted + self.multiple - 1) // self.multiple * self.multiple - side - 2 * self.margin

    def resized_input(self, linear: Tensor) -> Tensor:
        """The input at the output's size, with the output's channels."""
        resized: Tensor = self.resize(linear)
        if self.channels_in == 1:
            resized = resized.expand(-1, 3, -1, -1)
        if self.channels_out == 4 and self.channels_in != 4:
            resized = torch.cat((resized, torch.ones_like(resized[:, :1])), 1)
        return resized[:, : self.channels_out]


def scene_linear(network: nn.Module, spec: ModelSpec) -> SceneLinear:
    """Build the module from a network: batch norms folded, dropout gone, the last activation split off. A copy.

    Args:
        network: float32, weights loaded.
    Raises:
        ModelError: a generator, channels that no colour rule exists for, or a last activation that cannot be split off.
    """
    refuse_what_is_no_picture(spec)
    core, activation = split_activation(fold_batch_norms(network), spec)
    resize = nn.Identity() if spec.scale == 1 else Bilinear(spec.scale)
    return SceneLinear(core, resize, activation, spec).eval()


def refuse_what_is_no_picture(spec: ModelSpec) -> None:
    """Raises ModelError for what a picture node of a DCC cannot run."""
    if not isinstance(spec.input, ImageInput):
        raise ModelError(
            f"{spec.name}: is a generator, and the nodes of Nuke and Houdini take pictures, not seeds; "
            "render its seeds to frames with: vfxgan render"
        )
    if spec.input.channels not in (1, 3, 4):
        raise ModelError(
            f"{spec.name}: takes {spec.input.channels} channels, and only grey (1), RGB (3) and RGBA (4) have a "
            "known colour; export it as plain ONNX"
        )


def has_residual(spec: ModelSpec) -> bool:
    """Whether what lies beyond the network's range goes past it: see `vfxgan.spec.Encoding`."""
    assert isinstance(spec.input, ImageInput)
    return not spec.encoding.extended and spec.input.channels == 3


def split_activation(network: nn.Module, spec: ModelSpec) -> tuple[nn.Module, Activation]:
    """Take off what comes last, so that it can be computed in float32 whatever the rest is in; dropout goes as well.

    Args:
        network: in eval mode; is altered and returned.
    Raises:
        ModelError: its tanh or sigmoid is not the last thing it does.
    """
    found: list[tuple[nn.Module, str, Activation]] = []
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if type(child) in _ACTIVATIONS:
                found.append((parent, name, _ACTIVATIONS[type(child)]))
            elif isinstance(child, nn.Dropout):
                setattr(parent, name, nn.Identity())
    if not found:
        return network, "none"
    assert isinstance(spec.input, ImageInput)
    side = -(-MIN_SIDE_PX // spec.input.size_multiple) * spec.input.size_multiple
    example = torch.linspace(-1, 1, spec.input.channels * side * side).view(1, -1, side, side)
    parent, name, activation = found[-1]
    with torch.no_grad():
        expected = network(example)
        setattr(parent, name, nn.Identity())
        last = torch.tanh if activation == "tanh" else torch.sigmoid
        same = torch.allclose(last(network(example)), expected, rtol=0, atol=_SAME, equal_nan=True)
    if not same:
        raise ModelError(
            f"{spec.name}: its {activation} is not the last thing that the network does, so it cannot be computed in "
            "float32 apart from it; export it as plain ONNX"
        )
    return network, activation


class Bilinear(nn.Module):
    """[N, C, H, W] to [N, C, s·H, s·W]; pixels are areas, not points (half-pixel centres), edges are held."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.factor = float(scale)

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=self.factor, mode="bilinear", align_corners=False)


def finite(x: Tensor) -> Tensor:
    """NaN becomes 0, the rest is held within what half precision can say."""
    return x.masked_fill(torch.isnan(x), 0.0).clamp(-65504.0, 65504.0)


def encode(linear: Tensor) -> Tensor:
    """Scene-linear light to the extended encoding, as `vfxgan.colour.encode`; float32."""
    x = linear.abs()
    low = x.clamp(0.0, 1.0)
    curve = torch.where(low <= 0.0031308, low * 12.92, torch.pow(low, 1.0 / 2.4) * 1.055 - 0.055)
    return torch.sign(linear) * (curve + torch.log(x.clamp(min=1.0)) * (1.055 / 2.4))


def decode(signal: Tensor) -> Tensor:
    """The extended encoding to scene-linear light, as `vfxgan.colour.decode`; float32, never infinite."""
    x = signal.abs()
    low = x.clamp(0.0, 1.0)
    light = torch.where(low <= 0.04045, low * (1.0 / 12.92), torch.pow((low + 0.055) * (1.0 / 1.055), 2.4))
    above = torch.exp((x.clamp(1.0, 39.0) - 1.0) * (2.4 / 1.055))  # at 39 float32 nearly ends
    return torch.sign(signal) * light * above


def with_toe(value: Tensor, toe: float) -> Tensor:
    """Encoded RGB or linear alpha with the haze brought to exactly 0, as `vfxgan.colour.apply_toe`."""
    if toe <= 0.0:
        return value
    t = (value * (1.0 / toe) - 1.0).clamp(0.0, 1.0)
    return value * t * t * (3.0 - 2.0 * t)


def extend(x: Tensor, margin: int, below: int, right: int) -> Tensor:
    """Repeat the edges of [N, C, H, W]: `margin` on all sides, and more below and to the right.

    Written with joins: the exporter that stays within memory has no replicating pad in ONNX of opset 17.
    """
    if margin > 0:
        x = torch.cat((x[:, :, :, :1].expand(-1, -1, -1, margin), x), 3)
        x = torch.cat((x[:, :, :1].expand(-1, -1, margin, -1), x), 2)
    if margin + right > 0:
        x = torch.cat((x, x[:, :, :, -1:].expand(-1, -1, -1, margin + right)), 3)
    if margin + below > 0:
        x = torch.cat((x, x[:, :, -1:].expand(-1, -1, margin + below, -1)), 2)
    return x
