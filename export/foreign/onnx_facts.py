"""What the input of people's ONNX says of itself, and what the user still has to say."""

from dataclasses import dataclass

import onnx

from vfxgan.errors import ModelError, UsageError
from vfxgan.export.foreign.hints import Hints
from vfxgan.export.foreign.onnx_graph import IMAGE_AXES, LATENT_AXES, channels_by_weights, sides, the_input

MOST_CHANNELS = 64  # of a picture; more of them in the second axis, but not in the last, means [N, H, W, C]
LARGEST_SIDE_PX = 4096  # of a graph that takes one size only
LARGEST_LATENT = 1 << 20


@dataclass(frozen=True)
class Facts:
    """What the graph's input says.

    Attributes:
        latent: entries, where the input is one.
        as_pixel: the latent is [N, z, 1, 1].
        channels: of a picture.
        height, width: of a picture; None: may change.
    """

    latent: int | None = None
    as_pixel: bool = False
    channels: int | None = None
    height: int | None = None
    width: int | None = None


def read_facts(model: onnx.ModelProto, hints: Hints) -> Facts:
    """Look at the one input.

    Raises:
        ModelError: no [N, C, H, W] or [N, z] of sensible size with a batch that may be 1.
        UsageError: other channels than were stated.
    """
    value = the_input(model)
    found = sides(value)
    if found[0] not in (None, 1):
        raise ModelError(f"its input {value.name!r} has a fixed batch of {found[0]}; export it with 1, or any")
    as_pixel = len(found) == IMAGE_AXES and found[2:] == [1, 1]
    if len(found) == LATENT_AXES or as_pixel:
        if found[1] is None:
            raise ModelError(f"the size of its latent {value.name!r} is not fixed; export it with a fixed size")
        if not 1 <= found[1] <= LARGEST_LATENT:
            raise ModelError(f"its latent {value.name!r} has {found[1]} entries; 1 to {LARGEST_LATENT} are taken")
        return Facts(latent=found[1], as_pixel=as_pixel)
    if found[1] is not None and found[1] > MOST_CHANNELS and found[3] is not None and found[3] <= MOST_CHANNELS:
        raise ModelError(f"its input {value.name!r} is [N, H, W, C] ({found}); models take [N, C, H, W]")
    channels = found[1] or channels_by_weights(model, value.name) or hints.channels
    if hints.channels not in (None, channels):
        raise UsageError(f"--channels {hints.channels} does not fit: its input has {channels}")
    if (found[2] is None) != (found[3] is None):
        raise ModelError(f"its input {value.name!r} has one fixed side ({found}); export it with both fixed, or none")
    if (
        any(side is not None and not 1 <= side <= LARGEST_SIDE_PX for side in found[2:])
        or (channels or 1) > MOST_CHANNELS
    ):
        raise ModelError(
            f"its input {value.name!r} is {found}; pictures of up to {MOST_CHANNELS} channels and "
            f"{LARGEST_SIDE_PX} px a side are taken"
        )
    return Facts(channels=channels, height=found[2], width=found[3])


def refuse_missing(facts: Facts, hints: Hints) -> None:
    """Raises UsageError: one message with every option that is still needed, or that contradicts the input."""
    if facts.latent is not None and hints.kind not in (None, "generator"):
        raise UsageError(f"--kind {hints.kind} does not fit: its input is a latent of {facts.latent} entries")
    if facts.latent is None and hints.kind == "generator":
        raise UsageError("--kind generator does not fit: its input is a picture; --kind translator or upscaler does")
    latent = facts.latent is not None
    needed = {
        "--kind translator|upscaler": not latent and hints.kind is None,
        "--scale N": not latent and hints.kind != "translator" and hints.scale is None,
        "--range -1..1|0..1": hints.value_range is None,
        "--channels N": not latent and facts.channels is None,
        "--distribution normal|uniform": latent and hints.distribution is None,
        "--interval X": latent and hints.distribution == "uniform" and hints.interval is None,
    }
    missing = [option for option, is_missing in needed.items() if is_missing]
    if missing:
        raise UsageError(f"is ONNX without a vfxgan spec and does not say what it is; also give {', '.join(missing)}")
