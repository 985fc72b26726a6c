"""What `--sign` refuses before the first frame: certificates and keys that cannot sign, each in one line."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("c2pa", reason="signing needs the extra sign")

Cli = Callable[..., Any]
Signer = tuple[Path, Path]
SERVERS = "1.3.6.1.5.5.7.3.1"


def render(cli: Cli, tiny: Path, out: str, *options: object, seeds: str = "0-1") -> Any:
    return cli("render", tiny, "--seeds", seeds, "--out", out, *options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"start": timedelta(days=-9), "end": timedelta(days=-1)}, r"expired on "),
        ({"start": timedelta(days=1)}, "is not valid before"),
        ({"purpose": SERVERS}, "is not meant for signing content; it needs the extended key usage emailProtection"),
        ({"purpose": None}, "is not meant for signing content"),
        ({"itself": True}, "is self-signed; C2PA takes what an authority issued"),
    ],
)
def test_a_certificate_that_cannot_sign_is_refused_before_the_first_frame(
    cli: Cli, tiny: Path, authority: Any, options: dict[str, Any], said: str
) -> None:
    done = render(cli, tiny, "a/####.exr", "--sign", *authority.issue("Bad", **options))
    assert done.code == 2
    assert said in done.line
    assert "Bad.pem (Bad)" in done.line
    assert not Path("a").exists()


@pytest.mark.parametrize("purpose", ["1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1"])
def test_certificates_for_documents_and_for_c2pa_are_taken(cli: Cli, tiny: Path, authority: Any, purpose: str) -> None:
    assert render(cli, tiny, "a/####.exr", "--sign", *authority.issue("Good", purpose=purpose)).code == 0
    assert "trusted by" in cli("verify", "a", "--trust", authority.anchors).out


def test_an_authoritys_own_certificate_is_refused(cli: Cli, tiny: Path, authority: Any, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as pem

    key = authority.new_key("es256")
    made = authority.certificate("Root", key.public_key(), is_authority=True, signed_by=key)
    chain, private = tmp_path / "root.pem", tmp_path / "root.key"
    chain.write_bytes(made.public_bytes(pem.Encoding.PEM))
    private.write_bytes(key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()))
    assert "is an authority's, for issuing others" in render(cli, tiny, "a/####.exr", "--sign", chain, private).line


def test_a_key_of_another_certificate_is_refused(cli: Cli, tiny: Path, authority: Any, signer: Signer) -> None:
    other = authority.issue("Other")
    done = render(cli, tiny, "a/####.exr", "--sign", signer[0], other[1])
    assert done.code == 2
    assert f"{other[1]} is not the key of {signer[0]} (Pipeline)" in done.line


def test_a_chain_in_the_wrong_order_is_refused(cli: Cli, tiny: Path, signer: Signer, tmp_path: Path) -> None:
    blocks = signer[0].read_text().split("-----END CERTIFICATE-----\n")
    chain = tmp_path / "chain.pem"
    chain.write_text("-----END CERTIFICATE-----\n".join([blocks[1], blocks[0], ""]))
    done = render(cli, tiny, "a/####.exr", "--sign", chain, signer[1])
    assert "is the key of certificate 2 in" in done.line
    assert "put that one first" in done.line


def test_the_key_of_the_authority_is_said_to_be_that(cli: Cli, tiny: Path, authority: Any, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as pem

    root = authority.new_key("es256")
    issued = authority.certificate("Root", root.public_key(), is_authority=True, signed_by=root)
    (tmp_path / "root.key").write_bytes(
        root.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    )
    leaf = authority.issue("Leaf")[0].read_bytes().partition(b"-----END CERTIFICATE-----\n")
    chain = tmp_path / "chain.pem"
    chain.write_bytes(leaf[0] + leaf[1] + issued.public_bytes(pem.Encoding.PEM))
    done = render(cli, tiny, "a/####.exr", "--sign", chain, tmp_path / "root.key")
    assert done.code == 2
    assert f"root.key is the key of the authority in {chain} (Root), which signs no frames" in done.line
    assert "give the key of its first certificate (Leaf)" in done.line


def test_a_request_for_a_certificate_is_said_to_be_one(cli: Cli, tiny: Path, signer: Signer, tmp_path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import ec

    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = tmp_path / "pipeline.csr"
    request.write_bytes(
        builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(pem.Encoding.PEM)
    )
    done = render(cli, tiny, "a/####.exr", "--sign", request, signer[1])
    assert done.code == 2
    assert "pipeline.csr is a request for a certificate; name the one that an authority made of it" in done.line


def test_both_files_are_checked_without_c2pas_library(signer: Signer) -> None:
    lines = (
        "import sys",
        "from pathlib import Path",
        "from vfxgan.render.certificates import read_credentials",
        "read_credentials(*map(Path, sys.argv[1:]))",
        "print([name for name in ('c2pa', 'numpy', 'OpenImageIO') if name in sys.modules])",
    )
    told = subprocess.run([sys.executable, "-c", "\n".join(lines), *signer], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_files_in_the_wrong_order_missing_or_of_another_kind_are_named(
    cli: Cli, tiny: Path, signer: Signer, tmp_path: Path
) -> None:
    chain, key = signer
    text, large = tmp_path / "notes.txt", tmp_path / "large.pem"
    text.write_text("notes")
    large.write_bytes(b"-----BEGIN CERTIFICATE-----\n" * 60_000)
    cases = {
        (key, chain): "holds a private key where certificates belong; give --sign CERT KEY, in this order",
        (chain, chain): "holds a certificate where the key belongs",
        (tmp_path / "lost.pem", key): "lost.pem: no such file; check the path",
        (chain, tmp_path): "cannot be read (Is a directory)",
        (text, key): "notes.txt is no PEM file of certificates",
        (chain, text): "notes.txt is no private key in PEM",
        (large, key): "large.pem is larger than 1 MiB",
    }
    for files, said in cases.items():
        done = render(cli, tiny, "a/####.exr", "--sign", *files)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert said in done.line
    assert not Path("a").exists()


def test_an_encrypted_key_is_said_to_be_one(cli: Cli, tiny: Path, signer: Signer, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as pem

    private = pem.load_pem_private_key(signer[1].read_bytes(), None)
    for form in (pem.PrivateFormat.PKCS8, pem.PrivateFormat.TraditionalOpenSSL):
        key = tmp_path / "locked.key"
        key.write_bytes(private.private_bytes(pem.Encoding.PEM, form, pem.BestAvailableEncryption(b"secret")))
        done = render(cli, tiny, "a/####.exr", "--sign", signer[0], key)
        assert done.code == 2
        assert "locked.key is encrypted, and nobody is there to type its password" in done.line


@pytest.mark.parametrize("kind", ["RSA of 1024 bits", "a curve of Bitcoin's"])
def test_a_kind_of_key_that_c2pa_does_not_take_is_refused(
    cli: Cli, tiny: Path, signer: Signer, kind: str, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    private: Any = rsa.generate_private_key(65537, 1024) if "RSA" in kind else ec.generate_private_key(ec.SECP256K1())
    key = tmp_path / "weak.key"
    key.write_bytes(private.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()))
    assert (
        "weak.key is of a kind that C2PA does not take"
        in render(cli, tiny, "a/####.exr", "--sign", signer[0], key).line
    )


def test_devices_refuse_a_bad_certificate_once(cli: Cli, tiny: Path, authority: Any) -> None:
    bad = authority.issue("Bad", purpose=SERVERS)
    done = render(cli, tiny, "a/####.exr", "--devices", "cpu,cpu", "--sign", *bad)
    assert done.code == 2
    assert done.err.count("not meant for signing content") == 1


def test_without_the_extra_signing_names_it_and_verify_goes_on(
    cli: Cli, tiny: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert render(cli, tiny, "a/####.png", "--sign", *signer).code == 0
    monkeypatch.setitem(sys.modules, "c2pa", None)
    done = render(cli, tiny, "b/####.png", "--sign", *signer)
    assert done.line == "vfxgan: c2pa is not installed, and --sign needs it: pip install 'vfxgan[sign]'"
    seen = cli("verify", "a")
    assert seen.code == 0
    assert "2 frames are whole, 2 of them signed, which was not checked (c2pa is not installed" in seen.out
    assert "c2pa is not installed" in cli("verify", "a", "--require-signed").line
