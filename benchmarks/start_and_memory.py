"""Start-up and memory of `vfxgan render`: help, first frame on disk, peak memory of 10 against 2,000 frames. Linux.

python benchmarks/start_and_memory.py [MODEL] [--json FILE]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [sys.executable, "-c", "from vfxgan.cli.main import main; main()"]


def wall_s(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([*COMMAND, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


def first_frame_s(model: list[str], folder: Path) -> float:
    """From the start of the process until the first frame stands in its folder under its name."""
    started = time.perf_counter()
    arguments = [*COMMAND, "render", *model, "--seeds", "0-99", "--out", str(folder / "####.exr"), "--progress", "json"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = next(time.perf_counter() for line in process.stdout if json.loads(line)["event"] == "progress")
        process.stdout.read()
    assert any(folder.glob("*.exr"))
    return seen - started


def peak_mib(model: list[str], frames: int, folder: Path) -> float:
    """Peak resident memory of the whole process, as the system accounts it."""
    arguments = [*COMMAND, "render", *model, "--seeds", f"0-{frames - 1}", "--out", str(folder / "####.exr")]
    process = subprocess.Popen([*arguments, "--progress", "none"], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    process.returncode = 0
    return usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = [arguments.model] if arguments.model else []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        few, many = (
            statistics.median(peak_mib(model, frames, scratch / f"m{frames}-{turn}") for turn in range(3))
            for frames in (10, 2000)
        )
        facts = {
            "help_s": round(statistics.median(wall_s(["--help"]) for _ in range(7)), 3),
            "first_frame_s": round(statistics.median(first_frame_s(model, scratch / f"f{n}") for n in range(5)), 3),
            "peak_mib_10_frames": round(few, 1),
            "peak_mib_2000_frames": round(many, 1),
            "growth": round(many / few - 1, 4),
        }
    for key, value in facts.items():
        print(f"{key:22s} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
