"""An ONNX file as a source: with our spec, or without it and with what the user states instead."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx
from pydantic import ValidationError

from vfxgan.errors import ModelError, UsageError, VfxganError
from vfxgan.export.foreign.hints import Hints
from vfxgan.export.foreign.onnx_facts import Facts, read_facts, refuse_missing
from vfxgan.export.foreign.onnx_graph import (
    IMAGE_AXES,
    as_ours,
    latent_from_vector,
    parse,
    refuse_absurd,
    refuse_chance,
    sides,
    state_output,
    the_output,
)
from vfxgan.export.foreign.onnx_measured import Measured, measure_generator, measure_image
from vfxgan.export.onnx_file import INPUT_NAMES, OUTPUT_NAME
from vfxgan.modelfile import TARGET_KEY, read_onnx
from vfxgan.spec import METADATA_KEY, Encoding, ImageInput, LatentInput, ModelSpec, Provenance, describe, parse_spec

MAX_NAME = 128


@dataclass(frozen=True)
class OpenedOnnx:
    """What `Source` holds of an ONNX file; see there."""

    model: onnx.ModelProto
    spec: ModelSpec
    sha256: str
    size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


def open_onnx(path: Path, hints: Hints) -> OpenedOnnx:
    """Read, check, rename, run.

    Raises:
        ModelError: damaged, hostile, or not a model of one picture or latent to one picture.
        UsageError: facts that are missing, all of them in one message, or that running has shown to be wrong.
    """
    data, metadata = read_onnx(path)
    target = metadata.properties.get(TARGET_KEY)
    if target is not None:
        raise ModelError(f"{path}: is made for {target}, with colour inside; give the checkpoint or the ONNX beside it")
    sha256 = hashlib.sha256(data).hexdigest()
    text = metadata.properties.get(METADATA_KEY)
    try:
        if text is not None:
            hints.refuse_for(f"{path.name} holds a vfxgan spec")
            spec = parse_spec(text, path.name)
            model = _parse_ours(data, spec)
            return OpenedOnnx(model, spec, sha256, _only_size(model) if spec.size is None else None)
        return _foreign(parse(data), hints, path, sha256)
    except ValidationError as error:
        raise UsageError(f"{path}: {describe(error)}") from error
    except VfxganError as error:
        raise type(error)(f"{path}: {error}") from error


def _parse_ours(data: bytes, spec: ModelSpec) -> onnx.ModelProto:
    """Already in shape; a file of ours may also be FP16. Looks for damage, and for a spec that is another graph's."""
    try:
        model = onnx.load_model_from_string(data)
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise ModelError(f"is damaged ({' '.join(str(error).split())[:200]}); export it again") from error
    ends = [(value.name, sides(value)) for value in (*model.graph.input, *model.graph.output)]
    entering = spec.input.channels if isinstance(spec.input, ImageInput) else spec.input.size
    wanted = [(INPUT_NAMES[spec.input.kind], entering), (OUTPUT_NAME, spec.channels_out)]
    if [(name, axes[1] if len(axes) > 1 else None) for name, axes in ends] != wanted:
        raise ModelError(f"its graph goes from {ends[:1]} to {ends[1:]}, its spec says {wanted}; export it again")
    refuse_chance(model)
    refuse_absurd(model)
    return model


def _only_size(model: onnx.ModelProto) -> tuple[int, int] | None:
    """H and W of the pictures that a graph takes, where both are fixed."""
    found = sides(model.graph.input[0]) if model.graph.input else []
    if len(found) != IMAGE_AXES or not found[2] or not found[3]:
        return None
    return found[2], found[3]


def _foreign(model: onnx.ModelProto, hints: Hints, path: Path, sha256: str) -> OpenedOnnx:
    the_output(model)
    facts = read_facts(model, hints)
    refuse_missing(facts, hints)
    low, high = hints.value_range or (-1.0, 1.0)
    if facts.latent is not None:
        _name_latent(model, facts)
        measured = measure_generator(model, facts.latent)
    else:
        assert facts.channels is not None
        axes = [1, facts.channels, facts.height or "height", facts.width or "width"]
        as_ours(model, INPUT_NAMES["image"], OUTPUT_NAME, axes)
        measured = measure_image(model, facts, hints, (low, high))
    _state_output(model, facts, measured)
    opset = max(entry.version for entry in model.opset_import)
    spec = _spec(facts, measured, hints, path).model_copy(
        update={"provenance": Provenance(source=f"ONNX without a spec, opset {opset}", source_sha256=sha256)}
    )
    size = _only_size(model) if measured.size is None else None
    return OpenedOnnx(model, spec, sha256, size, _notes(facts, measured, hints))


def _name_latent(model: onnx.ModelProto, facts: Facts) -> None:
    assert facts.latent is not None
    axes = [1, facts.latent, 1, 1] if facts.as_pixel else [1, facts.latent]
    as_ours(model, INPUT_NAMES["latent"], OUTPUT_NAME, axes)
    if facts.as_pixel:
        latent_from_vector(model, facts.latent)


def _state_output(model: onnx.ModelProto, facts: Facts, measured: Measured) -> None:
    if measured.size is not None:
        state_output(model, [1, measured.channels_out, *measured.size])
    elif facts.height and facts.width:
        state_output(model, [1, measured.channels_out, facts.height * measured.scale, facts.width * measured.scale])
    else:
        state_output(model, [1, measured.channels_out, "out_height", "out_width"])


def _spec(facts: Facts, measured: Measured, hints: Hints, path: Path) -> ModelSpec:
    assert hints.value_range is not None
    if measured.channels_out not in (3, 4):
        raise ModelError(f"gives {measured.channels_out} channel(s); frames have 3 (RGB) or 4 (premultiplied RGBA)")
    entry: LatentInput | ImageInput
    if facts.latent is not None:
        entry = LatentInput(
            size=facts.latent,
            distribution=hints.distribution or "normal",
            interval=1.0 if hints.interval is None else hints.interval,
        )
    else:
        assert facts.channels is not None
        entry = ImageInput(channels=facts.channels, size_multiple=measured.size_multiple)
    return ModelSpec(
        name=hints.name or path.stem[:MAX_NAME],
        kind=hints.kind or "generator",
        architecture="onnx",
        input=entry,
        size=measured.size,
        scale=measured.scale,
        value_range=hints.value_range,
        encoding=Encoding(peak=1.0 if hints.peak is None else hints.peak, extended=bool(hints.extended)),
        channels_out=measured.channels_out,  # type: ignore[arg-type]
    )


def _notes(facts: Facts, measured: Measured, hints: Hints) -> tuple[str, ...]:
    notes = []
    if facts.latent is not None and hints.interval is None:
        notes.append("latents have standard deviation 1; another is --interval")
    if facts.height and facts.width:
        notes.append(f"it takes pictures of {facts.height}x{facts.width} only")
    elif facts.latent is None and hints.size_multiple is None:
        notes.append(f"it was run: sides that are multiples of {measured.size_multiple} work, ×{measured.scale}")
    if hints.peak is None:
        notes.append("read as plain sRGB (peak 1); another is --peak")
    return tuple(notes)
