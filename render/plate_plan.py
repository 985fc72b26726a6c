"""What becomes of one plate, by its header alone: for `--dry-run`."""

from collections.abc import Sequence

from vfxgan.images import OpenImage, Window, one_line
from vfxgan.render.image_maker import ImageMaker
from vfxgan.render.options import BitDepth, OutputOptions
from vfxgan.render.plate_file import Spaces
from vfxgan.render.plate_frame import left_in
from vfxgan.render.plate_layers import NAMED, Chosen
from vfxgan.render.plate_notes import PNG_CUTS, data_notes, keeps_channels, left_notes
from vfxgan.render.plate_reading import check_picture, upright_windows
from vfxgan.render.spaces import Converts
from vfxgan.render.tiles import check_one_tile

Line = tuple[str, str]  # what it is about, and what is said
LINEAR = "linear Rec.709"


def plate_plan(
    image: OpenImage, pictures: Sequence[Chosen], spaces: Spaces, images: ImageMaker, depth: BitDepth
) -> list[Line]:
    """What is read, what is made of it, and what is said of it.

    Args:
        depth: of the frame's first picture.
    Raises:
        ImageError: the plate cannot be used as asked.
    """
    output, first, scale = images.output, pictures[0], images.model.spec.scale
    for chosen in pictures:
        check_picture(chosen, image, scale)
    data, display = upright_windows(first.part, image.format)
    lines = [
        ("plate", f"{image.path}: {_channels(first)}{_others(pictures)}"),
        ("size", f"{_size(display)} → {_size(_scaled(display, scale))}"),
    ]
    if data != display:
        lines.append(("data", f"{_place(data)} → {_place(_scaled(data, scale))} (size: the display window)"))
    said = [spaces.note] if spaces.note else []
    said += [*data_notes(image, pictures), *left_notes(image, pictures, output)]
    said += [PNG_CUTS] * (output.format == "png" and data != display)
    return [
        *lines,
        ("colour", f"{_named(spaces.to_light)} → {_target(spaces, output)}"),
        ("depth", f"{first.part.widest(first.channels)} → {depth}"),
        ("tiles", _tiles(images, data, display)),
        *_carried(image, pictures, output),
        *(("note", note) for note in said),
    ]


def _channels(chosen: Chosen) -> str:
    return one_line(", ".join(chosen.part.channels[index] for index in chosen.channels))


def _others(pictures: Sequence[Chosen]) -> str:
    views = [chosen.view for chosen in pictures]
    return f"; views {one_line(', '.join(views))}" if len(views) > 1 else ""


def _scaled(window: Window, scale: int) -> Window:
    x, y, width, height = window
    return x * scale, y * scale, width * scale, height * scale


def _size(window: Window) -> str:
    return f"{window[2]}×{window[3]}"


def _place(window: Window) -> str:
    return f"{_size(window)} at {window[0]}, {window[1]}"


def _named(space: Converts | None) -> str:
    return LINEAR if space is None else space.space


def _target(spaces: Spaces, output: OutputOptions) -> str:
    return "sRGB" if output.format == "png" else _named(spaces.from_light)


def _tiles(images: ImageMaker, data: Window, display: Window) -> str:
    """How many, and the side of the largest.

    Raises:
        ImageError: the plate is larger than a model that is not tiled takes.
    """
    (x, y, width, height), (left, top, across, down) = data, display
    rows = images.rules[0].cells(y - top, height, down)
    columns = images.rules[1].cells(x - left, width, across)
    check_one_tile(images.model.spec, rows, columns)
    side = f"{max(cell.side for cell in columns.tiles)}×{max(cell.side for cell in rows.tiles)} px"
    across, down = len(columns.tiles), len(rows.tiles)
    many = across * down > 1
    return f"{across * down} of up to {side} ({across} across, {down} down)" if many else f"1 of {side}"


def _carried(image: OpenImage, pictures: Sequence[Chosen], output: OutputOptions) -> list[Line]:
    if not keeps_channels(image, output):
        return []
    names = [part.channels[i] for part in image.parts if not part.deep for i in left_in(part, pictures)]
    if not names:
        return [("carried", "no other channels: there are none")]
    shown = one_line(", ".join(names[:NAMED])) + (", …" if len(names) > NAMED else "")
    return [("carried", f"{len(names)} other channels ({shown})")]
