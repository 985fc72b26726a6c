"""What TensorRT says, kept, so that an error can give TensorRT's own reason."""

from typing import Any

MAX_KEPT = 50
MAX_REASON_CHARS = 300


def make_log(trt: Any) -> Any:
    """A `tensorrt.ILogger` that prints nothing. `reason()`: its last error, or "", in one line."""

    class Log(trt.ILogger):  # type: ignore[misc]  # the base class is known only once tensorrt is imported
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors = [*self.errors[-MAX_KEPT:], " ".join(str(msg).split())]

        def reason(self) -> str:
            return self.errors[-1][:MAX_REASON_CHARS] if self.errors else ""

    return Log()


def because(log: Any) -> str:
    """`(reason)` with a space before it, or nothing."""
    reason = log.reason()
    return f" ({reason})" if reason else ""
