"""`vfxgan verify`: are frames what they say, and is a sequence all that it should be?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vfxgan.cli.render_options import CpuIsa
from vfxgan.cli.shared import ProgressChoice

if TYPE_CHECKING:
    from vfxgan.render.verify import Compared


def verify(
    out: Annotated[str, typer.Argument(help="Folder, file, or quoted pattern: 'shot010/####.exr'.")],
    rerender: Annotated[int, typer.Option("--rerender", min=0, help="Make N of them again and compare bytes.")] = 0,
    seeds: Annotated[
        str | None, typer.Option("--seeds", help="Seeds that must be there; others are not looked at.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="For --rerender. Default: as for render.")] = None,
    plates: Annotated[
        str | None, typer.Option("--in", help="For --rerender of frames made from plates: where those are.")
    ] = None,
    upscale: Annotated[
        list[str] | None, typer.Option("--upscale", help="For --rerender: the upscaler behind the frames' generator.")
    ] = None,
    cpu_isa: CpuIsa = None,
    progress: Annotated[ProgressChoice, typer.Option(help="How progress is shown.")] = ProgressChoice.bar,
) -> None:
    """Check frames by the digests they carry, and if asked by rendering a sample of them again."""
    from vfxgan.cpu_isa import hold_cpu
    from vfxgan.errors import VerifyError

    hold_cpu(cpu_isa)
    from vfxgan.images import use_threads
    from vfxgan.latents import parse_seeds
    from vfxgan.progress import progress as progress_of
    from vfxgan.progress import say
    from vfxgan.render.verify import check_frames, check_sources, find_frames, seed_of

    use_threads(1)
    check_sources(model, plates, upscale or [])
    paths, problems = find_frames(out), []
    if seeds is not None:
        by_seed = {seed_of(path): path for path in paths}
        wanted = parse_seeds(seeds)
        problems += [f"{out}: no frame of seed {seed}" for seed in wanted if seed not in by_seed]
        paths = [by_seed[seed] for seed in wanted if seed in by_seed]
    whole = []
    with progress_of(progress.value, "verify", len(paths)) as shown:
        for checked in check_frames(paths):
            shown.advance(path=str(checked.path), problem=checked.problem)
            if checked.problem:
                problems.append(f"{checked.path}: {checked.problem}")
            else:
                whole.append(checked.path)
    for problem in problems:
        say(problem)
    again = _rerendered(whole, rerender, model, plates, upscale or [])
    problems += [compared.problem for compared in again if compared.problem]
    if problems:
        raise VerifyError(
            f"{_counted(len(problems), 'problem')}, {len(whole)} of {_counted(len(paths), 'frame')} are whole; "
            "see above, and render again those that are not"
        )
    verb = "is" if len(whole) == 1 else "are"
    print(f"{_counted(len(whole), 'frame')} {verb} whole{_of_rerendered(again) if again else ''}")


def _rerendered(
    paths: list[Path], count: int, model: str | None, plates: str | None, upscalers: list[str]
) -> "list[Compared]":
    """A sample of frames made again; what is wrong with one, or different, is said as it is found."""
    from vfxgan.progress import say
    from vfxgan.render.verify import rerender, sample

    done = []
    for compared in rerender(sample(paths, count), model, plates, upscalers) if count and paths else ():
        done.append(compared)
        if compared.problem:
            say(f"{compared.path}: {compared.problem}")
        elif not compared.same_bytes:
            say(f"{compared.path}: PSNR {compared.psnr_db:.1f} dB here ({'; '.join(compared.reasons)})")
    return done


def _of_rerendered(again: "list[Compared]") -> str:
    same = sum(compared.same_bytes for compared in again)
    if same == len(again):
        return f", {same} of them rendered again: to the same bytes"
    return (
        f", {len(again)} of them rendered again: {same} to the same bytes, {len(again) - same} not, which passes: "
        "made on another machine, runtime or config, see above"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
