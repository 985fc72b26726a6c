"""The ResNet of pytorch-CycleGAN-and-pix2pix: what CycleGAN is trained with unless told otherwise."""

from vfxgan.errors import ModelError
from vfxgan.export.foreign.architecture import Architecture, Imported, Shapes, Tensors, counted, fill, sides
from vfxgan.export.foreign.cyclegan_norms import find_norm
from vfxgan.export.foreign.hints import Hints
from vfxgan.spec import Argument, ImageInput
from vfxgan.trainer.networks.resnet_translator import MAX_BLOCKS

FIRST_BLOCK = 10
PARTS = "(weight|bias|running_mean|running_var|num_batches_tracked)"


def _detect(shapes: Shapes) -> bool:
    first = shapes.get("model.1.weight", ())
    return len(first) == 4 and first[2:] == (7, 7) and f"model.{FIRST_BLOCK}.conv_block.1.weight" in shapes


def _build(tensors: Tensors, hints: Hints) -> Imported:
    blocks = _blocks(tensors)
    dropout = f"model.{FIRST_BLOCK}.conv_block.6.weight" in tensors and (
        tensors[f"model.{FIRST_BLOCK}.conv_block.6.weight"].dim() == 4
    )  # it moves the second convolution from entry 5 to 6, where otherwise its norm is
    up = FIRST_BLOCK + blocks
    last = f"model.{up + 7}"
    second = 6 if dropout else 5
    convolutions = [f"model.{index}" for index in (1, 4, 7, up, up + 3)]
    norms = [f"model.{index}" for index in (2, 5, 8, up + 1, up + 4)]
    for block in range(FIRST_BLOCK, up):
        convolutions += [f"model.{block}.conv_block.{entry}" for entry in (1, second)]
        norms += [f"model.{block}.conv_block.{entry}" for entry in (2, second + 1)]
    found = find_norm(tensors, norms, convolutions, hints.norm)
    width, channels_in = sides(tensors, "model.1.weight")[:2]
    channels_out = sides(tensors, f"{last}.weight")[0]
    arguments: dict[str, Argument] = {
        "channels_in": channels_in,
        "channels_out": channels_out,
        "blocks": blocks,
        "width": width,
        "norm": found.norm,
        "bias": found.bias,
        "dropout": dropout,
    }
    return Imported(
        source=f"pytorch-CycleGAN-and-pix2pix ResNet, resnet_{blocks}blocks, {found.norm} norm",
        kind="translator",
        architecture="pix2pix-resnet",
        arguments=arguments,
        input=ImageInput(channels=channels_in, size_multiple=4),
        channels_out=channels_out,
        value_range=(-1.0, 1.0),
        network=fill("pix2pix-resnet", arguments, found.weights),
        notes=(*found.notes, *_dropout_notes(dropout)),
    )


def _blocks(tensors: Tensors) -> int:
    within = [name for name in tensors if ".conv_block." in name]
    shifted = {f"block.{int(name.split('.')[1]) - FIRST_BLOCK}" for name in within}
    blocks = counted(shifted, r"block\.(\d+)")
    if not 1 <= blocks <= MAX_BLOCKS:
        raise ModelError(f"it has {blocks} blocks; known are 1 to {MAX_BLOCKS}")
    return blocks


def _dropout_notes(dropout: bool) -> tuple[str, ...]:
    if not dropout:
        return ()
    return ("its dropout does nothing here, while the reference test.py keeps it live unless it gets --eval",)


CYCLEGAN_RESNET = Architecture(
    id="cyclegan-resnet",
    title="pytorch-CycleGAN-and-pix2pix ResNet",
    names=(rf"model\.\d+\.{PARTS}", rf"model\.\d+\.conv_block\.[1-7]\.{PARTS}"),
    detect=_detect,
    build=_build,
)
