"""How the super-resolution networks start: He's normal weights, made smaller."""

from collections.abc import Iterable

import torch
from torch import nn

SCALE = 0.1


@torch.no_grad()
def initialise_scaled(convolutions: Iterable[nn.Conv2d], scale: float = SCALE) -> None:
    """He's normal weights times `scale`, biases 0. Small weights let deep stacks of residuals start as the identity.

    Source:
        He et al. 2015, arXiv:1502.01852, §2.2; Wang et al. 2018 (ESRGAN), arXiv:1809.00219, §4.1 and supplement.
    """
    for convolution in convolutions:
        nn.init.kaiming_normal_(convolution.weight)
        convolution.weight.mul_(scale)
        if convolution.bias is not None:
            convolution.bias.zero_()
