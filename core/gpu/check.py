"""`vfxgan export --check`: for each engine, whether it fits this machine, and if not, why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vfxgan.digests import file_sha256
from vfxgan.errors import ModelError
from vfxgan.gpu.engine_files import SUFFIX, check_engine_file, engines_beside, read_sidecar
from vfxgan.gpu.identity import Machine, Sidecar, misfits, this_machine


@dataclass(frozen=True)
class EngineFit:
    """What was found of one engine.

    Attributes:
        reasons: why it cannot be used here; empty where it can.
        sidecar: None where it could not be read.
    """

    path: Path
    reasons: tuple[str, ...]
    sidecar: Sidecar | None

    @property
    def fits(self) -> bool:
        return not self.reasons

    @property
    def line(self) -> str:
        """For people."""
        return f"{self.path}: " + ("fits this machine" if self.fits else "does not fit: " + "; ".join(self.reasons))


def check_engines(places: Path | Sequence[Path], machine: Machine | None = None) -> list[EngineFit]:
    """Look at engines, at all those of a model, and at all those in a folder.

    Args:
        machine: None: this one.
    Raises:
        ModelError: no such place, or no engines there.
    """
    listed = [places] if isinstance(places, Path) else list(places)
    engines = [engine for place in listed for engine in _engines_at(place)]
    machine = machine or this_machine()
    return [_fit(engine, machine) for engine in engines]


def _engines_at(place: Path) -> Iterator[Path]:
    if not place.exists():
        raise ModelError(f"{place}: there is no such engine, model or folder")
    if place.suffix == ".onnx":
        found, what = engines_beside(place), "has no engines beside it"
    elif place.is_dir():
        found, what = sorted(place.glob("*" + SUFFIX)), f"holds no engines (*{SUFFIX})"
    elif place.suffix == SUFFIX:
        found, what = [place], ""
    else:
        raise ModelError(f"{place}: is no engine (*{SUFFIX}), model (*.onnx) or folder of them")
    if not found:
        raise ModelError(f"{place}: {what}; build one with: vfxgan export MODEL --trt")
    yield from found


def _fit(engine: Path, machine: Machine) -> EngineFit:
    try:
        sidecar = read_sidecar(engine)
    except ModelError as error:
        return EngineFit(engine, (_without_path(error, engine),), None)
    reasons = []
    try:
        check_engine_file(engine, sidecar)
    except ModelError as error:
        reasons.append(_without_path(error, engine))
    onnx = engine.with_name(sidecar.onnx_name)
    try:
        found = file_sha256(onnx)
    except OSError:
        found = None
        reasons.append(f"{onnx.name}, which it was built from, is not beside it")
    return EngineFit(engine, (*reasons, *misfits(sidecar, machine, found)), sidecar)


def _without_path(error: ModelError, engine: Path) -> str:
    """The line that names the engine says it already."""
    return str(error).removeprefix(f"{engine}: ")
