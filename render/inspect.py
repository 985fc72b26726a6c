"""What a model or a frame says about itself, as plain data for a table or for JSON."""

from pathlib import Path
from typing import Any

import numpy as np

from vfxgan.errors import UsageError
from vfxgan.images import FORMAT_OF_EXTENSION, OpenImage, Part, Window
from vfxgan.recipe import read_stamp
from vfxgan.render.inspect_models import engine_facts, is_engine, model_facts, torchscript_facts
from vfxgan.render.plan import find_problem
from vfxgan.render.plate_layers import views_of
from vfxgan.render.runtimes.fingerprint import fingerprint_id
from vfxgan.render.signature_check import describe_signature
from vfxgan.synthetic import source_type_in
from vfxgan.torchscript_metadata import is_torchscript

Facts = dict[str, Any]


def inspect_file(path: Path) -> Facts:
    """Facts about a model (.onnx, or TorchScript for Nuke) or a frame (.exr, .png).

    Raises:
        UsageError: some other kind of file.
        ModelError: the model cannot be used.
        ImageError: the frame cannot be read.
    """
    if path.suffix.lower() in FORMAT_OF_EXTENSION:
        return frame_facts(path)
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a model (.onnx) or a frame (.exr, .png)")
    if is_engine(path):
        return engine_facts(path)
    return torchscript_facts(path) if is_torchscript(path) else model_facts(path)


def frame_facts(path: Path) -> Facts:
    """The recipe of a frame, and figures about its pixels."""
    with OpenImage(path) as image:
        first, others = image.parts[0], image.parts[1:]
        facts: Facts = {"frame": str(path), **_part_facts(image, first)}
        for part in others:
            facts[f"part {part.index} {part.name}".rstrip()] = _part_facts(image, part)
    source_type = source_type_in(first.attributes)
    facts |= {} if source_type is None else {"digital_source_type": source_type.rpartition("/")[2]}
    signature = describe_signature(path)
    facts |= {} if signature is None else {"signature": signature}
    stamp = read_stamp(first.attributes)
    if stamp is None:
        facts["recipe"] = None
        return facts
    facts["recipe"] = {
        "model": stamp.recipe.model,
        **stamp.recipe.source,
        "options": dict(stamp.recipe.options),
        "fingerprint": dict(stamp.recipe.fingerprint),
        "fingerprint_id": fingerprint_id(stamp.recipe.fingerprint),
        "pixel_revision": stamp.recipe.pixel_revision,
    }
    facts["digests"] = find_problem(path) or "match"
    return facts


def _part_facts(image: OpenImage, part: Part) -> Facts:
    _, _, width, height = part.data
    types = ", ".join(_type_name(kind) for kind in dict.fromkeys(part.formats))
    facts: Facts = {"size": f"{width}x{height}", "type": types}
    if image.format == "openexr":
        facts |= _exr_facts(part)
    if "compression" in part.attributes:
        facts["compression"] = part.attributes["compression"]
    facts |= _colorspace(image, part)
    if part.deep:
        return {**facts, "samples": "deep"}
    facts["channels"] = {name: _range(image.read(part, [place])) for place, name in enumerate(part.channels)}
    if "A" in part.channels:
        alpha = image.read(part, [part.channels.index("A")])
        facts["alpha_above_zero"] = f"{100 * np.count_nonzero(alpha) / alpha.size:.1f} %"
    return facts


def _exr_facts(part: Part) -> Facts:
    """Where it lies, which views it holds, and its timecode, where it has one."""
    facts: Facts = {"data_window": _place(part.data), "display_window": _place(part.display)}
    views = views_of(part) or ((part.view,) if part.view else ())
    if views:
        facts["views"] = list(views)
    timecode = part.attributes.get("smpte:TimeCode")
    if isinstance(timecode, tuple) and timecode:
        facts["timecode"] = _timecode(int(timecode[0]))
    return facts


def _timecode(packed: int) -> str:
    """`hh:mm:ss:ff`, `;ff` for drop frame. Source: SMPTE 12M, as OpenEXR packs it (two BCD digits a byte)."""
    hours, minutes, seconds, frames = (
        f"{packed >> place + 4 & tens}{packed >> place & 15}" for place, tens in ((24, 3), (16, 7), (8, 7), (0, 3))
    )
    return f"{hours}:{minutes}:{seconds}{';' if packed >> 6 & 1 else ':'}{frames}"


def _place(window: Window) -> str:
    x, y, width, height = window
    return f"{width}x{height} at {x}, {y}"


def colorspace_of(part: Part) -> str | None:
    """As the file names it, or by its chromaticities; None where it does not say."""
    named = part.attributes.get("colorInteropID") or part.attributes.get("vfxgan:colorspace")
    primaries = part.attributes.get("chromaticities")
    if not named and isinstance(primaries, tuple):
        named = f"chromaticities {', '.join(f'{value:.4g}' for value in primaries)}"
    return str(named) if named else None


def _colorspace(image: OpenImage, part: Part) -> Facts:
    space = colorspace_of(part) or ("none named" if image.format == "openexr" else "")
    return {"colorspace": space} if space else {}


def _type_name(kind: str) -> str:
    return {"half": "float16", "float": "float32", "uint": "uint32"}.get(kind, kind)


def _range(values: Any) -> dict[str, float | int]:
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    facts: dict[str, float | int] = {"min": _number(finite.min()), "max": _number(finite.max())} if finite.size else {}
    return facts if finite.size == values.size else {**facts, "not_finite": int(values.size - finite.size)}


def _number(value: Any) -> float | int:
    return int(value) if isinstance(value, np.integer) else float(f"{float(value):.6g}")


def table(facts: Facts, indent: int = 0) -> list[str]:
    """Facts as lines: nested tables indented, small ones on one line."""
    lines = []
    for key, value in facts.items():
        label = f"{'  ' * indent}{key.replace('_', ' ')}"
        if (isinstance(value, dict) and any(isinstance(inner, dict) for inner in value.values())) or _is_long(value):
            lines += [label, *table(value, indent + 1)]
        elif isinstance(value, dict):
            lines.append(f"{label:24s} {', '.join(f'{name} {_shown(inner)}' for name, inner in value.items()) or '-'}")
        else:
            lines.append(f"{label:24s} {_shown(value)}")
    return lines


def _is_long(value: Any) -> bool:
    return isinstance(value, dict) and len(value) > 3


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
