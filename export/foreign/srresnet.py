"""BasicSR's MSRResNet, the SRResNet without batch norm, under its present names and its first ones."""

from vfxgan.errors import ModelError
from vfxgan.export.foreign.architecture import Architecture, Imported, Shapes, Tensors, counted, fill, renamed, sides
from vfxgan.export.foreign.hints import Hints
from vfxgan.spec import Argument, ImageInput

KIND = r"(weight|bias)"

# Names that BasicSR used before its first release as a package.
FIRST = {
    rf"recon_trunk\.(\d+)\.conv([12])\.{KIND}": r"body.\1.conv\2.\3",
    rf"HRconv\.{KIND}": r"conv_hr.\1",
}


def _detect(shapes: Shapes) -> bool:
    return {"conv_first.weight", "upconv1.weight"} <= shapes.keys() and (
        "body.0.conv1.weight" in shapes or "recon_trunk.0.conv1.weight" in shapes
    )


def _build(tensors: Tensors, hints: Hints) -> Imported:
    first = "recon_trunk.0.conv1.weight" in tensors
    weights = renamed(tensors, FIRST) if first else tensors
    width, channels_in = sides(weights, "conv_first.weight")[:2]
    channels_out = sides(weights, "conv_last.weight")[0]
    scale = _scale(weights, width)
    if channels_out != channels_in:
        raise ModelError(f"it adds a picture of {channels_in} channels to one of {channels_out}")
    arguments: dict[str, Argument] = {
        "scale": scale,
        "width": width,
        "blocks": counted(weights, r"body\.(\d+)\..+"),
        "channels_in": channels_in,
        "channels_out": channels_out,
    }
    return Imported(
        source=f"BasicSR MSRResNet ×{scale}{', first names' if first else ''}",
        kind="upscaler",
        architecture="srresnet",
        arguments=arguments,
        input=ImageInput(channels=channels_in),
        channels_out=channels_out,
        value_range=(0.0, 1.0),
        network=fill("srresnet", arguments, weights),
        scale=scale,
    )


def _scale(weights: Tensors, width: int) -> int:
    """`upconv1` gives width·scale² channels for a shuffle; ×4 is two shuffles by 2."""
    given = sides(weights, "upconv1.weight")[0]
    by = {4 * width: 2, 9 * width: 3}.get(given)
    second = "upconv2.weight" in weights
    if by is None or (second and by != 2):
        raise ModelError(
            f"upconv1.weight gives {given} channels; {width} wide, it gives {4 * width} (×2, ×4) or {9 * width} (×3)"
        )
    return 4 if second else by


SRRESNET = Architecture(
    id="srresnet",
    title="BasicSR MSRResNet (SRResNet)",
    names=(
        rf"(conv_first|upconv[12]|conv_hr|HRconv|conv_last)\.{KIND}",
        rf"(body|recon_trunk)\.\d+\.conv[12]\.{KIND}",
    ),
    detect=_detect,
    build=_build,
)
