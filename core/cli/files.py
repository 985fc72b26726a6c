"""`vfxgan inspect` and `contact-sheet`: what to do with files that exist."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vfxgan.cli import reading
from vfxgan.cli.shared import BackgroundChoice, needs_extra
from vfxgan.views import has_views

CHECKPOINT_SUFFIXES = (".pt", ".pth", ".safetensors")


def inspect(
    file: Annotated[
        Path, typer.Argument(help="Model (file, or name of a packaged one), engine, checkpoint, TorchScript or frame.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """What a model, an engine, a checkpoint or a frame says about itself, and which engines fit this machine."""
    import json

    from vfxgan.render.inspect import inspect_file, table

    file = _packaged(Path(reading.localised_path(str(file), "FILE")))
    facts = _checkpoint_facts(file) if _is_checkpoint(file) else inspect_file(file)
    print(json.dumps(facts) if as_json else "\n".join(table(facts)))


def _packaged(file: Path) -> Path:
    """The model of that name in the package, as for render, unless there is a file called so."""
    from vfxgan.modelfile import packaged_models

    return file if file.exists() else packaged_models().get(str(file), file)


def _is_checkpoint(file: Path) -> bool:
    from vfxgan.torchscript_metadata import is_torchscript

    return file.suffix.lower() in CHECKPOINT_SUFFIXES and not is_torchscript(file)


def _checkpoint_facts(file: Path) -> dict[str, Any]:
    """Ours with its options; a foreign one as export would take it."""
    with needs_extra("train", "reading a checkpoint"):
        from vfxgan.export.sources import Hints, open_source
    source = open_source(file, Hints())
    facts = {
        "checkpoint": str(file),
        "sha256": source.sha256,
        "bytes": file.stat().st_size,
        "notes": list(source.notes) or None,
        "spec": source.spec.model_dump(mode="json"),
    }
    if source.spec.provenance.source is not None:
        return facts
    from vfxgan.trainer.networks.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(file)
    return {**facts, "iteration": checkpoint.iteration, "options": checkpoint.options}


def contact_sheet(
    out: reading.Out = None,
    shot: reading.Shot = None,
    version: reading.Version = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Target .png. Default: beside the folder, by its name.")
    ] = None,
    columns: Annotated[int | None, typer.Option("--columns", min=1, help="Default: a sheet of about 16:9.")] = None,
    cell: Annotated[int, typer.Option("--cell", min=16, max=4096, help="Side of a picture in px.")] = 128,
    background: Annotated[
        BackgroundChoice, typer.Option("--background", help="Behind alpha.")
    ] = BackgroundChoice.black,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many frames, from the first.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """A PNG of many frames, each with its seed (or else its number) below it."""
    import json

    from vfxgan.errors import ImageError, TargetError
    from vfxgan.images import read_header, use_threads, write_picture
    from vfxgan.progress import say
    from vfxgan.render.contact_sheet import SHEET_KEY
    from vfxgan.render.contact_sheet import contact_sheet as draw
    from vfxgan.render.sheet import lay_out
    from vfxgan.render.verify import find_frames
    from vfxgan.whole_files import check_writable

    use_threads(1)
    out = reading.frames_to_read(out, shot, version)
    paths = find_frames(out)[:limit]
    target = Path(reading.localised_path(str(to), "--to")) if to is not None else _beside(Path(out))
    if target.suffix.lower() != ".png":
        raise TargetError(f"--to {str(target)!r}: a contact sheet is a .png")
    if target.exists():
        try:
            ours = SHEET_KEY in read_header(target)
        except ImageError:
            ours = False
        if not ours:
            raise TargetError(f"--to {str(target)!r} exists and is no contact sheet; name another file")
    check_writable(target.parent)
    sheet, problems = draw(paths, lay_out(len(paths), columns, cell), background.value)
    for problem in problems:
        say(f"warning: {problem}")
    write_picture(target, sheet)
    (height, width), count = sheet.pixels.shape[:2], len(paths) - len(problems)
    facts = {"sheet": str(target), "frames": count, "size": [height, width], "problems": problems}
    print(json.dumps(facts) if as_json else f"{target}: {count} frames, {width}x{height}")


def _beside(out: Path) -> Path:
    folder = out if out.is_dir() else out.parent
    while has_views(folder.name):  # the frames of all views are in one sheet
        folder = folder.parent
    return folder.with_name(f"{folder.name}.png") if folder.name else Path("contact-sheet.png")
