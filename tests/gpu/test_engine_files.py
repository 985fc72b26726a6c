"""Engines and their sidecars on disk, and `vfxgan export --check`."""

import json
import os

import pytest

from vfxgan.errors import ModelError, RuntimeFailure, WriteError
from vfxgan.gpu import engine_files
from vfxgan.gpu.check import check_engines
from vfxgan.gpu.engine_files import engine_path, engines_beside, read_engine, sidecar_path, write_engine_files
from vfxgan.gpu.identity import Machine

HERE = Machine(tensorrt="10.16.1.11", gpu="NVIDIA RTX A6000", compute_capability="8.6")
ENGINE = b"engine"


@pytest.fixture
def engine(sidecar_of, upscaler, tmp_path):
    """An engine and its sidecar beside the model."""
    (tmp_path / upscaler.name).write_bytes(upscaler.read_bytes())
    sidecar = sidecar_of(ENGINE)
    path = engine_path(tmp_path, upscaler.stem, sidecar.key)
    write_engine_files(path, ENGINE, sidecar)
    return path


def reasons(path):
    (found,) = check_engines(path, HERE)
    return list(found.reasons)


def test_an_engine_comes_back_with_its_sidecar(engine, sidecar_of):
    assert read_engine(engine) == (ENGINE, sidecar_of(ENGINE))


def test_a_sidecar_is_readable_and_says_all(engine):
    text = json.loads(sidecar_path(engine).read_text())
    assert text["key"]["options"]["tile"] == [16, 24]
    assert text["built"] == {"tensorrt": "10.16.1.11", "gpu": "NVIDIA RTX A6000", "compute_capability": "8.6"}
    assert text["spec"]["name"] == "tiny"


def test_engines_of_a_model_are_found_beside_it(engine, upscaler):
    model = engine.with_name(upscaler.name)
    engine.with_name("other.gpu.10.0.1.aaaaaaaaaaaa.plan").write_bytes(b"")
    assert engines_beside(model) == [engine]


def test_an_engine_that_fits_is_said_to_fit(engine):
    (found,) = check_engines(engine.parent, HERE)
    assert found.fits
    assert found.line == f"{engine}: fits this machine"


def test_an_engine_that_does_not_fit_says_every_reason(engine):
    other = Machine(tensorrt="11.4.0.106", gpu="NVIDIA L40S", compute_capability="8.9")
    (found,) = check_engines([engine], other)
    assert not found.fits
    assert found.line == (
        f"{engine}: does not fit: built with TensorRT 10.16.1.11, here is 11.4.0.106; built for NVIDIA RTX A6000 "
        "(compute capability 8.6), here is NVIDIA L40S (compute capability 8.9)"
    )


def test_a_changed_model_is_a_reason(engine, upscaler):
    engine.with_name(upscaler.name).write_bytes(b"another")
    assert "upscaler.onnx is another one now" in reasons(engine)[0]


def test_a_missing_model_is_a_reason(engine, upscaler):
    engine.with_name(upscaler.name).unlink()
    assert reasons(engine) == ["upscaler.onnx, which it was built from, is not beside it"]


def test_a_missing_sidecar_is_a_reason(engine):
    sidecar_path(engine).unlink()
    assert reasons(engine) == [f"its sidecar {engine.name}.json is missing; build the engine again"]


def test_an_engine_whose_bytes_changed_is_not_read(engine):
    engine.write_bytes(b"Engine")
    with pytest.raises(ModelError, match=r"SHA-256 \w{12}… is not the \w{12}… of its sidecar"):
        read_engine(engine)
    assert "of its sidecar" in reasons(engine)[0]


def test_an_engine_of_another_length_is_not_even_loaded(engine):
    engine.write_bytes(b"engine and more")
    with pytest.raises(ModelError, match="15 bytes, its sidecar says 6"):
        read_engine(engine)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: b"", "Invalid JSON"),
        (lambda text: text[:-30], "Invalid JSON"),
        (lambda text: text.replace(b'"sidecar_version": 1', b'"sidecar_version": 2'), "sidecar_version"),
        (lambda text: text.replace(b'"batch": 1', b'"batch": "1"'), "valid integer"),
        (lambda text: text.replace(b'"batch": 1', b'"batch": 2'), "is not that of the key"),
        (lambda text: text.replace(b'"upscaler.onnx"', b'"../../etc/passwd"'), "onnx_name"),
        (lambda text: text.replace(b'"10.16.1.11"', b'"../10.16"'), "tensorrt"),
        (lambda text: text.replace(b'"spec": {', b'"spec": {"run": "rm",'), "Extra inputs"),
        (lambda text: b"[" * 100_000, "JSON"),
        (lambda text: b" " * (2 << 20), "bytes are no sidecar"),
        (lambda text: b"\xff\xfe" + text, "JSON"),
    ],
    ids=["empty", "cut", "newer", "type", "edited", "path", "version", "extra", "deep", "large", "bytes"],
)
def test_a_damaged_or_hostile_sidecar_is_one_line(engine, damage, reason):
    path = sidecar_path(engine)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError, match=reason) as raised:
        read_engine(engine)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(str(path))
    assert len(reasons(engine)) == 1


def test_a_place_without_engines_is_said(tmp_path):
    with pytest.raises(ModelError, match=r"holds no engines \(\*\.plan\); build one"):
        check_engines(tmp_path, HERE)
    with pytest.raises(ModelError, match="there is no such engine, model or folder"):
        check_engines(tmp_path / "none", HERE)
    (tmp_path / "a.pt").write_bytes(b"")
    with pytest.raises(ModelError, match=r"is no engine \(\*\.plan\), model \(\*\.onnx\) or folder"):
        check_engines(tmp_path / "a.pt", HERE)


def test_engines_of_one_model_are_asked_for_by_its_name(engine, upscaler):
    model = engine.with_name(upscaler.name)
    assert [found.path for found in check_engines(model, HERE)] == [engine]
    engine.unlink()
    with pytest.raises(ModelError, match="has no engines beside it; build one"):
        check_engines(model, HERE)


def test_an_engine_whose_sidecar_cannot_be_written_is_taken_back(sidecar_of, tmp_path, monkeypatch):
    def full(path, data, real=engine_files.write_whole):
        if path.suffix == ".json":
            raise WriteError(f"{path}: cannot be written (No space left on device)")
        real(path, data)

    monkeypatch.setattr(engine_files, "write_whole", full)
    with pytest.raises(WriteError, match="No space left"):
        write_engine_files(tmp_path / "a.plan", ENGINE, sidecar_of(ENGINE))
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_is_interrupted_leaves_no_engine_and_no_temporary_file(sidecar_of, tmp_path, monkeypatch):
    def interrupted(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_engine_files(tmp_path / "a.plan", ENGINE, sidecar_of(ENGINE))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_one_line(sidecar_of, tmp_path):
    with pytest.raises(WriteError, match="cannot be written"):
        write_engine_files(tmp_path / "none" / "a.plan", ENGINE, sidecar_of(ENGINE))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteError, match="cannot be written"):
        write_engine_files(tmp_path / "file" / "a.plan", ENGINE, sidecar_of(ENGINE))


def test_where_something_is_missing_there_is_no_key(sidecar_of):
    with pytest.raises(RuntimeFailure, match="cannot be used here: there is no NVIDIA driver"):
        Machine(missing="there is no NVIDIA driver").where()
