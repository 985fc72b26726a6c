"""What is said of frames of plates: what is not in them, or not as one may think. A sentence holds for a whole run."""

from collections.abc import Iterator, Sequence

from vfxgan.images import OpenImage, Part, one_line
from vfxgan.render.carry_rules import kind_of_data, rules
from vfxgan.render.options import OutputOptions
from vfxgan.render.plate_file import Spaces
from vfxgan.render.plate_frame import Made, left_in
from vfxgan.render.plate_layers import NAMED, Chosen, view_and_layer, views_of
from vfxgan.synthetic import has_packet_of_others

PNG_CUTS = "a PNG has no data window: each frame is its display window, and overscan is cut off"
OTHER_XMP = "the plates' XMP packet is not carried: a frame has its own, which says that it is synthetic"
PNG_EMPTY = (
    "the alpha of some plates is 0 all over, so their PNG looks empty: write .exr, which shows colour without alpha, "
    "or give plates without an A"
)


def notes(image: OpenImage, made: Sequence[Made], spaces: Spaces, output: OutputOptions) -> tuple[str, ...]:
    """All that is to be said of one frame."""
    pictures = [picture.chosen for picture in made]
    said = [spaces.note] if spaces.note else []
    said += [*data_notes(image, pictures), *left_notes(image, pictures, output)]
    keeps = keeps_channels(image, output)
    if keeps and not spaces.keeps_header and any("colour" in _rules(image, part, pictures) for part in image.parts):
        said.append(
            "colour layers that are carried stay in the plate's own space: --colorspace is of what is processed"
        )
    said += [OTHER_XMP] * any(has_packet_of_others(part.attributes) for part in image.parts)
    if output.format == "png":
        said += [PNG_CUTS] * any(picture.data != picture.display for picture in made)
        said += [PNG_EMPTY] * any(_is_invisible(picture) for picture in made)
    return tuple(said)


def data_notes(image: OpenImage, pictures: Sequence[Chosen]) -> tuple[str, ...]:
    """Of pictures that are none: depth, motion, ids and the like."""
    said = []
    for picture in pictures:
        kinds = [kind_of_data(image.parts, picture.part, index) for index in picture.channels]
        kind = next((kind for kind in kinds if kind), "")
        if kind:
            name = picture.layer or picture.part.name or picture.part.channels[picture.channels[0]]
            said.append(f"{one_line(name)} is {kind} by its name, and goes through the network as if it were colour")
    return tuple(dict.fromkeys(said))


def left_notes(image: OpenImage, pictures: Sequence[Chosen], output: OutputOptions) -> tuple[str, ...]:
    """Of the channels, views and parts that are not processed."""
    said = []
    deep = sum(part.deep for part in image.parts)
    left = [(part, index) for part in image.parts if not part.deep for index in left_in(part, pictures)]
    if left and not keeps_channels(image, output):
        names = [part.channels[index] for part, index in left]
        shown = one_line(", ".join(names[:NAMED])) + (", …" if len(names) > NAMED else "")
        carries = "; --keep-channels carries them" if image.format == "openexr" and output.format == "exr" else ""
        said.append(f"{len(left)} other channels stay behind ({shown}){carries}")
    if deep:
        said.append(f"{deep} deep part{'s' * (deep > 1)} cannot be scaled and stay{'s' * (deep == 1)} behind")
    views = _carried_views(image, pictures) if keeps_channels(image, output) else ()
    if views:
        named = f"view{'s' * (len(views) > 1)} {one_line(', '.join(views[:NAMED]))}{', …' * (len(views) > NAMED)}"
        are = "are" if len(views) > 1 else "is"
        said.append(f"{named} {are} only carried, not processed: these frames mix two looks; leave out --view")
    return tuple(said)


def keeps_channels(image: OpenImage, output: OutputOptions) -> bool:
    """Whether what is not processed is carried."""
    return output.keep_channels is not None and image.format == "openexr" and output.format == "exr"


def _carried_views(image: OpenImage, pictures: Sequence[Chosen]) -> tuple[str, ...]:
    """Views whose colour is carried while that of another one is processed."""
    done = {picture.view for picture in pictures}
    if not any(done):
        return ()
    views = (view for part in image.parts if not part.deep for view in _views_left(image, part, pictures))
    return tuple(dict.fromkeys(view for view in views if view and view not in done))


def _views_left(image: OpenImage, part: Part, pictures: Sequence[Chosen]) -> Iterator[str]:
    names = views_of(part)
    for index, rule in rules(image.parts, part, left_in(part, pictures)).items():
        if rule == "colour":
            yield view_and_layer(part.channels[index], names)[1] or part.view


def _is_invisible(picture: Made) -> bool:
    return picture.pixels.shape[2] == 4 and not picture.pixels[..., 3].any()


def _rules(image: OpenImage, part: Part, pictures: Sequence[Chosen]) -> set[str]:
    return set() if part.deep else set(rules(image.parts, part, left_in(part, pictures)).values())
