"""Is a sequence all that it should be? Each frame against the recipe that its place asks for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vfxgan.errors import ImageError, UsageError
from vfxgan.recipe import Recipe
from vfxgan.render.expected_frames import Expected, named
from vfxgan.render.frame_survey import PlateDigests, Seen
from vfxgan.render.neighbourhood import neighbours_digest
from vfxgan.render.plan import Finding, Frame, State, compare_stamp
from vfxgan.render.plate_frames import number_in
from vfxgan.render.seed_rule import SeedRule, find_rule


@dataclass(frozen=True)
class Standard:
    """What the frames are held against, where it was said; None: what most of them are.

    Attributes:
        like: recipe of a frame.
        like_path: of that frame.
        model: SHA-256 of the model.
        source: of which kind the frames are: "seed" or "plate".
        mix_runtimes: frames of several fingerprints are no problem.
    """

    like: Recipe | None = None
    like_path: Path | None = None
    model: str | None = None
    source: str | None = None
    mix_runtimes: bool = False

    @property
    def seed(self) -> dict[int, int]:
        """Of the frame to go by, under its number; nothing where there is none."""
        if self.like is None or self.like.seed is None or self.like_path is None:
            return {}
        return {number_in(self.like_path): self.like.seed}

    def check(self) -> None:
        """Raises UsageError if it contradicts itself."""
        if self.like is None:
            return
        if self.model not in (None, self.like.model):
            raise UsageError(f"--like {self.like_path}: is of model {self.like.model[:12]}…, and --model is another")
        if self.source not in (None, _kind(self.like)):
            option = "--seeds" if self.source == "seed" else "--in"
            raise UsageError(f"--like {self.like_path}: is of {self.like.made_from}; drop {option}, or --like")


@dataclass(frozen=True)
class Verdict:
    """One frame."""

    seen: Seen
    finding: Finding
    seed: int | None = None

    @property
    def frame(self) -> Frame:
        return self.seen.frame


@dataclass(frozen=True)
class Report:
    """A whole sequence.

    Attributes:
        reference: the recipe of the sequence, but for what each frame is made from; None where nothing tells it.
        seeds: that belong to the frames, as far as they are known, by number.
        rule: that they follow, where nobody said them and most do.
        notes: what is no problem, and should be known.
    """

    expected: Expected
    verdicts: tuple[Verdict, ...]
    reference: Recipe | None
    standard: Standard
    seeds: Mapping[int, int]
    rule: SeedRule | None
    notes: tuple[str, ...] = ()

    def seed_of(self, number: int) -> int | None:
        """What belongs to a frame, also one between those that have to be there; None where that is not known."""
        known = self.seeds.get(number)
        return self.rule.seed(number) if known is None and self.rule is not None else known

    def of(self, state: State) -> tuple[Verdict, ...]:
        """Those frames."""
        return tuple(verdict for verdict in self.verdicts if verdict.finding.state is state)

    def is_wrong(self, verdict: Verdict) -> bool:
        """Not as it should be."""
        fine = (State.DONE, State.OTHER_RUNTIME) if self.standard.mix_runtimes else (State.DONE,)
        return verdict.finding.state not in fine

    @property
    def problems(self) -> tuple[Verdict, ...]:
        """All that is not as it should be."""
        return tuple(verdict for verdict in self.verdicts if self.is_wrong(verdict))

    @property
    def whole(self) -> list[Path]:
        """The other frames."""
        return [verdict.frame.path for verdict in self.verdicts if not self.is_wrong(verdict)]


def check_sequence(expected: Expected, seen: Sequence[Seen], standard: Standard, plates: PlateDigests) -> Report:
    """Judge each frame by what was seen of it."""
    reference = _reference(seen, standard)
    given = {one.frame.number: one.frame.seed for one in seen if one.frame.seed is not None}
    rule = None if given or reference is None else find_rule(_own_seeds(seen, reference) or standard.seed)
    verdicts = []
    taken: dict[tuple[str, int], int] = {}
    for one in seen:
        seed = given.get(one.frame.number, None if rule is None else rule.seed(one.frame.number))
        finding = one.finding or _judge(one, reference, standard, seed, plates)
        if seed is None and one.stamp is not None and one.stamp.recipe.seed is not None:
            seed, finding = _own_seed(one, finding, taken)
        verdicts.append(Verdict(one, finding, seed))
    seeds = {verdict.frame.number: verdict.seed for verdict in verdicts if verdict.seed is not None}
    return Report(expected, tuple(verdicts), reference, standard, seeds, rule, _notes(seen, rule, standard))


def _reference(seen: Sequence[Seen], standard: Standard) -> Recipe | None:
    """The frame to go by, or what most whole frames are; at a tie what the first of them is."""
    stamps = [(one.stamp, one.problem) for one in seen if one.stamp is not None and one.stamp.is_whole]
    # A header that is whole still tells what it was, if there is nothing better.
    voters = [stamp.recipe for stamp, problem in stamps if not problem] or [stamp.recipe for stamp, _ in stamps]
    if standard.like is None:
        voters = [recipe for recipe in voters if not _stranger(recipe, standard)]
        intents = Counter(_intent(recipe) for recipe in voters).most_common(1)
        intent = intents[0][0] if intents else None
        voters = [recipe for recipe in voters if _intent(recipe) == intent]
    else:
        voters = [standard.like]
    prints = Counter(_plain(recipe.fingerprint) for recipe in voters).most_common(1)
    return next((recipe for recipe in voters if _plain(recipe.fingerprint) == prints[0][0]), None)


def _intent(recipe: Recipe) -> tuple[object, ...]:
    """What all frames of one render have in common."""
    return (recipe.model, recipe.pixel_revision, _kind(recipe), _plain(recipe.options))


def _kind(recipe: Recipe) -> str:
    return "plate" if recipe.plate is not None else "seed" if recipe.seed is not None else "walk"


def _stranger(recipe: Recipe, standard: Standard) -> str:
    """Why it cannot be of this sequence, by what was said of that; "" for nothing."""
    if standard.model not in (None, recipe.model):
        return f"model {recipe.model[:12]}…, not {str(standard.model)[:12]}…"
    return "" if standard.source in (None, _kind(recipe)) else f"made from {recipe.made_from}"


def _plain(values: Mapping[str, object]) -> tuple[tuple[str, object], ...]:
    return tuple(sorted(values.items()))


def _own_seeds(seen: Sequence[Seen], reference: Recipe) -> dict[int, int]:
    intent, found = _intent(reference), {}
    for one in seen:
        if one.stamp is not None and one.stamp.is_whole and _intent(one.stamp.recipe) == intent:
            seed = one.stamp.recipe.seed
            if seed is not None:
                found[one.frame.number] = seed
    return found


def _judge(one: Seen, reference: Recipe | None, standard: Standard, seed: int | None, plates: PlateDigests) -> Finding:
    assert one.stamp is not None
    if reference is None:
        stranger = _stranger(one.stamp.recipe, standard)
        return Finding(State.FOREIGN, stranger) if stranger else Finding(State.BROKEN, one.problem)
    finding = compare_stamp(one.stamp, _recipe_for(one, reference, seed, plates))
    if finding.plate_changed:
        finding = replace(finding, reason=f"{finding.reason}; {one.frame.plate} changed since")
    if finding.state in (State.DONE, State.OTHER_RUNTIME) and one.problem:
        return Finding(State.BROKEN, one.problem)
    return finding


def _recipe_for(one: Seen, reference: Recipe, seed: int | None, plates: PlateDigests) -> Recipe:
    """The reference, made from what belongs in this frame; its own where that is not known."""
    assert one.stamp is not None
    own, number = one.stamp.recipe, one.frame.number
    if reference.plate is None and reference.seed is None:
        return replace(reference, frame=number)
    if reference.plate is None:
        return replace(reference, seed=reference.seed if own.seed is None else own.seed if seed is None else seed)
    if own.plate is None:
        return reference
    grain = number if reference.options.get("regrain") else None
    if one.plate is None:
        return replace(reference, plate=own.plate, frame=grain, neighbours=own.neighbours)
    return replace(reference, plate=one.plate, frame=grain, neighbours=_neighbours(one, reference, plates))


def _neighbours(one: Seen, reference: Recipe, plates: PlateDigests) -> str | None:
    """The digest of the plates around a frame's own that it is to be stabilised with, as they are on disk now."""
    reach = reference.options.get("temporal")
    assert one.stamp is not None
    own = one.stamp.recipe.neighbours
    if not isinstance(reach, int) or one.frame.plates is None or not one.frame.plates.padding:
        return own
    offsets = (offset for offset in range(-reach, reach + 1) if offset)
    try:
        around = [(offset, plates.of(one.frame.plates.path(one.frame.number + offset))) for offset in offsets]
    except ImageError:
        return own
    return neighbours_digest([(offset, digest) for offset, digest in around if digest is not None])


def _own_seed(one: Seen, finding: Finding, taken: dict[tuple[str, int], int]) -> tuple[int | None, Finding]:
    """Of picks, whose order nobody said: a frame's own seed, if it is not another frame's already."""
    assert one.stamp is not None
    seed = one.stamp.recipe.seed
    if seed is None or finding.state is State.FOREIGN or not one.stamp.is_whole:
        return None, finding
    first = taken.setdefault((one.frame.view, seed), one.frame.number)
    if first == one.frame.number:
        return seed, finding
    return None, Finding(State.FOREIGN, f"seed {seed}, which frame {first} has")


def _notes(seen: Sequence[Seen], rule: SeedRule | None, standard: Standard) -> tuple[str, ...]:
    notes = []
    if standard.source == "plate":
        without = [one.frame.number for one in seen if one.stamp is not None and one.plate is None]
        if without:
            notes.append(f"{named(without)}: plates that are not there, and were not compared")
    if rule is not None and (rule.step, rule.first) != (1, 0):
        notes.append(f"taken from the frames: seed {_said(rule)}")
    return tuple(notes)


def _said(rule: SeedRule) -> str:
    times = "" if rule.step == 1 else f"{rule.step} x "
    return f"= {times}frame {'-' if rule.first < 0 else '+'} {abs(rule.first)}"
