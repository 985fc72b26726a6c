"""PSNR, SSIM and errors over frames as a picture."""

import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    """Draw PSNR, SSIM and errors over frame numbers; frames that are equal are marks at the edge, missing ones gaps.

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

    def column(name: str) -> list[float | None]:
        return [None if row is None else getattr(row, name) for row in rows]

    def noise(name: str) -> list[float | None]:
        """PSNR; a frame whose finite values alone are equal is not an equal frame."""
        hidden = [row is not None and row.unlike > 0 and getattr(row, name) == math.inf for row in rows]
        return [None if hide else value for hide, value in zip(hidden, column(name), strict=True)]

    _curve(psnr, numbers, noise("psnr_db"), _Style("PSNR (of A's peak)", "C0", above="equal"))
    _curve(psnr, numbers, noise("encoded_psnr_db"), _Style("PSNR of the encoded signal", "C1", above="equal"))
    _curve(similarity, numbers, column("ssim"), _Style("SSIM of the encoded signal", "C1"))
    largest = _Style("largest error", "C3", above="infinite")
    if any(0 < row.max_error < math.inf for row in compared):
        largest = replace(largest, below="none")
        errors.set_yscale("log", subs=(2, 5))
        errors.yaxis.set_major_formatter("{x:g}")
        errors.yaxis.set_minor_formatter("{x:g}")
    _curve(errors, numbers, column("max_error"), largest)
    for axes, unit in ((psnr, "dB"), (similarity, "SSIM"), (errors, "|A − B|")):
        axes.set_ylabel(unit)
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="best", fontsize="small")
    errors.set_xlabel("frame")
    errors.xaxis.get_major_locator().set_params(integer=True)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": SOFTWARE_MARK})
    write_whole(path, drawn.getvalue())


@dataclass(frozen=True)
class _Style:
    """How a curve looks, and what marks at the edges stand for: above infinity, below 0 on a logarithmic axis."""

    label: str
    colour: str
    above: str = ""
    below: str = ""


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


def _curve(axes: Any, numbers: Sequence[int], values: Sequence[float | None], style: _Style) -> None:
    known = [(number, value) for number, value in zip(numbers, values, strict=True) if value is not None]
    if not known:
        return
    drawn = [math.nan if value is None or _edge(value, style) is not None else value for value in values]
    axes.plot(numbers, drawn, marker=".", label=style.label, color=style.colour)
    for edge, mark, what in ((1.0, "^", style.above), (0.0, "v", style.below)):
        at = [number for number, value in known if _edge(value, style) == edge]
        if at:
            label, place = f"{style.label}: {what}", axes.get_xaxis_transform()
            axes.plot(at, [edge] * len(at), mark, color=style.colour, transform=place, clip_on=False, label=label)


def _edge(value: float, style: _Style) -> float | None:
    """1 for the upper edge, 0 for the lower one, None for a place on the curve."""
    if math.isinf(value):
        return 1.0
    return 0.0 if value == 0 and style.below else None
