"""`vfxgan compare`: two sequences beside each other, as a table, a plot and difference pictures."""

from pathlib import Path
from typing import Annotated

import typer

from vfxgan.cli import reading
from vfxgan.cli.shared import ProgressChoice


def compare(
    a: Annotated[str, typer.Argument(help="Reference: folder, file, or quoted pattern: 'a/####.exr'.")],
    b: Annotated[str, typer.Argument(help="What is compared with it; frames are matched by number.")],
    frames: Annotated[str | None, typer.Option("--frames", help="1001-1100, 1001-1100x2. Default: all.")] = None,
    channels: Annotated[
        str | None, typer.Option(help="R,G,B or Z or all, … Default: the main picture's colour and alpha.")
    ] = None,
    max_error: Annotated[
        float | None, typer.Option(min=0, help="A larger difference anywhere fails the check: exit code 1.")
    ] = None,
    min_psnr: Annotated[float | None, typer.Option(help="A lower PSNR of a frame, in dB, fails it too.")] = None,
    min_ssim: Annotated[float | None, typer.Option(max=1, help="So does a lower SSIM of a frame.")] = None,
    diff: Annotated[str | None, typer.Option(help="Difference pictures, quoted: 'diff/####.exr' or .png.")] = None,
    gain: Annotated[float | None, typer.Option(help="Of difference pictures. Default: EXR 1, PNG 10.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Curves over the frames: a .png.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="The table as a file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of the table.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use. Default: those at hand.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that no compare made.")] = False,
    progress: Annotated[ProgressChoice, typer.Option(help="How progress is shown.")] = ProgressChoice.bar,
) -> None:
    """PSNR, SSIM and largest error of each frame of B against A; exit code 1 where limits are not kept."""
    from vfxgan.errors import UsageError
    from vfxgan.images import use_threads
    from vfxgan.progress import progress as progress_of
    from vfxgan.project import find_project
    from vfxgan.render import compare_report as report
    from vfxgan.render.compare import Compared, Refused, compare_frames
    from vfxgan.render.difference import plan_differences
    from vfxgan.render.pairs import find_pairs
    from vfxgan.render.request import usable_cores

    use_threads(1)
    a, b, threads = reading.localised_path(a, "A"), reading.localised_path(b, "B"), threads or find_project().threads
    found = find_pairs(a, b, frames)
    report.check_targets(plot, csv, overwrite=overwrite)
    if gain is not None and diff is None:
        raise UsageError(f"--gain {gain:g} goes with --diff; name difference pictures, or leave it out")
    after = plan_differences(diff, gain, found.pairs, overwrite=overwrite).write if diff is not None else None
    rows: list[Compared] = []
    refused: list[Refused] = []
    with progress_of(progress.value, "compare", len(found.pairs)) as shown:
        for row in compare_frames(found.pairs, channels, threads or usable_cores(), after):
            if isinstance(row, Compared):
                rows.append(row)
                shown.advance(frame=row.pair.number)
            else:
                refused.append(row)
                shown.warn(f"frame {row.pair.number}: {row.reason}")
                shown.advance(frame=row.pair.number, state="failed")
    compared = report.Report(a, b, tuple(rows), tuple(refused), found)
    if as_json:
        print(compared.json(indent=None if progress is ProgressChoice.json else 2))
    elif progress is not ProgressChoice.json:
        print("\n".join(compared.table()))
    if csv is not None:
        compared.write_csv(csv)
    if plot is not None and rows:
        from vfxgan.render.compare_plot import write_plot

        write_plot(plot, rows, f"{b} against {a}")
    compared.judge(report.Limits(max_error, min_psnr, min_ssim))
