"""What `vfxgan export` prints: the plan of a dry run, a line for each artefact, engines that fit or not."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vfxgan.export.pipeline import Artefact, Plan
    from vfxgan.gpu.options import BuildOptions
    from vfxgan.progress import Progress, ProgressStyle


def tell(plan: "Plan") -> None:
    from vfxgan.progress import say

    for note in plan.source.notes:
        say(note)


def print_plan(plan: "Plan", engine: "BuildOptions | None") -> None:
    """What would be written, for `--dry-run`."""
    from vfxgan.render.inspect import table

    spec, targets = plan.spec, plan.targets
    shape = ["any" if plan.shape.any_batch else "1", *map(str, plan.shape.size or ())]
    facts: dict[str, Any] = {
        "source": f"{plan.source.path} (SHA-256 {plan.source.sha256})",
        "model": f"{spec.name}: {spec.kind}, {spec.architecture}, scale {spec.scale}, range {spec.value_range}",
        "arguments": spec.arguments,
        "graph": f"opset {plan.opset}, batch {shape[0]}, "
        + (f"{'x'.join(shape[1:])}" if shape[1:] else "any size" if spec.kind != "generator" else f"{spec.size}"),
    }
    tell(plan)
    print("\n".join(table(facts)))
    for path in targets.files():
        print(f"would write {path}{' (exists)' if path.exists() else ''}")
    if engine is not None:
        assert targets.fp16 is not None
        stem = targets.folder / targets.fp16.stem
        print(f"would build {stem}.<gpu>.<tensorrt>.<key>.plan, and its .json: {engine}")


def steps(style: "ProgressStyle", plan: "Plan", engine: bool) -> "Progress":
    """For programs: a line for each artefact. People get the lines of `print_artefact`."""
    from vfxgan.progress import progress

    total = len(list(plan.targets.files())) + plan.targets.source_is_fp32 + engine
    return progress("none" if style == "bar" else style, "export", total)


def facts_of(artefact: "Artefact") -> dict[str, Any]:
    """One artefact as plain data."""
    parity = artefact.parity
    return {
        "path": str(artefact.path),
        "what": artefact.what,
        "state": "kept" if artefact.kept else "written",
        "bytes": artefact.path.stat().st_size,
        "parity": parity.model_dump(mode="json") if parity else None,
    }


def print_artefact(artefact: "Artefact") -> None:
    state = "kept, it is the same" if artefact.kept else "written"
    size = artefact.path.stat().st_size
    shown = f"{size / 2**20:.1f} MiB" if size >= 1 << 20 else f"{size / 1024:.1f} KiB"
    print(f"{artefact.path}: {artefact.what}, {shown}, {state}")
    parity = artefact.parity
    if parity is not None:
        allowed = "" if parity.allowed_max_abs_error is None else f" (allowed {parity.allowed_max_abs_error:.3g})"
        least = "" if parity.allowed_psnr_db is None else f" (at least {parity.allowed_psnr_db:g})"
        print(
            f"  parity over {parity.seeds} {parity.inputs}, {parity.reference or 'PyTorch'} against {parity.runtime}: "
            f"max abs error {parity.max_abs_error:.3g}{allowed}, PSNR {parity.psnr_db:.1f} dB{least}"
        )


def print_engines(place: Path) -> None:
    """One line an engine; exit 1 if any does not fit."""
    from vfxgan.errors import ModelError
    from vfxgan.gpu.check import check_engines

    found = check_engines(place)
    for engine in found:
        print(engine.line)
    unfit = sum(not engine.fits for engine in found)
    if unfit:
        raise ModelError(
            f"{unfit} of {len(found)} engines do not fit this machine; build anew with: vfxgan export --trt"
        )
