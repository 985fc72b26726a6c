"""PSNR, SSIM and errors over frames as a picture."""

import io
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vfxgan.errors import MissingExtraError
from vfxgan.render.compare import Compared
from vfxgan.whole_files import write_whole

WIDTH_IN, HEIGHT_IN, DPI = 10, 8, 120
SOFTWARE_MARK = "vfxgan compare"


def require_plots() -> Any:
    """Matplotlib's figure class; pyplot, with its windows and state, is not loaded.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("matplotlib", "review", "a plot") from error
    return Figure


def write_plot(path: Path, compared: Sequence[Compared], title: str) -> None:
    """Draw three curves over frame numbers; frames that are equal stand at the top, missing ones leave gaps.

    Args:
        path: .png; replaced if it exists.
    Raises:
        MissingExtraError: no Matplotlib.
        WriteError: it cannot be written.
    """
    figure = require_plots()(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI, layout="constrained")
    psnr, similarity, errors = figure.subplots(3, 1, sharex=True)
    figure.suptitle(title)
    numbers, rows = _with_gaps(compared)
    _curve(psnr, numbers, [None if row is None else row.psnr_db for row in rows], "PSNR (of A's peak)", "C0")
    _curve(
        psnr,
        numbers,
        [None if row is None else row.encoded_psnr_db for row in rows],
        "PSNR of the encoded signal",
        "C1",
    )
    psnr.set_ylabel("dB")
    _curve(similarity, numbers, [None if row is None else row.ssim for row in rows], "SSIM of the encoded signal", "C1")
    similarity.set_ylabel("SSIM")
    _curve(errors, numbers, [None if row is None else row.max_error for row in rows], "largest error", "C3")
    if any(0 < row.max_error < math.inf for row in compared):
        errors.set_yscale("log")
        errors.yaxis.set_major_formatter("{x:g}")
        errors.yaxis.set_minor_formatter("{x:g}")
    errors.set_ylabel("|A − B|")
    errors.set_xlabel("frame")
    errors.xaxis.get_major_locator().set_params(integer=True)
    for axes in (psnr, similarity, errors):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="best", fontsize="small")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": SOFTWARE_MARK})
    write_whole(path, drawn.getvalue())


def _with_gaps(compared: Sequence[Compared]) -> tuple[list[int], list[Compared | None]]:
    """Frame numbers and frames in order, with nothing between neighbours that are further apart than most."""
    rows = sorted(compared, key=lambda row: row.pair.number)
    steps = sorted(b.pair.number - a.pair.number for a, b in itertools.pairwise(rows))
    usual = steps[len(steps) // 2] if steps else 1
    numbers: list[int] = []
    spread: list[Compared | None] = []
    for row in rows:
        if numbers and row.pair.number - numbers[-1] > usual:
            numbers.append(numbers[-1] + usual)
            spread.append(None)
        numbers.append(row.pair.number)
        spread.append(row)
    return numbers, spread


def _curve(axes: Any, numbers: Sequence[int], values: Sequence[float | None], label: str, colour: str) -> None:
    """Finite values as a curve; infinite ones as marks on the upper edge."""
    if not any(value is not None for value in values):
        return
    finite = [value if value is not None and math.isfinite(value) else math.nan for value in values]
    axes.plot(numbers, finite, marker=".", label=label, color=colour)
    beyond = [number for number, value in zip(numbers, values, strict=True) if value == math.inf]
    if beyond:
        what = "infinite" if "error" in label else "equal"
        axes.plot(
            beyond, [1.0] * len(beyond), "^", color=colour, transform=axes.get_xaxis_transform(), clip_on=False,
            label=f"{label}: {what}",
        )  # fmt: skip
