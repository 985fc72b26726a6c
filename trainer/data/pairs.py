"""Pairs of pictures: what a translator learns from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vfxgan.errors import DataError
from vfxgan.trainer.data.augment import Augment, centre, choose_gains, choose_place, relit
from vfxgan.trainer.data.cache import Cache, chosen, hold_out
from vfxgan.trainer.data.decoding import Decoded, Reading, decode_picture
from vfxgan.trainer.data.filling import Item, Order
from vfxgan.trainer.data.matching import Pair, match_folders, split_halves
from vfxgan.trainer.data.pictures import list_pictures
from vfxgan.trainer.data.resizing import resized_half
from vfxgan.trainer.data.samples import Sample, sample_rng
from vfxgan.trainer.data.store import Store
from vfxgan.trainer.data.survey import digest_of, listed, survey


@dataclass(frozen=True)
class PairSamples:
    """Pairs, cropped and turned as one.

    A sample is {"source": [Ci, h, w], "target": [Co, h, w]}, float32 in −1…1.

    Attributes:
        notes: what was counted, a sentence each, to be shown once.
        relit_sides: whether exposure and colour are varied in source and target.
    """

    digest: str
    notes: list[str]
    cache: Cache
    training: tuple[int, ...]
    held_out: tuple[int, ...]
    crop: int | None
    channels: tuple[int, int]
    relit_sides: tuple[bool, bool]
    peak: float
    augment: Augment
    seed: int

    def __len__(self) -> int:
        return len(self.training)

    def __getitem__(self, place: tuple[int, int]) -> Sample:
        rng = sample_rng(self.seed, *place)
        index = chosen(self.training, rng)
        whole = self.cache.size(index)
        crop = (self.crop, self.crop) if self.crop else whole
        signal = choose_place(whole, crop, self.augment, rng).cut(self.cache.picture(index), crop)
        source, target = signal[: self.channels[0]], signal[self.channels[0] :]
        gains = choose_gains(self.augment, rng)
        if gains is not None:
            source = relit(source, gains, self.peak) if self.relit_sides[0] else source
            target = relit(target, gains, self.peak) if self.relit_sides[1] else target
        return {"source": source * 2 - 1, "target": target * 2 - 1}

    def validation(self, count: int) -> list[Sample]:
        """The first `count` held-out pairs, whole and not augmented."""
        samples: list[Sample] = []
        for index in self.held_out[:count]:
            size = self.cache.size(index)
            signal = centre(size, size).cut(self.cache.picture(index), size) * 2 - 1
            samples.append({"source": signal[: self.channels[0]], "target": signal[self.channels[0] :]})
        return samples


def open_pairs(
    source: Path,
    target: Path | None,
    *,
    crop: int | None,
    channels: tuple[int, int],
    peak: float,
    augment: Augment,
    store: Store,
    held_out: int = 0,
    swapped: bool = False,
) -> PairSamples:
    """List, match, check and cache pairs.

    Args:
        target: None: every picture of `source` holds both sides, source left, target right.
        crop: side of a sample's square; pairs that are smaller are upscaled, and counted. None: whole pictures, which
            must then be of one size.
        channels: of source and target: 1, 3 or 4.
        swapped: the network is to make sources from targets; it decides which light may be varied.
    Raises:
        DataError: no folder, no picture, pairs that do not match (all listed), too many corrupt files, no room.
    """
    files = survey(list_pictures(source), store.style)
    if target is None:
        pairs, digest, count = split_halves(files, source), digest_of(files), len(files)
        troubles = [file.trouble for file in files if file.header is None]
    else:
        others = survey(list_pictures(target, "--target"), store.style)
        pairs, troubles = match_folders(files, others, source, target)
        digest, count = digest_of([*files, *others]), len(files)
    items = [Item(pair.name, pair.files, *_fitted(pair, crop)) for pair in pairs]
    sizes = sorted({f"{item.width}×{item.height}" for item in items})
    if not crop and len(sizes) > 1:
        raise DataError(f"--data {source}: the pictures differ in size ({listed(sizes)}); give --crop")
    readings = tuple(Reading(width, peak, store.bad_pixels) for width in channels)

    def decode(item: Item) -> Decoded:
        sides = _sides(item, readings)
        signal = resized_half(np.concatenate([side.signal for side in sides]), (item.height, item.width))
        return Decoded(signal, max(s.bad for s in sides), any(s.clipped for s in sides), any(s.negative for s in sides))

    order = Order(
        folder=str(source) if target is None else f"{source}, {target}",
        digest=digest,
        channels=sum(channels),
        smallest=crop or max((max(i.height, i.width) for i in items), default=1),
        peak=peak,
        facts={"kind": "pairs", "crop": crop, "sides": channels, "halves": target is None},
        troubles=troubles,
        files=count,
    )
    cache = store.fill(items, decode, order)
    training, kept = hold_out(cache, held_out, str(source))
    notes = [*cache.notes]
    small = sum(min(pair.height, pair.width) < crop for pair in pairs) if crop else 0
    if small:
        notes.append(f"{small} of {len(pairs)} pairs are smaller than {crop} px and were upscaled")
    mattes = [width == 1 or any(pair.grey[side] for pair in pairs) for side, width in enumerate(channels)]
    # A matte has no light, and what is made from one cannot follow a light that it does not show.
    relit_sides = (False, False) if mattes[swapped] else (not mattes[0], not mattes[1])
    return PairSamples(digest, notes, cache, training, kept, crop, channels, relit_sides, peak, augment, store.seed)


def _sides(item: Item, readings: Sequence[Reading]) -> list[Decoded]:
    """Source and target, from two files or from the halves of one."""
    if len(item.files) == 2:
        return [decode_picture(path, reading) for path, reading in zip(item.files, readings, strict=True)]
    first = decode_picture(item.files[0], readings[0])
    both = [first, first if readings[0] == readings[1] else decode_picture(item.files[0], readings[1])]
    middle = both[0].signal.shape[2] // 2
    halves = (slice(0, middle), slice(middle, None))
    return [replace(decoded, signal=decoded.signal[:, :, half]) for decoded, half in zip(both, halves, strict=True)]


def _fitted(pair: Pair, crop: int | None) -> tuple[int, int]:
    short = min(pair.height, pair.width)
    if not crop or short >= crop:
        return pair.height, pair.width
    return max(crop, round(pair.height * crop / short)), max(crop, round(pair.width * crop / short))
