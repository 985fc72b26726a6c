"""NVIDIA's real TensorRT and CUDA bindings, importable on a machine with neither GPU nor TensorRT.

    tools/trt_api.py [FOLDER]        fetches what is not there yet; FOLDER: <this environment>/trt-api

The bindings are wheels on PyPI without the libraries behind them: a Python module that is linked against libnvinfer and
others. Of those only a few entry points are asked for. Libraries with empty ones in their place are made here with gcc,
so that the module loads: every class, flag and signature is NVIDIA's own, and each factory gives nothing. That proves
that calls are spelt right, for each release; it can build and run nothing. (CUDA's bindings load without a driver.)

What cannot be had says why in a file of its own, `<release>/MISSING`, and the tests that need it skip with that reason.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# Release: the wheels it is made of. TensorRT 8.6.1's are for Python 3.11 at most, 10.0.1's for 3.12. Of CUDA's: the
# oldest that pyproject.toml takes, and the one in constraints.txt.
RELEASES = {
    "8.6.1": ("tensorrt-bindings==8.6.1",),
    "10.0.1": ("tensorrt-cu12-bindings==10.0.1",),
    "10.16.1.11": ("tensorrt-cu12-bindings==10.16.1.11",),
    "11.4.0.106": ("tensorrt-cu13-bindings==11.4.0.106",),
    "cuda-12.8.0": ("cuda-bindings==12.8.0",),
    "cuda-13.4.4": ("cuda-bindings==13.4.4", "cuda-pathfinder==1.8.3"),
}
FOLDER = Path(sys.prefix) / "trt-api"
MISSING = "MISSING"
READY = "READY"
ENTRY_POINT = re.compile(
    r"^(create\w+_INTERNAL|get\w*Plugin\w*|get\w+Version|init\w*Plugins|_ZN\d+nv(uff|caffe)parser\w+)$"
)
LIBRARY = re.compile(r"Shared library: \[(libnv\w+\.so\.\d+)\]")


class Unavailable(Exception):
    """A release cannot be had here; the message is the reason."""


def fetch(folder: Path) -> None:
    """Every release that is not there yet. Never fails: what is missing is said, and written down."""
    for release, wheels in RELEASES.items():
        target = folder / release
        if (target / READY).exists():
            continue
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        try:
            _unpack(wheels, target)
            if not release.startswith("cuda"):
                _link(target)
            _import("cuda.bindings.runtime" if release.startswith("cuda") else "tensorrt", target)
        except (Unavailable, OSError, zipfile.BadZipFile) as reason:
            (target / MISSING).write_text(f"{reason}\n")
            print(f"{release}: not available: {reason}")
        else:
            (target / READY).touch()
            print(f"{release}: {target}")


def _unpack(wheels: tuple[str, ...], target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
        _run(*pip, "--retries", "1", "--timeout", "20", "--no-deps", "--only-binary=:all:", "-d", scratch, *wheels)
        for wheel in Path(scratch).glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(target)


def _link(target: Path) -> None:
    """Empty libraries beside the module, which looks there first, and the package that people import."""
    bindings = target / "tensorrt_bindings"
    module = bindings / "tensorrt.so"
    symbols = {line.split()[-1] for line in _run("nm", "-D", "--undefined-only", str(module)).splitlines() if line}
    source = "".join(f"void *{name}(void) {{ return 0; }}\n" for name in sorted(symbols) if ENTRY_POINT.match(name))
    for place, name in enumerate(LIBRARY.findall(_run("readelf", "--dynamic", str(module)))):
        options = ["-shared", "-fPIC", "-w", f"-Wl,-soname,{name}", "-o", str(bindings / name), "-x", "c", "-"]
        _run("gcc", *options, stdin=source if place == 0 else "")
    (target / "tensorrt").mkdir()
    (target / "tensorrt" / "__init__.py").write_text(
        "from tensorrt_bindings import *\nfrom tensorrt_bindings import __version__\n"
    )


def _import(module: str, target: Path) -> None:
    _run(sys.executable, "-c", f"import sys; sys.path.insert(0, {str(target)!r}); import {module}")


def _run(*command: str, stdin: str = "") -> str:
    try:
        return subprocess.run(command, input=stdin, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError as error:
        raise Unavailable(f"{command[0]} is not installed (Debian, Ubuntu: apt install gcc binutils)") from error
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.strip().splitlines() if line.strip()] or [f"exit {error.returncode}"]
        raise Unavailable(f"{Path(command[0]).name}: {lines[-1].strip()[:200]}") from error


if __name__ == "__main__":
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and sys.argv[1].startswith("-")):
        sys.exit(__doc__)
    fetch(Path(sys.argv[1]) if len(sys.argv) == 2 else FOLDER)
