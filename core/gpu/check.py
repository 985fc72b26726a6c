"""`vfxgan export --check`: for each engine, whether it fits this machine, and if not, why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vfxgan.errors import ModelError
from vfxgan.gpu.engine_files import SUFFIX, check_engine_file, file_sha256, read_sidecar
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
    """Look at engines, and at all those in folders.

    Args:
        machine: None: this one.
    Raises:
        ModelError: no such place, or a folder without engines.
    """
    listed = [places] if isinstance(places, Path) else list(places)
    engines = [engine for place in listed for engine in _engines_at(place)]
    machine = machine or this_machine()
    return [_fit(engine, machine) for engine in engines]


def _engines_at(place: Path) -> Iterator[Path]:
    if not place.exists():
        raise ModelError(f"{place}: there is no such engine or folder")
    if not place.is_dir():
        yield place
        return
    found = sorted(place.glob("*" + SUFFIX))
    if not found:
        raise ModelError(f"{place}: holds no engines (*{SUFFIX}); build one with: vfxgan export MODEL --trt")
    yield from found


def _fit(engine: Path, machine: Machine) -> EngineFit:
    try:
        sidecar = read_sidecar(engine)
    except ModelError as error:
        return EngineFit(engine, (str(error),), None)
    reasons = []
    try:
        check_engine_file(engine, sidecar)
    except ModelError as error:
        reasons.append(str(error))
    onnx = engine.with_name(sidecar.onnx_name)
    try:
        found = file_sha256(onnx)
    except OSError:
        found = None
        reasons.append(f"{onnx.name}, which it was built from, is not beside it")
    return EngineFit(engine, (*reasons, *misfits(sidecar, machine, found)), sidecar)
