"""The U-Net of pytorch-CycleGAN-and-pix2pix: what pix2pix is trained with unless told otherwise."""

from vfxgan.export.foreign.architecture import Architecture, Imported, Shapes, Tensors, fill, sides
from vfxgan.export.foreign.cyclegan_norms import find_norm
from vfxgan.export.foreign.hints import Hints
from vfxgan.spec import Argument, ImageInput
from vfxgan.trainer.networks.unet import MAX_DEPTH

OUTERMOST = "model.model"
CHILD = ".1.model"  # of the outermost level
DEEPER = ".3.model"  # of every level within
FEWEST_LEVELS = 5  # that the reference code can make


def _levels(names: Shapes | Tensors) -> list[str]:
    """The chains, from outside to inside: a level is there when it halves (entry 1; 0 in the outermost)."""
    levels = [OUTERMOST]
    following = OUTERMOST + CHILD
    while f"{following}.1.weight" in names and len(levels) <= MAX_DEPTH:
        levels.append(following)
        following += DEEPER
    return levels


def _detect(shapes: Shapes) -> bool:
    first = shapes.get(f"{OUTERMOST}.0.weight", ())
    return len(first) == 4 and first[2:] == (4, 4) and len(_levels(shapes)) >= FEWEST_LEVELS


def _build(tensors: Tensors, hints: Hints) -> Imported:
    levels = _levels(tensors)
    middle, innermost = levels[1:-1], levels[-1]
    norms = [f"{level}.{entry}" for level in middle for entry in (2, 6)] + [f"{innermost}.4"]
    convolutions = [f"{OUTERMOST}.0", f"{innermost}.1", f"{innermost}.3"]
    convolutions += [f"{level}.{entry}" for level in middle for entry in (1, 5)]
    found = find_norm(tensors, norms, convolutions, hints.norm)
    width, channels_in = sides(tensors, f"{OUTERMOST}.0.weight")[:2]
    channels_out = sides(tensors, f"{OUTERMOST}.3.weight")[1]
    depth = len(levels)
    arguments: dict[str, Argument] = {
        "channels_in": channels_in,
        "channels_out": channels_out,
        "depth": depth,
        "width": width,
        "norm": found.norm,
        "bias": found.bias,
        "dropout": False,
    }
    return Imported(
        source=f"pytorch-CycleGAN-and-pix2pix U-Net, unet_{1 << depth}, {found.norm} norm",
        kind="translator",
        architecture="pix2pix-unet",
        arguments=arguments,
        input=ImageInput(channels=channels_in, size_multiple=1 << depth),
        channels_out=channels_out,
        value_range=(-1.0, 1.0),
        network=fill("pix2pix-unet", arguments, found.weights),
        notes=(*found.notes, *_dropout_notes(depth)),
    )


def _dropout_notes(depth: int) -> tuple[str, ...]:
    if depth <= FEWEST_LEVELS:  # the reference code has dropout in the levels beyond these
        return ()
    return (
        "whether this U-Net was trained with dropout cannot be seen; it does nothing here, while the reference test.py "
        "keeps it live unless it gets --eval",
    )


CYCLEGAN_UNET = Architecture(
    id="cyclegan-unet",
    title="pytorch-CycleGAN-and-pix2pix U-Net",
    names=(
        r"model\.model\.(0|3)\.(weight|bias)",
        r"model\.model\.1\.model\.(3\.model\.)*[1-6]\.(weight|bias|running_mean|running_var|num_batches_tracked)",
    ),
    detect=_detect,
    build=_build,
)
