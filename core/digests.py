"""SHA-256 of files that may be larger than memory."""

import hashlib
from pathlib import Path

CHUNK = 1 << 22


def file_sha256(path: Path) -> str:
    """Of a file's bytes, hexadecimal; read in pieces. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()
