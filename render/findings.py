"""One line of `vfxgan doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """What was looked at, and whether it is as it should be.

    Attributes:
        needed: the default render cannot run without it.
        asked: somebody's settings count on it, so that its absence is a problem and no mere lack.
    """

    what: str
    ok: bool
    detail: str
    needed: bool = False
    asked: bool = False

    @property
    def mark(self) -> str:
        return "ok" if self.ok else "MISSING" if self.needed else "PROBLEM" if self.asked else "optional"
