"""`vfxgan render`: seeds or plates to frames."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vfxgan.cli.shared import ProgressChoice

if TYPE_CHECKING:
    from vfxgan.render.frames import FrameMaker
    from vfxgan.render.plan import Finding, Frame
    from vfxgan.render.request import Job


def render(
    out: Annotated[str, typer.Option("--out", help="Frames to write, quoted: 'shot010/####.exr' or .png.")],
    model: Annotated[str | None, typer.Argument(help="Model file, or the name of a packaged model.")] = None,
    model_option: Annotated[
        str | None,
        typer.Option("--model", help="The same as MODEL. Default: $VFXGAN_MODEL, vfxgan.toml, the packaged one."),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", help="0-499, 1-100x2,205, or @picks.txt (a file, in its order).")
    ] = None,
    plates: Annotated[
        str | None, typer.Option("--in", help="Plates to upscale or translate, quoted: 'plate/####.exr'.")
    ] = None,
    frames: Annotated[
        str | None, typer.Option("--frames", help="With --in: 1001-1100, 1001-1100x2. Default: those on disk.")
    ] = None,
    like: Annotated[
        str | None, typer.Option("--like", help="Take model, seed and options from this frame's recipe.")
    ] = None,
    start_frame: Annotated[
        int | None,
        typer.Option("--start-frame", help="The i-th seed goes to frame N+i. Default: seed s goes to frame s."),
    ] = None,
    bit_depth: Annotated[
        str | None,
        typer.Option(help="EXR: half (default; plates: as the plate) or float. PNG: 16 (default) or 8."),
    ] = None,
    compression: Annotated[str | None, typer.Option(help="EXR: zips (default), zip:4, piz, dwaa:45, …")] = None,
    colorspace: Annotated[
        str | None,
        typer.Option(help="EXR: lin_rec709 (default; plates: as the plate), ACEScg, any OCIO space. PNG is sRGB."),
    ] = None,
    in_colorspace: Annotated[
        str | None, typer.Option(help="That plates are in. Default: what they say, else lin_rec709.")
    ] = None,
    bad_pixels: Annotated[
        str | None, typer.Option(help="NaN and Inf in plates: error (default), zero or clamp.")
    ] = None,
    ocio: Annotated[
        str | None, typer.Option(help="OCIO config. Default: $OCIO, else the built-in studio config.")
    ] = None,
    z_interval: Annotated[
        float | None,
        typer.Option(help="Latents in [-a, a], not the model's a; smaller: calmer, less variety."),
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="onnxruntime (default) or openvino; on GPUs onnxruntime-cuda or tensorrt.")
    ] = None,
    engine: Annotated[
        Path | None, typer.Option(help="With --runtime tensorrt. Default: the engine beside the model that fits.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Frames at a time. Default: the cores at hand.")] = None,
    batch: Annotated[int, typer.Option(help="Seeds handed to a thread at a time; changes no pixel.")] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace frames of other recipes; frames that are done stay.")
    ] = False,
    mix_runtimes: Annotated[
        bool, typer.Option("--mix-runtimes", help="Keep frames that another runtime or machine made.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")] = False,
    progress: Annotated[ProgressChoice, typer.Option(help="How progress is shown.")] = ProgressChoice.bar,
) -> None:
    """Render seeds or plates to scene-linear EXR (seeds: or sRGB PNG): the same bytes every time, on any threads.

    Run the same command again after an interruption: frames that are whole are kept.
    """
    from vfxgan.errors import UsageError
    from vfxgan.render.options import OutputRequest
    from vfxgan.render.plan import Consent
    from vfxgan.render.request import RenderRequest, resolve

    if model is not None and model_option is not None and model != model_option:
        raise UsageError(f"MODEL {model!r} and --model {model_option!r} are two models; give one")
    job = resolve(
        RenderRequest(
            out=out,
            seeds=seeds,
            plates=plates,
            frames=frames,
            model=model_option if model is None else model,
            like=like,
            runtime=runtime,
            engine=engine,
            start_frame=start_frame,
            threads=threads,
            batch=batch,
            output=OutputRequest(bit_depth, compression, colorspace, ocio, z_interval, in_colorspace, bad_pixels),
            consent=Consent(overwrite, mix_runtimes),
        )
    )
    _run(job, dry_run, progress)


def _run(job: "Job", dry_run: bool, progress_choice: ProgressChoice) -> None:
    import time

    from vfxgan.progress import progress, say
    from vfxgan.render.run import open_runtime, prepare, summary, survey
    from vfxgan.render.run import render as render_job

    with open_runtime(job) as runtime:
        maker = prepare(job, runtime)
        found = survey(job, maker)
        if job.like is not None:
            for reason in job.like.differences(maker.recipe(job.frames[0])):
                say(f"warning: --like {job.like.frame}: bytes may differ: {reason}")
        if dry_run:
            _print_plan(job, maker, found)
            return
        started = time.monotonic()
        with progress(progress_choice.value, "render", len(job.frames)) as shown:
            tally = render_job(job, maker, shown)
    if progress_choice is not ProgressChoice.none:
        say(summary(job, tally, started))


def _print_plan(job: "Job", maker: "FrameMaker", found: "list[tuple[Frame, Finding]]") -> None:
    from collections import Counter

    first, last = job.frames[0], job.frames[-1]
    print(f"model      {job.model.path} ({job.model.spec.name}, SHA-256 {job.model.sha256})")
    print(f"frames     {len(job.frames)}: {first.path} ({first.source}) … {last.path} ({last.source})")
    for key, value in maker.recipe(first).options.items():
        print(f"{key:10s} {value}")
    print(f"runtime    {', '.join(f'{key} {value}' for key, value in maker.runtime.fingerprint.items())}")
    print(f"threads    {job.threads}, batch {job.batch}")
    kept = sum(job.consent.keeps(finding) for _, finding in found)
    states = Counter(finding.state.value for _, finding in found)
    print(f"on disk    {', '.join(f'{count} {state}' for state, count in sorted(states.items()))} (by their headers)")
    print(f"to do      {len(found) - kept}")
