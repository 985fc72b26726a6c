"""What a run leaves to look at: metrics.csv, TensorBoard scalars, sample grids, the loss curve."""

import csv
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfxgan.images import Picture, write_picture

WINDOW = 40  # log entries over which a mean is called lasting


class Journal:
    """Writes into `folder`; after a resume, rows past the checkpoint are dropped and the rest is continued."""

    def __init__(self, folder: Path, last_iteration: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.folder = folder
        self.csv = folder / "metrics.csv"
        self.rows = [row for row in self._read() if int(row["iteration"]) <= last_iteration]
        self._rewrite()
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=last_iteration + 1)
        self.recent: dict[str, deque[float]] = {}

    def _read(self) -> list[dict[str, str]]:
        if not self.csv.exists():
            return []
        with self.csv.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _rewrite(self) -> None:
        if not self.rows:
            self.csv.unlink(missing_ok=True)
            return
        with self.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)

    def scalars(self, iteration: int, values: dict[str, float]) -> None:
        """Append one row to all of them."""
        row = {"iteration": str(iteration)} | {name: f"{value:.6g}" for name, value in values.items()}
        fresh = not self.csv.exists()
        with self.csv.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        self.rows.append(row)
        for name, value in values.items():
            self.board.add_scalar(name, value, iteration)
            self.recent.setdefault(name, deque(maxlen=WINDOW)).append(value)

    def lasting_means(self) -> dict[str, float]:
        """Means over the last entries, of the scalars that have been logged that often."""
        return {name: sum(v) / len(v) for name, v in self.recent.items() if len(v) == WINDOW}

    def samples(self, iteration: int, pictures: NDArray[Any]) -> None:
        """Write samples-NNNNNN.png from [N, S, S, 3] uint8, eight to a row."""
        write_picture(self.folder / f"samples-{iteration:06d}.png", Picture(grid(pictures), ("R", "G", "B")))

    def loss_curve(self) -> None:
        """Write loss.png from the rows so far."""
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot as plt

        figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
        steps = [int(row["iteration"]) for row in self.rows]
        for name in (key for key in self.rows[0] if key.startswith("loss/")):
            axes.plot(steps, [float(row[name]) for row in self.rows], label=name.removeprefix("loss/"), linewidth=0.7)
        axes.set(xlabel="iteration", ylabel="cross-entropy", ylim=(0, None))
        axes.legend()
        figure.savefig(self.folder / "loss.png", dpi=110, metadata={"Software": None})
        plt.close(figure)

    def close(self) -> None:
        """Flush everything and draw the curve."""
        self.board.close()
        if self.rows:
            self.loss_curve()


def grid(pictures: NDArray[Any], columns: int = 8) -> NDArray[Any]:
    """[N, H, W, C] to one picture, row by row; a last row that is not full is black at its end."""
    count, height, width, channels = pictures.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows, columns, height, width, channels), pictures.dtype)
    sheet.reshape(-1, height, width, channels)[:count] = pictures
    return sheet.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
