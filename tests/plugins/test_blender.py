"""A real host that runs headless: Blender's compositor takes frames of the client's, and gives the right pixels.

`make blender` installs Blender's own Python module (373 MB) beside the project and runs this; elsewhere it skips.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vfxgan.images import read_picture

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "blender" / "composite.py"
SIDE_PX = 128  # of the packaged elements
FRAMES = 3
# What the compositor's own float32 sums may lose, and what a half cannot hold; relative, and below 1 absolute.
TOLERANCE = {"32": 2.0**-22, "16": 2.0**-11}


@pytest.fixture(scope="module")
def blender() -> Path:
    """A Python that has bpy."""
    places = [os.environ.get("VFXGAN_BLENDER_PYTHON", ""), str(ROOT / ".venv-blender" / "bin" / "python")]
    found = next((Path(place) for place in places if place and Path(place).exists()), None)
    if found is None:
        pytest.skip("Blender's bpy is not installed: make blender (Python 3.11, 373 MB), or VFXGAN_BLENDER_PYTHON")
    return found


@pytest.fixture
def rendered(host_paths: list[Path], tmp_path: Path) -> Callable[[str, int], Path]:
    """Render three seeds through the client; the first file. `rendered("fire", 18)`."""
    from vfxgan_client import Finished, Run, find_command

    command = find_command(str(Path(sys.executable).parent / "vfxgan"))

    def render(name: str, first: int) -> Path:
        words = ["render", "elements", f"--seeds={first}-{first + FRAMES - 1}", f"--out=a shot/{name}.####.exr"]
        run = Run(command, words, lambda event: None, folder=str(tmp_path))
        run.start()
        assert run.wait(60) == Finished(FRAMES, FRAMES)
        return tmp_path / "a shot" / f"{name}.{first:04d}.exr"

    return render


def numbered(first: Path, place: int) -> Path:
    """The file so many frames after the first."""
    name, number, extension = first.name.split(".")
    return first.with_name(f"{name}.{int(number) + place:04d}.{extension}")


def composite(blender: Path, folder: Path, over: Path, under: Path, depth: str) -> dict[str, Any]:
    """Blender's compositor, on a sequence of each; what it says of the first input."""
    job = folder / "job.json"
    settings = {
        "over": str(over),
        "under": str(under),
        "offset_over": int(over.name.split(".")[1]) - 1,
        "offset_under": int(under.name.split(".")[1]) - 1,
        "frames": FRAMES,
        "size": [SIDE_PX, SIDE_PX],
        "depth": depth,
        "folder": str(folder),
    }
    job.write_text(json.dumps(settings), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "OCIO"}  # Blender has a config of its own
    done = subprocess.run([blender, SCRIPT, job], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def pixels(path: Path) -> NDArray[np.float32]:
    return read_picture(path).pixels.astype(np.float32)


@pytest.mark.parametrize("depth", ["32", "16"])
def test_elements_composite_to_the_pixels_that_arithmetic_says(
    blender: Path, rendered: Callable[[str, int], Path], tmp_path: Path, depth: str
) -> None:
    fire, smoke = rendered("fire", 18), rendered("smoke", 21)
    said = composite(blender, tmp_path, fire, smoke, depth)
    assert (said["size"], said["channels"], said["is_float"]) == ([SIDE_PX, SIDE_PX], 4, True)
    for place in range(FRAMES):
        over, under = pixels(numbered(fire, place)), pixels(numbered(smoke, place))
        expected = over + under * (1 - over[..., 3:])
        got = pixels(tmp_path / f"{place + 1:04d}.exr")
        assert expected[..., :3].max() > 5, "there is light above white in it"
        difference = np.abs(got - expected) / np.maximum(np.abs(expected), 1)
        assert difference.max() <= TOLERANCE[depth], f"frame {place + 1}: {difference.max()} with {said['blender']}"
