"""Text of `vfxgan export`'s options to what the stages take."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vfxgan.gpu.options import BuildOptions


def build_options(trt: bool, batch: int, tile: str | None, profile: str | None, *others: Any) -> "BuildOptions | None":
    from vfxgan.errors import UsageError

    workspace, opt_level, hardware_compat, version_compat = others
    given = {
        "--batch": batch != 1,
        "--profile": profile,
        "--workspace": workspace,
        "--opt-level": opt_level is not None,
        "--hardware-compat": hardware_compat,
        "--version-compat": version_compat,
    }
    if not trt:
        lost = [option for option, value in given.items() if value]
        if lost:
            raise UsageError(f"{', '.join(lost)}: of an engine; give --trt as well")
        return None
    from vfxgan.gpu.options import BuildOptions

    sizes = [size_of("--profile", part) for part in profile.split(",")] if profile else None
    if sizes is not None and len(sizes) != 3:
        raise UsageError(f"--profile {profile!r}: give three sizes, MIN,OPT,MAX, such as 64x64,512x512,1088x2048")
    fields = {
        "batch": batch,
        "tile": size_of("--tile", tile),
        "profile": dict(zip(("min", "opt", "max"), sizes, strict=True)) if sizes else None,
        "workspace_mib": workspace,
        "opt_level": opt_level,
        "hardware_compat": hardware_compat,
        "version_compat": version_compat,
    }
    return BuildOptions.model_validate({key: value for key, value in fields.items() if value is not None})


def size_of(option: str, text: str | None) -> tuple[int, int] | None:
    """ "540x960" as (540, 960): height first, as everywhere in the spec."""
    from vfxgan.errors import UsageError

    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 16384 for part in parts):
        raise UsageError(f"{option} {text!r}: give HxW in pixels, 1 … 16384 each, such as 540x960 (height first)")
    return int(parts[0]), int(parts[1])


def range_of(text: str | None) -> tuple[float, float] | None:
    from vfxgan.errors import UsageError

    known = {"-1..1": (-1.0, 1.0), "0..1": (0.0, 1.0)}
    if text is None:
        return None
    if text not in known:
        raise UsageError(f"--range {text!r}: give -1..1 or 0..1")
    return known[text]


def plates_of(given: list[Path]) -> tuple[Path, ...]:
    from vfxgan.errors import UsageError

    found = [path for place in given for path in (sorted(place.glob("*.exr")) if place.is_dir() else [place])]
    missing = [str(path) for path in found if not path.is_file()]
    if missing or (given and not found):
        raise UsageError(
            f"--plates {missing[0] if missing else given[0]}: no EXR there; give files, or a folder of them"
        )
    return tuple(found)
