"""High-resolution pictures and their degraded selves: what an upscaler learns from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vfxgan.errors import DataError
from vfxgan.trainer.data.augment import Augment, centre, choose_gains, choose_place, relit
from vfxgan.trainer.data.cache import Cache, chosen, hold_out
from vfxgan.trainer.data.decoding import Decoded, Reading, decode_picture
from vfxgan.trainer.data.filling import Item, Order
from vfxgan.trainer.data.pictures import list_pictures
from vfxgan.trainer.data.real import degrade_real
from vfxgan.trainer.data.samples import Sample, sample_rng
from vfxgan.trainer.data.store import Store
from vfxgan.trainer.data.survey import digest_of, survey

Degradation = Literal["bicubic", "real"]

MARGIN = {"bicubic": 2, "real": 4}  # low-resolution pixels that a filter sees around the crop
VALIDATION = 2**32  # stands for the iteration where held-out pictures are degraded


def degrade_bicubic(high: Tensor, scale: int) -> Tensor:
    """Reduce by the antialiased bicubic filter (a = −0.5) that the super-resolution papers measure with.

    Args:
        high: [N, C, H, W] float32, the encoded signal in 0…1; H and W multiples of the scale.
    Returns:
        [N, C, H/s, W/s], kept in 0…1.
    Source:
        Keys 1981 with the kernel widened by the scale, as MATLAB's imresize; Ledig et al. 2017, arXiv:1609.04802, §3.1.
    """
    height, width = high.shape[-2:]
    if height % scale or width % scale:
        raise ValueError(f"{width}×{height} is no multiple of the scale {scale}; crop it first")
    size = (height // scale, width // scale)
    return F.interpolate(high, size, mode="bicubic", antialias=True, align_corners=False).clamp_(0, 1)


@dataclass(frozen=True)
class DegradedSamples:
    """A set of pictures, degraded as they are asked for.

    A sample is {"low": [3, h, w], "high": [3, s·h, s·w]}, float32 in 0…1 of the encoded signal.
    """

    digest: str
    notes: list[str]
    cache: Cache
    training: tuple[int, ...]
    held_out: tuple[int, ...]
    scale: int
    crop: int
    degradation: Degradation
    peak: float
    augment: Augment
    seed: int

    def __len__(self) -> int:
        return len(self.training)

    def __getitem__(self, place: tuple[int, int]) -> Sample:
        rng = sample_rng(self.seed, *place)
        index = chosen(self.training, rng)
        square, inset = self._outer(index)
        high = choose_place(self.cache.size(index), square, self.augment, rng).cut(self.cache.picture(index), square)
        gains = choose_gains(self.augment, rng)
        if gains is not None:
            high = relit(high, gains, self.peak)
        return self._sample(high, inset, rng)

    def validation(self, count: int) -> list[Sample]:
        """The first `count` held-out pictures, not augmented: the centre crop."""
        samples: list[Sample] = []
        for slot, index in enumerate(self.held_out[:count]):
            square, inset = self._outer(index)
            high = centre(self.cache.size(index), square).cut(self.cache.picture(index), square)
            samples.append(self._sample(high, inset, sample_rng(self.seed, VALIDATION, slot)))
        return samples

    def _outer(self, index: int) -> tuple[tuple[int, int], int]:
        """The crop with a margin, as far as the picture has one, and that margin in low-resolution pixels.

        The filters see what lies around the crop, as they do in a whole picture.
        """
        spare = min(self.cache.size(index)) - self.crop
        inset = min(MARGIN[self.degradation], spare // (2 * self.scale))
        side = self.crop + 2 * inset * self.scale
        return (side, side), inset

    def _sample(self, high: NDArray[np.float32], inset: int, rng: np.random.Generator) -> Sample:
        margin = inset * self.scale
        inner = high[:, margin : margin + self.crop, margin : margin + self.crop]
        if self.degradation == "real":
            return {"low": degrade_real(high, self.scale, inset, rng), "high": np.ascontiguousarray(inner)}
        low = degrade_bicubic(torch.from_numpy(high)[None], self.scale)[0].numpy()
        side = self.crop // self.scale
        return {
            "low": np.ascontiguousarray(low[:, inset : inset + side, inset : inset + side]),
            "high": np.ascontiguousarray(inner),
        }


def open_degraded(
    folder: Path,
    *,
    scale: int,
    crop: int,
    degradation: Degradation,
    peak: float,
    augment: Augment,
    store: Store,
    held_out: int = 0,
) -> DegradedSamples:
    """List, check and cache a folder of high-resolution pictures.

    Args:
        crop: side of the high-resolution crop in px, a multiple of the scale. Smaller pictures are left out, and
            counted: enlarged ones would teach blur.
    Raises:
        DataError: no folder, no picture that is large enough, too many corrupt ones, or no room to decode into.
    """
    if crop % scale:
        raise DataError(f"a crop of {crop} px is no multiple of --scale {scale}; give {crop - crop % scale}")
    files = survey(list_pictures(folder), store.style)
    headers = [file.header for file in files if file.header is not None]
    large = [h for h in headers if min(h.height, h.width) >= crop]
    troubles = [file.trouble for file in files if file.header is None]
    if headers and not large:
        all_of_them = f"all {len(headers)} pictures are" if len(headers) > 1 else "the only picture is"
        raise DataError(f"--data {folder}: {all_of_them} smaller than the crop of {crop} px; give a smaller --crop")
    reading = Reading(3, peak, store.bad_pixels)

    def decode(item: Item) -> Decoded:
        return decode_picture(item.files[0], reading)

    order = Order(
        folder=str(folder),
        digest=digest_of(files),
        channels=3,
        smallest=crop,
        peak=peak,
        facts={"kind": "degraded", "crop": crop},
        troubles=troubles,
        files=len(files),
    )
    cache = store.fill([Item(h.path.name, (h.path,), h.height, h.width) for h in large], decode, order)
    training, kept = hold_out(cache, held_out, str(folder))
    notes = [*cache.notes]
    if len(large) < len(headers):
        left_out = len(headers) - len(large)
        notes.append(f"{left_out} of {len(files)} pictures are smaller than the crop of {crop} px and are not used")
    return DegradedSamples(
        order.digest, notes, cache, training, kept, scale, crop, degradation, peak, augment, store.seed
    )
