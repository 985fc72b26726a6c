"""C2PA's library, which signs and checks manifests; nothing else here imports it.

Nothing is fetched: no timestamp authority, no list of revoked certificates, no manifest that a file says is elsewhere.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from vfxgan.errors import MissingExtraError, UsageError, WriteError
from vfxgan.picture import one_line
from vfxgan.render.certificates import PURPOSES, Credentials
from vfxgan.render.claims import ACTIONS_LABEL, AGENT
from vfxgan.synthetic import GENERATED

EXR_TYPE, PNG_TYPE = "application/octet-stream", "image/png"  # the library knows no EXR: a file of bytes, sealed apart
MAX_MANIFEST_BYTES = 16 << 20  # ours have about 4 KiB
UNTRUSTED, EXPIRED, CHANGED = "signingCredential.untrusted", "signingCredential.expired", "assertion.dataHash.mismatch"


@dataclass(frozen=True)
class Signature:
    """What a manifest is worth.

    Attributes:
        problem: why it does not hold, whoever signed; "" where it does.
        signer: as the certificate names it.
        manifest: what it says.
        expired: the certificate is not valid any more, and no timestamp says that it was when this was signed.
        trusted: it was issued by one of the anchors; None: not asked.
    """

    problem: str
    signer: str = ""
    manifest: Mapping[str, Any] | None = None
    expired: bool = False
    trusted: bool | None = None


class Seal:
    """Signs files with one certificate. Safe to use from several threads; they sign at the same time.

    Raises:
        UsageError: the library refuses to sign with it, and why.
        MissingExtraError: the extra `sign` is not installed.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._c2pa = _library("--sign")
        self._context = _context(self._c2pa, None)
        try:
            self._signer = self._c2pa.Signer.from_info(
                self._c2pa.C2paSignerInfo(
                    alg=credentials.algorithm, sign_cert=credentials.chain, private_key=credentials.key, ta_url=None
                )
            )
            self._try()
        except (self._c2pa.C2paError, WriteError) as error:
            reason = one_line(str(error.__cause__ or error))
            raise UsageError(f"--sign: the library refuses to sign as {credentials.name} ({reason})") from error

    def detached(self, file: BinaryIO, definition: Mapping[str, Any]) -> bytes:
        """A manifest of a file, to lie beside it.

        Raises:
            WriteError: it cannot be signed: the certificate expired meanwhile, for instance.
        """
        return self._sign(file, EXR_TYPE, _Nowhere(), definition, embed=False)

    def embedded(self, png: BinaryIO, definition: Mapping[str, Any]) -> bytes:
        """A PNG with its manifest in it; every other chunk is as it was. Errors as `detached`."""
        signed = io.BytesIO()
        self._sign(png, PNG_TYPE, signed, definition, embed=True)
        return signed.getvalue()

    def _sign(self, file: BinaryIO, kind: str, target: Any, definition: Mapping[str, Any], *, embed: bool) -> bytes:
        try:
            builder = self._c2pa.Builder(dict(definition), self._context)
            if not embed:
                builder.set_no_embed()
            return bytes(builder.sign(self._signer, kind, file, target))
        except self._c2pa.C2paError as error:
            raise WriteError(f"cannot be signed ({one_line(str(error))})") from error

    def _try(self) -> None:
        """Sign something, and look at it as anybody would."""
        example = bytes(64)
        actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": GENERATED}]}
        told = {"claim_generator_info": [AGENT], "assertions": [{"label": ACTIONS_LABEL, "data": actions}]}
        manifest = self.detached(io.BytesIO(example), told)
        signature = Checker().read(io.BytesIO(example), manifest)
        if signature.problem or signature.expired:
            raise UsageError(f"--sign: what {signature.signer} signs is not valid: {signature.problem or 'expired'}")


class Checker:
    """Reads manifests and says whether they hold. Safe to use from several threads.

    Args:
        anchors: certificates in PEM that signers must come from; None: that is not asked.
    Raises:
        MissingExtraError: the extra `sign` is not installed.
    """

    def __init__(self, anchors: str | None = None) -> None:
        self._c2pa = _library("checking signatures")
        self._context = _context(self._c2pa, anchors)
        self.asks_for_trust = anchors is not None

    def read(self, file: BinaryIO, manifest: bytes | None) -> Signature:
        """Hold a file against its manifest.

        Args:
            manifest: that lies beside it; None: it is a PNG that has one.
        """
        c2pa, kind = self._c2pa, PNG_TYPE if manifest is None else EXR_TYPE
        try:
            with c2pa.Reader(kind, file, manifest, context=self._context) as reader:
                told = json.loads(reader.json())
        except (c2pa.C2paError, ValueError, RecursionError) as error:
            return Signature(f"its manifest cannot be read ({one_line(str(error))})")
        failures = _failures(told)
        active = told.get("manifests", {}).get(told.get("active_manifest"), {})
        info = active.get("signature_info", {})
        signer = one_line(str(info.get("common_name") or info.get("issuer") or "a signer without a name"))
        trusted = UNTRUSTED not in failures if self.asks_for_trust else None
        return Signature(_problem(told, failures), signer, active, EXPIRED in failures, trusted)


def _problem(told: Mapping[str, Any], failures: Mapping[str, str]) -> str:
    if CHANGED in failures:
        return "it is not the file that was signed: its manifest is of other bytes"
    others = [text or code for code, text in failures.items() if code not in (UNTRUSTED, EXPIRED)]
    if not failures and told.get("validation_state") == "Invalid":  # what it was made from, for instance
        others = ["the library finds it invalid"]
    return f"its manifest does not hold ({one_line(others[0])})" if others else ""


def _failures(told: Mapping[str, Any]) -> dict[str, str]:
    """Codes and texts of all that the library found wrong with the active manifest."""
    results = told.get("validation_results", {}).get("activeManifest", {})
    return {str(item.get("code")): str(item.get("explanation", "")) for item in results.get("failure", ())}


def _library(purpose: str) -> Any:
    try:
        import c2pa
    except ModuleNotFoundError as error:
        raise MissingExtraError("c2pa", "sign", purpose) from error
    return c2pa


def _context(c2pa: Any, anchors: str | None) -> Any:
    trust = {"trust_config": "".join(f"{purpose}\n" for purpose in PURPOSES)}
    settings = {
        "verify": {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
        "builder": {"thumbnail": {"enabled": False}},
        "trust": trust if anchors is None else {**trust, "trust_anchors": anchors},
    }
    return c2pa.Context.from_dict(settings)


class _Nowhere:
    """Where the library copies a file to that it only makes a manifest for."""

    def __init__(self) -> None:
        self._place = self._size = 0

    def write(self, data: bytes) -> int:
        self._place += len(data)
        self._size = max(self._size, self._place)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place

    def read(self, size: int = -1) -> bytes:
        return b""

    def tell(self) -> int:
        return self._place

    def flush(self) -> None:
        pass
