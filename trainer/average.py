"""The running mean of a network's weights (EMA): what is sampled and exported."""

import copy

import torch
from torch import nn


class Average:
    """Exponential moving average of parameters; buffers follow as they are.

    Source:
        Polyak and Juditsky 1992; for GANs Yazıcı et al. 2019, arXiv:1806.04498.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, iteration: int) -> None:
        """Move towards `network`; early on the decay is lower, so that the random start is forgotten."""
        decay = min(self.decay, (1 + iteration) / (10 + iteration))
        mine = [p.detach() for p in self.network.parameters()]  # views: the update lands in the network
        theirs = [p.detach() for p in network.parameters()]
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        for buffer, source in zip(self.network.buffers(), network.buffers(), strict=True):
            buffer.copy_(source)
