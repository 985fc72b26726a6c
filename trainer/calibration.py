"""Batch-norm statistics of an averaged network, measured again: those of training belong to other weights."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def calibrate_norms(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the running statistics to the mean over these batches; the network is left in eval mode.

    Dropout stays off: it makes features wider than they are at inference (Li et al. 2018, arXiv:1801.05134).

    Args:
        batches: inputs [N, …], on the network's device. Not drawn from where no batch norm is.
    """
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative mean
        norm.train()
    for batch in batches:
        network(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
