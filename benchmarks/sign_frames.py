"""What signing costs: `vfxgan render --sign` against the same render without, in turn.

    python benchmarks/sign_frames.py [--turns N] [--json FILE]

CPU time a frame of whole commands, start-up taken off, of the packaged models: wall time on a shared machine says
little. And the library alone, on the file of one such frame.
Needs the extra sign.
"""

import argparse
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vfxgan.images import read_header
from vfxgan.recipe import read_stamp
from vfxgan.render.certificates import read_credentials
from vfxgan.render.claims import definition
from vfxgan.render.provenance import Seal


@dataclass(frozen=True)
class Case:
    """A render: its words, and the option that chooses `count` frames."""

    words: tuple[object, ...]
    option: str
    count: int


CLI = [sys.executable, "-c", "from vfxgan.cli.main import main; main()"]
CORES = len(os.sched_getaffinity(0))
REPEATS = 24
PLATES = ("--seeds", "0-3", "--upscale", "--upscale")  # of 512 px


def credentials(folder: Path) -> tuple[Path, Path]:
    """A certificate of an authority that exists for this run, ES256."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)]) for name in ("Authority", "Benchmark")]
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder(names[0], names[1], keys[1].public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key())
    for extension in (usage, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), authority):
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.KeyUsage))
    chain, key = folder / "cert.pem", folder / "cert.key"
    chain.write_bytes(builder.sign(keys[0], hashes.SHA256()).public_bytes(Encoding.PEM))
    key.write_bytes(keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, key


def cpu_seconds(*words: object) -> float:
    """Of one render, user and system, all of its threads."""
    process = subprocess.Popen([*CLI, "render", *map(str, words), "--progress", "none"])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return usage.ru_utime + usage.ru_stime


def cpu_a_frame(folder: Path, case: Case, extension: str, *options: object) -> float:
    """Without start-up: all frames less one, by the CPU time that they take more than one."""
    many = cpu_seconds(
        *case.words, case.option, f"0-{case.count - 1}", "--out", folder / f"many.####.{extension}", *options
    )
    one = cpu_seconds(*case.words, case.option, "0", "--out", folder / f"one.####.{extension}", *options)
    return (many - one) / (case.count - 1)


def compare(folder: Path, signer: tuple[Path, Path], case: Case, extension: str, turns: int) -> dict[str, float]:
    """Medians of turns taken one after the other."""
    plain, signed = [], []
    for turn in range(turns):
        plain.append(cpu_a_frame(folder / f"plain{turn}", case, extension))
        signed.append(cpu_a_frame(folder / f"signed{turn}", case, extension, "--sign", *signer))
    frame = next(iter(sorted((folder / "plain0").iterdir())))
    return {
        "plain_cpu_ms": round(1e3 * statistics.median(plain), 1),
        "signed_cpu_ms": round(1e3 * statistics.median(signed), 1),
        "ratio": round(statistics.median(b / a for a, b in zip(plain, signed, strict=True)), 3),
        "file_mib": round(frame.stat().st_size / 2**20, 2),
        **library(frame, signer),
    }


def library(frame: Path, signer: tuple[Path, Path]) -> dict[str, float]:
    """Milliseconds of CPU time of one signature."""
    seal, stamp = Seal(read_credentials(*signer)), read_stamp(read_header(frame))
    assert stamp is not None
    told, data = definition(stamp, frame.name, "benchmark", "plate.exr"), frame.read_bytes()
    sign = seal.embedded if frame.suffix == ".png" else seal.detached

    sign(io.BytesIO(data), told)
    started = time.process_time()
    for _ in range(REPEATS):
        sign(io.BytesIO(data), told)
    return {"library_cpu_ms": round(1e3 * (time.process_time() - started) / REPEATS, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    libraries = ("c2pa-python", "cryptography", "OpenImageIO", "onnxruntime")
    facts: dict[str, Any] = {
        "machine": f"{platform.machine()}, {CORES} cores, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in libraries),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        signer = credentials(folder)
        subprocess.run([*CLI, "render", *PLATES, "--out", f"{name}/p/####.exr", "--progress", "none"], check=True)
        cases = {
            "elements, 128 px": Case((), "--seeds", 400),
            "upscaler, 512 to 1024 px": Case(("upscaler", "--in", f"{name}/p/####.exr"), "--frames", 4),
        }
        for title, case in cases.items():
            for extension in ("exr", "png"):
                place = folder / f"{title[:4]}-{extension}"
                facts[f"{title}, {extension}"] = compare(place, signer, case, extension, arguments.turns)
    for title, value in facts.items():
        print(f"{title:32s} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
