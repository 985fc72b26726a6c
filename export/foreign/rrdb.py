"""ESRGAN's and Real-ESRGAN's RRDBNet, in the three namings that are in use."""

import math
import re

from vfxgan.errors import ModelError, UsageError
from vfxgan.export.foreign.architecture import Architecture, Imported, Shapes, Tensors, counted, fill, renamed, sides
from vfxgan.export.foreign.hints import Hints
from vfxgan.spec import Argument, ImageInput

MAX_STEPS = 4
KIND = r"(weight|bias)"

# Names of ESRGAN's second release, and of BSRGAN and RealSR after it.
MIDDLE = {
    rf"RRDB_trunk\.(\d+)\.RDB(\d)\.conv(\d)\.{KIND}": r"body.\1.rdb\2.conv\3.\4",
    rf"trunk_conv\.{KIND}": r"conv_body.\1",
    rf"upconv(\d+)\.{KIND}": r"conv_up\1.\2",
    rf"HRconv\.{KIND}": r"conv_hr.\1",
}
# Names of the first release, whose layers are numbered, and of most models that people trained themselves.
OLD_BLOCK = rf"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.{KIND}"
OLD = {OLD_BLOCK: r"body.\1.rdb\2.conv\3.\4", rf"model\.0\.{KIND}": r"conv_first.\1"}


def _new_names(tensors: Tensors) -> tuple[str, Tensors]:
    """Which naming it is, and the tensors under the newest."""
    if "model.0.weight" in tensors:
        return "old names", _from_old(tensors)
    if "trunk_conv.weight" in tensors:
        return "middle names", renamed(tensors, MIDDLE)
    return "new names", tensors


def _from_old(tensors: Tensors) -> Tensors:
    """Layer k of the enlargement is `model.3k`, the two after the last one are 2 and 4 further on."""
    blocks = counted(tensors, r"model\.1\.sub\.(\d+)\.RDB.+")
    numbered = sorted(int(found[1]) for name in tensors if (found := re.fullmatch(r"model\.(\d+)\.weight", name)))
    steps = len(numbered) - 3  # the others are the first layer and the last two
    patterns = OLD | {rf"model\.1\.sub\.{blocks}\.{KIND}": r"conv_body.\1"}
    for step in range(1, steps + 1):
        patterns[rf"model\.{3 * step}\.{KIND}"] = rf"conv_up{step}.\1"
    patterns[rf"model\.{3 * steps + 2}\.{KIND}"] = r"conv_hr.\1"
    patterns[rf"model\.{3 * steps + 4}\.{KIND}"] = r"conv_last.\1"
    return renamed(tensors, patterns)


def _detect(shapes: Shapes) -> bool:
    return any(
        {f"{first}.weight", f"{block}.weight"} <= shapes.keys()
        for first, block in (
            ("conv_first", "body.0.rdb1.conv1"),
            ("conv_first", "RRDB_trunk.0.RDB1.conv1"),
            ("model.0", "model.1.sub.0.RDB1.conv1.0"),
        )
    )


def _build(tensors: Tensors, hints: Hints) -> Imported:
    naming, weights = _new_names(tensors)
    width, entering = sides(weights, "conv_first.weight")[:2]
    channels_out = sides(weights, "conv_last.weight")[0]
    steps, notes = _factors(_steps(weights), hints)
    folded = {4 * channels_out: 2, 16 * channels_out: 4}.get(entering, 1)
    whole = math.prod(steps)
    if whole % folded:
        raise ModelError(f"it folds {folded}×{folded} pixels but enlarges by {whole}")
    arguments: dict[str, Argument] = {
        "scale": whole // folded,
        "width": width,
        "blocks": counted(weights, r"body\.(\d+)\..+"),
        "growth": sides(weights, "body.0.rdb1.conv1.weight")[0],
        "channels_in": entering // folded**2,
        "channels_out": channels_out,
        "steps": steps,
    }
    return Imported(
        source=f"ESRGAN RRDBNet, {naming}",
        kind="upscaler",
        architecture="rrdb",
        arguments=arguments,
        input=ImageInput(channels=entering // folded**2, size_multiple=folded),
        channels_out=channels_out,
        value_range=(0.0, 1.0),
        network=fill("rrdb", arguments, weights),
        scale=whole // folded,
        notes=notes,
    )


def _steps(weights: Tensors) -> int:
    numbers = sorted(int(found[1]) for name in weights if (found := re.fullmatch(r"conv_up(\d+)\.weight", name)))
    if len(numbers) > MAX_STEPS or numbers != list(range(1, len(numbers) + 1)):
        raise ModelError(f"its enlargements are numbered {numbers}; known are up to {MAX_STEPS}, from 1 on")
    return len(numbers)


def _factors(count: int, hints: Hints) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """What each step enlarges by. A single one may be by 3 in ESRGAN's first release, and its names are the same."""
    if count != 1:
        return (2,) * count, ()
    if hints.scale == 3:
        return (3,), ()
    if hints.scale is None:
        return (2,), ("one enlargement, read as ×2; an ESRGAN ×3 has the same names: if it is one, give --scale 3",)
    if hints.scale not in (1, 2):
        raise UsageError(f"--scale {hints.scale}: its one enlargement is by 2 or 3")
    return (2,), ()


_CONVOLUTIONS = "conv_first|conv_body|conv_up[1-4]|conv_hr|conv_last|trunk_conv|upconv[1-4]|HRconv"

RRDB = Architecture(
    id="rrdb",
    title="ESRGAN RRDBNet",
    names=(
        rf"({_CONVOLUTIONS})\.{KIND}",
        rf"(body\.\d+\.rdb|RRDB_trunk\.\d+\.RDB)[123]\.conv[1-5]\.{KIND}",
        rf"model\.1\.sub\.\d+\.(RDB[123]\.conv[1-5]\.0\.)?{KIND}",
        rf"model\.\d+\.{KIND}",
    ),
    detect=_detect,
    build=_build,
)
