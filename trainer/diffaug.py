"""Differentiable augmentation: what the discriminator sees of real and generated pictures alike.

Source:
    Zhao et al. 2020, arXiv:2006.10738, §3. There it acts on opaque pictures; here also on premultiplied RGBA, where
    each operation is the paper's on the colour itself, carried through the alpha: empty pixels (signal −1) stay empty.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

OPERATIONS = ("color", "translation", "cutout")  # spelled as in the paper
BRIGHTNESS, SATURATION, CONTRAST = 0.5, (0.0, 2.0), (0.5, 1.5)  # of a signal that spans 2
TRANSLATION_PARTS = 8  # a side's eighth
EMPTY = -1.0


@dataclass(frozen=True)
class Diffaug:
    """Operations by name, in the order colour, translation, cutout.

    Attributes:
        operations: some of OPERATIONS.
        shift: reach of a translation as a share of the side, also without "translation".
    """

    operations: frozenset[str] = frozenset()
    shift: float = 0.0

    def __call__(self, pictures: Tensor, rng: Generator) -> Tensor:
        """[N, 3 or 4, S, S] in −1…1 to the same; each picture draws its own numbers from `rng`, a CPU generator."""
        if "color" in self.operations:
            pictures = recolour(pictures, rng)
        side = pictures.shape[-1]
        share = max(self.shift, 1 / TRANSLATION_PARTS if "translation" in self.operations else 0.0)
        if round(side * share):
            pictures = translate(pictures, round(side * share), rng)
        if "cutout" in self.operations:
            pictures = cut_out(pictures, rng)
        return pictures


def recolour(pictures: Tensor, rng: Generator) -> Tensor:
    """Brightness, saturation, contrast of the colour under the alpha; not clipped, so that gradients flow.

    With light v = signal + 1 (0 is none), alpha a in 0…1 and the mean colour m = Σv / Σa of a picture:
    v + b·a, then towards or from the pixel's grey, then a·m + c·(v − a·m). Opaque pictures give the paper's formulas.
    """
    count = pictures.shape[0]
    draws = torch.rand(3, count, 1, 1, 1, generator=rng).to(pictures.device)
    brightness = (draws[0] * 2 - 1) * BRIGHTNESS
    saturation, contrast = (
        low + (high - low) * draw for draw, (low, high) in zip(draws[1:], (SATURATION, CONTRAST), strict=True)
    )
    light = pictures[:, :3] + 1
    alpha = (pictures[:, 3:] + 1) / 2 if pictures.shape[1] == 4 else torch.ones_like(light[:, :1])
    light = light + brightness * alpha
    grey = light.mean(dim=1, keepdim=True)
    light = grey + (light - grey) * saturation
    # emission has light without alpha: an almost empty picture must not divide it by nothing
    coverage = alpha.mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-2)
    mean = alpha * (light.mean(dim=(1, 2, 3), keepdim=True) / coverage)
    light = mean + (light - mean) * contrast
    return torch.cat([light - 1, pictures[:, 3:]], dim=1)


def translate(pictures: Tensor, reach_px: int, rng: Generator) -> Tensor:
    """Shift each by whole pixels, up to `reach_px` both ways; what comes in is empty."""
    side = pictures.shape[-1]
    padded = F.pad(pictures, (reach_px, reach_px, reach_px, reach_px), value=EMPTY)
    corners = torch.randint(0, 2 * reach_px + 1, (pictures.shape[0], 2), generator=rng).tolist()
    moved = [p[:, y : y + side, x : x + side] for p, (y, x) in zip(padded, corners, strict=True)]
    return torch.stack(moved)


def cut_out(pictures: Tensor, rng: Generator) -> Tensor:
    """Empty a square of half the side in each, its centre anywhere."""
    count, _, side, _ = pictures.shape
    centres = torch.randint(0, side, (2, count, 1), generator=rng)
    near = (torch.arange(side) - centres).abs() <= side // 4  # [2, N, S]
    kept = ~(near[0, :, :, None] & near[1, :, None, :])
    return (pictures - EMPTY) * kept[:, None].to(pictures) + EMPTY
