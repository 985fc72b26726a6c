"""An ONNX file as a source: with our spec, or without it and with what the user states instead."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from pydantic import ValidationError

from vfxgan.errors import ModelError, UsageError, VfxganError
from vfxgan.export.foreign.hints import Hints
from vfxgan.export.foreign.onnx_graph import (
    IMAGE_AXES,
    LATENT_AXES,
    as_ours,
    channels_by_weights,
    latent_from_vector,
    parse,
    sides,
    state_output,
    the_input,
    the_output,
)
from vfxgan.export.onnx_file import INPUT_NAMES, OUTPUT_NAME
from vfxgan.export.onnxruntime_cpu import CpuSession
from vfxgan.modelfile import read_onnx
from vfxgan.spec import METADATA_KEY, Encoding, ImageInput, LatentInput, ModelSpec, Provenance, describe, parse_spec

MAX_NAME = 128
TRIED_MULTIPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
TRIED_SIDE_PX = 24  # at least
WIDEST_PICTURE = 64  # channels; more in the second axis than in the last means [N, H, W, C]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class OpenedOnnx:
    """What `Source` holds of an ONNX file; see there."""

    model: onnx.ModelProto
    spec: ModelSpec
    sha256: str
    size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Facts:
    """What the graph's input says.

    Attributes:
        latent: entries, where the input is one.
        as_pixel: the latent is [N, z, 1, 1].
        channels: of a picture.
        height, width: of a picture; None: may change.
    """

    latent: int | None = None
    as_pixel: bool = False
    channels: int | None = None
    height: int | None = None
    width: int | None = None


@dataclass(frozen=True)
class _Measured:
    """What running the graph has shown."""

    channels_out: int
    scale: int = 1
    size_multiple: int = 1
    size: tuple[int, int] | None = None  # of a generator's pictures


def open_onnx(path: Path, hints: Hints) -> OpenedOnnx:
    """Read, check, rename, run.

    Raises:
        ModelError: damaged, hostile, or not a model of one picture or latent to one picture.
        UsageError: facts that are missing, all of them in one message, or that running has shown to be wrong.
    """
    data, metadata = read_onnx(path)
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
    return model


def _only_size(model: onnx.ModelProto) -> tuple[int, int] | None:
    """H and W of the pictures that a graph takes, where both are fixed."""
    found = sides(model.graph.input[0]) if model.graph.input else []
    if len(found) != IMAGE_AXES or not found[2] or not found[3]:
        return None
    return found[2], found[3]


def _foreign(model: onnx.ModelProto, hints: Hints, path: Path, sha256: str) -> OpenedOnnx:
    the_output(model)
    facts = _facts(model, hints)
    _refuse_missing(facts, hints)
    low, high = hints.value_range or (-1.0, 1.0)
    if facts.latent is not None:
        _name_latent(model, facts)
        measured = _measure_generator(model, facts.latent)
    else:
        assert facts.channels is not None
        axes = [1, facts.channels, facts.height or "height", facts.width or "width"]
        as_ours(model, INPUT_NAMES["image"], OUTPUT_NAME, axes)
        measured = _measure_image(model, facts, hints, (low, high))
    _state_output(model, facts, measured)
    opset = max(entry.version for entry in model.opset_import)
    spec = _spec(facts, measured, hints, path).model_copy(
        update={"provenance": Provenance(source=f"ONNX without a spec, opset {opset}", source_sha256=sha256)}
    )
    size = _only_size(model) if measured.size is None else None
    return OpenedOnnx(model, spec, sha256, size, _notes(facts, measured, hints))


def _facts(model: onnx.ModelProto, hints: Hints) -> _Facts:
    value = the_input(model)
    found = sides(value)
    if found[0] not in (None, 1):
        raise ModelError(f"its input {value.name!r} has a fixed batch of {found[0]}; export it with 1, or any")
    as_pixel = len(found) == IMAGE_AXES and found[2:] == [1, 1]
    if len(found) == LATENT_AXES or as_pixel:
        if found[1] is None:
            raise ModelError(f"the size of its latent {value.name!r} is not fixed; export it with a fixed size")
        return _Facts(latent=found[1], as_pixel=as_pixel)
    if found[1] is not None and found[1] > WIDEST_PICTURE and found[3] is not None and found[3] <= WIDEST_PICTURE:
        raise ModelError(f"its input {value.name!r} is [N, H, W, C] ({found}); models take [N, C, H, W]")
    channels = found[1] or channels_by_weights(model, value.name) or hints.channels
    if hints.channels not in (None, channels):
        raise UsageError(f"--channels {hints.channels} does not fit: its input has {channels}")
    if (found[2] is None) != (found[3] is None):
        raise ModelError(f"its input {value.name!r} has one fixed side ({found}); export it with both fixed, or none")
    return _Facts(channels=channels, height=found[2], width=found[3])


def _refuse_missing(facts: _Facts, hints: Hints) -> None:
    """Raises UsageError: one message with every option that is still needed, or that contradicts the input."""
    if facts.latent is not None and hints.kind not in (None, "generator"):
        raise UsageError(f"--kind {hints.kind} does not fit: its input is a latent of {facts.latent} entries")
    if facts.latent is None and hints.kind == "generator":
        raise UsageError("--kind generator does not fit: its input is a picture; --kind translator or upscaler does")
    latent = facts.latent is not None
    needed = {
        "--kind translator|upscaler": not latent and hints.kind is None,
        "--scale N": not latent and hints.kind != "translator" and hints.scale is None,
        "--range -1..1|0..1": hints.value_range is None,
        "--channels N": not latent and facts.channels is None,
        "--distribution normal|uniform": latent and hints.distribution is None,
        "--interval X": latent and hints.distribution == "uniform" and hints.interval is None,
    }
    missing = [option for option, is_missing in needed.items() if is_missing]
    if missing:
        raise UsageError(f"is ONNX without a vfxgan spec and does not say what it is; also give {', '.join(missing)}")


def _name_latent(model: onnx.ModelProto, facts: _Facts) -> None:
    assert facts.latent is not None
    axes = [1, facts.latent, 1, 1] if facts.as_pixel else [1, facts.latent]
    as_ours(model, INPUT_NAMES["latent"], OUTPUT_NAME, axes)
    if facts.as_pixel:
        latent_from_vector(model, facts.latent)


def _measure_generator(model: onnx.ModelProto, entries: int) -> _Measured:
    session = CpuSession(model.SerializeToString())
    picture = _picture(session.run(np.random.RandomState(0).uniform(-1, 1, (1, entries)).astype(np.float32)))
    return _Measured(picture.shape[1], size=(picture.shape[2], picture.shape[3]))


def _measure_image(model: onnx.ModelProto, facts: _Facts, hints: Hints, ends: tuple[float, float]) -> _Measured:
    """Run it on small pictures, whose sides are odd multiples of 1, 2, 4 … until one works."""
    session = CpuSession(model.SerializeToString())
    failure = ""
    for height, width, multiple in _sizes(facts, hints):
        assert facts.channels is not None
        shape = (1, facts.channels, height, width)
        try:
            picture = _picture(session.run(np.random.RandomState(0).uniform(*ends, shape).astype(np.float32)))
        except ModelError as error:
            failure = str(error)
            continue
        scale = picture.shape[2] // height
        became = f"{height}x{width} becomes {picture.shape[2]}x{picture.shape[3]}"
        if scale < 1 or picture.shape[2:] != (scale * height, scale * width):
            failure = became
            continue
        if (hints.scale or 1) != scale:
            raise UsageError(f"--scale {hints.scale or 1} does not fit: {became}")
        return _Measured(picture.shape[1], scale, multiple)
    raise ModelError(f"does not run on pictures of any size that was tried ({failure[:240]}); give --size-multiple")


def _sizes(facts: _Facts, hints: Hints) -> Sequence[tuple[int, int, int]]:
    """Height, width, and what both are multiples of."""
    if facts.height and facts.width:
        return [(facts.height, facts.width, hints.size_multiple or 1)]
    tried = (hints.size_multiple,) if hints.size_multiple else TRIED_MULTIPLES
    times = {multiple: -(-TRIED_SIDE_PX // multiple) | 1 for multiple in tried}
    return [(multiple * times[multiple], multiple * (times[multiple] + 2), multiple) for multiple in tried]


def _picture(outputs: Sequence[NDArray[np.float32]]) -> Array:
    """Raises ModelError for anything but one finite [1, C, H, W]."""
    (picture,) = outputs
    if picture.ndim != IMAGE_AXES or picture.shape[0] != 1:
        raise ModelError(f"gives {list(picture.shape)}, not one picture [1, C, H, W]")
    if not np.isfinite(picture).all():
        raise ModelError("gives NaN or Inf on a plain input; its weights are damaged")
    return picture


def _state_output(model: onnx.ModelProto, facts: _Facts, measured: _Measured) -> None:
    if measured.size is not None:
        state_output(model, [1, measured.channels_out, *measured.size])
    elif facts.height and facts.width:
        state_output(model, [1, measured.channels_out, facts.height * measured.scale, facts.width * measured.scale])
    else:
        state_output(model, [1, measured.channels_out, "out_height", "out_width"])


def _spec(facts: _Facts, measured: _Measured, hints: Hints, path: Path) -> ModelSpec:
    assert hints.value_range is not None
    if measured.channels_out not in (3, 4):
        raise ModelError(f"gives {measured.channels_out} channel(s); frames have 3 (RGB) or 4 (premultiplied RGBA)")
    entry: LatentInput | ImageInput
    if facts.latent is not None:
        entry = LatentInput(
            size=facts.latent, distribution=hints.distribution or "normal", interval=hints.interval or 1.0
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
        encoding=Encoding(peak=hints.peak or 1.0, extended=bool(hints.extended)),
        channels_out=measured.channels_out,  # type: ignore[arg-type]
    )


def _notes(facts: _Facts, measured: _Measured, hints: Hints) -> tuple[str, ...]:
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
