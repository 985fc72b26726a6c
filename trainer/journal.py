"""What a run leaves to look at: metrics.csv, validation.csv, TensorBoard scalars, sample grids, the loss curve."""

import csv
import math
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfxgan.images import Picture, write_picture
from vfxgan.synthetic import COMPOSITE, label

WINDOW = 40  # log entries over which a mean is called lasting
FEW = 10  # points of a curve that are marked; one alone would show nothing
METRICS, VALIDATION = "metrics.csv", "validation.csv"


class Table:
    """A CSV file of one row an entry; after a resume, rows past the checkpoint are dropped and the rest goes on."""

    def __init__(self, path: Path, last_iteration: int) -> None:
        self.path = path
        self.rows: list[dict[str, str]] = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                self.rows = list(csv.DictReader(file))
        self.rewind(last_iteration)

    def rewind(self, last_iteration: int) -> None:
        """Drop the rows after an iteration."""
        self.rows = [row for row in self.rows if int(row["iteration"] or 0) <= last_iteration]
        self.write()

    def append(self, iteration: int, values: Mapping[str, float]) -> None:
        """One row more; a name that is new gives the whole file a new column."""
        row = {"iteration": str(iteration)} | {name: f"{value:.6g}" for name, value in values.items()}
        known = set(self.rows[0]) if self.rows else set()
        self.rows.append(row)
        if not set(row) <= known:
            self.write()
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns()).writerow(row)

    def columns(self) -> list[str]:
        """In the order of their first appearance."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def write(self) -> None:
        """The whole file; none without rows."""
        if not self.rows:
            self.path.unlink(missing_ok=True)
            return
        columns = self.columns()
        self.rows = [{name: row.get(name) or "" for name in columns} for row in self.rows]
        with self.path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """Iterations and values of one column, where it has any."""
        rows = [row for row in self.rows if row.get(name)]
        return [int(row["iteration"]) for row in rows], [float(row[name]) for row in rows]


class Journal:
    """Writes into `folder`."""

    def __init__(self, folder: Path, last_iteration: int) -> None:
        self.folder = folder
        self.metrics = Table(folder / METRICS, last_iteration)
        self.validation = Table(folder / VALIDATION, last_iteration)
        self.board = _board(folder, last_iteration)
        self.recent: dict[str, deque[float]] = {}

    def rewind(self, last_iteration: int) -> None:
        """Forget what came after an iteration."""
        self.metrics.rewind(last_iteration)
        self.validation.rewind(last_iteration)
        self.recent.clear()

    def scalars(self, iteration: int, values: Mapping[str, float]) -> None:
        """Append one row of metrics to all of them."""
        self.metrics.append(iteration, values)
        self._on_board(iteration, values)
        for name, value in values.items():
            self.recent.setdefault(name, deque(maxlen=WINDOW)).append(value)

    def validated(self, iteration: int, values: Mapping[str, float]) -> None:
        """Append one row of validation metrics."""
        self.validation.append(iteration, values)
        self._on_board(iteration, values)

    def _on_board(self, iteration: int, values: Mapping[str, float]) -> None:
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, iteration)

    def lasting_means(self) -> dict[str, float]:
        """Means over the last entries, of the scalars that have been logged that often."""
        return {name: sum(v) / len(v) for name, v in self.recent.items() if len(v) == WINDOW}

    def samples(self, iteration: int, pictures: NDArray[Any]) -> None:
        """Write samples-NNNNNN.png from [N, H, W, 3] uint8, eight to a row, and the same to TensorBoard."""
        sheet = grid(pictures)
        write_picture(
            self.folder / f"samples-{iteration:06d}.png", Picture(sheet, ("R", "G", "B"), label(COMPOSITE, ".png"))
        )
        if self.board is not None:
            self.board.add_image("samples", sheet, iteration, dataformats="HWC")

    def loss_curve(self) -> None:
        """Write loss.png from the rows so far: losses above, validation metrics below where there are any."""
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot as plt

        losses = [name for name in self.metrics.columns() if name.startswith("loss/")]
        validation = [name for name in self.validation.columns() if name != "iteration"]
        panels = [(self.metrics, name) for name in losses] + [(self.validation, name) for name in validation]
        columns = min(len(panels), 2) or 1
        rows = math.ceil(len(panels) / columns) or 1
        figure, axes = plt.subplots(rows, columns, figsize=(5 * columns, 2.6 * rows), layout="constrained")
        flat = np.atleast_1d(np.asarray(axes, object)).ravel()
        for panel, (table, name) in zip(flat, panels, strict=False):
            iterations, values = table.curve(name)
            panel.plot(iterations, values, linewidth=0.8, marker="." if len(values) < FEW else None)
            panel.set(title=name, xlabel="iteration")
            panel.ticklabel_format(useOffset=False)
        for panel in flat[len(panels) :]:
            panel.set_axis_off()
        figure.savefig(self.folder / "loss.png", dpi=100, metadata={"Software": None})
        plt.close(figure)

    def close(self) -> None:
        """Flush everything and draw the curve."""
        if self.board is not None:
            self.board.close()
        if self.metrics.rows:
            self.loss_curve()


def _board(folder: Path, last_iteration: int) -> Any:
    """TensorBoard's writer, or None where TensorBoard is not installed: the files beside it tell the same."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=last_iteration + 1)


def grid(pictures: NDArray[Any], columns: int = 8) -> NDArray[Any]:
    """[N, H, W, C] to one picture, row by row; a last row that is not full is black at its end."""
    count, height, width, channels = pictures.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    sheet = np.zeros((rows, columns, height, width, channels), pictures.dtype)
    sheet.reshape(-1, height, width, channels)[:count] = pictures
    return sheet.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
