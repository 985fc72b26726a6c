"""The architectures that people's checkpoints are recognised as. One line each."""

from collections.abc import Iterable

from vfxgan.errors import ModelError, UsageError
from vfxgan.export.foreign.architecture import Architecture, Imported, Shapes, Tensors
from vfxgan.export.foreign.cyclegan_resnet import CYCLEGAN_RESNET
from vfxgan.export.foreign.cyclegan_unet import CYCLEGAN_UNET
from vfxgan.export.foreign.examples_dcgan import EXAMPLES_DCGAN
from vfxgan.export.foreign.hints import Hints
from vfxgan.export.foreign.rrdb import RRDB
from vfxgan.export.foreign.srresnet import SRRESNET

ARCHITECTURES: dict[str, Architecture] = {
    entry.id: entry for entry in (CYCLEGAN_UNET, CYCLEGAN_RESNET, EXAMPLES_DCGAN, RRDB, SRRESNET)
}
NEAREST = 3
WORTH_NAMING = 0.05


def recognise(tensors: Tensors, hints: Hints) -> Imported:
    """The network that these weights are.

    Args:
        tensors: float32, plain names.
    Raises:
        ModelError: no known architecture, or one whose weights do not fit each other.
        UsageError: the weights do not tell everything, and the message names the option.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    entry = _stated(hints.architecture, shapes) if hints.architecture else _detected(shapes)
    try:
        return entry.build(tensors, hints)
    except ModelError as error:
        raise ModelError(f"looks like {entry.title}, but {error}; ask for the file again, or another") from error
    except UsageError as error:
        raise UsageError(f"looks like {entry.title}, but {error}") from error


def _stated(name: str, shapes: Shapes) -> Architecture:
    if name not in ARCHITECTURES:
        raise UsageError(f"--architecture {name!r} is not known; known: {', '.join(ARCHITECTURES)}")
    entry = ARCHITECTURES[name]
    odd = entry.strangers(shapes)
    if odd or not entry.detect(shapes):
        reason = f"such as {odd[0]!r}" if odd else "some are missing or of another shape"
        raise ModelError(f"is no {entry.title}, as --architecture {name} says: its weights have other names ({reason})")
    return entry


def _detected(shapes: Shapes) -> Architecture:
    found = [entry for entry in ARCHITECTURES.values() if entry.detect(shapes) and not entry.strangers(shapes)]
    if not found:
        raise ModelError(_unknown(shapes))
    if len(found) > 1:
        raise UsageError(f"fits several architectures; give --architecture {' or '.join(entry.id for entry in found)}")
    return found[0]


def _unknown(names: Iterable[str]) -> str:
    """The nearest known ones, by the share of names that fit, and the first names that do not fit the very nearest."""
    names = list(names)
    shares = sorted(
        ((1 - len(entry.strangers(names)) / len(names), entry) for entry in ARCHITECTURES.values()),
        key=lambda pair: -pair[0],
    )
    near = [
        f"{entry.title} ({share:.0%} of its names fit)" for share, entry in shares[:NEAREST] if share >= WORTH_NAMING
    ]
    best = shares[0][1]
    odd = best.strangers(names)[:NEAREST] if near else names[:NEAREST]
    first = ", ".join(repr(name[:80]) for name in odd)
    if not near:
        known = ", ".join(entry.title for entry in ARCHITECTURES.values())
        return f"unknown architecture, no name fits any known one (such as {first}); known: {known}"
    remains = f"names that do not fit: {first}" if odd else "its names fit, but some are missing or of another shape"
    return f"unknown architecture; nearest: {', '.join(near)}; {remains}"
