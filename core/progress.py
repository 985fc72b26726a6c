"""Progress as a person, a program or a farm reads it. Logs and messages go to stderr, machine lines to stdout."""

import json
import math
import sys
import time
from types import TracebackType
from typing import Any, Literal, Protocol

ProgressStyle = Literal["bar", "json", "openjd", "none"]
TELL_EVERY_S = 10.0
OPENJD_EVERY_S = 1.0  # a farm keeps each line of every task, and shows the last
NOT_MADE = ("kept", "failed")  # states of frames that took next to no time: they say nothing of the rate


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
        return _OpenJd(label, total, max(every_s, OPENJD_EVERY_S))
    return _Silent()


def fail_before_start(style: str, reason: str) -> None:
    """What a program or a farm reads where a command fails before its display began; nothing once one has."""
    if _Counted.any_begun:
        return
    if style == "json":
        _Json.emit({"event": "failed", "done": 0, "total": 0, "reason": reason})
    elif style == "openjd":
        print(f"openjd_fail: {reason}", flush=True)


def forget_displays() -> None:
    """A new command line begins in this process."""
    _Counted.any_begun = False


def pace(rate: float, each: str = "each", per_second: str = "/s") -> str:
    """A rate a second, or below one a second the seconds that one takes: `4.2/s`, `12.3 s each`; `-` for none."""
    if rate >= 1:
        return f"{rate:.1f}{per_second}"
    return f"{1 / rate:.1f} s {each}" if rate > 0 else "-"


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
    any_begun = False  # of the displays of this command line

    def __init__(self, label: str, total: int, every_s: float = 0.0) -> None:
        self.label, self.total, self.done, self.skipped = label, total, 0, 0
        self.every_s, self.told = every_s, -math.inf
        self.started = time.monotonic()

    def __enter__(self) -> "_Counted":
        _Counted.any_begun = True
        self.started = time.monotonic()
        return self

    def skip(self, count: int) -> None:
        self.done += count
        self.skipped += count

    def advance(self, **facts: Any) -> None:
        self.done += 1
        self.skipped += facts.get("state") in NOT_MADE
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
    def eta_s(self) -> float | None:
        """None while there is nothing to go by."""
        left = self.total - self.done
        return left / self.rate if left and self.rate else None if left else 0.0

    @property
    def eta(self) -> str:
        return "-" if self.eta_s is None else f"{self.eta_s:.0f} s"


class _Bar(_Counted):
    def __enter__(self) -> "_Bar":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}  ETA {task.fields[eta]}"),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self.task = self.bar.add_task(self.label, total=self.total, pace="-", eta="-", note="")
        self.bar.start()
        super().__enter__()
        return self

    def __exit__(self, *reason: Any) -> None:
        self.bar.stop()

    def shown(self, facts: dict[str, Any]) -> None:
        note = str(facts.get("note", ""))
        self.bar.update(self.task, completed=self.done, pace=pace(self.rate), eta=self.eta, note=note)

    def tell(self, note: str, **facts: Any) -> None:
        self.bar.update(self.task, note=note)

    def warn(self, message: str) -> None:
        self.bar.console.print(f"warning: {message}", markup=False, highlight=False, soft_wrap=True)


class _Lines(_Counted):
    """For logs: a line at the first, then at most every ten seconds, then the last."""

    interval_s = 10.0

    def __enter__(self) -> "_Lines":
        super().__enter__()
        self.last_line = -self.interval_s
        return self

    def shown(self, facts: dict[str, Any]) -> None:
        elapsed = time.monotonic() - self.started
        if self.done == self.total or elapsed - self.last_line >= self.interval_s:
            self.last_line = elapsed
            note = f"  {facts['note']}" if facts.get("note") else ""
            say(f"{self.label} {self.done}/{self.total}  {pace(self.rate)}  ETA {self.eta}{note}")

    def waiting(self, note: str, facts: dict[str, Any]) -> None:
        say(f"{self.label} {self.done}/{self.total}  {note}")


class _Json(_Counted):
    """One object a line: started, advanced (with the facts given), warning, finished."""

    def __enter__(self) -> "_Json":
        super().__enter__()
        self.emit({"event": "started", "label": self.label, "total": self.total})
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
        eta_s = None if self.eta_s is None else round(self.eta_s, 1)
        self.emit(
            {"event": "progress", "done": self.done, "total": self.total, "fps": round(self.rate, 4), "eta_s": eta_s}
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
        rate = f", {pace(self.rate)}" if self.rate else ""
        print(f"openjd_status: {self.label} {self.done}/{self.total}{rate}", flush=True)

    def waiting(self, note: str, facts: dict[str, Any]) -> None:
        print(f"openjd_status: {self.label} {self.done}/{self.total}, {note}", flush=True)
