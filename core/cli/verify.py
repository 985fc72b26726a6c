"""`vfxgan verify`: are frames what they say, and is a sequence all that it should be?"""

from pathlib import Path
from typing import Annotated

import typer

from vfxgan.cli import reading
from vfxgan.cli.render_options import CpuIsa
from vfxgan.cli.shared import ProgressChoice
from vfxgan.cli.verify_again import Again, counted, of_rerendered, tell_outcome
from vfxgan.cli.verify_sequence import SequenceChoice, verify_sequence
from vfxgan.cli.verify_signatures import RequireSigned, Signatures, Trust, raise_if_wrong, remedy


def verify(
    out: reading.Out = None,
    shot: reading.Shot = None,
    version: reading.Version = None,
    frames: Annotated[
        str | None, typer.Option("--frames", help="Frames that must be there, all of one render: 1001-1100.")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            "--seeds", help="Seeds that must be there. With --frames and the like: in these frames, as render."
        ),
    ] = None,
    start_frame: Annotated[
        int | None, typer.Option("--start-frame", help="With --seeds, as the render had it.")
    ] = None,
    like: Annotated[
        Path | None, typer.Option("--like", help="Frame that all must be like. Default: what most of them are.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Model that all must be of; for --rerender. Default: as for render.")
    ] = None,
    plates: Annotated[
        str | None, typer.Option("--in", help="Plates that the frames were made from: none may have changed.")
    ] = None,
    upscale: Annotated[
        list[str] | None,
        typer.Option("--upscale", metavar="<str>", help="For --rerender: the upscaler behind the frames' generator."),
    ] = None,
    mix_runtimes: Annotated[
        bool, typer.Option("--mix-runtimes", help="Frames of several runtimes or machines are no problem.")
    ] = False,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="Write what publishing needs of all frames: publish.json.")
    ] = None,
    trust: Trust = None,
    require_signed: RequireSigned = False,
    rerender: Annotated[int, typer.Option("--rerender", min=0, help="Make N of them again and compare bytes.")] = 0,
    cpu_isa: CpuIsa = None,
    progress: Annotated[ProgressChoice, typer.Option(help="How progress is shown.")] = ProgressChoice.bar,
) -> None:
    """Check frames by the digests they carry; a whole sequence with --frames, --in, --like or --manifest.

    Of a sequence, what is missing, damaged, or of another render is named, with the one command that repairs it.
    """
    from vfxgan.cpu_isa import hold_cpu

    hold_cpu(cpu_isa)
    from vfxgan.images import use_threads
    from vfxgan.interrupts import sigterm_interrupts
    from vfxgan.render.verify import check_sources

    use_threads(1)
    out = reading.frames_to_read(out, shot, version, model)
    plates = plates and reading.localised_path(plates, "--in")
    check_sources(model, plates, upscale or [])
    again = Again(rerender, model, plates, tuple(upscale or ()))
    signatures = Signatures(trust, require_signed)
    signatures.check()
    held_against = plates is not None and not rerender  # else they are what the sample is made from
    with sigterm_interrupts():
        if (frames, start_frame, like, manifest) == (None,) * 4 and not (mix_runtimes or held_against):
            _verify_each(out, seeds, again, signatures, progress)
            return
        verify_sequence(
            SequenceChoice(out, frames, seeds, start_frame, like, mix_runtimes, manifest, cpu_isa, again, signatures),
            progress,
        )


def _verify_each(
    out: str, seeds: str | None, again: Again, signatures: Signatures, progress_choice: ProgressChoice
) -> None:
    """Each frame by its own digests alone."""
    from vfxgan.errors import VerifyError
    from vfxgan.latents import parse_seeds
    from vfxgan.progress import progress, say
    from vfxgan.render.verify import check_frames, find_frames, seed_of

    paths, problems = find_frames(out), []
    if seeds is not None:
        by_seed = {seed_of(path): path for path in paths}
        wanted = parse_seeds(seeds)
        problems += [f"{out}: no frame of seed {seed}" for seed in wanted if seed not in by_seed]
        paths = [by_seed[seed] for seed in wanted if seed in by_seed]
    whole = []
    with progress(progress_choice.value, "verify", len(paths)) as shown:
        for checked in check_frames(paths):
            shown.advance(path=str(checked.path), problem=checked.problem)
            if checked.problem:
                problems.append(f"{checked.path}: {checked.problem}")
            else:
                whole.append(checked.path)
        for problem in problems:
            say(problem)
        compared = again.compare(whole)
        problems += [one.problem for one in compared if one.problem]
        signed = signatures.look(whole)
        if problems:
            count, unsigned = len(problems) + len(signed.problems), len(signed.problems)
            unlike = sum(bool(one.problem) for one in compared)
            but = f", {unlike} of these not confirmed by --rerender" if unlike else ""
            but += f", {unsigned} of these not signed as asked" if unsigned else ""
            verb = "is" if len(whole) == 1 else "are"
            told = f"{counted(count, 'problem')}, {len(whole)} of {counted(len(paths), 'frame')} {verb} whole{but}"
            remedied = f"; {remedy(signed)}" if unsigned else ""
            those = ", and render again those that are not" if len(problems) > unlike else ""
            raise VerifyError(f"{told}; see above{those}{remedied}")
        raise_if_wrong(signed, len(whole))
    verb = "is" if len(whole) == 1 else "are"
    tell_outcome(f"{counted(len(whole), 'frame')} {verb} whole{of_rerendered(compared)}{signed.said}", progress_choice)
