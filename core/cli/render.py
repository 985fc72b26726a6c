"""`vfxgan render`: seeds or plates to frames."""

from typing import TYPE_CHECKING, Annotated

import typer

from vfxgan.cli import render_options as options
from vfxgan.cli.preview import plan, preview_request, previewed
from vfxgan.cli.render_plan import print_plan
from vfxgan.cli.render_project import Completed, cpu_isa_of, explicit, with_project
from vfxgan.cli.render_request import request_of
from vfxgan.cli.shared import ProgressChoice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vfxgan.render.frames import FrameMaker
    from vfxgan.render.preview import Preview
    from vfxgan.render.request import Job
    from vfxgan.render.runtimes import Runtime


def render(
    context: typer.Context,
    out: options.Out = None,
    shot: options.Shot = None,
    version: options.Version = None,
    model: options.Model = None,
    model_option: options.ModelOption = None,
    seeds: options.Seeds = None,
    plates: options.Plates = None,
    frames: options.Frames = None,
    skip_missing: options.SkipMissing = False,
    handles: options.Handles = 0,
    like: options.Like = None,
    start_frame: options.StartFrame = None,
    walk: options.Walk = None,
    keys: options.Keys = None,
    interpolation: options.Interpolation = None,
    ease: options.Ease = False,
    loop: options.Loop = False,
    upscale: options.Upscale = None,
    bit_depth: options.BitDepth = None,
    compression: options.Compression = None,
    colorspace: options.Colorspace = None,
    in_colorspace: options.InColorspace = None,
    encoding: options.Encoding = None,
    bad_pixels: options.BadPixels = None,
    ocio: options.Ocio = None,
    z_interval: options.ZInterval = None,
    layer: options.Layer = None,
    part: options.Part = None,
    view: options.View = None,
    keep_channels: options.KeepChannels = False,
    mix: options.Mix = None,
    regrain: options.Regrain = None,
    temporal: options.Temporal = None,
    tile: options.Tile = None,
    tile_exact: options.TileExact = False,
    tile_anyway: options.TileAnyway = False,
    runtime: options.Runtime = None,
    engine: options.Engine = None,
    devices: options.Devices = None,
    as_device: options.AsDevice = None,
    cpu_isa: options.CpuIsa = None,
    require_runtime: options.RequireRuntime = None,
    threads: options.Threads = None,
    batch: options.Batch = 1,
    overwrite: options.Overwrite = False,
    mix_runtimes: options.MixRuntimes = False,
    sign: options.Sign = None,
    dry_run: options.DryRun = False,
    preview: options.Preview = None,
    preview_view: options.PreviewView = None,
    preview_size: options.PreviewSize = None,
    preview_fps: options.PreviewFps = None,
    preview_background: options.PreviewBackground = None,
    preview_clean: options.PreviewClean = False,
    progress: Annotated[ProgressChoice, typer.Option(help="How progress is shown.")] = ProgressChoice.bar,
) -> None:
    """Render seeds or plates to scene-linear EXR (seeds: or sRGB PNG): the same bytes every time, on any threads.

    Run the same command again after an interruption: frames that are whole are kept.
    """
    from vfxgan.cpu_isa import hold_cpu

    hold_cpu(cpu_isa_of(context.params))  # before any library is loaded that looks at the CPU
    from vfxgan.render.request import resolve
    from vfxgan.versions import given_back

    completed = with_project(context.params, claim=not dry_run)
    with given_back(completed.target):
        params = completed.params
        shown = preview_request(
            params["preview"], preview_view, preview_size, preview_fps, preview_background, preview_clean
        )
        job = resolve(request_of(params))
        _say_where(completed, version, dry_run)
        if dry_run and completed.added and progress is not ProgressChoice.json:
            print(f"project    {', '.join(completed.added)}")
        if not job.frames:  # a farm's chunk that lies in a hole of the shot
            from vfxgan.progress import say

            say(f"nothing to render: {'; '.join(job.notes)}")
        elif as_device is not None:
            _run_share(job)
        elif len(job.devices) > 1 and not dry_run:
            _run_on_devices(job, explicit(context.obj, completed), progress, plan(shown, job))
        else:
            _run(job, dry_run, progress, plan(shown, job))


def _say_where(completed: Completed, asked: str | None, dry_run: bool) -> None:
    """`next` and `latest` mean another version tomorrow; one that was named needs no line."""
    from vfxgan.progress import say
    from vfxgan.versions import LATEST, NEXT

    target = completed.target
    if target is not None and target.note:
        say(f"warning: {target.note}")
    if target is not None and asked in (NEXT, LATEST):
        hint = "" if dry_run or asked == LATEST else f"; to go on with it later: --version {target.version}"
        say(f"{target.version}: {target.out}{hint}")


def _run_on_devices(
    job: "Job", arguments: "Sequence[str]", progress_choice: ProgressChoice, preview: "Preview | None"
) -> None:
    """One process for each device, which this one shows as one."""
    import time

    from vfxgan.progress import progress, say
    from vfxgan.render.device_crew import device_crew
    from vfxgan.render.run import open_signer, summary

    if job.place_note:
        say(job.place_note)
    open_signer(job)  # refused here, once, and not by each process
    with device_crew(job, arguments) as crew:
        started = time.monotonic()
        with previewed(preview, progress_choice), progress(progress_choice.value, "render", len(job.frames)) as shown:
            tally = crew.render(shown)
    if progress_choice is not ProgressChoice.none:
        say(summary(job, tally, started))


def _run_share(job: "Job") -> None:
    """What such a process does: its share of the frames, when all are ready."""
    from vfxgan.progress import progress
    from vfxgan.render.device_child import read_share, tell, telling_of_interrupts, wait_for_go
    from vfxgan.render.run import open_runtime, open_signer, prepare, survey
    from vfxgan.render.run import render as render_job

    job = read_share().of(job)
    signer = open_signer(job)
    with open_runtime(job) as runtime:
        maker = prepare(job, runtime)
        survey(job, maker)
        _warn_of_differences(job, maker)
        _say_how(runtime)
        wait_for_go(maker.fingerprint)
        with telling_of_interrupts(), progress("json", "render", len(job.frames)) as shown:
            tell(render_job(job, maker, shown, signer))


def _say_how(runtime: "Runtime") -> None:
    from vfxgan.progress import say

    if runtime.about:
        say(runtime.about)


def _warn_of_differences(job: "Job", maker: "FrameMaker") -> None:
    from vfxgan.progress import say

    if job.like is not None:
        for reason in job.like.differences(maker.recipe(job.frames[0])):
            say(f"warning: --like {job.like.frame}: bytes may differ: {reason}")


def _run(job: "Job", dry_run: bool, progress_choice: ProgressChoice, preview: "Preview | None") -> None:
    import time

    from vfxgan.progress import progress, say
    from vfxgan.render.run import open_runtime, open_signer, prepare, summary, survey
    from vfxgan.render.run import render as render_job

    if job.place_note:
        say(job.place_note)
    signer = open_signer(job)
    with open_runtime(job) as runtime:
        maker = prepare(job, runtime)
        if dry_run:
            print_plan(job, maker, as_json=progress_choice is ProgressChoice.json)
            _warn_of_differences(job, maker)
            return
        survey(job, maker)
        _warn_of_differences(job, maker)
        _say_how(runtime)
        started = time.monotonic()
        with previewed(preview, progress_choice), progress(progress_choice.value, "render", len(job.frames)) as shown:
            tally = render_job(job, maker, shown, signer)
    if progress_choice is not ProgressChoice.none:
        say(summary(job, tally, started))
