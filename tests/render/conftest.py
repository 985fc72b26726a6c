"""Image models of a few nodes, whose output is known without a network: for tests of what happens around one."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Nodes = list[Any]
PLATES = Path(__file__).resolve().parents[2].parent / "shared" / "plates"


@pytest.fixture(scope="session")
def image_model() -> Callable[..., Path]:
    """`make_image_model`."""
    return make_image_model


@pytest.fixture
def plates() -> Path:
    """Real plates: OpenEXR's own test pictures."""
    if not PLATES.is_dir():
        pytest.skip(f"the shared plates are not at {PLATES}")
    return PLATES


def make_image_model(path: Path, kind: str = "identity", *, scale: int = 1, channels: int = 3, **options: Any) -> Path:
    """Write an ONNX model that takes any height and width.

    Args:
        kind: "identity" gives what it gets, enlarged bilinearly; "tanh" ends in one, nearly saturated at the ends
            (the more, the larger `gain` is); "smooth" gives the means over 7×7 px, enlarged;
            "blocks" gives what it gets, but only of sides that are multiples of 4; "nan" gives NaN below -0.9; "mean"
            adds half of the mean of all that it is given; "shaky" stirs each block of 4×4 px, so that what it gives
            changes as a picture moves.
        options: `channels_out`, `size` (H, W, static), and fields of the spec.
    """
    onnx = pytest.importorskip("onnx", reason="the train extra makes the tests' models")
    from onnx import TensorProto, helper, numpy_helper

    channels_out, gain = options.pop("channels_out", channels), options.pop("gain", 3.0)
    height, width = options.pop("size", ("height", "width"))
    nodes, weights = _nodes(kind, scale, channels, channels_out, gain)
    out = (height * scale, width * scale) if isinstance(height, int) else ("out_height", "out_width")
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, channels, height, width])],
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, channels_out, *out])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    spec = {
        "spec_version": 1,
        "name": f"tiny {kind}",
        "kind": "upscaler" if scale > 1 else "translator",
        "architecture": "srresnet",
        "input": {"kind": "image", "channels": channels},
        "scale": scale,
        "channels_out": channels_out,
        "encoding": {"name": "extended-srgb", "peak": 1.0},
    }
    entry = model.metadata_props.add()
    entry.key, entry.value = "vfxgan", json.dumps(spec | options)
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(path))
    return path


def _nodes(kind: str, scale: int, channels: int, channels_out: int, gain: float) -> tuple[Nodes, dict[str, Any]]:
    from onnx import helper

    side = 7 if kind == "smooth" else 1
    mix = np.zeros((channels_out, channels, side, side), np.float32)
    for row in range(channels_out):
        mix[row, min(row, channels - 1)] = 1 / side**2
    weights: dict[str, Any] = {"mix": mix}
    nodes = [helper.make_node("Conv", ["image", "mix"], ["mixed"], pads=[side // 2] * 4)]
    last = "mixed"
    if scale > 1:
        weights |= {"scales": np.array([1, 1, scale, scale], np.float32), "none": np.zeros(0, np.float32)}
        nodes.append(helper.make_node("Resize", [last, "none", "scales"], ["large"], mode="linear"))
        last = "large"
    if kind == "tanh":
        weights["gain"] = np.array(gain, np.float32)
        nodes += [helper.make_node("Mul", [last, "gain"], ["steep"]), helper.make_node("Tanh", ["steep"], ["picture"])]
    elif kind == "blocks":
        nodes.append(helper.make_node("SpaceToDepth", [last], ["deep"], blocksize=4))
        nodes.append(helper.make_node("DepthToSpace", ["deep"], ["picture"], blocksize=4))
    elif kind == "shaky":
        deep = 16 * channels_out
        mixing = np.eye(deep) + 0.06 * np.random.RandomState(5).randn(deep, deep)
        weights["mixing"] = mixing.astype(np.float32)[:, :, None, None]
        nodes.append(helper.make_node("SpaceToDepth", [last], ["deep"], blocksize=4))
        nodes.append(helper.make_node("Conv", ["deep", "mixing"], ["stirred"]))
        nodes.append(helper.make_node("DepthToSpace", ["stirred"], ["picture"], blocksize=4))
    elif kind == "mean":
        weights["half"] = np.array(0.5, np.float32)
        nodes.append(helper.make_node("GlobalAveragePool", [last], ["average"]))
        nodes.append(helper.make_node("Mul", ["average", "half"], ["added"]))
        nodes.append(helper.make_node("Add", [last, "added"], ["picture"]))
    elif kind == "nan":
        weights["limit"] = np.array(0.9, np.float32)
        nodes.append(helper.make_node("Add", [last, "limit"], ["over"]))
        nodes.append(helper.make_node("Sqrt", ["over"], ["picture"]))
    else:
        nodes.append(helper.make_node("Identity", [last], ["picture"]))
    return nodes, weights


class Authority:
    """A certificate authority of the tests' own, and what it issues: PEM files in one folder."""

    def __init__(self, folder: Path) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self.certificate("Tests' own authority", self._key.public_key(), is_authority=True)
        self.anchors = folder / "ca.pem"
        self.anchors.write_bytes(self._pem(self._certificate))

    def issue(self, name: str, kind: str = "es256", **options: Any) -> tuple[Path, Path]:
        """Write NAME.pem (chain) and NAME.key of a signer.

        Args:
            kind: of the key: es256, es384, es512, ps256, ed25519.
            options: of `certificate`.
        """
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        key = self.new_key(kind)
        chain, private = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        made = self.certificate(
            name, key.public_key(), signed_by=key if options.pop("itself", False) else None, **options
        )
        chain.write_bytes(self._pem(made) + self._pem(self._certificate))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return chain, private

    @staticmethod
    def new_key(kind: str) -> Any:
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

        curves = {"es256": ec.SECP256R1(), "es384": ec.SECP384R1(), "es512": ec.SECP521R1()}
        if kind in curves:
            return ec.generate_private_key(curves[kind])
        return ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65537, 2048)

    def certificate(
        self,
        name: str,
        public_key: Any,
        *,
        is_authority: bool = False,
        purpose: str | None = "1.3.6.1.5.5.7.3.4",
        start: timedelta = timedelta(days=-1),
        end: timedelta = timedelta(days=30),
        signed_by: Any = None,
    ) -> Any:
        """A certificate.

        Args:
            purpose: its extended key usage; None: it has none.
            start, end: of its validity, from now.
            signed_by: its own key, where it is self-signed.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.x509.oid import NameOID

        def named(common_name: str) -> x509.Name:
            # C2PA's library asks for an organisation, too.
            words = {NameOID.ORGANIZATION_NAME: "Studio", NameOID.COMMON_NAME: common_name}
            return x509.Name([x509.NameAttribute(oid, word) for oid, word in words.items()])

        now = datetime.now(timezone.utc)
        key = signed_by or self._key
        issuer = named(name if is_authority or signed_by else "Tests' own authority")
        builder = x509.CertificateBuilder(issuer, named(name), public_key, x509.random_serial_number())
        builder = builder.not_valid_before(now + start).not_valid_after(now + end)
        usage = [not is_authority, False, False, False, False, is_authority, is_authority, False, False]
        builder = builder.add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        builder = builder.add_extension(x509.KeyUsage(*usage), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        builder = builder.add_extension(own, critical=False)
        if purpose and not is_authority:
            builder = builder.add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(purpose)]), critical=False)
        return builder.sign(key, None if isinstance(key, Ed25519PrivateKey) else hashes.SHA256())

    @staticmethod
    def _pem(certificate: Any) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding

        return bytes(certificate.public_bytes(Encoding.PEM))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Issues certificates to sign with."""
    pytest.importorskip("c2pa", reason="signing needs the extra sign")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def signer(authority: Authority) -> tuple[Path, Path]:
    """Certificate chain and key of a signer called "Pipeline"."""
    return authority.issue("Pipeline")
