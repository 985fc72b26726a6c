"""Whether plates have what `--layer`, `--part` and `--view` choose, before the start: not once for each frame."""

from collections.abc import Sequence

from vfxgan.errors import ImageError, UsageError
from vfxgan.render.options import OutputOptions
from vfxgan.render.plan import Frame
from vfxgan.render.plate_layers import choose_pictures
from vfxgan.render.plate_reading import open_plate


def check_choice(frames: Sequence[Frame], output: OutputOptions) -> None:
    """Look at the first plate that can be read; a later one that lacks what is chosen fails by its name.

    Raises:
        UsageError: it has no such layer, part or view; says what it has.
    """
    options = (("--layer", output.layer), ("--part", output.part), ("--view", output.view))
    given = [f"{option} {value}" for option, value in options if value is not None]
    for frame in frames if given else ():
        assert frame.plate is not None
        try:
            image = open_plate(frame.plate)
        except ImageError:  # that frame fails by its name
            continue
        with image:
            try:
                choose_pictures(image.parts, frame.plate, output)
            except ImageError as error:
                raise UsageError(f"{' '.join(given)}: {error}") from error
        return
