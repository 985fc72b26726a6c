"""`vfxgan export`: a checkpoint, ours or anybody's, to ONNX, TensorRT engines and files for DCCs."""

import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from vfxgan.cli.export_options import build_options, plates_of, range_of, size_of
from vfxgan.cli.export_report import facts_of, print_artefact, print_engines, print_plan, steps, tell
from vfxgan.cli.shared import ProgressChoice, needs_extra

GATE = "Parity gate"
SOURCE = "What a foreign file does not say"
ENGINE = "TensorRT engine"
HOSTS = "Hosts"


class PrecisionChoice(str, Enum):
    """`--precision`."""

    fp32 = "fp32"
    fp16 = "fp16"


class DynamicChoice(str, Enum):
    """`--dynamic`."""

    none = "none"
    batch = "batch"
    size = "size"
    both = "both"


class NormChoice(str, Enum):
    """`--norm`."""

    batch = "batch"
    instance = "instance"
    none = "none"


class DistributionChoice(str, Enum):
    """`--distribution`."""

    uniform = "uniform"
    normal = "normal"


class KindChoice(str, Enum):
    """`--kind`."""

    generator = "generator"
    translator = "translator"
    upscaler = "upscaler"


def export(
    source: Annotated[
        Path | None,
        typer.Argument(help="Checkpoint (.pt, .pth, .safetensors) or ONNX. With --check: engine or folder."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The .onnx; all else is named after it. Default: beside the source.")
    ] = None,
    precision: Annotated[
        list[PrecisionChoice] | None, typer.Option(help="fp32 (default), fp16; may be given twice.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The model's name in its spec.")] = None,
    interval: Annotated[float | None, typer.Option(help="Latent interval that renders use by default.")] = None,
    toe: Annotated[float | None, typer.Option(help="Encoded haze up to here becomes exactly 0.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the weights, for the record.")] = None,
    dynamic: Annotated[
        DynamicChoice | None, typer.Option(help="Axes that may change. Default: size for image models, else none.")
    ] = None,
    opset: Annotated[int | None, typer.Option(help="20 (default) or 17, with IR 8, for older readers.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing targets.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read the source, print what would be written.")] = False,
    progress: Annotated[ProgressChoice, typer.Option(help="How progress is shown.")] = ProgressChoice.bar,
    tolerance: Annotated[
        float | None,
        typer.Option(help="Largest error, share of the range. Default: 2e-5, FP16 1e-2.", rich_help_panel=GATE),
    ] = None,
    min_psnr: Annotated[
        float | None, typer.Option(help="Least PSNR of FP16 artefacts. Default: 55 dB.", rich_help_panel=GATE)
    ] = None,
    plates: Annotated[
        list[Path] | None,
        typer.Option(help="EXR to compare on, instead of made pictures; a folder or a file.", rich_help_panel=GATE),
    ] = None,
    trt: Annotated[
        bool, typer.Option("--trt", help="Build an engine for this machine's GPU.", rich_help_panel=ENGINE)
    ] = False,
    batch: Annotated[int, typer.Option(min=1, max=1024, help="Frames a run.", rich_help_panel=ENGINE)] = 1,
    tile: Annotated[
        str | None, typer.Option(help="HxW of an image model's input, static.", rich_help_panel=ENGINE)
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="MIN,OPT,MAX as HxW each: an engine of many sizes.", rich_help_panel=ENGINE)
    ] = None,
    workspace: Annotated[
        int | None, typer.Option(min=1, help="Memory for the build's trials, MiB.", rich_help_panel=ENGINE)
    ] = None,
    opt_level: Annotated[
        int | None, typer.Option(min=0, max=5, help="0 … 5: build longer, run faster.", rich_help_panel=ENGINE)
    ] = None,
    hardware_compat: Annotated[
        str | None,
        typer.Option(help="ampere-plus or same-compute-capability: runs on other GPUs too.", rich_help_panel=ENGINE),
    ] = None,
    version_compat: Annotated[
        bool, typer.Option("--version-compat", help="Runs with later TensorRT too.", rich_help_panel=ENGINE)
    ] = False,
    timing_cache: Annotated[
        Path | None, typer.Option(help="Kept and used again. Default: the user's cache folder.", rich_help_panel=ENGINE)
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether engines fit this machine.", rich_help_panel=ENGINE)
    ] = False,
    torchscript: Annotated[
        bool, typer.Option("--torchscript", help="For Nuke's Inference node, with a .nk.", rich_help_panel=HOSTS)
    ] = False,
    houdini: Annotated[
        str | None, typer.Option(help="HxW: ONNX of one size, colour inside, for Houdini.", rich_help_panel=HOSTS)
    ] = None,
    top_down: Annotated[
        bool, typer.Option("--top-down", help="For Houdini: rows start at the top.", rich_help_panel=HOSTS)
    ] = False,
    architecture: Annotated[
        str | None, typer.Option(help="Where keys fit several, or none.", rich_help_panel=SOURCE)
    ] = None,
    norm: Annotated[NormChoice | None, typer.Option(help="Where keys fit both.", rich_help_panel=SOURCE)] = None,
    kind: Annotated[KindChoice | None, typer.Option(help="Of an ONNX file.", rich_help_panel=SOURCE)] = None,
    scale: Annotated[
        int | None, typer.Option(min=1, max=16, help="Of an upscaler given as ONNX.", rich_help_panel=SOURCE)
    ] = None,
    value_range: Annotated[
        str | None,
        typer.Option("--range", help="-1..1 or 0..1: what the network takes and gives.", rich_help_panel=SOURCE),
    ] = None,
    peak: Annotated[
        float | None,
        typer.Option(
            min=1, max=65504, help="Scene-linear light at the range's top. Default: 1.", rich_help_panel=SOURCE
        ),
    ] = None,
    extended: Annotated[
        bool | None, typer.Option(help="It takes values beyond its range whole.", rich_help_panel=SOURCE)
    ] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Of the input picture.", rich_help_panel=SOURCE)] = None,
    size_multiple: Annotated[
        int | None, typer.Option(min=1, max=4096, help="H and W must be multiples of this.", rich_help_panel=SOURCE)
    ] = None,
    distribution: Annotated[
        DistributionChoice | None, typer.Option(help="Of the latent.", rich_help_panel=SOURCE)
    ] = None,
) -> None:
    """ONNX, weights and spec inside, compared with PyTorch; on request FP16, an engine, files for Nuke and Houdini."""
    from pydantic import ValidationError

    from vfxgan.errors import UsageError
    from vfxgan.spec import describe

    if check:
        print_engines(source or Path())
        return
    if source is None:
        raise UsageError("no source: vfxgan export CKPT.pt, or .pth, .safetensors, .onnx")
    # The gate runs many small networks. Threads that spin while they wait cost up to ten times where cores are shared.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with needs_extra("train", "export"):
        from vfxgan.export.pipeline import export as write_all
        from vfxgan.export.pipeline import plan_export
        from vfxgan.export.request import Changes, ExportRequest, Gate
        from vfxgan.export.sources import Hints
    try:
        engine = build_options(trt, batch, tile, profile, workspace, opt_level, hardware_compat, version_compat)
        request = ExportRequest(
            source=source,
            out=out,
            precisions=tuple(choice.value for choice in precision) if precision else ("fp32",),
            hints=Hints(
                architecture=architecture,
                norm=norm.value if norm else None,
                kind=kind.value if kind else None,
                scale=scale,
                value_range=range_of(value_range),
                peak=peak,
                extended=extended,
                channels=channels,
                size_multiple=size_multiple,
                distribution=distribution.value if distribution else None,
                interval=interval,
                name=name,
            ),
            changes=Changes(name, interval, toe, licence),
            gate=Gate(tolerance, min_psnr, plates_of(plates or [])),
            dynamic=dynamic.value if dynamic else None,
            tile=size_of("--tile", tile),
            opset=opset,
            engine=engine,
            timing_cache=timing_cache,
            torchscript=torchscript,
            houdini=size_of("--houdini", houdini),
            bottom_up=not top_down,
            overwrite=overwrite,
        )
        plan = plan_export(request)
    except ValidationError as error:
        raise UsageError(f"options do not fit: {describe(error)}") from error
    if dry_run:
        print_plan(plan, request.engine)
        return
    tell(plan)
    with steps(progress.value, plan, request.engine is not None) as shown:
        for artefact in write_all(request, plan, progress.value):
            shown.advance(**facts_of(artefact))
            if progress.value in ("bar", "none"):
                print_artefact(artefact)
