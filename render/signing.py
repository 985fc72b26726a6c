"""Signed frames: where a frame's C2PA manifest is, how it comes there whole, and whether it fits.

A PNG has its manifest inside, in a chunk of its own; all else in the file stays as it was. EXR has no place for one, so
it lies beside the frame, `0006.c2pa` by `0006.exr`, the name by which C2PA's own tools look for it; the frame's bytes
are those of an unsigned one. A frame is put in place first, then its manifest: what a crash leaves between the two is
found by the next run with `--sign`, which makes that frame again. Only what was made just now is signed, never what is
there already: digests that anybody can write are no proof that nobody touched it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vfxgan.errors import WriteError
from vfxgan.images import check_file, read_header
from vfxgan.png_chunks import MANIFEST, chunks, without
from vfxgan.recipe import read_stamp
from vfxgan.render.certificates import Credentials
from vfxgan.render.claims import definition, unfit
from vfxgan.render.plan import Frame
from vfxgan.render.plate_file import file_digest
from vfxgan.render.provenance import MAX_MANIFEST_BYTES, Checker, Seal, Signature
from vfxgan.whole_files import write_whole

SIDECAR = ".c2pa"


def sidecar_of(frame: Path) -> Path:
    """Where the manifest of an EXR is."""
    return frame.with_suffix(SIDECAR)


def unsigned(path: Path) -> bytes:
    """A frame's bytes without its manifest: those that it had before it was signed."""
    data = path.read_bytes()
    return without(data, MANIFEST) if path.suffix.lower() == ".png" else data


def is_signed(path: Path) -> bool:
    """Whether there is a manifest, of whatever worth."""
    if path.suffix.lower() != ".png":
        return sidecar_of(path).exists()
    with path.open("rb") as file:
        return any(kind == MANIFEST for kind, _, _ in chunks(file))


def signature_of(path: Path, checker: Checker) -> Signature | None:
    """What a frame's manifest is worth; None where it has none.

    Raises:
        ImageError: the frame cannot be read.
    """
    stamp = read_stamp(read_header(path))
    size = _manifest_bytes(path)
    if size is None:
        return None
    if size > MAX_MANIFEST_BYTES:
        return Signature(f"its manifest of {size >> 20} MiB is larger than any of ours; it was not read")
    manifest = None if path.suffix.lower() == ".png" else sidecar_of(path).read_bytes()
    if manifest == b"":
        return Signature("its manifest is empty")
    with path.open("rb") as file:
        signature = checker.read(file, manifest)
    if signature.problem or stamp is None or signature.manifest is None:
        return signature
    return Signature(
        unfit(signature.manifest, stamp), signature.signer, signature.manifest, signature.expired, signature.trusted
    )


def _manifest_bytes(path: Path) -> int | None:
    if path.suffix.lower() == ".png":
        with path.open("rb") as file:
            return sum(size for kind, _, size in chunks(file) if kind == MANIFEST) or None
    sidecar = sidecar_of(path)
    return check_file(sidecar).st_size if sidecar.exists() else None


def remove_stale_sidecar(frame: Path) -> bool:
    """After a frame was made unsigned: a manifest of the file that stood there before would be held against this one.

    Returns:
        Whether there was one that does not fit. One that names these very bytes stays: the same frame was made again.
    """
    sidecar = sidecar_of(frame)
    if frame.suffix.lower() == ".png" or not sidecar.is_file():
        return False
    if sidecar.stat().st_size <= MAX_MANIFEST_BYTES:
        digest = bytes.fromhex(file_digest(frame))
        if digest in sidecar.read_bytes():
            return False
    sidecar.unlink()
    return True


class FrameSigner:
    """Signs the frames of one render. Safe to use from several threads.

    Raises:
        UsageError: the certificate cannot sign.
        MissingExtraError: the extra `sign` is not installed.
    """

    def __init__(self, credentials: Credentials, model_name: str) -> None:
        self.name = credentials.name
        self._model_name = model_name
        self._seal, self._checker = Seal(credentials), Checker()

    def signing(self, frame: Frame) -> "Signing":
        """For a frame that is about to be made."""
        return Signing(self, frame)

    def look(self, path: Path) -> Signature | None:
        """What the manifest of a frame that is there is worth; None where it has none. Raises ImageError."""
        return signature_of(path, self._checker)

    def signed(self, frame: Frame, file: Path, plain: BinaryIO) -> tuple[Path, bytes]:
        """Which file is to hold the manifest, and all of its bytes.

        Args:
            file: where the frame is now.
            plain: its bytes, unsigned.
        """
        stamp = read_stamp(read_header(file))
        if stamp is None:
            raise WriteError(f"{frame.path}: lost its recipe while it was signed; run the same command again")
        plate = frame.plate.name if frame.plate is not None else None
        told = definition(stamp, frame.path.name, self._model_name, plate)
        try:
            if frame.path.suffix.lower() == ".png":
                return frame.path, self._seal.embedded(plain, told)
            return sidecar_of(frame.path), self._seal.detached(plain, told)
        except WriteError as error:
            raise WriteError(f"{frame.path}: {error}") from error


@dataclass
class Signing:
    """One new frame on its way: called with the temporary before it gets its name, and finished after."""

    signer: FrameSigner
    frame: Frame
    sidecar: tuple[Path, bytes] | None = None

    def __call__(self, temporary: Path) -> None:
        """Sign what is complete. A PNG is replaced in its file, whose lock says that somebody writes it."""
        with temporary.open("rb") as plain:
            target, data = self.signer.signed(self.frame, temporary, plain)
        if target == self.frame.path:
            temporary.write_bytes(data)
        else:
            self.sidecar = target, data

    def finish(self) -> None:
        """Put an EXR's manifest beside the frame, which is in its place by now. Raises WriteError."""
        if self.sidecar is not None:
            write_whole(*self.sidecar)
