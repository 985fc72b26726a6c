"""Which pictures a plate's file holds, and which of them are processed: layers, parts and views of EXR."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vfxgan.errors import ImageError
from vfxgan.images import Part, one_line
from vfxgan.render.options import OutputOptions

MAIN_LAYERS = ("", "rgba", "rgb", "beauty", "combined", "main")
NAMED = 6
_COLOURS = (("r", "red"), ("g", "green"), ("b", "blue"))
_ALPHAS = ("a", "alpha")


@dataclass(frozen=True)
class Chosen:
    """One picture that goes through the network: one view of one layer.

    Attributes:
        part: of the file.
        channels: of that part, as indices: grey | grey, alpha | R, G, B | R, G, B, alpha.
        prefix: what stands before the channels' last names: "", "left.", "diffuse.".
        layer: "" for the main one.
        view: "" where the file has none.
    """

    part: Part
    channels: tuple[int, ...]
    prefix: str
    layer: str
    view: str

    def names(self, count: int) -> tuple[str, ...]:
        """Of the channels of the frame: the plate's own where it has them. `count` is 3 (RGB) or 4 (RGB, alpha)."""
        own = [self.part.channels[index] for index in self.channels]
        if len(own) < 3:
            return tuple(f"{self.prefix}{letter}" for letter in "RGBA"[:count])
        return (*own, f"{self.prefix}A")[:count]


def view_and_layer(name: str, views: Sequence[str]) -> tuple[str, str, str]:
    """Layer, view and last name of a channel: `diffuse.left.R` is diffuse, left, R.

    Args:
        views: of the file, the default one first, whose channels have no view in their names.
    Source:
        OpenEXR, "Storing Multi-View Images in OpenEXR Files".
    """
    *words, base = name.split(".")
    if not views:
        return ".".join(words), "", base
    if words and words[-1] in views:
        view = words.pop()
    elif words and words[0] in views:
        view = words.pop(0)
    else:
        view = "" if words else views[0]
    return ".".join(words), view, base


def views_of(part: Part) -> tuple[str, ...]:
    """Of a single part that holds several views, the default one first; else nothing."""
    views = part.attributes.get("multiView")
    if isinstance(views, str):
        return (views,)
    return tuple(view for view in views if isinstance(view, str)) if isinstance(views, tuple) else ()


def choose_pictures(parts: Sequence[Part], path: Path, output: OutputOptions) -> tuple[Chosen, ...]:
    """What is to be processed: the main picture, or `--layer`, of `--part`, in all views or `--view`.

    Raises:
        ImageError: there is none, with what the file does have.
    """
    flat = [part for part in _wanted_parts(parts, path, output.part) if not part.deep]
    if not flat:
        raise ImageError(f"{path}: holds deep samples; flatten it, plates have one value a pixel")
    found = [picture for part in flat for picture in _pictures(part)]
    if output.part is not None or (len(flat) == 1 and len(flat[0].channels) == 1):
        found += [_single(part) for part in flat if len(part.channels) == 1 and not _pictures(part)]
    named = _of_layer(found, output.layer, path, flat)
    by_view: dict[str, Chosen] = {}
    for picture in named:
        by_view.setdefault(picture.view, picture)
    if output.view is None:
        return tuple(by_view.values())
    if output.view not in by_view:
        has = f"it has {one_line(', '.join(by_view))}" if any(by_view) else "it names no views"
        raise ImageError(f"{path}: has no view {output.view!r}; {has}")
    return (by_view[output.view],)


def _wanted_parts(parts: Sequence[Part], path: Path, wanted: str | None) -> list[Part]:
    if wanted is None:
        return list(parts)
    named = [part for part in parts if part.name == wanted]
    if not named and wanted.isdecimal() and int(wanted) < len(parts):
        named = [parts[int(wanted)]]
    if not named:
        listed = ", ".join(f"{part.index} {part.name}".strip() for part in parts[:NAMED])
        more = ", …" if len(parts) > NAMED else ""
        raise ImageError(f"{path}: has no part {wanted!r}; it has {one_line(listed)}{more}")
    return named


def _pictures(part: Part) -> list[Chosen]:
    """All layers and views of a part that have colour, or luminance alone."""
    views = views_of(part)
    groups: dict[tuple[str, str, str], dict[str, int]] = {}
    for index, name in enumerate(part.channels):
        layer, view, base = view_and_layer(name, views)
        prefix = name[: len(name) - len(base)]
        groups.setdefault((prefix, layer, view or part.view), {}).setdefault(base.lower(), index)
    pictures = []
    for (prefix, layer, view), places in groups.items():
        channels = _colour(places)
        if channels:
            pictures.append(Chosen(part, channels, prefix, layer, view))
    return pictures


def _colour(places: dict[str, int]) -> tuple[int, ...]:
    colours = [next((places[name] for name in names if name in places), None) for names in _COLOURS]
    alpha = next(((places[name],) for name in _ALPHAS if name in places), ())
    found = tuple(index for index in colours if index is not None)
    if len(found) == len(_COLOURS):
        return (*found, *alpha)
    if "y" in places and not {"ry", "by"} & set(places) and "x" not in places:
        return (places["y"], *alpha)
    return ()


def _single(part: Part) -> Chosen:
    base = view_and_layer(part.channels[0], views_of(part))[2]
    prefix = part.channels[0].removesuffix(base)
    return Chosen(part, (0,), prefix, "", part.view)


def _of_layer(found: list[Chosen], layer: str | None, path: Path, parts: Sequence[Part]) -> list[Chosen]:
    if layer is not None:
        named = [picture for picture in found if layer in _layer_names(picture)]
        named = named or [matte for matte in _mattes(parts, found) if layer in _matte_names(matte)]
        named = named or _exact(parts, layer)
        if not named:
            raise ImageError(f"{path}: has no layer {layer!r} with colour; it has {_listed(found, parts)}")
        return named
    for main in MAIN_LAYERS:
        named = [picture for picture in found if picture.layer.lower() == main]
        if named:
            return named
    if len({picture.layer for picture in found}) == 1:
        return found
    if found:
        raise ImageError(f"{path}: has several layers and no main one; give --layer: {_listed(found, parts)}")
    names = [name for part in parts for name in part.channels]
    if {name.lower() for name in names} & {"ry", "by"}:
        raise ImageError(f"{path}: holds luminance and chroma (Y, RY, BY); convert it to RGB")
    raise ImageError(f"{path}: has {_shortened(names)}; give RGB, RGBA or one grey channel, or name a --layer")


def _layer_names(picture: Chosen) -> tuple[str, ...]:
    """A layer is named by its channels, or by the part that it fills: `diffuse`, `diffuse.left`."""
    return (picture.layer,) if picture.layer else _part_names(picture)


def _part_names(picture: Chosen) -> tuple[str, ...]:
    name = picture.part.name
    return (name, name.removesuffix(f".{picture.view}"), name.removeprefix(f"{picture.view}."))


def _matte_names(matte: Chosen) -> tuple[str, ...]:
    return (matte.layer, *_part_names(matte)) if len(matte.part.channels) == 1 else (matte.layer,)


def _mattes(parts: Sequence[Part], found: Sequence[Chosen]) -> list[Chosen]:
    """Channels that may be processed by their name: those of no layer (`mask`), and the only one of a layer (`mask.m`).

    Args:
        found: the pictures, whose channels are none of these.
    """
    mattes = []
    for part in parts:
        views = views_of(part)
        taken = {index for picture in found if picture.part is part for index in picture.channels}
        split = [view_and_layer(name, views) for name in part.channels]
        groups = [(layer, view) for layer, view, _ in split]
        for index, (layer, view, base) in enumerate(split):
            if index in taken or (layer and groups.count((layer, view)) > 1):
                continue
            name = part.channels[index]
            prefix = f"{name.removesuffix(f'.{base}')}." if layer else f"{name}."
            mattes.append(Chosen(part, (index,), prefix, layer or base, view or part.view))
    return mattes


def _exact(parts: Sequence[Part], name: str) -> list[Chosen]:
    """Any one channel, by its whole name (`A`, `diffuse.R`)."""
    found = [(part, part.channels.index(name)) for part in parts if name in part.channels]
    return [Chosen(part, (index,), f"{name}.", name, part.view) for part, index in found[:1]]


def _listed(found: Sequence[Chosen], parts: Sequence[Part]) -> str:
    """All that `--layer` takes, pictures first."""
    layers = [_layer_names(picture)[0] for picture in found] + [matte.layer for matte in _mattes(parts, found)]
    named = list(dict.fromkeys(layer for layer in layers if layer))
    return _shortened(named) if named else _shortened([name for part in parts for name in part.channels])


def _shortened(names: Sequence[str]) -> str:
    return one_line(", ".join(names[:NAMED])) + (", …" if len(names) > NAMED else "")
