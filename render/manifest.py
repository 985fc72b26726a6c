"""The JSON that publishing needs: what a sequence is, frame by frame. The same frames give the same bytes.

No clock, host, user or absolute path; names are relative to the folder of the frames. docs/farm.md describes each key.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vfxgan.errors import TargetError, VfxganError
from vfxgan.ranges import to_fileseq
from vfxgan.recipe import Recipe
from vfxgan.render.like import find_model_by_sha
from vfxgan.render.plan import State
from vfxgan.render.runtimes.fingerprint import fingerprint_id
from vfxgan.render.sequence_check import Report, Verdict
from vfxgan.render.signing import sidecar_of
from vfxgan.whole_files import check_writable, write_whole

MANIFEST_VERSION = 1
_FIRST_LINES = b'{\n "manifest": "vfxgan frames",\n "manifest_version": '

Plain = dict[str, Any]


def check_manifest_target(path: Path) -> None:
    """Before anything is read: may a manifest go there?

    Raises:
        TargetError: not a .json, something else is there, or the folder cannot be written to.
    """
    if path.suffix.lower() != ".json":
        raise TargetError(f"--manifest {str(path)!r}: a manifest is a .json")
    if path.exists() or path.is_symlink():
        try:
            with path.open("rb") as file:
                is_ours = file.read(len(_FIRST_LINES)) == _FIRST_LINES
        except OSError:
            is_ours = False
        if not is_ours:
            raise TargetError(f"--manifest {str(path)!r} exists and is no manifest of frames; name another file")
    check_writable(_behind(path).parent)


def write_manifest(path: Path, report: Report, model: str | None, unsigned: Mapping[Path, str], *, ok: bool) -> None:
    """Write it whole or not at all.

    Args:
        unsigned: what is wrong with the signatures of whole frames, or that they have none where that was asked for.
        ok: nothing is wrong with the frames, as far as verify was asked to look.
        model: that was given, as a path or name, for its name; None: looked for among those at hand.
    Raises:
        WriteError: full disk, no right to write.
    """
    write_whole(_behind(path), manifest_bytes(report, model, unsigned, ok=ok))


def _behind(path: Path) -> Path:
    """What a link leads to, so that it stays a link."""
    return path.resolve() if path.is_symlink() else path


def manifest_bytes(report: Report, model: str | None, unsigned: Mapping[Path, str], *, ok: bool) -> bytes:
    """The file's content: ASCII, one line a frame."""
    frames = [json.dumps(_frame(verdict, report), sort_keys=True) for verdict in report.verdicts if _is_file(verdict)]
    head = json.dumps({**_head(report, model, ok), "badly_signed": _badly_signed(report, unsigned)}, indent=1)
    listed = ",\n".join(f"  {line}" for line in frames)
    return f'{head[:-2]},\n "frames": [\n{listed}\n ]\n}}\n'.encode()


def _is_file(verdict: Verdict) -> bool:
    return bool(verdict.seen.sha256)


def _head(report: Report, model: str | None, ok: bool) -> Plain:
    reference, expected = report.reference, report.expected
    folder = expected.folder
    return {
        "manifest": "vfxgan frames",
        "manifest_version": MANIFEST_VERSION,
        "ok": ok,
        "sequence": {
            "pattern": Path(expected.pattern).relative_to(folder).as_posix(),
            "range": to_fileseq(one.frame.number for one in report.verdicts),
            "count": len(report.verdicts),
            "views": list(expected.views),
        },
        "model": None if reference is None else _model(reference, model),
        "options": None if reference is None else dict(sorted(reference.options.items())),
        "pixel_revision": None if reference is None else reference.pixel_revision,
        "fingerprints": _fingerprints(report),
        "forms": _forms(report),
        "missing": to_fileseq(one.frame.number for one in report.of(State.MISSING)),
        "damaged": _named(report.of(State.BROKEN), folder),
        "foreign": _named(report.of(State.FOREIGN), folder),
        "other_runtime": _named(report.of(State.OTHER_RUNTIME), folder),
    }


def _model(reference: Recipe, given: str | None) -> Plain:
    try:
        found = find_model_by_sha(reference.model, given)
    except VfxganError:  # a vfxgan.toml that cannot be read says nothing of frames
        found = None
    return {"name": None if found is None else found.spec.name, "sha256": reference.model}


def _fingerprints(report: Report) -> list[Plain]:
    """Each kind of machine and runtime, and the frames that it made."""
    kinds: dict[str, Mapping[str, Any]] = {}
    frames: dict[str, list[int]] = {}
    for one in report.verdicts:
        if one.seen.stamp is not None and one.finding.state in (State.DONE, State.OTHER_RUNTIME):
            fingerprint = one.seen.stamp.recipe.fingerprint
            key = fingerprint_id(fingerprint)
            kinds[key] = fingerprint
            frames.setdefault(key, []).append(one.frame.number)
    return [
        {"id": key, "range": to_fileseq(frames[key]), "fingerprint": dict(sorted(kinds[key].items()))}
        for key in sorted(kinds)
    ]


def _forms(report: Report) -> list[Plain]:
    """Sizes, channels, types and colour spaces: one entry where all frames are alike."""
    frames: dict[str, list[int]] = {}
    for one in report.verdicts:
        form = one.seen.form
        if form is not None and one.finding.state in (State.DONE, State.OTHER_RUNTIME):
            text = json.dumps(
                {
                    "resolution": form.resolution,
                    "channels": form.channels,
                    "types": form.types,
                    "colorspace": form.colorspace,
                }
            )
            frames.setdefault(text, []).append(one.frame.number)
    return [{"range": to_fileseq(frames[text]), **json.loads(text)} for text in sorted(frames)]


def _badly_signed(report: Report, unsigned: Mapping[Path, str]) -> list[Plain]:
    """`_frame` lists what lies beside a frame, whatever it is worth; here is what it is not worth."""
    found = [(one, unsigned[one.frame.path]) for one in report.verdicts if one.frame.path in unsigned]
    return [
        {"frame": one.frame.number, "name": _name(one, report.expected.folder), "reason": reason}
        for one, reason in found
    ]


def _named(verdicts: Iterable[Verdict], folder: Path) -> list[Plain]:
    return [
        {"frame": one.frame.number, "name": _name(one, folder), "reason": one.finding.reason.partition(";")[0]}
        for one in verdicts
    ]


def _name(one: Verdict, folder: Path) -> str:
    return one.frame.path.relative_to(folder).as_posix()


def _frame(one: Verdict, report: Report) -> Plain:
    """What is there, right or wrong; a frame without a recipe has neither source nor pixel digest."""
    seen, stamp, form = one.seen, one.seen.stamp, one.seen.form
    facts: Plain = {
        "frame": one.frame.number,
        "name": _name(one, report.expected.folder),
        "state": _STATES[one.finding.state],
        "bytes": seen.size_bytes,
        "sha256": seen.sha256,
    }
    if one.frame.view:
        facts["view"] = one.frame.view
    if seen.signature is not None:
        size_bytes, sha256 = seen.signature
        facts["signature"] = {"name": sidecar_of(Path(facts["name"])).as_posix(), "bytes": size_bytes, "sha256": sha256}
    if form is not None:
        facts["data_window"] = form.data_window
    if stamp is not None:
        source = dict(stamp.recipe.source)
        if stamp.recipe.plate is None and stamp.recipe.seed is None:
            source = {"walk": stamp.recipe.frame}
        facts |= {"pixels": stamp.pixels, "source": source, "fingerprint": fingerprint_id(stamp.recipe.fingerprint)}
    return facts


_STATES = {
    State.DONE: "whole",
    State.BROKEN: "damaged",
    State.FOREIGN: "foreign",
    State.OTHER_RUNTIME: "other runtime",
}
