"""What `vfxgan export` is given, opened: our checkpoints, people's checkpoints, ONNX with and without our spec."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto
from pydantic import ValidationError
from torch import nn

from vfxgan.digests import file_sha256
from vfxgan.errors import ModelError, UsageError, VfxganError
from vfxgan.export.foreign.architecture import Imported, without_memory
from vfxgan.export.foreign.hints import Hints as Hints
from vfxgan.export.foreign.onnx_input import open_onnx
from vfxgan.export.foreign.reading import as_float32, read_body, refuse_untrue
from vfxgan.export.foreign.registry import recognise
from vfxgan.export.foreign.wrappers import unwrap
from vfxgan.spec import Encoding, ImageInput, LatentInput, ModelSpec, Provenance, describe
from vfxgan.trainer.networks import build_generator
from vfxgan.trainer.networks.checkpoint import FORMAT, Checkpoint, as_checkpoint

MAX_NAME = 128
CHANNELS_OUT = {3: "RGB", 4: "premultiplied RGBA"}
COUNTING = ("blocks", "depth")  # arguments that a network is built by counting up to


@dataclass(frozen=True)
class Source:
    """A model that was read, checked and understood. Either `network` or `onnx` is there.

    Attributes:
        sha256: of the file's bytes.
        network: float32, on the CPU, in eval mode, with the weights; batch norms not folded.
        size: H and W of the only pictures that an ONNX takes; None: any, or the source is no such file.
        onnx: checked; its input is called "latent" or "image", its output "picture".
        notes: lines for the user.
    """

    path: Path
    sha256: str
    spec: ModelSpec
    network: nn.Module | None = None
    onnx: ModelProto | None = None
    size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


def open_source(path: Path, hints: Hints) -> Source:
    """Read a .pt, .pth or .safetensors, ours or known by its names, or an .onnx.

    Raises:
        ModelError: missing, damaged, hostile, or of no known architecture.
        UsageError: the file does not say everything, or not what the hints say; the message names the options.
    """
    if path.suffix.lower() == ".onnx":
        opened = open_onnx(path, hints)
        return Source(path, opened.sha256, opened.spec, onnx=opened.model, size=opened.size, notes=opened.notes)
    body = read_body(path)
    if body.get("format") == FORMAT:
        return _ours(as_checkpoint(body, path), path, hints)
    with _about(path):
        tensors, unwrapping = unwrap(body)
        del body  # optimizers, and averages that are not wanted
        refuse_untrue(tensors, path.stat().st_size)
        weights, conversion = as_float32(tensors)
        imported = recognise(weights, hints)
        sha256 = file_sha256(path)
        spec = _spec(imported, hints, path, sha256)
    notes = (f"recognised: {imported.source}", *unwrapping, *conversion, *imported.notes)
    return Source(path, sha256, spec, network=imported.network, notes=notes)


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Put the file's name before errors that do not know it."""
    try:
        yield
    except VfxganError as error:
        raise type(error)(f"{path}: {error}") from error


def _ours(checkpoint: Checkpoint, path: Path, hints: Hints) -> Source:
    hints.refuse_for(f"{path} is a vfxgan checkpoint")
    spec = checkpoint.spec
    with _about(path):
        refuse_untrue(checkpoint.average, path.stat().st_size)
        _refuse_misfit(spec, checkpoint)
    network = build_generator(spec)
    network.load_state_dict(checkpoint.average)
    return Source(path, file_sha256(path), spec, network=network.requires_grad_(False).eval())


def _refuse_misfit(spec: ModelSpec, checkpoint: Checkpoint) -> None:
    """Compare with the network that the spec describes, built without memory: its arguments may be absurd."""
    held = {name: tuple(tensor.shape) for name, tensor in checkpoint.average.items()}
    damaged = "the file is damaged"
    for name in COUNTING:
        count = spec.arguments.get(name)
        if isinstance(count, int) and count > len(held):
            raise ModelError(f"its weights do not fit its spec ({name} is {count}); {damaged}")
    with without_memory():
        expected = {name: tuple(tensor.shape) for name, tensor in build_generator(spec).state_dict().items()}
    for name in (*expected, *held):
        if expected.get(name) != held.get(name):
            found, wanted = (list(shapes[name]) if name in shapes else "missing" for shapes in (held, expected))
            wanted = "nothing" if wanted == "missing" else wanted
            raise ModelError(f"its weights do not fit its spec ({name} is {found}, expected is {wanted}); {damaged}")


def _spec(imported: Imported, hints: Hints, path: Path, sha256: str) -> ModelSpec:
    """What the architecture says, and what the user adds to it."""
    _refuse_contradictions(imported, hints)
    try:
        return ModelSpec(
            name=hints.name or path.stem[:MAX_NAME],
            kind=hints.kind or imported.kind,
            architecture=imported.architecture,
            arguments=imported.arguments,
            input=_input(imported.input, hints),
            size=imported.size,
            scale=imported.scale,
            value_range=hints.value_range or imported.value_range,
            encoding=Encoding(peak=1.0 if hints.peak is None else hints.peak, extended=bool(hints.extended)),
            channels_out=imported.channels_out,  # type: ignore[arg-type]
            provenance=Provenance(source=imported.source, source_sha256=sha256),
        )
    except ValidationError as error:
        raise UsageError(describe(error)) from error


def _refuse_contradictions(imported: Imported, hints: Hints) -> None:
    if imported.channels_out not in CHANNELS_OUT:
        known = " or ".join(f"{count} ({name})" for count, name in CHANNELS_OUT.items())
        raise ModelError(f"is {imported.source}, and gives {imported.channels_out} channel(s); frames have {known}")
    said = {
        "--kind": (hints.kind, imported.kind if "generator" in (hints.kind, imported.kind) else None),
        "--scale": (hints.scale, imported.scale),
        "--range": (hints.value_range, imported.value_range if imported.value_range == (-1.0, 1.0) else None),
        "--channels": (hints.channels, getattr(imported.input, "channels", None)),
    }
    for option, (stated, found) in said.items():
        if stated is not None and found is not None and stated != found:
            raise UsageError(f"{option} {_written(stated)} does not fit {imported.source}: it is {_written(found)}")
    multiple = hints.size_multiple
    if isinstance(imported.input, ImageInput) and multiple and multiple % imported.input.size_multiple:
        raise UsageError(
            f"--size-multiple {multiple} does not fit {imported.source}: multiples of {imported.input.size_multiple} do"
        )


def _written(value: object) -> str:
    return "..".join(f"{end:g}" for end in value) if isinstance(value, tuple) else str(value)


def _input(found: LatentInput | ImageInput, hints: Hints) -> LatentInput | ImageInput:
    if isinstance(found, ImageInput):
        return ImageInput(
            channels=found.channels,
            size_multiple=found.size_multiple if hints.size_multiple is None else hints.size_multiple,
        )
    return LatentInput(
        size=found.size,
        distribution=hints.distribution or found.distribution,
        interval=found.interval if hints.interval is None else hints.interval,
    )
