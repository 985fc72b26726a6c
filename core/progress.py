"""Progress as a person, a program or a farm reads it. Logs and messages go to stderr, machine lines to stdout."""

import json
import math
import sys
import time
from types import TracebackType
from typing import Any, Literal, Protocol

ProgressStyle = Literal["bar", "json", "openjd", "none"]
TELL_EVERY_S = 10.0


class Progress(Protocol):
    """Told about frames as they finish; a context manager."""

    def __enter__(self) -> "Progress": ...
    def __exit__(self, *reason: Any) -> None: ...
    def skip(self, count: int) -> None: ...
    def advance(self, **facts: Any) -> None: ...
    def tell(self, note: str, **facts: Any) -> None: ...
    def warn(self, message: str) -> None: ...


def progress(style: ProgressStyle, label: str, total: int, every_s: float = 0.0) -> Progress:
    """Pick by name. `bar` on a stderr that is no terminal prints a line every ten seconds instead.

    Args:
        every_s: machine lines are at least so far apart, but for the first and the last; 0: one for each step.
    """
    if style == "bar":
        return _Bar(label, total) if sys.stderr.isatty() else _Lines(label, total)
    if style == "json":
        return _Json(label, total, every_s)
    if style == "openjd":
        return _OpenJd(label, total, every_s)
    return _Silent()


def say(message: str) -> None:
    """One line for the user, on stderr."""
    print(message, file=sys.stderr, flush=True)


class _Silent:
    def __enter__(self) -> "_Silent":
        return self

    def __exit__(self, *reason: Any) -> None:
        pass

    def skip(self, count: int) -> None:
        """So many were done before, or if negative are undone; they do not count in the rate."""

    def advance(self, **facts: Any) -> None:
        pass

    def tell(self, note: str, **facts: Any) -> None:
        """What is being waited for, while nothing is finished; machine styles and logs show it rarely enough."""

    def warn(self, message: str) -> None:
        say(f"warning: {message}")


class _Counted(_Silent):
    def __init__(self, label: str, total: int, every_s: float = 0.0) -> None:
        self.label, self.total, self.done, self.skipped = label, total, 0, 0
        self.every_s, self.told = every_s, -math.inf
        self.started = time.monotonic()

    def skip(self, count: int) -> None:
        self.done += count
        self.skipped += count

    def advance(self, **facts: Any) -> None:
        self.done += 1
        now = time.monotonic()
        if self.done == self.total or now - self.told >= self.every_s:
            self.told = now
            self.shown(facts)

    def shown(self, facts: dict[str, Any]) -> None:
        """One more is done; say so in this style."""

    def tell(self, note: str, **facts: Any) -> None:
        now = time.monotonic()
        if now - max(self.told, self.started) >= TELL_EVERY_S:
            self.told = now
            self.waiting(note, facts)

    def waiting(self, note: str, facts: dict[str, Any]) -> None:
        """Nothing was finished for a while; say what goes on, in this style."""

    @property
    def rate(self) -> float:
        return (self.done - self.skipped) / max(time.monotonic() - self.started, 1e-6)

    @property
    def eta_s(self) -> float:
        return (self.total - self.done) / max(self.rate, 1e-6)


class _Bar(_Counted):
    def __enter__(self) -> "_Bar":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.1f}/s  ETA"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self.task = self.bar.add_task(self.label, total=self.total, rate=0.0, note="")
        self.bar.start()
        self.started = time.monotonic()
        return self

    def __exit__(self, *reason: Any) -> None:
        self.bar.stop()

    def shown(self, facts: dict[str, Any]) -> None:
        self.bar.update(self.task, completed=self.done, rate=self.rate, note=str(facts.get("note", "")))

    def tell(self, note: str, **facts: Any) -> None:
        self.bar.update(self.task, note=note)

    def warn(self, message: str) -> None:
        self.bar.console.print(f"warning: {message}", markup=False, highlight=False, soft_wrap=True)


class _Lines(_Counted):
    """For logs: a line at the first, then at most every ten seconds, then the last."""

    interval_s = 10.0

    def __enter__(self) -> "_Lines":
        self.started = time.monotonic()
        self.last_line = -self.interval_s
        return self

    def shown(self, facts: dict[str, Any]) -> None:
        elapsed = time.monotonic() - self.started
        if self.done == self.total or elapsed - self.last_line >= self.interval_s:
            self.last_line = elapsed
            note = f"  {facts['note']}" if facts.get("note") else ""
            say(f"{self.label} {self.done}/{self.total}  {self.rate:.1f}/s  ETA {self.eta_s:.0f} s{note}")

    def waiting(self, note: str, facts: dict[str, Any]) -> None:
        say(f"{self.label} {self.done}/{self.total}  {note}")


class _Json(_Counted):
    """One object a line: started, advanced (with the facts given), warning, finished."""

    def __enter__(self) -> "_Json":
        self.emit({"event": "started", "label": self.label, "total": self.total})
        self.started = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        event: dict[str, Any] = {
            "event": "finished" if error is None else "failed",
            "done": self.done,
            "total": self.total,
        }
        if error is not None:
            event["reason"] = str(error) or type(error).__name__
        self.emit(event)

    def shown(self, facts: dict[str, Any]) -> None:
        self.emit(
            {"event": "progress", "done": self.done, "total": self.total, "fps": round(self.rate, 2)}
            | {"eta_s": round(self.eta_s, 1)}
            | facts
        )

    def waiting(self, note: str, facts: dict[str, Any]) -> None:
        self.emit({"event": "waiting", "done": self.done, "total": self.total, "note": note} | facts)

    def warn(self, message: str) -> None:
        self.emit({"event": "warning", "message": message})

    @staticmethod
    def emit(event: dict[str, Any]) -> None:
        print(json.dumps(event), flush=True)


class _OpenJd(_Counted):
    """The lines an Open Job Description worker reads."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(f"openjd_fail: {str(error) or type(error).__name__}", flush=True)

    def shown(self, facts: dict[str, Any]) -> None:
        print(f"openjd_progress: {100 * self.done / max(self.total, 1):.1f}", flush=True)
        print(f"openjd_status: {self.label} {self.done}/{self.total}, {self.rate:.1f}/s", flush=True)

    def waiting(self, note: str, facts: dict[str, Any]) -> None:
        print(f"openjd_status: {self.label} {self.done}/{self.total}, {note}", flush=True)
