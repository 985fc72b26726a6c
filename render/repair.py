"""The one command that brings a sequence in order."""

import os
import shlex
import subprocess
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vfxgan.cpu_isa import LEVELS
from vfxgan.errors import UsageError, VfxganError
from vfxgan.latents import parse_seeds
from vfxgan.ranges import to_fileseq
from vfxgan.recipe import PIXEL_REVISION
from vfxgan.render.expected_frames import SequenceRequest, named
from vfxgan.render.frame_survey import NO_FILE
from vfxgan.render.like import find_model_by_sha
from vfxgan.render.plan import Consent, State
from vfxgan.render.runtimes.fingerprint import Fingerprint, cpu_level
from vfxgan.render.seed_rule import seeds_text
from vfxgan.render.sequence_check import Report, Verdict
from vfxgan.render.signing import is_signed
from vfxgan.render.spaces import config_id_of, config_of

UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # of Unicode: what a line cannot hold, or a terminal does not give back


@dataclass(frozen=True)
class Given:
    """What the command line said that the repair needs, too; None where absent.

    Attributes:
        signed: frames have to be.
        unsigned: whole frames that are not signed as they should be, and are made again for it.
    """

    sequence: SequenceRequest
    model: str | None = None
    upscalers: tuple[str, ...] = ()
    cpu_isa: str | None = None
    signed: bool = False
    unsigned: Collection[Path] = ()


@dataclass(frozen=True)
class Repair:
    """What to do.

    Attributes:
        command: words; empty where there is no one command.
        notes: what it replaces, what it leaves, or why there is none.
    """

    command: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """To be pasted into this system's shell."""
        return subprocess.list2cmdline(self.command) if os.name == "nt" else shlex.join(self.command)


def find_repair(report: Report, given: Given) -> Repair:
    """The command that makes what is missing or damaged, and replaces what does not belong there."""
    good = None if report.reference is None else _good_frame(report, given.unsigned)
    if good is None or report.reference is None:
        return Repair(notes=("no frame there tells what to render: give the render's own command again",))
    if report.reference.pixel_revision != PIXEL_REVISION:
        made = report.reference.pixel_revision
        return Repair(notes=(f"made with pixel revision {made}: repair it with the version of vfxgan that made it",))
    source, left, notes = _source(report, given)
    if not source:
        return Repair(notes=tuple(notes))
    words = ["vfxgan", "render", "--like", str(good), *source, "--out", report.expected.pattern]
    words += ["--model", given.model] if given.model is not None else []
    words += [f"--upscale={name}" for name in given.upscalers]
    level = given.cpu_isa or _held_level(report.reference.fingerprint)
    words += ["--cpu-isa", level] if level is not None else []
    words += ["--mix-runtimes"] if report.standard.mix_runtimes else ["--require-runtime", f"@{good}"]
    refused = [verdict for verdict in report.problems if Consent().refuses(verdict.finding)]
    replaced = [verdict for verdict in refused if verdict.frame.path not in left]
    if replaced:
        words.append("--overwrite")
        notes.append(f"--overwrite replaces {_numbers(replaced)}: not of this render")
    if given.model is None and not _is_at_hand(report.reference.model):
        notes.append(f"add --model: the model, SHA-256 {report.reference.model}, is not among those at hand")
    notes += _config_note(report.reference.options.get("ocio"))
    if given.signed or given.unsigned:
        notes.append("add --sign CERT KEY: these frames have to be signed")
    elif any(map(is_signed, report.whole)):
        notes.append("add --sign CERT KEY: the frames that are whole are signed")
    if any(unicodedata.category(letter) in UNPRINTABLE for word in words for letter in word):
        return Repair(notes=("a path holds control characters: no command can be given",))
    return Repair(tuple(words), tuple(notes))


def _good_frame(report: Report, unsigned: Collection[Path]) -> Path | None:
    """A frame to go by: the one that was named, a whole one, or at least one whose header is.

    Of the whole ones rather one whose signature is as it should be: the others may have been tampered with.
    """
    if report.standard.like_path is not None:
        return report.standard.like_path
    assert report.reference is not None
    wanted = dict(report.reference.fingerprint)
    done = sorted(report.of(State.DONE), key=lambda one: one.frame.path in unsigned)
    for one in (*done, *report.of(State.BROKEN)):
        stamp = one.seen.stamp
        if stamp is not None and stamp.is_whole and dict(stamp.recipe.fingerprint) == wanted:
            return one.frame.path
    return None


def _held_level(fingerprint: Fingerprint) -> str | None:
    """What `--cpu-isa` makes this CPU one of that kind; None where it is already, or cannot be."""
    made, here = fingerprint.get("instructions"), cpu_level()
    can_be_held = str(fingerprint.get("runtime")).startswith("openvino ") and {made, here} <= set(LEVELS)
    return str(made) if can_be_held and LEVELS.index(str(made)) < LEVELS.index(here) else None


def _source(report: Report, given: Given) -> tuple[list[str], set[Path], list[str]]:
    """`--seeds` or `--in` and `--frames` of what is to be made; what is left; and what is to be said of that."""
    assert report.reference is not None
    problems = [one for one in report.verdicts if report.is_wrong(one) or one.frame.path in given.unsigned]
    blocked = [verdict for verdict in problems if verdict.finding.reason == NO_FILE]
    notes = [f"{_numbers(blocked)}: no file, and in the way; remove it first"] if blocked else []
    bad = [verdict for verdict in problems if verdict.finding.reason != NO_FILE]
    left = {verdict.frame.path for verdict in blocked}
    if report.reference.seed is not None:
        unknown = [verdict for verdict in bad if verdict.seed is None]
        words = _seed_words({one.frame.number: one.seed for one in bad if one.seed is not None}, report, given)
        if words is None:
            unknown, words = bad, []
        if unknown:
            say = "give --seeds and --start-frame as the render had them"
            notes.append(f"{_numbers(unknown)}: which seed belongs there is not known; {say}")
        return words, left | {verdict.frame.path for verdict in unknown}, notes
    frames = to_fileseq(one.frame.number for one in bad)
    if report.reference.plate is None:
        return (["--frames", frames] if bad else []), left, notes
    plates = given.sequence.plates
    if plates is None:
        return [], left, [*notes, "say where the plates are, with --in, and the command that repairs is given"]
    return (["--in", plates, "--frames", frames] if bad else []), left, notes


def _seed_words(bad: Mapping[int, int], report: Report, given: Given) -> list[str] | None:
    """None where no list of seeds gives these frames these seeds."""
    if not bad:
        return []
    if all(number == seed for number, seed in bad.items()):
        return ["--seeds", to_fileseq(bad.values())]
    asked = given.sequence
    if asked.seeds is not None:
        text, start = asked.seeds, asked.start_frame
    else:
        start = min(bad)
        span = [report.seed_of(number) for number in range(start, max(bad) + 1)]
        text = seeds_text([seed for seed in span if seed is not None])
        if None in span or parse_seeds(text) != span:
            return None
    words = ["--seeds", text, "--start-frame", str(start)]
    whole = list(bad) == list(range(min(bad), max(bad) + 1)) and asked.seeds is None
    return words if whole else [*words, "--frames", to_fileseq(bad)]


def _numbers(verdicts: Sequence[Verdict]) -> str:
    return named(one.frame.number for one in verdicts)


def _config_note(recorded: object) -> list[str]:
    """Where the frames were made with a config file that holds no more."""
    if not isinstance(recorded, str) or recorded.startswith("ocio://"):
        return []
    try:
        here = config_id_of(config_of(None)[0])
    except OSError:
        here = ""
    return [] if here == recorded else [f"add --ocio: made with the OCIO config {recorded}, which $OCIO does not name"]


def _is_at_hand(sha256: str) -> bool:
    try:
        return find_model_by_sha(sha256, None) is not None
    except (UsageError, VfxganError):  # vfxgan.toml cannot be read: whoever renders is told so
        return False
