"""`vfxgan verify` of a whole sequence: what is missing, damaged or foreign, the manifest, the command that repairs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vfxgan.cli.shared import ProgressChoice
from vfxgan.cli.verify_again import Again, counted, of_rerendered, tell_outcome
from vfxgan.cli.verify_signatures import Signatures, remedy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vfxgan.progress import Progress
    from vfxgan.render.frame_survey import Seen
    from vfxgan.render.sequence_check import Report, Standard
    from vfxgan.render.signature_check import SignatureReport

NAMED = 20  # of frames with a problem; the manifest has them all


@dataclass(frozen=True)
class SequenceChoice:
    """The command line, as given; None where absent."""

    out: str
    frames: str | None
    seeds: str | None
    start_frame: int | None
    like: Path | None
    mix_runtimes: bool
    manifest: Path | None
    cpu_isa: str | None
    again: Again
    signatures: Signatures


def verify_sequence(choice: SequenceChoice, progress_choice: ProgressChoice) -> None:
    """Check it, write the manifest, and say what is wrong.

    Raises:
        VerifyError: something is; the line ends with the command that repairs it.
        UsageError: ranges, patterns or options that are none, or contradict each other.
    """
    from vfxgan.progress import progress
    from vfxgan.render.expected_frames import SequenceRequest, find_expected
    from vfxgan.render.frame_survey import PlateDigests, survey_files
    from vfxgan.render.manifest import check_manifest_target, write_manifest
    from vfxgan.render.sequence_check import check_sequence

    plates, standard = choice.again.plates, _standard(choice)
    request = SequenceRequest(choice.out, choice.frames, choice.seeds, choice.start_frame, plates)
    expected = find_expected(request)
    if choice.manifest is not None:
        check_manifest_target(choice.manifest)
    with progress(progress_choice.value, "verify", len(expected.frames)) as shown:
        digests, seen = PlateDigests(), []
        for one in survey_files(expected.frames, digests, hashed=choice.manifest is not None):
            seen.append(one)
            _advance(shown, one)
        report = check_sequence(expected, seen, standard, digests)
        whole = report.whole
        _say_what_is(report, shown)
        again = choice.again.compare(whole)
        unlike = [one.path for one in again if one.problem]
        signed = choice.signatures.look(whole)
        if choice.manifest is not None:
            is_good = not (report.problems or unlike or signed.problems)
            write_manifest(choice.manifest, report, choice.again.model, signed.problems, ok=is_good)
        _raise_if_wrong(report, request, choice, unlike, signed)
    written = f"; {choice.manifest} is written" if choice.manifest is not None else ""
    verb = "is" if len(whole) == 1 else "are"
    tell_outcome(
        f"{counted(len(whole), 'frame')} {verb} whole{of_rerendered(again)}{signed.said}{written}", progress_choice
    )


def _standard(choice: SequenceChoice) -> "Standard":
    from vfxgan.errors import UsageError
    from vfxgan.images import read_header
    from vfxgan.modelfile import find_model, read_model
    from vfxgan.recipe import read_stamp
    from vfxgan.render.sequence_check import Standard

    stamp = None if choice.like is None else read_stamp(read_header(choice.like))
    if choice.like is not None and stamp is None:
        raise UsageError(f"--like {choice.like}: holds no vfxgan recipe; name a frame that vfxgan render wrote")
    name = choice.again.model
    standard = Standard(
        like=None if stamp is None else stamp.recipe,
        like_path=choice.like,
        model=None if name is None else read_model(find_model(name)).sha256,
        source="seed" if choice.seeds is not None else "plate" if choice.again.plates is not None else None,
        mix_runtimes=choice.mix_runtimes,
    )
    standard.check()
    return standard


def _advance(shown: "Progress", one: "Seen") -> None:
    problem = one.finding.reason or one.finding.state.value if one.finding is not None else one.problem
    shown.advance(**one.frame.facts, problem=problem)


def _say_what_is(report: "Report", shown: "Progress") -> None:
    """Each frame that is wrong, but for those that are missing, of which there may be many; and what else was seen."""
    from vfxgan.progress import say
    from vfxgan.render.plan import State

    wrong = [one for one in report.problems if one.finding.state is not State.MISSING]
    for one in wrong[:NAMED]:
        kind = {State.BROKEN: "damaged", State.FOREIGN: "foreign"}.get(
            one.finding.state, "of another runtime or machine"
        )
        # What to do about damage is said once, at the end.
        reason = one.finding.reason.partition(";")[0] if one.finding.state is State.BROKEN else one.finding.reason
        say(f"{one.frame.path}: {kind}: {reason}")
    if len(wrong) > NAMED:
        say(f"and {len(wrong) - NAMED} more")
    for note in (*report.expected.notes, *report.notes):
        shown.warn(note)


def _raise_if_wrong(
    report: "Report", request: object, choice: SequenceChoice, unlike: "Sequence[Path]", signed: "SignatureReport"
) -> None:
    from vfxgan.errors import VerifyError
    from vfxgan.progress import say
    from vfxgan.render.expected_frames import SequenceRequest
    from vfxgan.render.repair import Given, find_repair

    assert isinstance(request, SequenceRequest)
    if not (report.problems or unlike or signed.problems):
        return
    if not report.problems and not signed.problems:
        verb = "is" if len(unlike) == 1 else "are"
        raise VerifyError(f"{counted(len(unlike), 'frame')} {verb} not confirmed by --rerender; see above")
    given = Given(
        request, choice.again.model, choice.again.upscalers, choice.cpu_isa, choice.signatures.required, signed.problems
    )
    repair = find_repair(report, given)
    for note in repair.notes:
        say(note)
    if signed.strangers or signed.folders or (signed.problems and not repair.command):
        say(f"signatures that are not as asked: {remedy(signed)}")
    wrong = {one.frame.path for one in report.problems} | set(unlike) | set(signed.problems)
    subject = "is not as it" if len(wrong) == 1 else "are not as they"
    told = f"{len(wrong)} of {counted(len(report.verdicts), 'frame')} {subject} should be"
    command = f"; repair: {repair.line}" if repair.command else "; see above"
    raise VerifyError(f"{choice.out}: {told}: {_summary(report, unlike, signed)}{command}")


def _summary(report: "Report", unlike: "Sequence[Path]", signed: "SignatureReport") -> str:
    """`2 missing (7,9), 1 damaged (12), 1 not signed as it should be (3)`; a frame may count twice."""
    from vfxgan.render.expected_frames import short
    from vfxgan.render.plan import State

    kinds = {
        State.MISSING: "missing",
        State.BROKEN: "damaged",
        State.FOREIGN: "foreign",
        State.OTHER_RUNTIME: "of another runtime or machine",
    }
    found = {state: [one for one in report.problems if one.finding.state is state] for state in kinds}
    told = [(f"{len(ones)} {kinds[state]}", ones) for state, ones in found.items() if ones]
    for paths, what in ((unlike, "not the same rendered again"), (signed.problems, "not signed as asked")):
        if ones := [one for one in report.verdicts if one.frame.path in paths]:
            told.append((f"{len(ones)} {what}", ones))
    return ", ".join(f"{what} ({short(one.frame.number for one in ones)})" for what, ones in told)
