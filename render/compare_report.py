"""What `vfxgan compare` says: table, CSV, JSON, and whether its limits were kept."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vfxgan.errors import FramesFailed, ImageError, TargetError, UsageError, VerifyError
from vfxgan.images import read_header
from vfxgan.progress import say
from vfxgan.render.compare import Compared, Refused
from vfxgan.render.compare_plot import SOFTWARE_MARK, require_plots
from vfxgan.render.pairs import Pairs
from vfxgan.whole_files import write_whole

NAMED_FRAMES = 8
COLUMNS = (
    "frame", "psnr_db", "peak", "encoded_psnr_db", "ssim", "max_error", "x", "y", "channel", "differing", "unlike",
)  # fmt: skip
CSV_HEAD = ",".join(COLUMNS)
_WORDS = ("frame", "PSNR dB", "encoded", "SSIM", "max error", "at x, y, channel", "differing")
TABLE_HEAD = "{:>8} {:>8} {:>8} {:>8} {:>10}  {:24} {:>9}".format(*_WORDS)
LEGEND = (
    "PSNR: all channels, against A's brightest value (at least 1; integers: against 1). encoded, SSIM: colour alone, "
    "as the extended sRGB signal, against 1."
)


@dataclass(frozen=True)
class Limits:
    """What a frame must keep; None where nothing was asked."""

    max_error: float | None
    min_psnr: float | None
    min_ssim: float | None

    def broken_by(self, row: Compared) -> str:
        """What a frame breaks, "" for nothing."""
        if self == Limits(None, None, None):
            return ""
        if row.unlike:
            return f"{row.unlike} values are NaN or Inf on one side"
        if self.max_error is not None and row.max_error > self.max_error:
            return f"max error {row.max_error:.4g} at {_place(row)}"
        if self.min_psnr is not None and row.psnr_db < self.min_psnr:
            return f"PSNR {row.psnr_db:.2f} dB"
        if self.min_ssim is not None and row.ssim is not None and row.ssim < self.min_ssim:
            return f"SSIM {row.ssim:.4f}"
        return ""


@dataclass(frozen=True)
class Report:
    """All frames of a comparison.

    Attributes:
        a, b: as given.
        refused: frames that could not be compared.
    """

    a: str
    b: str
    rows: tuple[Compared, ...]
    refused: tuple[Refused, ...]
    found: Pairs

    def table(self) -> Iterator[str]:
        """Lines for people."""
        if not self.rows:
            return
        yield TABLE_HEAD
        for row in self.rows:
            place = "" if row.at is None else _place(row)
            yield (
                f"{row.pair.number:>8} {_number(row.psnr_db, 2):>8} {_number(row.encoded_psnr_db, 2):>8} "
                f"{_number(row.ssim, 4):>8} {_error(row.max_error):>10}  {place:24} {100 * row.differing:>8.3f}%"
            )
        yield from self._ends()

    def _ends(self) -> Iterator[str]:
        equal = sum(row.at is None for row in self.rows)
        peaks = [row.peak for row in self.rows]
        span = f"{min(peaks):.4g}" if min(peaks) == max(peaks) else f"{min(peaks):.4g} … {max(peaks):.4g}"
        yield LEGEND.replace("at least 1;", f"at least 1, here {span};")
        worst = max(self.rows, key=lambda row: row.max_error)
        said = f"{len(self.rows)} frames, {equal} of them equal"
        yield said + (
            "" if worst.at is None else f"; largest error {_error(worst.max_error)} in frame {worst.pair.number}"
        )
        for note in sorted({note for row in self.rows for note in row.notes}):
            yield f"note: {note}"

    def json(self, indent: int | None) -> str:
        """One object; what is infinite or absent is null, and `equal` tells the two apart."""
        return json.dumps(
            {
                "a": self.a,
                "b": self.b,
                "frames": [_facts(row) for row in self.rows],
                "refused": [{"frame": row.pair.number, "reason": row.reason} for row in self.refused],
                "only_a": list(self.found.only_a),
                "only_b": list(self.found.only_b),
            },
            indent=indent,
            allow_nan=False,
        )

    def write_csv(self, path: Path) -> None:
        """The table with all digits; "inf" where it is. Raises WriteError."""
        lines = [CSV_HEAD]
        for row in self.rows:
            facts = _facts(row) | {"psnr_db": row.psnr_db, "max_error": row.max_error}
            facts["encoded_psnr_db"] = row.encoded_psnr_db
            lines.append(",".join("" if facts[name] is None else str(facts[name]) for name in COLUMNS))
        write_whole(path, ("\n".join(lines) + "\n").encode())

    def judge(self, limits: Limits) -> None:
        """Say what is missing, and end with the code that it deserves.

        Raises:
            VerifyError: a frame breaks a limit.
            FramesFailed: frames are on one side only, or could not be compared.
        """
        lost = self._missing()
        broken = [(row, why) for row in self.rows if (why := limits.broken_by(row))]
        if broken:
            if lost:
                say(f"warning: {lost}")
            named = "; ".join(f"{row.pair.number} ({why})" for row, why in broken[:NAMED_FRAMES])
            more = " …" if len(broken) > NAMED_FRAMES else ""
            raise VerifyError(f"{len(broken)} of {len(self.rows)} frames differ by more than asked: {named}{more}")
        if lost:
            done = f"{len(self.rows)} others were compared" if self.rows else "none was compared"
            numbers = {*self.found.only_a, *self.found.only_b, *(row.pair.number for row in self.refused)}
            raise FramesFailed(f"{lost}; {done}", numbers)

    def _missing(self) -> str:
        parts = [
            (f"frames only in {self.a}", self.found.only_a),
            (f"frames only in {self.b}", self.found.only_b),
            ("frames that cannot be compared", tuple(row.pair.number for row in self.refused)),
        ]
        return "; ".join(f"{what}: {_numbers(numbers)}" for what, numbers in parts if numbers)


def check_targets(plot: Path | None, csv: Path | None, *, overwrite: bool) -> None:
    """Look at where plot and table are to go before anything is compared.

    Raises:
        UsageError: another extension, or a folder that is not there.
        TargetError: somebody's file stands there.
        MissingExtraError: a plot needs the extra `review`.
    """
    for option, path in (("--plot", plot), ("--csv", csv)):
        if path is not None and not path.absolute().parent.is_dir():
            raise UsageError(f"{option} {path}: its folder is not there; make it first")
    if plot is not None:
        if plot.suffix.lower() != ".png":
            raise UsageError(f"--plot {str(plot)!r}: a plot is a .png")
        require_plots()
        if plot.exists() and not overwrite and not _is_our_plot(plot):
            raise TargetError(f"--plot {str(plot)!r} exists and is no plot of ours; name another, or give --overwrite")
    if csv is not None and csv.exists() and not overwrite and not _is_our_table(csv):
        raise TargetError(f"--csv {str(csv)!r} exists and is no table of ours; name another, or give --overwrite")


def _is_our_plot(path: Path) -> bool:
    try:
        return read_header(path).get("Software") == SOFTWARE_MARK
    except ImageError:
        return False


def _is_our_table(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(CSV_HEAD)) == CSV_HEAD.encode()


def _facts(row: Compared) -> dict[str, Any]:
    x, y, channel = row.at or (None, None, None)
    return {
        "frame": row.pair.number,
        "equal": row.at is None,
        "psnr_db": _finite(row.psnr_db),
        "peak": row.peak,
        "encoded_psnr_db": _finite(row.encoded_psnr_db),
        "ssim": row.ssim,
        "max_error": _finite(row.max_error),
        "x": x,
        "y": y,
        "channel": channel,
        "differing": row.differing,
        "unlike": row.unlike,
        "notes": list(row.notes),
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _place(row: Compared) -> str:
    assert row.at is not None
    x, y, channel = row.at
    return f"{x}, {y}, {channel}"


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return "–"
    return "inf" if math.isinf(value) else f"{value:.{digits}f}"


def _error(value: float) -> str:
    return "0" if value == 0 else f"{value:.4g}"


def _numbers(numbers: tuple[int, ...]) -> str:
    named = ", ".join(map(str, numbers[:NAMED_FRAMES]))
    return named + (f" … ({len(numbers)})" if len(numbers) > NAMED_FRAMES else "")
