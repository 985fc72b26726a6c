"""A signer's certificate chain and private key, checked before the first frame is made.

Nothing of a key is ever shown: messages name its file, and the class that holds it leaves it out of its own text.
Source: C2PA Technical Specification 2.2, 14.5 (certificate profile) and 13.2 (algorithms).
"""

from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vfxgan.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MAX_PEM_BYTES = 1 << 20
# What a certificate must be meant for, one of them: e-mail and document signing, and C2PA's own.
PURPOSES = {
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.36": "documentSigning",
    "1.3.6.1.4.1.62558.2.1": "C2PA claim signing",
}
CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
LEAST_RSA_BITS = 2048


@dataclass(frozen=True)
class Credentials:
    """What frames are signed with.

    Attributes:
        chain: certificates in PEM, the signer's first.
        key: in PEM (PKCS #8), unencrypted.
        algorithm: as C2PA names it: es256, es384, es512, ps256, ed25519.
        name: of the signer, as its certificate has it.
    """

    chain: bytes
    key: bytes = field(repr=False)
    algorithm: str
    name: str


def read_credentials(certificate: Path, key: Path) -> Credentials:
    """Read and check both files of `--sign`. Takes some milliseconds and C2PA's library is not loaded for it.

    Raises:
        UsageError: a file cannot be read, is of another kind or encrypted; they do not belong together; or the
            certificate is not (yet, any more) valid for signing.
        MissingExtraError: the extra `sign` is not installed.
    """
    _require("--sign")
    from cryptography.hazmat.primitives import serialization

    chain = _certificates("--sign", certificate)
    private = _private_key(key)
    algorithm = _algorithm(private, key)
    _check_pair(chain, private, certificate, key)
    _check_leaf(chain[0], certificate)
    pem = serialization.Encoding.PEM
    return Credentials(
        b"".join(found.public_bytes(pem) for found in chain),
        private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        algorithm,
        name_of(chain[0]),
    )


def read_anchors(path: Path) -> str:
    """The certificates of `--trust`, in PEM.

    Raises:
        UsageError: it cannot be read, or holds none.
        MissingExtraError: the extra `sign` is not installed.
    """
    _require("--trust")
    from cryptography.hazmat.primitives.serialization import Encoding

    return b"".join(found.public_bytes(Encoding.PEM) for found in _certificates("--trust", path)).decode("ascii")


def name_of(certificate: "Certificate") -> str:
    """Its subject's common name, else its organisation's."""
    from cryptography.x509.oid import NameOID

    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        found = certificate.subject.get_attributes_for_oid(oid)
        if found:
            return str(found[0].value)
    return "a signer without a name"


def _require(option: str) -> None:
    try:
        import cryptography.x509  # noqa: F401 - comes with c2pa-python
    except ModuleNotFoundError as error:
        raise MissingExtraError("cryptography", "sign", option) from error


def _read(option: str, path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_PEM_BYTES:
            raise UsageError(f"{option}: {path} is larger than 1 MiB; name a PEM file")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"{option}: {path}: no such file; check the path") from error
    except OSError as error:
        raise UsageError(f"{option}: {path} cannot be read ({error.strerror}); check its permissions") from error


def _certificates(option: str, path: Path) -> "list[Certificate]":
    from cryptography import x509

    data = _read(option, path)
    if b"PRIVATE KEY-----" in data:
        remedy = "give --sign CERT KEY, in this order" if option == "--sign" else "name the authorities' certificates"
        raise UsageError(f"{option}: {path} holds a private key where certificates belong; {remedy}")
    if b"BEGIN CERTIFICATE REQUEST-----" in data or b"BEGIN NEW CERTIFICATE REQUEST-----" in data:
        raise UsageError(f"{option}: {path} is a request for a certificate; name the one that an authority made of it")
    try:
        found = x509.load_pem_x509_certificates(data)
    except ValueError as error:
        needs = "it has to hold -----BEGIN CERTIFICATE-----"
        raise UsageError(f"{option}: {path} is no PEM file of certificates; {needs}") from error
    return found


def _private_key(path: Path) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read("--sign", path)
    if b"BEGIN CERTIFICATE" in data and b"PRIVATE KEY" not in data:
        raise UsageError(
            f"--sign: {path} holds a certificate where the key belongs; give --sign CERT KEY, in this order"
        )
    try:
        return load_pem_private_key(data, password=None)
    except TypeError:  # it wants a password
        encrypted = f"--sign: {path} is encrypted, and nobody is there to type its password"
        raise UsageError(
            f"{encrypted}; decrypt a copy that only the render may read: openssl pkcs8 -in {path} -out KEY"
        ) from None
    except (ValueError, UnsupportedAlgorithm):  # their text may quote the file, so it goes no further
        raise UsageError(f"--sign: {path} is no private key in PEM; name the one of the certificate") from None


def _algorithm(private: Any, path: Path) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in CURVES:
        return CURVES[private.curve.name]
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= LEAST_RSA_BITS:
        return "ps256"
    raise UsageError(
        f"--sign: {path} is of a kind that C2PA does not take; use EC P-256, P-384 or P-521, Ed25519, or RSA of "
        f"{LEAST_RSA_BITS} bits and more"
    )


def _check_pair(chain: "list[Certificate]", private: Any, certificate: Path, key: Path) -> None:
    mine = _public(private.public_key())
    places = [place for place, found in enumerate(chain, 1) if _public(found.public_key()) == mine]
    if not places:
        raise UsageError(
            f"--sign: {key} is not the key of {certificate} ({name_of(chain[0])}); name two files that belong together"
        )
    owner = chain[places[0] - 1]
    if places[0] != 1 and _is_authority(owner) and not _is_authority(chain[0]):
        raise UsageError(
            f"--sign: {key} is the key of the authority in {certificate} ({name_of(owner)}), which signs no frames; "
            f"give the key of its first certificate ({name_of(chain[0])})"
        )
    if places[0] != 1:
        raise UsageError(
            f"--sign: {key} is the key of certificate {places[0]} in {certificate}; put that one first, then those "
            "that issued it"
        )


def _public(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _check_leaf(leaf: "Certificate", path: Path) -> None:
    from cryptography import x509

    who, now = f"--sign: {path} ({name_of(leaf)})", datetime.now(timezone.utc)
    if now > leaf.not_valid_after_utc:
        raise UsageError(f"{who} expired on {leaf.not_valid_after_utc:%Y-%m-%d}; get a new one")
    if now < leaf.not_valid_before_utc:
        raise UsageError(f"{who} is not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; check the clock")
    if _is_authority(leaf):
        raise UsageError(f"{who} is an authority's, for issuing others; sign with one that it issued")
    if leaf.issuer == leaf.subject:
        raise UsageError(f"{who} is self-signed; C2PA takes what an authority issued, which a studio's own may be")
    usage = _extension(leaf, x509.KeyUsage)
    if usage is None or not usage.digital_signature:
        raise UsageError(f"{who} is not meant for signing; it needs the key usage digitalSignature")
    purposes = {purpose.dotted_string for purpose in _extension(leaf, x509.ExtendedKeyUsage) or ()}
    if not purposes & set(PURPOSES):
        raise UsageError(
            f"{who} is not meant for signing content; it needs the extended key usage {' or '.join(PURPOSES.values())}"
        )


def _is_authority(certificate: "Certificate") -> bool:
    from cryptography import x509

    constraints = _extension(certificate, x509.BasicConstraints)
    return constraints is not None and bool(constraints.ca)


def _extension(leaf: "Certificate", kind: Any) -> Any:
    from cryptography import x509

    try:
        return leaf.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):  # not there, or not readable
        return None
