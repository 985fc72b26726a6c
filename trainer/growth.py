"""When a progressive run works at which resolution: a pure function of the iteration.

Source:
    Karras et al. 2018, arXiv:1710.10196, §2 and figure 2.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from vfxgan.trainer.networks.dcgan_progressive import enlarge, sides_of


@dataclass(frozen=True)
class Stage:
    """What an iteration works on.

    Attributes:
        side: of the pictures, in pixels.
        alpha: how much of this resolution counts, the rest is the one before, enlarged; 1 once it has faded in.
    """

    side: int
    alpha: float


@dataclass(frozen=True)
class Growth:
    """The schedule: each resolution is faded in over half of `every` iterations and trained for the other half.

    The first needs no fade, and the last goes on to the end of the run.
    """

    size: int
    every: int

    def at(self, iteration: int) -> Stage:
        """What iteration `iteration`, counted from 0, works on."""
        sides = sides_of(self.size)
        level, within = divmod(iteration, self.every)
        if level >= len(sides):
            return Stage(sides[-1], 1.0)
        fade = max(1, self.every // 2)
        return Stage(sides[level], 1.0 if level == 0 else min(1.0, within / fade))

    @staticmethod
    def share(size: int, iterations: int) -> int:
        """Iterations a resolution such that the last one has twice as many as each before it."""
        return max(1, iterations // (len(sides_of(size)) + 1))


def reduced(pictures: Tensor, stage: Stage) -> Tensor:
    """Real pictures as a stage sees them, box-filtered and faded: [N, C, S, S] to [N, C, side, side]."""
    factor = pictures.shape[-1] // stage.side
    small = F.avg_pool2d(pictures, factor) if factor > 1 else pictures
    if stage.alpha == 1:
        return small
    before = enlarge(F.avg_pool2d(small, 2))
    return before + (small - before) * stage.alpha
