"""Single pictures of one size: what a DCGAN learns from."""

from dataclasses import dataclass, replace
from pathlib import Path

from vfxgan.trainer.data.augment import Augment, centre, choose_gains, choose_place, relit
from vfxgan.trainer.data.cache import Cache, chosen, hold_out
from vfxgan.trainer.data.decoding import Decoded, Header, Reading, decode_picture
from vfxgan.trainer.data.filling import Item, Order
from vfxgan.trainer.data.pictures import list_pictures
from vfxgan.trainer.data.resizing import resized_half
from vfxgan.trainer.data.samples import Sample, sample_rng
from vfxgan.trainer.data.store import Store
from vfxgan.trainer.data.survey import digest_of, survey


@dataclass(frozen=True)
class PictureSamples:
    """A set of pictures of any size, each brought to one.

    A sample is {"real": [C, S, S] float32 in −1…1}: RGB premultiplied in the extended encoding, alpha linear.

    Attributes:
        notes: what was counted, a sentence each, to be shown once.
    """

    digest: str
    notes: list[str]
    cache: Cache
    training: tuple[int, ...]
    held_out: tuple[int, ...]
    size: int
    peak: float
    augment: Augment
    seed: int

    def __len__(self) -> int:
        return len(self.training)

    def __getitem__(self, place: tuple[int, int]) -> Sample:
        rng = sample_rng(self.seed, *place)
        index = chosen(self.training, rng)
        square = (self.size, self.size)
        signal = choose_place(self.cache.size(index), square, self.augment, rng).cut(self.cache.picture(index), square)
        gains = choose_gains(self.augment, rng)
        if gains is not None:
            signal = relit(signal, gains, self.peak)
        return {"real": signal * 2 - 1}

    def validation(self, count: int) -> list[Sample]:
        """The first `count` held-out pictures, not augmented: the centre, of the short side, brought to the size."""
        samples: list[Sample] = []
        for index in self.held_out[:count]:
            side = min(self.cache.size(index))
            signal = centre(self.cache.size(index), (side, side)).cut(self.cache.picture(index), (self.size, self.size))
            samples.append({"real": signal * 2 - 1})
        return samples


def open_pictures(
    folder: Path, *, size: int, channels: int, peak: float, augment: Augment, store: Store, held_out: int = 0
) -> PictureSamples:
    """List, check and cache a folder.

    Every picture is resized (bicubic, antialiased, on the encoded signal) so that its short side is `size`, and
    cropped to a square sample by sample. One that is `size`×`size` is taken as it is.

    Args:
        channels: 3 or 4; a picture without alpha is opaque.
        held_out: so many pictures are kept from training, for `validation`.
    Raises:
        DataError: no folder, no picture, too many corrupt ones, or no room to decode into.
    """
    files = survey(list_pictures(folder), store.style)
    side = round(size * augment.largest)
    headers = [file.header for file in files if file.header is not None]
    items = [Item(h.path.name, (h.path,), *_fitted(h, side)) for h in headers]
    reading = Reading(channels, peak, store.bad_pixels)

    def decode(item: Item) -> Decoded:
        decoded = decode_picture(item.files[0], reading)
        return replace(decoded, signal=resized_half(decoded.signal, (item.height, item.width)))

    order = Order(
        folder=str(folder),
        digest=digest_of(files),
        channels=channels,
        smallest=side,
        peak=peak,
        facts={"kind": "single", "side": side},
        troubles=[file.trouble for file in files if file.header is None],
        files=len(files),
    )
    cache = store.fill(items, decode, order)
    training, kept = hold_out(cache, held_out, str(folder))
    small = sum(min(h.height, h.width) < size for h in headers)
    notes = [*cache.notes]
    if small:
        notes.append(f"{small} of {len(files)} pictures are smaller than {size} px and were upscaled")
    low, high = augment.scale or (1.0, 1.0)
    relative = replace(augment, scale=(low / augment.largest, high / augment.largest)) if augment.scale else augment
    return PictureSamples(order.digest, notes, cache, training, kept, size, peak, relative, store.seed)


def _fitted(header: Header, side: int) -> tuple[int, int]:
    """Height and width once the short side is `side`."""
    short = min(header.height, header.width)
    return max(side, round(header.height * side / short)), max(side, round(header.width * side / short))
