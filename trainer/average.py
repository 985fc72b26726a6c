"""The running mean of a network's weights (EMA): what is sampled and exported."""

import copy

import torch
from torch import nn


class Average:
    """Exponential moving average of parameters; buffers follow as they are.

    Args:
        random_start: the first weights are to be forgotten soon; False where they come from another run.
    Source:
        Polyak and Juditsky 1992; for GANs Yazıcı et al. 2019, arXiv:1806.04498.
    """

    def __init__(self, network: nn.Module, decay: float, random_start: bool = True) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay, self.random_start = decay, random_start

    @torch.no_grad()
    def update(self, network: nn.Module, iteration: int) -> None:
        """Move towards `network`; early on the decay is lower, so that a random start is forgotten."""
        decay = min(self.decay, (1 + iteration) / (10 + iteration)) if self.random_start else self.decay
        mine = [p.detach() for p in self.network.parameters()]  # views: the update lands in the network
        theirs = [p.detach() for p in network.parameters()]
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        for buffer, source in zip(self.network.buffers(), network.buffers(), strict=True):
            buffer.copy_(source)
