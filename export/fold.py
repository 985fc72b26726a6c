"""Batch norms folded into the layers before them, in float64, rounded once."""

import copy
import itertools

import torch
from torch import Tensor, nn

from vfxgan.errors import ModelError
from vfxgan.trainer.networks.folding import Fold, Foldable, Linear


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """The network in eval mode without any batch norm: a copy, which shares all weights that no norm changes.

    Exporters leave some unfolded (a linear projection that is reshaped before its norm), and fold in float32.

    Raises:
        ModelError: a batch norm that no module offers to fold.
    """
    scaled_in_place = {id(addend) for fold in _folds(network) for addend in fold.addends}
    tensors = itertools.chain(network.parameters(), network.buffers())
    shared = {id(tensor): tensor for tensor in tensors if id(tensor) not in scaled_in_place}
    folded = copy.deepcopy(network, shared).eval()
    for fold in _folds(folded):
        _apply(fold)
    left = [name for name, module in folded.named_modules() if isinstance(module, nn.BatchNorm2d)]
    if left:
        raise ModelError(f"batch norm {left[0]} cannot be folded: its module must offer it in folds()")
    return folded


def _folds(network: nn.Module) -> list[Fold]:
    return [fold for module in network.modules() if isinstance(module, Foldable) for fold in module.folds()]


@torch.no_grad()
def _apply(fold: Fold) -> None:
    norm = getattr(fold.owner, fold.norm)
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    offset = norm.bias.double() - norm.running_mean.double() * scale
    layer = fold.layer
    if isinstance(layer, nn.Linear):  # features are channel-major: each channel's scale is repeated over its pixels
        pixels = layer.out_features // norm.num_features
        scale_out, offset_out = scale.repeat_interleave(pixels), offset.repeat_interleave(pixels)
    else:
        scale_out, offset_out = scale, offset
    scaled = (layer.weight.double() * _beside_outputs(layer, scale_out)).float()
    layer.weight = nn.Parameter(scaled, requires_grad=False)
    bias = torch.zeros_like(offset_out) if layer.bias is None else layer.bias.double()
    layer.bias = nn.Parameter((bias * scale_out + offset_out).float(), requires_grad=False)
    for addend in fold.addends:
        addend.copy_((addend.double() * scale.view(1, -1, 1, 1)).float())
    setattr(fold.owner, fold.norm, nn.Identity())


def _beside_outputs(layer: Linear, scale: Tensor) -> Tensor:
    """The scale, shaped to multiply the layer's weight along its output channels."""
    if isinstance(layer, nn.Linear):
        return scale.view(-1, 1)
    if isinstance(layer, nn.ConvTranspose2d):  # [in, out, kH, kW]
        return scale.view(1, -1, 1, 1)
    return scale.view(-1, 1, 1, 1)
