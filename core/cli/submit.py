"""`vfxgan submit`: a render as a job of a farm."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vfxgan.cli.submit_folders import folders_of
from vfxgan.cli.submit_plan import Asked, Planned, planned
from vfxgan.cli.verify_again import counted

if TYPE_CHECKING:
    from vfxgan.farm.engines import Engine

NAMED_NOTES = 5


def submit(
    context: typer.Context,
    to: Annotated[
        str | None, typer.Option("--to", help="openjd, deadline, slurm, opencue, or commands (one line a chunk).")
    ] = None,
    chunk: Annotated[int | None, typer.Option("--chunk", help="Frames a task. Default: 10.")] = None,
    target_seconds: Annotated[
        int | None, typer.Option("--target-seconds", help="openjd, deadline: find the chunk that takes so long.")
    ] = None,
    timeout: Annotated[
        int | None, typer.Option("--timeout", help="Seconds after which a task is stopped. Default: never.")
    ] = None,
    cores: Annotated[int | None, typer.Option("--cores", help="Of a task: render's --threads. Default: 4.")] = None,
    gpus: Annotated[int | None, typer.Option("--gpus", help="Of a task. Default: as --runtime and --devices.")] = None,
    priority: Annotated[
        int | None, typer.Option("--priority", help="0 … 100, the higher the sooner. Default: 50.")
    ] = None,
    retries: Annotated[int | None, typer.Option("--retries", help="Of a task that failed. Default: 2.")] = None,
    build_engine: Annotated[
        str | None,
        typer.Option(
            "--build-engine", metavar="[OPTIONS]", help="First build an engine: options of export, '--tile 512x512'."
        ),
    ] = None,
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="Last, a look at all frames.")] = True,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="JSON for publishing, which the verify step writes.")
    ] = None,
    shots: Annotated[
        Path | None, typer.Option("--shots", help="CSV, a row a job: shot, and options of render such as seeds, out.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Of the job. Default: its shot, or its folder.")] = None,
    job: Annotated[Path | None, typer.Option("--job", help="Folder of the job's files. Default: farm/NAME.")] = None,
    extra: Annotated[
        list[str] | None,
        typer.Option(
            "--extra",
            metavar="<str>",
            help="A word for the engine's own command: --extra=--partition=gpu; again: one more.",
        ),
    ] = None,
    write_only: Annotated[bool, typer.Option("--write-only", help="Write the job's files; submit nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be submitted, and stop.")] = False,
) -> None:
    """Submit a render to a farm, in chunks; give what `vfxgan render` takes as well.

    What is wrong with the render is said here, before anything is submitted. Each chunk is a `vfxgan render --frames …`
    whose frames are those of one whole render, to the byte, and which can run again alone.
    """
    from vfxgan.errors import UsageError
    from vfxgan.farm.engines import find_engine
    from vfxgan.farm.plan import numbers_of
    from vfxgan.project import find_project

    settings = find_project().farm
    chosen = to or settings.to
    if chosen is None:
        raise UsageError("no engine: give --to openjd, deadline, slurm, opencue or commands")
    engine = find_engine(chosen)
    if manifest is not None and not verify:
        raise UsageError(f"--manifest {manifest}: the verify step writes it; leave out --no-verify")
    words = [*settings.words(engine.name), *(extra or ())]
    if words and not engine.submits:
        raise UsageError(f"--extra {words[0]}: --to {engine.name} starts no command that could take it")
    asked = Asked(
        arguments=tuple(context.args),
        shots=shots,
        name=name,
        chunk=chunk,
        target_seconds=target_seconds,
        timeout_s=timeout,
        cores=cores,
        gpus=gpus,
        priority=priority,
        retries=retries,
        build_engine=build_engine,
        verify=verify,
        manifest=manifest,
    )
    engine.check(option for option, number in numbers_of(asked).items() if number is not None)
    with planned(asked, engine.progress, claim=not dry_run) as jobs:
        folders = folders_of(jobs, job, is_many=shots is not None, is_named=name is not None)
        _say_notes(jobs)
        if dry_run:
            _print_plan(jobs, engine, words)
        elif engine.name == "commands" and job is None:
            _print_commands(jobs)
        else:
            _write_and_submit(jobs, folders, engine, words, write_only=write_only)
        _say_claims(jobs)


def _say_notes(jobs: Sequence[Planned]) -> None:
    """Each once, whatever the number of shots."""
    from vfxgan.progress import say

    notes = list(dict.fromkeys(note for part in jobs for note in part.render.notes))
    for note in notes[:NAMED_NOTES]:
        say(f"note: {note}")
    if len(notes) > NAMED_NOTES:
        say(f"note: and {len(notes) - NAMED_NOTES} more of this kind; submit a shot alone to see its own")


def _say_claims(jobs: Sequence[Planned]) -> None:
    """What was written or printed names a version, which is held for it whether or not it ever runs."""
    from vfxgan.progress import say

    claims = [part.render.claim for part in jobs if part.render.claim is not None and not part.render.claim.is_kept]
    for claim in claims[:NAMED_NOTES]:
        say(f"{claim.folder} is claimed for this job; if it is never to run, remove the empty folder to give it back")
    if len(claims) > NAMED_NOTES:
        say(f"and {len(claims) - NAMED_NOTES} more versions are claimed, a folder each")


def _several(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED_NOTES} more" if len(names) > NAMED_NOTES else ""
    return ", ".join(names[:NAMED_NOTES]) + more


def _print_commands(jobs: Sequence[Planned]) -> None:
    from vfxgan.farm.commands import command_lines, order_note
    from vfxgan.progress import say

    for part in jobs:
        print("\n".join(command_lines(part.job)))
        say(f"{part.job.name}: {order_note(part.job)}")


def _print_plan(jobs: Sequence[Planned], engine: "Engine", words: Sequence[str]) -> None:
    """What would be submitted; it is written out of sight, so that what the engine cannot say is said now."""
    import shlex
    from tempfile import TemporaryDirectory

    for part in jobs:
        job = part.job
        with TemporaryDirectory() as folder:
            engine.write(job, Path(folder), words)
        print(f"job        {job.name}, to {engine.name}: {job.cores} cores, {job.gpus} GPUs, priority {job.priority}")
        if words:
            print(f"{'extra':<10} {shlex.join(words)}")
        for step in job.steps:
            tasks = counted(max(1, len(step.chunks)), "task")
            tasks = f"{counted(len(step.frames), 'frame')} in {tasks}" if step.frames else tasks
            after = f", after {', '.join(step.needs)}" if step.needs else ""
            print(f"{step.name:<10} {tasks}{after}: {shlex.join(step.command)}")


def _write_and_submit(
    jobs: Sequence[Planned], folders: Sequence[Path], engine: "Engine", words: Sequence[str], *, write_only: bool
) -> None:
    """All are written before the first is submitted; `words` are the engine's own."""
    from vfxgan.progress import say
    from vfxgan.whole_files import check_writable

    for folder in folders:
        engine.refuse_strangers(folder)
    replaced: list[str] = []
    removed: list[str] = []
    for part, folder in zip(jobs, folders, strict=True):
        check_writable(folder)
        before = set(folder.iterdir())
        files = engine.write_and_remember(part.job, folder, words, part.render.part.out)
        replaced += [str(folder)] if before.intersection(files) else []
        removed += map(str, sorted(before.difference(folder.iterdir())))
        print("\n".join(map(str, files)), flush=True)
    if replaced:
        say(f"note: written before, and replaced now: {_several(replaced)}; what was submitted of it goes on")
    if removed:
        say(f"note: of what was written before, this job has no more, and it is removed: {_several(removed)}")
    for part, folder in zip(jobs, folders, strict=True):
        if engine.submits and not write_only:
            print(f"{part.job.name}: {engine.submit(part.job, folder, words)}", flush=True)
            if part.render.claim is not None:
                part.render.claim.is_kept = True  # also where a later job is refused: this one will write there
        elif line := engine.line(part.job, folder, words):
            say(f"{part.job.name}: to submit it: {line}")
