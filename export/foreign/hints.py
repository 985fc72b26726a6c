"""What a user states on the command line about a file that does not say it."""

from dataclasses import dataclass, fields
from typing import Literal

from vfxgan.errors import UsageError

Kind = Literal["generator", "translator", "upscaler"]
HintedNorm = Literal["batch", "instance", "none"]
Distribution = Literal["uniform", "normal"]

# The option of each field, for messages.
OPTIONS = {
    "architecture": "--architecture",
    "norm": "--norm",
    "kind": "--kind",
    "scale": "--scale",
    "value_range": "--range",
    "peak": "--peak",
    "extended": "--extended",
    "channels": "--channels",
    "size_multiple": "--size-multiple",
    "distribution": "--distribution",
    "interval": "--interval",
    "name": "--name",
}
FOR_ANY_FILE = ("--name", "--interval")  # no statements about what a file leaves unsaid


@dataclass(frozen=True)
class Hints:
    """None: not stated.

    Attributes:
        architecture: id of an architecture in the registry.
        norm: of a translator whose weights do not tell.
        value_range: what the network takes and gives: (-1, 1) or (0, 1).
        peak: scene-linear light at the top of that range.
        extended: the network was trained on values beyond its range.
        channels: of the input picture.
        size_multiple: H and W of the input must be multiples of it.
        distribution, interval: of the latent; see `LatentInput`.
    """

    architecture: str | None = None
    norm: HintedNorm | None = None
    kind: Kind | None = None
    scale: int | None = None
    value_range: tuple[float, float] | None = None
    peak: float | None = None
    extended: bool | None = None
    channels: int | None = None
    size_multiple: int | None = None
    distribution: Distribution | None = None
    interval: float | None = None
    name: str | None = None

    def given(self) -> tuple[str, ...]:
        """The options of what was stated."""
        return tuple(OPTIONS[field.name] for field in fields(self) if getattr(self, field.name) is not None)

    def refuse_for(self, what: str) -> None:
        """For a file that says all of it.

        Args:
            what: for the message, such as "ckpt.pt is a vfxgan checkpoint".
        Raises:
            UsageError: something was stated about it.
        """
        needless = [option for option in self.given() if option not in FOR_ANY_FILE]
        if needless:
            raise UsageError(f"{needless[0]} is for files that do not say it, but {what}: leave it out")
