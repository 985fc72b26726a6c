"""`--rerender` of `vfxgan verify`: a sample of frames made again, and what is said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vfxgan.cli.shared import ProgressChoice

if TYPE_CHECKING:
    from vfxgan.render.verify import Compared


@dataclass(frozen=True)
class Again:
    """How frames are made again; None and nothing where the line does not say."""

    count: int = 0
    model: str | None = None
    plates: str | None = None
    upscalers: tuple[str, ...] = ()

    def compare(self, paths: Sequence[Path]) -> "list[Compared]":
        """A sample of these; what is wrong with one, or different, is said as it is found."""
        from vfxgan.progress import say
        from vfxgan.render.verify import rerender, sample

        if not self.count or not paths:
            return []
        done = []
        for compared in rerender(sample(paths, self.count), self.model, self.plates, self.upscalers):
            done.append(compared)
            if compared.problem:
                say(f"{compared.path}: {compared.problem}")
            elif not compared.same_bytes:
                say(f"{compared.path}: PSNR {compared.psnr_db:.1f} dB here ({'; '.join(compared.reasons)})")
        return done


def of_rerendered(again: "Sequence[Compared]") -> str:
    """The end of the last line; "" where none was made again."""
    if not again:
        return ""
    same = sum(compared.same_bytes for compared in again)
    if same == len(again):
        return f", {same} of them rendered again: to the same bytes"
    return (
        f", {len(again)} of them rendered again: {same} to the same bytes, {len(again) - same} not, which passes: "
        "made on another machine, runtime or config, see above"
    )


def tell_outcome(line: str, progress: ProgressChoice) -> None:
    """On stdout, but where a program reads that."""
    from vfxgan.progress import say

    if progress in (ProgressChoice.json, ProgressChoice.openjd):
        say(line)
    else:
        print(line)


def counted(number: int, noun: str) -> str:
    """`1 frame`, `2 frames`."""
    return f"{number} {noun}{'s' * (number != 1)}"
