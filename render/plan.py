"""What is already on disk, and what that means for a render that wants to write there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from vfxgan.errors import ImageError, TargetError
from vfxgan.images import OpenImage, file_pixel_digest, read_header
from vfxgan.recipe import Recipe, Stamp, read_stamp
from vfxgan.sequences import Pattern
from vfxgan.synthetic import changed_label

# What the first bytes of a cut-off frame look like.
_MAGIC = {".exr": b"v/1\x01", ".png": b"\x89PNG\r\n\x1a\n"}
NAMED_FRAMES = 3
LABELLED_SINCE = 2  # pixel revision
OTHER_PLATE = "made from a plate of other bytes"


@dataclass(frozen=True)
class Frame:
    """One frame to make: of which seed or plate, and where it goes; of a walk if it has neither.

    Attributes:
        plates: where its plate's neighbours are.
        view: whose file it is, where each view has its own; "" for none.
        keyed_by: the number that its grain has, where it was first made under another one.
    """

    number: int
    path: Path
    seed: int | None = None
    plate: Path | None = None
    plates: Pattern | None = None
    view: str = ""
    keyed_by: int | None = None

    @property
    def grain(self) -> int:
        """The number that its grain has."""
        return self.number if self.keyed_by is None else self.keyed_by

    @property
    def name(self) -> str:
        """For messages: its number, and its view where there are several."""
        return f"{self.number} {self.view}".rstrip()

    @property
    def source(self) -> str:
        """For messages: "seed 7", "the walk", or the plate's path."""
        if self.plate is not None:
            return str(self.plate)
        return "the walk" if self.seed is None else f"seed {self.seed}"

    @property
    def facts(self) -> dict[str, int | str | None]:
        """For progress events."""
        source: dict[str, int | str | None] = {} if self.plate is None else {"plate": str(self.plate)}
        source |= {} if self.seed is None else {"seed": self.seed}
        source |= {"view": self.view} if self.view else {}
        return {"frame": self.number, **source, "path": str(self.path)}


class State(Enum):
    """What a target path holds."""

    MISSING = "missing"
    DONE = "done"
    BROKEN = "broken"  # ours, or nobody's: cut short, or not the pixels that its header promises
    OTHER_RUNTIME = "other runtime"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"  # its plate cannot be read


@dataclass(frozen=True)
class Finding:
    """A state, and why.

    Attributes:
        plate_changed: the reason is that the plate has other bytes now.
    """

    state: State
    reason: str = ""
    plate_changed: bool = False


@dataclass(frozen=True)
class Consent:
    """What the user allowed beforehand."""

    overwrite: bool = False
    mix_runtimes: bool = False

    def keeps(self, finding: Finding) -> bool:
        """Leave this frame as it is."""
        return finding.state is State.DONE or (finding.state is State.OTHER_RUNTIME and self.mix_runtimes)

    def refuses(self, finding: Finding) -> bool:
        """Somebody's work: neither to be kept as ours nor to be replaced."""
        foreign = finding.state is State.FOREIGN or (finding.state is State.OTHER_RUNTIME and not self.mix_runtimes)
        return foreign and not self.overwrite


def look(path: Path, recipe: Recipe) -> Finding:
    """Judge a target by its header alone: quick, before anything is started."""
    if not path.exists():  # asked first: another run may put its frame there at any moment
        return Finding(State.MISSING)
    if not path.is_file():
        return Finding(State.FOREIGN, "not a file")
    try:
        stamp = read_stamp(read_header(path))
    except ImageError:
        return judge_unreadable(path)
    return Finding(State.FOREIGN, "no recipe in it") if stamp is None else compare_stamp(stamp, recipe)


def examine(path: Path, recipe: Recipe) -> Finding:
    """Judge a target by its header and all of its pixels."""
    finding = look(path, recipe)
    if finding.state not in (State.DONE, State.OTHER_RUNTIME):
        return finding
    problem = find_problem(path)
    return Finding(State.BROKEN, problem) if problem else finding


def find_problem(path: Path) -> str:
    """What is wrong with a frame of ours, by its own digests; "" for nothing."""
    try:
        with OpenImage(path) as image:
            headers = [part.attributes for part in image.parts]
        pixels = file_pixel_digest(path)
    except ImageError as error:
        return str(error).removeprefix(f"{path}: ")
    stamp = read_stamp(headers[0])
    if stamp is None:
        return "has no recipe: not written by vfxgan, or its header was replaced"
    if not stamp.is_whole:
        return "its recipe was changed: the digest in the header does not fit"
    if pixels != stamp.pixels:
        return "its pixels are not those that were rendered"
    if stamp.recipe.pixel_revision < LABELLED_SINCE:
        return ""
    changed = changed_label(headers, stamp.recipe.source_type, path.suffix)
    return f"its metadata does not say any more that it is synthetic: {changed} was changed" if changed else ""


def judge_unreadable(path: Path) -> Finding:
    """A frame that was cut off inside its header is nobody's work; anything else may be somebody's."""
    with path.open("rb") as file:
        head = file.read(8)
    magic = _MAGIC[path.suffix.lower()]
    if head.startswith(magic) or magic.startswith(head):
        return Finding(State.BROKEN, "cut short")
    return Finding(State.FOREIGN, "not an image")


def compare_stamp(stamp: Stamp, recipe: Recipe) -> Finding:
    """Judge a frame by what its header says: is it the one that this recipe makes?"""
    if not stamp.recipe.same_intent(recipe):
        reason = _first_difference(stamp.recipe, recipe)
        return Finding(State.FOREIGN, reason, plate_changed=reason.startswith(OTHER_PLATE))
    if not stamp.is_whole:
        return Finding(State.BROKEN, "its header was changed")
    if dict(stamp.recipe.fingerprint) != dict(recipe.fingerprint):
        return Finding(State.OTHER_RUNTIME, ", ".join(differences(stamp.recipe.fingerprint, recipe.fingerprint)))
    return Finding(State.DONE)


def _first_difference(theirs: Recipe, ours: Recipe) -> str:
    if theirs.model != ours.model:
        return f"model {theirs.model[:12]}…, not {ours.model[:12]}…"
    if theirs.source != ours.source:
        return _source_difference(theirs, ours)
    if theirs.pixel_revision != ours.pixel_revision:
        return f"pixel revision {theirs.pixel_revision}, not {ours.pixel_revision}"
    return ", ".join(differences(theirs.options, ours.options))


def _source_difference(theirs: Recipe, ours: Recipe) -> str:
    if theirs.plate and theirs.plate == ours.plate and theirs.frame != ours.frame:
        return f"its grain is of frame {theirs.frame}, not {ours.frame}"
    if theirs.plate and theirs.plate == ours.plate:
        return "made with other neighbouring plates, or with fewer or more of them"
    if theirs.plate and ours.plate:
        return f"{OTHER_PLATE}, {theirs.plate[:12]}…"
    return f"made from {theirs.made_from}, not {ours.made_from}"


def differences(these: Mapping[str, object], others: Mapping[str, object]) -> list[str]:
    """What differs, one text each: `mix 0.5, not none`, `no tile, not 512`."""
    keys = sorted(key for key in {*these, *others} if these.get(key) != others.get(key))
    return [f"{_said(key, these)}, not {_or_none(others.get(key))}" for key in keys]


def _said(key: str, values: Mapping[str, object]) -> str:
    return f"no {key}" if values.get(key) is None else f"{key} {values[key]}"


def _or_none(value: object) -> object:
    return "none" if value is None else value


def refuse_foreign(found: Iterable[tuple[Frame, Finding]], consent: Consent) -> None:
    """Stop before the start if anything would be lost.

    Raises:
        TargetError: the first few frames, how many more, and what can be done.
    """
    refused = [(frame, finding) for frame, finding in found if consent.refuses(finding)]
    if not refused:
        return
    named = ", ".join(f"{frame.path} ({_reason(frame, finding)})" for frame, finding in refused[:NAMED_FRAMES])
    more = f" and {len(refused) - NAMED_FRAMES} more" if len(refused) > NAMED_FRAMES else ""
    if all(finding.state is State.OTHER_RUNTIME for _, finding in refused):
        raise TargetError(
            f"another runtime or machine made {named}{more}; --mix-runtimes keeps them, --overwrite redoes them"
        )
    raise TargetError(
        f"other work is in the way: {named}{more}; write elsewhere, or replace it with --overwrite, "
        "which keeps frames that are done"
    )


def _reason(frame: Frame, finding: Finding) -> str:
    return f"{finding.reason}; {frame.plate} changed since" if finding.plate_changed else finding.reason
