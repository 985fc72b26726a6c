"""What `verify` finds of manifests: who signed, and which are swapped, forged, hostile or of yesterday."""

import io
import json
import shutil
import socket
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfxgan.errors import WriteError
from vfxgan.images import Picture, pixel_digest, read_header, read_picture, write_picture
from vfxgan.recipe import Recipe, Stamp, read_stamp, stamp_attributes
from vfxgan.render.certificates import read_credentials
from vfxgan.render.claims import definition, unfit
from vfxgan.render.provenance import Seal

pytest.importorskip("c2pa", reason="signing needs the extra sign")

Cli = Callable[..., Any]
Signer = tuple[Path, Path]


def render(cli: Cli, tiny: Path, out: str, *options: object, seeds: str = "0-1") -> Any:
    return cli("render", tiny, "--seeds", seeds, "--out", out, *options)


def test_verify_says_who_signed_and_whether_that_was_checked(
    cli: Cli, tiny: Path, authority: Any, signer: Signer, tmp_path: Path
) -> None:
    render(cli, tiny, "a/####.exr", "--sign", *signer)
    render(cli, tiny, "a/####.png", "--sign", *signer)
    everybody = "4 frames are whole, 4 of them signed by Pipeline"
    assert f"{everybody} (not checked against a trust list)" in cli("verify", "a").out
    assert f"{everybody} (trusted by {authority.anchors})" in cli("verify", "a", "--trust", authority.anchors).out
    stranger = type(authority)(tmp_path).anchors
    done = cli("verify", "a", "--trust", stranger)
    assert done.code == 1
    assert f"a/0000.exr: signed by Pipeline, for whom nobody in {stranger} vouches" in done.err
    assert "4 of 4 whole frames are not signed as they should be" in done.line
    assert (
        "; remove those that somebody else signed, and the same render with --sign makes these frames again"
        in done.line
    )


def test_a_sequence_with_frames_and_a_trust_list_is_one_command(
    cli: Cli, tiny: Path, authority: Any, signer: Signer
) -> None:
    render(cli, tiny, "a/####.exr", "--sign", *signer)
    asked = ("verify", "a/####.exr", "--frames", "0-1", "--trust", authority.anchors)
    assert "2 frames are whole, 2 of them signed by Pipeline (trusted by" in cli(*asked).out
    Path("a/0001.c2pa").unlink()
    done = cli(*asked)
    assert "a/0001.exr: is not signed" in done.err
    assert "1 of 2 frames is not as it should be: 1 not signed as asked (1); repair: vfxgan render " in done.line


@pytest.mark.parametrize("extension", ["exr", "png"])
def test_inspect_says_who_signed_a_frame(cli: Cli, tiny: Path, signer: Signer, extension: str) -> None:
    render(cli, tiny, f"a/####.{extension}", "--sign", *signer)
    assert "signature                by Pipeline" in cli("inspect", f"a/0001.{extension}").out
    render(cli, tiny, f"b/####.{extension}")
    assert "signature" not in cli("inspect", f"b/0001.{extension}").out


def test_unsigned_frames_are_a_problem_only_where_signatures_are_asked_for(cli: Cli, tiny: Path) -> None:
    render(cli, tiny, "a/####.exr")
    assert cli("verify", "a").out.strip() == "2 frames are whole"
    done = cli("verify", "a", "--require-signed")
    assert done.code == 1
    assert "a/0000.exr: is not signed" in done.err


def test_a_trust_list_that_is_none_is_named_before_frames_are_read(cli: Cli, tiny: Path, signer: Signer) -> None:
    render(cli, tiny, "a/####.exr")
    assert cli("verify", "a", "--trust", "lost.pem").line == "vfxgan: --trust: lost.pem: no such file; check the path"
    refused = cli("verify", "a", "--trust", signer[1]).line
    assert "holds a private key where certificates belong; name the authorities' certificates" in refused


def test_a_pixel_that_was_changed_with_all_digests_renewed_is_found(cli: Cli, tiny: Path, signer: Signer) -> None:
    """The digests in a frame say what it is; only the signature says that nobody else wrote them."""
    render(cli, tiny, "a/####.exr", "--sign", *signer)
    frame = Path("a/0001.exr")
    picture = read_picture(frame)
    stamp = read_stamp(picture.attributes)
    assert stamp is not None
    pixels = picture.pixels.copy()
    pixels[5, 5, 0] += np.float16(0.25)
    kept = ("Iptc4xmpExt:", "compression", "xmp")
    attributes = {name: value for name, value in picture.attributes.items() if name.startswith(kept)}
    forged = Picture(pixels, picture.channels, attributes)
    write_picture(frame, replace(forged, attributes=attributes | stamp_attributes(stamp.recipe, pixel_digest(forged))))
    done = cli("verify", "a")
    assert done.code == 1
    assert "a/0001.exr: it is not the file that was signed: its manifest is of other bytes" in done.err


def test_swapped_manifests_are_found(cli: Cli, tiny: Path, signer: Signer) -> None:
    render(cli, tiny, "a/####.exr", "--sign", *signer)
    shutil.copy("a/0000.c2pa", "a/0001.c2pa")
    assert "a/0001.exr: it is not the file that was signed" in cli("verify", "a").err


def test_the_manifest_of_another_png_is_found(cli: Cli, tiny: Path, signer: Signer) -> None:
    render(cli, tiny, "a/####.png", "--sign", *signer)
    put_chunk(Path("a/0001.png"), chunk_of(Path("a/0000.png")))
    assert "a/0001.png: it is not the file that was signed" in cli("verify", "a").err


def chunk_of(path: Path) -> bytes:
    """The body of a PNG's manifest, by hand: it is the second chunk."""
    data = path.read_bytes()
    assert data[37:41] == b"caBX"
    return data[41 : 41 + int.from_bytes(data[33:37], "big")]


def put_chunk(path: Path, body: bytes) -> None:
    data = path.read_bytes()
    end = 41 + int.from_bytes(data[33:37], "big") + 4 if data[37:41] == b"caBX" else 33
    chunk = b"caBX" + body
    made = len(body).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    path.write_bytes(data[:33] + made + data[end:])


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        ("seed", "its manifest does not say that it was made from seed 1, as its recipe does"),
        ("model", "its manifest names another model than its recipe"),
        ("digest", "its manifest is of another frame: the digests in it are not this one's"),
        ("origin", "its manifest does not call it trainedAlgorithmicMedia"),
        ("all", "its manifest says nothing of model and seed: another program signed it"),
    ],
)
def test_a_valid_signature_of_other_claims_does_not_pass(
    cli: Cli, tiny: Path, authority: Any, forged: str, said: str
) -> None:
    render(cli, tiny, "a/####.exr")
    frame = Path("a/0001.exr")
    stamp = read_stamp(read_header(frame))
    assert stamp is not None
    told = definition(stamp, frame.name, "tiny", None)
    facts = told["assertions"][1]["data"]
    if forged == "seed":
        facts["seed"] = 2
    elif forged == "model":
        facts["model"]["sha256"] = "ab" * 32
    elif forged == "digest":
        facts["digest"] = "ab" * 32
    elif forged == "origin":
        camera = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
        told["assertions"][0]["data"]["actions"][0]["digitalSourceType"] = camera
    else:
        told["assertions"].pop()
    seal = Seal(read_credentials(*authority.issue("Forger")))
    with frame.open("rb") as file:
        frame.with_suffix(".c2pa").write_bytes(seal.detached(file, told))
    done = cli("verify", "a", "--trust", authority.anchors)
    assert done.code == 1
    assert f"a/0001.exr: {said}" in done.err


@pytest.mark.parametrize("content", ["nothing", "garbage", "half of one", "huge"])
@pytest.mark.parametrize("extension", ["exr", "png"])
def test_a_hostile_manifest_is_one_line(cli: Cli, tiny: Path, signer: Signer, content: str, extension: str) -> None:
    render(cli, tiny, f"a/####.{extension}", "--sign", *signer)
    path = Path(f"a/0001.{extension}")
    whole = chunk_of(path) if extension == "png" else path.with_suffix(".c2pa").read_bytes()
    bodies = {"nothing": b"", "garbage": b"\xff" * 5000, "half of one": whole[: len(whole) // 2]}
    body = bodies.get(content, bytes(17 << 20))
    if extension == "png":
        put_chunk(path, body)
    else:
        path.with_suffix(".c2pa").write_bytes(body)
    done = cli("verify", "a", "--progress", "none")
    assert done.code == 1
    named = [line for line in done.err.splitlines() if line.startswith(f"{path}: its manifest ")]
    assert len(named) == 1
    assert len(done.err.splitlines()) == 2


@pytest.mark.parametrize("second", [b"garbage", bytes(17 << 20)], ids=["small", "huge"])
def test_a_second_manifest_in_a_png_is_one_line(cli: Cli, tiny: Path, signer: Signer, second: bytes) -> None:
    render(cli, tiny, "a/####.png", "--sign", *signer)
    frame = Path("a/0001.png")
    data, chunk = frame.read_bytes(), b"caBX" + second
    made = len(second).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    frame.write_bytes(data[:-12] + made + data[-12:])  # before the last chunk
    done = cli("verify", "a", "--progress", "none")
    assert done.code == 1
    assert len([line for line in done.err.splitlines() if line.startswith(f"{frame}: it")]) == 1
    assert "1 was broken and made again" in render(cli, tiny, "a/####.png", "--sign", *signer).line
    assert cli("verify", "a", "--require-signed").code == 0


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["c2pa.actions.v2", "vfxgan.recipe"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["assertions", "label", "data", "actions", "model", "sha256"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["assertions", "label", "data"]), ANYTHING, max_size=3))
def test_claims_of_any_form_are_read_and_do_not_fit(manifest: dict[str, Any]) -> None:
    stamp = Stamp(Recipe("ab" * 32, 7, {}, {}), "cd" * 32, "ef" * 32)
    assert unfit(manifest, stamp)


def test_an_expired_certificate_is_said_and_fails_only_where_signatures_are_judged(
    cli: Cli, tiny: Path, authority: Any, signer: Signer
) -> None:
    brief = authority.issue("Brief", end=timedelta(seconds=3))
    assert render(cli, tiny, "a/####.exr", "--sign", *brief).code == 0
    seal = Seal(read_credentials(*brief))  # of a run that goes on meanwhile
    until = time.monotonic() + 20
    while "expired" not in (done := cli("verify", "a")).out:
        assert time.monotonic() < until
    assert done.code == 0
    assert "signed by Brief (not checked against a trust list, 2 with a certificate that has expired since)" in done.out
    judged = cli("verify", "a", "--trust", authority.anchors)
    assert judged.code == 1
    assert "signed by Brief, whose certificate has expired, and no timestamp says when it was signed" in judged.err
    with pytest.raises(WriteError, match="cannot be signed"):
        seal.detached(io.BytesIO(b"frame"), {"claim_generator_info": [{"name": "test"}], "assertions": []})
    again = render(cli, tiny, "a/####.exr", "--sign", *signer).line
    assert "2 without a signature that is valid today were made again" in again
    assert cli("verify", "a", "--trust", authority.anchors).code == 0


def test_a_manifest_that_cannot_be_written_ends_the_render_with_one_line(cli: Cli, tiny: Path, signer: Signer) -> None:
    Path("a/0000.c2pa/somebodys").mkdir(parents=True)
    done = render(cli, tiny, "a/####.exr", "--sign", *signer, "--threads", "1")
    assert done.code == 1
    assert "a/0000.c2pa: cannot be written (Is a directory)" in done.line
    assert "the same command goes on" in done.line
    shutil.rmtree("a/0000.c2pa")
    assert render(cli, tiny, "a/####.exr", "--sign", *signer).code == 0
    assert cli("verify", "a", "--require-signed").code == 0


def test_nothing_is_fetched_that_a_file_points_to(cli: Cli, tiny: Path) -> None:
    """With its settings as they come, C2PA's library opens the address of such a file."""
    render(cli, tiny, "a/####.png")
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa"
        frame = Path("a/0001.png")
        data = frame.read_bytes()
        frame.write_bytes(data[:33] + pointer_to(place) + data[33:])
        put_chunk(frame, b"")
        done = cli("verify", "a")
        assert done.code == 1
        assert "a/0001.png: its manifest cannot be read" in done.err
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def pointer_to(place: str) -> bytes:
    """A PNG's chunk of XMP that says where the manifest is."""
    xmp = (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="{place}"/></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="r"?>'
    )
    body = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + xmp.encode()
    return (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def test_what_verify_says_of_signatures_is_read_by_programs_from_stderr(cli: Cli, tiny: Path, signer: Signer) -> None:
    render(cli, tiny, "a/####.exr", "--sign", *signer)
    done = cli("verify", "a", "--progress", "json")
    assert [json.loads(line)["event"] for line in done.out.splitlines()][-1] == "finished"
    assert "2 of them signed by Pipeline" in done.err


def test_a_folder_in_the_place_of_a_manifest_is_to_be_removed_first(cli: Cli, tiny: Path, signer: Signer) -> None:
    render(cli, tiny, "a/####.exr", "--sign", *signer)
    Path("a/0001.c2pa").unlink()
    Path("a/0001.c2pa").mkdir()
    told = "remove the folder a/0001.c2pa, and the same render with --sign makes these frames again"
    assert told in cli("verify", "a").line
    assert told in cli("verify", "a/####.exr", "--frames", "0-1", "--model", tiny).err
    assert render(cli, tiny, "a/####.exr", "--sign", *signer).code == 3, "so it is no remedy alone"
    Path("a/0001.c2pa").rmdir()
    assert render(cli, tiny, "a/####.exr", "--sign", *signer).code == 0
    assert cli("verify", "a", "--require-signed").code == 0
