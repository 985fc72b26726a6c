"""Killed fifty times at any moment, a render leaves whole frames, and one more run makes it as if nothing had been."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.images import Picture, write_picture

KILLS = 50
PLATES = 8
HEIGHT, WIDTH = 96, 128

# A process that has loaded what a render needs, and forks a render for each line: starting Python fifty times would
# take a minute in which there is nothing to kill. It answers with the exit code, or "killed" where it had to do that.
NURSERY = """
import json, os, select, signal, sys
import numpy, OpenImageIO, onnxruntime
import vfxgan.render.preview, vfxgan.render.request, vfxgan.render.run
from vfxgan.cli.main import run

for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        sys.stdin = open(os.devnull)
        os.dup2(2, 1)
        os._exit(run(order["arguments"]))
    watched = os.pidfd_open(child)
    ended, _, _ = select.select([watched], [], [], order["after_s"])
    if not ended:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(watched)
    print(json.dumps("killed" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)), flush=True)
"""


class Nursery:
    """Runs command lines in processes of their own."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )

    def run(self, *arguments: object, after_s: float | None = None) -> Any:
        """The exit code, or "killed"; by SIGKILL if it takes longer than `after_s`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"arguments": [str(argument) for argument in arguments], "after_s": after_s}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate()
        self._log.close()


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    if not hasattr(os, "pidfd_open"):
        pytest.skip("needs Linux 5.3 for process descriptors")
    started = Nursery(tmp_path / "log.txt")
    yield started
    started.close()


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """Plates with alpha whose data windows move."""
    (tmp_path / "plate").mkdir()
    stream = np.random.RandomState(7)
    for number in range(PLATES):
        smooth = np.kron(stream.rand(HEIGHT // 8, WIDTH // 8, 4), np.ones((8, 8, 1))).astype(np.float16)
        picture = Picture(smooth, ("R", "G", "B", "A"), origin=(number, 2), display=(0, 0, WIDTH, HEIGHT))
        write_picture(tmp_path / "plate" / f"{1001 + number}.exr", picture)
    return tmp_path / "plate" / "####.exr"


def test_fifty_kills_and_a_clean_run_give_the_frames_of_an_undisturbed_one(
    nursery: Nursery, image_model: Any, shot: Path, tmp_path: Path, frames_of: Any
) -> None:
    model = image_model(tmp_path / "m.onnx", scale=2)
    command = ["render", model, "--in", shot, "--threads", "2", "--progress", "none"]
    assert nursery.run(*command, "--out", tmp_path / "whole" / "####.exr") == 0
    whole = frames_of(tmp_path / "whole")
    assert len(whole) == PLATES
    began = time.monotonic()
    assert nursery.run(*command, "--out", tmp_path / "again" / "####.exr") == 0
    undisturbed_s = time.monotonic() - began
    assert frames_of(tmp_path / "again") == whole

    out, moments = tmp_path / "up", random.Random(5)
    kills = strays = unfinished = 0
    while kills < KILLS:
        ended = nursery.run(*command, "--out", out / "####.exr", after_s=moments.uniform(0.2, 1) * undisturbed_s)
        found = frames_of(out) if out.is_dir() else {}
        frames = {name: data for name, data in found.items() if not name.startswith(".")}
        assert frames == {name: whole[name] for name in frames}
        assert ended in ("killed", 0)
        kills += ended == "killed"
        strays += len(found) > len(frames)
        unfinished += 0 < len(frames) < PLATES
        if ended == 0:
            assert found == whole
        if len(frames) == PLATES:  # there must be something to kill
            for name in frames:
                (out / name).unlink()
    # The kills did hit what they were meant for: frames half-way written, and sequences half-way done.
    assert strays >= 3
    assert unfinished >= 10

    assert nursery.run(*command, "--out", out / "####.exr") == 0
    assert frames_of(out) == whole
