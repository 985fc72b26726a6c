"""How long a farm's tasks take to start: from the process to the first frame, for each step of a submitted job. Linux.

python benchmarks/farm_start.py [--turns N] [--json FILE]

Beside each stands the time that Python needs to import the libraries that a render cannot do without, in the same run.
"""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-c", "from vfxgan.cli.main import main; main()"]
LIMIT_S = 2.0
PEER = [sys.executable, "-c", "import numpy, OpenImageIO, fileseq, onnxruntime; print('first', flush=True)"]
JOBS = {
    "render, onnxruntime": ("--seeds", "0-99"),
    "render, openvino": ("--seeds", "0-99", "--runtime", "openvino"),
    "render, ACEScg": ("--seeds", "0-99", "--colorspace", "ACEScg"),
    "render, 100,000 seeds": ("--seeds", "0-99999"),
}


def submitted(scratch: Path, name: str, words: tuple[str, ...]) -> list[list[str]]:
    """The commands of a job: of its first chunk, and of its verify step."""
    out = ("--out", str(scratch / name / "####.exr"), "--chunk", "1", "--cores", "1")
    done = subprocess.run(
        [*COMMAND, "submit", "--to", "commands", *words, *out], check=True, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    return [shlex.split(line)[1:] for line in (lines[0], lines[-1])]


def measure(command: list[str]) -> tuple[float, float]:
    """Wall seconds until the first line on stdout, and CPU seconds of the whole process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    first = time.perf_counter() - started
    process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return first, usage.ru_utime + usage.ru_stime


def medians(commands: list[list[str]]) -> dict[str, float]:
    wall, cpu = zip(*(measure(command) for command in commands), strict=True)
    return {"first_s": round(statistics.median(wall), 2), "cpu_s": round(statistics.median(cpu), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    libraries = ("numpy", "OpenImageIO", "fileseq", "onnxruntime", "openvino")
    facts: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in libraries),
        "imports alone": medians([PEER] * arguments.turns),
    }
    with tempfile.TemporaryDirectory() as name:
        for place, (title, words) in enumerate(JOBS.items()):
            turns = [submitted(Path(name), f"{place}-{turn}", words)[0] for turn in range(arguments.turns)]
            facts[title] = medians([[*COMMAND, *turn, "--progress", "openjd"] for turn in turns])
        check = submitted(Path(name), "0-0", ("--seeds", "0", "--runtime", "onnxruntime"))[1]
        facts["verify"] = medians([[*COMMAND, *check, "--progress", "openjd"]] * arguments.turns)
    alone = facts["imports alone"]["first_s"]
    for title, value in facts.items():
        ratio = f"   {value['first_s'] / alone:.2f} times the imports" if isinstance(value, dict) else ""
        shown = f"{value['first_s']:.2f} s to the first frame, {value['cpu_s']:.2f} s of CPU" if ratio else value
        print(f"{title:22s} {shown}{ratio}")
    slow = [title for title, value in facts.items() if isinstance(value, dict) and value["first_s"] > LIMIT_S]
    print(f"limit {LIMIT_S:g} s: {'missed by ' + ', '.join(slow) if slow else 'held by all'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
