"""`vfxgan verify`: are frames what they say, and is a sequence all that it should be?"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vfxgan.cli.render_options import CpuIsa
from vfxgan.cli.shared import ProgressChoice
from vfxgan.cli.verify_sequence import SequenceChoice, verify_sequence
from vfxgan.cli.verify_words import counted, finish

if TYPE_CHECKING:
    from vfxgan.progress import Progress
    from vfxgan.render.verify import Compared


def verify(
    out: Annotated[str, typer.Argument(help="Folder, file, or quoted pattern: 'shot010/####.exr'.")],
    frames: Annotated[
        str | None, typer.Option("--frames", help="Frames that must be there, all of one render: 1001-1100.")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", help="Seeds that must be there. With --frames and the like: in these frames, as render."),
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
        list[str] | None, typer.Option("--upscale", help="For --rerender: the upscaler behind the frames' generator.")
    ] = None,
    mix_runtimes: Annotated[
        bool, typer.Option("--mix-runtimes", help="Frames of several runtimes or machines are no problem.")
    ] = False,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="Write what publishing needs of all frames: publish.json.")
    ] = None,
    rerender: Annotated[int, typer.Option("--rerender", min=0, help="Make N of them again and compare bytes.")] = 0,
    cpu_isa: CpuIsa = None,
    progress: Annotated[ProgressChoice, typer.Option(help="How progress is shown.")] = ProgressChoice.bar,
) -> None:
    """Check frames by the digests they carry; a whole sequence with --frames, --like or --manifest.

    Of a sequence, what is missing, damaged, or of another render is named, with the one command that repairs it.
    """
    from vfxgan.cpu_isa import hold_cpu

    hold_cpu(cpu_isa)
    from vfxgan.images import use_threads
    from vfxgan.render.verify import check_sources

    use_threads(1)
    check_sources(model, plates, upscale or [])

    def again(paths: list[Path]) -> "list[Compared]":
        return _rerendered(paths, rerender, model, plates, upscale or [])

    if (frames, start_frame, like, manifest) == (None,) * 4 and not mix_runtimes:
        _verify_each(out, seeds, again, progress)
        return
    choice = SequenceChoice(
        out, frames, seeds, start_frame, like, model, plates, tuple(upscale or ()), mix_runtimes, manifest, cpu_isa
    )
    verify_sequence(choice, again, progress)
