"""Reading the spec of a TorchScript file without torch: a bounded look into its zip.

Nothing here trusts a size that the file states before it was held against a limit, and no code in it is run.
"""

import zipfile
import zlib
from pathlib import Path

from vfxgan.errors import ModelError
from vfxgan.spec import ModelSpec, parse_spec

ROOT = "archive"  # the folder that PyTorch puts everything in
EXTRA_FILE = "vfxgan.json"  # `_extra_files` of `torch.jit.load` knows it by this name
SPEC_ENTRY = f"{ROOT}/extra/{EXTRA_FILE}"
MAX_SPEC_BYTES = 1 << 20
MAX_DIRECTORY_BYTES = 16 << 20  # of the zip; an RRDB of 23 blocks has 0.2 MiB

_END = b"PK\x05\x06"
_END_BYTES = 22


def is_torchscript(path: Path) -> bool:
    """Whether a file is TorchScript of ours: a zip with our spec in PyTorch's place for such. No error for any file."""
    try:
        with _opened(path) as archive:
            return SPEC_ENTRY in archive.NameToInfo
    except (ModelError, OSError):
        return False


def read_torchscript_spec(path: Path) -> ModelSpec:
    """What a TorchScript file says about itself.

    Raises:
        ModelError: missing, not a zip, cut short, without a spec of ours, or with one that does not fit.
    """
    try:
        with _opened(path) as archive:
            text = _spec_text(archive, path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    return parse_spec(text, str(path))


def _opened(path: Path) -> zipfile.ZipFile:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_BYTES))
        end = file.read(_END_BYTES)
    if end[:4] != _END:
        raise ModelError(f"{path}: is no TorchScript that vfxgan export wrote, or is cut short; export it again")
    directory = int.from_bytes(end[12:16], "little")
    if directory > MAX_DIRECTORY_BYTES:  # also where it points to a larger kind of zip
        raise ModelError(f"{path}: its list of contents is stated as {directory >> 20} MiB; not read")
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: is a damaged zip ({error}); export it again") from error


def _spec_text(archive: zipfile.ZipFile, path: Path) -> str:
    entry = archive.NameToInfo.get(SPEC_ENTRY)
    if entry is None:
        raise ModelError(f"{path}: holds no vfxgan spec; write it with: vfxgan export CHECKPOINT --torchscript")
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > MAX_SPEC_BYTES:
        raise ModelError(f"{path}: its vfxgan spec is packed or {entry.file_size} bytes long; not read")
    try:
        with archive.open(entry) as file:
            return file.read(MAX_SPEC_BYTES).decode()
    except (zipfile.BadZipFile, UnicodeDecodeError, EOFError, RuntimeError, zlib.error, ValueError) as error:
        raise ModelError(f"{path}: its vfxgan spec is damaged ({error}); export it again") from error
