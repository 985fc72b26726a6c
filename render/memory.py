"""How much memory there is, and how many frames may be in it at a time."""

from pathlib import Path

SHARE = 0.5  # of what is free; tiles in the network need the rest
_CGROUP = Path("/sys/fs/cgroup")


def free_bytes() -> int | None:
    """What this process may still take, by the machine and by the container; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None
    try:
        limit = int((_CGROUP / "memory.max").read_text(encoding="ascii"))
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no container, or "max"
        return free
    return max(min(free, limit - used), 0)


def frames_at_once(threads: int, frame_bytes: int, free: int | None) -> int:
    """How many threads may have a frame of their own; the others help them. Decides no pixel.

    Args:
        frame_bytes: of one frame in flight; 0 if that is next to nothing.
    """
    if free is None or frame_bytes == 0:
        return threads
    return max(1, min(threads, int(free * SHARE) // frame_bytes))
