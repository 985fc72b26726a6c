"""`vfxgan render --sign`: frames carry C2PA manifests, and are the same frames as without."""

import io
import json
import os
import shlex
import shutil
import signal
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vfxgan.images import Picture, read_header, read_picture, write_picture
from vfxgan.png_chunks import MANIFEST, without

c2pa = pytest.importorskip("c2pa", reason="signing needs the extra sign")

LIST = "http://cv.iptc.org/newscodes/digitalsourcetype/"
Cli = Callable[..., Any]
Signer = tuple[Path, Path]


def render(cli: Cli, tiny: Path, out: str, *options: object, seeds: str = "0-2") -> Any:
    return cli("render", tiny, "--seeds", seeds, "--out", out, *options)


def manifest_of(path: Path) -> dict[str, Any]:
    """As C2PA's own reader has it, with its settings as they come."""
    if path.suffix == ".png":
        with path.open("rb") as file, c2pa.Reader("image/png", file) as reader:
            told: dict[str, Any] = json.loads(reader.json())
    else:
        sidecar = path.with_suffix(".c2pa").read_bytes()
        with path.open("rb") as file, c2pa.Reader("application/octet-stream", file, sidecar) as reader:
            told = json.loads(reader.json())
    assert told["validation_state"] == "Valid"
    return {**told["manifests"][told["active_manifest"]], "results": told["validation_results"]}


def assertion(manifest: dict[str, Any], label: str) -> Any:
    return next(item["data"] for item in manifest["assertions"] if item["label"] == label)


def test_an_exr_is_the_same_to_the_byte_and_has_its_manifest_beside_it(cli: Cli, tiny: Path, signer: Signer) -> None:
    assert render(cli, tiny, "plain/####.exr").code == 0
    assert render(cli, tiny, "signed/####.exr", "--sign", *signer).code == 0
    for number in ("0000", "0001", "0002"):
        assert Path(f"signed/{number}.exr").read_bytes() == Path(f"plain/{number}.exr").read_bytes()
    assert sorted(path.name for path in Path("signed").iterdir()) == sorted(
        f"000{number}.{extension}" for number in range(3) for extension in ("exr", "c2pa")
    )


def test_a_png_is_the_same_but_for_one_chunk(cli: Cli, tiny: Path, signer: Signer) -> None:
    assert render(cli, tiny, "plain/####.png").code == 0
    assert render(cli, tiny, "signed/####.png", "--sign", *signer).code == 0
    plain, signed = Path("plain/0001.png").read_bytes(), Path("signed/0001.png").read_bytes()
    assert signed != plain
    assert without(signed, MANIFEST) == plain
    digests = {read_header(Path(f"{folder}/0001.png"))["vfxgan:digest"] for folder in ("plain", "signed")}
    assert len(digests) == 1


@pytest.mark.parametrize("extension", ["exr", "png"])
def test_the_manifest_says_who_made_it_with_which_model_and_from_which_seed(
    cli: Cli, tiny: Path, signer: Signer, extension: str
) -> None:
    render(cli, tiny, f"a/####.{extension}", "--sign", *signer, seeds="7")
    path = Path(f"a/0007.{extension}")
    manifest = manifest_of(path)
    (action,) = assertion(manifest, "c2pa.actions.v2")["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"] == f"{LIST}trainedAlgorithmicMedia"
    assert action["softwareAgent"]["name"] == manifest["claim_generator_info"][0]["name"] == "vfxgan"
    header, facts = read_header(path), assertion(manifest, "vfxgan.recipe")
    recipe = json.loads(header["vfxgan:recipe"])
    assert facts["model"] == {"name": "tiny", "sha256": recipe["model"]}
    assert (facts["seed"], facts["digest"], facts["pixels"]) == (7, header["vfxgan:digest"], header["vfxgan:pixels"])
    assert manifest["title"] == path.name  # and no folder of this machine
    assert str(path.parent.resolve()) not in json.dumps(manifest)
    assert manifest["signature_info"]["common_name"] == "Pipeline"
    codes = [item["code"] for item in manifest["results"]["activeManifest"]["success"]]
    assert {"claimSignature.validated", "assertion.dataHash.match"} <= set(codes)


def test_a_frame_of_a_plate_is_an_edit_of_it(
    cli: Cli, image_model: Callable[..., Path], signer: Signer, tmp_path: Path
) -> None:
    Path("p").mkdir()
    write_picture(Path("p/0001.exr"), Picture(np.full((8, 8, 3), 0.25, np.float16), ("R", "G", "B")))
    model = image_model(tmp_path / "m.onnx")
    assert cli("render", model, "--in", "p/####.exr", "--out", "a/####.exr", "--sign", *signer).code == 0
    manifest = manifest_of(Path("a/0001.exr"))
    opened, edited = assertion(manifest, "c2pa.actions.v2")["actions"]
    assert (opened["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
    assert edited["digitalSourceType"] == f"{LIST}compositeWithTrainedAlgorithmicMedia"
    (plate,) = manifest["ingredients"]
    digest = json.loads(read_header(Path("a/0001.exr"))["vfxgan:recipe"])["plate"]
    assert (plate["title"], plate["relationship"]) == ("0001.exr", "parentOf")
    assert plate["instance_id"] == f"sha256:{digest}"
    assert assertion(manifest, "vfxgan.recipe")["plate"] == digest
    assert "1 frame is whole, 1 of them signed by Pipeline" in cli("verify", "a").out


@pytest.mark.parametrize("kind", ["es256", "es384", "es512", "ps256", "ed25519"])
def test_the_algorithm_is_that_of_the_key(cli: Cli, tiny: Path, authority: Any, kind: str) -> None:
    assert render(cli, tiny, "a/####.png", "--sign", *authority.issue(kind, kind), seeds="1").code == 0
    assert manifest_of(Path("a/0001.png"))["signature_info"]["alg"].lower() == kind


@pytest.mark.parametrize("form", ["SEC 1", "PKCS #1"])
def test_keys_in_the_older_forms_of_pem_are_taken(
    cli: Cli, tiny: Path, authority: Any, form: str, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives import serialization as pem

    chain, key = authority.issue(f"old {form}", "es256" if form == "SEC 1" else "ps256")
    private = pem.load_pem_private_key(key.read_bytes(), None)
    old = tmp_path / "old.key"
    old.write_bytes(private.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.TraditionalOpenSSL, pem.NoEncryption()))
    assert render(cli, tiny, "a/####.exr", "--sign", chain, old, seeds="1").code == 0
    assert cli("verify", "a", "--require-signed").code == 0


@pytest.mark.parametrize("extension", ["exr", "png"])
def test_frames_that_are_whole_and_unsigned_are_made_again_to_be_signed(
    cli: Cli, tiny: Path, signer: Signer, extension: str
) -> None:
    out = f"a/####.{extension}"
    render(cli, tiny, out)
    before = without(Path(f"a/0001.{extension}").read_bytes(), MANIFEST)
    planned = render(cli, tiny, out, "--sign", *signer, "--dry-run").out
    assert "to do      0, and those on disk without a signature that is valid today\n" in planned
    done = render(cli, tiny, out, "--sign", *signer)
    assert "3 without a signature that is valid today were made again, to be signed" in done.line
    assert "broken" not in done.err
    assert without(Path(f"a/0001.{extension}").read_bytes(), MANIFEST) == before
    assert cli("verify", "a", "--require-signed").code == 0
    names = {path: path.read_bytes() for path in Path("a").iterdir()}
    assert "0 rendered, 3 were done before" in render(cli, tiny, out, "--sign", *signer).line  # twice is once
    assert "0 rendered" in render(cli, tiny, out).line  # and without --sign nothing is lost
    assert {path: path.read_bytes() for path in Path("a").iterdir()} == names


@pytest.mark.parametrize("damage", ["missing", "of another frame", "empty", "garbage", "huge"])
def test_a_frame_whose_manifest_does_not_fit_is_made_again(cli: Cli, tiny: Path, signer: Signer, damage: str) -> None:
    render(cli, tiny, "a/####.exr", "--sign", *signer)
    sidecar, frame = Path("a/0001.c2pa"), Path("a/0001.exr").read_bytes()
    _damage(sidecar, damage)
    done = render(cli, tiny, "a/####.exr", "--sign", *signer)
    assert "1 rendered, 2 were done before" in done.line
    if damage == "missing":
        assert "1 without a signature that is valid today was made again, to be signed" in done.line
    else:
        assert "a/0001.exr was broken (it" in done.err
    assert Path("a/0001.exr").read_bytes() == frame
    assert cli("verify", "a", "--require-signed").code == 0


@pytest.mark.parametrize("was_signed", [True, False])
@pytest.mark.parametrize("extension", ["exr", "png"])
def test_a_header_that_somebody_touched_is_never_signed(
    cli: Cli, tiny: Path, signer: Signer, extension: str, was_signed: bool
) -> None:
    """Recipe and pixels are whole, so resume alone would keep the frame."""
    out = f"a/####.{extension}"
    render(cli, tiny, out, *(("--sign", *signer) if was_signed else ()))
    path = Path(f"a/0001.{extension}")
    whole = without(path.read_bytes(), MANIFEST)
    _touch(path)
    assert b"Photograph by X" in path.read_bytes()
    done = render(cli, tiny, out, "--sign", *signer)
    assert done.code == 0
    assert without(path.read_bytes(), MANIFEST) == whole
    if was_signed:
        reason = "it is not the file that was signed: its manifest is of other bytes"
        assert f"{path} was broken ({reason}), and was made again" in done.err
    assert cli("verify", "a", "--require-signed").code == 0


def _touch(path: Path) -> None:
    """As any program that saves a frame again, one attribute more."""
    if path.suffix == ".png":
        data, body = path.read_bytes(), b"tEXtCopyright\0Photograph by X, not AI"
        chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
        path.write_bytes(data[:-12] + chunk + data[-12:])  # before the last chunk
        return
    picture = read_picture(path)
    write_picture(path, replace(picture, attributes={**picture.attributes, "Copyright": "Photograph by X, not AI"}))


def _damage(sidecar: Path, damage: str) -> None:
    if damage == "missing":
        sidecar.unlink()
    elif damage == "of another frame":
        shutil.copy(sidecar.with_name("0002.c2pa"), sidecar)
    elif damage == "huge":
        with sidecar.open("wb") as file:
            file.truncate(1 << 34)  # of which the disk holds nothing
    else:
        sidecar.write_bytes(b"" if damage == "empty" else b"garbage" * 100)


def test_a_frame_that_is_replaced_unsigned_loses_a_manifest_that_is_of_other_bytes(
    cli: Cli, tiny: Path, signer: Signer
) -> None:
    render(cli, tiny, "a/####.exr", "--sign", *signer)
    done = render(cli, tiny, "a/####.exr", "--overwrite", "--z-interval", "0.3")
    assert "manifests of frames that were replaced were of other bytes, and were removed" in done.err
    assert not list(Path("a").glob("*.c2pa"))


def test_a_broken_frame_that_is_made_again_unsigned_keeps_its_manifest(cli: Cli, tiny: Path, signer: Signer) -> None:
    render(cli, tiny, "a/####.exr", "--sign", *signer)
    Path("a/0001.exr").write_bytes(Path("a/0001.exr").read_bytes()[:900])
    assert "1 was broken and made again" in render(cli, tiny, "a/####.exr").line
    assert "3 of them signed by Pipeline" in cli("verify", "a").out  # the same bytes came back


def test_chunks_and_devices_sign_as_one_render_does(cli: Cli, tiny: Path, signer: Signer) -> None:
    render(cli, tiny, "plain/####.exr", seeds="0-3")
    for chunk in ("0-1", "2-3"):
        assert render(cli, tiny, "chunks/####.exr", "--sign", *signer, "--frames", chunk, seeds="0-3").code == 0
    crew = render(cli, tiny, "crew/####.exr", "--devices", "cpu,cpu", "--sign", *signer, seeds="0-3")
    assert crew.code == 0, crew.err
    for folder in ("chunks", "crew"):
        assert "4 of them signed by Pipeline" in cli("verify", folder, "--require-signed").out
        for number in range(4):
            name = f"000{number}.exr"
            assert Path(folder, name).read_bytes() == Path("plain", name).read_bytes()
    again = render(cli, tiny, "plain/####.exr", "--devices", "cpu,cpu", "--sign", *signer, seeds="0-3")
    assert "4 without a signature that is valid today were made again" in again.line


def test_a_farm_job_signs_each_chunk_and_its_last_step_requires_it(cli: Cli, tiny: Path, signer: Signer) -> None:
    submitted = cli(
        "submit", "--to", "commands", tiny, "--seeds", "0-3", "--out", "a/####.exr", "--chunk", "2", "--sign", *signer
    )
    *chunks, verify = (shlex.split(line)[1:] for line in submitted.out.splitlines())
    assert "--require-signed" in verify
    assert cli(*verify).code == 1
    assert [cli(*chunk).code for chunk in chunks] == [0, 0]
    assert "4 of them signed by Pipeline" in cli(*verify).out


def test_a_run_that_is_killed_is_mended_by_the_same_command(
    cli: Cli, start: Callable[..., Any], tiny: Path, signer: Signer
) -> None:
    process = start("render", tiny, "--seeds", "0-2000", "--out", "a/####.exr", "--threads", "1", "--sign", *signer)
    while len(list(Path("a").glob("*.c2pa")) if Path("a").exists() else []) < 3:
        assert process.poll() is None, process.communicate()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    made = sorted(path.stem for path in Path("a").glob("[0-9]*.exr"))
    assert len(made) >= 3
    seeds = f"0-{int(made[-1])}"
    Path(f"a/{made[0]}.c2pa").unlink()  # as if it had been killed between the two
    assert render(cli, tiny, "a/####.exr", "--sign", *signer, seeds=seeds).code == 0
    assert cli("verify", "a", "--require-signed").code == 0
    assert not [path for path in Path("a").iterdir() if path.name.startswith(".")]


def test_rendered_again_a_signed_png_is_the_same_to_the_byte(cli: Cli, tiny: Path, signer: Signer) -> None:
    render(cli, tiny, "a/####.png", "--sign", *signer)
    done = cli("verify", "a", "--rerender", "2", "--model", tiny)
    assert "2 of them rendered again: to the same bytes, 3 of them signed by Pipeline" in done.out


def test_signing_leaves_the_key_out_of_everything(cli: Cli, tiny: Path, signer: Signer) -> None:
    done = cli("--debug", "render", tiny, "--seeds", "1", "--out", "a/####.png", "--sign", *signer)
    body = signer[1].read_text().splitlines()[1]
    written = b"".join(path.read_bytes() for path in Path("a").iterdir())
    assert body not in done.out + done.err
    assert body.encode() not in written
    assert signer[1].name.encode() not in written


def test_many_threads_sign_with_one_certificate_at_the_same_time(cli: Cli, tiny: Path, signer: Signer) -> None:
    done = render(cli, tiny, "a/####.exr", "--sign", *signer, "--threads", "8", "--batch", "3", seeds="0-63")
    assert done.code == 0
    assert "64 frames are whole, 64 of them signed by Pipeline" in cli("verify", "a", "--require-signed").out


def test_a_manifest_is_streamed_and_needs_no_copy_of_the_file(authority: Any, signer: Signer) -> None:
    from vfxgan.render.certificates import read_credentials
    from vfxgan.render.provenance import Checker, Seal

    class OneRead(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            OneRead.largest = max(OneRead.largest, len(data))
            return data

    file = OneRead(bytes(32 << 20))
    actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": f"{LIST}trainedAlgorithmicMedia"}]}
    definition = {
        "claim_generator_info": [{"name": "test"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": actions}],
    }
    manifest = Seal(read_credentials(*signer)).detached(file, definition)
    assert OneRead.largest <= 2 << 20
    file.seek(0)
    assert Checker().read(file, manifest).problem == ""
