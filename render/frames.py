"""What frames of seeds and of plates have in common: a recipe, and a file that is written whole and stamped with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from vfxgan.errors import WriteError
from vfxgan.images import LOSSY_COMPRESSIONS, Picture, decoded_digest, file_pixel_digest, pixel_digest, write_picture
from vfxgan.recipe import PIXELS_KEY, Plain, Recipe, stamp_attributes
from vfxgan.render.options import OutputOptions
from vfxgan.render.plan import Frame
from vfxgan.render.runtimes import Runtime
from vfxgan.render.shared_tasks import SharedTasks
from vfxgan.synthetic import label

BeforeReplace = Callable[[Path], None]


@dataclass(frozen=True)
class Written:
    """What is to be said of a frame that was written.

    Attributes:
        clipped: values that the file's type could not hold.
        repaired: pixels that held NaN or Inf.
        notes: sentences that hold for the whole run, such as what is not carried.
    """

    clipped: int = 0
    repaired: int = 0
    notes: tuple[str, ...] = ()


class FrameMaker(Protocol):
    """Makes frames of one kind. Safe to use from several threads."""

    @property
    def runtime(self) -> Runtime: ...
    @property
    def fingerprint(self) -> Mapping[str, Plain]:
        """What is recorded of runtime and libraries."""
        ...

    @property
    def tasks(self) -> SharedTasks: ...

    def memory_bytes(self, frame: Frame) -> int:
        """About what this frame takes while it is made, network aside; 0 if that is next to nothing."""
        ...

    def recipe(self, frame: Frame) -> Recipe:
        """What this frame is made from.

        Raises:
            ImageError: its plate cannot be read.
        """
        ...

    def write(
        self, frame: Frame, path: Path, *, may_replace: bool = True, before_replace: BeforeReplace | None = None
    ) -> Written:
        """Make a frame and put it in place, whole or not at all.

        Args:
            before_replace: called with the complete file before it gets its name; may raise to give up.
            may_replace: False where nothing stood at `path`, and what may come there meanwhile is not to be lost.
        Raises:
            TakenError: something came there meanwhile.
            ImageError: its plate cannot be read, or the network gave NaN or infinity.
            RuntimeFailure: the runtime failed.
            WriteError: the disk is full, or the file cannot be written.
        """
        ...


def write_stamped(
    path: Path,
    picture: Picture,
    recipe: Recipe,
    output: OutputOptions,
    *,
    may_replace: bool = True,
    before_replace: BeforeReplace | None = None,
) -> None:
    """Write a picture with its recipe and the digest of its pixels as they decode.

    Raises:
        TakenError: there is a file by now, and it may not be replaced.
        WriteError: the disk is full, or the file cannot be written.
    """
    picture = _labelled(picture, recipe, path)
    if not _is_lossy(picture, output):
        stamped = _stamped(picture, recipe, pixel_digest(picture))
        write_picture(path, stamped, before_replace=before_replace, may_replace=may_replace)
        return
    # The digest is of the pixels as they decode, so they are encoded once to see it, and again to carry it.
    stamped = _stamped(picture, recipe, decoded_digest(path, picture))

    def unchanged(temporary: Path) -> None:
        if file_pixel_digest(temporary) != stamped.attributes[PIXELS_KEY]:
            raise WriteError(f"{path}: decodes to other pixels each time; use another --compression")
        if before_replace is not None:
            before_replace(temporary)

    write_picture(path, stamped, before_replace=unchanged, may_replace=may_replace)


def _labelled(picture: Picture, recipe: Recipe, path: Path) -> Picture:
    """All parts of it say that they are synthetic, whatever the plate said of itself."""
    words = label(recipe.source_type, path.suffix)
    others = tuple(replace(part, attributes={**part.attributes, **words}) for part in picture.parts)
    return replace(picture, attributes={**picture.attributes, **words}, parts=others)


def _stamped(picture: Picture, recipe: Recipe, digest: str) -> Picture:
    return replace(picture, attributes={**picture.attributes, **stamp_attributes(recipe, digest)})


def _is_lossy(picture: Picture, output: OutputOptions) -> bool:
    kind = output.compression.partition(":")[0]
    if kind == "pxr24":  # rounds floats and nothing else
        return any(block.dtype == "float32" for part in picture.all_parts for block in part.blocks)
    return kind in LOSSY_COMPRESSIONS
