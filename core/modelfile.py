"""Finding a model file, and what it says about itself; needs neither onnx nor a runtime."""

import hashlib
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from vfxgan.errors import ModelError
from vfxgan.onnx_metadata import Border, MalformedProtobuf, OnnxMetadata, read_onnx_metadata
from vfxgan.path_map import localised
from vfxgan.project import Project, find_project
from vfxgan.spec import METADATA_KEY, ModelSpec, parse_spec

MODEL_VARIABLE = "VFXGAN_MODEL"
DEFAULT_MODEL = "elements"
DEFAULT_UPSCALER = "upscaler"  # where plates are given
TARGET_KEY = "vfxgan_target"  # in the metadata of a file for another program, beside the spec
MAX_MODEL_BYTES = 2 << 30  # protobuf's own limit

# First bytes of things that people pass by mistake.
_SIGNATURES = (
    (b"\x89PNG", "a PNG picture"),
    (b"v/1\x01", "an EXR picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"ptrt", "a TensorRT engine"),
    (b"ftrt", "a TensorRT engine"),
    (b"version https://git-lfs", "a Git LFS pointer, not the model itself: run git lfs pull"),
)
_CHECKPOINT_SIGNATURES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04")


@dataclass(frozen=True)
class ModelFile:
    """A model file that was read and understood.

    Attributes:
        sha256: of the file's bytes, hexadecimal.
        opset: of ONNX's default domain.
        inputs, outputs: of the graph, with their shapes.
        target: the program it was made for, whose light it takes and gives; None: `vfxgan render`.
    """

    path: Path
    sha256: str
    spec: ModelSpec
    opset: int
    size_bytes: int
    inputs: tuple[Border, ...] = ()
    outputs: tuple[Border, ...] = ()
    target: str | None = None

    def read(self) -> bytes:
        """The bytes that `sha256` stands for.

        Raises:
            ModelError: the file changed since it was first read.
        """
        data = _read(self.path)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ModelError(f"{self.path}: changed while it was being used; start again")
        return data


def find_model(argument: str | None, packaged: str = DEFAULT_MODEL) -> Path:
    """Which model a command means: the argument, else $VFXGAN_MODEL, else vfxgan.toml, else the packaged one.

    Args:
        argument: a path, or the name of a packaged model.
        packaged: name of the packaged model that is meant where nothing else names one: of the upscaler for plates.
    Raises:
        ModelError: nothing there.
        UsageError: vfxgan.toml cannot be read, or something in it is wrong.
    """
    project = find_project()
    if argument:
        return _named(localised(project.path_map, "--model", argument), "")
    from_environment = os.environ.get(MODEL_VARIABLE)
    if from_environment:
        return _named(project.path_map.local(from_environment), f" (from ${MODEL_VARIABLE})")
    for_plates = model_of_project(project, "upscaler") if packaged == DEFAULT_UPSCALER else None
    model = for_plates or model_of_project(project)
    if model is not None:
        return model
    default = packaged_models().get(packaged)
    if default is None:
        raise ModelError(
            f"no model given, and this installation holds no packaged model {packaged!r}; "
            "name one: vfxgan render MODEL.onnx …"
        )
    return default


def packaged_models() -> dict[str, Path]:
    """The models inside the package, by name."""
    folder = Path(str(resources.files("vfxgan.models")))
    return {path.stem: path for path in sorted(folder.glob("*.onnx"))}


def model_of_project(project: Project, key: Literal["model", "upscaler"] = "model") -> Path | None:
    """The model that vfxgan.toml names; None where it names none.

    Raises:
        ModelError: it is not there.
    """
    text = project.model if key == "model" else project.upscaler
    if text is None or project.file is None:
        return None
    return _named(text, f" (from {project.line(key)})", beside=project.file.parent)


def _named(text: str, origin: str, beside: Path = Path()) -> Path:
    packaged = packaged_models()
    if text in packaged and not (beside / text).is_file():
        return packaged[text]
    path = beside / Path(text).expanduser()
    if path.is_dir():
        raise ModelError(f"{path}{origin}: is a folder; name the .onnx file in it")
    if not path.is_file():
        known = f"; packaged models: {', '.join(packaged)}" if packaged else ""
        raise ModelError(f"{path}{origin}: no such model file{known or '; check the path'}")
    return path


def read_model(path: Path, *, any_target: bool = False) -> ModelFile:
    """Read a model file's spec and digest.

    Args:
        any_target: take files that were made for another program, too: to look at, not to render with.
    Raises:
        ModelError: missing, empty, cut short, not ONNX, weights outside the file, no spec, a newer spec, or made for
        another program.
    """
    data, metadata = read_onnx(path)
    text = metadata.properties.get(METADATA_KEY)
    if text is None:
        raise ModelError(f"{path}: is ONNX, but holds no vfxgan spec; write it with: vfxgan export CHECKPOINT")
    spec = parse_spec(text, str(path))
    target = metadata.properties.get(TARGET_KEY)
    if target is not None and not any_target:
        raise ModelError(
            f"{path}: was made for {target[:40]!r} and converts colour itself, so that a render would convert it "
            "twice; give the .onnx that vfxgan export writes without --houdini"
        )
    return ModelFile(
        path,
        hashlib.sha256(data).hexdigest(),
        spec,
        metadata.opset,
        len(data),
        metadata.inputs,
        metadata.outputs,
        target,
    )


def read_onnx(path: Path) -> tuple[bytes, OnnxMetadata]:
    """The bytes of an ONNX file of any origin, and what it says about itself.

    Raises:
        ModelError: missing, empty, cut short, not ONNX, or weights outside the file.
    """
    data = _read(path)
    return data, _metadata(data, path)


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_MODEL_BYTES:
            raise ModelError(f"{path}: {size >> 20} MiB is more than an ONNX file can hold (2048)")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such model file; check the path") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def _metadata(data: bytes, path: Path) -> OnnxMetadata:
    if not data:
        raise ModelError(f"{path}: is empty; copy or export it again")
    _refuse_other_files(data, path)
    try:
        metadata = read_onnx_metadata(data)
    except MalformedProtobuf as error:
        raise ModelError(f"{path}: is not an ONNX file, or is cut short ({error}); copy or export it again") from error
    if not metadata.has_graph or not metadata.ir_version:
        raise ModelError(f"{path}: is not an ONNX file, or is cut short (no graph in it); copy or export it again")
    for tensor in metadata.external:
        where = f"{tensor.location!r}, for {tensor.name!r}"
        if tensor.outside:
            raise ModelError(f"{path}: asks for data outside its folder ({where}); not read: get a file that is whole")
        raise ModelError(f"{path}: keeps its weights in another file ({where}); export it with the weights inside")
    return metadata


def _refuse_other_files(data: bytes, path: Path) -> None:
    what = next((name for signature, name in _SIGNATURES if data.startswith(signature)), None)
    if what:
        raise ModelError(f"{path}: is {what}; name a model that vfxgan export wrote (.onnx)")
    is_safetensors = data[8:10] == b'{"' and int.from_bytes(data[:8], "little") < len(data)
    if data.startswith(_CHECKPOINT_SIGNATURES) or is_safetensors:
        raise ModelError(f"{path}: is a PyTorch checkpoint; run vfxgan export on it first")
